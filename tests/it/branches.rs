//! A team: two branches, a preview of each, and merges, with git, a Postgres, an S3 server and a fake Novita.
//!
//! Each job runs in a clone of its own, as on a machine of a CI service: what was made for one is found by the next through
//! database and bucket only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fake::FakeNovita;
use crate::money::{fake, people};
use crate::postgres::{psql, shared, sql};
use crate::project::{Ran, ran};
use crate::stores::s3::{KEY, S3, SECRET};

const CONFIG: &str = r#"version: 1
environments:
  production:
    state: ${DATABASE_URL}
    storage: { url: "s3://pictures/shop", endpoint: "${S3_ENDPOINT}", region: us-east-1, public_url: "https://cdn.example.com/shop" }
    generators:
      painter: { kind: novita, base_url: "${NOVITA_URL}", api_key: "${NOVITA_API_KEY}", price: 0.015, concurrency: 3, images_per_minute: 100000 }
"#;
const ONE: (&str, &str) = ("subject: an old man", "subject: an older man");
const TWO: (&str, &str) = ("subject: a tall woman", "subject: a very tall woman");
/// What a merge runs.
const MERGE: [&str; 4] = ["apply", "--yes", "--max-cost", "0"];

/// A repository with the manifest, and the world that its jobs share.
struct Team {
    repository: tempfile::TempDir,
    database: String,
    store: S3,
    fake: FakeNovita,
}

/// How a branch is merged.
#[derive(Debug, Clone, Copy)]
enum Merge {
    Squash,
    Rebase,
}

impl Team {
    /// Makes one whose eight pictures are live.
    fn new() -> Self {
        let (repository, database) = (tempfile::tempdir().unwrap(), shared().database());
        let team = Self { repository, database, store: S3::start(), fake: fake(5) };
        team.git(&["init", "-q", "-b", "main"]);
        for (name, value) in [("user.name", "A Designer"), ("user.email", "designer@example.com")] {
            team.git(&["config", name, value]);
        }
        std::fs::create_dir(team.path().join("manifests")).unwrap();
        std::fs::write(team.path().join("pixform.yaml"), CONFIG).unwrap();
        std::fs::write(team.manifest(), people()).unwrap();
        team.git(&["add", "."]);
        team.git(&["commit", "-qm", "Eight pictures"]);
        team.job("main", &["apply", "--yes"]).expect(0);
        assert_eq!(team.fake.charges().len(), 8);
        team
    }

    fn path(&self) -> &Path {
        self.repository.path()
    }

    fn manifest(&self) -> std::path::PathBuf {
        self.path().join("manifests/people.yaml")
    }

    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git").args(args).current_dir(self.path()).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Commits an edit on a new branch.
    fn branch(&self, name: &str, edits: &[(&str, &str)]) {
        self.git(&["switch", "-q", "-c", name, "main"]);
        let mut text = std::fs::read_to_string(self.manifest()).unwrap();
        for (old, new) in edits {
            assert!(text.contains(old), "{old}");
            text = text.replace(old, new);
        }
        std::fs::write(self.manifest(), text).unwrap();
        self.git(&["commit", "-qam", name]);
        self.git(&["switch", "-q", "main"]);
    }

    fn merge(&self, branch: &str, how: Merge) {
        match how {
            Merge::Squash => {
                self.git(&["merge", "-q", "--squash", branch]);
                self.git(&["commit", "-qm", &format!("{branch} (squashed)")]);
            }
            Merge::Rebase => {
                self.git(&["switch", "-q", branch]);
                self.git(&["rebase", "-q", "main"]);
                self.git(&["switch", "-q", "main"]);
                self.git(&["merge", "-q", "--ff-only", branch]);
            }
        }
    }

