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
        let project = Self { dir: dir.unwrap() };
        project.write("manifests/people.yaml", manifest);
        project
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
        let copy = Self::new("");
        copy_folder(&self.root(), &copy.root());
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

    /// Opens the database for reading.
    pub fn read(&self) -> Connection {
        Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    /// Changes the database by hand.
    pub fn execute(&self, sql: &str) -> usize {
        Connection::open(self.database()).unwrap().execute(sql, []).unwrap()
    }

    /// Asks the database; each row as its cells' text, joined by ` | `.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let connection = self.read();
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
            Ok((0..count).map(cell).collect::<Vec<_>>().join(" | "))
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    /// Returns how many lines the ledger has: how often anything was painted, or was about to be.
    pub fn paints(&self) -> i64 {
        self.read().query_row("SELECT count(*) FROM pixform_calls", [], |row| row.get(0)).unwrap()
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

    /// Opens a copy of the database, as the next writer would find it; `None` where it has no tables yet.
    ///
    /// A killed run may leave a hot journal, which only a writer can roll back: in a copy, so that the next run meets it.
    fn snapshot(&self) -> Option<(TempDir, Connection)> {
        let copy = tempfile::tempdir_in(self.dir.path()).unwrap();
        for name in ["state.db", "state.db-journal"] {
            let from = self.root().join(".pixform").join(name);
            if from.is_file() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        let connection = Connection::open(copy.path().join("state.db")).unwrap();
        has_table(&connection, "pixform_records").then_some((copy, connection))
    }

    /// Returns id and recipe of every line of the ledger, also where a run was killed.
    pub fn calls(&self) -> BTreeSet<(String, String)> {
        let Some((_copy, connection)) = self.snapshot() else { return BTreeSet::new() };
        let mut statement = connection.prepare("SELECT id, lower(hex(recipe)) FROM pixform_calls").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    /// Asserts what must hold at every instant: each row and each record points at files that are there and whole.
    pub fn assert_no_broken_link(&self) {
        let Some((_copy, connection)) = self.snapshot() else { return };
        let mut statement = connection.prepare("SELECT key, objects FROM pixform_records").unwrap();
        let texts = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        let mut published = BTreeSet::new();
        for (key, objects) in texts.map(Result::unwrap) {
            for line in objects.lines() {
                let (bytes, path) = line.split_once(' ').unwrap();
                let found = fs::metadata(self.storage().join(path)).map(|file| file.len());
                assert_eq!(found.ok(), bytes.parse().ok(), "{key}: {path}");
                published.insert(format!("/files/{path}"));
            }
        }
        if !has_table(&connection, "people") {
            return;
        }
        let mut statement = connection.prepare("SELECT image_url FROM people").unwrap();
        for url in statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap) {
            assert!(published.contains(&url), "a row points at {url}, which no record knows");
        }
    }

    /// Asserts that no picture was painted twice: each recipe has at most one line that came to an end.
    pub fn assert_painted_once(&self) {
        let sql = "SELECT hex(recipe), count(*) FROM pixform_calls WHERE status = 'finished'
                   GROUP BY recipe HAVING count(*) > 1";
        assert_eq!(self.query(sql), Vec::<String>::new());
    }
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
