//! A project in a folder of its own, and the real binary run in it: what the tests from end to end stand on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::postgres;

/// Eight small pictures: two groups, two values each, in two styles.
pub const PEOPLE: &str = r#"version: 1
collection: people
key: [group, value, style]
defaults:
  generator: painter
  model: first
  steps: 20
  width: 64
  height: 96
  seed: derived
  prompt: a {{ look }} of {{ subject }}
axes:
  style:
    photo: { vars: { look: photograph } }
    anime: { vars: { look: drawing } }
images:
  - matrix:
      group: age
      value:
        young: { vars: { subject: a young woman } }
        aged: { vars: { subject: an old man } }
  - matrix:
      group: body
      value:
        slim: { vars: { subject: a slim man } }
        tall: { vars: { subject: a tall woman } }
renditions:
  main: { format: jpeg, quality: 90, path: "people/{{ group }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}" }
publish:
  table: people
  columns:
    image_url: "{{ url }}"
    seed: "{{ seed }}"
    prompt: "{{ prompt }}"
"#;

/// The eight keys of [`PEOPLE`], in byte order.
pub const KEYS: [&str; 8] = [
    "age/aged/anime",
    "age/aged/photo",
    "age/young/anime",
    "age/young/photo",
    "body/slim/anime",
    "body/slim/photo",
    "body/tall/anime",
    "body/tall/photo",
];

/// A project in a folder that goes with this value.
pub struct Project {
    dir: TempDir,
    base: Base,
}

/// Where a project's state is.
#[derive(Clone)]
enum Base {
    /// In a file of the project.
    Sqlite,
    /// In a database of its own, at this URL.
    Postgres(String),
}

/// The variable that says where states are: the tests from end to end run once for each database.
const STATE: &str = "PIXFORM_TEST_STATE";

impl Base {
    /// Returns an empty one, of the kind that this run of the tests is for.
    fn new() -> Self {
        match std::env::var(STATE).as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres(postgres::shared().database()),
            Ok(other) => panic!("{STATE} is `{other}`; write `sqlite` or `postgres`"),
        }
    }

    fn copy(&self) -> Self {
        match self {
            Self::Sqlite => Self::Sqlite,
            Self::Postgres(url) => Self::Postgres(postgres::shared().copy_of(url)),
        }
    }
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; 128 and the signal where one ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A run that stands still at a crash point, for as long as a test wants.
pub struct Stopped {
    child: Child,
}

impl Stopped {
    /// Starts a command, and returns once it stands still at `name:pass`.
    pub fn new(mut command: Command, point: &str) -> Self {
        command.env("PIXFORM_CRASH", format!("{point}:stop")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        wait("the run never came to its crash point", || {
            let state = fs::read_to_string(&stat).unwrap();
            let state = state.rsplit_once(") ").unwrap().1.as_bytes()[0];
            assert_ne!(state, b'Z', "the run ended before it came to `{point}`");
            state == b'T'
        });
        Self { child }
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, which it gets when it goes on, unless it is SIGKILL.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Lets it go on to its end.
    pub fn go_on(self) -> Ran {
        self.signal(Signal::CONT);
        ran(self.child.wait_with_output().unwrap())
    }
}

/// Everything in a folder: bytes, times and kinds.
pub type Listing = BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)>;

impl Ran {
    /// Fails the test unless this was the exit code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl Project {
    /// Makes a project with one manifest.
    pub fn new(manifest: &str) -> Self {
        // In memory where that can be had: what a power cut would do is for `state_sqlite` and `storage_file`.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let project = Self { dir: dir.unwrap(), base: Base::new() };
        project.write("manifests/people.yaml", manifest);
        project.configure();
        project
    }

    /// Makes a project whose state is in a Postgres database, whatever this run of the tests is for.
    pub fn on_postgres(manifest: &str, url: String) -> Self {
        let project = Self { base: Base::Postgres(url), ..Self::new(manifest) };
        project.configure();
        project
    }

