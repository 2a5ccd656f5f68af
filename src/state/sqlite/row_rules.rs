//! What the table's own rules say of rows that are about to be written.
//!
//! SQLite keeps no CHECK in its catalogue but as the text of the whole table. So the table is made once more, empty and in
//! memory, and shown the rows: what it refuses there, it would refuse here. Foreign keys are looked up in the file.

use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde_json::Value;

use super::failure::SqliteFailure;
use super::rows::bound;
use super::table::{DeclaredColumn, columns, form, own_name, same};
use crate::asset::TableSpec;
use crate::state::column_form::Refused;
use crate::state::row_rules::{BrokenRule, RowRefusal, by_rule, by_type, value_of};
use crate::state::table::{list, quoted};
use crate::state::{Breach, RowAhead, stored_form};

/// Tells which rules of a table these rows would break.
pub(super) fn breaches(
    connection: &Connection,
    spec: &TableSpec,
    rows: &[RowAhead],
) -> Result<Vec<Breach>, SqliteFailure> {
    let name = own_name(&spec.name);
    let find = "SELECT l.wr, l.strict, s.sql FROM pragma_table_list AS l JOIN sqlite_schema AS s ON s.name = l.name
                WHERE l.schema = 'main' AND l.type = 'table' AND l.name = ?1 COLLATE NOCASE";
    let found = connection
        .query_row(find, [name], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))
        .optional()?;
    let Some((without_rowid, strict, creation)) = found else { return Ok(Vec::new()) };
    let columns = columns(connection, name, without_rowid, strict)?;
    let of = |wanted: &str| columns.iter().find(|column| same(&column.name, wanted));
    let label = |at: usize, label: &str| {
        let column = of(&spec.key[at])?;
        form(column).refuses_label(label).map(|refused| fault(column, refused))
    };
    let value = |at: usize, value: &Value| {
        let column = of(&spec.columns[at].0)?;
        let refused = match value {
            Value::Null if column.not_null => Some(Refused { rule: "takes no NULL".to_owned(), found: None }),
            value if column.is_whole() => form(column).refuses(value),
            _ => None,
        };
        refused.map(|refused| fault(column, refused))
    };
    let (mut breaches, rows) = by_type(spec, rows, label, value);
    breaches.extend(rehearsed(&creation, spec, &rows)?);
    breaches.extend(unreferenced(connection, spec, &rows)?);
    Ok(breaches)
}

fn fault(column: &DeclaredColumn, Refused { rule, found }: Refused) -> RowRefusal {
    let rule = format!("column `{}` ({}) {rule}", column.name, column.declared);
    RowRefusal { refused: Refused { rule, found }, mend: String::new() }
}

/// Shows the rows to a table of the same rules. One whose rules cannot be evaluated apart says nothing.
fn rehearsed(creation: &str, spec: &TableSpec, rows: &[&RowAhead]) -> Result<Vec<Breach>, SqliteFailure> {
    let is_known = |row: &RowAhead| row.values.iter().all(Option::is_some);
    if !creation.to_ascii_uppercase().contains("CHECK") || !rows.iter().all(|row| is_known(row)) {
        return Ok(Vec::new());
    }
    let memory = Connection::open_in_memory()?;
    memory.execute_batch("PRAGMA foreign_keys = OFF")?;
    if memory.execute_batch(creation).is_err() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = spec.key.iter().chain(spec.columns.iter().map(|(column, _)| column)).cloned().collect();
    let marks = (1..=names.len()).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
    let table = quoted(own_name(&spec.name));
    let Ok(mut insert) = memory.prepare(&format!("INSERT INTO {table} ({}) VALUES ({marks})", list(&names))) else {
        return Ok(Vec::new());
    };
    let mut breaches = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let values: Vec<Value> = names.iter().filter_map(|name| value_of(spec, row, name)).collect();
        let values = values.iter().map(bound).collect::<Result<Vec<_>, SqliteFailure>>()?;
        let Err(rusqlite::Error::SqliteFailure(code, Some(message))) = insert.execute(params_from_iter(values)) else {
            continue;
        };
        if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_CHECK {
            let check = message.split_once(": ").map_or(message.as_str(), |(_, check)| check);
            let rule = format!("its rule wants `{check}`");
            let columns = named(check, &names).unwrap_or_else(|| spec.key.clone());
            breaches.extend(by_rule(spec, rows, [number], BrokenRule { rule: &rule, columns: &columns }));
        }
    }
    Ok(breaches)
}

