//! Every way in which a service fails: what it costs, what is told, what is planned next, and how it ends.
//!
//! Each case is one asset, [`BAKER`], unless it says otherwise. The fault is met by one apply; then it is gone, and a plan
//! and a second apply have to make the best of what was left. Cases wait for one another's timeouts beside each other.

mod answers;
mod decisions;
mod downloads;
mod pictures;
mod polls;
mod request;
mod submits;

use std::thread;

use crate::fake::FakeNovita;
use crate::fake::behaviour::Behaviour;
use crate::paid::{Paid, portraits};
use crate::project::Ran;

/// The asset of every case.
const BAKER: &str = "baker";

/// One fault, and what has to come of it.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Fields of the generator in `pixform.yaml`.
    generator: &'static [(&'static str, &'static str)],
    /// Fields of the environment there.
    environment: &'static [(&'static str, &'static str)],
    /// How the service answers, before and after.
    behaviour: fn(&mut Behaviour),
    /// What goes wrong, until the first apply has ended.
    faults: fn(&FakeNovita),
    /// The first apply's exit code.
    code: i32,
    /// What the service has charged then.
    charges: usize,
    /// The ledger then: statuses, the oldest first.
    ledger: &'static [&'static str],
    /// In the reason of the last line.
    reason: &'static str,
    /// On stderr.
    says: &'static [&'static str],
    /// The next plan, for the asset: action and price; nothing where it is live.
    planned: &'static str,
    /// In the next plan's text.
    plan_says: &'static [&'static str],
    /// Arguments of the second apply, which has to bring the asset live.
    then: &'static [&'static str],
    /// What the service has charged in the end.
    charges_in_all: usize,
}

impl Case {
    /// Nothing happens, and the picture is live.
    const HEALED: Self = Self {
        name: "",
        generator: &[],
        environment: &[],
        behaviour: |_| {},
        faults: |_| {},
        code: 0,
        charges: 1,
        ledger: &["finished"],
        reason: "",
        says: &[],
        planned: "",
        plan_says: &[],
        then: &[],
        charges_in_all: 1,
    };
    /// It may be charged, and it is.
    const UNKNOWN: Self = Self {
        code: 7,
        ledger: &["unknown"],
        says: &["may be charged, but its outcome is unknown", "send it again, and maybe pay twice, or write it off"],
        planned: "unknown 0.00",
        plan_says: &["send it again, and maybe pay twice, or write it off", "? "],
        then: &["--retry-unknown"],
        charges_in_all: 2,
        ..Self::HEALED
    };
    /// It may be charged, and it is not.
    const UNKNOWN_FREE: Self = Self { charges: 0, charges_in_all: 1, ..Self::UNKNOWN };
    /// A clean no.
    const REFUSED: Self = Self { code: 4, charges: 0, ledger: &["refused"], planned: "generate 0.015", ..Self::HEALED };
    /// Paid for, and not the picture asked for.
    const REJECTED: Self = Self {
        code: 7,
        ledger: &["rejected"],
        says: &["is paid for and not the one asked for", "take it as it is, or buy another"],
        planned: "unknown 0.00",
        plan_says: &["take it as it is, or buy another"],
        then: &["--retry-rejected"],
        charges_in_all: 2,
        ..Self::HEALED
    };
    /// Paid for, kept, and nothing that can be used.
    const UNUSABLE: Self = Self {
        says: &[
            "is paid for and cannot be used",
            "it is kept as `originals/rejected/",
            "buy another, or change its recipe",
        ],
        plan_says: &["it is kept as `originals/rejected/", "buy another, or change its recipe"],
        ..Self::REJECTED
    };
    /// Paid for, and gone.
    const LOST: Self = Self {
        code: 7,
        ledger: &["lost"],
        says: &["is paid for and lost", "buy it again, or change its recipe"],
        planned: "unknown 0.00",
        plan_says: &["buy it again, or change its recipe"],
        then: &["--retry-lost"],
        charges_in_all: 2,
        ..Self::HEALED
    };
    /// Paid for, and not there yet.
    const UNDER_WAY: Self = Self {
        code: 4,
        ledger: &["submitted"],
        says: &["is paid for and still under way", "next: pixform apply"],
        planned: "generate 0.00",
        plan_says: &["paid for already"],
        ..Self::HEALED
    };
}

