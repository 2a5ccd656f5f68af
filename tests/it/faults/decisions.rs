//! What people decide about calls whose outcome is unknown, and what happens until they do.

use super::BAKER;
use crate::fake::script::OnSubmit;
use crate::paid::{Paid, portraits};

/// Four assets, one of which nobody knows the outcome of; the others are live.
fn doubtful() -> Paid {
    let paid = Paid::new(&portraits(4));
    paid.fake.fault_for("a baker", OnSubmit::LostAnswer);
    let first = paid.apply(&[]).expect(7);
    assert!(first.stdout.contains("Applied: 3 generated, 1 failed. Cost: $0.045."), "{}", first.stdout);
    assert!(first.stdout.contains("1 call has an unknown outcome, and may be charged too."), "{}", first.stdout);
    assert!(first.stderr.contains("visitors see: the new pictures of 3 assets"), "{}", first.stderr);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (4, 3));
    paid.fake.clear_faults();
    paid
}

#[test]
fn without_a_decision_everything_else_is_done_and_nothing_is_paid() {
    let paid = doubtful();
    assert_eq!(paid.planned(), ["baker unknown 0.00"]);
    let plan = paid.project.ok(&["plan"]);
    assert!(plan.contains("  ? baker   unknown   new; an earlier call was sent and may be paid for"), "{plan}");
    assert!(plan.contains("Plan: 1 unknown; 3 unchanged. Estimated cost: $0.00."), "{plan}");
    // An edit elsewhere is carried out all the same.
    paid.project.edit("in a dark uniform", "in a grey uniform");
    assert_eq!(paid.planned(), ["baker unknown 0.00", "pilot generate 0.015"]);
    let second = paid.apply(&[]).expect(7);
    assert!(second.stdout.contains("Applied: 1 generated, 1 undecided. Cost: $0.015."), "{}", second.stdout);
    let waits = "portraits:baker waits for a decision: send it again, and maybe pay twice, or write it off as spent (`pixform apply --help` tells how)";
    assert!(second.stderr.contains(waits), "{}", second.stderr);
    assert!(second.stderr.contains("next: pixform plan\n"), "{}", second.stderr);
    assert_eq!(paid.planned(), ["baker unknown 0.00"]);
    assert_eq!((paid.fake.charges().len(), paid.statuses(BAKER).len()), (5, 1));
}

#[test]
fn a_retry_is_planned_with_its_price_and_buys_once() {
    let paid = doubtful();
    let document = paid.project.plan_with(&["--retry-unknown"]);
    assert_eq!((&document["summary"]["generate"], &document["estimated_cost"]), (&1.into(), &"0.015".into()));
    assert_eq!(crate::project::reasons(&document, BAKER), ["new", "sent_again"]);
    paid.apply(&["--retry-unknown"]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (5, 4));
    let decisions: Vec<_> =
        paid.ledger().into_iter().filter(|line| line.key == BAKER).map(|line| line.decision).collect();
    assert_eq!(decisions, ["retried", ""]);
    paid.apply(&["--retry-unknown"]).expect(0);
    assert_eq!(paid.fake.charges().len(), 5);
}

#[test]
fn what_is_written_off_is_bought_by_the_next_run_only() {
    let paid = doubtful();
    let forgotten = paid.apply(&["--forget-unknown"]).expect(0);
    assert!(forgotten.stdout.contains("Applied: 1 written off. Cost: $0.00."), "{}", forgotten.stdout);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (4, 3));
    assert_eq!(paid.planned(), ["baker generate 0.015"]);
    paid.apply(&[]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (5, 4));
}

#[test]
fn an_environment_that_repeats_does_so_once_and_not_twice() {
    let repeats: &[(&str, &str)] = &[("on_unknown", "retry"), ("on_unknown_max", "1")];
    let once = Paid::new(&portraits(1));
    once.configure(&[], repeats);
    once.fake.fault(OnSubmit::LostAnswer);
    let repeated = once.apply(&[]).expect(0);
    assert!(repeated.stdout.contains("1 call has an unknown outcome, and may be charged too"), "{}", repeated.stdout);
    assert_eq!(
        (once.fake.charges().len(), once.statuses(BAKER)),
        (2, vec!["unknown".to_owned(), "finished".to_owned()])
    );

    let always = Paid::new(&portraits(1));
    always.configure(&[], repeats);
    always.fake.fault_always(OnSubmit::LostAnswer);
    let first = always.apply(&[]).expect(7);
    assert!(first.stdout.contains("2 calls have an unknown outcome"), "{}", first.stdout);
    assert_eq!((always.fake.charges().len(), always.statuses(BAKER).len()), (2, 2));
    // Nor does the next run repeat it.
    always.fake.clear_faults();
    assert_eq!(always.planned(), ["baker unknown 0.00"]);
    always.apply(&[]).expect(7);
    assert_eq!(always.fake.charges().len(), 2);
    always.apply(&["--retry-unknown"]).expect(0);
    assert_eq!((always.fake.charges().len(), always.published().len()), (3, 1));
}
