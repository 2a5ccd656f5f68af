//! Strangers at the door: slow, many, large, and with words that would like to be code. The server answers the next request.

use std::io::{BufRead as _, Read as _, Write as _};
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
        ("many headers", format!("GET /api HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), [431, 400]),
        ("a long header", format!("GET /api HTTP/1.1\r\nhost: localhost\r\n{long}\r\n"), [431, 400]),
        ("a long address", format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(10_000)), [414, 414]),
        (
            "a very long address",
            format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(200_000)),
            [414, 431],
        ),
        ("a long query", format!("GET /api/people?group={value} HTTP/1.1\r\nhost: localhost\r\n\r\n"), [414, 414]),
        (
            "many labels",
            format!("GET /api/people?{labels} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
            [400, 400],
        ),
        ("no HTTP", "\u{16}\u{3}\u{1}hello\r\n\r\n".to_owned(), [400, 400]),
        (
            "two lengths",
            "GET /api HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(),
            [400, 400],
        ),
        (
            "a broken escape",
            "GET /api/%zz/%ff%fe HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_owned(),
            [404, 400],
        ),
        (
            "a body",
            format!(
                "POST /api HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 99999999\r\n\r\n{}",
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
    slow.write_all(b"GET /api HTTP/1.1\r\nhost: localhost\r\nx-").unwrap();
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

/// Names that can be made to point at this machine read nothing here: neither rows nor pages nor numbers.
#[test]
fn a_request_for_another_host_reads_nothing() {
    let project = Project::applied();
    let server = Server::of(&project, &["--host", "pictures.example.com", "--cors", "*"]);
    let ask = |target: &str, version: &str, host: &str| {
        let request = format!("GET {target} HTTP/{version}\r\n{host}connection: close\r\n\r\n");
        server.raw(request.as_bytes()).unwrap_or_else(|| panic!("no answer: {target} {host}"))
    };
    let port = server.address.port();
    for target in
        ["/", "/people", "/api/people", "/plan", "/metrics", "/healthz", "/files/people/x.jpg", "/create-character/"]
    {
        let got = ask(target, "1.1", "host: evil.example\r\n").expect(421);
        assert!(!got.text().contains("age/young"), "{}", got.text());
        ask(target, "1.1", "").expect(400);
        ask(target, "1.1", "host: localhost\r\nhost: localhost\r\n").expect(400);
    }
    let told = ask("/api/people", "1.1", "host: evil.example\r\n").json();
    assert_eq!(told["type"], "urn:pixform:problem:unknown-host");
    assert!(told["detail"].as_str().unwrap().contains("`--host evil.example`"), "{told}");
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "pictures.example.com"] {
        ask("/api/people", "1.1", &format!("host: {host}\r\n")).expect(200);
        ask("/api/people", "1.1", &format!("host: {host}:{port}\r\n")).expect(200);
    }
    ask("/api/people", "1.0", "").expect(200);
    ask("/api/people", "1.0", "host: evil.example\r\n").expect(421);
    ask("http://evil.example/api/people", "1.1", "host: localhost\r\n").expect(421);
}

#[test]
fn a_server_for_everybody_says_for_whom_it_answers_before_it_answers() {
    let project = Project::applied();
    let mut command = project.command(&["serve", "--listen", "0.0.0.0:0"]);
    let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<String> = lines.by_ref().take_while(|line| !line.starts_with("listening on ")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told.iter().any(|line| line.contains("`--host pictures.example.com`")), "{told:?}");
}

/// Escapes of terminals, marks that turn letters around, and letters of no width.
const HIDDEN: [char; 6] = ['\u{1b}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{7f}'];

#[test]
fn what_hides_in_a_text_is_visible_on_every_page_and_in_every_command() {
    let evil = r"a \e[31m\x9b2J\u202egnp.\u2066exe\u200b\x7f woman";
    let project = Project::new(&PEOPLE.replace("a young woman", &format!("\"{evil}\"")));
    project.apply();
    let raw: String = HIDDEN.iter().collect();
    project.execute(&format!("UPDATE people SET prompt = 'by hand {raw}' WHERE value = 'tall' AND style = 'photo'"));
    project.edit("a slim man", "a slim man, edited");
    let clean = |what: &str, text: &str| {
        let hidden = text.find(|letter| HIDDEN.contains(&letter) || ('\u{80}'..='\u{9f}').contains(&letter));
        assert_eq!(hidden.map(|at| text[..at].chars().rev().take(60).collect::<Vec<_>>()), None, "{what}");
    };
    let server = Server::of(&project, &["--manifest"]);
    let bidi = "%E2%80%AE";
    for target in [
        "/".to_owned(),
        "/people".to_owned(),
        "/people/age/young/photo".to_owned(),
        "/people/body/tall/photo".to_owned(),
        "/plan".to_owned(),
        format!("/{bidi}"),
        format!("/people/{bidi}"),
        format!("/people?{bidi}=1"),
        format!("/api/{bidi}"),
        format!("/api/people?{bidi}=1"),
    ] {
        clean(&target, &server.get(&target).text());
    }
    assert!(server.get("/people/age/young/photo").text().contains("\\u{202e}gnp"));
    for args in [
        &["plan"][..],
        &["plan", "-v"],
        &["plan", "--json"],
        &["plan", "--format", "json"],
        &["plan", "--format", "markdown"],
        &["plan", "--format", "html"],
        &["validate"],
        &["show", "age/young/photo"],
        &["show", "body/tall/photo"],
        &["list"],
        &["explain", "body/tall/photo"],
        &["explain", "age/young/photo"],
        &["history"],
        &["check"],
    ] {
        let ran = project.run(args);
        assert!(ran.code < 100, "{args:?}: {}", ran.stderr);
        clean(&args.join(" "), &ran.stdout);
        clean(&args.join(" "), &ran.stderr);
    }
}
