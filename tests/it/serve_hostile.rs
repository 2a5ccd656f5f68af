//! Strangers at the door: slow, many, large, and with words that would like to be code. The server answers the next request.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::project::{PEOPLE, Project};
use crate::served::Server;

#[test]
fn bombs_are_refused_and_the_next_request_is_answered() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let many = "x-header: value\r\n".repeat(500);
    let long = format!("x-header: {}\r\n", "v".repeat(100_000));
    let value = "age&group=".repeat(3_000);
    let labels = "a=b&".repeat(1_000);
    for (what, request, statuses) in [
        ("many headers", format!("GET /api HTTP/1.1\r\nhost: a\r\n{many}\r\n"), [431, 400]),
        ("a long header", format!("GET /api HTTP/1.1\r\nhost: a\r\n{long}\r\n"), [431, 400]),
        ("a long address", format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(10_000)), [414, 414]),
        ("a very long address", format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(200_000)), [414, 431]),
        ("a long query", format!("GET /api/people?group={value} HTTP/1.1\r\nhost: a\r\n\r\n"), [414, 414]),
        (
            "many labels",
            format!("GET /api/people?{labels} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
            [400, 400],
        ),
        ("no HTTP", "\u{16}\u{3}\u{1}hello\r\n\r\n".to_owned(), [400, 400]),
        (
            "two lengths",
            "GET /api HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(),
            [400, 400],
        ),
        (
            "a broken escape",
            "GET /api/%zz/%ff%fe HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(),
            [404, 400],
        ),
        (
            "a body",
            format!(
                "POST /api HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 99999999\r\n\r\n{}",
                "b".repeat(1_000)
            ),
            [405, 405],
        ),
    ] {
        let got = server.raw(request.as_bytes());
        let status = got.as_ref().map_or(0, |got| got.status);
        assert!(statuses.contains(&status), "{what}: {status}");
        server.get("/api/people?limit=1").expect(200);
    }
}

#[test]
fn a_thousand_idle_connections_keep_nobody_from_an_answer_and_are_cut() {
    let project = Project::applied();
    let server = Server::of(&project, &["--patience", "2s"]);
    let begun = Instant::now();
    let idle: Vec<TcpStream> = (0..1_000).map(|_| server.connect()).collect();
    server.get("/api/people").expect(200);
    // Half of a request, and then nothing.
    let mut slow = server.connect();
    slow.write_all(b"GET /api HTTP/1.1\r\nhost: a\r\nx-").unwrap();
    server.get("/api/people").expect(200);
    for mut stream in idle.into_iter().chain([slow]) {
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let read = stream.read_to_end(&mut answer);
        assert!(
            read.is_ok() || read.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock),
            "it is not cut"
        );
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "nobody is cut before the time");
    server.get("/api/people").expect(200);
}

#[test]
fn a_connection_that_sends_a_byte_a_while_is_cut() {
    let project = Project::applied();
    let server = Server::of(&project, &["--patience", "1s"]);
    let mut slow = server.connect();
    slow.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let begun = Instant::now();
    let mut byte = [0];
    // Reading waits a tenth of a second between two bytes.
    loop {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is never cut");
        if slow.write_all(b"x").is_err() {
            break;
        }
        match slow.read(&mut byte) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break,
        }
    }
    server.get("/api/people").expect(200);
}

#[test]
fn words_that_would_like_to_be_markup_are_only_words() {
    let evil = "</script><img src=x onerror=alert(1)>&amp;\\\"' <b>";
    let project = Project::new(&PEOPLE.replace("a young woman", &format!("'{}'", evil.replace('\'', "''"))));
    project.apply();
    let server = Server::of(&project, &["--manifest"]);
    for target in ["/", "/people", "/people?group=age", "/people/age/young/photo", "/plan"] {
        let got = server.get(target).expect(200);
        let text = got.text();
        assert!(!text.contains("<img src=x") && !text.contains("</script><img") && !text.contains("' <b>"), "{target}");
        let policy = got.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{target}: {policy}");
        assert!(got.header("x-content-type-options") == "nosniff");
    }
    assert!(server.get("/people/age/young/photo").text().contains("&lt;img src=x onerror=alert(1)&gt;"));
    let evil = "%3Cscript%3Ealert(1)%3C/script%3E";
    for target in
        [format!("/{evil}"), format!("/people/{evil}"), format!("/people?{evil}=1"), format!("/people?group={evil}")]
    {
        let text = server.get(&target).text();
        assert!(!text.contains("<script>alert"), "{target}");
    }
}
