//! What goes wrong while a picture is fetched, and pictures that are not the one asked for.

use std::net::TcpListener;
use std::process::Command;

use super::{BAKER, Case, assert_readable, check, happen};
use crate::fake::script::OnDownload;
use crate::paid::{KEY, Paid, portraits};
use crate::project::ran;

const SHORT: &[(&str, &str)] = &[("deadline", "3s")];
const LONG: &[(&str, &str)] = &[("deadline", "10m")];

#[test]
fn what_passes_is_fetched_again() {
    check(&[
        Case { name: "expired", faults: |fake| fake.fault(OnDownload::ExpiredUntilPoll), ..Case::HEALED },
        Case { name: "cut off", faults: |fake| fake.fault(OnDownload::Truncated), ..Case::HEALED },
        Case { name: "half", faults: |fake| fake.fault(OnDownload::Halved), ..Case::HEALED },
        Case { name: "HTML", faults: |fake| fake.fault(OnDownload::Html), ..Case::HEALED },
        Case { name: "reset", faults: |fake| fake.fault(OnDownload::Reset), ..Case::HEALED },
        Case { name: "500", faults: |fake| fake.fault(OnDownload::ServerError), ..Case::HEALED },
        Case { name: "slow", faults: |fake| fake.fault(OnDownload::Drip(10)), ..Case::HEALED },
        Case { name: "bytes after the end", faults: |fake| fake.fault(OnDownload::TrailingGarbage), ..Case::HEALED },
    ]);
}

#[test]
fn what_does_not_pass_is_left_to_the_next_run_or_lost() {
    check(&[
        Case {
            name: "expired",
            generator: LONG,
            faults: |fake| fake.fault(OnDownload::Expired),
            reason: "answered 403 Forbidden with XML, `AccessDenied`",
            ..Case::LOST
        },
        Case {
            name: "cut off",
            generator: LONG,
            faults: |fake| fake.fault_always(OnDownload::Truncated),
            reason: "the picture was cut off after ",
            ..Case::LOST
        },
        Case {
            name: "half",
            generator: LONG,
            faults: |fake| fake.fault_always(OnDownload::Halved),
            reason: "the picture cannot be decoded",
            ..Case::UNUSABLE
        },
        Case {
            name: "HTML",
            generator: LONG,
            faults: |fake| fake.fault_always(OnDownload::Html),
            reason: "it begins with an HTML page",
            ..Case::LOST
        },
        Case {
            name: "redirects without end",
            generator: LONG,
            faults: |fake| fake.fault_always(OnDownload::EndlessRedirect),
            reason: "it is redirected more than 5 times",
            ..Case::LOST
        },
        Case {
            name: "reset",
            generator: SHORT,
            faults: |fake| fake.fault_always(OnDownload::Reset),
            says: &["not done within 3 seconds (the connection to http://127.0.0.1:"],
            ..Case::UNDER_WAY
        },
        Case {
            name: "500",
            generator: SHORT,
            faults: |fake| fake.fault_always(OnDownload::ServerError),
            says: &["the picture cannot be fetched: answered 500 Internal Server Error with XML, `InternalError`"],
            ..Case::UNDER_WAY
        },
        Case {
            name: "too slow",
            generator: SHORT,
            faults: |fake| fake.fault_always(OnDownload::Drip(100_000)),
            says: &["is paid for and still under way: it was not done within 3 seconds\n"],
            ..Case::UNDER_WAY
        },
    ]);
}

#[test]
fn nothing_is_fetched_from_our_own_network() {
    let lies_at = |host| {
        let trap = TcpListener::bind("127.0.0.1:0").unwrap();
        trap.set_nonblocking(true).unwrap();
        let url = format!("http://{host}:{}/secret.png", trap.local_addr().unwrap().port());
        let paid = Paid::new(&portraits(1));
        paid.configure(LONG, &[]);
        paid.fake.fault_always(OnDownload::Redirect(url));
        let first = paid.apply(&[]).expect(7);
        assert!(first.stderr.contains("/secret.png, which is no public address"), "{}", first.stderr);
        // A connection that was ever made would wait here to be accepted.
        assert_eq!(trap.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "{host}");
        assert_eq!(paid.statuses(BAKER), ["lost"]);
    };
    std::thread::scope(|scope| {
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            scope.spawn(move || lies_at(host));
        }
    });
}

#[test]
fn a_picture_that_was_not_asked_for_waits_for_a_decision() {
    let wrong_size = Case {
        name: "of another size",
        faults: |fake| fake.fault(OnDownload::WrongSize),
        reason: "the picture has 64 x 64 pixels, 128 x 128 were asked for",
        ..Case::REJECTED
    };
    let flat = Case {
        name: "of one colour",
        faults: |fake| fake.fault(OnDownload::Flat),
        reason: "the picture is one flat colour",
        ..Case::REJECTED
    };
    let taken = [wrong_size, flat].map(|case| Case { then: &["--accept-rejected"], charges_in_all: 1, ..case });
    check(&[wrong_size, flat]);
    for case in taken {
        let paid = happen(&case);
        let sha256 = paid.project.query("SELECT lower(hex(sha256)) FROM pixform_originals");
        let seen = paid.project.query("SELECT lower(hex(sha256)) FROM pixform_calls");
        assert_eq!(sha256, seen, "{}: the very picture that came is taken", case.name);
        assert_eq!(paid.statuses(BAKER), ["finished"]);
        // The picture that is live is the one that was rejected.
        let url = paid.project.query("SELECT image_url FROM portraits").remove(0);
        let file = paid.project.storage().join(url.strip_prefix("/files/").unwrap());
        let (width, _) = image::image_dimensions(file).unwrap();
        assert_eq!(width, if case.name == "of one colour" { 128 } else { 64 });
    }
}

#[test]
fn a_bomb_is_rejected_in_little_memory() {
    let paid = Paid::new(&portraits(1));
    paid.fake.fault(OnDownload::Bomb);
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -v 2097152 && exec \"$0\" apply --yes", env!("CARGO_BIN_EXE_pixform")]);
    limited.current_dir(paid.project.root()).env_clear().env("NOVITA_API_KEY", KEY);
    let first = ran(limited.output().unwrap()).expect(7);
    assert_readable(&Case::REJECTED, &paid, &first);
    assert!(first.stderr.contains("is paid for and cannot be used: 60000 x 60000 pixels are too many"));
    let ways =
        "portraits:baker waits for a decision: buy another, or change its recipe (`pixform apply --help` tells how)\n";
    assert!(first.stderr.contains(ways), "{}", first.stderr);
    assert_eq!(paid.planned(), ["baker unknown 0.00"]);
    // There is nothing that could be taken.
    assert!(!paid.project.ok(&["plan"]).contains("--accept-rejected"));
    paid.apply(&["--accept-rejected"]).expect(7);
    paid.apply(&["--retry-rejected"]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (2, 1));
}
