//! The architecture, read from the source: which room may use which, what pure rooms must not touch, and the rules of
//! style that neither the compiler nor clippy checks.

mod circles;
mod names;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use source::{Source, sources, sources_below};

/// Rooms and the rooms that each may use, from the lowest up. `main` and `lib` are doors, not rooms.
const MAY_USE: &[(&str, &[&str])] = &[
    ("digest", &[]),
    ("process", &[]),
    ("secret", &[]),
    ("web", &["secret"]),
    ("files", &[]),
    ("schema", &[]),
    ("glob", &[]),
    ("yaml", &[]),
    // Two files of one vocabulary: a row's columns are templates, and a template's names are identifiers.
    ("template", &["asset", "digest", "yaml"]),
    ("asset", &["digest", "template"]),
    ("record", &["asset", "digest", "template"]),
    ("manifest", &["asset", "digest", "glob", "record", "schema", "template", "yaml"]),
    ("plan", &["asset", "digest", "record"]),
    ("render", &["asset", "digest", "plan", "record", "yaml"]),
    ("imaging", &["asset", "digest"]),
    ("memory", &["imaging"]),
    ("config", &["asset", "files", "manifest", "memory", "schema", "secret", "yaml"]),
    ("state", &["asset", "digest", "files", "process", "record", "secret"]),
    ("storage", &["asset", "digest", "files", "secret", "web"]),
    ("generator", &["asset", "imaging", "record", "secret", "web"]),
    ("world", &["asset", "digest", "generator", "memory", "record", "secret", "state", "storage"]),
    (
        "planner",
        &[
            "asset", "digest", "glob", "imaging", "manifest", "memory", "plan", "process", "record", "state",
            "storage", "template", "world",
        ],
    ),
    (
        "apply",
        &[
            "asset",
            "digest",
            "generator",
            "imaging",
            "memory",
            "plan",
            "process",
            "record",
            "state",
            "storage",
            "template",
            "world",
        ],
    ),
    (
        "engine",
        &[
            "apply",
            "asset",
            "config",
            "digest",
            "files",
            "generator",
            "imaging",
            "manifest",
            "memory",
            "plan",
            "planner",
            "process",
            "record",
            "render",
            "secret",
            "state",
            "storage",
            "web",
            "world",
            "yaml",
        ],
    ),
    ("server", &["asset", "digest", "engine", "files", "record", "render", "secret", "state", "storage", "world"]),
    (
        "cli",
        &[
            "apply",
            "asset",
            "config",
            "digest",
            "engine",
            "files",
            "generator",
            "glob",
            "imaging",
            "manifest",
            "plan",
            "planner",
            "process",
            "record",
            "render",
            "schema",
            "secret",
            "server",
            "state",
            "storage",
            "world",
            "yaml",
        ],
    ),
];

/// Rooms where values go in and values come out.
const PURE: [&str; 11] =
    ["asset", "digest", "glob", "imaging", "manifest", "plan", "record", "render", "schema", "template", "yaml"];

/// What a pure room does without.
const IMPURE: [&str; 17] = [
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::io::stdout",
    "std::io::stderr",
    "std::io::stdin",
    "tokio",
    "async fn",
    ".await",
    "SystemTime",
    "Instant::now",
    "jiff::",
    "tracing::",
    "rand::",
    "Uuid::",
];

/// Lines that a file may have before its tests.
const LINES_MAX: usize = 400;

/// Checks every file, and tells all that is wrong at once.
fn check(wrong: impl Fn(&Source) -> Vec<String>) {
    let told = |source: &Source| {
        wrong(source).into_iter().map(|what| format!("{}: {what}", source.path.display())).collect::<Vec<_>>()
    };
    let told: Vec<String> = sources().iter().flat_map(told).collect();
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}

/// Returns the names that follow `crate::` in some code.
fn used(code: &str) -> BTreeSet<&str> {
    let name = |rest: &'_ str| {
        rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len())
    };
    code.split("crate::").skip(1).map(|rest| &rest[..name(rest)]).collect()
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    check(|source| {
        let room = source.room.as_str();
        if ["main", "lib"].contains(&room) {
            return Vec::new();
        }
        let Some(allowed) = may_use.get(room) else { return vec![format!("`{room}` is no room that is known here")] };
        let forbidden = used(&source.code).into_iter().filter(|other| *other != room && !allowed.contains(other));
        forbidden.map(|other| format!("`{room}` must not use `{other}`")).collect()
    });
}

#[test]
fn the_map_of_rooms_has_no_circle_but_the_one_that_it_explains() {
    let mut below: BTreeSet<&str> = BTreeSet::from(["asset"]);
    for (room, uses) in MAY_USE {
        let above: Vec<_> = uses.iter().filter(|other| !below.contains(*other)).collect();
        assert!(above.is_empty(), "`{room}` stands below {above:?}");
        below.insert(room);
    }
    let rooms: BTreeSet<String> = sources().into_iter().map(|source| source.room).collect();
    let gone: Vec<_> = below.iter().filter(|room| !rooms.contains(**room)).collect();
    assert!(gone.is_empty(), "these rooms are gone: {gone:?}");
}

