//! The API that a product reads: rows, filters, pages, tags, and what is wrong with a request.

use std::io::Read as _;
use std::process::Stdio;

use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::project::{PEOPLE, Project};
use crate::served::Server;

/// The keys of rows, in their order.
fn keys(rows: &Value) -> Vec<String> {
    let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
    let key = |row: &Value| ["group", "value", "style"].map(|axis| text(row, axis)).join("/");
    rows.as_array().unwrap().iter().map(key).collect()
}

fn rows(server: &Server, query: &str) -> Vec<String> {
    keys(&server.get(&format!("/api/people{query}")).expect(200).json())
}

#[test]
fn rows_come_in_manifest_order_and_with_the_columns_that_were_declared() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let order = [
        "age/young/photo",
        "age/young/anime",
        "age/aged/photo",
        "age/aged/anime",
        "body/slim/photo",
        "body/slim/anime",
        "body/tall/photo",
        "body/tall/anime",
    ];
    assert_eq!(rows(&server, ""), order);
    let one = server.get("/api/people/age/young/photo").expect(200);
    let text = one.text();
    let names = ["id", "group", "value", "style", "image_url", "seed", "prompt", "created_at", "updated_at"];
    let places: Vec<_> = names.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(one.json().as_object().unwrap().len(), names.len());
    assert_eq!(one.json()["prompt"], "a photograph of a young woman");
    assert_eq!(one.header("content-type"), "application/json");
}

#[test]
fn an_apply_that_only_changes_the_order_says_no_changes_and_the_order_is_shown() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    assert_eq!(rows(&server, "?style=photo")[..2], ["age/young/photo", "age/aged/photo"]);
    let young = "        young: { vars: { subject: a young woman } }\n";
    let aged = "        aged: { vars: { subject: an old man } }\n";
    project.manifest(&PEOPLE.replace(&format!("{young}{aged}"), &format!("{aged}{young}")));
    assert!(project.apply().contains("No changes."));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while rows(&server, "?style=photo")[..2] != ["age/aged/photo", "age/young/photo"] {
        assert!(std::time::Instant::now() < deadline, "the order is still the old one");
    }
    assert!(project.apply().contains("No changes."));
}

#[test]
fn filters_are_labels_and_may_be_repeated() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    assert_eq!(rows(&server, "?group=body&style=anime"), ["body/slim/anime", "body/tall/anime"]);
    assert_eq!(
        rows(&server, "?value=tall&value=young&style=photo"),
        ["age/young/photo", "body/tall/photo"],
        "in manifest order, not in that of the query"
    );
    assert_eq!(rows(&server, "?group=").len(), 8, "a form sends an empty value for any");
    assert!(rows(&server, "?value=nobody").is_empty());
    assert!(rows(&server, "?group=body&value=young").is_empty());
}

#[test]
fn pages_follow_one_another_and_hold_every_row_once() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let (mut target, mut found) = ("/api/people?style=photo&style=anime&limit=3".to_owned(), Vec::new());
    for _ in 0..3 {
        let page = server.get(&target).expect(200);
        found.extend(keys(&page.json()));
        let link = page.header("link").to_owned();
        match link.strip_prefix('<').and_then(|link| link.split_once(">; rel=\"next\"")) {
            Some((next, _)) => target = next.to_owned(),
            None => target.clear(),
        }
    }
    assert!(target.is_empty(), "after three pages there is no next one");
    assert_eq!(found, rows(&server, ""));
    assert_eq!(rows(&server, "?limit=8").len(), 8);
    assert_eq!(server.get("/api/people?limit=8").header("link"), "", "there is nothing after the last row");
}

