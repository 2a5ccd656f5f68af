//! Garbage: what nothing refers to goes, beside runs that are at work, in every order that two processes can have, and
//! whatever is killed; nothing that anybody refers to is ever gone.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use pixform::process::Process;
use serde_json::Value;

use crate::product::{old_files, product};
use crate::project::{PEOPLE, Project, Ran, Stopped, ran, reasons};

/// What is deleted without regard to how long nothing has referred to it.
const ALL: [&str; 4] = ["gc", "--older-than", "0s", "--yes"];

/// The points of gc, in the order in which it comes to them.
const POINTS: [&str; 7] =
    ["gc-marked", "gc-waited", "gc-leased", "gc-looked", "gc-swept", "gc-deleted", "gc-forgotten"];

/// Those before it has the leases.
const BEFORE_LEASES: usize = 2;

/// The edit that is made and taken back.
const EDIT: [&str; 2] = ["an old man", "a man of eighty"];

/// A project in which two pictures were replaced by others: two originals and two published files are unreferenced.
fn replaced() -> Project {
    static ONCE: OnceLock<Project> = OnceLock::new();
    let template = ONCE.get_or_init(|| {
        let project = Project::applied();
        project.edit(EDIT[0], EDIT[1]);
        project.apply();
        assert_eq!(files(&project).len(), 20);
        project
    });
    template.copy()
}

/// Returns every picture in the storage.
fn files(project: &Project) -> BTreeSet<PathBuf> {
    fn walk(folder: &Path, files: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.path().is_dir() {
                true => walk(&entry.path(), files),
                false => drop(files.insert(entry.path())),
            }
        }
    }
    let mut all = BTreeSet::new();
    walk(&project.storage(), &mut all);
    all.retain(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
    all
}

/// Asserts what must hold at every instant: each row's and each record's file is there, and each record's original.
fn assert_whole(project: &Project, what: &str) {
    project.assert_no_broken_link();
    let sql =
        "SELECT d.key, o.path FROM pixform_record_details d LEFT JOIN pixform_originals o ON o.sha256 = d.original";
    let mut whole = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for cells in project.recovered(sql) {
        keys.insert(cells[0].clone());
        if project.storage().join(&cells[1]).is_file() {
            whole.insert(cells[0].clone());
        }
    }
    assert_eq!(keys, whole, "{what}: records whose original is gone");
    assert!(!keys.is_empty(), "{what}");
}

/// Asserts that all is well and nothing is left of any deletion.
fn assert_clean(project: &Project, what: &str) {
    assert_whole(project, what);
    project.assert_settled();
    let left = project.query("SELECT path FROM pixform_deletions");
    assert_eq!(left, Vec::<String>::new(), "{what}: deletions that nobody carried out");
    let marked = "SELECT path FROM pixform_originals WHERE condemned_by IS NOT NULL
                  UNION SELECT path FROM pixform_objects WHERE condemned_by IS NOT NULL";
    assert_eq!(project.query(marked), Vec::<String>::new(), "{what}: marks that nobody lifted");
}

/// Runs gc so that it is killed at a point.
fn kill_at(project: &Project, point: &str) {
    let killed = ran(project.command(&ALL).env("PIXFORM_CRASH", format!("{point}:1")).output().unwrap());
    assert_eq!(killed.code, 134, "gc never comes to `{point}`: {killed:?}");
}

fn revert(project: &Project) {
    project.edit(EDIT[1], EDIT[0]);
}

