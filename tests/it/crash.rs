//! Runs that die: at every crash point, and at random moments. No row ever points at a missing file, nothing stored is
//! painted again, and the next run completes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::project::{PEOPLE, Project, Stopped, ran};

/// Returns every crash point that `apply` has, so that a new one cannot be forgotten here.
fn crash_points() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/apply");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        names.extend(source.split("crash_point(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    // Those that only paid, adopted or accepted pictures pass, or gc, and that of a move to another store, are for their own
    // tests.
    let elsewhere = ["paid-", "adopted-", "accepted-", "copied", "gc-"];
    names.retain(|name| !elsewhere.iter().any(|prefix| name.starts_with(prefix)));
    names
}

/// Crashes an apply at the n-th pass of a point; tells whether it came so far.
fn crash(project: &Project, point: &str, pass: u32) -> bool {
    let mut command = project.command(&["apply", "--yes"]);
    let ran = ran(command.env("PIXFORM_CRASH", format!("{point}:{pass}")).output().unwrap());
    assert!(ran.code == 0 || ran.code == 134, "{point}:{pass}: {ran:?}");
    ran.code == 134
}

/// Checks what must hold after a crash, completes the run, and checks that nothing stored was painted again.
fn recover(project: &Project, what: &str) {
    project.assert_no_broken_link();
    let (stored, before) = (originals(project), project.calls());
    let ran = project.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 0, "{what}: {}{}", ran.stdout, ran.stderr);
    project.assert_no_broken_link();
    project.assert_painted_once();
    let after = project.calls();
    let again: Vec<_> = after.difference(&before).filter(|(_, recipe)| stored.contains(recipe)).collect();
    assert!(again.is_empty(), "{what}: painted again, though it was stored: {again:?}");
    let open = "SELECT c.status, c.key FROM pixform_calls c JOIN pixform_records r USING (recipe)
                WHERE c.status IN ('intended', 'submitted', 'received')";
    assert_eq!(project.query(open), Vec::<String>::new(), "{what}: calls left open for what is published");
    project.assert_settled();
}

