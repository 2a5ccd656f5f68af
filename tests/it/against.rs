//! `plan --against`: manifests compared with older manifests, without state, credentials and network.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::project::{PEOPLE, Project, Ran, ran};

/// Everything is somewhere else, and nothing of it is known here.
const ELSEWHERE: &str = r#"version: 1
environments:
  production:
    state: ${DATABASE_URL}
    storage: { url: "s3://pictures", endpoint: "${S3_ENDPOINT}", key: "${S3_KEY}" }
    generators: { painter: { kind: novita, price: 0.015, api_key: "${NOVITA_API_KEY}" } }
    guards: { max_cost: 5.00, max_deletions: 1 }
"#;

/// Runs git as nobody in particular.
pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
        .args(["-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"])
        .args(args)
        .current_dir(folder)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits everything that is there.
pub fn commit(folder: &Path) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "x"]);
}

/// A recipe that Novita takes.
fn people() -> String {
    let sizes = PEOPLE.replace("width: 64", "width: 512").replace("height: 96", "height: 768");
    sizes.replace("  model: first\n", "  model: first\n  sampler: Euler a\n  guidance_scale: 7\n")
}

/// A repository with one commit on `main`, and nothing that could be reached.
fn repository() -> Project {
    let project = Project::new(&people());
    project.write("pixform.yaml", ELSEWHERE);
    git(&project.root(), &["init", "-q"]);
    commit(&project.root());
    project
}

/// Returns the text of a plan without its numbers: commit and time.
fn shown(project: &Project, stdout: &str) -> String {
    let short = &git(&project.root(), &["rev-parse", "main"])[..7];
    let text = stdout.replace(short, "COMMIT");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if let Some((before, after)) = line.clone().split_once(") in ") {
            let rest = after.split_once(" · ").map_or(String::new(), |(_, rest)| format!(" · {rest}"));
            *line = format!("{before}) in TIME{rest}");
        }
    }
    lines.join("\n")
}

