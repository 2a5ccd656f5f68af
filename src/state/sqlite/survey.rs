//! A table of the product, read whole whatever it is.

use rusqlite::{Connection, OptionalExtension};

use super::failure::SqliteFailure;
use super::rows::value;
use crate::asset::TableName;
use crate::state::stored_form::{signed, unsigned};
use crate::state::table::quoted;
use crate::state::{Survey, SurveyColumn};

/// Reads a table; `None` where there is none.
pub(super) fn survey(
    connection: &Connection,
    name: &TableName,
    rows_max: u64,
) -> Result<Option<Survey>, SqliteFailure> {
    let find = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
    let found = connection.query_row(find, [&name.name], |row| row.get::<_, String>(0)).optional()?;
    let Some(table) = found else { return Ok(None) };
    let mut statement = connection.prepare("SELECT name, type FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let column = |row: &rusqlite::Row<'_>| Ok(SurveyColumn { name: row.get(0)?, declared: row.get(1)? });
    let columns: Vec<SurveyColumn> = statement.query_map([&table], column)?.collect::<Result<_, _>>()?;
    let count: i64 = connection.query_row(&format!("SELECT count(*) FROM {}", quoted(&table)), [], |row| row.get(0))?;
    // Each is qualified, because SQLite takes a quoted name that it does not find for a text.
    let names: Vec<String> = columns.iter().map(|column| format!("t.{}", quoted(&column.name))).collect();
    let sql = format!("SELECT {} FROM {} AS t LIMIT ?1", names.join(", "), quoted(&table));
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query([signed(rows_max)])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push((0..columns.len()).map(|at| Ok(value(row.get_ref(at)?))).collect::<Result<_, SqliteFailure>>()?);
    }
    Ok(Some(Survey { columns, rows, count: unsigned(count) }))
}