fn events(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn without_yes_it_says_what_it_would_delete_and_deletes_nothing() {
    let project = replaced();
    let before = (files(&project), project.query("SELECT path, unreferenced_at FROM pixform_originals ORDER BY 1"));
    let told = project.run(&["gc", "--older-than", "0s"]).expect(0);
    assert!(told.stdout.contains("\n  2 originals, ") && told.stdout.contains("\n  2 published files, "), "{told:?}");
    assert!(told.stdout.contains("    people/age-aged-photo-"), "{told:?}");
    assert!(told.stdout.contains("\nWould delete 4 files, "), "{told:?}");
    assert!(told.stderr.contains("next: pixform gc --help"), "{told:?}");
    let window = project.run(&["gc"]).expect(0);
    assert!(window.stdout.contains("Nothing to delete."), "{window:?}");
    assert!(window.stdout.contains("stays: 4 files, "), "{window:?}");
    assert!(window.stdout.contains("in the last 30 days; the first can go in "), "{window:?}");
    assert!(!window.stderr.contains("next:"), "{window:?}");
    let json = project.run(&["gc", "--older-than", "0s", "--json"]).expect(0);
    let events = events(&json);
    let paths = events.iter().filter(|event| event["type"] == "gc_file" && event["fate"] == "goes");
    assert_eq!(paths.clone().count(), 4);
    let bytes: u64 = paths.map(|event| event["bytes"].as_u64().unwrap()).sum();
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["deleted"]), (&"gc_summary".into(), &false.into()));
    assert_eq!((&last["originals"]["files"], &last["objects"]["files"]), (&2.into(), &2.into()));
    let sum = ["originals", "objects", "leftovers"].map(|kind| last[kind]["bytes"].as_u64().unwrap());
    assert_eq!(sum.iter().sum::<u64>(), bytes);
    assert_eq!(
        before,
        (files(&project), project.query("SELECT path, unreferenced_at FROM pixform_originals ORDER BY 1"))
    );
}

#[test]
fn what_nothing_refers_to_goes_and_everything_else_stays() {
    let project = replaced();
    project.write(".pixform/storage/people/stranger.jpg", "somebody else's");
    project.write(".pixform/storage/originals/stranger.png", "somebody else's");
    let before = files(&project);
    let deleted = project.run(&ALL).expect(0);
    assert!(deleted.stdout.contains("Deleted: 4 files, "), "{deleted:?}");
    let after = files(&project);
    assert_eq!((before.len(), after.len()), (22, 18));
    assert!(project.storage().join("originals/.pixform-store").is_file());
    assert!(project.storage().join("people/stranger.jpg").is_file());
    assert_clean_but_for_strangers(&project);
    assert!(project.run(&ALL).expect(0).stdout.contains("Deleted: nothing."));
    assert_eq!(project.query("SELECT outcome FROM pixform_runs WHERE command = 'gc'"), ["done", "done"]);
}

fn assert_clean_but_for_strangers(project: &Project) {
    assert_whole(project, "strangers");
    assert_eq!(project.query("SELECT path FROM pixform_deletions"), Vec::<String>::new());
    assert!(project.ok(&["plan"]).contains("No changes."));
}

#[test]
fn an_edit_that_is_taken_back_within_the_window_costs_nothing() {
    let project = replaced();
    project.ok(&["gc", "--yes"]);
    revert(&project);
    let plan = project.plan();
    assert_eq!(reasons(&plan, "age/aged/photo").last().unwrap(), "original_kept");
    let paints = project.paints();
    project.apply();
    assert_eq!(project.paints(), paints);
    assert_clean(&project, "reverted");
}

#[test]
fn a_collected_recipe_is_made_again_and_the_plan_says_why() {
    let project = replaced();
    project.ok(&ALL);
    revert(&project);
    let plan = project.plan();
    for key in ["age/aged/photo", "age/aged/anime"] {
        assert_eq!(reasons(&plan, key).last().unwrap(), "collected_by_gc");
    }
    let text = project.ok(&["plan", "-v"]);
    assert!(text.contains("`pixform gc` deleted the original that there was"), "{text}");
    project.apply();
    assert_eq!(project.query("SELECT count(*) FROM pixform_collected"), ["0"]);
    assert_clean(&project, "made again");
    project.edit(EDIT[0], EDIT[1]);
    assert_eq!(reasons(&project.plan(), "age/aged/photo").last().unwrap(), "original_kept");
}

