//! A world that is not as it should be: disks that are full or cannot be written, databases that are none, tables that do
//! not fit. Each is told with what to do, loses nothing, and heals by doing it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use crate::desk::{Desk, GOOD, Ran};
use crate::storage_file::SmallDisk;

/// Tells the talk of a failed run, without what differs between machines.
fn told(desk: &Desk, ran: &Ran) -> String {
    assert_eq!(ran.code, 1, "{}", ran.all());
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| !line.starts_with("no pixform.yaml")).collect();
    let here = fs::canonicalize(desk.path("")).unwrap().display().to_string();
    lines.join("\n").replace(&here, "HERE")
}

/// A `pixform.yaml` that puts state and storage somewhere.
fn settings(state: &Path, storage: &Path) -> String {
    let (state, storage) = (state.display(), storage.display());
    format!(
        "version: 1\nenvironments:\n  local:\n    state: \"sqlite:{state}\"\n    storage: {{ url: \"file:{storage}\" }}\n    generators: {{ novita: {{ kind: placeholder, checks_as: novita }} }}\n"
    )
}

/// Twelve pictures that take room.
fn many() -> String {
    GOOD.replace("width: 128\n  height: 128", "width: 256\n  height: 256")
        .replace("category: age\n", "category: [age, b, c, d]\n")
        .replace(
            "exclude: [{ value: 18-19, style: anime }]",
            "exclude: [{ value: 18-19, style: anime, category: [b, c] }]",
        )
}

#[test]
fn a_full_disk_is_told_and_the_next_run_with_room_completes() {
    let mut full = 0;
    for (room, which) in [(8, "both"), (130, "both"), (300, "both"), (90, "storage"), (4, "state"), (140, "state")] {
        let disk = SmallDisk::new("size=4m");
        let desk = Desk::with(many());
        let [state, storage] = ["state", "storage"].map(|part| match which == "both" || which == part {
            true => disk.mount_point.join(part),
            false => desk.path(part),
        });
        let state = state.join("state.db");
        desk.write("pixform.yaml", settings(&state, &storage));
        let ballast = disk.root.join("ballast");
        fs::write(&ballast, vec![0; (4 << 20) - (room << 10)]).unwrap();
        let ran = desk.run_on(&disk, &["apply", "--yes"]);
        let seen = ran.all();
        if ran.code != 0 {
            full += 1;
            assert!(ran.code == 1 || ran.code == 4, "{room} {which}: {seen}");
            assert!(seen.contains("there is no space left"), "{room} {which}: {seen}");
            assert!(
                seen.contains("make room there and run it again: nothing that was stored is lost"),
                "{room} {which}: {seen}"
            );
        }
        // Whatever is published is whole.
        let checked = desk.run_on(&disk, &["plan"]);
        assert_eq!(checked.code, 0, "{room} {which}: {}", checked.all());
        fs::remove_file(&ballast).unwrap();
        let again = desk.run_on(&disk, &["apply", "--yes"]);
        assert_eq!(again.code, 0, "{room} {which}: {}", again.all());
        assert!(desk.run_on(&disk, &["plan"]).stdout.contains("No changes."), "{room} {which}");
        assert_eq!(desk.run_on(&disk, &["check", "--deep"]).code, 0, "{room} {which}");
    }
    assert!(full >= 4, "only {full} of the disks were full");
}

#[test]
fn a_full_disk_ends_json_with_a_diagnostic() {
    let disk = SmallDisk::new("size=200k");
    let desk = Desk::with(many());
    desk.write("pixform.yaml", settings(&desk.path("state.db"), &disk.root.join("storage")));
    let ran = desk.run(&["apply", "--yes", "--json"]);
    assert_ne!(ran.code, 0);
    let events: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["type"], "version");
    assert!(ran.all().contains("there is no space left"), "{}", ran.all());
}

