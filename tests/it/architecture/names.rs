//! One name, one type: which type names stand more than once in the crate.

use std::collections::BTreeMap;

use super::source::Source;

/// Names that every room may have for itself, because everybody knows what they mean there.
const CONVENTIONAL: [&str; 3] = ["Args", "Error", "Options"];

/// Words that begin the declaration of a type.
const DECLARE: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// Returns the names of types that stand more than once at the level of a module, with the files where they do.
pub fn repeated(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        for name in source.code.lines().filter_map(declared) {
            files.entry(name.to_owned()).or_default().push(source.name());
        }
    }
    files.retain(|name, files| files.len() > 1 && !CONVENTIONAL.contains(&name.as_str()));
    files
}

/// Returns the name of the type that a line of code declares. What stands in a function or a trait is indented.
fn declared(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.strip_prefix(' ')?,
        None => line,
    };
    let (word, rest) = rest.split_once(' ')?;
    let name = rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next()?;
    DECLARE.contains(&word).then_some(name)
}

#[test]
fn declarations_are_seen_whatever_their_visibility() {
    assert_eq!(declared("pub struct Recipe {"), Some("Recipe"));
    assert_eq!(declared("pub(in crate::plan) enum Action<'a> {"), Some("Action"));
    assert_eq!(declared("type Rows = Vec<u8>;"), Some("Rows"));
    assert_eq!(declared("    type Item = u8;"), None);
    assert_eq!(declared("pub trait State: Send {"), Some("State"));
    assert_eq!(declared("pub fn structure() {"), None);
}