#[test]
fn the_time_of_a_destroyed_collection_begins_when_it_is_destroyed() {
    let project = Project::applied();
    assert_eq!(
        project.query("SELECT path FROM pixform_objects WHERE unreferenced_at IS NOT NULL"),
        Vec::<String>::new()
    );
    project.ok(&["destroy", "people", "--yes"]);
    let now = "SELECT count(*) FROM pixform_objects WHERE unreferenced_at IS NOT NULL";
    assert_eq!(project.query(now), ["8"]);
    assert!(project.ok(&["gc"]).contains("stays: 16 files, "));
    assert!(project.ok(&ALL).contains("Deleted: 16 files, "));
    assert_eq!(files(&project), BTreeSet::new());
    project.apply();
    assert_clean(&project, "applied again");
}

#[test]
fn what_a_row_names_stays_though_no_record_does() {
    let project = Project::applied();
    let old = project.rows()["age/aged/photo"].split(" | ").nth(1).unwrap().to_owned();
    project.edit(EDIT[0], EDIT[1]);
    project.apply();
    let took_back = format!(
        "UPDATE people SET image_url = 'https://cdn.example.com/old{old}?v=1' WHERE value = 'aged' AND style = 'photo'"
    );
    assert_eq!(project.execute(&took_back), 1);
    let told = project.run(&ALL).expect(0);
    assert!(told.stdout.contains("stays: 2 files, "), "{told:?}");
    assert!(told.stdout.contains("that are named by a row though by no record"), "{told:?}");
    assert!(told.stdout.contains("Deleted: 2 files, "), "{told:?}");
    assert!(project.storage().join(old.strip_prefix("/files/").unwrap()).is_file());
    revert(&project);
    assert_eq!(
        reasons(&project.plan(), "age/aged/photo").iter().rfind(|code| code.starts_with("original")).unwrap(),
        "original_kept"
    );
}

/// The rows name the new paths, whose digits are those of the old ones: the bytes are the same.
#[test]
fn files_at_old_paths_go_after_a_change_of_the_path_alone() {
    let project = Project::applied();
    let old: Vec<PathBuf> =
        files(&project).into_iter().filter(|path| !path.starts_with(project.storage().join("originals"))).collect();
    project.edit("path: \"people/", "path: \"folk/");
    project.apply();
    assert!(old.iter().all(|path| path.is_file()));
    let told = project.run(&["gc"]).expect(0);
    assert!(told.stdout.contains("that something still referred to in the last 30 days"), "{told:?}");
    assert!(!told.stdout.contains("named by a row"), "{told:?}");
    let deleted = project.run(&ALL).expect(0);
    assert!(deleted.stdout.contains(&format!("Deleted: {} files, ", old.len())), "{deleted:?}");
    assert!(old.iter().all(|path| !path.exists()));
    assert_clean(&project, "after a change of paths");
}

#[test]
fn what_was_paid_and_never_published_goes_only_where_that_is_said() {
    let project = replaced();
    // As a preview leaves them that nobody merged: paid for, as far as anybody knows, and named by no record ever.
    project.execute("DELETE FROM pixform_calls");
    project.execute("UPDATE pixform_originals SET published = (1 = 0) WHERE unreferenced_at IS NOT NULL");
    let told = project.run(&ALL).expect(0);
    assert!(told.stdout.contains("stays: 2 originals, "), "{told:?}");
    assert!(
        told.stdout
            .contains("were paid for and never published: only who asks for it deletes them (`pixform gc --help`)"),
        "{told:?}"
    );
    assert!(told.stdout.contains("Deleted: 2 files, "), "{told:?}");
    let more = [ALL.as_slice(), &["--unpublished"]].concat();
    assert!(project.ok(&more).contains("Deleted: 2 files, "));
    assert_clean(&project, "unpublished");
}