#[test]
fn pure_rooms_touch_neither_files_nor_clocks_nor_chance() {
    check(|source| {
        if !PURE.contains(&source.room.as_str()) {
            return Vec::new();
        }
        IMPURE.iter().filter(|token| source.code.contains(**token)).map(|token| format!("has `{token}`")).collect()
    });
}

#[test]
fn every_file_says_what_it_is_for() {
    check(|source| match source.whole.starts_with("//! ") {
        true => Vec::new(),
        false => vec!["does not begin with `//!`".to_owned()],
    });
}

#[test]
fn no_file_is_longer_than_a_room_with_one_noun() {
    check(|source| match source.whole.lines().count() {
        lines if lines > LINES_MAX => vec![format!("has {lines} lines before its tests, {LINES_MAX} are allowed")],
        _ => Vec::new(),
    });
}

#[test]
fn nothing_is_unwrapped_silenced_or_left_to_do() {
    check(|source| {
        let mut wrong = Vec::new();
        for token in [".unwrap(", "[allow(", "![allow(", "dbg!(", "todo!(", "unimplemented!("] {
            if source.code.contains(token) {
                wrong.push(format!("has `{token}`"));
            }
        }
        for token in ["TODO", "FIXME", "XXX"] {
            if source.whole.contains(token) {
                wrong.push(format!("has `{token}`"));
            }
        }
        wrong
    });
}

#[test]
fn only_the_command_line_prints() {
    check(|source| {
        let prints = ["println!(", "eprintln!(", "print!(", "eprint!("];
        let found = prints.iter().filter(|token| source.room != "cli" && source.code.contains(**token));
        found.map(|token| format!("has `{token}`")).collect()
    });
}

/// A word of the glossary that no code uses any more would mislead whoever reads it first.
#[test]
fn the_glossary_explains_words_of_the_code_each_once() {
    let sources = sources();
    let door = sources.iter().find(|source| source.path.ends_with("lib.rs")).unwrap();
    let rows = door.whole.lines().filter_map(|line| line.strip_prefix("//! | **"));
    let terms: Vec<(&str, &str)> = rows.map(|row| row.split_once("** | ").unwrap()).collect();
    assert!(terms.len() > 10, "the glossary was not found");
    let names: BTreeSet<&str> = terms.iter().map(|(term, _)| *term).collect();
    assert_eq!(names.len(), terms.len(), "a term stands twice");
    for (term, meaning) in terms {
        let used = |source: &Source| source.code.to_ascii_lowercase().contains(term);
        assert!(sources.iter().any(used), "no code speaks of `{term}`");
        assert!(!meaning.trim_end_matches([' ', '|']).contains(". "), "`{term}` has more than one sentence");
    }
}

/// A file of the user may be of any size, or none at all: `files` reads it within bounds.
#[test]
fn files_are_read_through_their_door() {
    check(|source| {
        // The others read what the kernel tells, and what they wrote themselves.
        if ["files", "process", "state", "storage"].contains(&source.room.as_str()) {
            return Vec::new();
        }
        let reads = ["fs::read(", "fs::read_to_string("];
        reads.iter().filter(|token| source.code.contains(**token)).map(|token| format!("has `{token}`")).collect()
    });
}

#[test]
fn adapters_do_not_know_one_another() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    for adapter in ["state", "storage", "generator"] {
        for other in ["state", "storage", "generator", "plan"] {
            assert!(!allowed[adapter].contains(&other), "`{adapter}` must not use `{other}`");
        }
    }
}

#[test]
fn each_type_has_a_name_of_its_own() {
    let repeated = names::repeated(&sources());
    assert!(repeated.is_empty(), "stand more than once: {repeated:#?}");
}

#[test]
fn files_of_a_room_do_not_go_in_circles() {
    let circles: Vec<String> = circles::circles(&sources()).into_iter().map(|files| files.join(" ")).collect();
    assert!(circles.is_empty(), "need one another: {circles:#?}");
}

/// Prints what `tests/figures` shows, of `src/` here or of the folder that it names.
#[test]
fn figures() {
    let sources = match std::env::var_os("PIXFORM_TEST_SOURCES") {
        Some(folder) => sources_below(Path::new(&folder)),
        None => sources(),
    };
    let mut rooms: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for source in &sources {
        let (files, lines) = rooms.entry(&source.room).or_default();
        *files += 1;
        *lines += source.whole.lines().count();
    }
    println!("{:12} {:>5} {:>6}", "room", "files", "lines");
    for (room, (files, lines)) in &rooms {
        println!("{room:12} {files:5} {lines:6}");
    }
    let (files, lines) = rooms.values().fold((0, 0), |sum, room| (sum.0 + room.0, sum.1 + room.1));
    println!("{:12} {files:5} {lines:6}", "all");
    let repeated = names::repeated(&sources);
    println!("\n{} names of {} types", repeated.len(), repeated.values().map(Vec::len).sum::<usize>());
    for (name, files) in &repeated {
        println!("name {name}: {}", files.join(" "));
    }
    let circles = circles::circles(&sources);
    println!("\n{} circles", circles.len());
    for files in &circles {
        println!("circle {}", files.join(" "));
    }
}
