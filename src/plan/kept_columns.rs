//! Kept columns: what a row says otherwise than its manifest, and was left to say.
//!
//! Columns of an adopted row are facts of its picture, and somebody may keep what he edited by hand. Such a column is
//! remembered among the row's inputs, so that it is neither drift nor written over by a repair.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::asset::Row;
use crate::record::{Published, RecordedRow, outputs};

/// What stands before a column's name among the inputs of a row.
const PREFIX: &str = "kept.";

/// Returns what a row keeps: each column that is not what the manifest and the published files make of it.
pub fn kept_columns(row: &Row, published: &[Published], url_base: &str, found: &[Value]) -> BTreeMap<String, String> {
    let declared = row.each_value(outputs(published, url_base));
    let columns = row.shape.table.columns.iter().zip(declared).zip(found);
    let differing = columns.filter(|((_, declared), found)| declared.as_ref() != Ok(*found));
    differing.map(|(((name, _), _), found)| (kept_input(name), found.to_string())).collect()
}

/// Returns the name of the input that keeps a column.
pub fn kept_input(column: &str) -> String {
    format!("{PREFIX}{column}")
}

/// Tells whether an input of a row is a kept column.
pub fn is_kept(input: &str) -> bool {
    input.starts_with(PREFIX)
}

/// Returns the value that a row keeps in a column.
pub fn kept_value(row: &RecordedRow, column: &str) -> Option<Value> {
    let text = row.inputs.get(&kept_input(column))?;
    serde_json::from_str(text).ok()
}