#[test]
fn a_gc_that_is_killed_anywhere_is_completed_by_the_next_one() {
    for point in POINTS {
        let project = replaced();
        kill_at(&project, point);
        assert_whole(&project, point);
        project.assert_settled();
        let again = project.run(&ALL).expect(0);
        assert_eq!(files(&project).len(), 16, "{point}: {again:?}");
        assert_clean(&project, point);
    }
}

#[test]
fn a_deletion_that_was_begun_is_completed_whatever_the_window() {
    for point in ["gc-swept", "gc-deleted"] {
        let project = replaced();
        kill_at(&project, point);
        let told = project.run(&["gc", "--yes"]).expect(0);
        assert!(told.stdout.contains("whose deletion was begun before"), "{point}: {told:?}");
        assert_eq!(files(&project).len(), 16, "{point}");
        assert_clean(&project, point);
    }
}

#[test]
fn an_edit_is_taken_back_after_a_gc_that_was_killed_anywhere() {
    for point in POINTS {
        let project = replaced();
        kill_at(&project, point);
        revert(&project);
        let applied = project.run(&["apply", "--yes"]);
        assert_eq!(applied.code, 0, "{point}: {applied:?}");
        assert_clean(&project, point);
        project.ok(&ALL);
        assert_clean(&project, point);
    }
}

#[test]
fn a_gc_beside_an_edit_that_is_taken_back_meanwhile() {
    for (at, point) in POINTS.into_iter().enumerate() {
        let project = replaced();
        let gc = Stopped::new(project.command(&ALL), &format!("{point}:1"));
        revert(&project);
        let applied = project.run(&["apply", "--yes"]);
        assert_whole(&project, point);
        // Before gc has the leases the apply takes back what it needs; from then on it is told who is at work.
        let expected = if at < BEFORE_LEASES { 0 } else { 5 };
        assert_eq!(applied.code, expected, "{point}: {applied:?}");
        let ended = gc.go_on();
        assert_eq!(ended.code, 0, "{point}: {ended:?}");
        assert_whole(&project, point);
        if expected == 0 {
            assert!(ended.stderr.contains("left alone"), "{point}: {ended:?}");
            assert_eq!(project.query("SELECT count(*) FROM pixform_collected"), ["0"], "{point}");
        }
        project.apply();
        assert_clean(&project, point);
    }
}

#[test]
fn a_gc_beside_an_apply_that_stands_still_waits_for_it() {
    for point in ["leased", "announced", "synced", "committed"] {
        let project = replaced();
        revert(&project);
        let apply = Stopped::new(project.command(&["apply", "--yes"]), &format!("{point}:1"));
        let impatient = project.run(&[ALL.as_slice(), &["--wait", "0s"]].concat());
        assert_eq!(impatient.code, 5, "{point}: {impatient:?}");
        assert!(impatient.stderr.contains("error: `apply` is at work"), "{point}: {impatient:?}");
        assert_whole(&project, point);
        let (mut gc, _) = waiting_gc(&project);
        let applied = apply.go_on();
        assert_eq!(applied.code, 0, "{point}: {applied:?}");
        assert_eq!(gc.wait().unwrap().code(), Some(0), "{point}");
        assert_clean(&project, point);
    }
}

/// Starts a gc, and returns once it says that it waits for somebody.
fn waiting_gc(project: &Project) -> (std::process::Child, BufReader<std::process::ChildStderr>) {
    let mut gc = project.start(&ALL);
    let stderr = BufReader::new(gc.stderr.take().unwrap());
    (gc, until(stderr, "waiting for `"))
}

/// Reads on until a line holds a text.
fn until<R: BufRead>(mut lines: R, wanted: &str) -> R {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended without `{wanted}`: {said}");
        said.push_str(&line);
        if line.contains(wanted) {
            return lines;
        }
    }
}