/// Lets each case happen, all of them beside each other.
fn check(cases: &[Case]) {
    thread::scope(|scope| {
        let threads: Vec<_> = cases.iter().map(|case| (case.name, scope.spawn(|| happen(case)))).collect();
        // Joined one by one, so that a failure is told with the case's name.
        for (name, thread) in threads {
            assert!(thread.join().is_ok(), "`{name}` went wrong");
        }
    });
}

/// Lets one case happen; returns its project for what else there is to look at.
fn happen(case: &Case) -> Paid {
    let paid = Paid::new(&portraits(1));
    paid.configure(case.generator, case.environment);
    paid.fake.set(case.behaviour);
    (case.faults)(&paid.fake);
    met(case, &paid);
    paid.fake.clear_faults();
    ends(case, &paid);
    paid
}

/// Applies while the fault lasts.
fn met(case: &Case, paid: &Paid) {
    let name = case.name;
    let first = paid.apply(&[]);
    assert_readable(case, paid, &first);
    for words in case.says {
        assert!(first.stderr.contains(words), "{name}: `{words}` is missing in:\n{}", first.stderr);
    }
    let first = first.expect(case.code);
    assert_eq!(paid.fake.charges().len(), case.charges, "{name}");
    assert_eq!(paid.statuses(BAKER), case.ledger, "{name}");
    let ledger = paid.ledger();
    let reason = &ledger.last().unwrap().reason;
    assert!(reason.contains(case.reason), "{name}: `{}` is missing in `{reason}`", case.reason);
    let live = case.planned.is_empty();
    assert_eq!(paid.published().len(), usize::from(live), "{name}");
    if !live {
        for words in ["portraits:baker", "visitors see: what they saw before", "\nnext: pixform "] {
            assert!(first.stderr.contains(words), "{name}: `{words}` is missing in:\n{}", first.stderr);
        }
    }
}

/// Plans, and applies once more, when the fault is gone.
fn ends(case: &Case, paid: &Paid) {
    let name = case.name;
    let planned = if case.planned.is_empty() { Vec::new() } else { vec![format!("{BAKER} {}", case.planned)] };
    assert_eq!(paid.planned(), planned, "{name}");
    let plan = paid.project.ok(&["plan"]);
    for words in case.plan_says {
        assert!(plan.contains(words), "{name}: `{words}` is missing in:\n{plan}");
    }
    if !case.planned.is_empty() {
        let second = paid.apply(case.then).expect(0);
        assert_readable(case, paid, &second);
    }
    assert_eq!(paid.fake.charges().len(), case.charges_in_all, "{name}");
    assert_eq!(paid.published(), [BAKER], "{name}");
    assert_eq!(paid.planned(), Vec::<String>::new(), "{name}");
    assert_eq!(paid.fake.downloads_with_key(), 0, "{name}");
    // What the service charged, the ledger knows of.
    let known = paid.ledger().iter().filter(|line| line.status != "refused").count();
    assert!(known >= case.charges_in_all, "{name}: {:?}", paid.ledger());
}

/// Asserts that nothing of what is told or written down is a secret, or the words of a library.
fn assert_readable(case: &Case, paid: &Paid, ran: &Ran) {
    let Ran { stdout, stderr, .. } = ran;
    let ledger = paid.ledger();
    let reasons: Vec<&str> = ledger.iter().map(|line| line.reason.as_str()).collect();
    for text in [stdout.as_str(), stderr].into_iter().chain(reasons.iter().copied()) {
        paid.assert_no_secret(text);
        for word in [
            "::",
            "reqwest",
            "hyper",
            "panicked",
            "Err(",
            "Some(",
            "Error {",
            "Kind",
            "client error",
            "sending request",
        ] {
            assert!(!text.contains(word), "{}: `{word}` is in:\n{text}", case.name);
        }
    }
    for line in ledger.iter().filter(|line| !["intended", "submitted", "received", "finished"].contains(&&*line.status))
    {
        let reason = &line.reason;
        let chars = reason.chars().count();
        assert!((8..400).contains(&chars) && !reason.contains('\n'), "{}: {reason:?}", case.name);
    }
}