#[test]
fn what_is_wrong_is_told_with_what_is_allowed() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    for (target, status, kind, allowed) in [
        ("/api/people?colour=red", 400, "unknown-label", "group"),
        ("/api/people?limit=0", 400, "bad-paging", ""),
        ("/api/people?limit=1001", 400, "bad-paging", ""),
        ("/api/people?limit=many", 400, "bad-paging", ""),
        ("/api/people?cursor=gone", 400, "bad-paging", ""),
        ("/api/people?page=2", 400, "bad-paging", ""),
        ("/api?limit=1", 400, "unknown-label", ""),
        ("/api/nobody", 404, "unknown-collection", "people"),
        ("/api/people/age/nobody/photo", 404, "unknown-key", "age/young/photo"),
        ("/api/people/age", 404, "unknown-key", "age/young/photo"),
    ] {
        let got = server.get(target).expect(status);
        assert_eq!(got.header("content-type"), "application/problem+json", "{target}");
        let problem = got.json();
        assert_eq!(problem["type"], format!("urn:pixform:problem:{kind}"), "{target}");
        assert_eq!(problem["status"], status, "{target}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        let names = problem["allowed"].as_array().cloned().unwrap_or_default();
        assert!(allowed.is_empty() || names.contains(&json!(allowed)), "{target}: {problem}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
        let got = server.ask(method, "/api/people", &[]).expect(405);
        assert_eq!(got.header("allow"), "GET, HEAD");
    }
}

#[test]
fn a_client_that_knows_the_answer_is_told_so_and_one_that_takes_gzip_gets_it() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let first = server.get("/api/people").expect(200);
    let tag = first.header("etag").to_owned();
    let again = server.ask("GET", "/api/people", &[("if-none-match", &tag)]).expect(304);
    assert!(again.body.is_empty());
    assert_eq!(again.header("etag"), tag);
    let zipped = server.ask("GET", "/api/people", &[("accept-encoding", "gzip, br")]).expect(200);
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert_ne!(zipped.header("etag"), tag, "other bytes have another tag");
    assert!(zipped.header("vary").contains("accept-encoding"));
    let mut plain = Vec::new();
    GzDecoder::new(&zipped.body[..]).read_to_end(&mut plain).unwrap();
    assert_eq!(plain, first.body);
    let head = server.ask("HEAD", "/api/people", &[]).expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    assert_eq!(first.header("cache-control"), "no-cache");
}

#[test]
fn only_pages_of_an_origin_on_the_list_may_read() {
    let project = Project::applied();
    let server = Server::of(&project, &["--cors", "https://shop.example.com"]);
    for (origin, allowed) in [("https://shop.example.com", true), ("https://evil.example", false), ("null", false)] {
        let got = server.ask("GET", "/api/people", &[("origin", origin)]).expect(200);
        assert_eq!(got.header("access-control-allow-origin") == origin, allowed, "{origin}");
        assert_eq!(got.headers.contains_key("access-control-allow-origin"), allowed, "{origin}");
        assert!(got.header("vary").contains("origin"));
        let asked = [("origin", origin), ("access-control-request-method", "GET")];
        let before = server.ask("OPTIONS", "/api/people", &asked).expect(204);
        assert_eq!(before.headers.contains_key("access-control-allow-methods"), allowed, "{origin}");
    }
}

#[test]
fn of_a_table_of_the_product_no_other_column_is_shown() {
    let project = Project::new(PEOPLE);
    let (id, unique) = match project.is_sqlite() {
        true => ("INTEGER PRIMARY KEY", "UNIQUE"),
        false => ("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "UNIQUE"),
    };
    project.ok(&["plan"]);
    std::fs::create_dir_all(project.root().join(".pixform")).unwrap();
    project.batch(&format!(
        "CREATE TABLE people (id {id}, secret text DEFAULT 'hush', \"group\" text NOT NULL, value text NOT NULL, style text \
         NOT NULL, image_url text, seed bigint, prompt text, created_at text DEFAULT 'then', {unique} (\"group\", value, style));"
    ));
    if !project.is_sqlite() {
        // A server shows what everybody may read; other tests make the roles of Supabase.
        project.batch("GRANT SELECT ON people TO PUBLIC");
    }
    project.apply();
    let server = Server::of(&project, &[]);
    let text = server.get("/api/people/age/young/photo").expect(200).text();
    let row: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert_eq!(names, ["group", "id", "image_url", "prompt", "seed", "style", "value"]);
    assert!(!text.contains("hush"));
}

#[test]
fn the_collections_are_listed_and_described() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let all = server.get("/api").expect(200).json();
    assert_eq!(all[0]["name"], "people");
    assert_eq!(all[0]["rows"], 8);
    assert_eq!(all[0]["labels"][1], json!({ "name": "value", "values": ["young", "aged", "slim", "tall"] }));
    let described = server.get("/api/openapi.json").expect(200).json();
    assert_eq!(described["openapi"], "3.1.0");
    let paths: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/api", "/api/people", "/api/people/{group}/{value}/{style}"]);
}

