//! What must hold of the main job, each line with the real binary: what an edit costs, what is lost and found again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;

use crate::project::{KEYS, PEOPLE, Project, planned, reasons};

/// Applies edits to the applied project, checks plan and ledger, and that nothing is left to do.
fn check(edits: &[(&str, &str)], expect: &[&str], paints: i64) -> Project {
    let project = Project::applied();
    for (old, new) in edits {
        project.edit(old, new);
    }
    settle(&project, expect, paints);
    project
}

/// Checks what is planned, that applying it paints so often, and that nothing is left to do.
fn settle(project: &Project, expect: &[&str], paints: i64) {
    let before = project.paints();
    assert_eq!(project.planned(), expect);
    project.apply();
    assert_eq!(project.paints() - before, paints, "paints");
    project.assert_settled();
    project.assert_no_broken_link();
}

fn all(action: &str) -> Vec<String> {
    KEYS.iter().map(|key| format!("{key} {action}")).collect()
}

fn check_all(edits: &[(&str, &str)], action: &str) -> Project {
    let expect = all(action);
    check(edits, &expect.iter().map(String::as_str).collect::<Vec<_>>(), 0)
}

/// Returns the files of published pictures.
fn published(project: &Project) -> BTreeSet<OsString> {
    fs::read_dir(project.storage().join("people")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

const YOUNG: [&str; 2] = ["age/young/anime generate", "age/young/photo generate"];

// What an edit costs.

#[test]
fn an_edited_description_is_painted_for_exactly_the_assets_that_use_it() {
    let first = Project::applied().rows();
    let project = check(&[("a young woman", "a woman of twenty")], &YOUNG, 2);
    let rows = project.rows();
    for key in KEYS {
        assert_eq!(rows[key] == first[key], !key.starts_with("age/young"), "{key}");
    }
    let calls = project.query("SELECT key, status, generator, estimate FROM pixform_calls ORDER BY created_at, key");
    assert_eq!(calls.len(), 10);
    assert!(calls[8..].iter().all(|call| call.starts_with("age/young/")), "{calls:?}");
    assert!(calls.iter().all(|call| call.ends_with(" | finished | placeholder | 0")), "{calls:?}");
}

#[test]
fn a_rendition_is_rendered_again_and_nothing_is_painted() {
    check_all(&[("quality: 90", "quality: 70")], "render");
    check_all(&[("format: jpeg, quality: 90", "format: webp")], "render");
    check_all(&[("path: \"people/{{ group }}-", "path: \"people/{{ group }}/")], "render");
    let thumb = "renditions:\n  thumb: { format: webp, width: 16, path: \"people/thumb/{{ group }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}\" }";
    let project = check_all(&[("renditions:", thumb)], "render");
    assert_eq!(fs::read_dir(project.storage().join("people/thumb")).unwrap().count(), 8);
}

#[test]
fn a_column_changes_rows_and_nothing_else() {
    let before = published(&Project::applied());
    let project = check_all(&[("prompt: \"{{ prompt }}\"", "prompt: \"{{ subject }} ({{ value }})\"")], "publish");
    assert_eq!(published(&project), before);
    assert!(project.rows()["body/tall/photo"].ends_with(" | a tall woman (tall)"));
}

#[test]
fn how_a_manifest_is_written_changes_nothing() {
    let anime = "    anime: { vars: { look: drawing } }\n";
    let photo = "    photo: { vars: { look: photograph } }\n";
    for (old, new) in [
        ("  model: first\n  steps: 20\n", "  steps: 20 # as ever\n  model: first\n"),
        ("a {{ look }} of {{ subject }}", ">-\n    a {{ look }}\n    of   {{ subject }}"),
        ("{ vars: { subject: a slim man } }", "\n          vars:\n            subject: 'a slim man'"),
        ("{ vars: { look: drawing } }", "{ vars: { look: drawing }, with: { steps: 20 } }"),
        (&format!("{photo}{anime}"), &format!("{anime}{photo}")),
    ] {
        let project = Project::applied();
        project.edit(old, new);
        project.assert_settled();
    }
    let project = Project::applied();
    project.edit("  steps: 20\n", "");
    project.edit("look: photograph }", "look: photograph }, with: { steps: 20 }");
    project.edit("look: drawing }", "look: drawing }, with: { steps: 20 }");
    project.assert_settled();
}

#[test]
fn protection_and_holding_are_set_and_lifted_by_the_record_alone() {
    for field in ["protect", "hold"] {
        let project = Project::applied();
        let rows = project.rows();
        let manifest = |value: &str| format!("{PEOPLE}cells:\n  age/young/photo: {{ {field}: {value} }}\n");
        project.manifest(&manifest("true"));
        settle(&project, &["age/young/photo record"], 0);
        project.manifest(&manifest("false"));
        settle(&project, &["age/young/photo record"], 0);
        assert_eq!(project.rows(), rows);
    }
}

#[test]
fn protection_stays_when_its_line_is_removed_and_holding_goes() {
    let project = Project::applied();
    project.manifest(&format!("{PEOPLE}cells:\n  age/young/photo: {{ protect: true, hold: true }}\n"));
    project.apply();
    project.manifest(PEOPLE);
    settle(&project, &["age/young/photo record"], 0);
    assert_eq!(project.query("SELECT flags FROM pixform_records WHERE key = 'age/young/photo'"), ["1"]);
}

#[test]
fn a_held_asset_keeps_its_picture_and_is_still_repaired() {
    let project = Project::applied();
    let row = project.rows()["age/young/photo"].clone();
    let held = PEOPLE.replace("a young woman", "a woman of twenty").replace("quality: 90", "quality: 60");
    project.manifest(&format!("{held}cells:\n  age/*/*: {{ hold: true }}\n  body/*/*: {{ hold: true }}\n"));
    settle(&project, &all("record").iter().map(String::as_str).collect::<Vec<_>>(), 0);
    assert_eq!(project.rows()["age/young/photo"], row);
    let note = project.plan()["notes"].to_string();
    assert!(note.contains("age/young/photo"), "{note}");
    let bytes = fs::read(project.picture("age/young/photo")).unwrap();
    fs::remove_file(project.picture("age/young/photo")).unwrap();
    assert_eq!(project.planned(), ["age/young/photo repair"]);
    project.apply();
    assert_eq!(fs::read(project.picture("age/young/photo")).unwrap(), bytes);
    assert_eq!((project.rows()["age/young/photo"].clone(), project.paints()), (row, 8));
    // A change of the row alone is no change of the picture, so holding does not stop it.
    project.edit("prompt: \"{{ prompt }}\"", "prompt: \"{{ prompt }} ({{ value }})\"");
    settle(&project, &all("publish").iter().map(String::as_str).collect::<Vec<_>>(), 0);
    assert!(project.rows()["age/young/photo"].ends_with(" | a photograph of a young woman (young)"));
}

#[test]
fn a_held_asset_without_a_record_is_painted() {
    let project = Project::new(&format!("{PEOPLE}cells:\n  age/*/*: {{ hold: true }}\n"));
    settle(&project, &all("generate").iter().map(String::as_str).collect::<Vec<_>>(), 8);
}

#[test]
fn an_edit_that_is_undone_brings_the_first_pictures_back_for_nothing() {
    let first = Project::applied();
    let project = check(&[("a young woman", "a woman of twenty")], &YOUNG, 2);
    project.manifest(PEOPLE);
    settle(&project, &["age/young/anime reuse", "age/young/photo reuse"], 0);
    assert_eq!(project.rows(), first.rows());
    for key in KEYS {
        assert_eq!(fs::read(project.picture(key)).unwrap(), fs::read(first.picture(key)).unwrap(), "{key}");
    }
}

#[test]
fn another_take_is_another_picture_and_take_nought_is_the_first() {
    let project = Project::applied();
    let rows = project.rows();
    project.manifest(&format!("{PEOPLE}cells:\n  age/young/photo: {{ with: {{ take: 1 }} }}\n"));
    settle(&project, &["age/young/photo generate"], 1);
    assert_ne!(project.rows()["age/young/photo"], rows["age/young/photo"]);
    project.manifest(&format!("{PEOPLE}cells:\n  age/young/photo: {{ with: {{ take: 0 }} }}\n"));
    settle(&project, &["age/young/photo reuse"], 0);
    assert_eq!(project.rows(), rows);
}

#[test]
fn of_several_assets_with_one_recipe_only_the_first_is_painted() {
    let one = PEOPLE
        .replace("seed: derived", "seed: 7")
        .replace("a slim man", "somebody")
        .replace("a tall woman", "somebody");
    let project = Project::new(&one);
    let plan = project.plan();
    assert_eq!((&plan["summary"]["generate"], &plan["summary"]["reuse"]), (&6.into(), &2.into()));
    project.apply();
    assert_eq!(project.paints(), 6);
    project.assert_settled();
    let bytes = |key| fs::read(project.picture(key)).unwrap();
    assert_eq!(bytes("body/slim/photo"), bytes("body/tall/photo"));
}

// Seeds and columns.

#[test]
fn the_largest_seeds_reach_the_row_as_they_are() {
    let project = Project::new(&format!(
        "{PEOPLE}cells:\n  age/young/photo: {{ with: {{ seed: 9223372036854775807 }} }}\n  age/young/anime: {{ with: {{ seed: 2147483648 }} }}\n"
    ));
    project.apply();
    project.assert_settled();
    let (kind, whole) = if project.is_sqlite() { ("typeof(seed)", "integer") } else { ("pg_typeof(seed)", "bigint") };
    let seeds = project.query(&format!("SELECT seed, {kind} FROM people WHERE value = 'young' ORDER BY style"));
    assert_eq!(seeds, [format!("2147483648 | {whole}"), format!("9223372036854775807 | {whole}")]);
    // Neighbours above 2^53 are other seeds: no digest may round them.
    project.edit("9223372036854775807", "9223372036854775806");
    settle(&project, &["age/young/photo generate"], 1);
}

#[test]
fn an_absent_field_is_null_in_the_row() {
    let columns =
        "    sampler: \"{{ sampler }}\"\n    guidance: \"{{ guidance_scale }}\"\n    steps: \"{{ steps }}\"\n";
    let project = Project::new(&format!("{PEOPLE}{columns}"));
    project.apply();
    let row = "SELECT sampler, guidance, steps FROM people WHERE value = 'young' AND style = 'photo'";
    assert_eq!(project.query(row), ["NULL | NULL | 20"]);
    project.assert_settled();
    project.edit("  steps: 20\n", "  steps: null\n  sampler: Euler\n  guidance_scale: 7.5\n");
    project.apply();
    assert_eq!(project.query(row), ["Euler | 7.5 | NULL"]);
    project.assert_settled();
}

#[test]
fn an_enlarged_picture_has_the_size_of_the_target_wherever_it_is_found() {
    let columns = "    width: \"{{ width }}\"\n    height: \"{{ height }}\"\n";
    let project = Project::new(&format!("{PEOPLE}{columns}"));
    let hires_fix = "  hires_fix: { target_width: 96, target_height: 144, strength: 0.5 }\n";
    project.edit("  seed: derived\n", &format!("  seed: derived\n{hires_fix}"));
    project.apply();
    let sizes = || {
        let originals = project.query("SELECT DISTINCT width, height FROM pixform_originals");
        (project.query("SELECT DISTINCT width, height FROM people"), originals)
    };
    let enlarged = vec!["96 | 144".to_owned()];
    assert_eq!(sizes(), (enlarged.clone(), enlarged.clone()));
    project.assert_settled();
    let shown = project.ok(&["show", "age/young/photo"]);
    assert!(shown.contains(r#"  hires_fix        {"strength":0.5,"target_height":144,"target_width":96}"#), "{shown}");
    project.lose_database();
    project.ok(&["apply", "--yes", "--take-storage"]);
    assert_eq!(sizes(), (enlarged.clone(), enlarged));
    assert_eq!(project.paints(), 0);
    project.assert_settled();
}

// Renames.

/// Checks that the same pictures, seeds and row ids are there under other keys, and nothing was painted.
fn check_renamed(
    project: &Project,
    before: &std::collections::BTreeMap<String, String>,
    renamed: impl Fn(&str) -> String,
) {
    let after = project.rows();
    assert_eq!(after.len(), before.len());
    for (key, row) in before {
        let parts = |row: &str| row.split(" | ").map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (parts(row), parts(&after[&renamed(key)]));
        assert_eq!((&old[0], &old[2], &old[3]), (&new[0], &new[2], &new[3]), "{key}: id, seed and prompt");
    }
}

#[test]
fn a_renamed_value_keeps_seed_picture_and_row_id() {
    let project = Project::applied();
    let before = project.rows();
    project.edit("        young:", "        adult:");
    project.manifest(&format!(
        "{}moved:\n  - {{ from: age/young/*, to: age/adult/* }}\n",
        fs::read_to_string(project.root().join("manifests/people.yaml")).unwrap()
    ));
    settle(&project, &["age/adult/anime move", "age/adult/photo move"], 0);
    check_renamed(&project, &before, |key| key.replace("/young/", "/adult/"));
    assert!(project.picture("age/adult/photo").file_name().unwrap().to_str().unwrap().starts_with("age-adult-photo-"));
    // Without its line it is still the same picture: the seed belongs to the first key.
    project.edit("moved:\n  - { from: age/young/*, to: age/adult/* }\n", "");
    project.assert_settled();
}

#[test]
fn two_keys_that_are_swapped_keep_their_pictures() {
    let project = Project::applied();
    let before = project.rows();
    let swapped = PEOPLE.replace("slim:", "SWAP:").replace("tall:", "slim:").replace("SWAP:", "tall:");
    project.manifest(&format!(
        "{swapped}moved:\n  - {{ from: body/slim/*, to: body/tall/* }}\n  - {{ from: body/tall/*, to: body/slim/* }}\n"
    ));
    let expect = ["body/slim/anime move", "body/slim/photo move", "body/tall/anime move", "body/tall/photo move"];
    settle(&project, &expect, 0);
    let other = |key: &str| match key.contains("slim") {
        true => key.replace("slim", "tall"),
        false => key.replace("tall", "slim"),
    };
    check_renamed(&project, &before, other);
}

#[test]
fn a_renamed_collection_keeps_everything() {
    let project = Project::applied();
    let before = project.rows();
    project.edit("collection: people", "collection: portraits\nmoved:\n  - { from: \"people:*/*/*\", to: \"*/*/*\" }");
    let document = project.plan();
    assert_eq!(planned(&document), all("move"));
    assert_eq!(document["changes"][0]["moved_from"], "people:age/young/photo");
    settle(&project, &all("move").iter().map(String::as_str).collect::<Vec<_>>(), 0);
    assert_eq!(project.rows(), before);
    assert_eq!(project.query("SELECT DISTINCT collection FROM pixform_records"), ["portraits"]);
    assert_eq!(project.plan()["notes"], serde_json::json!([]));
}

#[test]
fn a_rename_and_a_new_description_at_once_keep_seed_and_row_id() {
    let project = Project::applied();
    let before = project.rows();
    project.manifest(&format!(
        "{}moved:\n  - {{ from: age/young/*, to: age/adult/* }}\n",
        PEOPLE.replace("young: ", "adult: ").replace("a young woman", "a woman of forty")
    ));
    settle(&project, &["age/adult/anime generate", "age/adult/photo generate"], 2);
    let ids = |row: &str| {
        row.split(" | ").enumerate().filter(|(at, _)| at % 2 == 0).map(|(_, cell)| cell.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&project.rows()["age/adult/photo"]), ids(&before["age/young/photo"]));
}

// Drift.

/// Damages the applied project, and checks that it heals without painting.
fn check_repair(damage: impl Fn(&Project), expect: &[&str]) {
    let project = Project::applied();
    let (rows, files) = (project.rows(), published(&project));
    let bytes: Vec<_> = KEYS.iter().map(|key| fs::read(project.picture(key)).unwrap()).collect();
    damage(&project);
    project.run(&["check"]).expect(2);
    let document = project.plan();
    assert_eq!(planned(&document), ["age/young/photo repair"]);
    assert_eq!(reasons(&document, "age/young/photo"), expect);
    settle(&project, &["age/young/photo repair"], 0);
    let strip = |rows: std::collections::BTreeMap<String, String>| -> Vec<String> {
        rows.values().map(|row| row.split_once(" | ").unwrap().1.to_owned()).collect()
    };
    assert_eq!(strip(project.rows()), strip(rows));
    assert_eq!(published(&project), files);
    for (key, bytes) in KEYS.iter().zip(bytes) {
        assert_eq!(fs::read(project.picture(key)).unwrap(), bytes, "{key}");
    }
}

const WHERE: &str = r#"WHERE "group" = 'age' AND value = 'young' AND style = 'photo'"#;

#[test]
fn what_was_lost_or_edited_is_repaired_with_its_reason_and_without_painting() {
    check_repair(|project| fs::remove_file(project.picture("age/young/photo")).unwrap(), &["object_missing main"]);
    check_repair(|project| fs::write(project.picture("age/young/photo"), b"half").unwrap(), &["object_size main"]);
    let edit = format!("UPDATE people SET prompt = 'mine', seed = 5 {WHERE}");
    check_repair(|project| assert_eq!(project.execute(&edit), 1), &["row_edited seed", "row_edited prompt"]);
    let delete = format!("DELETE FROM people {WHERE}");
    check_repair(|project| assert_eq!(project.execute(&delete), 1), &["row_missing"]);
    check_repair(
        |project| {
            fs::remove_file(project.picture("age/young/photo")).unwrap();
            project.execute(&delete);
        },
        &["object_missing main", "row_missing"],
    );
}

#[test]
fn a_lost_object_whose_original_is_lost_too_is_painted_again() {
    let project = Project::applied();
    fs::remove_file(project.picture("age/young/photo")).unwrap();
    let original = project.query(
        "SELECT path FROM pixform_originals o JOIN pixform_records r USING (recipe) WHERE key = 'age/young/photo'",
    );
    fs::remove_file(project.storage().join(&original[0])).unwrap();
    let document = project.plan();
    assert_eq!(reasons(&document, "age/young/photo"), ["object_missing main", "original_missing"]);
    settle(&project, &["age/young/photo generate"], 1);
}

#[test]
fn a_lost_original_alone_is_told_by_check_and_changes_nothing() {
    let project = Project::applied();
    let original = project.query("SELECT path FROM pixform_originals ORDER BY path LIMIT 1");
    fs::remove_file(project.storage().join(&original[0])).unwrap();
    let ran = project.run(&["check"]).expect(2);
    assert!(ran.stdout.contains(&format!("the original `{}` is gone", original[0])), "{}", ran.stdout);
    assert_eq!(project.planned(), Vec::<String>::new());
}

#[test]
fn an_edited_byte_is_found_by_a_deep_check_only() {
    let project = Project::applied();
    let picture = project.picture("age/young/photo");
    let mut bytes = fs::read(&picture).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&picture, bytes).unwrap();
    project.ok(&["check"]);
    let ran = project.run(&["check", "--deep"]).expect(2);
    assert!(ran.stdout.contains("people:age/young/photo   the file of `main` holds other bytes"), "{}", ran.stdout);
}

#[test]
fn files_that_nothing_knows_are_a_note_of_check() {
    let project = Project::applied();
    project.write(".pixform/storage/people/stray.jpg", "stray");
    let ran = project.run(&["check"]).expect(0);
    assert!(
        ran.stderr.contains("1 file is in the storage that nothing knows") && ran.stderr.contains("people/stray.jpg")
    );
    assert!(ran.stdout.contains("Checked 8 assets: all is well."));
}

#[test]
fn rows_of_others_in_the_table_are_noted_and_left_alone() {
    let project = Project::applied();
    project.execute(
        r#"INSERT INTO people ("group", value, style, prompt, created_at, updated_at)
           VALUES ('x', 'y', 'z', 'by hand', '2026-01-01', '2026-01-01')"#,
    );
    let document = project.plan();
    assert!(document["notes"].to_string().contains("x/y/z"), "{}", document["notes"]);
    project.apply();
    assert_eq!(project.query("SELECT prompt FROM people WHERE value = 'y'"), ["by hand"]);
}

// The storage and the database themselves.

/// Checks that a plan says what is wrong with the storage, and that apply refuses it.
fn check_storage_refused(project: &Project) {
    let document = project.plan();
    assert_eq!(document["applyable"], false);
    assert_eq!(document["refusals"][0]["code"], "store");
    assert!(document["refusals"][0]["way_out"].as_str().unwrap().contains("`pixform apply --help`"));
    let before = project.listing();
    let ran = project.run(&["apply", "--yes"]).expect(3);
    assert!(ran.stdout.contains("`pixform apply --help`"), "{}", ran.stdout);
    assert!(ran.stderr.contains("visitors see:") && ran.stderr.contains("next:"), "{}", ran.stderr);
    assert_eq!(project.listing(), before);
}

#[test]
fn another_storage_in_its_place_is_refused_by_its_marker() {
    let project = Project::applied();
    let other = Project::new(PEOPLE);
    other.apply();
    fs::rename(project.storage(), project.root().join("kept")).unwrap();
    fs::rename(other.storage(), project.storage()).unwrap();
    check_storage_refused(&project);
    project.ok(&["apply", "--yes", "--take-storage"]);
    assert_eq!(project.paints(), 8);
    project.assert_settled();
}

#[test]
fn an_emptied_storage_is_refused_by_its_missing_marker() {
    let project = Project::applied();
    fs::remove_dir_all(project.storage()).unwrap();
    check_storage_refused(&project);
    fs::create_dir(project.storage()).unwrap();
    check_storage_refused(&project);
    project.ok(&["apply", "--yes", "--take-storage"]);
    assert_eq!(project.paints(), 16);
    project.assert_settled();
}

/// Checks that a new database takes the pictures over and paints nothing.
fn check_found(project: &Project, args: &[&str]) {
    let mut all_args = vec!["--detailed-exitcode"];
    all_args.extend(args);
    let out = project.root().join("plan.json");
    let mut plan = vec!["plan", "--out", out.to_str().unwrap()];
    plan.extend(&all_args);
    project.run(&plan).expect(2);
    let document: serde_json::Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(planned(&document), all("reuse"));
    assert!(reasons(&document, KEYS[0]).contains(&"found_in_storage".to_owned()));
    assert_eq!(document["applyable"], true);
    let mut apply = vec!["apply", "--yes"];
    apply.extend(args);
    project.ok(&apply);
    assert_eq!(project.paints(), 0);
    project.assert_settled();
}

#[test]
fn a_lost_database_is_made_again_from_the_storage_without_painting() {
    let project = Project::applied();
    // Rows are made anew, in whatever order pictures come, so their ids are.
    let rows_of = |project: &Project| -> Vec<(String, String)> {
        let without_id = |row: String| row.split_once(" | ").map(|(_, rest)| rest.to_owned()).unwrap();
        project.rows().into_iter().map(|(key, row)| (key, without_id(row))).collect()
    };
    let (rows, files) = (rows_of(&project), published(&project));
    project.lose_database();
    check_storage_refused(&project);
    let insisting = project.copy();
    check_found(&insisting, &["--take-storage"]);
    assert_eq!((rows_of(&insisting), published(&insisting)), (rows.clone(), files.clone()));
    // An owner that has not run for an hour is taken to be gone.
    let marker = project.storage().join("originals/.pixform-store");
    let mut content: serde_json::Value = serde_json::from_slice(&fs::read(&marker).unwrap()).unwrap();
    content["last_run"] = (content["last_run"].as_i64().unwrap() - 3_700).into();
    fs::write(&marker, content.to_string()).unwrap();
    check_found(&project, &[]);
    assert_eq!((rows_of(&project), published(&project)), (rows, files));
}

#[test]
fn a_lost_database_is_made_again_where_an_asset_was_renamed() {
    let project = Project::applied();
    let moved = "moved:\n  - { from: age/young/*, to: age/adult/* }\n";
    project.manifest(&format!("{}{moved}", PEOPLE.replace("young: ", "adult: ")));
    project.apply();
    project.lose_database();
    project.ok(&["apply", "--yes", "--take-storage"]);
    assert_eq!(project.paints(), 0);
    project.assert_settled();
}

// Deletions and guards.

const WITHOUT_SLIM: (&str, &str) = ("        slim: { vars: { subject: a slim man } }\n", "");

#[test]
fn a_removed_asset_loses_its_row_and_keeps_its_files() {
    let project = Project::applied();
    let files = published(&project);
    project.edit(WITHOUT_SLIM.0, WITHOUT_SLIM.1);
    settle(&project, &["body/slim/anime delete", "body/slim/photo delete"], 0);
    assert_eq!(project.rows().len(), 6);
    assert_eq!(published(&project), files);
    // Declared again it is the picture of before.
    project.manifest(PEOPLE);
    settle(&project, &["body/slim/anime reuse", "body/slim/photo reuse"], 0);
    assert_eq!(published(&project), files);
}

/// Checks that apply refuses with a code, and touches nothing.
fn check_refused(project: &Project, code: &str) {
    let document = project.plan();
    assert_eq!(document["applyable"], false);
    assert_eq!(document["refusals"][0]["code"], code, "{}", document["refusals"]);
    let before = project.listing();
    project.run(&["apply", "--yes"]).expect(3);
    assert_eq!(project.listing(), before);
}

#[test]
fn more_deletions_than_allowed_are_refused_unless_listed() {
    let many: String =
        (0..11).map(|number| format!("        n{number}: {{ vars: {{ subject: nobody {number} }} }}\n")).collect();
    let project = Project::new(&PEOPLE.replace(WITHOUT_SLIM.0, &format!("{}{many}", WITHOUT_SLIM.0)));
    project.apply();
    project.manifest(PEOPLE);
    check_refused(&project, "deletions");
    project.manifest(&format!("{PEOPLE}removed: [\"body/n*/*\"]\n"));
    project.apply();
    project.assert_settled();
    assert_eq!(project.rows().keys().map(String::as_str).collect::<Vec<_>>(), KEYS);
}

#[test]
fn ten_deletions_need_no_list() {
    let ten: String =
        (0..5).map(|number| format!("        n{number}: {{ vars: {{ subject: nobody {number} }} }}\n")).collect();
    let project = Project::new(&PEOPLE.replace(WITHOUT_SLIM.0, &format!("{}{ten}", WITHOUT_SLIM.0)));
    project.apply();
    project.manifest(PEOPLE);
    assert_eq!(project.plan()["summary"]["delete"], 10);
    project.apply();
}

#[test]
fn a_protected_asset_is_replaced_once_its_protection_is_lifted_in_the_same_manifest() {
    let project = Project::applied();
    let protect =
        |value: &str, manifest: &str| format!("{manifest}cells:\n  age/young/photo: {{ protect: {value} }}\n");
    project.manifest(&protect("true", PEOPLE));
    project.apply();
    let edited = PEOPLE.replace("a young woman", "a woman of twenty");
    // Removing the line does not lift it.
    for manifest in [edited.clone(), protect("true", &edited)] {
        project.manifest(&manifest);
        check_refused(&project, "protected");
    }
    project.manifest(&protect("false", &edited));
    settle(&project, &YOUNG, 2);
}

#[test]
fn a_protected_asset_is_deleted_in_two_applies() {
    let project = Project::applied();
    let protect = |value: &str| format!("{PEOPLE}cells:\n  body/slim/photo: {{ protect: {value} }}\n");
    project.manifest(&protect("true"));
    project.apply();
    let without = PEOPLE.replace(WITHOUT_SLIM.0, "");
    project.manifest(&format!("{without}removed: [\"body/slim/*\"]\n"));
    check_refused(&project, "protected");
    project.run(&["destroy", "people", "--yes"]).expect(3);
    project.manifest(&protect("false"));
    project.apply();
    project.manifest(&format!("{without}removed: [\"body/slim/*\"]\n"));
    settle(&project, &["body/slim/anime delete", "body/slim/photo delete"], 0);
}

#[test]
fn a_changed_key_that_no_rename_covers_is_refused() {
    let project = Project::applied();
    let other =
        PEOPLE.replace("key: [group, value, style]", "key: [value, style]").replace("table: people", "table: others");
    project.manifest(&other);
    check_refused(&project, "key");
    project.manifest(&format!(
        "{other}moved:\n  - {{ from: \"age/*/*\", to: \"*/*\" }}\n  - {{ from: \"body/*/*\", to: \"*/*\" }}\n"
    ));
    let document = project.plan();
    assert_eq!(document["summary"]["move"], 8, "{document}");
    project.apply();
    assert_eq!(project.paints(), 8);
    project.assert_settled();
}

// Several collections.

const PLACES: &str = r#"version: 1
collection: places
key: [group, value, style]
defaults: { generator: painter, width: 64, height: 96, seed: 3, prompt: "a view of {{ value }}" }
images:
  - matrix: { group: place, value: [harbour, market], style: photo }
renditions:
  main: { format: png, path: "places/{{ value }}-{{ digest }}.{{ ext }}" }
publish:
  table: people
  columns: { image_url: "{{ url }}", seed: "{{ seed }}", prompt: "{{ prompt }}" }
"#;

#[test]
fn two_collections_share_an_environment_and_a_table() {
    let project = Project::applied();
    project.write("manifests/places.yaml", PLACES);
    settle(&project, &["place/harbour/photo generate", "place/market/photo generate"], 2);
    assert_eq!(project.rows().len(), 10);
    assert_eq!(project.plan()["notes"], serde_json::json!([]), "the rows of one are not extra to the other");
    project.ok(&["destroy", "places", "--yes"]);
    assert_eq!(project.rows().len(), 8);
    fs::remove_file(project.root().join("manifests/places.yaml")).unwrap();
    project.assert_settled();
}

#[test]
fn a_collection_without_a_manifest_is_noted_and_left_alone() {
    let project = Project::applied();
    project.write("manifests/places.yaml", PLACES);
    project.apply();
    fs::remove_file(project.root().join("manifests/places.yaml")).unwrap();
    let document = project.plan();
    assert_eq!(planned(&document), Vec::<String>::new());
    assert!(document["notes"].to_string().contains("places"), "{}", document["notes"]);
    assert_eq!(project.rows().len(), 10);
}

#[test]
fn a_bad_manifest_stops_only_its_own_collection() {
    let project = Project::new(PEOPLE);
    project.write("manifests/places.yaml", &PLACES.replace("seed: 3", "sede: 3"));
    let ran = project.run(&["plan"]).expect(1);
    assert!(ran.stderr.contains("did you mean `seed`?") && ran.stdout.contains("8 to generate"), "{}", ran.stderr);
    let ran = project.run(&["apply", "--yes"]).expect(1);
    assert!(ran.stderr.contains("1 manifest cannot be used"), "{}", ran.stderr);
    assert_eq!(project.rows().len(), 8);
    project.write("manifests/places.yaml", PLACES);
    settle(&project, &["place/harbour/photo generate", "place/market/photo generate"], 2);
}

#[test]
fn two_manifests_with_one_name_stop_both() {
    let project = Project::new(PEOPLE);
    project.write("manifests/twin.yaml", PEOPLE);
    project.write("manifests/places.yaml", PLACES);
    let ran = project.run(&["apply", "--yes"]).expect(1);
    assert!(
        ran.stderr.contains("the collection `people` is declared in manifests/people.yaml already"),
        "{}",
        ran.stderr
    );
    assert_eq!(project.rows().len(), 2);
}

// Plans write nothing.

#[test]
fn a_plan_writes_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let fresh = Project::new(PEOPLE);
    let applied = Project::applied();
    applied.edit("a young woman", "a woman of twenty");
    fs::remove_file(applied.picture("body/tall/photo")).unwrap();
    let locked = applied.copy();
    for path in locked.listing().into_keys() {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    for project in [&fresh, &applied, &locked] {
        let before = project.listing();
        for args in [
            &["plan"][..],
            &["plan", "--json"],
            &["plan", "--no-refresh"],
            &["plan", "--take-storage"],
            &["validate"],
            &["list"],
            &["show", "age/young/photo"],
            &["explain", "age/young/photo"],
            &["unlock"],
        ] {
            project.ok(args);
            assert_eq!(project.listing(), before, "{args:?}");
        }
        project.run(&["check"]).expect(2);
        assert_eq!(project.listing(), before, "check");
    }
    for path in locked.listing().into_keys() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

// Selections.

#[test]
fn a_selection_limits_what_is_planned_and_applied() {
    let project = Project::applied();
    project.edit("model: first", "model: second");
    let of = |args: &[&str]| {
        planned(&project.plan_with(args))
            .iter()
            .map(|line| line.split_once(' ').unwrap().0.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&["--only", "age/young/*"]), ["age/young/anime", "age/young/photo"]);
    assert_eq!(of(&["--only", "people:age/*/*", "--except", "style=anime"]), ["age/aged/photo", "age/young/photo"]);
    let ran = project.run(&["plan", "--only", "other:*/*/*"]).expect(1);
    assert!(ran.stderr.contains("`other:*/*/*` matches no asset"), "{}", ran.stderr);
    let document = project.plan_with(&["--only", "age/young/*"]);
    assert_eq!(document["complete"], false);
    project.ok(&["apply", "--yes", "--only", "style=anime", "--except", "body/*/*"]);
    assert_eq!(project.paints(), 10);
    assert_eq!(project.plan()["summary"]["generate"], 6);
}

#[test]
fn a_selection_limits_deletions_too() {
    let project = Project::applied();
    project.edit(WITHOUT_SLIM.0, WITHOUT_SLIM.1);
    assert_eq!(planned(&project.plan_with(&["--only", "style=photo"])), ["body/slim/photo delete"]);
    assert_eq!(planned(&project.plan_with(&["--except", "body/*/*"])), Vec::<String>::new());
}

#[test]
fn without_refresh_only_what_is_recorded_is_compared() {
    let project = Project::applied();
    fs::remove_file(project.picture("body/tall/photo")).unwrap();
    assert_eq!(planned(&project.plan_with(&["--no-refresh"])), Vec::<String>::new());
    project.edit("a young woman", "a woman of twenty");
    assert_eq!(planned(&project.plan_with(&["--no-refresh"])), YOUNG);
    project.ok(&["apply", "--yes", "--no-refresh"]);
    settle(&project, &["body/tall/photo repair"], 0);
}

#[test]
fn a_row_that_two_collections_would_publish_is_refused_before_anything_is_written() {
    let twin = PEOPLE.replace("collection: people", "collection: twins").replace("model: first", "model: other");
    for project in [Project::applied(), Project::new(PEOPLE)] {
        project.write("manifests/twins.yaml", &twin);
        let before = project.listing();
        let ran = project.run(&["apply", "--yes"]).expect(1);
        let words = "the row `age/young/photo` of the table `people` would belong to `people` and to `twins`";
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert_eq!(project.listing(), before);
    }
    // The owner is known by its records, too.
    let project = Project::applied();
    project.write("twins.yaml", &twin);
    let ran = project.run(&["apply", "--yes", "twins.yaml"]).expect(1);
    assert!(
        ran.stderr.contains("would belong to `people` and to `twins`") && ran.stderr.contains("`moved`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_rendition_whose_original_is_lost_is_painted_again() {
    let project = Project::applied();
    let original = project.query(
        "SELECT path FROM pixform_originals o JOIN pixform_records r USING (recipe) WHERE key = 'age/young/photo'",
    );
    fs::remove_file(project.storage().join(&original[0])).unwrap();
    project.edit("quality: 90", "quality: 60");
    let document = project.plan();
    assert_eq!((&document["summary"]["generate"], &document["summary"]["render"]), (&1.into(), &7.into()));
    assert!(reasons(&document, "age/young/photo").contains(&"original_missing".to_owned()));
    project.apply();
    assert_eq!(project.paints(), 9);
    project.assert_settled();
}

#[test]
fn a_damaged_original_is_no_source_of_pictures() {
    let project = Project::applied();
    let original = project.query(
        "SELECT path FROM pixform_originals o JOIN pixform_records r USING (recipe) WHERE key = 'age/young/photo'",
    );
    let path = project.storage().join(&original[0]);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let rows = project.rows();
    project.edit("quality: 90", "quality: 60");
    let ran = project.run(&["apply", "--yes"]).expect(4);
    assert!(ran.stderr.contains("people:age/young/photo: the original `originals/"), "{}", ran.stderr);
    assert!(ran.stdout.contains("7 rendered, 1 failed"), "{}", ran.stdout);
    assert_eq!(project.rows()["age/young/photo"], rows["age/young/photo"], "one bad asset stops only itself");
    project.run(&["check", "--deep"]).expect(2);
    // The next plan knows, and the picture is painted again.
    settle(&project, &["age/young/photo generate"], 1);
}

#[test]
fn another_table_gets_all_rows_and_nothing_is_painted() {
    let project = Project::applied();
    project.edit("table: people", "table: persons");
    project.apply();
    assert_eq!(project.query("SELECT count(*) FROM persons"), ["8"]);
    assert_eq!(project.paints(), 8);
    project.assert_settled();
}

#[test]
fn a_rename_is_applied_once_and_its_line_may_stay_or_go() {
    let project = Project::applied();
    let moved = "moved:\n  - { from: age/young/*, to: age/adult/* }\n";
    project.manifest(&format!("{}{moved}", PEOPLE.replace("young: ", "adult: ")));
    project.apply();
    // The old key is declared anew beside the line that names it: it is another asset now.
    let both = PEOPLE.replace("        aged: ", "        adult: { vars: { subject: a young woman } }\n        aged: ");
    project.manifest(&format!(
        "{}{moved}",
        both.replace("young: { vars: { subject: a young woman }", "young: { vars: { subject: a boy of nineteen }")
    ));
    settle(&project, &YOUNG, 2);
    assert_eq!(project.rows().len(), 10);
}

#[test]
fn a_rename_together_with_a_twin_recipe_is_carried_out_in_one_apply() {
    let project = Project::new(&PEOPLE.replace("seed: derived", "seed: 7"));
    project.apply();
    // `adult` is renamed and gets the recipe that the new asset `fresh`, further up, is painted for.
    let manifest = PEOPLE.replace("seed: derived", "seed: 7").replace(
        "        young: { vars: { subject: a young woman } }\n",
        "        fresh: { vars: { subject: a brave person } }\n        adult: { vars: { subject: a brave person } }\n",
    );
    project.manifest(&format!("{manifest}moved:\n  - {{ from: age/young/*, to: age/adult/* }}\n"));
    let document = project.plan();
    assert_eq!((&document["summary"]["generate"], &document["summary"]["reuse"]), (&2.into(), &2.into()));
    project.apply();
    assert_eq!(project.paints(), 10);
    project.assert_settled();
}

#[test]
fn a_manifest_that_publishes_no_row_any_more_paints_nothing() {
    let project = Project::applied();
    project.manifest(PEOPLE.split("publish:").next().unwrap());
    project.apply();
    assert_eq!(project.paints(), 8);
    project.assert_settled();
}

#[test]
fn a_table_that_cannot_take_the_rows_is_told_by_plan_with_the_words_that_mend_it() {
    for (damage, words) in [
        ("ALTER TABLE people DROP COLUMN prompt", "ALTER TABLE"),
        ("ALTER TABLE people RENAME COLUMN value TO worth", "ALTER TABLE"),
    ] {
        let project = Project::applied();
        project.execute(damage);
        let before = project.listing();
        for args in [&["plan"][..], &["apply", "--yes"]] {
            let ran = project.run(args).expect(1);
            assert!(ran.stderr.contains("the table `people` cannot take the rows of `people`"), "{}", ran.stderr);
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
            assert_eq!(project.listing(), before);
        }
        project.run(&["check"]).expect(2);
    }
}

#[test]
fn columns_that_no_manifest_declares_are_neither_compared_nor_written() {
    let project = Project::applied();
    project.execute("ALTER TABLE people ADD COLUMN likes INTEGER NOT NULL DEFAULT 0");
    project.execute("UPDATE people SET likes = 7");
    project.assert_settled();
    project.edit("a young woman", "a woman of twenty");
    project.apply();
    assert_eq!(project.query("SELECT DISTINCT likes FROM people"), ["7"]);
    project.assert_settled();
}
