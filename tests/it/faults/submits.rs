//! What goes wrong while a picture is asked for: the one request that may be charged.

use std::net::TcpListener;
use std::time::Duration;

use super::{BAKER, Case, assert_readable, check};
use crate::fake::behaviour::{Behaviour, Envelope};
use crate::fake::ledger::Charging;
use crate::fake::script::{OnSubmit, RetryAfter};
use crate::paid::{PEOPLE, Paid, portraits};

#[test]
fn what_was_not_done_is_asked_for_again_by_itself() {
    const AGAIN: Case = Case { ledger: &["refused", "finished"], ..Case::HEALED };
    check(&[
        Case { name: "429", faults: |fake| fake.fault(OnSubmit::RateLimited(RetryAfter::Absent)), ..AGAIN },
        Case { name: "503", faults: |fake| fake.fault(OnSubmit::Unavailable), ..AGAIN },
        Case {
            name: "429 twice, then 503",
            faults: |fake| {
                fake.fault_next(2, OnSubmit::RateLimited(RetryAfter::Absent));
                fake.fault(OnSubmit::Unavailable);
            },
            ledger: &["refused", "refused", "refused", "finished"],
            ..AGAIN
        },
        Case {
            name: "the old envelope",
            behaviour: |behaviour| behaviour.envelope = Envelope::Legacy,
            ledger: &["finished"],
            ..AGAIN
        },
    ]);
}

#[test]
fn a_pause_is_told_with_its_end_once_and_not_once_a_picture() {
    let limited = |retry_after, args: &[&str]| {
        let paid = Paid::new(&portraits(4));
        paid.fake.fault(OnSubmit::RateLimited(retry_after));
        paid.apply(args).expect(0)
    };
    let told = limited(RetryAfter::Seconds(3), &["-v"]).stderr;
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("novita asks for a pause until ")).collect();
    let [line] = lines.as_slice() else { panic!("{told}") };
    let end: Vec<&str> = line.rsplit(' ').next().unwrap().split(':').collect();
    assert!(end.len() == 3 && end.iter().all(|part| part.len() == 2 && part.parse::<u8>().is_ok()), "{line}");
    assert_eq!(told.matches("the service needs a pause").count(), 1, "in the log: {told}");

    let events = limited(RetryAfter::DateIn(3), &["--json"]).stdout;
    let pauses: Vec<serde_json::Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &serde_json::Value| event["type"] == "service_paused")
        .collect();
    let [pause] = pauses.as_slice() else { panic!("{events}") };
    assert_eq!((&pause["generator"], &pause["named_by"]), (&"novita".into(), &"service".into()));
    let until: jiff::Timestamp = pause["until"].as_str().unwrap().parse().unwrap();
    let left = until.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((-60..=5).contains(&left), "{until}");
}

#[test]
fn a_verdict_that_comes_with_the_answer_is_not_asked_for_again_either() {
    let illegal = || OnSubmit::Refused { reason: "ILLEGAL_PROMPT".to_owned(), message: "no".to_owned() };
    let paid = Paid::new(&portraits(1));
    paid.configure(&[], &[("on_unknown", "retry")]);
    paid.fake.fault_next(2, illegal());
    paid.apply(&[]).expect(4);
    assert_eq!(paid.statuses(BAKER), ["refused"]);
}

#[test]
fn nobody_asks_again_before_the_service_wants_to_be_asked() {
    let waits = [
        (RetryAfter::Seconds(1), Duration::from_secs(1)),
        (RetryAfter::Seconds(2), Duration::from_secs(2)),
        // A date has whole seconds: the one that is named begins up to a second earlier.
        (RetryAfter::DateIn(3), Duration::from_secs(2)),
    ];
    std::thread::scope(|scope| {
        for (retry_after, least) in waits {
            scope.spawn(move || {
                let paid = Paid::new(&portraits(2));
                paid.configure(&[("concurrency", "1")], &[]);
                paid.fake.fault(OnSubmit::RateLimited(retry_after));
                paid.apply(&[]).expect(0);
                let requests = paid.fake.requests();
                let submits: Vec<_> =
                    requests.iter().filter(|seen| seen.method == "POST").map(|seen| seen.at).collect();
                assert_eq!(submits.len(), 3, "{retry_after:?}");
                assert!(submits[1] - submits[0] >= least, "{retry_after:?}: {submits:?}");
                assert_eq!((paid.fake.charges().len(), paid.published().len()), (2, 2));
            });
        }
    });
}

