//! Drift: what became of the row that pixform wrote.

use serde_json::Value;

use crate::asset::{Asset, Row, TableSpec, URL_BASE};
use crate::plan::{ColumnEdit, Edited, PointerTarget, RowState, kept_value, pointers};
use crate::record::{Record, RecordedRow, outputs};
use crate::state::RowSeen;

/// Compares the row of a record with the one that is there; `None` where it is gone.
pub fn row_state(
    asset: &Asset,
    record: &Record,
    table: &TableSpec,
    found: Option<&RowSeen>,
    url_base: &str,
) -> RowState {
    let Some(written) = &record.row else { return RowState::NotLooked };
    // A row in another table was not read: it is written anew by the change that names the new table.
    if written.inputs.get("table").map(String::as_str) != Some(table.name.to_string().as_str()) {
        return RowState::NotLooked;
    }
    let same_columns = table.columns.iter().all(|(name, _)| written.inputs.contains_key(&format!("columns.{name}")))
        && written.inputs.keys().filter(|name| name.starts_with("columns.")).count() == table.columns.len();
    // The row of a key with other parts than the table's cannot be looked for.
    if record.key.as_str().split('/').count() != table.key.len() {
        return RowState::NotLooked;
    }
    match found {
        None => RowState::Missing,
        Some(row) if row.seen == written.seen || !same_columns => RowState::Same,
        Some(row) => edited(asset, record, written, &row.values, url_base),
    }
}

/// Tells which columns differ, as text; where none does, the row as a whole.
fn edited(asset: &Asset, record: &Record, written: &RecordedRow, found: &[Value], url_base: &str) -> RowState {
    let Some(row) = asset.row.clone() else { return RowState::Edited(vec![whole_row()]) };
    let row = row.with_recipe(&record.recipe);
    let declared = row.each_value(outputs(&record.published, url_base));
    let pointers = pointers(&row.shape);
    let columns = row.shape.table.columns.iter().zip(declared).zip(found).enumerate();
    let mut respelt = false;
    let mut edits = Vec::new();
    for (at, (((name, _), declared), found)) in columns {
        // What the manifest makes of a column now is what was written only where nothing that it is made of changed.
        if !is_as_written(&row, at, written) {
            continue;
        }
        // What cannot be told by what is published now was not written by us.
        let Some(expected) = kept_value(written, name).or(declared.ok()) else { continue };
        if text(&expected) == text(found) {
            continue;
        }
        let pointer = pointers.iter().find(|pointer| pointer.column == at);
        let points_at = |value: &Value| pointer.map(|pointer| pointer.target(value, url_base));
        let edited = match (points_at(&expected), points_at(found)) {
            (Some(PointerTarget::File(one)), Some(PointerTarget::File(other))) if one == other => {
                respelt = true;
                continue;
            }
            (Some(_), Some(_)) => Edited::Pointer,
            _ => Edited::Value,
        };
        edits.push(ColumnEdit { column: name.clone(), written: text(&expected), found: text(found), edited });
    }
    match (edits.is_empty(), respelt) {
        (false, _) => RowState::Edited(edits),
        (true, true) => RowState::Same,
        (true, false) => RowState::Edited(vec![whole_row()]),
    }
}

/// Tells whether a column is declared as it was when the row was written.
fn is_as_written(row: &Row, at: usize, written: &RecordedRow) -> bool {
    let ((name, _), template) = (&row.shape.table.columns[at], &row.shape.columns[at]);
    let source = written.inputs.get(&format!("columns.{name}")).map(String::as_str);
    // What is no input of a row is of the published picture, or of the recipe, which the record keeps.
    let same = |name: &str| match row.inputs.get(name) {
        Some(value) => written.inputs.get(name) == Some(value),
        None if name == "url" || name.ends_with(".url") => row.inputs.get(URL_BASE) == written.inputs.get(URL_BASE),
        None => true,
    };
    source == Some(template.source()) && template.names().iter().all(|name| same(name))
}

fn whole_row() -> ColumnEdit {
    let (written, found) = ("as written".to_owned(), "edited".to_owned());
    ColumnEdit { column: "row".to_owned(), written, found, edited: Edited::Value }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}
