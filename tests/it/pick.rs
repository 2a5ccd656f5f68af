//! `pixform pick`: a take or a seed in the manifest, and nothing else in it changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use pixform::asset::Seed;
use pixform::manifest::{Pick, Picked, pick};
use proptest::prelude::*;

use crate::laws::{load, shape};
use crate::project::{KEYS, PEOPLE, Project, Stopped, planned, ran};

const KEY: &str = "age/aged/photo";

fn text(project: &Project) -> String {
    fs::read_to_string(project.root().join("manifests/people.yaml")).unwrap()
}

/// Asserts that a pick turns one manifest into another, and that its plan is about that asset only.
fn check(args: &[&str], before: &str, after: &str) {
    let project = Project::new(before);
    let told = project.run(&[&["pick"], args].concat()).expect(0);
    assert_eq!(text(&project), after);
    assert!(told.stderr.contains("next: pixform plan --only 'people:"), "{}", told.stderr);
}

/// Asserts that a pick is refused, that the file stays as it is, and what is said.
fn refused(args: &[&str], manifest: &str, said: &[&str]) {
    let project = Project::new(manifest);
    let listing = project.listing();
    let told = project.run(&[&["pick"], args].concat()).expect(1);
    assert!(project.listing() == listing, "a file was touched: {}", told.stderr);
    for words in said {
        assert!(told.stderr.contains(words), "`{words}` is not in:\n{}", told.stderr);
    }
}

fn with_cells(cells: &str) -> String {
    PEOPLE.replace("renditions:\n", &format!("{cells}renditions:\n"))
}

#[test]
fn a_picked_take_changes_the_plan_of_its_asset_only() {
    let project = Project::applied();
    let told = project.run(&["pick", KEY, "1"]).expect(0);
    assert_eq!(told.stdout, "manifests/people.yaml: `age/aged/photo` has take 1 now\n");
    assert_eq!(told.stderr.lines().last().unwrap(), "next: pixform plan --only 'people:age/aged/photo'");
    assert_eq!(planned(&project.plan()), ["age/aged/photo generate"]);
    project.apply();
    assert_eq!(project.ok(&["pick", KEY, "1"]), "manifests/people.yaml: `age/aged/photo` has take 1 already\n");
    project.ok(&["pick", KEY, "0"]);
    assert_eq!(planned(&project.plan()), ["age/aged/photo reuse"], "the first picture was kept");
}

#[test]
fn a_picked_seed_is_the_seed_of_the_recipe() {
    let project = Project::applied();
    project.ok(&["pick", KEY, "3"]);
    project.ok(&["pick", "people:age/aged/photo", "--seed", "9223372036854775807"]);
    assert!(text(&project).ends_with("cells:\n  age/aged/photo: { with: { take: 0, seed: 9223372036854775807 } }\n"));
    assert!(project.ok(&["show", KEY]).contains("9223372036854775807"));
    assert_eq!(planned(&project.plan()), ["age/aged/photo generate"]);
}

#[test]
fn comments_styles_and_line_ends_stay_as_they_are() {
    let entry = "age/aged/photo: { with: { take: 2 } }";
    check(&[KEY, "2"], PEOPLE, &format!("{PEOPLE}\ncells:\n  {entry}\n"));
    let crlf = PEOPLE.replace('\n', "\r\n");
    check(&[KEY, "2"], &crlf, &format!("{crlf}\r\ncells:\r\n  {entry}\r\n"));
    let cut = PEOPLE.trim_end();
    check(&[KEY, "2"], cut, &format!("{cut}\n\ncells:\n  {entry}\n"));
    for (before, after) in [
        (
            "# ä, 日本語\ncells:   # ours\n  \"*/*/anime\": { hold: true }   # all\t\n  # the end\n",
            "# ä, 日本語\ncells:   # ours\n  \"*/*/anime\": { hold: true }   # all\t\n  age/aged/photo: { with: { take: 2 } }\n  # the end\n",
        ),
        (
            "cells:\n  'age/aged/photo': { with: { seed: 7 }, protect: true }  # best\n",
            "cells:\n  'age/aged/photo': { with: { seed: 7, take: 2 }, protect: true }  # best\n",
        ),
        (
            "cells:\n  age/aged/photo:\n    # why\n    with:\n      take: 1   # second\n    hold: true\n",
            "cells:\n  age/aged/photo:\n    # why\n    with:\n      take: 2   # second\n    hold: true\n",
        ),
        (
            "cells: { age/aged/photo: { protect: true } } # flow\n",
            "cells: { age/aged/photo: { protect: true, with: { take: 2 } } } # flow\n",
        ),
        (
            "cells:\n  \"age/*/photo\": { with: { take: 5 } }\n",
            "cells:\n  \"age/*/photo\": { with: { take: 5 } }\n  age/aged/photo: { with: { take: 2 } }\n",
        ),
    ] {
        check(&[KEY, "2"], &with_cells(before), &with_cells(after));
    }
}

