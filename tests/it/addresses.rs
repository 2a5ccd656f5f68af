//! Addresses, keys and paths that lead elsewhere than was meant: told as what they are, before anything is made or bought.

use std::process::Command;

use crate::against::{commit, git};
use crate::desk::{Desk, GOOD};
use crate::project::{PEOPLE, Project, Ran, ran};
use crate::stores::Fault;
use crate::stores::s3::{KEY, S3, SECRET};
use crate::stores::supabase::{ANON, JWT, PUBLISHABLE, Routes, Supabase};

/// A project whose files lie in a store with these fields.
fn project(storage: &str) -> Project {
    let project = Project::new(PEOPLE);
    keep(&project, storage);
    project
}

fn keep(project: &Project, storage: &str) {
    let text = format!(
        "version: 1\nenvironments:\n  shop:\n    state: sqlite:state.db\n    storage: {{ {storage} }}\n    \
         generators: {{ painter: {{ kind: placeholder }} }}\n"
    );
    project.write("pixform.yaml", &text);
}

fn run(project: &Project, args: &[&str], key: &str) -> Ran {
    let mut command: Command = project.command(args);
    command.env("SUPABASE_KEY", key).env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
    let told = ran(command.output().unwrap());
    assert!(!told.stderr.contains(key) && !told.stderr.contains(SECRET), "{}", told.stderr);
    told
}

#[test]
fn an_endpoint_without_the_path_of_the_storage_is_told_so() {
    let supabase = Supabase::start();
    supabase.memory().routes = Routes::Gateway;
    let address = supabase.front.address();
    let key = "key: \"${SUPABASE_KEY}\"";
    let url = "url: \"supabase://localhost/pictures/shop\"";
    for originals in ["", ", originals: { url: \"supabase://localhost/pictures/originals\" }"] {
        let project = project(&format!("{url}, endpoint: \"{address}\", {key}{originals}"));
        for command in [&["plan"][..], &["apply", "--yes"]] {
            let told = run(&project, command, JWT).expect(1).stderr;
            assert!(told.contains("answers 404 to the Storage API"), "{command:?}: {told}");
            assert!(
                told.contains(&format!(
                    "does `endpoint` lack `/storage/v1`? Then write `endpoint: {address}/storage/v1`"
                )),
                "{told}"
            );
        }
        keep(&project, &format!("{url}, endpoint: \"{address}/storage/v1\", {key}{originals}"));
        let told = run(&project, &["plan"], JWT).expect(0).stdout;
        assert!(told.contains("Plan: 8 to generate"), "{told}");
    }
    let project = project(&format!("url: \"s3://pictures/shop\", endpoint: \"{address}\", region: local"));
    let told = run(&project, &["plan"], JWT).expect(1).stderr;
    assert!(told.contains("answers 404, and not as a store does"), "{told}");
    assert!(told.contains(&format!("`endpoint: {address}/storage/v1/s3`")), "{told}");
}

#[test]
fn an_address_of_something_else_is_told_with_the_one_that_was_meant() {
    let project = project("url: \"file:f\"");
    for (storage, wanted) in [
        (
            "url: \"supabase://x.supabase.co/b\", endpoint: \"https://supabase.com/dashboard/project/abc\"",
            "`endpoint: https://abc.supabase.co/storage/v1`",
        ),
        (
            "url: \"supabase://x.supabase.co/b\", endpoint: \"http://x.supabase.co/storage/v1\"",
            "`endpoint: https://x.supabase.co/storage/v1`",
        ),
        ("url: \"supabase://x.supabase.co/b\", endpoint: \"postgres://u@h/d\"", "belongs into `state`"),
        (
            "url: \"s3://b\", endpoint: \"https://x.supabase.co/storage/v1/s3/storage/v1/s3\"",
            "`endpoint: https://x.supabase.co/storage/v1/s3`",
        ),
        ("url: \"supabase://supabase.com/dashboard/project/abc\"", "`url: supabase://abc.supabase.co/BUCKET/PREFIX`"),
        ("url: \"postgres://u@h/d\"", "write it as `state:`"),
        ("url: \"https://x.supabase.co/storage/v1\"", "`url: \"supabase://PROJECT.supabase.co/BUCKET\"`"),
    ] {
        keep(&project, &format!("{storage}, key: \"${{SUPABASE_KEY}}\""));
        let told = run(&project, &["plan"], JWT).expect(1).stderr;
        assert!(told.contains(wanted), "{storage}: {told}");
    }
}

