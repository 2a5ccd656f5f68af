//! Several runs at once: one works on a collection, the others are told who, and a run that lost its lease writes
//! nothing.

use rustix::process::Signal;

use crate::project::{PEOPLE, Project, Stopped, planned, ran, wait};

/// Starts an apply that stands still while it paints: it holds the lease then, and no lock of the database, for pictures
/// come one after another and none is written down meanwhile.
fn painting(project: &Project) -> Stopped {
    project.pace("500ms");
    let stopped = Stopped::new(project.command(&["apply", "--yes"]), "original-put:1");
    project.pace("0s");
    stopped
}

#[test]
fn the_second_apply_is_told_who_works_since_when_and_what_to_do() {
    let project = Project::new(PEOPLE);
    let first = painting(&project);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for args in [&["apply", "--yes"][..], &["apply", "--yes", "--wait", "1s"]] {
        let second = project.run(args).expect(5);
        for words in [
            "`people` is being applied by another run",
            &format!("process {} on host {host} (apply) has had the lease for ", first.id()),
            " second",
            "`--wait 5m`",
            "`pixform unlock`",
            "next: pixform apply --wait 5m",
        ] {
            assert!(second.stderr.contains(words), "`{words}` is missing in:\n{}", second.stderr);
        }
    }
    let unlock = project.ok(&["unlock"]);
    assert!(
        unlock.contains(&format!("held by process {}", first.id())) && unlock.contains("it is running"),
        "{unlock}"
    );
    assert_eq!(first.go_on().code, 0);
    assert_eq!((project.rows().len(), project.paints()), (8, 8));
    assert_eq!(project.ok(&["unlock"]), "Nobody holds a lease.\n");
    project.assert_settled();
}

#[test]
fn a_run_that_waited_finds_its_plan_stale_and_changes_nothing() {
    let project = Project::new(PEOPLE);
    let first = painting(&project);
    let second = project.start(&["apply", "--yes", "--wait", "5m"]);
    wait("the second run never began", || project.query("SELECT id FROM pixform_runs").len() == 2);
    assert_eq!(first.go_on().code, 0);
    let second = ran(second.wait_with_output().unwrap()).expect(6);
    assert!(second.stderr.contains("changed after the plan was made"), "{}", second.stderr);
    assert!(second.stderr.contains("next: pixform plan"), "{}", second.stderr);
    assert_eq!((project.rows().len(), project.paints()), (8, 8));
    project.assert_settled();
}

#[test]
fn a_run_that_waited_for_one_that_came_to_nothing_does_the_work() {
    let project = Project::new(PEOPLE);
    let first = painting(&project);
    let second = project.start(&["apply", "--yes", "--wait", "5m"]);
    wait("the second run never began", || project.query("SELECT id FROM pixform_runs").len() == 2);
    first.signal(Signal::KILL);
    first.go_on().expect(137);
    ran(second.wait_with_output().unwrap()).expect(0);
    assert_eq!((project.rows().len(), project.paints()), (8, 8));
    project.assert_painted_once();
    project.assert_settled();
}

#[test]
fn another_collection_is_applied_meanwhile() {
    let project = Project::new(PEOPLE);
    let first = painting(&project);
    project.write("other.yaml", &PEOPLE.replace(": people", ": others").replace("model: first", "model: other"));
    project.ok(&["apply", "--yes", "other.yaml"]);
    assert_eq!(project.query("SELECT count(*) FROM others"), ["8"]);
    assert_eq!(first.go_on().code, 0);
    project.assert_settled();
}

#[test]
fn a_killed_holder_does_not_block_the_next_run() {
    let project = Project::new(PEOPLE);
    let first = painting(&project);
    first.signal(Signal::KILL);
    first.go_on().expect(137);
    let unlock = project.ok(&["unlock"]);
    assert!(unlock.contains("it is gone: the next apply takes the lease by itself"), "{unlock}");
    project.apply();
    assert_eq!(project.rows().len(), 8);
    project.assert_painted_once();
    project.assert_settled();
}