#[test]
fn a_key_that_yaml_would_misread_is_quoted() {
    let before =
        PEOPLE.replace("aged: {", "70+: {").replace("key: [group, value, style]", "key: [value, group, style]");
    check(&["70+/age/anime", "1"], &before, &format!("{before}\ncells:\n  70+/age/anime: {{ with: {{ take: 1 }} }}\n"));
    let before = PEOPLE.replace("aged: {", "-x: {").replace("key: [group, value, style]", "key: [value, group, style]");
    check(
        &["--", "-x/age/anime", "1"],
        &before,
        &format!("{before}\ncells:\n  \"-x/age/anime\": {{ with: {{ take: 1 }} }}\n"),
    );
}

#[test]
fn what_would_not_do_as_asked_is_left_with_the_line_to_type() {
    let line = "age/aged/photo: { with: { take: 2 } }";
    refused(
        &[KEY, "2"],
        &with_cells("cells:\n  age/aged/photo: { hold: false }\n  \"*/aged/*\": { with: { take: 9 } }\n"),
        &["`*/aged/*` in `cells` stands below the entry of `age/aged/photo`", "move the entry", line],
    );
    refused(
        &[KEY, "2"],
        &with_cells("cells:\n  age/aged/photo: &one { with: { take: 1 } }\n  age/aged/anime: *one\n"),
        &["would change more than `age/aged/photo`", line],
    );
    refused(
        &[KEY, "2"],
        &with_cells("cells:\n  age/aged/anime: &one { with: { take: 1 } }\n  age/aged/photo: *one\n"),
        &["written in a way that is not edited here", line, "manifests/people.yaml` was left as it is"],
    );
}

#[test]
fn arguments_that_mean_nothing_are_told_with_the_way_out() {
    refused(&["age/agde/photo", "1"], PEOPLE, &["no manifest declares", "did you mean `age/aged/photo`?"]);
    refused(&[KEY, "1000001"], PEOPLE, &["a take is a number from 0 to 1000000"]);
    refused(&[KEY, "-1"], PEOPLE, &["a take is a number from 0"]);
    refused(&[KEY, "--seed", "9223372036854775808"], PEOPLE, &["a seed is a number from 0 to 9223372036854775807"]);
    refused(&[KEY, "--seed", "-1"], PEOPLE, &["a seed is a number from 0"]);
    refused(&[KEY], PEOPLE, &["required"]);
    refused(&[KEY, "1", "--seed", "5"], PEOPLE, &["cannot be used with"]);
}

#[test]
fn of_two_collections_with_one_key_the_named_one_is_edited() {
    let project = Project::new(PEOPLE);
    let other = PEOPLE.replace("people", "others");
    project.write("manifests/others.yaml", &other);
    let told = project.run(&["pick", KEY, "1"]).expect(1).stderr;
    assert!(told.contains("is declared by `others` and by `people`"), "{told}");
    project.ok(&["pick", "others:age/aged/photo", "1"]);
    assert_eq!(text(&project), PEOPLE);
    let project = Project::new(PEOPLE);
    project.write("elsewhere/others.yaml", &other);
    let told = project.run(&["pick", KEY, "1", "--manifest", "elsewhere/others.yaml"]).expect(0).stdout;
    assert_eq!(told, "elsewhere/others.yaml: `age/aged/photo` has take 1 now\n");
    assert_eq!(text(&project), PEOPLE);
}

#[test]
fn a_link_stays_a_link_and_rights_stay_what_they_were() {
    let project = Project::new(PEOPLE);
    let link = project.root().join("manifests/people.yaml");
    let target = project.root().join("people.txt");
    fs::rename(&link, &target).unwrap();
    std::os::unix::fs::symlink("../people.txt", &link).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    project.ok(&["pick", KEY, "1"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&target).unwrap().contains("take: 1"));
    fs::set_permissions(&target, fs::Permissions::from_mode(0o440)).unwrap();
    let told = project.run(&["pick", KEY, "2"]).expect(1).stderr;
    assert!(told.contains("cannot be written"), "{told}");
    let mut names = fs::read_dir(project.root()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.all(|name| !name.to_str().unwrap().starts_with(".tmp")), "something is left beside it");
}

