//! Renames: nothing is ever bought for one that can be understood, and one that cannot is a mistake with both lines named.

use crate::project::{PEOPLE, Project, planned};

/// [`PEOPLE`] with lines of `moved`.
fn with_lines(manifest: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("  - {{ {line} }}\n")).collect();
    format!("{manifest}moved:\n{lines}")
}

/// The same in another collection.
fn portraits(manifest: &str) -> String {
    manifest.replace("collection: people", "collection: portraits")
}

/// [`PEOPLE`] in which two values have swapped their names.
fn swapped() -> String {
    PEOPLE.replace("slim: {", "SWAP: {").replace("tall: {", "slim: {").replace("SWAP: {", "tall: {")
}

const SWAP: [&str; 2] = ["from: body/slim/*, to: body/tall/*", "from: body/tall/*, to: body/slim/*"];
const COLLECTION: &str = r#"from: "people:*/*/*", to: "*/*/*""#;

/// Applies a manifest to what was applied before: everything is only renamed, once, and each row keeps its id and seed.
fn check(project: &Project, manifest: &str, moves: usize) {
    let ids = |project: &Project| {
        let mut rows: Vec<_> = project.rows().into_values().collect();
        rows.iter_mut().for_each(|row| {
            let parts: Vec<_> = row.split(" | ").collect();
            *row = format!("{} {} {}", parts[0], parts[2], parts[3]);
        });
        rows.sort();
        rows
    };
    let (before, paints) = (ids(project), project.paints());
    project.manifest(manifest);
    let plan = planned(&project.plan());
    assert_eq!(plan.iter().filter(|line| line.ends_with(" move")).count(), moves, "{plan:?}");
    assert_eq!(plan.len(), moves, "{plan:?}");
    if moves > 0 {
        project.apply();
    }
    assert_eq!((project.paints(), ids(project)), (paints, before));
    project.assert_settled();
}