#[test]
fn a_run_whose_lease_was_broken_and_taken_commits_nothing() {
    let project = Project::new(PEOPLE);
    let first = painting(&project);
    let unlock = project.ok(&["unlock", "--force"]);
    assert!(unlock.contains("The lease on people is broken: that run commits nothing any more."), "{unlock}");
    // Another manifest, so that the second run does not wait for pictures that the first is making.
    let second = PEOPLE.replace("model: first", "model: second");
    project.manifest(&second);
    project.apply();
    let (rows, records) = (project.rows(), project.query("SELECT key, hex(recipe) FROM pixform_records"));
    let stderr = first.go_on().expect(1).stderr;
    assert!(stderr.contains("the lease on `people` was taken by another run"), "{stderr}");
    assert!(stderr.contains("visitors see: "), "{stderr}");
    assert_eq!(project.rows(), rows);
    assert_eq!(project.query("SELECT key, hex(recipe) FROM pixform_records"), records);
    project.assert_no_broken_link();
    project.assert_settled();
    // What it painted before it noticed is not lost.
    project.manifest(PEOPLE);
    assert!(project.plan()["summary"]["reuse"].as_u64().unwrap() >= 1);
    project.apply();
    assert_eq!(project.paints(), 16);
    project.assert_painted_once();
}

#[test]
fn a_run_whose_lease_was_broken_and_not_taken_commits_nothing_either() {
    let project = Project::new(PEOPLE);
    let first = painting(&project);
    project.ok(&["unlock", "people", "--force"]);
    first.go_on().expect(1);
    assert_eq!(project.query("SELECT key FROM pixform_records"), Vec::<String>::new());
    project.apply();
    project.assert_painted_once();
    project.assert_settled();
}

#[test]
fn a_plan_beside_a_running_apply_works_and_writes_nothing() {
    let project = Project::new(PEOPLE);
    let mut first = project.start(&["apply", "--yes"]);
    let mut plans = 0;
    while first.try_wait().unwrap().is_none() {
        project.ok(&["plan"]);
        project.ok(&["plan", "--json"]);
        plans += 1;
    }
    assert!(plans > 0);
    ran(first.wait_with_output().unwrap()).expect(0);
    assert_eq!(project.paints(), 8);

    let project = Project::new(PEOPLE);
    let first = painting(&project);
    let before = project.listing();
    // What is painted already is there to take, what is not is still to paint.
    let document = project.plan();
    assert_eq!(planned(&document).len(), 8);
    assert_eq!(document["summary"]["reuse"], 1, "{document}");
    project.ok(&["list"]);
    assert_eq!(project.listing(), before);
    assert_eq!(first.go_on().code, 0);
}

#[test]
fn two_runs_that_begin_together_leave_one_result() {
    for _ in 0..6 {
        let project = Project::new(PEOPLE);
        let runs: Vec<_> = (0..3).map(|_| project.start(&["apply", "--yes"])).collect();
        let codes: Vec<i32> = runs.into_iter().map(|run| ran(run.wait_with_output().unwrap()).code).collect();
        assert!(codes.contains(&0), "{codes:?}");
        assert!(codes.iter().all(|code| [0, 5, 6].contains(code)), "{codes:?}");
        assert_eq!((project.rows().len(), project.paints()), (8, 8), "{codes:?}");
        project.assert_painted_once();
        project.assert_settled();
    }
}

#[test]
fn a_picture_that_a_living_run_is_making_is_not_made_by_another() {
    let project = Project::new(PEOPLE);
    let waiting = format!(
        "version: 1\nenvironments:\n  local:\n    state: \"{}\"\n    storage: {{ url: \"file:.pixform/storage\" }}\n    \
         generators: {{ painter: {{ kind: placeholder, deadline: 2s }} }}\n",
        project.state_url()
    );
    project.write("pixform.yaml", &waiting);
    let first = Stopped::new(project.command(&["apply", "--yes"]), "intended:1");
    project.ok(&["unlock", "--force"]);
    let second = project.run(&["apply", "--yes"]).expect(4);
    assert!(second.stderr.contains("another run is making the picture of `"), "{}", second.stderr);
    project.assert_no_broken_link();
    first.signal(Signal::KILL);
    first.go_on().expect(137);
    project.apply();
    project.assert_painted_once();
    project.assert_settled();
}