#[test]
fn no_variable_and_no_state_is_needed() {
    let project = Project::new(PEOPLE);
    project.write(
        "pixform.yaml",
        "version: 1\nenvironments:\n  production:\n    state: ${DATABASE_URL}\n    storage: { url: \"s3://b\", region: \"${REGION}\" }\n    generators: { painter: { kind: novita, price: 0.5, api_key: \"${KEY}\" } }\n",
    );
    let manifest = PEOPLE
        .replace("model: first", "model: first\n  sampler: Euler a\n  guidance_scale: 7")
        .replace("width: 64", "width: 512")
        .replace("height: 96", "height: 512");
    project.manifest(&manifest);
    project.ok(&["pick", KEYS[0], "4"]);
    assert!(text(&project).contains("age/aged/anime: { with: { take: 4 } }"));
}

#[test]
fn picks_at_once_are_all_done() {
    let project = Project::new(PEOPLE);
    project.write("manifests/others.yaml", &PEOPLE.replace("people", "others"));
    for take in ["1", "2"] {
        let pick = |collection: &str, key: &str| {
            let name = format!("{collection}:{key}");
            let mut command = project.command(&["pick", &name, take]);
            (name, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        };
        let picks: Vec<_> = KEYS.iter().flat_map(|key| [pick("people", key), pick("others", key)]).collect();
        for (name, child) in picks {
            let told = ran(child.wait_with_output().unwrap()).expect(0);
            assert!(told.stdout.contains("now"), "{name}: {}", told.stdout);
        }
        for file in ["manifests/people.yaml", "manifests/others.yaml"] {
            let text = fs::read_to_string(project.root().join(file)).unwrap();
            for key in KEYS {
                let entry = format!("  {key}: {{ with: {{ take: {take} }} }}\n");
                assert!(text.contains(&entry), "`{key}` was called done and is not there:\n{text}");
            }
        }
    }
}

#[test]
fn what_an_editor_saves_meanwhile_is_not_lost() {
    let edited = PEOPLE.replace("model: first", "model: second");
    let in_place = |path: &Path| fs::write(path, &edited).unwrap();
    let renamed = |path: &Path| {
        let beside = path.with_extension("swp");
        fs::write(&beside, &edited).unwrap();
        fs::rename(beside, path).unwrap();
    };
    for save in [&in_place as &dyn Fn(&Path), &renamed] {
        let project = Project::new(PEOPLE);
        let pick = Stopped::new(project.command(&["pick", KEY, "1"]), "manifest-compared:1");
        save(&project.root().join("manifests/people.yaml"));
        let told = pick.go_on().expect(1);
        assert_eq!((text(&project), told.stdout.as_str()), (edited.clone(), ""));
        assert!(told.stderr.contains("`manifests/people.yaml` was left as it is: it has changed"), "{}", told.stderr);
        let names: Vec<_> = fs::read_dir(project.root().join("manifests")).unwrap().collect();
        assert_eq!(names.len(), 1, "something is left beside it");
    }
}

#[test]
fn a_pick_waits_for_one_that_is_at_work_and_not_for_ever() {
    let project = Project::new(PEOPLE);
    let first = Stopped::new(project.command(&["pick", KEY, "1"]), "manifest-compared:1");
    let told = project.run(&["pick", KEYS[0], "1"]).expect(1);
    assert!(told.stderr.contains("another run is writing beside it"), "{}", told.stderr);
    first.go_on().expect(0);
    project.run(&["pick", KEYS[0], "1"]).expect(0);
}

proptest! {
    #[test]
    fn whatever_the_manifest_a_pick_changes_its_asset_only(
        shape in shape(),
        order in 0..50_usize,
        which in any::<prop::sample::Index>(),
        number in prop_oneof![0..3_u64, any::<u32>().prop_map(|seed| u64::from(seed) + 3)],
        crlf in any::<bool>(),
    ) {
        let text = shape.text(order);
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let before = load(&text);
        let keys: Vec<String> = shape.keys().into_iter().collect();
        let index = before.heads.find(which.get::<String>(&keys)).unwrap();
        let wanted = if number < 3 { Pick::Take(number as u32) } else { Pick::Seed(Seed::new(number).unwrap()) };
        match pick(&before.manifest, &before.heads, index, wanted) {
            Ok(Picked::Already) => prop_assert!(number < 3, "no seed of the shapes is so large"),
            Ok(Picked::Written(edited)) => {
                let after = load(&edited);
                for (number, (was, is)) in before.heads.all().iter().zip(after.heads.all()).enumerate() {
                    prop_assert_eq!(number != index, was == is, "{}", edited);
                }
                prop_assert_eq!(crlf, !edited.replace("\r\n", "").contains('\n'));
                let key = format!("{}/x:", before.heads.all()[index].key.as_str().trim_end_matches("/x"));
                let mut kept = edited.lines();
                let others = text.lines().filter(|line| !line.contains(&key));
                prop_assert!(others.into_iter().all(|line| kept.any(|kept| kept == line)), "{}", edited);
            }
            Err(error) => prop_assert!(false, "{error}\n{text}"),
        }
    }
}
