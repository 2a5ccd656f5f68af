//! What goes wrong while a task is asked after; that costs nothing, and nothing is paid for again.

use super::{BAKER, Case, check, happen};
use crate::fake::behaviour::FirstStatus;
use crate::fake::script::{OnPoll, RetryAfter};
use crate::paid::{Paid, portraits};

fn failed() -> OnPoll {
    OnPoll::Failed("out of memory on the worker".to_owned())
}

#[test]
fn what_passes_is_waited_for() {
    check(&[
        Case { name: "404 for a while", faults: |fake| fake.fault_next(3, OnPoll::NotFound), ..Case::HEALED },
        Case { name: "500", faults: |fake| fake.fault_next(2, OnPoll::GetResultFailed), ..Case::HEALED },
        Case { name: "502", faults: |fake| fake.fault_next(2, OnPoll::BadGateway), ..Case::HEALED },
        Case { name: "reset", faults: |fake| fake.fault_next(2, OnPoll::Reset), ..Case::HEALED },
        Case {
            name: "a status that nobody knows",
            behaviour: |behaviour| behaviour.first_status = FirstStatus::Unknown,
            ..Case::HEALED
        },
        Case { name: "success without an image", faults: |fake| fake.fault(OnPoll::NoImages), ..Case::HEALED },
        Case { name: "success without a list", faults: |fake| fake.fault(OnPoll::MissingImages), ..Case::HEALED },
    ]);
}

#[test]
fn a_pause_that_the_service_asks_for_is_kept() {
    let paid = happen(&Case {
        name: "429",
        faults: |fake| fake.fault(OnPoll::RateLimited(RetryAfter::Seconds(2))),
        ..Case::HEALED
    });
    let requests = paid.fake.requests();
    let polls: Vec<_> =
        requests.iter().filter(|seen| seen.path.ends_with("/task-result")).map(|seen| seen.at).collect();
    assert!((polls[1] - polls[0]).as_millis() >= 2_000, "{polls:?}");
}

#[test]
fn what_does_not_pass_is_left_to_the_next_run_or_lost() {
    const LONG: &[(&str, &str)] = &[("deadline", "10m")];
    const SHORT: &[(&str, &str)] = &[("deadline", "3s")];
    check(&[
        Case {
            name: "never ends",
            generator: SHORT,
            faults: |fake| fake.fault(OnPoll::NeverEnds),
            says: &["is paid for and still under way: it was not done within 3 seconds\n", "next: pixform apply\n"],
            ..Case::UNDER_WAY
        },
        Case {
            name: "500",
            generator: SHORT,
            faults: |fake| fake.fault_always(OnPoll::GetResultFailed),
            says: &["not done within 3 seconds (Novita answered 500 Internal Server Error, GET_RESULT_FAILED"],
            ..Case::UNDER_WAY
        },
        Case {
            name: "404",
            generator: SHORT,
            faults: |fake| fake.fault_always(OnPoll::NotFound),
            says: &["not done within 3 seconds (Novita answered 404 Not Found, TASK_NOT_FOUND"],
            ..Case::UNDER_WAY
        },
        Case {
            name: "no answer",
            generator: SHORT,
            faults: |fake| fake.fault_always(OnPoll::Stall),
            says: &["is paid for and still under way: it was not done within 3 seconds\n"],
            ..Case::UNDER_WAY
        },
        Case {
            name: "401",
            faults: |fake| fake.fault_always(OnPoll::Unauthorized),
            says: &["is paid for and still under way: the key is not accepted: check `api_key` (Novita answered 401"],
            ..Case::UNDER_WAY
        },
        Case {
            name: "success without an image, always",
            generator: LONG,
            faults: |fake| fake.fault_always(OnPoll::NoImages),
            reason: "the task is done, and has no picture",
            ..Case::LOST
        },
        Case {
            name: "404, always",
            generator: LONG,
            faults: |fake| fake.fault_always(OnPoll::NotFound),
            reason: "Novita answered 404 Not Found, TASK_NOT_FOUND",
            ..Case::LOST
        },
    ]);
}

#[test]
fn a_key_that_ran_out_in_the_middle_is_replaced_for_nothing() {
    let paid = Paid::new(&portraits(1));
    paid.fake.fault(OnPoll::Unauthorized);
    paid.apply(&[]).expect(4);
    paid.fake.set(|behaviour| behaviour.key = "new-test-key".to_owned());
    let old = paid.apply(&[]).expect(4);
    assert!(old.stderr.contains("the key is not accepted: check `api_key`"), "{}", old.stderr);
    assert_eq!(paid.statuses(BAKER), ["submitted"]);
    paid.apply_with(&[], &[("NOVITA_API_KEY", "new-test-key")]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (1, 1));
    assert_eq!(paid.statuses(BAKER), ["finished"]);
}