#[test]
fn a_plan_whose_original_was_deleted_before_its_run_began_is_stale() {
    let project = replaced();
    revert(&project);
    // The plan is made, and nobody knows of the run yet.
    let apply = Stopped::new(project.command(&["apply", "--yes"]), "proven:1");
    project.ok(&ALL);
    let applied = apply.go_on();
    assert_eq!(applied.code, 6, "{applied:?}");
    assert!(applied.stderr.contains("was deleted by `pixform gc` after the plan was made"), "{applied:?}");
    assert_whole(&project, "stale");
    assert_eq!(reasons(&project.plan(), "age/aged/photo").last().unwrap(), "collected_by_gc");
    project.apply();
    assert_clean(&project, "stale");
}

#[test]
fn an_apply_that_dies_is_not_waited_for_and_keeps_what_it_committed() {
    for point in ["leased", "announced", "synced", "committed"] {
        let project = replaced();
        revert(&project);
        let crashed =
            ran(project.command(&["apply", "--yes"]).env("PIXFORM_CRASH", format!("{point}:1")).output().unwrap());
        assert_eq!(crashed.code, 134, "{point}");
        project.ok(&[ALL.as_slice(), &["--wait", "0s"]].concat());
        assert_whole(&project, point);
        project.apply();
        assert_clean(&project, point);
    }
}

/// The same pictures under the name of a collection that gc has never heard of: its lease keeps nobody from it.
fn unheard_of(project: &Project) {
    project.write(
        "manifests/quarters.yaml",
        &PEOPLE.replace("collection: people", "collection: quarters").replace("table: people", "table: quarters"),
    );
}

#[test]
fn a_new_collection_wants_what_is_being_deleted() {
    for point in POINTS {
        let project = replaced();
        let gc = Stopped::new(project.command(&ALL), &format!("{point}:1"));
        unheard_of(&project);
        let mut apply = project.command(&["apply", "--yes", "manifests/quarters.yaml"]);
        let mut apply =
            apply.env("PIXFORM_LOG", "pixform=info").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(apply.stderr.take().unwrap());
        let code = match point {
            // The files are gone, and the deletion is not over: who wants to put them waits for that.
            "gc-deleted" => {
                let mut stderr = until(stderr, "a run of gc is deleting files that are to be put");
                assert_whole(&project, point);
                assert_eq!(gc.go_on().code, 0);
                std::io::copy(&mut stderr, &mut std::io::sink()).unwrap();
                apply.wait().unwrap().code()
            }
            _ => {
                let said = std::io::read_to_string(stderr).unwrap();
                let code = apply.wait().unwrap().code();
                assert_whole(&project, point);
                assert_eq!(gc.go_on().code, 0, "{point}");
                // What is about to go was found in the storage, and is not relied on.
                assert_eq!(said.contains("was deleted by `pixform gc`"), point == "gc-swept", "{point}: {said}");
                code
            }
        };
        assert_eq!(code, Some(if point == "gc-swept" { 6 } else { 0 }), "{point}");
        assert_whole(&project, point);
        project.apply();
        assert_clean(&project, point);
        project.ok(&ALL);
        assert_clean(&project, point);
    }
}

#[test]
fn a_run_without_a_lease_is_waited_for_while_it_is_alive() {
    let project = replaced();
    let Process { host, boot, namespace, pid, started } = Process::current();
    project.execute(&format!(
        "INSERT INTO pixform_runs (id, command, host, boot, namespace, pid, started)
         VALUES ('a-preview', 'preview', '{host}', '{boot}', '{namespace}', {pid}, {started})"
    ));
    let before = files(&project);
    let impatient = project.run(&[ALL.as_slice(), &["--wait", "0s"]].concat()).expect(5);
    assert!(impatient.stderr.contains("error: `preview` is at work"), "{impatient:?}");
    assert_eq!(files(&project), before);
    let (mut gc, _) = waiting_gc(&project);
    assert_eq!(files(&project), before);
    project.execute("UPDATE pixform_runs SET finished_at = heartbeat_at, outcome = 'done' WHERE id = 'a-preview'");
    assert_eq!(gc.wait().unwrap().code(), Some(0));
    assert_eq!(files(&project).len(), 16);
    assert_clean(&project, "a preview");
}