    /// Runs pixform in a fresh clone of a branch.
    fn job(&self, branch: &str, args: &[&str]) -> Ran {
        let clone = tempfile::tempdir().unwrap();
        let from = self.path().to_str().unwrap();
        self.git(&["clone", "-q", "--branch", branch, from, clone.path().to_str().unwrap()]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixform"));
        let variables = [
            ("DATABASE_URL", self.database.as_str()),
            ("S3_ENDPOINT", self.store.front.address()),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("NOVITA_URL", self.fake.base_url()),
            ("NOVITA_API_KEY", "test-key"),
        ];
        command.args(args).current_dir(clone.path()).env_clear().envs(variables);
        ran(command.output().unwrap())
    }

    /// Previews a branch; returns the plan's digest and the bytes of each new file, by its key.
    fn preview(&self, branch: &str) -> (String, BTreeMap<String, Vec<u8>>) {
        let comment = tempfile::NamedTempFile::new().unwrap();
        let out = format!("--out-markdown={}", comment.path().display());
        let ran = self.job(branch, &["preview", "--yes", "--json", &out]).expect(0);
        let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
        let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
        let files = of("preview_file").map(|event| (text(event, "key"), self.file(&text(event, "path")))).collect();
        let digest = text(of("change_summary").next().unwrap(), "digest");
        self.check_comment(&std::fs::read_to_string(comment.path()).unwrap(), &digest, &files);
        (digest, files)
    }

    /// Asserts that a comment on a pull request says what there is to review: the plan, the pictures, and no cost to merge.
    fn check_comment(&self, comment: &str, digest: &str, files: &BTreeMap<String, Vec<u8>>) {
        let first = comment.lines().next().unwrap();
        assert!(first.starts_with("<!-- pixform:v1 env=production ") && first.contains(digest), "{comment}");
        assert!(comment.contains("merging costs $0.00"), "{comment}");
        for key in files.keys() {
            assert!(comment.contains(&format!("`{key}`")), "{key}: {comment}");
        }
        let pictures = comment.matches("<img ").count();
        assert_eq!(pictures, 2 * files.len(), "each asset before and after: {comment}");
        assert!(comment.contains("https://cdn.example.com/shop/people/"), "{comment}");
    }

    fn file(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.store.folder.path().join("pictures/shop").join(path)).unwrap()
    }

