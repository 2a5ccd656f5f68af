//! Buying: caps, signals, crashes and rivals, against a fake Novita that counts charges.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::fake::FakeNovita;
use crate::fake::script::{OnDownload, OnPoll, OnSubmit, RetryAfter};
use crate::money::{configure, fake, people};
use crate::project::{Project, Ran, Stopped, ran, wait};

const FAST: &str = ", concurrency: 3, images_per_minute: 100000";

/// A project whose painter is a fake that takes so many milliseconds.
fn shop(latency: u64, more: &str, environment: &str) -> (Project, FakeNovita) {
    let fake = fake(latency);
    let project = Project::new(&people());
    configure(&project, &fake, &format!("{FAST}{more}"), environment);
    (project, fake)
}

fn statuses(project: &Project) -> Vec<String> {
    project.query("SELECT status || ' ' || count(*) FROM pixform_calls GROUP BY status ORDER BY status")
}

fn apply_with(project: &Project, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = project.command(&[&["apply", "--yes"], args].concat());
    ran(command.envs(variables.iter().copied()).output().unwrap())
}

/// Returns every crash point that a paid picture passes, by the name that the source gives it.
fn crash_points() -> Vec<String> {
    let mut names = Vec::new();
    for file in ["journal", "keep", "original", "publish", "request", "step"] {
        let path = format!("{}/src/apply/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = fs::read_to_string(path).unwrap();
        names.extend(source.split("crash_point(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    names.sort();
    names.dedup();
    // Only decisions pass this one.
    names.retain(|name| name != "paid-decided");
    assert!(names.iter().any(|name| name == "paid-sent"), "the moment after the request: {names:?}");
    names
}

/// Completes what a crash left; tells how many calls had to be declared.
fn complete(project: &Project, what: &str) -> usize {
    project.assert_no_broken_link();
    let next = project.run(&["apply", "--yes"]);
    if next.code == 7 {
        let plan = project.run(&["plan"]);
        assert!(
            plan.stdout.contains("  ? ") && plan.stdout.contains("send it again, and maybe pay twice"),
            "{what}: {plan:?}"
        );
        project.ok(&["apply", "--yes", "--retry-unknown"]);
    } else {
        assert_eq!(next.code, 0, "{what}: {next:?}");
    }
    project.assert_settled();
    project.assert_painted_once();
    project.query("SELECT count(*) FROM pixform_calls WHERE decision = 'retried'")[0].parse().unwrap()
}

#[test]
fn a_crash_is_paid_for_only_between_the_intention_and_the_task() {
    for point in crash_points() {
        let (project, fake) = shop(20, "", "");
        let only = ["--only", "age/young/photo"];
        let crashed = apply_with(&project, &only, &[("PIXFORM_CRASH", &point)]);
        assert_eq!(crashed.code, 134, "{point}: {crashed:?}");
        let charged = fake.charged("a young woman").len();
        let declared = complete(&project, &point);
        // Only before the task is known can nobody tell whether it was charged.
        let doubtful = ["intended", "paid-sent"].contains(&point.as_str());
        assert_eq!(declared, usize::from(doubtful), "{point}");
        let photos = fake.charges().into_iter().filter(|charge| charge.prompt == "a photograph of a young woman");
        assert_eq!(photos.count(), if doubtful { charged + 1 } else { 1 }, "{point}");
    }
}

#[test]
fn every_crash_point_of_a_purchase_is_recovered_from() {
    for point in crash_points() {
        for pass in [1, 4] {
            let (project, fake) = shop(20, "", "");
            let what = format!("{point}:{pass}");
            let crashed = apply_with(&project, &[], &[("PIXFORM_CRASH", &what)]);
            assert!(crashed.code == 134 || (pass > 1 && crashed.code == 0), "{what}: {crashed:?}");
            let declared = complete(&project, &what);
            let charges = fake.charges().len();
            assert!((8..=8 + declared).contains(&charges), "{what}: {charges} charges, {declared} declared");
        }
    }
}

#[test]
fn the_lowest_cap_wins_and_a_plan_above_it_buys_nothing() {
    for (args, variable, guard) in [
        (&["--max-cost", "0.10"][..], "5", "5"),
        (&["--max-cost", "5"], "0.10", "5"),
        (&["--max-cost", "5"], "5", "0.10"),
        (&[], "", "0.10"),
    ] {
        let (project, fake) = shop(10, "", &format!("    guards: {{ max_cost: {guard} }}\n"));
        let refused = apply_with(&project, args, &[("PIXFORM_MAX_COST", variable)]);
        assert_eq!(refused.code, 3, "{refused:?}");
        let words = "the plan costs $0.12, which is over the cap of $0.10";
        assert!((refused.stdout + &refused.stderr).contains(words));
        assert_eq!(fake.requests().len(), 0);
    }
    let (project, fake) = shop(10, "", "");
    apply_with(&project, &[], &[("PIXFORM_MAX_COST", "much")]).expect(1);
    apply_with(&project, &[], &[("PIXFORM_MAX_COST", "0.12")]).expect(0);
    assert_eq!(fake.charges().len(), 8);
}

#[test]
fn a_cap_of_nothing_does_what_is_free_and_names_what_is_not() {
    let (project, fake) = shop(10, "", "");
    project.apply();
    project.edit("quality: 90", "quality: 80");
    project.edit("subject: a young woman", "subject: a woman of thirty");
    let ran = apply_with(&project, &["--max-cost", "0"], &[]).expect(3);
    assert!(ran.stdout.contains("6 rendered, 2 not bought"), "{ran:?}");
    assert!(ran.stderr.contains("people:age/young/photo, people:age/young/anime were not bought"), "{ran:?}");
    assert_eq!(fake.charges().len(), 8);
    project.apply();
    assert_eq!(fake.charges().len(), 10);
    project.assert_settled();
    apply_with(&project, &["--max-cost", "0"], &[]).expect(0);
}

#[test]
fn a_run_that_buys_nothing_needs_no_key() {
    let (project, fake) = shop(10, "", "");
    project.apply();
    let config = fs::read_to_string(project.root().join("pixform.yaml")).unwrap();
    project.write("pixform.yaml", &config.replace("api_key: test-key", "api_key: \"${NOVITA_API_KEY}\""));
    project.edit("quality: 90", "quality: 80");
    project.apply();
    project.edit("subject: a young woman", "subject: a woman of thirty");
    apply_with(&project, &["--max-cost", "0"], &[]).expect(3);
    let needs = apply_with(&project, &[], &[]).expect(1);
    assert!(needs.stderr.contains("the variable `NOVITA_API_KEY` is not set"), "{needs:?}");
    assert_eq!(fake.charges().len(), 8);
}

#[test]
fn a_cap_stops_before_the_call_that_would_pass_it() {
    let (project, fake) = shop(10, "", "");
    fake.fault_next(2, OnPoll::Failed("no luck".to_owned()));
    // Eight pictures fit; eight and two repeats do not.
    let ran = apply_with(&project, &["--max-cost", "0.12"], &[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(fake.charges().len(), 8);
    assert!(ran.stderr.contains("would cost more than the cap leaves"), "{ran:?}");
    project.apply();
    project.assert_settled();
    assert_eq!(fake.charges().len(), 10);
}

/// Starts an apply and waits until so many pictures are charged.
fn under_way(project: &Project, fake: &FakeNovita, charges: usize, ci: Option<&str>) -> std::process::Child {
    let mut command: Command = project.command(&["apply", "--yes"]);
    command.envs(ci.map(|ci| ("CI", ci))).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    wait("too few pictures were asked for", || fake.charges().len() >= charges);
    // Charged is not yet written down.
    wait("the tasks were not written down", || {
        let sql = "SELECT count(*) FROM pixform_calls WHERE task IS NOT NULL";
        project.query(sql)[0].parse::<usize>().unwrap() >= charges
    });
    child
}

#[test]
fn the_first_signal_finishes_what_is_paid_for_and_asks_for_nothing_more() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (project, fake) = shop(700, "", "");
        let child = under_way(&project, &fake, 3, None);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ended = ran(child.wait_with_output().unwrap()).expect(code);
        assert!(ended.stderr.contains("finishing what is in flight; once more to stop at once"), "{ended:?}");
        assert_eq!((fake.charges().len(), project.rows().len()), (3, 3), "{ended:?}");
        assert_eq!(statuses(&project), ["finished 3"]);
        project.apply();
        assert_eq!(fake.charges().len(), 8);
        project.assert_settled();
    }
}

#[test]
fn stopped_at_once_what_is_paid_for_is_fetched_by_the_next_run() {
    for ci in [None, Some("true")] {
        let (project, fake) = shop(700, "", "");
        let child = under_way(&project, &fake, 3, ci);
        let process = Pid::from_child(&child);
        kill_process(process, Signal::INT).unwrap();
        if ci.is_none() {
            // The second is sent until it is over: signals that arrive together count once.
            wait("the run did not stop", || {
                let _ = kill_process(process, Signal::INT);
                std::thread::sleep(Duration::from_millis(20));
                fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains(") Z")
            });
        }
        let ended = ran(child.wait_with_output().unwrap()).expect(130);
        assert!(ended.stderr.contains("stopped at once"), "{ended:?}");
        assert_eq!(fake.charges().len(), 3);
        let plan = project.run(&["plan"]).expect(0);
        assert!(plan.stdout.contains("Estimated cost: $0.075"), "three are paid for: {plan:?}");
        project.apply();
        assert_eq!(fake.charges().len(), 8);
        project.assert_settled();
    }
}

#[test]
fn when_the_time_is_up_what_is_under_way_is_left_to_the_next_run() {
    let (project, fake) = shop(3_000, "", "");
    let ran = apply_with(&project, &["--timeout", "1s"], &[]).expect(4);
    assert!(ran.stderr.contains("the time is up"), "{ran:?}");
    assert_eq!((fake.charges().len(), statuses(&project)), (3, vec!["submitted 3".to_owned()]));
    fake.set(|behaviour| behaviour.latency = Duration::from_millis(10));
    project.apply();
    assert_eq!(fake.charges().len(), 8);
    project.assert_settled();
}

#[test]
fn a_picture_that_is_never_done_is_waited_for_as_long_as_the_deadline_says() {
    let (project, fake) = shop(10, ", deadline: 1s", "");
    fake.fault_for("an old man", OnPoll::NeverEnds);
    let ran = apply_with(&project, &[], &[]).expect(4);
    assert!(ran.stderr.contains("still under way: it was not done within 1 second"), "{ran:?}");
    assert!(ran.stderr.contains("next: pixform apply"), "{ran:?}");
    assert_eq!((fake.charges().len(), project.rows().len()), (8, 6));
    fake.clear_faults();
    project.apply();
    assert_eq!(fake.charges().len(), 8);
    project.assert_settled();
}

#[test]
fn two_runs_never_pay_for_one_picture() {
    let (project, fake) = shop(900, "", "");
    // Another collection with the same recipes: seeds are derived from the key, so they are made to agree.
    let same = |name: &str| people().replace("people", name).replace("seed: derived", "seed: 7");
    project.manifest(&same("people"));
    project.write("manifests/others.yaml", &same("others"));
    let first = project.start(&["apply", "--yes", "manifests/people.yaml"]);
    wait("the first never asked", || !fake.charges().is_empty());
    let second = project.start(&["apply", "--yes", "manifests/others.yaml"]);
    let (first, second) = (ran(first.wait_with_output().unwrap()), ran(second.wait_with_output().unwrap()));
    assert_eq!((first.code, second.code), (0, 0), "{first:?} {second:?}");
    assert_eq!(fake.charges().len(), 8);
    project.assert_settled();
}

#[test]
fn collections_do_not_wait_for_one_another() {
    let fake = fake(2_000);
    let project = Project::new(&people());
    configure(&project, &fake, ", concurrency: 24, images_per_minute: 100000", "");
    for name in ["cousins", "friends"] {
        project.write(&format!("manifests/{name}.yaml"), &people().replace("people", name).replace("first", name));
    }
    project.apply();
    let at: Vec<Duration> = fake.charges().into_iter().map(|charge| charge.at).collect();
    assert_eq!(at.len(), 24);
    let (first, last) = (at.iter().min().unwrap(), at.iter().max().unwrap());
    assert!(*last - *first < Duration::from_secs(2), "all were asked for before the first was there: {at:?}");
}

#[test]
fn a_storage_that_breaks_ends_the_buying_and_loses_nothing() {
    let (project, fake) = shop(600, "", "");
    let child = under_way(&project, &fake, 3, None);
    // A file in the place of the folder: what is under way cannot be stored.
    let (storage, aside) = (project.storage(), project.root().join("aside"));
    fs::rename(&storage, &aside).unwrap();
    fs::write(&storage, "").unwrap();
    let ended = ran(child.wait_with_output().unwrap()).expect(1);
    assert!(ended.stderr.contains("visitors see: what they saw before"), "{ended:?}");
    assert_eq!(fake.charges().len(), 3, "what cannot be kept is not bought: {ended:?}");
    fs::remove_file(&storage).unwrap();
    fs::rename(&aside, &storage).unwrap();
    project.apply();
    assert_eq!(fake.charges().len(), 8);
    project.assert_settled();
}

#[test]
fn no_more_is_under_way_than_the_run_may_have() {
    let fake = fake(300);
    let project = Project::new(&people());
    configure(&project, &fake, ", concurrency: 8, images_per_minute: 100000", "");
    let begun = std::time::Instant::now();
    apply_with(&project, &["--parallelism", "2"], &[]).expect(0);
    assert!(begun.elapsed() >= Duration::from_millis(1_200), "eight of 300 ms, two at a time");
    let mut charges: Vec<Duration> = fake.charges().into_iter().map(|charge| charge.at).collect();
    charges.sort();
    for three in charges.windows(3) {
        assert!(three[2] - three[0] >= Duration::from_millis(290), "{charges:?}");
    }
}

#[test]
fn requests_keep_their_interval() {
    let (project, fake) = shop(10, ", min_interval: 100ms", "");
    project.apply();
    let charges: Vec<Duration> = fake.charges().into_iter().map(|charge| charge.at).collect();
    // Requests leave in their interval; on the way the first may be later than the others, and only it counts here.
    for (number, at) in charges.iter().enumerate() {
        assert!(
            *at + Duration::from_millis(80) >= charges[0] + Duration::from_millis(100) * number as u32,
            "{charges:?}"
        );
    }
}

#[test]
fn a_service_without_tls_needs_neither_certificates_nor_a_proxy() {
    let (project, fake) = shop(10, "", "");
    let bare = [
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_DIR", "/nonexistent"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("http_proxy", "http://127.0.0.1:1"),
    ];
    apply_with(&project, &[], &bare).expect(0);
    assert_eq!(fake.charges().len(), 8);
}

#[test]
fn a_decision_that_was_written_down_is_not_asked_for_again() {
    let (project, fake) = shop(10, "", "");
    fake.fault(OnSubmit::LostAnswer);
    apply_with(&project, &[], &[]).expect(7);
    let crashed = apply_with(&project, &["--retry-unknown"], &[("PIXFORM_CRASH", "paid-decided")]);
    assert_eq!((crashed.code, fake.charges().len()), (134, 8));
    project.apply();
    assert_eq!(fake.charges().len(), 9);
    project.assert_settled();
}

#[test]
fn a_run_that_stood_still_and_lost_its_lease_pays_for_nothing_twice() {
    let (project, fake) = shop(10, ", deadline: 2s", "");
    let first = Stopped::new(project.command(&["apply", "--yes"]), "intended:1");
    project.ok(&["unlock", "--force"]);
    // The first run lives: what it has begun is waited for, and not bought beside it.
    let second = project.run(&["apply", "--yes"]).expect(4);
    assert!(second.stderr.contains("another run is making the picture"), "{second:?}");
    let between = fake.charges().len();
    assert!((1..8).contains(&between), "{between}");
    let first = first.go_on();
    assert_ne!(first.code, 0, "{first:?}");
    assert!(first.stderr.contains("was taken by another run"), "{first:?}");
    let third = project.run(&["apply", "--yes"]);
    assert_eq!(third.code, 0, "{third:?}");
    assert_eq!(fake.charges().len(), 8);
    project.assert_settled();
    project.assert_painted_once();
}

#[test]
fn renames_that_swap_keys_go_together_or_not_at_all() {
    let (project, fake) = shop(10, "", "");
    project.apply();
    let before = project.rows();
    let swapped =
        people().replace("a young woman", "a woman of forty").replace("young:", "old:").replace("aged:", "young:");
    let swapped = swapped.replace("old:", "aged:");
    project.manifest(&format!(
        "{swapped}moved:\n  - {{ from: age/young/*, to: age/aged/* }}\n  - {{ from: age/aged/*, to: age/young/* }}\n"
    ));
    let ran = apply_with(&project, &["--max-cost", "0"], &[]).expect(3);
    assert_eq!(project.rows(), before, "{ran:?}");
    assert!(ran.stderr.contains("was not renamed"), "{ran:?}");
    // Nor does a selection tear them apart.
    let torn = apply_with(&project, &["--only", "age/young/photo"], &[]).expect(1);
    assert!(torn.stderr.contains("becomes `age/aged/photo`, is not"), "{torn:?}");
    assert_eq!(project.rows(), before, "{torn:?}");
    assert_eq!(fake.charges().len(), 8);
    project.apply();
    assert_eq!((project.rows().len(), fake.charges().len()), (8, 10));
    project.assert_settled();
}

#[test]
fn a_picture_that_was_accepted_is_not_bought_again_by_a_run_that_follows_a_crash() {
    for point in ["paid-decided", "announced", "synced"] {
        let (project, fake) = shop(10, "", "");
        fake.fault_for("an old man", OnDownload::Flat);
        apply_with(&project, &[], &[]).expect(7);
        let charges = fake.charges().len();
        let crashed = apply_with(&project, &["--accept-rejected"], &[("PIXFORM_CRASH", point)]);
        assert_eq!(crashed.code, 134, "{point}: {crashed:?}");
        project.apply();
        assert_eq!((project.rows().len(), fake.charges().len()), (8, charges), "{point}");
        project.assert_settled();
        let rejected = project.query("SELECT path FROM pixform_originals WHERE path LIKE '%rejected%'");
        assert_eq!(rejected, Vec::<String>::new(), "{point}: it lies where originals are found");
    }
}

#[test]
fn an_original_that_was_cut_off_is_not_taken_for_the_picture() {
    let (project, fake) = shop(10, "", "");
    let crash = [("PIXFORM_CRASH", "original-put")];
    let crashed = apply_with(&project, &["--only", "age/young/photo"], &crash);
    assert_eq!(crashed.code, 134, "{crashed:?}");
    let mut originals = Vec::new();
    files(&project.storage().join("originals"), &mut originals);
    let original = originals.into_iter().find(|path| path.extension().is_some_and(|end| end == "png")).unwrap();
    let whole = fs::read(&original).unwrap();
    fs::write(&original, &whole[..whole.len() / 2]).unwrap();
    let ran = apply_with(&project, &["--only", "age/young/photo"], &[]).expect(4);
    assert!(ran.stderr.contains("put it back from a backup"), "{ran:?}");
    fs::remove_file(&original).unwrap();
    apply_with(&project, &["--only", "age/young/photo"], &[]).expect(0);
    assert_eq!(fake.charges().len(), 1, "its task was asked for again, for nothing");
}

pub fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

#[test]
fn a_held_picture_that_is_lost_is_bought_as_it_was() {
    let (project, fake) = shop(10, "", "");
    project.apply();
    let picture = project.picture("age/young/photo");
    project.edit("subject: a young woman", "subject: a woman of thirty");
    let held = fs::read_to_string(project.root().join("manifests/people.yaml")).unwrap();
    project.manifest(&format!("{held}cells:\n  \"age/young/*\": {{ hold: true }}\n"));
    fs::remove_file(picture).unwrap();
    fs::remove_dir_all(project.storage().join("originals")).unwrap();
    fs::create_dir(project.storage().join("originals")).unwrap();
    apply_with(&project, &["--take-storage"], &[]).expect(0);
    let last = fake.charges().pop().unwrap();
    assert_eq!((fake.charges().len(), last.prompt.as_str()), (9, "a photograph of a young woman"));
    project.ok(&["plan", "--detailed-exitcode"]);
}

#[test]
fn a_task_that_is_sent_anew_keeps_to_the_pace() {
    let (project, fake) = shop(10, ", deadline: 1s", "");
    fake.fault_always(OnPoll::NeverEnds);
    apply_with(&project, &["--only", "age/young/photo"], &[]).expect(4);
    fake.clear_faults();
    fake.fault(OnPoll::Failed("no luck".to_owned()));
    fake.fault(OnSubmit::RateLimited(RetryAfter::Seconds(2)));
    let begun = std::time::Instant::now();
    apply_with(&project, &["--only", "age/young/photo"], &[]).expect(0);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let lines = project.query("SELECT count(*) FROM pixform_calls")[0].parse::<u32>().unwrap();
    assert!(lines <= 5, "{lines} lines for one failed task, one no and one picture");
}

#[test]
fn nobody_waits_for_a_turn_at_a_service_that_says_no_to_everything() {
    let fake = fake(10);
    let project = Project::new(&people());
    configure(&project, &fake, ", images_per_minute: 4", "");
    fake.set(|behaviour| behaviour.key = "another".to_owned());
    let begun = std::time::Instant::now();
    apply_with(&project, &[], &[]).expect(4);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_state_that_is_locked_for_long_keeps_no_task_from_being_written_down() {
    let (project, fake) = shop(10, "", "");
    fake.set(|behaviour| behaviour.submit_delay = Duration::from_secs(1));
    let child = project.start(&["apply", "--yes", "--only", "age/young/photo"]);
    wait("nothing was asked for", || !fake.charges().is_empty());
    project.lock_longer_than_a_writer_is_patient();
    ran(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(statuses(&project), ["finished 1"]);
    assert_eq!(fake.charges().len(), 1);
}
