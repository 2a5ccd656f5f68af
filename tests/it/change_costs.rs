//! What a pull request cost is what its runs were charged; and in the gallery each picture is what it was.

use std::fs;

use crate::fake::FakeNovita;
use crate::money::{configure, fake, people};
use crate::project::{Project, Ran, ran};
use crate::served::Server;

const FAST: &str = ", concurrency: 3, images_per_minute: 100000";
const KEY: &str = "age/aged/photo";

/// A project whose eight pictures are live, bought from a fake for $0.12.
fn shop() -> (Project, FakeNovita) {
    let fake = fake(5);
    let project = Project::new(&people());
    configure(&project, &fake, FAST, "");
    project.apply();
    (project, fake)
}

/// Runs a command as a workflow of GitHub does for a pull request.
fn for_pull_request(project: &Project, number: &str, branch: &str, args: &[&str]) -> Ran {
    let mut command = project.command(args);
    command.env("GITHUB_REPOSITORY", "shop/pictures").env("GITHUB_HEAD_REF", branch);
    command.env("GITHUB_REF", format!("refs/pull/{number}/merge"));
    ran(command.output().unwrap()).expect(0)
}

/// Puts the working folder on a branch.
fn switch(project: &Project, branch: &str) {
    project.write(".git/HEAD", &format!("ref: refs/heads/{branch}\n"));
}

/// Returns the last line of the report on a preview, which tells the money.
fn foot(project: &Project, preview: impl FnOnce(&[&str]) -> Ran) -> String {
    preview(&["preview", "--yes", "--out-markdown", "report.md"]);
    let report = fs::read_to_string(project.root().join("report.md")).unwrap();
    report.lines().rfind(|line| line.contains("<sub>")).unwrap().to_owned()
}

#[test]
fn a_pull_request_cost_what_its_runs_were_charged() {
    let (project, fake) = shop();
    // At a desk: three candidates, of which one is picked; then the workflow, which buys what else changed.
    switch(&project, "hair");
    project.run(&["preview", "--yes", "--only", KEY, "--candidates", "3"]).expect(0);
    project.ok(&["pick", KEY, "2"]);
    let desk = foot(&project, |args| project.run(args).expect(0));
    assert!(desk.contains("this branch $0.045 ·"), "{desk}");
    project.edit("subject: a tall woman", "subject: a taller woman");
    let in_review = |args: &[&str]| for_pull_request(&project, "7", "hair", args);
    let told = foot(&project, in_review);
    assert!(told.contains("this pull request $0.075 ·"), "{told}");
    assert!(foot(&project, in_review).contains("this pull request $0.075 ·"), "a second push buys nothing");
    // The merge is told the same, by its number.
    switch(&project, "main");
    let mut merge = project.command(&["apply", "--yes", "--max-cost", "0", "--out-markdown", "report.md"]);
    merge.env("GITHUB_REPOSITORY", "shop/pictures").env("GITHUB_REF", "refs/heads/main");
    ran(merge.env("PIXFORM_PULL_REQUEST", "7").output().unwrap()).expect(0);
    let report = fs::read_to_string(project.root().join("report.md")).unwrap();
    assert!(report.contains("this pull request $0.075 ·"), "{report}");
    // What costs nothing costs nothing: a revert, whatever its pictures cost once.
    project.edit("subject: a taller woman", "subject: a tall woman");
    let revert = foot(&project, |args| for_pull_request(&project, "8", "revert-7", args));
    assert!(revert.contains("this pull request $0.00 ·"), "{revert}");
    // A branch of the same name, later: what was spent at the desk before belongs to the first.
    project.edit("subject: an old man", "subject: an older man");
    let later = foot(&project, |args| for_pull_request(&project, "9", "hair", args));
    assert!(later.contains("this pull request $0.03 ·"), "{later}");
    let first = foot(&project, in_review);
    assert!(first.contains("this pull request $0.075 ·"), "{first}");
    // Where nobody knows what a run belongs to, nothing is said.
    let nobody = foot(&project, |args| project.run(args).expect(0));
    assert!(!nobody.contains("this pull request") && !nobody.contains("this branch"), "{nobody}");
    assert_eq!(fake.charges().len(), 8 + 3 + 2 + 2);
}

#[test]
fn a_picture_in_the_gallery_is_told_as_what_it_was() {
    let (project, _fake) = shop();
    project.run(&["preview", "--yes", "--only", KEY, "--candidates", "2"]).expect(0);
    project.ok(&["pick", KEY, "2"]);
    project.apply();
    project.edit("subject: an old man", "subject: an older man");
    project.run(&["preview", "--yes"]).expect(0);
    let server = Server::of(&project, &[]);
    let page = server.get(&format!("/people/{KEY}")).expect(200).text();
    let history = page.split("<ol class=\"history\">").nth(1).unwrap().split("</ol>").next().unwrap();
    let entries: Vec<&str> = history.split("<li").skip(1).collect();
    let pills = ["previewed, not published", "live now", "candidate, not published", "published"];
    assert_eq!(entries.len(), pills.len(), "{history}");
    for (entry, pill) in entries.iter().zip(pills) {
        assert!(entry.contains(&format!("\">{pill}</span>")), "{pill}: {entry}");
        assert!(!entry.contains("no longer kept") && !entry.contains("not kept"), "{entry}");
    }
    assert!(entries[0].contains("<del>old</del>") && entries[0].contains("<ins>older</ins>"), "{}", entries[0]);
    assert!(entries[2].contains("kept as an original"), "{}", entries[2]);
    assert!(entries[2].contains("<dt>seed</dt>"), "{}", entries[2]);
    assert!(entries[3].contains("The first picture of this key."), "{}", entries[3]);
    // What gc deletes is no longer kept, and that is all that is known of it.
    project.run(&["gc", "--yes", "--older-than", "0s", "--unpublished"]).expect(0);
    let page = Server::of(&project, &[]).get(&format!("/people/{KEY}")).expect(200).text();
    let history = page.split("<ol class=\"history\">").nth(1).unwrap().split("</ol>").next().unwrap();
    assert_eq!(history.matches("no longer kept").count(), 3, "{history}");
    assert_eq!(history.matches("not published").count(), 0, "{history}");
}