#[test]
fn a_disk_that_cannot_be_written_is_told_by_apply_and_read_by_plan() {
    let disk = SmallDisk::new("size=256k,ro");
    let desk = Desk::with(GOOD);
    desk.write("pixform.yaml", settings(&desk.path("state.db"), &disk.root.join("storage")));
    assert_eq!(desk.run(&["plan"]).code, 0);
    let ran = desk.run(&["apply", "--yes"]);
    assert!(ran.code == 1 && ran.stderr.contains("Read-only file system"), "{}", ran.all());
    assert!(ran.stderr.contains("  help: "), "{}", ran.all());
    desk.write("pixform.yaml", settings(&disk.mount_point.join("state.db"), &desk.path("storage")));
    assert_eq!(desk.run_on(&disk, &["plan"]).code, 0);
    let ran = desk.run_on(&disk, &["apply", "--yes"]);
    assert!(ran.code == 1 && ran.stderr.contains("could not be opened"), "{}", ran.all());
    desk.write("pixform.yaml", settings(&desk.path("state.db"), &desk.path("storage")));
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
}

#[test]
fn a_file_in_the_place_of_a_folder_is_told() {
    let desk = Desk::with(GOOD);
    desk.write(".pixform/storage", "x");
    insta::assert_snapshot!(told(&desk, &desk.run(&["apply", "--yes"])), @r#"
    error: the storage `file:HERE/.pixform/storage` cannot be used: not a directory
      help: check that the folder exists, that it is a folder, and that you may write there
    next: pixform plan
    "#);
    fs::remove_dir_all(desk.path(".pixform")).unwrap();
    desk.write(".pixform", "x");
    insta::assert_snapshot!(told(&desk, &desk.run(&["apply", "--yes"])), @r#"
    error: the state `HERE/.pixform/state.db` could not be opened: Not a directory (os error 20)
      help: check that its folder exists, that it is a folder, and that you may write there
    next: pixform plan
    "#);
    fs::remove_file(desk.path(".pixform")).unwrap();
    fs::create_dir_all(desk.path(".pixform/state.db")).unwrap();
    insta::assert_snapshot!(told(&desk, &desk.run(&["plan"])), @r#"
    error: the state `HERE/.pixform/state.db` could not be opened: it is a folder, not a file
      help: check that its folder exists, that it is a folder, and that you may write there
    next: pixform plan
    "#);
}

#[test]
fn a_database_that_is_none_is_told_and_left_alone() {
    let desk = Desk::with(GOOD);
    let text = "this is no database at all\n".repeat(100);
    desk.write(".pixform/state.db", &text);
    insta::assert_snapshot!(told(&desk, &desk.run(&["plan"])), @r#"
    error: `HERE/.pixform/state.db` is not a SQLite database
      help: the file was left as it is: move it away, or name another one under `state:`
    next: pixform plan
    "#);
    told(&desk, &desk.run(&["apply", "--yes"]));
    assert_eq!(fs::read_to_string(desk.path(".pixform/state.db")).unwrap(), text);
}

#[test]
fn a_damaged_database_is_told_and_the_pictures_are_found_again() {
    let desk = Desk::with(GOOD);
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
    let state = desk.path(".pixform/state.db");
    let whole = fs::read(&state).unwrap();
    fs::write(&state, &whole[..whole.len() / 2]).unwrap();
    insta::assert_snapshot!(told(&desk, &desk.run(&["plan"])), @r#"
    error: the state holds something unreadable in `HERE/.pixform/state.db`: database disk image is malformed
      help: put a backup of the database back; without one move the file away: an apply finds the pictures again in the storage, and `pixform plan` tells first what it would do
    next: pixform plan
    "#);
    fs::remove_file(&state).unwrap();
    let ran = desk.run(&["apply", "--yes", "--take-storage"]);
    assert!(ran.code == 0 && ran.stdout.contains("4 reused"), "{}", ran.all());
}

#[test]
fn a_database_of_a_newer_pixform_is_told_and_left_alone() {
    let desk = Desk::with(GOOD);
    let ran = desk.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let state = desk.path(".pixform/state.db");
    let database = Connection::open(&state).unwrap();
    database
        .execute_batch("INSERT INTO pixform_migrations SELECT 999, sha256, applied_at FROM pixform_migrations LIMIT 1")
        .unwrap();
    drop(database);
    let before = fs::read(&state).unwrap();
    insta::assert_snapshot!(told(&desk, &desk.run(&["plan"])), @r#"
    error: the state has schema version 999, this pixform knows versions up to 11
      help: use the pixform that wrote it, or a newer one
    next: pixform plan
    "#);
    told(&desk, &desk.run(&["apply", "--yes"]));
    assert_eq!(fs::read(&state).unwrap(), before);
}

#[test]
fn a_table_that_does_not_fit_is_told_with_the_sql_that_mends_it() {
    let key = "id INTEGER PRIMARY KEY, category TEXT NOT NULL, value TEXT NOT NULL, style TEXT NOT NULL";
    let unique = "UNIQUE (category, value, style)";
    for (table, words) in [
        (format!("{key}, {unique}"), "column `image_url` is missing"),
        (format!("{key}, image_url TEXT, seed INTEGER, label TEXT, {unique}"), "column `prompt` is missing"),
        (
            format!("{key}, image_url TEXT, seed INTEGER, prompt TEXT, label TEXT"),
            "no unique index covers exactly the key columns",
        ),
        (
            format!("{key}, image_url TEXT, seed INTEGER, prompt TEXT, label TEXT, UNIQUE (category, value)"),
            "no unique index covers exactly",
        ),
        (
            format!("{key}, image_url INTEGER, seed INTEGER, prompt TEXT, label INT, {unique}"),
            "column `image_url` has the type INTEGER",
        ),
        (
            format!("{key}, image_url TEXT, seed INTEGER, prompt TEXT, label TEXT, extra TEXT NOT NULL, {unique}"),
            "column `extra` must be set in every row",
        ),
    ] {
        let desk = Desk::with(GOOD);
        fs::create_dir(desk.path(".pixform")).unwrap();
        let database = Connection::open(desk.path(".pixform/state.db")).unwrap();
        database.execute_batch(&format!("CREATE TABLE portraits ({table})")).unwrap();
        for args in [&["plan"][..], &["apply", "--yes"]] {
            let ran = desk.run(args);
            assert!(ran.code == 1 && ran.stderr.contains(words), "{table}: {}", ran.all());
        }
        let ran = desk.run(&["plan"]);
        let help = ran.stderr.lines().filter_map(|line| line.strip_prefix("  help: "));
        let sql: Vec<&str> = help
            .filter_map(|line| {
                ["ALTER ", "CREATE "].iter().filter_map(|verb| line.find(verb)).min().map(|at| &line[at..])
            })
            .collect();
        assert!(!sql.is_empty(), "{table}: {}", ran.all());
        for sql in &sql {
            database.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        // Somebody who said UNIQUE (category, value) meant it: the rows do not fit, and that is for them to decide.
        if table.contains("UNIQUE (category, value)") && !table.contains(unique) {
            continue;
        }
        let ran = desk.run(&["apply", "--yes"]);
        assert_eq!(ran.code, 0, "{table}\n{sql:?}\n{}", ran.all());
        assert!(desk.run(&["plan"]).stdout.contains("No changes."), "{table}");
        assert_eq!(desk.run(&["check", "--deep"]).code, 0);
    }
}

#[test]
fn a_view_in_the_place_of_a_table_is_told() {
    let desk = Desk::with(GOOD);
    fs::create_dir(desk.path(".pixform")).unwrap();
    let database = Connection::open(desk.path(".pixform/state.db")).unwrap();
    database.execute_batch("CREATE VIEW portraits AS SELECT 1 AS category").unwrap();
    insta::assert_snapshot!(told(&desk, &desk.run(&["plan"])), @r#"
    error: the table `portraits` cannot take the rows of `portraits`
      help: `portraits` is a view, not a table; publish to another table
    next: pixform plan
    "#);
}

#[test]
fn an_interrupted_run_ends_its_json_and_the_next_one_completes() {
    let desk = Desk::with(many().replace(
        "[age, b, c, d]",
        &format!("[age, b, c, d, {}]", (0..10).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ")),
    ));
    let mut child = Command::new(env!("CARGO_BIN_EXE_pixform"))
        .current_dir(desk.path(""))
        .args(["apply", "--yes", "--json"])
        // With `CI=true` the first signal would end it at once.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("apply_start") {
        assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "it ended before it could be interrupted: {text}");
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    // The first asks it to finish what is in flight, which here is all; the second ends it.
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut talk = String::new();
    while !talk.contains("once more to stop at once") {
        assert_ne!(stderr.read_line(&mut talk).unwrap(), 0, "it did not hear the first signal: {talk}");
    }
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    for line in text.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
    assert_eq!(desk.run(&["check"]).code, 0);
}
