//! Previews: everything that apply would do except the switch, and the plan that was reviewed carried out later.

use std::collections::BTreeMap;
use std::fs;

use crate::fake::FakeNovita;
use crate::money::{configure, fake, people};
use crate::project::{Project, Ran, ran};

const FAST: &str = ", concurrency: 3, images_per_minute: 100000";
const EDIT: (&str, &str) = ("subject: an old man", "subject: an older man");

/// A project whose eight pictures are live, bought from a fake for $0.12.
fn shop(guards: &str) -> (Project, FakeNovita) {
    let fake = fake(5);
    let project = Project::new(&people());
    configure(&project, &fake, FAST, guards);
    project.apply();
    assert_eq!(fake.charges().len(), 8);
    (project, fake)
}

fn preview(project: &Project, args: &[&str]) -> Ran {
    project.run(&[&["preview", "--yes"], args].concat())
}

/// Returns the digest of the plan that a project has now.
fn digest(project: &Project) -> String {
    project.plan()["digest"].as_str().unwrap().to_owned()
}

/// Returns the bytes under each of the storage's paths.
fn objects(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut files = Vec::new();
    crate::purchase::files(&project.storage().join("people"), &mut files);
    files.into_iter().map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

/// Returns all that visitors and records show.
fn live(project: &Project) -> (BTreeMap<String, String>, Vec<String>) {
    (project.rows(), project.query("SELECT key || ' ' || objects FROM pixform_records ORDER BY key"))
}

#[test]
fn a_preview_makes_files_and_switches_nothing_and_apply_publishes_those_files() {
    let (project, fake) = shop("");
    let before = (live(&project), objects(&project));
    project.edit(EDIT.0, EDIT.1);
    let reviewed = digest(&project);
    let ran = preview(&project, &[]).expect(0);
    assert!(ran.stdout.contains("Previewed: 2 generated. Cost: $0.03."), "{ran:?}");
    assert!(ran.stderr.contains(&format!("next: pixform apply --max-cost 0 --expect {reviewed}")), "{ran:?}");
    assert_eq!(fake.charges().len(), 10);
    assert_eq!(live(&project), before.0, "visitors see what they saw");
    let made: BTreeMap<_, _> = objects(&project).into_iter().filter(|(path, _)| !before.1.contains_key(path)).collect();
    assert_eq!(made.len(), 2);
    for path in made.keys() {
        let name = path.rsplit("/people/").next().unwrap();
        assert!(ran.stdout.contains(name), "{name}: {ran:?}");
    }
    // What generate was is reuse by now, and it is the same plan.
    assert_eq!(project.planned(), ["age/aged/anime reuse", "age/aged/photo reuse"]);
    assert_eq!(digest(&project), reviewed);
    let again = preview(&project, &[]).expect(0);
    assert!(again.stdout.contains("Previewed: 2 reused. Cost: $0.00."), "{again:?}");
    let requests = fake.requests().len();
    let applied = project.run(&["apply", "--yes", "--max-cost", "0", "--expect", &reviewed]).expect(0);
    assert!(applied.stdout.contains("Applied: 2 reused. Cost: $0.00."), "{applied:?}");
    assert_eq!(fake.requests().len(), requests, "merging asks nobody");
    for (path, bytes) in &made {
        assert_eq!(objects(&project).get(path), Some(bytes), "the published bytes are the reviewed bytes");
        let name = path.rsplit('/').next().unwrap();
        assert!(project.rows().values().any(|row| row.contains(name)), "{name} is live");
    }
    project.assert_settled();
    project.assert_no_broken_link();
    // A second time there is nothing left of it to do.
    let done = project.run(&["apply", "--yes", "--expect", &reviewed]).expect(0);
    assert!(done.stdout.contains("2 changes of the approved plan are done already"), "{done:?}");
}

#[test]
fn what_was_not_previewed_is_named_and_not_bought_on_merge() {
    let (project, fake) = shop("");
    project.edit(EDIT.0, EDIT.1);
    let ran = project.run(&["apply", "--yes", "--max-cost", "0"]).expect(3);
    assert!(ran.stderr.contains("people:age/aged/photo, people:age/aged/anime were not bought"), "{ran:?}");
    assert_eq!(fake.charges().len(), 8);
}

#[test]
fn a_preview_asks_and_obeys_every_guard() {
    let (project, fake) = shop("    guards: { max_cost_month: 0.14 }\n");
    project.edit(EDIT.0, EDIT.1);
    let asked = project.run(&["preview", "--max-cost", "0.01"]).expect(3);
    assert!(asked.stdout.contains("the plan costs $0.03, which is over the cap of $0.01"), "{asked:?}");
    for command in ["preview", "apply"] {
        let month = project.run(&[command, "--yes"]).expect(3);
        for words in [
            "the plan costs $0.03, and with the $0.12 of this month that is over the month's cap of $0.14",
            "take fewer with `--only`, or have $0.15 approved by whoever set `guards: { max_cost_month: … }` in pixform.yaml",
        ] {
            assert!(month.stdout.contains(words), "{words}: {month:?}");
        }
    }
    configure(&project, &fake, FAST, "");
    let silent = project.run(&["preview"]).expect(1);
    assert!(silent.stderr.contains("preview asks before it changes anything"), "{silent:?}");
    assert_eq!(fake.charges().len(), 8);
    assert_eq!(project.query("SELECT count(*) FROM pixform_plans"), ["0"]);
}

#[test]
fn an_approved_plan_leaves_everything_else_alone() {
    let (project, _fake) = shop("");
    project.edit(EDIT.0, EDIT.1);
    let reviewed = digest(&project);
    preview(&project, &[]).expect(0);
    project.edit("subject: a tall woman", "subject: a very tall woman");
    let applied = project.run(&["apply", "--yes", "--expect", &reviewed]).expect(0);
    assert!(applied.stdout.contains("Applied: 2 reused."), "{applied:?}");
    assert!(applied.stdout.contains("2 changes are not in the approved plan: they are left alone"), "{applied:?}");
    assert_eq!(project.planned(), ["body/tall/anime generate", "body/tall/photo generate"]);
}

#[test]
fn an_approved_plan_that_no_longer_fits_is_refused_with_field_and_values() {
    let (project, fake) = shop("");
    let original = people();
    project.edit(EDIT.0, EDIT.1);
    let (reviewed, document) = (digest(&project), project.root().join("plan.json"));
    project.ok(&["plan", "--out", "plan.json"]);
    preview(&project, &[]).expect(0);
    // Somebody else's edit of the same assets is merged first.
    project.manifest(&original.replace("subject: an old man", "subject: an aged man"));
    project.apply();
    project.manifest(&original.replace(EDIT.0, EDIT.1));
    let charges = fake.charges().len();
    for args in [&["--expect", &reviewed][..], &["plan.json"]] {
        let refused = project.run(&[&["apply", "--yes"], args].concat()).expect(6);
        for words in [
            "error: what was approved is not what is there now",
            "people:age/aged/photo: it changed after the plan was made",
            "subject: planned from `an old man`, now `an aged man`",
        ] {
            assert!(refused.stderr.contains(words), "{words}: {refused:?}");
        }
    }
    // A manifest that asks for something else is told, too.
    project.manifest(&original.replace("subject: an old man", "subject: an aged man"));
    let refused = project.run(&["apply", "--yes", "--expect", &reviewed]).expect(6);
    assert!(refused.stderr.contains("people:age/aged/photo:"), "{refused:?}");
    assert_eq!(fake.charges().len(), charges, "nothing was bought");
    assert!(document.exists());
}

#[test]
fn a_plan_from_a_file_is_carried_out_and_never_dearer_than_approved() {
    let (project, fake) = shop("");
    project.edit(EDIT.0, EDIT.1);
    project.ok(&["plan", "--out", "plan.json"]);
    let config = fs::read_to_string(project.root().join("pixform.yaml")).unwrap();
    project.write("pixform.yaml", &config.replace("price: 0.015", "price: 0.5"));
    let dearer = project.run(&["apply", "--yes", "plan.json"]).expect(6);
    assert!(dearer.stderr.contains("costs $1.00 now, and $0.03 were approved"), "{dearer:?}");
    project.write("pixform.yaml", &config);
    // What it names, and nothing else; a document that was edited is refused.
    let document = fs::read_to_string(project.root().join("plan.json")).unwrap();
    project.write("forged.json", &document.replace("age/aged/photo", "body/tall/photo"));
    let forged = project.run(&["apply", "--yes", "forged.json"]).expect(1);
    assert!(forged.stderr.contains("it was changed by hand"), "{forged:?}");
    project.write("broken.json", &document[..document.len() / 2]);
    let broken = project.run(&["apply", "--yes", "broken.json"]).expect(1);
    assert!(broken.stderr.contains("it is no plan document"), "{broken:?}");
    assert_eq!(fake.charges().len(), 8);
    project.run(&["apply", "--yes", "plan.json"]).expect(0);
    assert_eq!(fake.charges().len(), 10);
    project.assert_settled();
}

#[test]
fn a_digest_that_the_state_does_not_know_needs_the_very_same_plan() {
    let (project, fake) = shop("");
    project.edit(EDIT.0, EDIT.1);
    let reviewed = digest(&project);
    let other = format!("sha256:{}", "0".repeat(64));
    let refused = project.run(&["apply", "--yes", "--expect", &other]).expect(6);
    assert!(refused.stderr.contains(&format!("the plan is {reviewed}, and {other} was approved")), "{refused:?}");
    assert_eq!(fake.charges().len(), 8);
    project.run(&["apply", "--yes", "--expect", &reviewed]).expect(0);
    // It is known from now on, so that a second try finds it done.
    project.run(&["apply", "--yes", "--expect", &reviewed]).expect(0);
    assert_eq!(fake.charges().len(), 10);
}

#[test]
fn approved_deletions_are_not_counted() {
    let (project, _fake) = shop("    guards: { max_deletions: 1 }\n");
    project.edit("        slim: { vars: { subject: a slim man } }\n", "");
    project.run(&["apply", "--yes"]).expect(3);
    project.ok(&["plan", "--out", "plan.json"]);
    let deleted = project.run(&["apply", "--yes", "plan.json"]).expect(0);
    assert!(deleted.stdout.contains("Applied: 2 deleted."), "{deleted:?}");
}

#[test]
fn renditions_and_renames_are_previewed_at_their_new_paths() {
    let (project, fake) = shop("");
    let before = (live(&project), objects(&project).len());
    project.edit("quality: 90", "quality: 70");
    project.edit("        aged:", "        old:");
    project.edit("renditions:", "moved:\n  - { from: age/aged/*, to: age/old/* }\nrenditions:");
    let ran = preview(&project, &[]).expect(0);
    assert!(ran.stdout.contains("Previewed: "), "{ran:?}");
    assert_eq!((live(&project), objects(&project).len()), (before.0, before.1 + 8));
    let files = objects(&project);
    project.apply();
    assert_eq!((objects(&project), fake.charges().len()), (files, 8));
    project.assert_settled();
}

#[test]
fn a_drift_after_the_review_does_not_eat_what_was_reviewed() {
    let (project, fake) = shop("");
    project.edit("        aged:", "        old:");
    project.edit("subject: a young woman", "subject: a woman of thirty");
    project.edit("renditions:", "moved:\n  - { from: age/aged/*, to: age/old/* }\nrenditions:");
    let reviewed = digest(&project);
    preview(&project, &[]).expect(0);
    // A database on a server has no copy beside it.
    let undisturbed = project.is_sqlite().then(|| project.copy());
    if let Some(copy) = &undisturbed {
        copy.run(&["apply", "--yes", "--max-cost", "0", "--expect", &reviewed]).expect(0);
    }
    // A renamed row is gone, another one and that of a new picture point elsewhere, and somebody took a new key.
    project.execute("DELETE FROM people WHERE value = 'aged' AND style = 'photo'");
    project.execute("UPDATE people SET image_url = 'https://elsewhere.example/1.jpg' WHERE style = 'anime'");
    fs::remove_file(project.picture("age/young/photo")).unwrap();
    project.execute(
        r#"INSERT INTO people ("group", value, style, created_at, updated_at)
           SELECT "group", 'old', style, created_at, updated_at FROM people WHERE value = 'aged'"#,
    );
    assert_eq!(digest(&project), reviewed);
    let said = project.ok(&["plan"]);
    assert!(said.contains("2 to reuse, 2 to move, 2 to repair; 2 unchanged"), "{said}");
    let applied = project.run(&["apply", "--yes", "--max-cost", "0", "--expect", &reviewed]).expect(0);
    assert!(applied.stdout.contains("Applied: 2 reused, 2 moved, 2 repaired. Cost: $0.00."), "{applied:?}");
    project.assert_settled();
    project.assert_no_broken_link();
    let urls = |project: &Project| -> Vec<String> {
        project.rows().values().map(|row| row.split(" | ").nth(1).unwrap().to_owned()).collect()
    };
    if let Some(copy) = &undisturbed {
        assert_eq!(urls(&project), urls(copy), "what was reviewed is live");
    }
    assert_eq!(fake.charges().len(), 10);
}

#[test]
fn what_was_lost_is_not_bought_by_a_plan_that_was_approved_before() {
    let (project, fake) = shop("");
    project.edit(EDIT.0, EDIT.1);
    let reviewed = digest(&project);
    preview(&project, &[]).expect(0);
    let lost = project.picture("body/slim/photo");
    fs::remove_file(&lost).unwrap();
    let original = project.query(
        "SELECT path FROM pixform_originals WHERE sha256 = (SELECT original FROM \
                                  pixform_record_details WHERE key = 'body/slim/photo')",
    );
    fs::remove_file(project.storage().join(&original[0])).unwrap();
    assert_eq!(digest(&project), reviewed, "nobody reviewed what was lost since");
    let applied = project.run(&["apply", "--yes", "--expect", &reviewed]).expect(0);
    assert!(applied.stdout.contains("Applied: 2 reused. Cost: $0.00."), "{applied:?}");
    assert_eq!(fake.charges().len(), 10);
    assert_eq!(project.planned(), ["body/slim/photo generate"]);
    // A rename whose picture is lost would cost what nobody approved.
    project.edit("        slim:", "        thin:");
    project.edit("renditions:", "moved:\n  - { from: body/slim/*, to: body/thin/* }\nrenditions:");
    let renamed = digest(&project);
    project.ok(&["plan", "--out", "plan.json"]);
    let document = fs::read_to_string(project.root().join("plan.json")).unwrap();
    project.write("plan.json", &document.replace(r#""estimated_cost":"0.015""#, r#""estimated_cost":"0.00""#));
    let dearer = project.run(&["apply", "--yes", "plan.json"]).expect(6);
    assert!(dearer.stderr.contains("costs $0.015 now, and $0.00 were approved"), "{dearer:?}");
    project.run(&["apply", "--yes", "--expect", &renamed]).expect(0);
    assert_eq!(fake.charges().len(), 11);
    project.assert_settled();
}

#[test]
fn a_sample_spreads_over_all_labels_and_pictures_can_be_saved() {
    let fake = fake(5);
    let project = Project::new(&people());
    configure(&project, &fake, FAST, "");
    let ran = preview(&project, &["--sample", "4", "--save", "shown"]).expect(0);
    assert!(ran.stdout.contains("Previewed: 4 generated. Cost: $0.06."), "{ran:?}");
    let mut files = Vec::new();
    crate::purchase::files(&project.root().join("shown"), &mut files);
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for label in ["/age/", "/body/", "/young/", "/aged/", "/slim/", "/tall/", "photo.jpg", "anime.jpg"] {
        assert!(names.iter().any(|name| name.contains(label)), "{label} is shown: {names:?}");
    }
    assert!(image::open(&files[0]).is_ok());
    assert_eq!((project.query("SELECT count(*) FROM pixform_records")[0].as_str(), fake.charges().len()), ("0", 4));
    project.apply();
    assert_eq!(fake.charges().len(), 8, "what the sample showed is not bought again");
}

#[test]
fn a_killed_preview_loses_nothing_and_pays_once() {
    for point in ["intended", "paid-sent", "paid-received", "original-put", "finished", "announced", "object-put"] {
        let (project, fake) = shop("");
        project.edit(EDIT.0, EDIT.1);
        let mut command = project.command(&["preview", "--yes"]);
        let crashed = ran(command.env("PIXFORM_CRASH", point).output().unwrap());
        assert_eq!(crashed.code, 134, "{point}: {crashed:?}");
        let next = preview(&project, &[]);
        let declared = match next.code {
            7 => {
                preview(&project, &["--retry-unknown"]).expect(0);
                1
            }
            code => {
                assert_eq!(code, 0, "{point}: {next:?}");
                0
            }
        };
        let charges = fake.charges().len();
        assert!((10..=10 + 2 * declared).contains(&charges), "{point}: {charges} charges");
        project.run(&["apply", "--yes", "--max-cost", "0"]).expect(0);
        project.assert_settled();
        project.assert_no_broken_link();
        assert_eq!(fake.charges().len(), charges, "{point}: merging buys nothing");
    }
}

#[test]
fn two_previews_and_an_apply_at_once_pay_for_each_picture_once() {
    let (project, fake) = shop("");
    fake.set(|behaviour| behaviour.latency = std::time::Duration::from_millis(300));
    project.edit(EDIT.0, EDIT.1);
    let first = project.start(&["preview", "--yes"]);
    let second = project.start(&["preview", "--yes"]);
    let third = project.start(&["apply", "--yes"]);
    for child in [first, second, third] {
        let ended = ran(child.wait_with_output().unwrap());
        assert!([0, 6].contains(&ended.code), "{ended:?}");
    }
    assert_eq!(fake.charges().len(), 10);
    project.apply();
    project.assert_settled();
}

#[test]
fn an_apply_that_failed_converges_from_the_same_commit() {
    let (project, fake) = shop("");
    project.edit(EDIT.0, EDIT.1);
    let reviewed = digest(&project);
    preview(&project, &[]).expect(0);
    let merge = ["apply", "--yes", "--max-cost", "0", "--expect", &reviewed];
    let mut command = project.command(&merge);
    assert_eq!(ran(command.env("PIXFORM_CRASH", "synced").output().unwrap()).code, 134);
    project.run(&merge).expect(0);
    project.run(&merge).expect(0);
    project.assert_settled();
    assert_eq!(fake.charges().len(), 10);
}

#[test]
fn a_revert_gets_the_old_pictures_back_for_nothing() {
    let (project, fake) = shop("");
    let before = project.rows();
    project.edit(EDIT.0, EDIT.1);
    preview(&project, &[]).expect(0);
    project.run(&["apply", "--yes", "--max-cost", "0"]).expect(0);
    project.edit(EDIT.1, EDIT.0);
    let ran = project.run(&["apply", "--yes", "--max-cost", "0"]).expect(0);
    assert!(ran.stdout.contains("Applied: 2 reused. Cost: $0.00."), "{ran:?}");
    assert_eq!((project.rows(), fake.charges().len()), (before, 10));
}

#[test]
fn candidates_are_made_once_and_the_one_that_is_picked_is_not_bought_again() {
    let (project, fake) = shop("");
    let before = (live(&project), objects(&project));
    let only = ["--only", "age/aged/*", "--candidates", "3"];
    let ran = preview(&project, &only).expect(0);
    assert!(ran.stderr.contains("6 candidates of 2 assets: 6 to generate, 0 there already. Estimated cost: $0.09."));
    assert!(ran.stdout.contains("Previewed: 6 generated. Cost: $0.09."), "{ran:?}");
    assert_eq!((live(&project), objects(&project)), before, "nothing is published, not even a file");
    let folder = project.root().join(".pixform/candidates");
    let sheet = image::open(folder.join("contact-sheet.jpg")).unwrap();
    assert!(sheet.width() > 3 * 256 && sheet.height() > 2 * 256, "{}x{}", sheet.width(), sheet.height());
    for take in 1..=3 {
        assert!(folder.join(format!("people/age/aged/photo-take-{take}.png")).is_file());
    }
    let again = preview(&project, &only).expect(0);
    assert!(again.stdout.contains("Cost: $0.00."), "asking twice is free: {again:?}");
    project.manifest(&(people() + "cells:\n  age/aged/photo: { with: { take: 2 } }\n"));
    assert_eq!(project.planned(), ["age/aged/photo reuse"]);
    project.run(&["apply", "--yes", "--max-cost", "0"]).expect(0);
    assert_eq!(fake.charges().len(), 14);
    project.assert_settled();
}

#[test]
fn candidates_without_a_selection_are_of_what_changes() {
    let (project, fake) = shop("");
    let none = preview(&project, &["--candidates", "2"]).expect(1);
    assert!(none.stderr.contains("no asset is selected, and no picture changes"), "{none:?}");
    project.edit(EDIT.0, EDIT.1);
    let capped = preview(&project, &["--candidates", "2", "--max-cost", "0.05"]).expect(3);
    assert!(capped.stderr.contains("the plan costs $0.06, which is over the cap of $0.05"), "{capped:?}");
    preview(&project, &["--candidates", "2", "--save", "shown"]).expect(0);
    assert!(project.root().join("shown/contact-sheet.jpg").is_file());
    assert_eq!(fake.charges().len(), 12);
}