#[test]
fn what_may_have_been_done_is_not_asked_for_again_by_itself() {
    check(&[
        Case {
            name: "500 CREATE_TASK_FAILED, free",
            faults: |fake| fake.fault(OnSubmit::CreateTaskFailed(Charging::Free)),
            reason: "Novita answered 500 Internal Server Error, CREATE_TASK_FAILED: could not create the task",
            ..Case::UNKNOWN_FREE
        },
        Case {
            name: "500 CREATE_TASK_FAILED, charged",
            faults: |fake| fake.fault(OnSubmit::CreateTaskFailed(Charging::Charged)),
            reason: "Novita answered 500 Internal Server Error, CREATE_TASK_FAILED: could not create the task",
            ..Case::UNKNOWN
        },
        Case {
            name: "500",
            faults: |fake| fake.fault(OnSubmit::PlainError),
            reason: "Novita answered 500 Internal Server Error with the text `internal server error`",
            ..Case::UNKNOWN_FREE
        },
        Case {
            name: "502",
            faults: |fake| fake.fault(OnSubmit::BadGateway),
            reason: "Novita answered 502 Bad Gateway with an HTML page, `502 Bad Gateway`",
            ..Case::UNKNOWN_FREE
        },
        Case {
            name: "reset",
            faults: |fake| fake.fault(OnSubmit::Reset),
            reason: "/v3/async/txt2img broke before an answer came (Connection reset by peer)",
            ..Case::UNKNOWN_FREE
        },
        Case {
            name: "the answer is lost",
            faults: |fake| fake.fault(OnSubmit::LostAnswer),
            reason: "/v3/async/txt2img broke before an answer came (connection closed before message completed)",
            ..Case::UNKNOWN
        },
        Case {
            name: "the answer is cut off",
            faults: |fake| fake.fault(OnSubmit::CutAnswer),
            reason: "Novita's answer was cut off after 23 bytes",
            ..Case::UNKNOWN
        },
        Case {
            name: "200 with HTML",
            faults: |fake| fake.fault(OnSubmit::HtmlAnswer),
            reason: "Novita answered without a task, with an HTML page, `Welcome`",
            ..Case::UNKNOWN_FREE
        },
        Case {
            name: "no answer",
            faults: |fake| fake.fault(OnSubmit::Stall(Charging::Charged)),
            reason: "/v3/async/txt2img in time",
            ..Case::UNKNOWN
        },
    ]);
}

#[test]
fn a_no_is_free_and_says_what_to_do() {
    check(&[
        Case {
            name: "the endpoint is retired",
            faults: |fake| fake.fault(OnSubmit::RouteNotFound),
            reason: "the endpoint is retired, or `base_url` or `path` is wrong (Novita answered 404 Not Found with the \
                     text `404 route not found`)",
            says: &["there is no picture for `baker`: the endpoint is retired", "next: pixform apply"],
            ..Case::REFUSED
        },
        Case {
            name: "the balance is empty",
            faults: |fake| fake.fault(refused("BILLING_BALANCE_NOT_ENOUGH")),
            reason: "the balance is empty: add credit (Novita answered 400 Bad Request, BILLING_BALANCE_NOT_ENOUGH: no)",
            says: &["the balance is empty: add credit", "next: pixform apply"],
            ..Case::REFUSED
        },
        Case {
            name: "the prompt is not allowed",
            faults: |fake| fake.fault(refused("ILLEGAL_PROMPT")),
            reason: "the prompt is not allowed: change it (Novita answered 400 Bad Request, ILLEGAL_PROMPT: no)",
            says: &["the prompt is not allowed: change it", "next: pixform plan"],
            ..Case::REFUSED
        },
        Case {
            name: "the key is repeated",
            faults: |fake| fake.fault(OnSubmit::EchoedKey),
            reason: "could not read the request with `Authorization: ***",
            says: &["the request does not fit: correct its recipe"],
            ..Case::REFUSED
        },
        Case {
            name: "a redirect",
            faults: |fake| fake.fault(OnSubmit::Redirect("https://elsewhere.example/v3?token=1".to_owned())),
            reason: "the endpoint is elsewhere: check `base_url` (Novita answered 302 Found, which leads to \
                     https://elsewhere.example/v3?…)",
            says: &["check `base_url`"],
            ..Case::REFUSED
        },
    ]);
}

