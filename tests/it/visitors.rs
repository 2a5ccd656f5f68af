//! Visitors: what they get of what is published, and what they could get of what is not.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};

use crate::product::product;
use crate::project::{PEOPLE, Project, Ran, ran};
use crate::stores::s3::{KEY, S3, SECRET};
use crate::stores::supabase::{JWT, Supabase};

const UNSEEN: &str = "warning: visitors do not get what is published: http://127.0.0.1:";
const OPEN: &str = "warning: everybody who can fetch a published file can fetch the originals, too";

fn configure(project: &Project, storage: &str) {
    project.write(
        "pixform.yaml",
        &format!(
            "version: 1\nenvironments:\n  shop:\n    state: sqlite:.pixform/state.db\n    storage: {{ {storage} }}\n    \
             generators: {{ painter: {{ kind: placeholder }} }}\n"
        ),
    );
}

fn run(project: &Project, args: &[&str]) -> Ran {
    let mut command = project.command(args);
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("SUPABASE_KEY", JWT);
    ran(command.output().unwrap())
}

fn s3(server: &S3, more: &str) -> String {
    format!("url: \"s3://pictures/shop\", endpoint: \"{}\", region: us-east-1{more}", server.front.address())
}

fn supabase(server: &Supabase) -> String {
    let host = server.front.address().trim_start_matches("http://");
    format!("url: \"supabase://{host}/pictures/shop\", key: \"${{SUPABASE_KEY}}\"")
}

/// Answers every request so, from a thread that goes with the test's process; returns its address.
fn answering(answer: String) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_bucket_whose_files_nobody_can_fetch_is_warned_of_after_the_first_apply_and_by_check() {
    let (project, server) = (Project::new(PEOPLE), S3::start());
    configure(&project, &s3(&server, ""));
    let first = run(&project, &["apply", "--yes"]).expect(0);
    assert_eq!(first.stderr.matches(UNSEEN).count(), 1, "{first:?}");
    assert!(
        first.stderr.contains(" answers 403 Forbidden\n  help: make the files readable for everybody"),
        "{first:?}"
    );
    project.edit("an old man", "an older man");
    let second = run(&project, &["apply", "--yes"]).expect(0);
    assert!(!second.stderr.contains(UNSEEN), "{second:?}");
    for args in [&["check"][..], &["check", "--deep"]] {
        let checked = run(&project, args).expect(0);
        assert_eq!(checked.stderr.matches(UNSEEN).count(), 1, "{checked:?}");
        assert!(
            checked.stdout.contains("rows and files are as they should be, but visitors do not get them"),
            "{checked:?}"
        );
    }
    let events = run(&project, &["check", "--json"]).expect(0);
    assert!(events.stdout.contains(r#"{"type":"diagnostic","severity":"warning","message":"visitors do not get"#));
}

#[test]
fn one_file_of_a_public_bucket_is_fetched_once_and_without_a_key() {
    let (project, server) = (Project::new(PEOPLE), Supabase::start());
    configure(&project, &supabase(&server));
    let looks = || {
        let seen = server.front.seen().into_iter().filter(|seen| seen.path.contains("/object/public/"));
        seen.map(|seen| assert!(!seen.headers.contains_key("apikey") && !seen.headers.contains_key("authorization")))
            .count()
    };
    for (args, count) in [(&["apply", "--yes"][..], 1), (&["plan"], 0), (&["check"], 1)] {
        let told = run(&project, args).expect(0);
        assert!(!told.stderr.contains("visitors do not get"), "{told:?}");
        assert_eq!(looks(), count, "{args:?}");
    }
    project.edit("an old man", "an older man");
    run(&project, &["apply", "--yes"]).expect(0);
    assert_eq!(looks(), 0, "once a store");
}

#[test]
fn a_public_address_that_leads_elsewhere_is_told_with_what_is_there() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
    let inside = answering(page.to_owned());
    let leads =
        format!("HTTP/1.1 302 Found\r\nlocation: {inside}/secret\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    for (address, expected) in [
        (answering(page.to_owned()), "holds `text/html`, which is no picture"),
        (
            answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()),
            "answers 404 Not Found",
        ),
        (answering(leads), "which is no public address"),
        ("http://127.0.0.1:1".to_owned(), "cannot be reached"),
    ] {
        // Of a folder, too, where somebody serves it.
        let project = Project::new(PEOPLE);
        configure(&project, &format!("url: \"file:.pixform/storage\", public_url: \"{address}/p\""));
        let applied = run(&project, &["apply", "--yes"]).expect(0);
        assert!(applied.stderr.contains(UNSEEN) && applied.stderr.contains(expected), "{expected}: {applied:?}");
        assert!(applied.stdout.contains("8 generated"), "{applied:?}");
    }
}

#[test]
fn originals_that_everybody_can_fetch_are_told_by_plan_once_on_every_kind_of_store() {
    let (s3_server, supabase_server) = (S3::start(), Supabase::start());
    std::fs::create_dir(s3_server.folder.path().join("private")).unwrap();
    let cdn = ", public_url: \"https://cdn.example.invalid/shop\"";
    let mut own = s3(&s3_server, cdn).replace("/shop\"", "/own\"");
    own.push_str(", originals: { url: \"s3://private/kept\" }");
    for (storage, open) in [
        (s3(&s3_server, cdn), true),
        (s3(&s3_server, ", originals: { url: \"s3://pictures/kept\" }").replace("/shop", "/same"), true),
        (own, false),
        (supabase(&supabase_server), true),
        ("url: \"file:public/images\"".to_owned(), true),
        ("url: \"file:media\", public_url: /media".to_owned(), true),
        ("url: \"file:media\", public_url: /media, originals: { url: \"file:media/kept\" }".to_owned(), true),
        ("url: \"file:public/images\", originals: { url: \"file:.pixform/originals\" }".to_owned(), false),
        ("url: \"file:.pixform/storage\"".to_owned(), false),
    ] {
        let project = Project::new(PEOPLE);
        configure(&project, &storage);
        let told = |args: &[&str]| run(&project, args).expect(0).stderr.matches(OPEN).count();
        assert_eq!(told(&["plan"]), usize::from(open), "{storage}");
        assert_eq!(told(&["apply", "--yes"]), usize::from(open), "{storage}");
        assert_eq!(told(&["plan"]), 0, "{storage}");
    }
}

#[test]
fn check_does_not_guess_about_files_that_were_adopted() {
    let project = product();
    project.ok(&["import", "--yes"]);
    project.edit("subject: an old man", "subject: a man of eighty");
    project.ok(&["apply", "--yes"]);
    let checked = project.run(&["check"]).expect(0);
    assert!(!checked.stderr.contains("killed") && !checked.stdout.contains("killed"), "{checked:?}");
}
