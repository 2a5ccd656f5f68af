//! What the documents show, run from their text: each file written, each command run by a shell, each line below it looked
//! for in what it prints. Where a line has a `…`, anything may stand there.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::fake::FakeNovita;
use super::fake::behaviour::Behaviour;
use super::fake::script::OnSubmit;

/// What starts the fake in a shell; a test starts it in its own process, on a port that is free.
const FAKE: &str = "cargo run --example fake-novita -- ";
/// Where the documents have it.
const FAKE_PORT: &str = "8791";

/// The mark of blocks whose commands are run one after the other.
const TOUR: &str = "console tour";
/// The mark of those that are run in a product that a script made.
const ADOPT: &str = "console adopt";
/// The mark of those that are run with a state in Postgres.
const POSTGRES: &str = "console postgres";

/// One step of a document.
#[derive(Debug)]
enum Step {
    /// A file to write.
    Write { path: String, content: String },
    /// A command, and the lines that its output must hold, in this order.
    Run { command: String, lines: Vec<String> },
}

/// A folder in which a document's steps are run.
struct Tour {
    folder: TempDir,
    fake: Option<FakeNovita>,
    variables: Vec<(&'static str, String)>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl Into<PathBuf>) -> String {
    let path = root().join(path.into());
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the steps of the blocks with that mark, and the files that are written before them.
fn steps(document: &str, mark: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = "";
    for line in document.lines() {
        match (inside, line.strip_prefix("```")) {
            ("", Some(opened)) if opened == mark => inside = "console",
            ("", Some(opened)) => match opened.split_once(' ') {
                Some(("yaml", path)) => {
                    steps.push(Step::Write { path: path.to_owned(), content: String::new() });
                    inside = "file";
                }
                _ => inside = "other",
            },
            ("", None) => {}
            (_, Some(_)) => inside = "",
            ("file", None) => match steps.last_mut() {
                Some(Step::Write { content, .. }) => *content += &format!("{line}\n"),
                _ => unreachable!("a file was begun"),
            },
            ("console", None) => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step::Run { command: command.to_owned(), lines: Vec::new() }),
                (None, Some(Step::Run { lines, .. })) => lines.push(line.to_owned()),
                (None, _) => panic!("a command comes before `{line}`"),
            },
            (_, None) => {}
        }
    }
    steps
}

impl Tour {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("manifests")).unwrap();
        Self { folder, fake: None, variables: Vec::new() }
    }

    fn write(&self, path: &str, content: &str) {
        std::fs::write(self.folder.path().join(path), content).unwrap();
    }

    /// Starts the fake as the arguments of the example say.
    fn start_fake(&mut self, arguments: &str) {
        let (mut rate, mut lose) = (Behaviour::default().rate, 0);
        let mut words = arguments.split_whitespace();
        while let Some(word) = words.next().filter(|word| *word != "&") {
            let value = words.next().unwrap_or_else(|| panic!("`{word}` has no value"));
            match word {
                "--port" => assert_eq!(value, FAKE_PORT),
                "--rate" => rate = value.parse().ok().filter(|rate| *rate > 0),
                "--lose" => lose = value.parse().unwrap(),
                other => panic!("`{other}` is not known here"),
            }
        }
        let fake = FakeNovita::start_at(0, Behaviour { rate, ..Behaviour::default() }).unwrap();
        fake.fault_next(lose, OnSubmit::LostAnswer);
        self.fake = Some(fake);
    }

    /// Returns a text of the document with the port that the fake has here; a reader's may be taken.
    fn here(&self, text: &str) -> String {
        match &self.fake {
            Some(fake) => text.replace(&format!("http://127.0.0.1:{FAKE_PORT}"), fake.base_url()),
            None => text.to_owned(),
        }
    }

    fn shell(&self, command: &str) -> String {
        let binaries = Path::new(env!("CARGO_BIN_EXE_pixform")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", &path)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn run(&mut self, step: &Step) {
        let (command, lines) = match step {
            Step::Write { path, content } => return self.write(path, &self.here(content)),
            Step::Run { command, lines } => (command, lines),
        };
        let text = match command.strip_prefix(FAKE) {
            Some(arguments) => {
                self.start_fake(arguments);
                // The files that were written before name the port of the document.
                let config = std::fs::read_to_string(self.folder.path().join("pixform.yaml")).unwrap();
                self.write("pixform.yaml", &self.here(&config));
                let fake = self.fake.as_ref().unwrap();
                format!("listening on {}; key: {}", fake.base_url(), Behaviour::default().key)
            }
            None => self.shell(&self.here(command)),
        };
        let mut rest = text.as_str();
        for line in lines {
            for part in self.here(line).split('…').map(str::trim) {
                let at = rest.find(part);
                let at = at.unwrap_or_else(|| panic!("`{command}` does not print `{line}`, but:\n{text}"));
                rest = &rest[at + part.len()..];
            }
        }
    }
}

