//! What somebody accepts stays as it is, costs nothing, and is remembered.

use std::fs;

use crate::product::{manifest, old_files, product, whole_table};
use crate::project::{KEYS, PEOPLE, Project, reasons};

fn accept(project: &Project, args: &[&str]) -> String {
    let mut command = project.command(&[&["accept"], args].concat());
    let ran = crate::project::ran(command.env("PIXFORM_ACTOR", "ann").output().unwrap());
    ran.expect(0).stdout
}

#[test]
fn an_accepted_picture_satisfies_the_new_recipe() {
    let project = Project::applied();
    let bytes = fs::read(project.picture("age/young/photo")).unwrap();
    let urls = project.query("SELECT image_url FROM people ORDER BY id");
    project.edit("a young woman", "a woman of twenty");
    let said = accept(&project, &["age/young/photo", "--yes"]);
    assert!(said.contains("a [-young woman-] {+woman of twenty+}"), "{said}");
    assert!(said.contains("Accepted: 1 picture. Cost: $0.00."), "{said}");
    assert_eq!(project.planned(), ["age/young/anime generate"]);
    assert_eq!((project.paints(), project.query("SELECT image_url FROM people ORDER BY id")), (8, urls));
    assert!(project.rows()["age/young/photo"].ends_with(" | a photograph of a woman of twenty"));
    assert!(fs::read(project.picture("age/young/photo")).unwrap() == bytes);
    let said = project.ok(&["explain", "age/young/photo"]);
    let line = said.lines().find(|line| line.contains("accepted")).unwrap();
    assert!(line.contains(" by ann: the picture made for recipe "), "{line}");
    assert!(line.contains(" satisfies recipe "), "{line}");
    assert!(said.contains("up to date"), "{said}");
    assert!(project.ok(&["show", "age/young/photo"]).contains("accepted 20"));
    // It is remembered as the recipe's own: also once the record is gone.
    accept(&project, &["age/young/*", "--yes"]);
    project.assert_settled();
    project.manifest(PEOPLE);
    project.apply();
    assert_eq!(project.paints(), 8);
    project.edit("a young woman", "a woman of twenty");
    assert_eq!(project.planned(), ["age/young/anime reuse", "age/young/photo reuse"]);
}

#[test]
fn a_protected_picture_can_be_accepted() {
    let project = Project::applied();
    project.manifest(&format!("{PEOPLE}cells:\n  age/young/photo: {{ protect: true }}\n"));
    project.apply();
    project.edit("steps: 20", "steps: 21");
    let ran = project.run(&["apply", "--yes", "--only", "age/young/photo"]).expect(3);
    assert!(ran.stdout.contains("is protected"), "{}", ran.stdout);
    accept(&project, &["*/*/*", "--yes"]);
    assert_eq!(project.paints(), 8);
    project.assert_settled();
}

#[test]
fn a_row_that_says_otherwise_can_be_accepted_as_it_is() {
    let project = product();
    project.execute("UPDATE people SET prompt = 'a cat', width = 512 WHERE seed = 42");
    assert_eq!(reasons(&project.plan(), KEYS[7]), ["new", "row_differs prompt", "row_differs width"]);
    let before = (whole_table(&project), old_files(&project));
    let said = accept(&project, &["body/tall/photo", "--yes"]);
    assert!(said.contains("the picture that is there satisfies recipe"), "{said}");
    assert!((whole_table(&project), old_files(&project)) == before);
    project.ok(&["import", "--yes"]);
    assert!((whole_table(&project), old_files(&project)) == before);
    assert_eq!(project.paints(), 0);
    project.assert_settled();
    let said = project.ok(&["explain", "body/tall/photo"]);
    assert!(said.contains(" by ann: the picture that was there satisfies recipe"), "{said}");
}