#[test]
fn an_edit_is_told_with_its_words_and_the_most_that_it_costs() {
    let project = repository();
    project.edit("an old man", "a very old man");
    let before = project.listing();
    let told = project.run(&["plan", "--against", "main", "--detailed-exitcode"]).expect(2);
    assert!(project.listing() == before, "something was written");
    assert_eq!(told.stderr, "");
    insta::assert_snapshot!(shown(&project, &told.stdout), @r"
    people · production · compared with main (COMMIT) in TIME

      ~ age/aged/photo   generate   $0.015
      ~ age/aged/anime   generate   $0.015
          subject   manifests/people.yaml:23, used by both
            [-an-] {+a very+} old man

      ~ generate   buys a picture; the old one stays live until the new one is up

    2 descriptions change, at most $0.03 (cap $5.00); 6 unchanged.
    ");
}

#[test]
fn new_renamed_and_deleted_assets_and_collections_are_told() {
    let project = repository();
    let newer = people()
        .replace("        slim: { vars: { subject: a slim man } }\n", "")
        .replace("        aged: {", "        old: {")
        .replace(
            "renditions:\n",
            "moved: [{ from: age/aged/*, to: age/old/* }]\nremoved: [\"body/slim/*\"]\nrenditions:\n",
        );
    project.manifest(&newer);
    project.write("manifests/more.yaml", &people().replace("people", "more").replace("model: first", "model: other"));
    let told = project.run(&["plan", "--against", "main"]).expect(0);
    insta::assert_snapshot!(shown(&project, &told.stdout), @r"
    more · production · compared with main (COMMIT) in TIME · a new collection

      + age/young/photo   generate   $0.015
      + age/young/anime   generate   $0.015
      + age/aged/photo    generate   $0.015
      + age/aged/anime    generate   $0.015
      + body/slim/photo   generate   $0.015
      + body/slim/anime   generate   $0.015
      + body/tall/photo   generate   $0.015
      + body/tall/anime   generate   $0.015

    people · production · compared with main (COMMIT) in TIME

      > age/old/photo     move     was age/aged/photo
          main.path people/age-aged-photo-{{ digest }}.jpg → people/age-old-photo-{{ digest }}.jpg   manifests/people.yaml:31

      > age/old/anime     move     was age/aged/anime
          main.path people/age-aged-anime-{{ digest }}.jpg → people/age-old-anime-{{ digest }}.jpg   manifests/people.yaml:31

      - body/slim/anime   delete   listed under removed
      - body/slim/photo   delete   listed under removed

      + generate   buys a picture
      > move       keeps picture and row under a new key; costs nothing
      - delete     takes the row away; files stay until `pixform gc`

    8 descriptions are new, 2 are renamed, 2 are gone, at most $0.12 (cap $5.00); 4 unchanged.
    ");
    fs::remove_file(project.root().join("manifests/people.yaml")).unwrap();
    let told = project.ok(&["plan", "--against", "main"]);
    assert!(told.contains("the collection `people` has 8 records and no manifest"), "{told}");
}

#[test]
fn nothing_is_told_where_only_the_formatting_changed() {
    let project = repository();
    project.manifest(&format!("# a comment\n{}", people().replace("steps: 20", "steps:    20")));
    let told = project.run(&["plan", "--against", "main", "--detailed-exitcode"]).expect(0);
    assert!(told.stdout.ends_with("No changes. 8 unchanged.\n"), "{}", told.stdout);
}

#[test]
fn guards_that_need_no_state_refuse() {
    let project = repository();
    let check = |newer: &str, words: &str| {
        project.manifest(newer);
        let told = project.ok(&["plan", "--against", "main"]);
        assert!(told.contains("This plan cannot be applied:") && told.contains(words), "{told}");
    };
    check(
        &people().replace("        slim: { vars: { subject: a slim man } }\n", ""),
        "deletes 2 assets, and 1 are allowed",
    );
    let told = project.ok(&["plan", "--against", "main", "--max-cost", "0.01", "--only", "body/*/*"]);
    assert!(told.contains("deletes 2 assets") && !told.contains("age/"), "{told}");
    project.manifest(&people().replace("model: first", "model: second"));
    let told = project.ok(&["plan", "--against", "main", "--max-cost", "0.01"]);
    assert!(told.contains("the plan costs $0.12, which is over the cap of $0.01"), "{told}");
    let protected = people().replace("renditions:\n", "cells: { age/aged/photo: { protect: true } }\nrenditions:\n");
    project.manifest(&protected);
    commit(&project.root());
    check(&protected.replace("an old man", "a man"), "`age/aged/photo` is protected and would be replaced");
}

#[test]
fn what_was_held_may_cost_a_picture_once_it_is_free() {
    let project = repository();
    let held = people().replace("renditions:\n", "cells: { age/aged/photo: { hold: true } }\nrenditions:\n");
    project.manifest(&held);
    commit(&project.root());
    project.manifest(&people());
    let told = project.ok(&["plan", "--against", "main"]);
    assert!(told.contains("age/aged/photo   generate   $0.015") && told.contains("no longer held"), "{told}");
}

#[test]
fn events_and_documents_say_the_same() {
    let project = repository();
    project.edit("an old man", "a very old man");
    let out = project.root().join("plan.json");
    let told = project.ok(&["plan", "--against", "main", "--json", "--out", out.to_str().unwrap()]);
    let events: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let note = events[1]["message"].as_str().unwrap();
    assert!(note.starts_with("compared with the manifests of main (") && note.contains("the most"), "{note}");
    let last = events.last().unwrap();
    assert_eq!((&last["summary"]["generate"], &last["estimated_cost"]), (&2.into(), &"0.03".into()));
    let document: serde_json::Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    assert_eq!(document["digest"], last["digest"]);
}

#[test]
fn a_folder_with_older_manifests_does_without_git() {
    let project = Project::new(&people());
    project.write("pixform.yaml", ELSEWHERE);
    project.write("older/manifests/people.yaml", &people());
    project.write("plain/people.yaml", &people());
    project.write("plain/pixform.yaml", ELSEWHERE);
    project.edit("an old man", "a very old man");
    for folder in ["older", "./older", "plain", "older/manifests"] {
        let told = project.run(&["plan", "--against", folder]).expect(0);
        assert!(
            told.stdout.contains("2 descriptions change, at most $0.03 (cap $5.00); 6 unchanged."),
            "{}",
            told.stdout
        );
        assert!(told.stdout.contains(&format!("compared with {folder} in")), "{}", told.stdout);
    }
    let told = project.run(&["plan", "--against", "./nowhere"]).expect(1).stderr;
    assert!(told.contains("there is no folder `./nowhere`"), "{told}");
}

#[test]
fn names_that_mean_no_commit_are_refused_with_what_to_do() {
    let project = repository();
    let refused = |name: &str| project.run(&["plan", &format!("--against={name}")]).expect(1).stderr;
    for name in ["--upload-pack=touch x", "-p", "--output=x"] {
        assert!(refused(name).contains("is no branch, tag or commit"), "{name}");
    }
    let told = refused("trunk");
    assert!(
        told.contains("git knows no branch, tag or commit `trunk` here") && told.contains("git fetch origin trunk"),
        "{told}"
    );
    git(&project.root(), &["update-ref", "refs/remotes/origin/release", "HEAD"]);
    assert!(refused("release").contains("did you mean `origin/release`?"));
    fs::create_dir_all(project.root().join("main")).unwrap();
    let told = refused("main");
    assert!(told.contains("`main` is a folder here, and a commit to git") && told.contains("`main^0`"), "{told}");
    project.ok(&["plan", "--against", "main^0"]);
    let bare = Project::new(&people());
    let told = bare.run(&["plan", "--against", "main"]).expect(1).stderr;
    assert!(told.contains("is in no git repository") && told.contains("--against DIR"), "{told}");
}

#[test]
fn a_shallow_clone_is_told_what_to_fetch() {
    let project = repository();
    git(&project.root(), &["checkout", "-q", "-b", "topic"]);
    project.edit("an old man", "a very old man");
    commit(&project.root());
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let url = format!("file://{}", project.root().display());
    git(folder.path(), &["clone", "-q", "--depth=1", "--branch=topic", &url, "clone"]);
    let run = |args: &[&str]| -> Ran {
        let mut command = project.command(args);
        ran(command.current_dir(&clone).output().unwrap())
    };
    let told = run(&["plan", "--against", "origin/main"]).expect(1).stderr;
    let fetch = "git fetch --depth=1 origin main:refs/remotes/origin/main";
    assert!(told.contains("`fetch-depth: 0`") && told.contains(fetch), "{told}");
    git(&clone, &fetch.split(' ').skip(1).collect::<Vec<_>>());
    let told = run(&["plan", "--against", "origin/main"]).expect(0).stdout;
    assert!(told.contains("2 descriptions change, at most $0.03"), "{told}");
}

#[test]
fn worktrees_folders_below_links_and_hooks_are_understood() {
    let project = Project::new("");
    let shop = project.root().join("shop");
    fs::create_dir_all(&shop).unwrap();
    project.write("shop/pixform.yaml", ELSEWHERE);
    project.write("shop/shared/people.txt", &people());
    fs::remove_dir_all(project.root().join("manifests")).unwrap();
    fs::create_dir(shop.join("manifests")).unwrap();
    std::os::unix::fs::symlink("../shared/people.txt", shop.join("manifests/people.yaml")).unwrap();
    project.write("shop/manifests/ünï code.yaml", &people().replace("people", "others"));
    git(&project.root(), &["init", "-q"]);
    commit(&project.root());
    project.write("shop/shared/people.txt", &people().replace("an old man", "a man"));
    let check = |folder: &Path| {
        let mut command = project.command(&["plan", "--against", "main"]);
        // What a hook of another folder would be told.
        command.current_dir(folder).env("GIT_DIR", ".git").env("GIT_INDEX_FILE", ".git/index").env("GIT_PREFIX", "x/");
        let told = ran(command.output().unwrap()).expect(0).stdout;
        assert!(told.ends_with("2 descriptions change, at most $0.03 (cap $5.00); 14 unchanged.\n"), "{told}");
    };
    check(&shop);
    check(&shop.join("shared"));
    commit(&project.root());
    git(&project.root(), &["branch", "-f", "was", "HEAD~1"]);
    git(&project.root(), &["worktree", "add", "-q", "../tree", "HEAD"]);
    git(&project.root(), &["reset", "-q", "--hard", "was"]);
    check(&project.root().join("../tree/shop"));
}

#[test]
fn a_broken_manifest_of_the_past_stops_nothing() {
    let project = Project::new("version: 1\ncollection: people\nkey: oops\n");
    project.write("pixform.yaml", ELSEWHERE);
    git(&project.root(), &["init", "-q"]);
    commit(&project.root());
    project.manifest(&people());
    let told = project.run(&["plan", "--against", "main"]).expect(0);
    assert!(
        told.stderr.contains("warning: the older manifest `main:manifests/people.yaml` cannot be used"),
        "{}",
        told.stderr
    );
    assert!(told.stdout.contains("8 descriptions are new, at most $0.12"), "{}", told.stdout);
    project.edit("steps: 20", "stepz: 20");
    let told = project.run(&["plan", "--against", "main"]).expect(1).stderr;
    assert!(told.contains("unknown field `stepz`") || told.contains("`stepz`"), "{told}");
}

#[test]
fn a_selection_that_matches_nothing_old_or_new_is_refused() {
    let project = repository();
    let told = project.run(&["plan", "--against", "main", "--only", "age/nobody/*"]).expect(1).stderr;
    assert!(told.contains("`age/nobody/*` matches no asset"), "{told}");
    let told = project.run(&["plan", "--against", "main", "--no-refresh"]).expect(1).stderr;
    assert!(told.contains("cannot be used with"), "{told}");
}