#[test]
fn a_server_that_finds_nothing_says_so_and_shows_what_comes() {
    let project = Project::new(PEOPLE);
    let server = Server::of(&project, &[]);
    assert_eq!(server.get("/api").expect(200).json(), json!([]));
    server.get("/api/people").expect(404);
    assert!(server.get("/").expect(200).text().contains("Nothing is published yet"));
    project.apply();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while server.get("/api/people").status != 200 {
        assert!(std::time::Instant::now() < deadline, "what was applied is not shown");
    }
    assert_eq!(rows(&server, "").len(), 8);
}

#[test]
fn the_log_tells_labels_and_no_other_words_of_a_query() {
    let project = Project::applied();
    let mut command = project.command(&["serve", "--listen", "127.0.0.1:0", "--access-log"]);
    let log = project.root().join("access.log");
    let file = std::fs::File::create(&log).unwrap();
    let child = command.stdout(file).stderr(Stdio::piped()).spawn().unwrap();
    let server = Server::started(child);
    server.get("/api/people?group=age&limit=2").expect(200);
    server.get("/api/people?group=age&token=hunter2").expect(400);
    server.ask("GET", "/healthz", &[("authorization", "Bearer hunter2"), ("cookie", "session=hunter2")]).expect(200);
    assert!(server.stop(Signal::TERM).success());
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("token"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["query"], &lines[0]["status"]), (&json!("group=age&limit=2"), &json!(200)));
    assert_eq!((&lines[1]["query"], &lines[1]["path"]), (&json!("group=age"), &json!("/api/people")));
    assert!(lines[0]["bytes"].as_u64().unwrap() > 100);
}

#[test]
fn numbers_and_health_tell_how_it_stands() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    assert_eq!(server.get("/healthz").expect(200).text(), "ok\n");
    assert_eq!(server.get("/readyz").expect(200).json(), json!({ "state": "ok", "storage": "ok" }));
    server.get("/api/people").expect(200);
    server.get("/api/nobody").expect(404);
    project.execute("UPDATE people SET prompt = 'by hand' WHERE style = 'photo' AND value = 'young'");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let text = loop {
        let text = server.get("/metrics").expect(200).text();
        if text.contains("pixform_drift{collection=\"people\",kind=\"edited\"} 1\n") {
            break text;
        }
        assert!(std::time::Instant::now() < deadline, "{text}");
    };
    for line in [
        "pixform_rows{collection=\"people\"} 8\n",
        "pixform_http_requests_total{part=\"api\",status=\"2xx\"} 1\n",
        "pixform_http_requests_total{part=\"api\",status=\"4xx\"} 1\n",
        "pixform_http_request_duration_seconds_count{part=\"api\"} 2\n",
        "pixform_ledger_calls 8\n",
        "pixform_ledger_dollars{charge=\"charged\"} 0\n",
        "# TYPE pixform_http_request_duration_seconds histogram\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_signal_ends_it_with_success_and_a_taken_port_is_told() {
    let project = Project::applied();
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::of(&project, &[]);
        server.get("/healthz").expect(200);
        assert_eq!(server.stop(signal).code(), Some(0));
    }
    let server = Server::of(&project, &[]);
    let ran = project.run(&["serve", "--listen", &server.address.to_string()]).expect(1);
    assert!(
        ran.stderr.contains("could not listen on") && ran.stderr.contains("--listen 127.0.0.1:8081"),
        "{}",
        ran.stderr
    );
}