fn refused(reason: &str) -> OnSubmit {
    OnSubmit::Refused { reason: reason.to_owned(), message: "no".to_owned() }
}

/// Applies four assets one by one at a service that says no to everything; returns what is told.
fn closed(paid: &Paid) -> String {
    paid.configure(&[("concurrency", "1")], &[]);
    let first = paid.apply(&[]).expect(4);
    assert_readable(&Case::REFUSED, paid, &first);
    let posts = paid.fake.requests().iter().filter(|seen| seen.method == "POST").count();
    assert_eq!((posts, paid.ledger().len(), paid.fake.charges().len()), (1, 1, 0));
    assert_eq!(first.stderr.matches("error: ").count(), 1, "{}", first.stderr);
    assert!(first.stdout.contains("Applied: 3 not asked for, 1 failed. Cost: $0.00."), "{}", first.stdout);
    let others = "3 more assets were not asked for, since `novita` says no to everything\n";
    assert!(first.stderr.contains(others), "{}", first.stderr);
    let named = PEOPLE.iter().filter(|(name, _)| first.stderr.contains(&format!("error: portraits:{name}: ")));
    assert_eq!(named.count(), 1, "{}", first.stderr);
    assert_eq!(paid.planned().len(), 4);
    first.stderr
}

fn heals(paid: &Paid) {
    paid.fake.clear_faults();
    paid.apply(&[]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (4, 4));
}

#[test]
fn a_service_that_says_no_to_everything_is_asked_once() {
    let faults: [(OnSubmit, &str); 2] = [
        (OnSubmit::RouteNotFound, "the endpoint is retired, or `base_url` or `path` is wrong"),
        (refused("BILLING_BALANCE_NOT_ENOUGH"), "the balance is empty: add credit"),
    ];
    for (fault, words) in faults {
        let paid = Paid::new(&portraits(4));
        paid.fake.fault_always(fault);
        assert!(closed(&paid).contains(words));
        heals(&paid);
    }
    let paid = Paid::new(&portraits(4));
    let key = |key: &'static str| move |behaviour: &mut Behaviour| behaviour.key = key.to_owned();
    paid.fake.set(key("another-key"));
    assert!(closed(&paid).contains("the key is not accepted: check `api_key`"));
    paid.fake.set(key(crate::paid::KEY));
    heals(&paid);
}

#[test]
fn a_refused_prompt_fails_its_own_asset_only() {
    let paid = Paid::new(&portraits(4));
    paid.fake.fault_for("a nurse", refused("ILLEGAL_PROMPT"));
    let first = paid.apply(&[]).expect(4);
    assert_readable(&Case::REFUSED, &paid, &first);
    assert!(first.stdout.contains("Applied: 3 generated, 1 failed. Cost: $0.045."), "{}", first.stdout);
    assert!(
        first.stderr.contains("error: portraits:nurse: there is no picture for `nurse`: the prompt is not allowed")
    );
    assert!(first.stderr.contains("visitors see: the new pictures of 3 assets"), "{}", first.stderr);
    assert_eq!(paid.published(), ["baker", "pilot", "tailor"]);
    assert_eq!(paid.planned(), ["nurse generate 0.015"]);
    heals(&paid);
}

#[test]
fn a_service_that_cannot_be_reached_is_tried_a_few_times() {
    let paid = Paid::new(&portraits(1));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    paid.configure(&[("base_url", &format!("\"http://{free}\""))], &[]);
    let first = paid.apply(&[]).expect(4);
    assert_readable(&Case::REFUSED, &paid, &first);
    let words = format!("`{BAKER}`: http://{free}/v3/async/txt2img cannot be reached (Connection refused)\n");
    assert!(first.stderr.contains(&words), "{}", first.stderr);
    assert!(first.stderr.contains("next: pixform apply\n"), "{}", first.stderr);
    assert_eq!(paid.statuses(BAKER), ["refused"; 5]);
    assert_eq!(paid.planned(), ["baker generate 0.015"]);
    paid.configure(&[], &[]);
    paid.apply(&[]).expect(0);
    assert_eq!(paid.fake.charges().len(), 1);
}
