//! Adopting a product that a script made: it costs nothing, and changes no row, no file and no URL.

use std::fs;

use crate::product::{SEEDS, manifest, old_files, old_path, product, whole_table};
use crate::project::{KEYS, Project, planned, reasons};

fn all(action: &str) -> Vec<String> {
    KEYS.iter().map(|key| format!("{key} {action}")).collect()
}

/// Imports, and asserts that nothing of the product changed, nothing was made, and nothing is left to do.
fn adopt(project: &Project) {
    let before = (whole_table(project), old_files(project));
    let said = project.ok(&["import", "--yes"]);
    assert!(said.contains("Applied: 8 adopted. Cost: $0.00."), "{said}");
    assert_eq!(project.paints(), 0);
    assert!((whole_table(project), old_files(project)) == before, "the product stays as it was");
    project.assert_settled();
}

#[test]
fn a_plan_says_first_that_rows_are_there() {
    let project = product();
    let said = project.ok(&["plan"]);
    assert_eq!(
        said.lines().next().unwrap(),
        "8 rows exist that pixform did not make: `pixform import --dry-run`",
        "{said}"
    );
    assert!(said.contains("Plan: 8 to adopt; 0 unchanged. Estimated cost: $0.00."), "{said}");
    let notes = project.plan()["notes"].to_string();
    assert!(notes.contains("people: 8 rows exist that pixform did not make"), "{notes}");
    let events = project.ok(&["plan", "--json"]);
    let second = events.lines().nth(1).unwrap();
    assert!(second.starts_with(r#"{"type":"plan_note","message":"people: 8 rows exist"#), "{events}");
    insta::with_settings!({ filters => [(r"in \d+ ms|in \d\.\d s", "in [time]"), ("Database: .*", "Database: [place]")] }, {
        insta::assert_snapshot!(said, @r"
        8 rows exist that pixform did not make: `pixform import --dry-run`
        people · local · compared with 8 rows and 0 files in [time]

          @ age/young/photo   adopt
          @ age/young/anime   adopt
          @ age/aged/photo    adopt
          @ age/aged/anime    adopt
          @ body/slim/photo   adopt
          @ body/slim/anime   adopt
          @ body/tall/photo   adopt
          @ body/tall/anime   adopt
              assumed, for the rows do not tell: generator, model, steps

          @ adopt   takes over the picture and the row that are there; costs nothing

        Plan: 8 to adopt; 0 unchanged. Estimated cost: $0.00.
        ");
    });
}

#[test]
fn what_fits_is_adopted_for_nothing_and_changes_nothing() {
    let project = product();
    assert_eq!(project.planned(), all("adopt"));
    adopt(&project);
    let said = project.ok(&["import", "--yes"]);
    assert_eq!(said, "Nothing to adopt.\n");
    let seeds = project.query("SELECT recipe ->> 'seed' FROM pixform_record_details ORDER BY key");
    assert_eq!(seeds, SEEDS.map(|seed| seed.to_string()));
}

#[test]
fn applying_adopts_too() {
    let project = product();
    let before = (whole_table(&project), old_files(&project));
    project.apply();
    assert_eq!(project.paints(), 0);
    assert!((whole_table(&project), old_files(&project)) == before);
    project.assert_settled();
}

#[test]
fn a_dry_run_writes_nothing() {
    let project = product();
    let before = project.listing();
    let said = project.ok(&["import", "--dry-run"]);
    assert!(said.contains("Plan: 8 to adopt"), "{said}");
    assert_eq!(said.matches("assumed, for the rows do not tell: generator, model, steps").count(), 1, "{said}");
    assert!(project.listing() == before);
}

#[test]
fn the_bytes_are_kept_as_originals_and_the_old_file_is_never_ours() {
    let project = product();
    adopt(&project);
    let originals = project.query("SELECT path FROM pixform_originals WHERE current = 1");
    assert_eq!(originals.len(), 8);
    let mut kept: Vec<_> = originals.iter().map(|path| fs::read(project.storage().join(path)).unwrap()).collect();
    let mut old: Vec<_> = old_files(&project).into_iter().map(|(_, bytes, _)| bytes).collect();
    kept.sort();
    old.sort();
    assert!(kept == old, "the very same bytes");
    assert_eq!(project.query("SELECT count(*) FROM pixform_objects"), ["0"]);
    let ran = project.run(&["check", "--deep"]).expect(0);
    assert!(!ran.stderr.contains("nothing knows"), "{}", ran.stderr);
}

#[test]
fn an_edit_after_adopting_makes_exactly_its_pictures_and_undoing_it_costs_nothing() {
    let project = product();
    adopt(&project);
    project.edit("a young woman", "a woman of twenty");
    assert_eq!(project.planned(), ["age/young/anime generate", "age/young/photo generate"]);
    project.apply();
    assert_eq!(project.paints(), 2);
    project.manifest(&manifest());
    assert_eq!(project.planned(), ["age/young/anime reuse", "age/young/photo reuse"]);
    project.apply();
    assert_eq!(project.paints(), 2);
    project.assert_settled();
}

/// Applies an edit and takes it back; whatever else may have happened in between.
fn edit_and_revert(project: &Project, edit: (&str, &str)) {
    project.edit(edit.0, edit.1);
    project.apply();
    project.edit(edit.1, edit.0);
    project.apply();
    project.assert_settled();
}

/// Returns rows in which every URL is encoded in one way: once written by pixform, it is so in pixform's.
fn spelt_alike(rows: Vec<String>) -> Vec<String> {
    rows.into_iter().map(|row| row.replace("%2B", "+")).collect()
}

#[test]
fn an_edit_that_is_undone_gives_the_adopted_files_back_under_their_urls() {
    let project = product();
    adopt(&project);
    let before = (whole_table(&project), old_files(&project));
    for edit in [
        ("subject: a young woman", "subject: a woman of twenty"),
        ("format: jpeg, quality: 90", "format: webp"),
        ("quality: 90", "quality: 50"),
        ("path: \"people/", "path: \"elsewhere/"),
    ] {
        project.edit(edit.0, edit.1);
        project.apply();
        let ran = project.run(&["check"]).expect(0);
        assert!(!ran.stderr.contains("nothing knows"), "{edit:?}: {}", ran.stderr);
        project.edit(edit.1, edit.0);
        project.apply();
        project.assert_settled();
        assert_eq!(spelt_alike(whole_table(&project)), spelt_alike(before.0.clone()), "{edit:?}");
        assert!(old_files(&project) == before.1, "{edit:?}");
    }
    project.edit("subject: a young woman", "subject: a woman of twenty");
    project.apply();
    project.ok(&["gc", "--older-than", "0s", "--yes"]);
    assert_eq!(old_files(&project), before.1, "what is the product's is never deleted");
}

#[test]
fn the_adopted_bytes_come_back_after_a_rename_and_an_acceptance_too() {
    let project = product();
    adopt(&project);
    let bytes = fs::read(project.picture("age/young/photo")).unwrap();
    let twin = project.copy();
    // A rename while another picture is live leads to what the rename alone leads to.
    let rename = |project: &Project| {
        project.edit("        young:", "        fresh:");
        project.edit("renditions:", "moved: [{ from: age/young/*, to: age/fresh/* }]\nrenditions:");
        project.apply();
    };
    project.edit("subject: a young woman", "subject: a woman of twenty");
    project.apply();
    rename(&project);
    project.edit("subject: a woman of twenty", "subject: a young woman");
    project.apply();
    project.assert_settled();
    rename(&twin);
    assert_eq!(project.rows(), twin.rows());
    assert!(fs::read(project.picture("age/fresh/photo")).unwrap() == bytes, "the very same bytes");
    edit_and_revert(&twin, ("subject: a young woman", "subject: a woman of twenty"));
    assert_eq!(project.rows(), twin.rows());
    // A picture that was accepted for another recipe is the same picture.
    let accepted = product();
    adopt(&accepted);
    accepted.edit("steps: 20", "steps: 21");
    accepted.ok(&["accept", "*/*/*", "--yes"]);
    let urls = spelt_alike(accepted.query("SELECT image_url FROM people ORDER BY id"));
    edit_and_revert(&accepted, ("subject: a young woman", "subject: a woman of twenty"));
    assert_eq!(spelt_alike(accepted.query("SELECT image_url FROM people ORDER BY id")), urls);
}

#[test]
fn an_adopted_file_that_the_product_replaced_is_not_given_back() {
    let project = product();
    adopt(&project);
    let old = project.picture("age/young/photo");
    let bytes = fs::read(&old).unwrap();
    project.edit("subject: a young woman", "subject: a woman of twenty");
    project.apply();
    // Of the same size, which only its bytes tell.
    let mut other = bytes.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    fs::write(&old, &other).unwrap();
    project.edit("subject: a woman of twenty", "subject: a young woman");
    project.apply();
    let picture = project.picture("age/young/photo");
    assert!(picture != old && fs::read(picture).unwrap() == bytes, "the very same bytes, in a file of ours");
    assert!(fs::read(&old).unwrap() == other, "and the product's file is left alone");
    project.assert_settled();
}

#[test]
fn the_adopted_seed_stays_also_where_it_is_derived_from_labels() {
    let project = product();
    project.edit("seed: derived", "seed: { derived: [group, value] }");
    adopt(&project);
    project.edit("steps: 20", "steps: 21");
    project.apply();
    let seeds = project.query("SELECT recipe ->> 'seed' FROM pixform_record_details ORDER BY key");
    assert_eq!(seeds, SEEDS.map(|seed| seed.to_string()));
}

#[test]
fn a_row_that_says_otherwise_is_not_adopted_and_both_values_are_told() {
    let project = product();
    project.execute("UPDATE people SET prompt = 'a photograph of a cat' WHERE value = 'young' AND style = 'photo'");
    project.execute("UPDATE people SET width = 512 WHERE value = 'slim' AND style = 'photo'");
    let plan = project.plan();
    let others = planned(&plan).into_iter().filter(|line| line.ends_with(" adopt")).count();
    assert_eq!(others, 6);
    assert_eq!(reasons(&plan, "age/young/photo"), ["new", "row_differs prompt"]);
    assert_eq!(reasons(&plan, "body/slim/photo"), ["new", "row_differs width"]);
    let before = whole_table(&project);
    let said = project.ok(&["import", "--yes"]);
    insta::with_settings!({ filters => [(r"in \d+ ms|in \d\.\d s", "in [time]"), ("Database: .*", "Database: [place]")] }, {
        insta::assert_snapshot!(said, @r"
        2 rows are there and not adopted; they stay as they are. `pixform apply` would make new pictures for them, `pixform accept` takes the old:

          people:age/young/photo
              row and manifest: prompt   manifests/people.yaml:11
                a photograph of a [-cat-] {+young woman+}
          people:body/slim/photo
              row and manifest: width 512 → 64   manifests/people.yaml:8

        people · local · compared with 8 rows and 0 files in [time]

          @ age/young/anime   adopt
          @ age/aged/photo    adopt
          @ age/aged/anime    adopt
          @ body/slim/anime   adopt
          @ body/tall/photo   adopt
          @ body/tall/anime   adopt
              assumed, for the rows do not tell: generator, model, steps

          @ adopt   takes over the picture and the row that are there; costs nothing

        Plan: 6 to adopt; 0 unchanged. Estimated cost: $0.00.

        Applied: 6 adopted. Cost: $0.00.
        Pictures: .pixform/storage
        Database: [place]
        ");
    });
    assert_eq!((project.paints(), whole_table(&project)), (0, before));
    assert_eq!(project.planned(), ["age/young/photo generate", "body/slim/photo generate"]);
}

#[test]
fn a_picture_that_cannot_be_found_is_not_adopted() {
    let project = product();
    fs::remove_file(project.storage().join(old_path(KEYS[0]))).unwrap();
    project.execute("UPDATE people SET image_url = 'https://elsewhere.example.com/1.jpg' WHERE seed = 7");
    project.execute("UPDATE people SET image_url = NULL WHERE seed = 42");
    let plan = project.plan();
    assert_eq!(reasons(&plan, KEYS[0]), ["new", "object_missing main"]);
    assert_eq!(reasons(&plan, KEYS[1]), ["new", "row_elsewhere image_url"]);
    assert_eq!(reasons(&plan, KEYS[7]), ["new", "row_names_no_picture"]);
    assert_eq!(plan["summary"]["adopt"], 5);
    let said = project.ok(&["plan"]);
    assert!(said.contains("its row cannot be adopted: its file is missing (old/age-aged-anime+.jpg)"), "{said}");
    let said = project.ok(&["import", "--dry-run"]);
    assert!(said.contains("3 rows are there and not adopted"), "{said}");
}

#[test]
fn an_explicit_seed_must_agree_and_a_seed_that_is_none_is_assumed() {
    let project = product();
    project.edit("seed: derived", "seed: 7");
    project.execute("UPDATE people SET seed = NULL WHERE seed = 0");
    project.execute("UPDATE people SET seed = -5 WHERE seed = 42");
    let plan = project.plan();
    assert_eq!(reasons(&plan, KEYS[1]), ["new", "fields_assumed"]);
    assert_eq!(reasons(&plan, KEYS[2]), ["new", "row_differs seed"]);
    assert_eq!(plan["summary"]["adopt"], 3);
    let of = |key: &str| {
        let changes = plan["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["key"] == key).unwrap();
        change["reasons"][1]["new"].as_str().unwrap().to_owned()
    };
    assert_eq!(of(KEYS[1]), "generator, model, steps");
    assert_eq!(of(KEYS[0]), "generator, model, steps, seed");
    assert_eq!(of(KEYS[7]), "generator, model, steps, seed");
}

#[test]
fn columns_that_are_no_recipe_are_facts_and_stay() {
    let project = product();
    project.edit("    seed: \"{{ seed }}\"\n", "    seed: \"{{ seed }}\"\n    title: \"{{ value }}, {{ style }}\"\n");
    project.execute("ALTER TABLE people ADD COLUMN title TEXT");
    project.execute("UPDATE people SET title = 'The ' || value");
    let plan = project.plan();
    assert_eq!(reasons(&plan, KEYS[0]), ["new", "column_kept title", "seed_taken seed", "fields_assumed"]);
    adopt(&project);
    // What is kept is no drift, and a repair of another column leaves it alone.
    project.execute("UPDATE people SET prompt = 'edited' WHERE seed = 42");
    let plan = project.plan();
    assert_eq!(reasons(&plan, KEYS[7]), ["row_edited prompt"]);
    project.apply();
    project.assert_settled();
    assert_eq!(project.query("SELECT title FROM people WHERE seed = 42"), ["The tall"]);
}

#[test]
fn texts_with_the_recipe_in_them_decide() {
    let project = product();
    let column = "    note: \"{{ prompt }} ({{ steps }} steps)\"\n";
    project.edit("    seed: \"{{ seed }}\"\n", &format!("    seed: \"{{{{ seed }}}}\"\n{column}"));
    project.execute("ALTER TABLE people ADD COLUMN note TEXT");
    project.execute("UPDATE people SET note = prompt || '  (20 steps) '");
    project.execute("UPDATE people SET note = prompt || ' (30 steps)' WHERE seed = 42");
    let plan = project.plan();
    assert_eq!(plan["summary"]["adopt"], 7);
    assert_eq!(reasons(&plan, KEYS[7]), ["new", "row_differs note"]);
}

#[test]
fn another_rendition_is_rendered_after_adopting() {
    let project = product();
    let thumb = "renditions:\n  thumb: { format: webp, width: 16, path: \"people/thumb/{{ group }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}\" }";
    project.edit("renditions:", thumb);
    let before = whole_table(&project);
    assert!(reasons(&project.plan(), KEYS[0]).contains(&"rendition_added thumb".to_owned()));
    project.ok(&["import", "--yes"]);
    assert_eq!(project.planned(), all("render"));
    project.apply();
    assert_eq!((project.paints(), whole_table(&project)), (0, before), "the main picture stays where it is");
    project.assert_settled();
}

#[test]
fn a_file_of_another_format_is_adopted_as_it_is() {
    let project = product();
    project.edit("format: jpeg, quality: 90", "format: webp");
    adopt(&project);
}

#[test]
fn what_is_no_picture_fails_alone() {
    let project = product();
    fs::write(project.storage().join(old_path(KEYS[3])), "<html>gone</html>").unwrap();
    let ran = project.run(&["import", "--yes"]).expect(4);
    assert!(ran.stdout.contains("Applied: 7 adopted, 1 failed."), "{}", ran.stdout);
    assert!(ran.stderr.contains("begins with an HTML page"), "{}", ran.stderr);
    assert!(ran.stderr.contains("visitors see: what they saw before: no row was switched"), "{}", ran.stderr);
    assert_eq!(project.planned(), [format!("{} adopt", KEYS[3])]);
}

#[test]
fn an_adopted_file_that_is_lost_is_put_back_from_its_original() {
    let project = product();
    adopt(&project);
    let bytes = fs::read(project.storage().join(old_path(KEYS[0]))).unwrap();
    fs::remove_file(project.storage().join(old_path(KEYS[0]))).unwrap();
    assert_eq!(project.planned(), [format!("{} repair", KEYS[0])]);
    project.apply();
    let picture = project.picture(KEYS[0]);
    assert!(picture.starts_with(project.storage().join("people")), "{}", picture.display());
    assert!(fs::read(picture).unwrap() == bytes, "the very same bytes");
    assert_eq!(project.paints(), 0);
    project.assert_settled();
}

#[test]
fn who_needs_the_same_picture_takes_the_adopted_one() {
    let project = product();
    let twin = "images:\n  - at: { group: age, value: twin, style: photo }\n    vars: { subject: an old man }\n";
    project.edit("images:\n", twin);
    project.edit("seed: derived", "seed: 7");
    project.execute("UPDATE people SET seed = 7");
    let plan = project.plan();
    assert_eq!((&plan["summary"]["adopt"], &plan["summary"]["reuse"]), (&8.into(), &1.into()));
    assert_eq!(reasons(&plan, "age/twin/photo"), ["new", "same_recipe"]);
    project.apply();
    assert_eq!(project.paints(), 0);
    project.assert_settled();
}

#[test]
fn keys_that_differ_only_in_case_are_named_and_not_bought() {
    let project = product();
    project.execute("UPDATE people SET style = 'Photo' WHERE style = 'photo'");
    let plan = project.plan();
    assert_eq!((&plan["summary"]["adopt"], &plan["summary"]["generate"]), (&4.into(), &4.into()));
    assert_eq!(plan["applyable"], false);
    let refusals = plan["refusals"].as_array().unwrap();
    assert_eq!(refusals.len(), 4);
    let texts: Vec<_> = refusals.iter().map(|refusal| refusal["way_out"].as_str().unwrap()).collect();
    assert_eq!(
        texts[0],
        r#"rename the row, `UPDATE people SET "style" = 'photo' WHERE "group" = 'age' AND "value" = 'aged' AND "style" = 'Photo';`, or declare it as `age/aged/Photo`"#
    );
    let ran = project.run(&["apply", "--yes"]).expect(3);
    assert!(
        ran.stdout.contains("`age/aged/photo` would be made, and the table has a row `age/aged/Photo`"),
        "{}",
        ran.stdout
    );
    // Others can be adopted all the same, and the way out leads on.
    project.ok(&["import", "--yes"]);
    assert_eq!(project.paints(), 0);
    for text in texts {
        project.execute(text.split('`').nth(1).unwrap());
    }
    project.ok(&["import", "--yes"]);
    assert_eq!(project.paints(), 0);
    project.assert_settled();
}

#[test]
fn rows_that_nothing_declares_are_told_and_stay() {
    let project = product();
    project.execute(r#"INSERT INTO people ("group", value, style) VALUES ('x', 'y', 'z')"#);
    let said = project.ok(&["plan"]);
    assert!(said.starts_with("9 rows exist that pixform did not make"), "{said}");
    assert!(said.contains("1 row belongs to no collection and stays as it is: x/y/z"), "{said}");
    adopt(&project);
    let said = project.ok(&["plan"]);
    assert!(!said.contains("did not make") && said.contains("belongs to no collection"), "{said}");
}

#[test]
fn without_looking_nothing_is_adopted_and_that_is_told() {
    let project = product();
    let said = project.ok(&["plan", "--no-refresh"]);
    assert!(said.contains("8 pictures would be made, and rows were not looked at (`--no-refresh`)"), "{said}");
    assert!(said.contains("Plan: 8 to generate"), "{said}");
}

#[test]
fn a_row_that_changes_between_plan_and_import_is_left_alone() {
    let project = product();
    let stopped = crate::project::Stopped::new(project.command(&["import", "--yes"]), "leased:1");
    project.execute("UPDATE people SET prompt = 'edited' WHERE seed = 42");
    let ran = stopped.go_on().expect(6);
    assert!(ran.stdout.contains("7 adopted, 1 failed"), "{}", ran.stdout);
    assert_eq!(project.planned(), [format!("{} generate", KEYS[7])]);
    assert_eq!(project.paints(), 0);
}

#[test]
fn a_killed_import_leaves_nothing_that_the_next_one_does_not_find() {
    for point in ["leased", "adopted-original", "adopted-put", "adopted-found", "synced", "committed"] {
        let project = product();
        let before = (whole_table(&project), old_files(&project));
        let output = project.command(&["import", "--yes"]).env("PIXFORM_CRASH", format!("{point}:1")).output();
        assert!(!output.unwrap().status.success(), "{point}");
        project.ok(&["import", "--yes"]);
        assert_eq!(project.paints(), 0, "{point}");
        assert!((whole_table(&project), old_files(&project)) == before, "{point}");
        project.assert_settled();
    }
}