#[test]
fn a_collection_is_renamed_while_two_labels_swap_whatever_the_order_of_the_lines() {
    let [slim, tall] =
        [r#"from: "people:body/slim/*", to: body/tall/*"#, r#"from: "people:body/tall/*", to: body/slim/*"#];
    for lines in [[COLLECTION, slim, tall], [slim, COLLECTION, tall], [tall, slim, COLLECTION]] {
        let project = Project::applied();
        check(&project, &with_lines(&portraits(&swapped()), &lines), 8);
        // Its lines may go, in any order.
        check(&project, &with_lines(&portraits(&swapped()), &lines[1..]), 0);
        check(&project, &portraits(&swapped()), 0);
    }
}

#[test]
fn lines_of_which_one_begins_where_another_ends_across_collections_are_refused_with_both_named() {
    let project = Project::applied();
    project.manifest(&with_lines(&portraits(&swapped()), &[COLLECTION, SWAP[0], SWAP[1]]));
    let ran = project.run(&["plan"]);
    assert!(ran.code != 0, "{ran:?}");
    for words in [
        "two lines of `moved` are about `people:body/slim/anime`",
        "manifests/people.yaml:36:5 leads to `body/slim/anime`",
        "manifests/people.yaml:37:5 to `body/tall/anime`",
        r#"`{ from: "people:body/slim/anime", to: body/tall/anime }`"#,
    ] {
        let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(project.run(&["apply", "--yes"]).code, ran.code);
    assert_eq!(project.paints(), 8);
}

#[test]
fn a_swap_that_was_carried_out_stays_so_when_its_collection_gets_another_name() {
    let project = Project::applied();
    check(&project, &with_lines(&swapped(), &SWAP), 4);
    check(&project, &with_lines(&portraits(&swapped()), &[COLLECTION, SWAP[0], SWAP[1]]), 8);
    check(&project, &with_lines(&portraits(&swapped()), &SWAP), 0);
}

#[test]
fn a_swap_in_a_state_that_begins_with_it_swaps_nothing_later() {
    for seed in ["seed: derived", "seed: 7"] {
        let project = Project::new(&with_lines(&swapped(), &SWAP).replace("seed: derived", seed));
        project.apply();
        assert_eq!(project.paints(), 8);
        project.assert_settled();
    }
}

#[test]
fn renames_that_follow_one_another_are_caught_up_with_at_once() {
    let named = |name: &str| PEOPLE.replace("        slim:", &format!("        {name}:"));
    let lines = ["from: body/slim/*, to: body/thin/*", "from: body/thin/*, to: body/slender/*"];
    // One state is two renames behind, the other one.
    let behind = Project::applied();
    check(&behind, &with_lines(&named("slender"), &lines), 2);
    let step = Project::applied();
    check(&step, &with_lines(&named("thin"), &lines[..1]), 2);
    check(&step, &with_lines(&named("slender"), &lines), 2);
    check(&step, &named("slender"), 0);
    // A state that begins with the last gets the pictures that it would have had.
    let fresh = Project::new(&with_lines(&named("slender"), &lines));
    fresh.apply();
    assert_eq!(
        fresh.rows()["body/slender/photo"].split(" | ").nth(2),
        behind.rows()["body/slender/photo"].split(" | ").nth(2)
    );
    fresh.assert_settled();
}

#[test]
fn three_keys_change_places_in_a_circle() {
    let three = PEOPLE.replace(
        "        tall: { vars: { subject: a tall woman } }\n",
        "        tall: { vars: { subject: a tall woman } }\n        wide: { vars: { subject: a wide woman } }\n",
    );
    let project = Project::new(&three);
    project.apply();
    let circle = [("slim", "a slim man"), ("tall", "a tall woman"), ("wide", "a wide woman")]
        .iter()
        .fold(three.clone(), |text, (name, subject)| {
            text.replace(&format!("        {name}: {{ vars: {{ subject: {subject} }} }}\n"), "")
        });
    let turned = "        tall: { vars: { subject: a slim man } }\n        wide: { vars: { subject: a tall woman } }\n        \
                  slim: { vars: { subject: a wide woman } }\nrenditions:";
    let circle = circle.replace("renditions:", turned);
    let lines = [
        "from: body/slim/*, to: body/tall/*",
        "from: body/tall/*, to: body/wide/*",
        "from: body/wide/*, to: body/slim/*",
    ];
    check(&project, &with_lines(&circle, &lines), 6);
}

#[test]
fn of_two_lines_the_more_exact_counts_and_two_that_are_equally_exact_are_refused() {
    let named = PEOPLE.replace("        slim:", "        thin:").replace("        tall:", "        long:");
    let lines = [
        "from: body/*/photo, to: body/*/photo",
        "from: body/tall/*, to: body/long/*",
        "from: \"*/slim/*\", to: \"*/thin/*\"",
    ];
    check(&Project::applied(), &with_lines(&named, &lines), 4);
    let project = Project::applied();
    let named = named.replace(
        "        long: { vars: { subject: a tall woman } }\n",
        "        long: { vars: { subject: a tall woman } }\n        lean: { vars: { subject: a slim man } }\n",
    );
    let two = ["from: body/slim/*, to: body/thin/*", "from: \"*/slim/anime\", to: \"*/lean/anime\""];
    project.manifest(&with_lines(&named, &two));
    let plan = planned(&project.plan());
    assert!(plan.contains(&"body/lean/anime move".to_owned()), "the longer text is the more exact: {plan:?}");
    project
        .manifest(&with_lines(&named, &["from: body/slim/*, to: body/thin/*", "from: body/slim/*, to: body/lean/*"]));
    let ran = project.run(&["plan"]);
    assert!(ran.code != 0 && ran.stderr.contains("two lines of `moved`"), "{ran:?}");
    assert!(ran.stderr.contains("the more exact line counts"), "{ran:?}");
}

#[test]
fn what_is_renamed_is_not_removed() {
    let project = Project::applied();
    let named = PEOPLE.replace("        slim:", "        thin:");
    let lines = with_lines(&named, &["from: body/slim/*, to: body/thin/*"]);
    check(&project, &format!("{lines}removed: [ \"body/slim/*\" ]\n"), 2);
}