    /// Writes a `pixform.yaml` like what is built in, where the state is not what is built in.
    fn configure(&self) {
        if let Base::Postgres(url) = &self.base {
            let generators = "{ painter: { kind: placeholder }, novita: { kind: placeholder, checks_as: novita } }";
            let text = format!(
                "version: 1\nenvironments:\n  local:\n    state: \"{url}\"\n    \
                 storage: {{ url: \"file:.pixform/storage\" }}\n    generators: {generators}\n"
            );
            self.write("pixform.yaml", &text);
        }
    }

    /// Writes a `pixform.yaml` that leaves so much time between two pictures of `painter`.
    pub fn pace(&self, interval: &str) {
        let text = format!(
            "version: 1\nenvironments:\n  local:\n    state: \"{}\"\n    storage: {{ url: \"file:.pixform/storage\" }}\n    \
             generators: {{ painter: {{ kind: placeholder, min_interval: {interval} }} }}\n",
            self.state_url()
        );
        self.write("pixform.yaml", &text);
    }

    /// Returns the URL of its state, as `pixform.yaml` has it.
    pub fn state_url(&self) -> String {
        match &self.base {
            Base::Sqlite => "sqlite:.pixform/state.db".to_owned(),
            Base::Postgres(url) => url.clone(),
        }
    }

    /// Tells whether the state is in a file of the project.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.base, Base::Sqlite)
    }

    /// Makes a project with [`PEOPLE`], applied.
    pub fn applied() -> Self {
        static ONCE: OnceLock<Project> = OnceLock::new();
        let template = ONCE.get_or_init(|| {
            let project = Self::new(PEOPLE);
            project.apply();
            project
        });
        template.copy()
    }

    /// Copies the project as it is.
    pub fn copy(&self) -> Self {
        let copy = Self { base: self.base.copy(), ..Self::new("") };
        copy_folder(&self.root(), &copy.root());
        copy.configure();
        copy
    }

    /// Returns the project's folder.
    pub fn root(&self) -> PathBuf {
        let root = self.dir.path().join("project");
        if !root.is_dir() {
            fs::create_dir(&root).unwrap();
        }
        root
    }

    /// Returns the folder of the pictures.
    pub fn storage(&self) -> PathBuf {
        self.root().join(".pixform/storage")
    }

    /// Returns the database's file.
    pub fn database(&self) -> PathBuf {
        self.root().join(".pixform/state.db")
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes the manifest anew.
    pub fn manifest(&self, content: &str) {
        self.write("manifests/people.yaml", content);
    }

    /// Replaces a text of the manifest wherever it stands.
    pub fn edit(&self, old: &str, new: &str) {
        let was = fs::read_to_string(self.root().join("manifests/people.yaml")).unwrap();
        assert!(was.contains(old), "the manifest has no `{old}`");
        self.manifest(&was.replace(old, new));
    }

    /// Returns a command in the project's folder, in an environment that holds nothing else.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixform"));
        command.args(args).current_dir(self.root()).env_clear().stdin(Stdio::null());
        command
    }