/// Returns the recipes whose original lies in the storage.
fn originals(project: &Project) -> BTreeSet<String> {
    let Ok(shorts) = fs::read_dir(project.storage().join("originals")) else { return BTreeSet::new() };
    let folders = shorts.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let recipes = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let kept = recipes.filter(|recipe| {
        let mut files = fs::read_dir(recipe).unwrap().map(|entry| entry.unwrap().file_name());
        files.any(|name| name.to_str().unwrap().ends_with(".png") && !name.to_str().unwrap().starts_with('.'))
    });
    kept.map(|recipe| recipe.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// One edit of each kind: painted, rendered, renamed, deleted, repaired, published.
fn edited() -> Project {
    let project = Project::applied();
    let manifest = PEOPLE
        .replace("an old man", "a man of eighty")
        .replace("young: ", "adult: ")
        .replace("        slim: { vars: { subject: a slim man } }\n", "")
        .replace("quality: 90", "quality: 60");
    project.manifest(&format!("{manifest}moved:\n  - {{ from: age/young/*, to: age/adult/* }}\n"));
    project.execute("UPDATE people SET prompt = 'mine' WHERE value = 'tall' AND style = 'photo'");
    project
}

#[test]
fn every_crash_point_of_a_first_apply_is_recovered_from() {
    let points = crash_points();
    assert!(points.len() >= 9, "{points:?}");
    for point in points {
        for pass in [1, 2, 5] {
            let project = Project::new(PEOPLE);
            let crashed = crash(&project, &point, pass);
            assert!(crashed || pass > 1, "no apply ever passes `{point}`");
            if crashed {
                recover(&project, &format!("{point}:{pass}"));
                assert_eq!(project.rows().len(), 8);
            }
        }
    }
}

#[test]
fn every_crash_point_of_a_mixed_apply_is_recovered_from() {
    let edited = edited();
    for point in crash_points() {
        for pass in [1, 2, 4] {
            let project = edited.copy();
            if crash(&project, &point, pass) {
                recover(&project, &format!("{point}:{pass}"));
                assert_eq!(project.rows().len(), 6);
                assert!(project.paints() <= 8 + 4, "two were painted, and lost at most once");
            }
        }
    }
}

#[test]
fn a_crash_in_the_recovery_is_recovered_from_too() {
    let points: Vec<_> = crash_points().into_iter().collect();
    for (first, second) in points.iter().zip(points.iter().rev()) {
        let project = Project::new(PEOPLE);
        crash(&project, first, 1);
        project.assert_no_broken_link();
        crash(&project, second, 1);
        recover(&project, &format!("{first}, then {second}"));
    }
}

/// So many pictures, whose prompts name a round.
fn many(count: u32, round: u32) -> String {
    let values: Vec<String> = (0..count).map(|number| format!("n{number}")).collect();
    PEOPLE
        .replace("a {{ look }}", &format!("round {round} of a {{{{ look }}}}"))
        .split("images:")
        .next()
        .unwrap()
        .to_owned()
        + &format!(
            "images:\n  - matrix: {{ group: many, value: [{}] }}\n    exclude: [{{ style: anime }}]\n    vars: {{ subject: \"{{{{ value }}}}\" }}\n",
            values.join(", ")
        )
        + PEOPLE.split_once("renditions:").map(|(_, rest)| format!("renditions:{rest}")).unwrap().as_str()
}

/// A small generator of numbers, so that a failing test fails again.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn runs_killed_at_random_moments_lose_nothing() {
    let project = Project::new(&many(60, 0));
    let begun = Instant::now();
    project.apply();
    // As long as a whole run takes here and now, so that kills fall everywhere in it.
    let whole = begun.elapsed().as_micros() as u64;
    let mut state = 20_261_122;
    let mut killed = 0;
    // `tests/long` asks for more.
    let rounds: u32 = std::env::var("PIXFORM_TEST_KILLS").map_or(25, |count| count.parse().unwrap());
    for round in 1..=rounds {
        project.manifest(&many(60, round));
        let mut child = project.start(&["apply", "--yes"]);
        let until = Instant::now() + Duration::from_micros(random(&mut state) % whole);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        project.assert_no_broken_link();
        if round % 5 == 0 {
            recover(&project, &format!("round {round}"));
            assert_eq!(project.rows().len(), 60);
        }
    }
    assert!(killed > rounds / 5, "only {killed} of {rounds} runs were killed");
}

/// Sends a signal to an apply of two collections while it paints for the first; returns exit code and what it said.
fn interrupt(project: &Project, signal: Signal, ci: Option<&str>) -> (i32, String) {
    project.write(
        "manifests/quarters.yaml",
        &PEOPLE.replace("people", "quarters").replace("model: first", "model: other"),
    );
    project.pace("1s");
    let mut command = project.command(&["apply", "--yes"]);
    if let Some(ci) = ci {
        command.env("CI", ci);
    }
    let stopped = Stopped::new(command, "original-put:2");
    stopped.signal(signal);
    let ran = stopped.go_on();
    project.pace("0s");
    (ran.code, ran.stdout + &ran.stderr)
}

#[test]
fn the_first_signal_finishes_what_is_in_flight_and_the_next_apply_completes() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let project = Project::new(PEOPLE);
        let (ended, said) = interrupt(&project, signal, None);
        assert_eq!(ended, code, "{said}");
        assert!(said.contains("finishing what is in flight; once more to stop at once"), "{said}");
        assert!(said.contains("next: pixform apply"), "{said}");
        let painted = project.paints();
        assert!((2..16).contains(&painted), "{painted}");
        let live = format!("visitors see: the new pictures of {painted} assets");
        assert!(said.contains(&live), "what was in flight is live, nothing else begun: {said}");
        assert_eq!(project.query("SELECT outcome FROM pixform_runs"), ["interrupted"]);
        project.assert_no_broken_link();
        project.apply();
        assert_eq!(project.paints(), 16);
        project.assert_painted_once();
        project.assert_settled();
    }
}

#[test]
fn in_continuous_integration_the_first_signal_stops_at_once_and_loses_nothing() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let project = Project::new(PEOPLE);
        let (ended, said) = interrupt(&project, signal, Some("true"));
        assert_eq!(ended, code, "{said}");
        assert!(said.contains("stopped at once; the next `pixform apply` goes on from here"), "{said}");
        recover(&project, "a signal");
        assert_eq!(project.rows().len(), 8);
    }
}

#[test]
fn a_second_signal_stops_at_once_and_loses_nothing() {
    let project = Project::new(PEOPLE);
    project.pace("1s");
    let stopped = Stopped::new(project.command(&["apply", "--yes"]), "original-put:2");
    stopped.signal(Signal::INT);
    stopped.signal(Signal::TERM);
    let ran = stopped.go_on();
    project.pace("0s");
    assert!([130, 143].contains(&ran.code), "{ran:?}");
    project.assert_no_broken_link();
    project.apply();
    project.assert_painted_once();
    project.assert_settled();
    assert_eq!(project.rows().len(), 8);
}
