//! Files that hold other bytes than they should: found, remembered, told with a way out that works, and repaired.

use std::fs;
use std::path::{Path, PathBuf};

use crate::money::{configure, fake, people};
use crate::project::{Project, planned, reasons};

const KEY: &str = "age/young/photo";
const FAST: &str = ", concurrency: 3, images_per_minute: 100000";

/// Changes one byte of a file, and returns what it held before.
fn tamper(path: &Path) -> Vec<u8> {
    let before = fs::read(path).unwrap();
    let mut bytes = before.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    before
}

/// Returns where the original of [`KEY`] lies, and its name in the storage.
fn original(project: &Project) -> (PathBuf, String) {
    let path = project
        .query(
            "SELECT path FROM pixform_originals o JOIN pixform_records r USING (recipe) WHERE key = 'age/young/photo'",
        )
        .remove(0);
    (project.storage().join(&path), path)
}

fn remembered(project: &Project) -> Vec<String> {
    project.query("SELECT path FROM pixform_damages")
}

fn notes(project: &Project) -> String {
    let plan = project.plan();
    let of_collections = plan["collections"].to_string();
    format!("{}{of_collections}", plan["notes"])
}

#[test]
fn what_a_deep_check_found_is_repaired_by_a_plain_apply() {
    let project = Project::applied();
    let picture = project.picture(KEY);
    let before = tamper(&picture);
    let ran = project.run(&["check", "--deep"]).expect(2);
    assert!(ran.stdout.contains("the file of `main` holds other bytes than were published"), "{}", ran.stdout);
    assert_eq!(ran.stderr.lines().last().unwrap(), "next: pixform plan");
    let plan = project.plan();
    assert_eq!(planned(&plan), [format!("{KEY} repair")]);
    assert_eq!(reasons(&plan, KEY), ["object_damaged main"]);
    assert!(project.ok(&["explain", KEY]).contains("not up to date: repair"));
    assert!(project.ok(&["show", KEY]).contains("found damaged"));
    assert!(project.apply().contains("Applied: 1 repaired. Cost: $0.00."));
    assert_eq!(fs::read(&picture).unwrap(), before, "the right bytes are back at the same path");
    assert_eq!(remembered(&project), Vec::<String>::new());
    project.assert_settled();
    assert_eq!(project.paints(), 8);
}

#[test]
fn a_deep_apply_needs_no_check_before_it() {
    let project = Project::applied();
    let picture = project.picture(KEY);
    let before = tamper(&picture);
    assert_eq!(project.planned(), Vec::<String>::new(), "nobody has read it");
    assert_eq!(planned(&project.plan_with(&["--deep"])), [format!("{KEY} repair")]);
    assert!(project.ok(&["apply", "--yes", "--deep"]).contains("Applied: 1 repaired."));
    assert_eq!(fs::read(&picture).unwrap(), before);
    project.assert_settled();
    project.run(&["plan", "--deep", "--no-refresh"]).expect(1);
}

#[test]
fn what_somebody_put_back_is_well_without_another_check() {
    let project = Project::applied();
    let picture = project.picture(KEY);
    let before = tamper(&picture);
    project.run(&["check", "--deep"]).expect(2);
    fs::write(&picture, before).unwrap();
    assert_eq!(project.planned(), Vec::<String>::new());
    project.apply();
    assert_eq!(remembered(&project), Vec::<String>::new(), "an apply with nothing to do forgets it");
}

#[test]
fn a_damaged_original_is_told_with_its_backup_before_its_price_and_costs_nothing_by_itself() {
    let fake = fake(5);
    let project = Project::new(&people());
    configure(&project, &fake, FAST, "");
    project.apply();
    let (path, name) = original(&project);
    let spoil = |path: &Path| drop(tamper(path));
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    for damage in [&spoil as &dyn Fn(&Path), &remove] {
        let backup = fs::read(&path).unwrap();
        let sha256 = name.rsplit('/').next().unwrap().split('.').next().unwrap();
        damage(&path);
        let ran = project.run(&["check", "--deep"]).expect(2);
        for told in [&ran.stdout, &notes(&project), &project.ok(&["explain", KEY])] {
            let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("`{words}` is not in {told}"));
            assert!(at(&name) < at("$0.015") && at(sha256) < at("$0.015"), "the backup comes first: {told}");
            assert!(!told.contains("delete"), "{told}");
        }
        assert_eq!(project.planned(), Vec::<String>::new(), "what is published is well, and nothing is bought");
        project.apply();
        assert_eq!(fake.charges().len(), 8);
        fs::write(&path, backup).unwrap();
        assert!(!notes(&project).contains("backup"), "the way out that was named works");
        project.apply();
        assert_eq!(remembered(&project), Vec::<String>::new());
        project.assert_settled();
    }
}