/// Returns the columns that the text of a rule names, if any.
fn named(check: &str, names: &[String]) -> Option<Vec<String>> {
    let is_named = |name: &&String| {
        let mut words = check.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.any(|word| same(word, name)) || check.contains(&quoted(name))
    };
    let columns: Vec<String> = names.iter().filter(is_named).cloned().collect();
    (!columns.is_empty()).then_some(columns)
}

/// A foreign key: the other table, and the columns on both sides.
struct Reference {
    table: String,
    from: Vec<String>,
    to: Vec<String>,
}

fn unreferenced(connection: &Connection, spec: &TableSpec, rows: &[&RowAhead]) -> Result<Vec<Breach>, SqliteFailure> {
    let mut breaches = Vec::new();
    for Reference { table, from, to } in references(connection, spec)? {
        let mut asked = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let values: Option<Vec<Value>> = from.iter().map(|column| value_of(spec, row, column)).collect();
            // A row that says nothing in one of the columns refers to nothing.
            if let Some(values) = values.filter(|values| !values.contains(&Value::Null)) {
                asked.push([vec![Value::from(number)], values].concat());
            }
        }
        let equal: Vec<String> = to
            .iter()
            .enumerate()
            .map(|(at, column)| format!("r.{} = w.value ->> {}", quoted(column), at + 1))
            .collect();
        let sql = format!(
            "SELECT w.value ->> 0 FROM json_each(?1) AS w WHERE NOT EXISTS (SELECT 1 FROM {} AS r WHERE {})",
            quoted(&table),
            equal.join(" AND ")
        );
        let Ok(mut statement) = connection.prepare(&sql) else { continue };
        let missing = statement.query_map([stored_form::json(&asked)], |row| row.get::<_, u32>(0))?;
        let missing = missing.map(|number| number.map(|number| number as usize)).collect::<Result<Vec<_>, _>>()?;
        let rule = format!("column `{}` takes what is `{}` of a row in `{table}`", from.join("`, `"), to.join("`, `"));
        breaches.extend(by_rule(spec, rows, missing, BrokenRule { rule: &rule, columns: &from }));
    }
    Ok(breaches)
}

/// Reads the foreign keys to other tables; a row of the table itself may be written in the same run.
fn references(connection: &Connection, spec: &TableSpec) -> Result<Vec<Reference>, SqliteFailure> {
    let name = own_name(&spec.name);
    let sql = "SELECT f.id, f.\"table\", f.\"from\", coalesce(f.\"to\", (SELECT p.name FROM pragma_table_info(f.\"table\") AS p
                 WHERE p.pk = f.seq + 1)) FROM pragma_foreign_key_list(?1) AS f ORDER BY f.id, f.seq";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([name])?;
    let mut references: Vec<(i64, Reference)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, table, from): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(to) = row.get::<_, Option<String>>(3)? else { continue };
        match references.last_mut() {
            Some((last, reference)) if *last == id => {
                reference.from.push(from);
                reference.to.push(to);
            }
            _ => references.push((id, Reference { table, from: vec![from], to: vec![to] })),
        }
    }
    let declared = |column: &String| {
        let mut names = spec.key.iter().chain(spec.columns.iter().map(|(column, _)| column));
        names.find(|name| same(name, column)).cloned()
    };
    let others = references.into_iter().map(|(_, reference)| reference);
    let others = others.filter(|reference| !same(&reference.table, name));
    let written = others.filter_map(|reference| {
        let from = reference.from.iter().map(declared).collect::<Option<Vec<String>>>()?;
        Some(Reference { from, ..reference })
    });
    Ok(written.collect())
}