#[test]
fn the_tour_of_the_readme_shows_what_it_says() {
    let steps = steps(&read("README.md"), TOUR);
    assert!(steps.len() >= 18, "the tour was not found: {steps:#?}");
    let mut tour = Tour::new();
    let manifest = "manifests/attribute-images.yaml";
    tour.write(manifest, &read(manifest));
    steps.iter().for_each(|step| tour.run(step));
    assert_eq!(tour.fake.unwrap().charges().len(), 48, "what the tour says was charged was");
}

#[test]
fn a_product_that_exists_already_is_adopted_as_the_readme_says() {
    let steps = steps(&read("README.md"), ADOPT);
    let steps: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Run { .. })).collect();
    assert!(steps.len() >= 8, "there is little to run: {steps:#?}");
    let mut tour = Tour::new();
    let manifest = "manifests/attribute-images.yaml";
    tour.write(manifest, &read(manifest));
    tour.shell("pixform apply --yes");
    let root = tour.folder.path();
    let connection = rusqlite::Connection::open(root.join(".pixform/state.db")).unwrap();
    // What pixform made becomes what a script made: a table of its own, and nothing of ours beside it.
    let script = "PRAGMA foreign_keys = OFF; ALTER TABLE attribute_images RENAME TO made;
        CREATE TABLE attribute_images (id INTEGER PRIMARY KEY, category TEXT, value TEXT, style TEXT, image_url TEXT,
          seed BIGINT, width INTEGER, height INTEGER, prompt TEXT, UNIQUE (category, value, style));
        INSERT INTO attribute_images SELECT id, category, value, style, image_url, seed, width, height, prompt FROM made;
        DROP TABLE made";
    connection.execute_batch(script).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'pixform_%'";
    let mut statement = connection.prepare(names).unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drop(statement);
    names.iter().for_each(|name| connection.execute_batch(&format!("DROP TABLE {name}")).unwrap());
    drop(connection);
    std::fs::remove_dir_all(root.join(".pixform/storage/originals")).unwrap();
    std::fs::remove_file(root.join(manifest)).unwrap();
    steps.into_iter().for_each(|step| tour.run(step));
}

#[test]
fn what_the_page_about_money_shows_is_what_is_printed() {
    let steps = steps(&read("docs/money.md"), TOUR);
    assert!(steps.len() >= 8, "there is little to run: {steps:#?}");
    let mut tour = Tour::new();
    tour.variables.push(("PIXFORM_ENV", "production".to_owned()));
    tour.start_fake("--rate 0 --lose 1");
    tour.write("manifests/portraits.yaml", &read("src/cli/commands/templates/portraits.yaml"));
    let config = self::steps(&read("README.md"), TOUR).into_iter().find(|step| matches!(step, Step::Write { .. }));
    tour.run(&config.unwrap());
    steps.iter().for_each(|step| tour.run(step));
}

#[test]
fn the_manifest_of_the_readme_can_be_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let manifest = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portraits.yaml"), manifest).unwrap();
    let output = assert_cmd::Command::cargo_bin("pixform")
        .unwrap()
        .arg("plan")
        .env_clear()
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Plan: 4 to generate"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_readme_sets_a_postgres_database_up_as_it_says() {
    let readme = read("README.md");
    let (before, rest) = readme.split_once("## Postgres, and Supabase").unwrap();
    let (section, after) = rest.split_once("\n## ").unwrap();
    assert!(!before.contains(POSTGRES) && !after.contains(POSTGRES));
    let steps = steps(section, POSTGRES);
    assert!(steps.len() >= 9, "the section was not found: {steps:#?}");
    let mut tour = Tour::new();
    let owner = crate::postgres::shared().database();
    let role = |name: &str| owner.replace("postgres@", &format!("{name}:secret@"));
    tour.variables.extend([
        ("PLAN_URL", role("pixform_plan")),
        ("APPLY_URL", role("pixform_apply")),
        ("OWNER_URL", owner.clone()),
    ]);
    let manifest = "manifests/attribute-images.yaml";
    tour.write(manifest, &read(manifest));
    steps.iter().for_each(|step| tour.run(step));
}
