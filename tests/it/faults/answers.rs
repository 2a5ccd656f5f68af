//! The shapes that good answers come in: documented in one place or another, and all of them understood.

use super::{BAKER, Case, check, happen};
use crate::fake::behaviour::{Behaviour, DebugInfo, ImagesAt, Nsfw, SeedAnswer, Ttl};
use crate::paid::{Paid, portraits};

const LOOKED_AT: &[(&str, &str)] = &[("enable_nsfw_detection", "true"), ("nsfw_detection_level", "2")];

fn of(name: &'static str, behaviour: fn(&mut Behaviour)) -> Case {
    Case { name, behaviour, ..Case::HEALED }
}

#[test]
fn every_shape_of_an_answer_is_understood() {
    check(&[
        of("images inside the task", |behaviour| behaviour.images = ImagesAt::Task),
        of("a time as text", |behaviour| behaviour.ttl = Ttl::Text),
        of("a time as number", |behaviour| behaviour.ttl = Ttl::Number),
        of("a time of zero", |behaviour| behaviour.ttl = Ttl::Zero),
        of("no extra", |behaviour| behaviour.seed = SeedAnswer::NoExtra),
        of("no debug info", |behaviour| behaviour.debug_info = DebugInfo::Empty),
        of("an empty detection", |behaviour| behaviour.nsfw = Nsfw::Empty),
    ]);
}

#[test]
fn the_seed_that_was_used_is_remembered_and_the_one_that_was_asked_for_is_published() {
    let cases = [
        (SeedAnswer::Text, Some("12345")),
        (SeedAnswer::Number, Some("12345")),
        (SeedAnswer::NoSeed, None),
        (SeedAnswer::NoExtra, None),
        (SeedAnswer::Other(3_000_000_001), Some("3000000001")),
        (SeedAnswer::OtherNumber(3_000_000_001), Some("3000000001")),
        (SeedAnswer::Other(i64::MAX), Some("9223372036854775807")),
        (SeedAnswer::Other(-1), None),
    ];
    for (answer, used) in cases {
        let paid = Paid::new(&portraits(1).replace("seed: derived", "seed: 12345"));
        paid.fake.set(|behaviour| behaviour.seed = answer);
        paid.apply(&[]).expect(0);
        let remembered = paid.project.query("SELECT seed FROM pixform_originals");
        assert_eq!(remembered, [used.unwrap_or("NULL")], "{answer:?}");
        assert_eq!(paid.project.query("SELECT seed FROM portraits"), ["12345"], "{answer:?}");
        let other = used.filter(|used| *used != "12345");
        let shown = paid.project.ok(&["show", "baker"]);
        assert_eq!(
            shown.lines().find(|line| line.contains("seed used")).and_then(|line| line.split(' ').next_back()),
            other
        );
        // A seed that differs is no reason to do anything.
        assert_eq!(paid.planned(), Vec::<String>::new(), "{answer:?}");
    }
}

#[test]
fn other_seeds_are_told_once_a_run_and_stand_where_a_seed_would_be_copied_from() {
    let paid = Paid::new(&portraits(3).replace("seed: derived", "seed: 12345"));
    paid.fake.set(|behaviour| behaviour.seed = SeedAnswer::Other(77));
    let applied = paid.apply(&[]).expect(0);
    let told = "warning: 3 pictures were made with other seeds than were asked for: portraits:";
    assert_eq!(applied.stderr.matches(told).count(), 1, "{}", applied.stderr);
    assert!(applied.stderr.contains("portraits:baker (asked for 12345, made with 77)"), "{}", applied.stderr);
    let shown = paid.project.ok(&["show", "baker"]);
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    let seed = lines.iter().position(|line| line.starts_with("seed ")).unwrap();
    assert!(lines[seed].ends_with("12345 is asked for"), "{shown}");
    assert!(lines[seed + 1].starts_with("seed used") && lines[seed + 1].ends_with(" 77"), "{shown}");
    let explained = paid.project.ok(&["explain", "baker"]);
    assert!(explained.contains("the published picture was made with seed 77, 12345 was asked for"), "{explained}");
}

#[test]
fn a_picture_that_is_looked_at_costs_more() {
    let paid = Paid::new(&portraits(1));
    paid.configure(LOOKED_AT, &[]);
    assert_eq!(paid.planned(), ["baker generate 0.0165"]);
    let first = paid.apply(&[]).expect(0);
    assert!(first.stdout.contains("Cost: $0.0165."), "{}", first.stdout);
    let charge = paid.fake.charges().remove(0);
    assert_eq!((charge.nsfw_detection, charge.nsfw_level), (true, 2));
    let extra = serde_json::json!({
        "response_image_type": "png", "enable_nsfw_detection": true, "nsfw_detection_level": 2
    });
    assert_eq!(charge.body["extra"], extra);
    // It is no part of the recipe: without it the picture is the same one.
    paid.configure(&[], &[]);
    assert_eq!(paid.planned(), Vec::<String>::new());
}

#[test]
fn a_flagged_picture_is_paid_for_and_never_published() {
    let paid = Paid::new(&portraits(1));
    paid.configure(LOOKED_AT, &[]);
    paid.fake.set(|behaviour| behaviour.nsfw = Nsfw::Flagged);
    let first = paid.apply(&[]).expect(7);
    for words in [
        "the picture of `baker` is paid for and cannot be used: the detection of unsafe pictures flags it \
         (confidence 97 of 100)",
        "portraits:baker waits for a decision: buy another, or change its recipe (`pixform apply --help` tells how)",
        "visitors see: what they saw before: no row was switched",
    ] {
        assert!(first.stderr.contains(words), "`{words}` is missing in:\n{}", first.stderr);
    }
    assert_eq!(paid.statuses(BAKER), ["rejected"]);
    assert!(paid.fake.requests().iter().all(|seen| !seen.path.starts_with("/files/")), "it is not even fetched");
    assert_eq!(paid.planned(), ["baker unknown 0.00"]);
    let plan = paid.project.ok(&["plan"]);
    assert!(plan.contains("paid for, and no picture that can be used (the detection of"), "{plan}");
    assert!(!plan.contains("take it as it is"), "{plan}");
    // Nobody can wave it through.
    paid.apply(&["--accept-rejected"]).expect(7);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (1, 0));
    paid.fake.set(|behaviour| behaviour.nsfw = Nsfw::Null);
    paid.apply(&["--retry-rejected"]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (2, 1));
}

#[test]
fn without_the_detection_nothing_is_flagged() {
    let paid =
        happen(&Case { name: "not looked at", behaviour: |behaviour| behaviour.nsfw = Nsfw::Flagged, ..Case::HEALED });
    let extra = serde_json::json!({ "response_image_type": "png" });
    assert_eq!(paid.fake.charges()[0].body["extra"], extra);
}