    /// Starts a command and lets it run.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a command.
    pub fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().unwrap())
    }

    /// Runs a command that has to succeed, and returns its stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        self.run(args).expect(0).stdout
    }

    /// Applies.
    pub fn apply(&self) -> String {
        self.ok(&["apply", "--yes"])
    }

    /// Returns the plan's document.
    pub fn plan(&self) -> Value {
        self.plan_with(&[])
    }

    /// Returns the plan's document, made with more arguments.
    pub fn plan_with(&self, args: &[&str]) -> Value {
        let out = self.dir.path().join("plan.json");
        let mut all = vec!["plan", "--out", out.to_str().unwrap()];
        all.extend(args);
        self.ok(&all);
        serde_json::from_slice(&fs::read(out).unwrap()).unwrap()
    }

    /// Returns what is planned for each key: `age/young/photo generate`.
    pub fn planned(&self) -> Vec<String> {
        planned(&self.plan())
    }

    /// Asserts that there is nothing to do and nothing wrong.
    pub fn assert_settled(&self) {
        let stdout = self.ok(&["plan", "--detailed-exitcode"]);
        assert!(stdout.contains("No changes."), "{stdout}");
        self.ok(&["check", "--deep"]);
    }

    /// Opens the database's file for reading.
    fn read(&self) -> Connection {
        Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    /// Changes the database by hand; returns how many rows that were.
    pub fn execute(&self, sql: &str) -> usize {
        match &self.base {
            Base::Sqlite => Connection::open(self.database()).unwrap().execute(sql, []).unwrap(),
            Base::Postgres(url) => postgres::execute(url, &as_postgres(sql)),
        }
    }

    /// Runs several statements by hand.
    pub fn batch(&self, sql: &str) {
        match &self.base {
            Base::Sqlite => Connection::open(self.database()).unwrap().execute_batch(sql).unwrap(),
            Base::Postgres(url) => drop(postgres::sql(url, sql)),
        }
    }

    /// Asks the database; each row as its cells' text, joined by ` | `.
    pub fn query(&self, sql: &str) -> Vec<String> {
        self.cells(sql).into_iter().map(|cells| cells.join(" | ")).collect()
    }

    /// Asks the database; each row as its cells' text.
    pub fn cells(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.base {
            Base::Sqlite => cells(&self.read(), sql),
            Base::Postgres(url) => postgres::cells(url, &as_postgres(sql)),
        }
    }

    /// Loses the database with all that it holds, rows of the product too.
    pub fn lose_database(&self) {
        match &self.base {
            Base::Sqlite => fs::remove_file(self.database()).unwrap(),
            Base::Postgres(url) => {
                postgres::sql(url, "DROP SCHEMA pixform CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
            }
        }
    }

    /// Holds the ledger for longer than a writer waits for a lock.
    pub fn lock_longer_than_a_writer_is_patient(&self) {
        match &self.base {
            Base::Sqlite => {
                let other = Connection::open(self.database()).unwrap();
                other.execute_batch("BEGIN IMMEDIATE").unwrap();
                std::thread::sleep(Duration::from_secs(13));
                other.execute_batch("ROLLBACK").unwrap();
            }
            Base::Postgres(url) => {
                postgres::sql(url, "BEGIN; LOCK TABLE pixform.calls; SELECT pg_sleep(23); ROLLBACK");
            }
        }
    }

    /// Returns how many lines the ledger has: how often anything was painted, or was about to be.
    pub fn paints(&self) -> i64 {
        match self.has_tables() {
            true => self.query("SELECT count(*) FROM pixform_calls WHERE status <> 'refused'")[0].parse().unwrap(),
            false => 0,
        }
    }

    /// Tells whether the state has tables yet.
    fn has_tables(&self) -> bool {
        match &self.base {
            Base::Sqlite => self.database().is_file() && has_table(&self.read(), "pixform_calls"),
            Base::Postgres(url) => postgres::sql(url, "SELECT to_regclass('pixform.calls') IS NOT NULL") == ["t"],
        }
    }

    /// Returns the published row of each key: row id, URL, seed and prompt.
    pub fn rows(&self) -> BTreeMap<String, String> {
        let rows = self.query(
            r#"SELECT "group" || '/' || value || '/' || style, id, image_url, seed, prompt FROM people ORDER BY 1"#,
        );
        rows.iter()
            .map(|row| row.split_once(" | ").map(|(key, rest)| (key.to_owned(), rest.to_owned())).unwrap())
            .collect()
    }

    /// Returns the file that a row's URL names.
    pub fn picture(&self, key: &str) -> PathBuf {
        let row = &self.rows()[key];
        let url = row.split(" | ").nth(1).unwrap();
        self.storage().join(url.strip_prefix("/files/").unwrap())
    }

    /// Returns everything in the project's folder.
    pub fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        list(&self.root(), &mut listing);
        listing
    }

    /// Asks the database as the next writer would find it; nothing where it has no tables yet.
    ///
    /// A killed run may leave a hot journal, which only a writer can roll back: in a copy, so that the next run meets it.
    pub fn recovered(&self, sql: &str) -> Vec<Vec<String>> {
        if !self.is_sqlite() {
            return if self.has_tables() { self.cells(sql) } else { Vec::new() };
        }
        let copy = tempfile::tempdir_in(self.dir.path()).unwrap();
        for name in ["state.db", "state.db-journal"] {
            let from = self.root().join(".pixform").join(name);
            if from.is_file() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        let connection = Connection::open(copy.path().join("state.db")).unwrap();
        if has_table(&connection, "pixform_records") { cells(&connection, sql) } else { Vec::new() }
    }

    /// Returns id and recipe of every line of the ledger, also where a run was killed.
    pub fn calls(&self) -> BTreeSet<(String, String)> {
        let lines = self.recovered("SELECT id, lower(hex(recipe)) FROM pixform_calls");
        lines.into_iter().map(|mut line| (line.remove(0), line.remove(0))).collect()
    }

    /// Asserts what must hold at every instant: each row and each record points at files that are there and whole.
    pub fn assert_no_broken_link(&self) {
        let mut published = BTreeSet::new();
        for record in self.recovered("SELECT key, objects FROM pixform_records") {
            for line in record[1].lines() {
                let (bytes, path) = line.split_once(' ').unwrap();
                let found = fs::metadata(self.storage().join(path)).map(|file| file.len());
                assert_eq!(found.ok(), bytes.parse().ok(), "{}: {path}", record[0]);
                published.insert(format!("/files/{path}"));
            }
        }
        let there = match self.is_sqlite() {
            true => "SELECT count(*) FROM sqlite_schema WHERE name = 'people'",
            false => "SELECT count(to_regclass('people'))",
        };
        if self.recovered(there).first().is_none_or(|count| count[0] == "0") {
            return;
        }
        for row in self.recovered("SELECT image_url FROM people") {
            assert!(published.contains(&row[0]), "a row points at {}, which no record knows", row[0]);
        }
    }

    /// Asserts that no picture was painted twice: each recipe has at most one line that came to an end.
    pub fn assert_painted_once(&self) {
        let sql = "SELECT hex(recipe), count(*) FROM pixform_calls WHERE status = 'finished'
                   GROUP BY recipe HAVING count(*) > 1";
        assert_eq!(self.query(sql), Vec::<String>::new());
    }
}

/// Returns SQL as Postgres takes it: our own tables lie in a schema of their own there.
fn as_postgres(sql: &str) -> String {
    let mut sql = sql.replace("pixform_", "pixform.");
    for column in ["recipe", "sha256"] {
        sql = sql.replace(&format!("hex({column})"), &format!("encode({column}, 'hex')"));
    }
    sql.replace("recipe ->> ", "recipe::json ->> ").replace("current = 1", "current")
}

fn cells(connection: &Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(sql).unwrap();
    let count = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |number| match row.get(number).unwrap() {
            Cell::Null => "NULL".to_owned(),
            Cell::Integer(number) => number.to_string(),
            Cell::Real(number) => number.to_string(),
            Cell::Text(text) => text,
            Cell::Blob(bytes) => hex::encode(bytes),
        };
        Ok((0..count).map(cell).collect())
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn has_table(connection: &Connection, name: &str) -> bool {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get::<_, i64>(0)).unwrap() == 1
}

/// Returns what a plan's document says of each key, in byte order.
pub fn planned(document: &Value) -> Vec<String> {
    let text = |change: &Value, field: &str| change[field].as_str().unwrap().to_owned();
    let line = |change: &Value| format!("{} {}", text(change, "key"), text(change, "action"));
    let mut lines: Vec<String> = document["changes"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

/// Returns the reasons that a plan's document has for a key: `row_edited prompt`.
pub fn reasons(document: &Value, key: &str) -> Vec<String> {
    let changes = document["changes"].as_array().unwrap();
    let change = changes.iter().find(|change| change["key"] == key).unwrap();
    let line = |reason: &Value| {
        let parts = [reason["code"].as_str(), reason["field"].as_str()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    change["reasons"].as_array().unwrap().iter().map(line).collect()
}

/// Waits for something that happens soon, and fails the test if it does not.
pub fn wait(what_else: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !happened() {
        assert!(Instant::now() < deadline, "{what_else}");
        std::thread::yield_now();
    }
}

/// Takes what a process left.
pub fn ran(output: std::process::Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal)).unwrap();
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

fn list(folder: &Path, listing: &mut Listing) {
    let modified = fs::metadata(folder).unwrap().modified().unwrap();
    listing.insert(folder.to_path_buf(), (None, modified));
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            list(&path, listing);
        } else {
            let modified = entry.metadata().unwrap().modified().unwrap();
            listing.insert(path.clone(), (Some(fs::read(&path).unwrap()), modified));
        }
    }
}