#[test]
fn two_runs_of_gc_do_not_disturb_one_another() {
    for point in POINTS {
        let project = replaced();
        let first = Stopped::new(project.command(&ALL), &format!("{point}:1"));
        let second = project.run(&[ALL.as_slice(), &["--wait", "0s"]].concat());
        assert!([0, 5].contains(&second.code), "{point}: {second:?}");
        assert_whole(&project, point);
        assert_eq!(first.go_on().code, 0, "{point}");
        assert_eq!(files(&project).len(), 16, "{point}");
        project.ok(&ALL);
        assert_clean(&project, point);
    }
}

#[test]
fn a_file_that_was_put_and_never_finished_is_known_and_goes() {
    for (point, left) in [("original-announced", 0), ("original-put", 1), ("finished", 1), ("object-put", 2)] {
        let project = Project::new(PEOPLE);
        let crashed =
            ran(project.command(&["apply", "--yes"]).env("PIXFORM_CRASH", format!("{point}:1")).output().unwrap());
        assert_eq!(crashed.code, 134, "{point}");
        assert!(files(&project).len() >= left, "{point}");
        let known: BTreeSet<PathBuf> = project
            .recovered("SELECT path FROM pixform_originals UNION SELECT path FROM pixform_objects")
            .into_iter()
            .map(|cells| project.storage().join(&cells[0]))
            .collect();
        assert!(files(&project).is_subset(&known), "{point}: a file that nobody knows");
        // Its call is open, so the picture stays until that is over.
        project.ok(&ALL);
        project.apply();
        project.ok(&ALL);
        assert_eq!(files(&project).len(), 16, "{point}");
        assert_clean(&project, point);
    }
}

#[test]
fn nothing_is_deleted_from_the_store_that_was_used_before() {
    let project = replaced();
    let before = files(&project);
    project.write(
        "pixform.yaml",
        &format!(
            "version: 1\nenvironments:\n  local:\n    state: \"{}\"\n    storage: {{ url: \"file:.pixform/new\", previous: \
             \"file:.pixform/storage\" }}\n    generators: {{ painter: {{ kind: placeholder }} }}\n",
            project.state_url()
        ),
    );
    // Files that are still to be copied are nothing to adopt or to accept.
    assert!(project.ok(&["import"]).ends_with("Nothing to adopt.\n"));
    assert!(project.ok(&["accept", "age/aged/photo"]).starts_with("Nothing to accept: "));
    assert!(project.ok(&["accept", "--row", "age/aged/photo"]).starts_with("Nothing to accept: "));
    project.apply();
    let new = project.root().join(".pixform/new");
    let old: Vec<String> = project.query("SELECT path FROM pixform_objects WHERE unreferenced_at IS NOT NULL");
    assert_eq!(old.len(), 2);
    assert!(old.iter().all(|path| new.join(path).is_file()));
    assert!(project.ok(&ALL).contains("Deleted: 4 files, "));
    assert!(old.iter().all(|path| !new.join(path).exists()));
    assert_eq!(files(&project), before);
    project.ok(&["check"]);
}

#[test]
fn originals_in_a_store_of_their_own_go_from_there() {
    let project = Project::new(PEOPLE);
    project.write(
        "pixform.yaml",
        &format!(
            "version: 1\nenvironments:\n  local:\n    state: \"{}\"\n    storage: {{ url: \"file:.pixform/storage\", \
             originals: {{ url: \"file:.pixform/private\" }} }}\n    generators: {{ painter: {{ kind: placeholder }} }}\n",
            project.state_url()
        ),
    );
    project.apply();
    project.edit(EDIT[0], EDIT[1]);
    project.apply();
    let old = project.query("SELECT path FROM pixform_originals WHERE unreferenced_at IS NOT NULL");
    let private = project.root().join(".pixform/private");
    assert!(old.len() == 2 && old.iter().all(|path| private.join(path).is_file()));
    assert!(project.ok(&ALL).contains("Deleted: 4 files, "));
    assert!(old.iter().all(|path| !private.join(path).exists()));
    project.assert_no_broken_link();
    project.ok(&["check"]);
}