#[test]
fn a_failed_task_is_sent_again_twice() {
    check(&[
        Case {
            name: "failed once",
            faults: |fake| fake.fault(failed()),
            charges: 2,
            ledger: &["failed", "finished"],
            charges_in_all: 2,
            ..Case::HEALED
        },
        Case {
            name: "failed twice",
            faults: |fake| fake.fault_next(2, failed()),
            charges: 3,
            ledger: &["failed", "failed", "finished"],
            charges_in_all: 3,
            ..Case::HEALED
        },
        Case {
            name: "failed three times",
            faults: |fake| fake.fault_next(3, failed()),
            code: 7,
            charges: 3,
            ledger: &["failed", "failed", "failed"],
            reason: "out of memory on the worker",
            says: &[
                "the service failed at `baker` again and again: out of memory on the worker",
                "ask again, or change its recipe",
            ],
            planned: "unknown 0.00",
            plan_says: &[
                "the service failed three times (out of memory on the worker): ask again, or change its recipe",
            ],
            then: &["--retry-failed"],
            charges_in_all: 4,
            ..Case::HEALED
        },
    ]);
}

#[test]
fn a_verdict_on_the_prompt_or_the_picture_is_decided_about_and_not_repeated() {
    let verdict = Case {
        code: 7,
        ledger: &["judged"],
        says: &["the service will not make `baker` as it is: ", "change its prompt, or `take` for another seed"],
        planned: "unknown 0.00",
        plan_says: &["? ", "the service judged the prompt or the picture, and may have charged for it ("],
        then: &["--retry-failed"],
        charges_in_all: 2,
        ..Case::HEALED
    };
    check(&[
        Case {
            name: "NSFW",
            faults: |fake| fake.fault(OnPoll::Failed("NSFW content detected".to_owned())),
            reason: "NSFW content detected",
            ..verdict
        },
        Case {
            name: "a code",
            faults: |fake| fake.fault(OnPoll::Failed("content_policy_violation".to_owned())),
            reason: "content_policy_violation",
            ..verdict
        },
        Case {
            name: "copyright",
            faults: |fake| fake.fault(OnPoll::Failed("The prompt may infringe copyright".to_owned())),
            reason: "copyright",
            ..verdict
        },
        Case {
            name: "an environment that repeats what has no answer",
            environment: &[("on_unknown", "retry")],
            faults: |fake| fake.fault(OnPoll::Failed("Invalid prompt.".to_owned())),
            reason: "Invalid prompt",
            ..verdict
        },
        Case {
            name: "what looks at pictures broke",
            faults: |fake| fake.fault(OnPoll::Failed("moderation service timed out".to_owned())),
            charges: 2,
            ledger: &["failed", "finished"],
            charges_in_all: 2,
            ..Case::HEALED
        },
    ]);
}

#[test]
fn a_verdict_is_undone_by_another_prompt_and_stands_until_then() {
    let paid = Paid::new(&portraits(1));
    paid.fake.fault(OnPoll::Failed("NSFW content detected".to_owned()));
    let first = paid.apply(&[]).expect(7);
    assert!(first.stdout.contains("The service failed at 1 call, which may be charged too"), "{}", first.stdout);
    assert_eq!(crate::project::reasons(&paid.project.plan(), BAKER), ["new", "picture_judged"]);
    paid.apply(&[]).expect(7);
    assert_eq!(paid.fake.charges().len(), 1, "nothing is asked for without a decision");
    let history = paid.project.ok(&["history"]);
    assert!(history.contains("judged, no picture") && history.contains("NSFW content detected"), "{history}");
    paid.project.edit("in a white apron and a cap", "in a blue apron");
    paid.apply(&[]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (2, 1));
}

#[test]
fn a_plan_names_the_reason_of_what_failed_repeatedly() {
    let paid = Paid::new(&portraits(1));
    paid.fake.fault_always(failed());
    paid.apply(&[]).expect(7);
    assert_eq!(crate::project::reasons(&paid.project.plan(), BAKER), ["new", "failed_repeatedly"]);
    // Without a decision nothing is asked for.
    let again = paid.apply(&[]).expect(7);
    assert!(again.stderr.contains("portraits:baker waits for a decision: ask again, or change its recipe"));
    assert_eq!(paid.fake.charges().len(), 3);
}