#[test]
fn a_row_that_was_edited_by_hand_is_kept() {
    let project = Project::applied();
    project.execute("UPDATE people SET prompt = 'my own words', seed = 5 WHERE style = 'photo' AND value = 'young'");
    project.execute("UPDATE people SET seed = 6 WHERE style = 'anime' AND value = 'young'");
    let rows = project.rows();
    let said = accept(&project, &["age/young/photo", "--row", "--yes"]);
    assert!(said.contains("row edited: seed"), "{said}");
    assert!(said.contains("Kept: 1 row as edited. Cost: $0.00."), "{said}");
    assert_eq!(project.planned(), ["age/young/anime repair"]);
    assert_eq!(project.rows(), rows);
    let said = project.ok(&["explain", "age/young/photo"]);
    assert!(said.contains("by ann: the row stays as it was edited: `seed`, `prompt`"), "{said}");
    project.apply();
    project.assert_settled();
    // What was kept is what a later edit is compared with, and what it is repaired to.
    project.execute("UPDATE people SET seed = 7 WHERE style = 'photo' AND value = 'young'");
    assert_eq!(reasons(&project.plan(), "age/young/photo"), ["row_edited seed"]);
    project.apply();
    assert_eq!(project.rows()["age/young/photo"], rows["age/young/photo"]);
    project.assert_settled();
}

#[test]
fn a_row_that_is_gone_or_points_elsewhere_is_not_kept() {
    let project = Project::applied();
    project.execute("DELETE FROM people WHERE style = 'photo' AND value = 'young'");
    project.execute("UPDATE people SET image_url = '/files/other/1.jpg' WHERE style = 'anime' AND value = 'young'");
    let ran = project.run(&["accept", "age/young/*", "--row", "--yes"]).expect(1);
    assert!(ran.stderr.contains("its row is gone, so that there is nothing to keep"), "{}", ran.stderr);
    assert!(ran.stderr.contains("points at /files/other/1.jpg, a file that pixform does not know"), "{}", ran.stderr);
    project.execute("UPDATE people SET seed = 7 WHERE style = 'photo' AND value = 'aged'");
    let ran = project.run(&["accept", "age/*/*", "--row", "--yes"]).expect(4);
    assert!(ran.stdout.contains("Kept: 1 row"), "{}", ran.stdout);
    project.apply();
    project.assert_settled();
}