#[test]
fn a_damaged_original_is_no_source_of_a_render() {
    let project = Project::applied();
    let (path, name) = original(&project);
    let backup = tamper(&path);
    let rows = project.rows();
    project.edit("quality: 90", "quality: 60");
    let ran = project.run(&["apply", "--yes"]).expect(4);
    assert!(
        ran.stderr.contains(&format!("the original `{name}` is damaged: put it back from a backup")),
        "{}",
        ran.stderr
    );
    assert_eq!(project.rows()[KEY], rows[KEY], "one bad asset stops only itself");
    // The next plan knows, and says what going on costs.
    assert_eq!(project.planned(), [format!("{KEY} generate")]);
    assert!(notes(&project).contains("before this is applied"), "{}", notes(&project));
    // The way out that is named first:
    let spoilt = fs::read(&path).unwrap();
    fs::write(&path, backup).unwrap();
    assert_eq!(project.planned(), [format!("{KEY} render")]);
    // And without a backup it is made anew, where the plan said so.
    fs::write(&path, spoilt).unwrap();
    project.apply();
    assert_eq!(project.paints(), 9);
    project.assert_settled();
    assert_eq!(remembered(&project), Vec::<String>::new());
}

#[test]
fn a_paid_original_that_is_damaged_is_bought_anew_only_as_the_plan_says() {
    let fake = fake(5);
    let project = Project::new(&people());
    configure(&project, &fake, FAST, "");
    project.apply();
    tamper(&original(&project).0);
    fs::remove_file(project.picture(KEY)).unwrap();
    project.run(&["check", "--deep"]).expect(2);
    let plan = project.plan();
    assert_eq!(planned(&plan), [format!("{KEY} generate")]);
    assert!(notes(&project).contains("for $0.015"), "{}", notes(&project));
    project.run(&["apply", "--yes", "--max-cost", "0"]).expect(3);
    assert_eq!(fake.charges().len(), 8);
    project.apply();
    assert_eq!(fake.charges().len(), 9);
    project.assert_settled();
}

#[test]
fn an_apply_with_nothing_to_do_takes_an_unfinished_change_back() {
    let project = Project::applied();
    if !project.is_sqlite() {
        return;
    }
    let (database, journal) = (project.database(), project.root().join(".pixform/state.db-journal"));
    let writer = rusqlite::Connection::open(&database).unwrap();
    // So little memory that changed pages are written, and the journal before them, while the transaction is open.
    writer
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN IMMEDIATE; CREATE TABLE half (done); UPDATE people SET prompt = 'half'",
        )
        .unwrap();
    for _ in 0..20 {
        writer.execute_batch("INSERT INTO half VALUES (zeroblob(100000))").unwrap();
    }
    let killed = [fs::read(&database).unwrap(), fs::read(&journal).unwrap()];
    drop(writer);
    fs::write(&database, &killed[0]).unwrap();
    fs::write(&journal, &killed[1]).unwrap();
    assert_eq!(project.planned(), Vec::<String>::new());
    assert!(journal.exists(), "a plan reads a copy, and writes nothing");
    assert!(project.apply().contains("No changes."));
    assert!(!journal.exists(), "the change is taken back for good");
    project.assert_settled();
}

/// Drops every table of the state, and nothing of the product.
fn lose_the_state(project: &Project) {
    let lost = "SELECT upper(type) || ' ' || name FROM sqlite_schema
                WHERE name LIKE 'pixform\\_%' ESCAPE '\\' AND type IN ('table', 'view')";
    let drops: String = project.query(lost).iter().map(|what| format!("DROP {what};")).collect();
    project.batch(&format!("PRAGMA foreign_keys = OFF; {drops}"));
}

#[test]
fn a_table_of_ours_is_known_where_only_the_tables_of_the_state_were_lost() {
    let project = Project::applied();
    if !project.is_sqlite() {
        return;
    }
    let times = "SELECT created_at, updated_at FROM people ORDER BY id";
    project.batch("UPDATE people SET created_at = '2020-01-01', updated_at = '2020-01-01'");
    let before = (project.rows(), project.query(times), project.paints());
    lose_the_state(&project);
    project.ok(&["apply", "--yes", "--take-storage"]);
    assert_eq!((project.rows(), project.query(times)), (before.0, before.1), "the rows are adopted as they are");
    assert_eq!(project.query("SELECT name FROM pixform_tables"), ["people"]);
    assert_eq!(project.paints(), 0);
    project.assert_settled();
    project.edit("an old man", "a man of eighty");
    project.apply();
    let written = project.query("SELECT count(*) FROM people WHERE created_at = '2020-01-01' AND updated_at > '2026'");
    assert_eq!(written, ["2"], "its times are written again");
}

#[test]
fn a_table_of_the_product_is_not_taken_for_ours() {
    let project = Project::applied();
    if !project.is_sqlite() {
        return;
    }
    lose_the_state(&project);
    project.batch("ALTER TABLE people ADD COLUMN price INTEGER");
    let refused = project.run(&["apply", "--yes", "--take-storage"]).expect(1);
    assert!(refused.stderr.contains("`created_at` must be set in every row"), "{refused:?}");
}