    /// Returns the URL of each key.
    fn urls(&self) -> BTreeMap<String, String> {
        let rows =
            sql(&self.database, r#"SELECT "group" || '/' || value || '/' || style || ' ' || image_url FROM people"#);
        rows.iter().map(|row| row.split_once(' ').map(|(key, url)| (key.to_owned(), url.to_owned())).unwrap()).collect()
    }

    /// Returns the bytes that each key shows.
    fn shown(&self) -> BTreeMap<String, Vec<u8>> {
        let file = |url: &str| self.file(url.strip_prefix("https://cdn.example.com/shop/").unwrap());
        self.urls().into_iter().map(|(key, url)| (key, file(&url))).collect()
    }

    /// Asserts that the files of a preview are live.
    fn assert_live(&self, files: &BTreeMap<String, Vec<u8>>) {
        let shown = self.shown();
        for (key, bytes) in files {
            assert!(shown[key] == *bytes, "{key} shows the reviewed bytes");
        }
    }

    /// Returns the tasks that the fake was asked for, which is what costs money.
    fn orders(&self) -> usize {
        self.fake.charges().len()
    }
}

/// Two branches that edit different pictures, both previewed; then merged in this order.
fn check_order(order: [(&str, Merge); 2]) {
    let team = Team::new();
    team.branch("one", &[ONE]);
    team.branch("two", &[TWO]);
    let plan = team.job("one", &["plan"]).expect(0);
    assert!(plan.stdout.contains("Plan: 2 to generate; 6 unchanged. Estimated cost: $0.03."), "{plan:?}");
    let before = team.urls();
    let previews = BTreeMap::from([("one", team.preview("one")), ("two", team.preview("two"))]);
    assert_eq!(team.urls(), before, "previews switch nothing");
    assert_eq!(team.orders(), 12);
    let requests = team.fake.requests().len();
    for (branch, how) in order {
        team.merge(branch, how);
        let (digest, files) = &previews[branch];
        assert_eq!(files.len(), 2, "{order:?}");
        let applied = team.job("main", &[&MERGE[..], &["--expect", digest]].concat()).expect(0);
        assert!(applied.stdout.contains("Applied: 2 reused. Cost: $0.00."), "{order:?}: {applied:?}");
        team.assert_live(files);
    }
    assert_eq!(team.fake.requests().len(), requests, "{order:?}: merging asks nobody");
    team.job("main", &["plan", "--detailed-exitcode"]).expect(0);
    team.job("main", &["check", "--deep"]).expect(0);
}

#[test]
fn two_branches_are_merged_in_either_order_and_show_what_was_reviewed() {
    check_order([("one", Merge::Squash), ("two", Merge::Rebase)]);
    check_order([("two", Merge::Rebase), ("one", Merge::Squash)]);
}

#[test]
fn two_merges_that_become_one_apply_are_both_live() {
    let team = Team::new();
    team.branch("one", &[ONE]);
    team.branch("two", &[TWO]);
    let (one, two) = (team.preview("one"), team.preview("two"));
    team.merge("one", Merge::Squash);
    team.merge("two", Merge::Rebase);
    let applied = team.job("main", &MERGE).expect(0);
    assert!(applied.stdout.contains("Applied: 4 reused. Cost: $0.00."), "{applied:?}");
    team.assert_live(&one.1);
    team.assert_live(&two.1);
    // The apply of the merge before, begun late, finds its part done.
    let late = team.job("main", &[&MERGE[..], &["--expect", &one.0]].concat()).expect(0);
    assert!(late.stdout.contains("2 changes of the approved plan are done already"), "{late:?}");
    assert_eq!(team.orders(), 12);
}

#[test]
fn of_two_branches_that_edit_one_picture_the_second_is_refused() {
    let team = Team::new();
    team.branch("one", &[ONE]);
    team.branch("two", &[(ONE.0, "subject: an aged man")]);
    let (one, two) = (team.preview("one"), team.preview("two"));
    team.merge("one", Merge::Squash);
    team.job("main", &[&MERGE[..], &["--expect", &one.0]].concat()).expect(0);
    // Whoever merges the second resolves the conflict in its favour.
    team.git(&["merge", "-q", "-X", "theirs", "two", "-m", "two"]);
    let urls = team.urls();
    let refused = team.job("main", &[&MERGE[..], &["--expect", &two.0]].concat()).expect(6);
    for words in
        ["people:age/aged/photo: it changed after the plan was made", "planned from `an old man`, now `an older man`"]
    {
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
    }
    assert_eq!(team.urls(), urls, "nothing was changed");
    // Looked at once more, it costs nothing: its pictures were paid for by its preview.
    let again = team.preview("main");
    team.job("main", &[&MERGE[..], &["--expect", &again.0]].concat()).expect(0);
    team.assert_live(&two.1);
    assert_eq!(team.orders(), 12);
}

#[test]
fn a_revert_shows_the_old_files_under_their_old_urls_for_nothing() {
    let team = Team::new();
    let before = team.urls();
    team.branch("one", &[ONE]);
    let one = team.preview("one");
    team.merge("one", Merge::Squash);
    team.job("main", &MERGE).expect(0);
    let changed: BTreeSet<_> = team.urls().into_values().collect();
    assert_eq!(changed.intersection(&before.values().cloned().collect()).count(), 6);
    team.git(&["revert", "--no-edit", "HEAD"]);
    let reverted = team.job("main", &MERGE).expect(0);
    assert!(reverted.stdout.contains("Applied: 2 reused. Cost: $0.00."), "{reverted:?}");
    assert_eq!((team.urls(), team.orders()), (before, 10));
    assert_eq!(one.1.len(), 2);
}

#[test]
fn the_role_for_previews_buys_pictures_and_switches_no_row() {
    let mut team = Team::new();
    let owner = team.database.clone();
    let setup = team.job("main", &["init", "--print-sql"]).expect(0).stdout;
    psql(&owner, &["-q", "-c", &setup]).unwrap();
    team.branch("one", &[ONE]);
    let before = team.urls();
    team.database = owner.replace("postgres@", "pixform_preview:secret@");
    let (_, files) = team.preview("one");
    assert_eq!((files.len(), team.orders()), (2, 10));
    let refused = team.job("one", &["apply", "--yes"]).expect(1);
    assert!(refused.stderr.contains("the role in the URL of the state may not"), "{refused:?}");
    team.database = owner;
    assert_eq!(team.urls(), before);
}