#[test]
fn a_row_is_kept_beside_what_the_manifest_asks_for_and_not_beside_a_rename() {
    let project = Project::applied();
    project.execute("UPDATE people SET seed = 5 WHERE style = 'photo' AND value = 'young'");
    project.edit("prompt: \"{{ prompt }}\"", "prompt: \"{{ prompt }}!\"");
    assert_eq!(reasons(&project.plan(), "age/young/photo"), ["row_changed columns.prompt", "row_edited seed"]);
    accept(&project, &["age/young/photo", "--row", "--yes"]);
    let said = project.ok(&["explain", "age/young/photo"]);
    assert!(said.contains("the row stays as it was edited: `seed`\n"), "{said}");
    project.apply();
    project.assert_settled();
    let row = project.rows()["age/young/photo"].clone();
    assert!(row.contains(" | 5 | ") && row.ends_with('!'), "{row}");
    project.execute("UPDATE people SET seed = 6 WHERE style = 'photo' AND value = 'slim'");
    project.edit("        slim:", "        thin:");
    project.edit("renditions:", "moved:\n  - { from: body/slim/*, to: body/thin/* }\nrenditions:");
    let ran = project.run(&["accept", "body/thin/*", "--row", "--yes"]).expect(1);
    assert!(
        ran.stderr.contains("people:body/thin/photo is left as it is: it is renamed from `body/slim/photo`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn each_drift_has_its_own_reason() {
    let project = Project::applied();
    let set = |what: &str, key: &str| {
        let [group, value, style] = key.split('/').collect::<Vec<_>>()[..] else { unreachable!() };
        let at = format!(r#"WHERE "group" = '{group}' AND value = '{value}' AND style = '{style}'"#);
        assert_eq!(project.execute(&format!("{what} {at}")), 1);
    };
    set("UPDATE people SET prompt = 'x'", KEYS[0]);
    set("DELETE FROM people", KEYS[1]);
    set("UPDATE people SET image_url = '/files/other/1.jpg'", KEYS[2]);
    set("UPDATE people SET image_url = replace(image_url, 'people', '%70eople')", KEYS[3]);
    project.execute(
        r#"INSERT INTO people ("group", value, style, created_at, updated_at) VALUES ('x', 'y', 'z', '2026-01-01', '2026-01-01')"#,
    );
    let plan = project.plan();
    assert_eq!(reasons(&plan, KEYS[0]), ["row_edited prompt"]);
    assert_eq!(reasons(&plan, KEYS[1]), ["row_missing"]);
    assert_eq!(reasons(&plan, KEYS[2]), ["row_elsewhere image_url"]);
    assert_eq!(plan["summary"]["repair"], 3, "another spelling of the same URL is no drift");
    assert!(plan["notes"].to_string().contains("1 row belongs to no collection and stays as it is: x/y/z"));
    let said = project.run(&["check"]).expect(2).stdout;
    for words in ["the row was edited by hand: prompt", "the row is gone", "the row points elsewhere: image_url"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(said.contains("something is wrong with 3"), "{said}");
    assert_eq!(project.plan_with(&["--no-refresh"])["summary"]["keep"], 8);
    project.apply();
    assert_eq!((project.paints(), project.query("SELECT count(*) FROM people")), (8, vec!["9".to_owned()]));
    project.assert_settled();
}

#[test]
fn what_cannot_be_accepted_is_told() {
    let project = Project::applied();
    let ran = project.run(&["accept", "age/nobody/*", "--yes"]).expect(1);
    assert!(ran.stderr.contains("`age/nobody/*` matches no asset"), "{}", ran.stderr);
    assert_eq!(
        accept(&project, &["age/*/*", "--yes"]),
        "Nothing to accept: no picture that is asked for differs from its recipe.\n"
    );
    assert_eq!(
        accept(&project, &["age/*/*", "--row", "--yes"]),
        "Nothing to accept: no row that is asked for was edited by hand.\n"
    );
    project.edit("steps: 20", "steps: 21");
    let ran = project.run(&["accept", "age/*/*"]).expect(1);
    assert!(ran.stderr.contains("accept asks before it changes anything"), "{}", ran.stderr);
    fs::remove_dir_all(project.storage().join("originals")).unwrap();
    fs::create_dir(project.storage().join("originals")).unwrap();
    let ran = project.run(&["accept", "age/*/*", "--yes", "--take-storage"]).expect(1);
    assert!(ran.stderr.contains("its original is gone"), "{}", ran.stderr);
    let fresh = Project::new(&manifest());
    let ran = fresh.run(&["accept", "age/young/photo", "--yes"]).expect(1);
    assert!(ran.stderr.contains("there is no picture to accept: nothing is published of it"), "{}", ran.stderr);
}

#[test]
fn a_killed_accept_leaves_nothing_half_done() {
    for point in ["accepted-copied", "synced", "committed"] {
        let project = Project::applied();
        project.edit("a young woman", "a woman of twenty");
        let mut command = project.command(&["accept", "age/young/*", "--yes"]);
        assert!(!command.env("PIXFORM_CRASH", format!("{point}:1")).output().unwrap().status.success(), "{point}");
        project.assert_no_broken_link();
        accept(&project, &["age/young/*", "--yes"]);
        assert_eq!(project.paints(), 8, "{point}");
        project.assert_settled();
    }
}

#[test]
fn a_copy_that_failed_is_not_remembered() {
    let project = Project::applied();
    let mut files = Vec::new();
    crate::purchase::files(&project.storage().join("originals"), &mut files);
    files.retain(|file| file.extension().is_some());
    let kept: Vec<_> = files.into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
    assert_eq!(kept.len(), 8);
    for (bytes, file) in &kept {
        fs::write(file, vec![0; bytes.len()]).unwrap();
    }
    project.edit("a young woman", "a woman of twenty");
    let ran = project.run(&["accept", "age/young/photo", "--yes"]);
    assert_ne!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(project.planned(), ["age/young/anime generate", "age/young/photo generate"], "{}", ran.stdout);
    assert_eq!(project.plan_with(&["--no-refresh"])["summary"]["generate"], 2);
    for (bytes, file) in &kept {
        fs::write(file, bytes).unwrap();
    }
    accept(&project, &["age/young/*", "--yes"]);
    assert_eq!(project.paints(), 8);
    project.assert_settled();
}
