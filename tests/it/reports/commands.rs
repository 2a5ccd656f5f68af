//! Reports as the commands write them: from a real state and a real storage, with what a CI system says of itself.

use std::fs;

use serde_json::{Value, json};

use crate::desk::{Desk, GOOD, Ran};

const CONFIG: &str = r#"version: 1
environments:
  production:
    state: sqlite:state.db
    storage: { url: "file:storage", public_url: "https://cdn.example.com/assets" }
    generators: { novita: { kind: placeholder, checks_as: novita } }
"#;

/// Makes a desk whose pictures have addresses, inside a repository, with everything published.
fn published() -> Desk {
    let desk = Desk::with(GOOD);
    desk.write("pixform.yaml", CONFIG);
    desk.write(".git/HEAD", "ref: refs/heads/main\n");
    let event = json!({ "pull_request": { "head": { "sha": "9c1e2ab0d7f3a4b5c6d7e8f90123456789abcdef" } } });
    desk.write("event.json", event.to_string());
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
    desk
}

/// Runs as in a pull request on GitHub, where the commit of the run is that of a merge.
fn in_pull_request(desk: &Desk, args: &[&str]) -> Ran {
    let event = desk.path("event.json");
    let variables = [
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "team/product"),
        ("GITHUB_SHA", "ffffffffffffffffffffffffffffffffffffffff"),
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
    ];
    let mut placed = vec!["-C", ".", "--env", "production"];
    placed.extend(args);
    desk.run_with(&desk.path("."), &placed, &variables)
}

#[test]
fn a_comment_has_the_pictures_the_lines_and_then_since_when_they_are_live() {
    let desk = published();
    desk.write("manifests/x.yaml", GOOD.replace("subject: a student", "subject: a teacher"));
    let ran = in_pull_request(&desk, &["plan", "--format", "markdown"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let comment = ran.stdout;
    assert!(comment.starts_with("<!-- pixform:v1 env=production plan=sha256:"), "{comment}");
    assert!(comment.lines().next().unwrap().ends_with(" head=9c1e2ab -->"), "{comment}");
    assert!(comment.contains("**1 new picture, 3 unchanged. Merging costs $0.00.**"), "{comment}");
    let live = "<img width=\"128\" src=\"https://cdn.example.com/assets/p/age-18-19-realistic-";
    assert_eq!(comment.matches(live).count(), 1, "{comment}");
    let base = "https://github.com/team/product/blob/9c1e2ab0d7f3a4b5c6d7e8f90123456789abcdef/manifests/x.yaml#L25";
    let told = format!("subject: ~~a student~~ → **a teacher** · [line 25]({base})");
    assert!(comment.contains(&told), "{comment}");
    assert!(comment.contains("`pixform -C '.' --env production apply`"), "{comment}");

    let ran = in_pull_request(&desk, &["apply", "--yes", "--out-markdown", "live.md", "--out-html", "live.html"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let comment = fs::read_to_string(desk.path("live.md")).unwrap();
    assert!(comment.lines().nth(2).unwrap().starts_with("**Live since 20"), "{comment}");
    let pictures: Vec<&str> = comment.split(live).skip(1).map(|rest| &rest[..16]).collect();
    assert!(pictures.len() == 2 && pictures[0] != pictures[1], "before and after are two pictures: {comment}");
    assert_eq!(fs::read_to_string(desk.path("live.html")).unwrap().matches("data:image/webp;base64,").count(), 2);
}

#[test]
fn an_edit_that_is_undone_shows_the_picture_that_is_there_already() {
    let desk = published();
    desk.write("manifests/x.yaml", GOOD.replace("subject: a student", "subject: a teacher"));
    assert_eq!(in_pull_request(&desk, &["apply", "--yes"]).code, 0);
    desk.write("manifests/x.yaml", GOOD);
    let comment = in_pull_request(&desk, &["plan", "--format", "markdown"]).stdout;
    let live = "src=\"https://cdn.example.com/assets/p/age-18-19-realistic-";
    assert_eq!(comment.matches(live).count(), 2, "{comment}");
}

#[test]
fn a_store_without_an_address_is_told_in_words() {
    let desk = Desk::with(GOOD);
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
    desk.write("manifests/x.yaml", GOOD.replace("subject: a student", "subject: a teacher"));
    let ran = desk.run(&["plan", "--format", "markdown"]);
    assert!(!ran.stdout.contains("/files/") && !ran.stdout.contains("<img"), "{}", ran.all());
    assert!(ran.stdout.contains("`manifests/x.yaml:25`"), "{}", ran.all());
}

#[test]
fn a_broken_manifest_gives_a_comment_with_the_mended_line() {
    let desk = Desk::with(GOOD.replace("  sampler:", "  smapler:"));
    let ran = desk.run(&["plan", "--out-markdown", "comment.md", "--out-html", "page.html"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    let comment = fs::read_to_string(desk.path("comment.md")).unwrap();
    assert!(comment.starts_with("<!-- pixform:v1 env=local "), "{comment}");
    let mended = "```diff\n-  smapler: DPM++ 2M Karras\n+  sampler: DPM++ 2M Karras\n```";
    assert!(comment.contains(mended), "{comment}");
    assert!(comment.contains("`manifests/x.yaml:8`"), "{comment}");
    assert!(fs::read_to_string(desk.path("page.html")).unwrap().contains("<ins>  sampler: DPM++ 2M Karras</ins>"));

    let printed = desk.run(&["plan", "--format", "markdown"]);
    assert_eq!((printed.code, printed.stdout), (1, comment));

    // One good manifest beside it is planned all the same, and the mistake still comes first.
    desk.write(
        "manifests/y.yaml",
        GOOD.replace("collection: portraits", "collection: others").replace("table: portraits", "table: others"),
    );
    assert_eq!(desk.run(&["plan", "--out-markdown", "comment.md"]).code, 1);
    let comment = fs::read_to_string(desk.path("comment.md")).unwrap();
    assert!(comment.find(mended).unwrap() < comment.find("| | live now |").unwrap(), "{comment}");

    desk.write("pixform.yaml", "version: 1\nenvironmnts: {}\n");
    assert_eq!(desk.run(&["plan", "--out-markdown", "comment.md"]).code, 1);
    let comment = fs::read_to_string(desk.path("comment.md")).unwrap();
    assert!(comment.contains("+environments: {}"), "{comment}");
}

#[test]
fn one_plan_is_printed_in_every_format() {
    let desk = Desk::with(GOOD);
    let ran = |format: &str| desk.run(&["plan", "--format", format]);
    assert!(ran("text").stdout.ends_with("Estimated cost: $0.00.\n"));
    let document: Value = serde_json::from_str(&ran("json").stdout).unwrap();
    assert_eq!(document["summary"]["generate"], 4);
    assert!(ran("markdown").stdout.contains("**4 new pictures, 0 unchanged."));
    assert!(ran("html").stdout.contains("<!doctype html>"));
    let both = desk.run(&["plan", "--json", "--format", "html"]);
    assert_eq!(both.code, 1, "{}", both.all());
    let short = desk.run(&["plan", "--format", "markdown", "--markdown-limit", "1000"]).stdout;
    assert!(short.chars().count() <= 1_000 && short.contains("_Shortened to fit: "), "{short}");
}
