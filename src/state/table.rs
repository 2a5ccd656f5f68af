//! The words about published tables that hold for every database: how one was found, and how its names are written.

use super::TableProblem;
use super::column_form::ColumnForm;
use crate::asset::{ColumnType, TableSpec};

/// Whether a table has a column `id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// It has one.
    Column,
    /// It has none.
    None,
}

/// Who keeps `created_at` and `updated_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// We: the table is ours and has both, undeclared.
    Kept,
    /// The product, or nobody.
    Foreign,
}

/// What the columns of a row's key hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyRead {
    /// All of it.
    Whole,
    /// Something that no key of ours is made of: the row cannot be one of ours.
    Foreign,
}

/// What a column is to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnUse {
    /// A part of the key.
    Key,
    /// A value.
    Value,
}

/// How the table was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TableFound<Shape> {
    /// There is none.
    Absent,
    /// It takes our rows.
    Fits(Shape),
    /// It does not.
    Unfit(Vec<TableProblem>),
}

/// Returns a name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a text as SQL takes it, whatever is in it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns names as SQL takes them, with commas between them.
pub(super) fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// Says that a column is missing, and which one is there that is spelt with other capitals.
pub(super) fn absent<'n>(name: &str, mut there: impl Iterator<Item = &'n str>) -> String {
    match there.find(|other| other.to_lowercase() == name.to_lowercase()) {
        Some(other) => format!("column `{name}` is missing; there is `{other}`, and capitals count"),
        None => match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(bare) => format!("column `{name}` is missing; write `{bare}`: columns need no quotes of their own"),
            None => format!("column `{name}` is missing"),
        },
    }
}

/// What is said where two rows swap keys that take no other text for a moment.
pub(super) const NO_SHELF: &str =
    "two rows take each other's keys, and no key column takes any other text for a moment: rename them in two steps";

/// Tells whether a row can have that key: its columns give each part back letter by letter.
pub(super) fn is_key(forms: &[ColumnForm], key: &[&str]) -> bool {
    forms.iter().zip(key).all(|(form, part)| form.refuses_label(part).is_none())
}

/// Returns the key's text by columns; `None` for a key of another table, with more columns or fewer.
pub(super) fn segments<'k>(spec: &TableSpec, key: &'k str) -> Option<Vec<&'k str>> {
    let segments: Vec<_> = key.split('/').collect();
    (segments.len() == spec.key.len()).then_some(segments)
}

/// Returns what a column of that type has to keep, for people.
pub(super) fn kept(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text as it is",
        ColumnType::Bigint => "integers of 64 bits",
        ColumnType::Integer => "integers",
        ColumnType::Double => "numbers",
    }
}