#[test]
fn the_old_files_of_a_product_never_go() {
    let project = product();
    project.ok(&["import", "--yes"]);
    let old = old_files(&project);
    // Another rendition beside the adopted file, then another picture in its place, then nothing at all.
    let thumb = "  thumb: { format: webp, width: 32, path: \"small/{{ group }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}\" }\n";
    project.edit("publish:\n", &format!("{thumb}publish:\n"));
    project.apply();
    project.ok(&ALL);
    assert!(old_files(&project) == old, "after a rendition");
    project.edit("steps: 20", "steps: 21");
    project.apply();
    let deleted = project.ok(&ALL);
    assert!(deleted.contains("Deleted: 16 files, "), "originals and thumbs: {deleted}");
    assert!(old_files(&project) == old, "after other pictures");
    assert_whole(&project, "an adopted product");
    project.ok(&["destroy", "people", "--yes"]);
    project.ok(&ALL);
    assert!(old_files(&project) == old, "after all");
}

#[test]
fn a_wrong_time_is_told_with_what_to_write() {
    let project = Project::new(PEOPLE);
    let wrong = project.run(&["gc", "--older-than", "soon"]);
    assert!(wrong.stderr.contains("`soon` is no time; write 30d, 12h or 0s"), "{wrong:?}");
    assert!(project.ok(&["gc"]).contains("Nothing to delete."), "nothing was applied yet");
    assert!(!project.database().exists());
}

/// Writes a file into the storage as if it had been there for so many hours.
fn left(project: &Project, path: &str, hours: u64) -> PathBuf {
    project.write(&format!(".pixform/storage/{path}"), "part");
    let path = project.storage().join(path);
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3_600)).unwrap();
    path
}

#[test]
fn what_a_kill_left_in_the_storage_goes_once_it_is_a_day_old() {
    let project = Project::applied();
    let old = [
        "people/.pixform-tmp-Ab12Cd",
        "originals/.pixform-probe-1",
        "originals/aa/bb/.pixform-tmp-x",
        ".pixform-tmp-y",
    ]
    .map(|path| left(&project, path, 25));
    let young = ["people/.pixform-tmp-young", "originals/.pixform-probe-young"].map(|path| left(&project, path, 23));
    let strange = ["people/.hidden", "people/pixform-tmp-x"].map(|path| left(&project, path, 1_000));
    let link = project.storage().join("people/.pixform-tmp-link");
    std::os::unix::fs::symlink(&strange[0], &link).unwrap();
    let told = project.run(&["gc"]).expect(0);
    let expected = "\n  4 unfinished files, 16 bytes, left by killed runs more than a day ago\n";
    assert!(told.stdout.contains(expected) && told.stdout.contains("Would delete 4 files, 16 bytes."), "{told:?}");
    assert!(old.iter().all(|path| path.exists()));
    let json = project.run(&["gc", "--json"]).expect(0);
    assert_eq!(events(&json).last().unwrap()["remnants"], serde_json::json!({ "files": 4, "bytes": 16 }));
    let deleted = project.run(&["gc", "--yes"]).expect(0);
    assert!(deleted.stdout.contains("Deleted: 4 files, 16 bytes."), "{deleted:?}");
    assert!(!old.iter().any(|path| path.exists()));
    assert!(young.iter().chain(&strange).all(|path| path.exists()) && link.is_symlink());
    assert_clean(&project, "after the sweep");
}
