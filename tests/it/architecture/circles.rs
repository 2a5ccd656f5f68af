//! Circles of files inside a room: files that need one another, so that none can be understood alone.
//!
//! A file uses another if it names something of it, in a `use` or by a path in its code; a name that a door hands on
//! counts for the file that it comes from. The doors themselves (`mod.rs`) are not counted: they hold the words of their
//! room, which all its files use, and its entry points, which use all its files.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

type Module = Vec<String>;

/// The modules of the crate, and what each hands on from elsewhere.
struct Crate<'a> {
    modules: BTreeMap<Module, &'a Source>,
    handed_on: BTreeMap<Module, Module>,
}

/// One name that a `use` brings in.
#[derive(Debug, PartialEq)]
struct Import {
    path: Module,
    name: String,
    public: bool,
}

/// Returns the circles of files, each in order of the files' names.
pub fn circles(sources: &[Source]) -> BTreeSet<Vec<String>> {
    let known = known(sources);
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_door()) {
        let used = uses(&known, source).into_iter();
        let used = used.filter(|other| !other.is_door() && other.room == source.room && other.path != source.path);
        edges.insert(source.name(), used.map(Source::name).collect());
    }
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        edges.keys().map(|file| (file, reached(&edges, file))).collect();
    let circle = |file: &String| -> Vec<String> {
        let others = reached[file].iter().filter(|other| reached[**other].contains(file));
        others.map(|other| (*other).clone()).collect()
    };
    edges.keys().map(circle).filter(|files| files.len() > 1).collect()
}

/// Returns the files that one leads to, itself included if there is a way back.
fn reached<'a>(edges: &'a BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = edges[from].iter().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(&edges[file]);
        }
    }
    reached
}

fn known(sources: &[Source]) -> Crate<'_> {
    let inside = sources.iter().filter(|source| !source.path.ends_with("main.rs"));
    let modules: BTreeMap<Module, &Source> = inside.map(|source| (source.module.clone(), source)).collect();
    let mut known = Crate { modules, handed_on: BTreeMap::new() };
    let mut handed_on = BTreeMap::new();
    for source in known.modules.values() {
        for import in imports(&source.code).into_iter().filter(|import| import.public) {
            if let Some(path) = absolute(&known, &source.module, &import.path) {
                handed_on.insert([source.module.clone(), vec![import.name]].concat(), path);
            }
        }
    }
    known.handed_on = handed_on;
    known
}

/// Returns the files that a file names something of.
fn uses<'a>(known: &Crate<'a>, source: &Source) -> Vec<&'a Source> {
    let mut found = Vec::new();
    let mut local: BTreeMap<String, Module> = BTreeMap::new();
    for import in imports(&source.code) {
        let Some(path) = absolute(known, &source.module, &import.path) else { continue };
        if !import.public {
            found.extend(file_of(known, &path));
        }
        local.insert(import.name, path);
    }
    for path in paths(&source.code) {
        let path = absolute(known, &source.module, &path).or_else(|| {
            let module = local.get(&path[0])?;
            Some([module.clone(), path[1..].to_vec()].concat())
        });
        found.extend(path.and_then(|path| file_of(known, &path)));
    }
    found
}

/// Returns the path from the crate's root, or nothing for one that leads out of the crate.
fn absolute(known: &Crate<'_>, module: &[String], path: &[String]) -> Option<Module> {
    let join = |base: &[String], rest: &[String]| Some([base, rest].concat());
    match path[0].as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => join(module, &path[1..]),
        "super" => {
            let up = path.iter().take_while(|segment| *segment == "super").count();
            join(&module[..module.len().checked_sub(up)?], &path[up..])
        }
        _ => {
            join(module, &path[..1]).filter(|child| known.modules.contains_key(child)).map(|_| [module, path].concat())
        }
    }
}

/// Returns the file that declares what a path names.
fn file_of<'a>(known: &Crate<'a>, path: &[String]) -> Option<&'a Source> {
    for length in (0..=path.len()).rev() {
        let (head, rest) = path.split_at(length);
        // The module first: `pub use digest::digest` in a door names the function in the file of the same name.
        if let Some(source) = known.modules.get(head) {
            return Some(source);
        }
        if let Some(origin) = known.handed_on.get(head) {
            return file_of(known, &[origin, rest].concat());
        }
    }
    None
}

/// Returns what the `use` declarations of some code bring in.
fn imports(code: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    for statement in code.split(';') {
        let Some(line) = statement.lines().find(|line| is_use(line)) else { continue };
        let begin = statement.find(line).expect("the line stands in its statement");
        let (visibility, tree) = statement[begin..].split_once("use ").expect("`is_use` found it");
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        expand(&[], &tree, &mut |path, name| {
            imports.push(Import { path, name, public: !visibility.trim().is_empty() });
        });
    }
    imports
}

/// Tells whether a `use` begins here.
fn is_use(line: &str) -> bool {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    line.starts_with("use ")
}

/// Calls `each` for each leaf of a tree of names: `a::{b, c::{self, d as e}}`.
fn expand(before: &[String], tree: &str, each: &mut dyn FnMut(Module, String)) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, group.trim_end().strip_suffix('}')),
        None => (tree, None),
    };
    let (head, renamed) = match head.split_once(" as ") {
        Some((head, name)) => (head, Some(name.trim().to_owned())),
        None => (head, None),
    };
    let segments = head.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned);
    let mut path: Module = before.iter().cloned().chain(segments).collect();
    if let Some(group) = group {
        for part in parts(group) {
            expand(&path, part.trim(), each);
        }
        return;
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(last) = path.last().cloned() {
        each(path, renamed.unwrap_or(last));
    }
}

/// Splits a group at its own commas.
fn parts(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[begin..]);
    parts
}

/// Returns the paths of two and more names in some code.
fn paths(code: &str) -> Vec<Module> {
    let in_path = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(|letter: char| !in_path(letter)).filter(|word| word.contains("::"));
    let segments = |word: &str| word.split("::").map(str::to_owned).collect::<Module>();
    words.map(segments).filter(|path| !path[0].is_empty()).collect()
}

#[test]
fn imports_are_read_as_the_compiler_reads_them() {
    let code = "use crate::plan::{self, guard::{Limits, Refusal as No}};\npub(crate) use super::name;\nfn f() {}";
    let told: Vec<String> = imports(code)
        .into_iter()
        .map(|import| format!("{} {} {}", import.path.join("::"), import.name, import.public))
        .collect();
    let expected = [
        "crate::plan plan false",
        "crate::plan::guard::Limits Limits false",
        "crate::plan::guard::Refusal No false",
        "super::name name true",
    ];
    assert_eq!(told, expected);
}

#[test]
fn circles_are_found_through_doors_and_paths() {
    let source = |name: &str, code: &str| {
        let module: Vec<&str> = name.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
        Source {
            path: name.into(),
            room: module[0].to_owned(),
            module: module.into_iter().map(str::to_owned).collect(),
            whole: String::new(),
            code: code.to_owned(),
        }
    };
    let sources = [
        source("a/mod.rs", "mod b;\nmod c;\nmod d;\npub use b::B;"),
        source("a/b.rs", "use super::d;\npub struct B;\nfn f() { d::g() }"),
        source("a/c.rs", "use super::B;\npub struct C;"),
        source("a/d.rs", "pub fn g() { super::c::h() }"),
    ];
    assert_eq!(circles(&sources), BTreeSet::from([vec!["a/b.rs".into(), "a/c.rs".into(), "a/d.rs".into()]]));
    assert_eq!(circles(&sources[..3]), BTreeSet::new());
}
