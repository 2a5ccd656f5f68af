//! The files of `src/` as the other tests here read them: by path, room and module, without tests and comments.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src/`, without its tests and comments.
pub struct Source {
    /// Path below `src/`.
    pub path: PathBuf,
    /// Folder or file below `src/` that it belongs to.
    pub room: String,
    /// Module that it is: `["plan", "guard"]`; empty for `lib.rs`.
    pub module: Vec<String>,
    /// Everything up to the tests.
    pub whole: String,
    /// The same without comments and doc comments.
    pub code: String,
}

impl Source {
    /// Returns the path as text, with slashes.
    pub fn name(&self) -> String {
        self.path.to_str().unwrap().replace('\\', "/")
    }

    /// Tells whether the file is the door of its folder, or of the crate.
    pub fn is_door(&self) -> bool {
        ["mod.rs", "lib.rs", "main.rs"].iter().any(|door| self.path.ends_with(door))
    }
}

/// Returns all files of `src/` that are no tests themselves.
pub fn sources() -> Vec<Source> {
    sources_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// Returns all files of a folder like `src/` that are no tests themselves.
pub fn sources_below(root: &Path) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(root, &mut paths);
    paths.sort();
    let sources: Vec<Source> =
        paths.iter().filter(|path| !path.ends_with("tests.rs")).map(|path| source(root, path)).collect();
    assert!(sources.len() > 50, "the source was not found: {} files", sources.len());
    sources
}

fn source(root: &Path, path: &Path) -> Source {
    let inside = path.strip_prefix(root).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    let whole = without_tests(&fs::read_to_string(path).unwrap());
    let code: Vec<&str> = whole.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut module: Vec<String> =
        inside.with_extension("").iter().map(|segment| segment.to_str().unwrap().to_owned()).collect();
    if ["mod", "lib", "main"].contains(&module.last().unwrap().as_str()) {
        module.pop();
    }
    Source {
        path: inside.to_path_buf(),
        room: first.trim_end_matches(".rs").to_owned(),
        module,
        code: code.join("\n"),
        whole,
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            true => collect(&path, paths),
            false if path.extension().is_some_and(|extension| extension == "rs") => paths.push(path),
            false => {}
        }
    }
}

/// Tests of a file stand at its end, in a module of their own.
fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
}