#[test]
fn a_key_that_is_shown_nothing_is_told_so_and_nothing_counts_as_lost() {
    let supabase = Supabase::start();
    let host = supabase.front.address().trim_start_matches("http://").to_owned();
    let project = project(&format!("url: \"supabase://{host}/pictures/shop\", key: \"${{SUPABASE_KEY}}\""));
    let refused = |what: &str, commands: &[&str]| {
        for (key, whose) in [(ANON, "that of the role `anon`"), (PUBLISHABLE, "the publishable one")] {
            for command in commands {
                let told = run(&project, &[*command], key).expect(1);
                assert!(told.stderr.contains(&format!("the key is {whose}")), "{what}: {command}: {told:?}");
                assert!(told.stderr.contains("service_role"), "{what}: {told:?}");
                assert!(!told.stdout.contains("to generate") && !told.stderr.contains("previous"), "{what}: {told:?}");
            }
        }
    };
    refused("at first", &["plan"]);
    run(&project, &["apply", "--yes"], JWT).expect(0);
    refused("when all is there", &["plan", "check"]);
    let told = run(&project, &["plan"], JWT).expect(0).stdout;
    assert!(told.contains("No changes."), "{told}");
    // With a key that sees all, what is not there is lost, and the way to move comes first.
    supabase.memory().objects.clear();
    let told = run(&project, &["plan"], JWT).expect(0).stdout;
    assert!(told.contains("the storage has no `originals/.pixform-store`") && told.contains("`previous: "), "{told}");
}

#[test]
fn a_bucket_that_may_not_be_listed_is_told_so() {
    let s3 = S3::start();
    let address = s3.front.address();
    let project = project(&format!("url: \"s3://pictures/shop\", endpoint: \"{address}\", region: us-east-1"));
    for applied in [false, true] {
        if applied {
            run(&project, &["apply", "--yes"], JWT).expect(0);
        }
        s3.front.fault("GET", "list-type", u32::MAX, Fault::Status(403, "<Error><Code>AccessDenied</Code></Error>"));
        let told = run(&project, &["plan"], JWT).expect(1);
        assert!(told.stderr.contains("refuses to list") && told.stderr.contains("may list the bucket"), "{told:?}");
        assert!(!told.stdout.contains("to generate"), "{told:?}");
        s3.front.clear_faults();
    }
}

#[test]
fn a_home_folder_is_never_made_in_the_working_folder() {
    let desk = Desk::with(GOOD);
    let config = |fields: &str, state: &str, storage: &str| {
        format!(
            "version: 1\n{fields}environments:\n  a:\n    state: \"{state}\"\n    storage: {{ url: {storage} }}\n    \
             generators: {{ novita: {{ kind: placeholder }} }}\n"
        )
    };
    for (text, place) in [
        (config("", "sqlite:~/state.db", "\"file:f\""), "4:12"),
        (config("", "sqlite:s.db", "\"file:~/pictures\""), "5:21"),
        (config("", "sqlite:s.db", "\"file:f\", originals: { url: \"file:~/o\" }"), "5:49"),
        (config("", "sqlite:s.db", "\"file:f\", previous: \"file:~me/o\""), "5:41"),
        (config("env_file: ~/keys\n", "sqlite:s.db", "\"file:f\""), "2:11"),
        (config("", "postgres://u@h/d?sslrootcert=~/ca.crt", "\"file:f\""), "4:12"),
    ] {
        desk.write("pixform.yaml", &text);
        let ran = desk.run(&["plan", "--json"]);
        let told: Vec<_> = ran.diagnostics().into_iter().map(|(_, words)| words).collect();
        assert!(
            told.len() == 1 && told[0].starts_with(&format!("{place} `~` is no home folder here")),
            "{text}: {}",
            ran.all()
        );
    }
    std::fs::remove_file(desk.path("pixform.yaml")).unwrap();
    for args in [&["--config=~/pixform.yaml", "plan"][..], &["plan", "~/x.yaml"], &["-C", "~", "plan"]] {
        let ran = desk.run(args);
        assert!(ran.code == 1 && ran.stderr.contains("does not lie in your home folder"), "{args:?}: {}", ran.all());
    }
    assert!(!desk.path("~").exists());
}

#[test]
fn a_repository_of_another_user_and_a_part_of_the_history_are_told_with_the_command_that_mends_it() {
    let origin = Project::new(PEOPLE);
    git(&origin.root(), &["init", "-q"]);
    commit(&origin.root());
    let first = git(&origin.root(), &["rev-parse", "HEAD"]);
    commit(&origin.root());
    let against = |project: &Project, name: &str| project.command(&["plan", "--against", name]);
    let mut owned = against(&origin, "HEAD");
    let told = ran(owned.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1").output().unwrap()).expect(1).stderr;
    let mend =
        format!("git config --global --add safe.directory '{}'", origin.root().canonicalize().unwrap().display());
    assert!(told.contains("dubious ownership") && told.contains(&mend), "{told}");
    let shallow = Project::new(PEOPLE);
    let url = format!("file://{}", origin.root().display());
    git(&shallow.root(), &["clone", "-q", "--depth=1", &url, "part"]);
    for (name, command) in [
        (first.as_str(), format!("git fetch --depth=1 origin {first}")),
        ("HEAD~1", "git fetch --unshallow origin".to_owned()),
        ("origin/next", "git fetch --depth=1 origin next:refs/remotes/origin/next".to_owned()),
    ] {
        let mut asked = against(&shallow, name);
        let told = ran(asked.current_dir(shallow.root().join("part")).output().unwrap()).expect(1).stderr;
        assert!(told.contains("shallow clone") && told.contains(&command), "{name}: {told}");
    }
    let empty = Project::new(PEOPLE);
    git(&empty.root(), &["init", "-q"]);
    let told = ran(against(&empty, "HEAD").output().unwrap()).expect(1).stderr;
    assert!(told.contains("nothing is committed here yet"), "{told}");
}
