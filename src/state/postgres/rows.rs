//! The rows of the published table: reading, writing, and the one digest of what a row holds.
//!
//! Postgres does the typing: keys and values go there as JSON and become what the table's columns are. They come back as
//! text, whatever they are, so that no type of the product needs to be known here.

use std::fmt::Write as _;
use std::pin::pin;

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, bounded, next};
use super::failure::PostgresFailure;
use super::rights::After;
use super::sql::full_name;
use super::survey;
use super::table::PostgresShape;
use crate::asset::{AssetKey, TableSpec};
use crate::digest::{SEEN_DOMAIN, SeenDigest, domain_digest};
use crate::state::table::{Id, KeyRead, Times, is_key, list, quoted, segments};
use crate::state::{RowSeen, ScanVisitor, StateError};

/// Streams all rows of the table to the visitor.
pub(super) async fn scan(
    transaction: &Transaction,
    spec: &TableSpec,
    visitor: &mut (dyn ScanVisitor + Send),
) -> Result<(), PostgresFailure> {
    let sql = format!("SELECT {} FROM {} AS t", texts(spec), full_name(&spec.name));
    let asked = async { Ok(transaction.query_typed_raw(&sql, Vec::<Param<'_>>::new()).await?) };
    let mut rows = pin!(bounded(asked).await?);
    let (mut key, mut buffer) = (String::new(), Vec::new());
    while let Some(row) = next(&mut rows).await? {
        if read_key(&row, spec, &mut key)? == KeyRead::Whole {
            visitor.row(&key, seen(&row, spec, &mut buffer)?);
        }
    }
    Ok(())
}

/// Reads the rows of those keys that have one.
pub(super) async fn read(
    transaction: &Transaction,
    spec: &TableSpec,
    shape: &PostgresShape,
    keys: &[&AssetKey],
) -> Result<Vec<RowSeen>, PostgresFailure> {
    let keys: std::collections::BTreeSet<&str> = keys.iter().map(|key| key.as_str()).collect();
    let keys: Vec<Vec<&str>> = keys.iter().filter_map(|key| segments(spec, key)).collect();
    // A key that no row can have would be no number, or another one.
    let keys = keys.into_iter().filter(|key| is_key(&shape.key_forms, key));
    let keys: Vec<Value> = keys.map(|key| keyed(spec, &key)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let table = full_name(&spec.name);
    let values = spec.columns.iter().map(|(column, _)| format!("to_jsonb(t.{})::text", quoted(column)));
    let values: String = values.fold(String::new(), |text, value| text + ", " + &value);
    let sql = format!(
        "SELECT {}{values} FROM {} JOIN {table} AS t ON {}",
        looked_at(spec, shape),
        recordset(spec, shape, spec.key.len()),
        equal(spec, "t", "w"),
    );
    let (mut text, mut buffer) = (String::new(), Vec::new());
    let found = transaction.query_typed(&sql, &[(&Value::Array(keys).to_string(), Type::TEXT)]).await?;
    let mut seen_rows = Vec::with_capacity(found.len());
    for row in &found {
        read_key(row, spec, &mut text)?;
        let place = || format!("the table `{}` at `{text}`", spec.name);
        let key = text.parse::<AssetKey>().map_err(|error| StateError::unreadable(place(), error))?;
        let seen = seen(row, spec, &mut buffer)?;
        let first = spec.key.len() + spec.columns.len();
        let value = |at: usize| survey::cell(row, first + 1 + at, place);
        let values = (0..spec.columns.len()).map(value).collect::<Result<_, _>>()?;
        seen_rows.push(RowSeen { key, id: row.try_get(first)?, values, seen });
    }
    Ok(seen_rows)
}

/// Returns a key as an object of its columns.
pub(super) fn keyed(spec: &TableSpec, key: &[&str]) -> Value {
    let pairs = spec.key.iter().cloned().zip(key.iter().map(|part| Value::from(*part)));
    Value::Object(pairs.collect())
}

/// Writes the rows of one table, each kind of change in one statement.
pub(super) struct PostgresWriter<'t> {
    transaction: &'t Transaction,
    spec: &'t TableSpec,
    shape: &'t PostgresShape,
    table: String,
}

impl<'t> PostgresWriter<'t> {
    /// Begins to write.
    pub(super) fn new(transaction: &'t Transaction, spec: &'t TableSpec, shape: &'t PostgresShape) -> Self {
        Self { transaction, spec, shape, table: full_name(&spec.name) }
    }

    /// Gives rows new keys: from and to. Where a row has the new key already, that one stays and ours goes.
    pub(super) async fn rekey(&self, renames: &[(Vec<&str>, Vec<&str>)], keep: RowKept) -> Result<(), PostgresFailure> {
        if renames.is_empty() {
            return Ok(());
        }
        let (spec, table) = (self.spec, &self.table);
        let pairs = renames.iter().map(|(from, to)| Value::Array(vec![keyed(spec, from), keyed(spec, to)]));
        let pairs = Value::Array(pairs.collect()).to_string();
        let fields = fields(spec, self.shape, spec.key.len());
        let source = format!(
            "jsonb_array_elements($1::text::jsonb) AS e, LATERAL jsonb_to_record(e -> 0) AS o ({fields}), \
             LATERAL jsonb_to_record(e -> 1) AS n ({fields})"
        );
        let here = equal(spec, "t", "o");
        if keep == RowKept::Theirs {
            let sql = format!(
                "DELETE FROM {table} AS t USING {source} WHERE {here} AND EXISTS (SELECT FROM {table} AS s WHERE {})",
                equal(spec, "s", "n")
            );
            self.transaction.execute_typed(&sql, &[(&pairs, Type::TEXT)]).await?;
        }
        let set = spec.key.iter().map(|axis| format!("{axis} = n.{axis}", axis = quoted(axis)));
        let touch = match self.shape.times {
            Times::Kept if keep == RowKept::Theirs => ", \"updated_at\" = now()",
            Times::Kept | Times::Foreign => "",
        };
        let sql =
            format!("UPDATE {table} AS t SET {}{touch} FROM {source} WHERE {here}", set.collect::<Vec<_>>().join(", "));
        self.transaction.execute_typed(&sql, &[(&pairs, Type::TEXT)]).await?;
        Ok(())
    }

    /// Deletes the rows of those keys, if any.
    pub(super) async fn delete(&self, keys: &[Vec<&str>]) -> Result<(), PostgresFailure> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = Value::Array(keys.iter().map(|key| keyed(self.spec, key)).collect()).to_string();
        let table = &self.table;
        let sql = format!(
            "DELETE FROM {table} AS t USING {} WHERE {}",
            recordset(self.spec, self.shape, self.spec.key.len()),
            equal(self.spec, "t", "w")
        );
        self.transaction.execute_typed(&sql, &[(&keys, Type::TEXT)]).await?;
        Ok(())
    }

    /// Sets rows' values, or inserts them; one that somebody inserts at the same moment is merged. Returns how each came
    /// back: its key, its id and its digest.
    pub(super) async fn write(&self, rows: &[(Vec<&str>, &[Value])]) -> Result<Vec<Written>, PostgresFailure> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let Self { spec, table, .. } = self;
        let document = document(spec, rows)?;
        let columns: Vec<String> = spec.columns.iter().map(|(column, _)| column.clone()).collect();
        let names = [spec.key.clone(), columns.clone()].concat();
        let picked = names.iter().map(|name| format!("w.{}", quoted(name))).collect::<Vec<_>>().join(", ");
        let (time_names, times) = match self.shape.times {
            Times::Kept => (", \"created_at\", \"updated_at\"", ", now(), now()"),
            Times::Foreign => ("", ""),
        };
        let mut set: Vec<String> =
            columns.iter().map(|column| format!("{column} = excluded.{column}", column = quoted(column))).collect();
        if self.shape.times == Times::Kept && !columns.is_empty() {
            // A value that is there already does not count as a change.
            let side = |of: &str| {
                columns.iter().map(|column| format!("{of}.{}", quoted(column))).collect::<Vec<_>>().join(", ")
            };
            set.push(format!(
                "\"updated_at\" = CASE WHEN ROW({}) IS DISTINCT FROM ROW({}) THEN now() ELSE t.\"updated_at\" END",
                side("t"),
                side("excluded")
            ));
        }
        let conflict = match set.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {}", set.join(", ")),
        };
        let sql = format!(
            "INSERT INTO {table} AS t ({}{time_names})
             SELECT {picked}{times} FROM {}
             ON CONFLICT ({}) DO {conflict}",
            list(&names),
            recordset(spec, self.shape, names.len()),
            list(&spec.key)
        );
        // What the statement itself gives back is all that there is, unless something comes after it.
        if self.shape.after == After::Nothing && !columns.is_empty() {
            let sql = format!("{sql} RETURNING {}", looked_at(spec, self.shape));
            let written = self.transaction.query_typed(&sql, &[(&document, Type::TEXT)]).await?;
            return written_rows(spec, &written);
        }
        self.transaction.execute_typed(&sql, &[(&document, Type::TEXT)]).await?;
        let keys = Value::Array(rows.iter().map(|(key, _)| keyed(spec, key)).collect()).to_string();
        let sql = format!(
            "SELECT {} FROM {} JOIN {table} AS t ON {}",
            looked_at(spec, self.shape),
            recordset(spec, self.shape, spec.key.len()),
            equal(spec, "t", "w"),
        );
        written_rows(spec, &self.transaction.query_typed(&sql, &[(&keys, Type::TEXT)]).await?)
    }
}

/// How a row came back: its key, its id and its digest.
pub(super) struct Written {
    /// The key.
    pub key: String,
    /// The row's own id, where it has one.
    pub id: Option<String>,
    /// The digest of its declared columns.
    pub seen: SeenDigest,
}

/// The columns that [`written_rows`] reads.
fn looked_at(spec: &TableSpec, shape: &PostgresShape) -> String {
    format!("{}, {}", texts(spec), own_id(shape))
}

fn own_id(shape: &PostgresShape) -> &'static str {
    match shape.id {
        Id::Column => "t.\"id\"::text",
        Id::None => "NULL::text",
    }
}

fn written_rows(spec: &TableSpec, rows: &[Row]) -> Result<Vec<Written>, PostgresFailure> {
    let mut buffer = Vec::new();
    let mut read = |row: &Row| {
        let mut key = String::new();
        read_key(row, spec, &mut key)?;
        let seen = seen(row, spec, &mut buffer)?;
        Ok(Written { key, id: row.try_get(spec.key.len() + spec.columns.len())?, seen })
    };
    rows.iter().map(&mut read).collect()
}

/// Which of two rows stays where one gets the other's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKept {
    /// The one that has the key; ours goes.
    Theirs,
    /// There can be no other: the key is one that no label can spell.
    Ours,
}

/// Writes rows as one JSON array of objects, without a value of its own for each.
fn document(spec: &TableSpec, rows: &[(Vec<&str>, &[Value])]) -> Result<String, PostgresFailure> {
    let mut text = String::with_capacity(rows.len() * 512);
    let name = |name: &str| serde_json::to_string(name).expect("a name is JSON");
    let keys: Vec<String> = spec.key.iter().map(|axis| name(axis)).collect();
    let columns: Vec<String> = spec.columns.iter().map(|(column, _)| name(column)).collect();
    for (number, (key, values)) in rows.iter().enumerate() {
        if values.len() != columns.len() {
            let reason = "a row has not as many values as the table has columns";
            return Err(StateError::refused("write the rows", reason).into());
        }
        text.push_str(if number == 0 { "[{" } else { ",{" });
        let key = keys.iter().zip(key).map(|(axis, part)| (axis, serde_json::to_string(part)));
        let values = columns.iter().zip(*values).map(|(column, value)| (column, serde_json::to_string(value)));
        for (at, (name, value)) in key.chain(values).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let value = value.expect("a value is JSON");
            write!(text, "{comma}{name}:{value}").expect("a text takes everything");
        }
        text.push('}');
    }
    text.push(']');
    Ok(text)
}

/// The rows `w` that the first parameter holds as JSON, with so many of the columns that are written, each of the table's
/// own type. No other column is named: a type may have rules that a value which is left out would break.
fn recordset(spec: &TableSpec, shape: &PostgresShape, count: usize) -> String {
    format!("jsonb_to_recordset($1::text::jsonb) AS w ({})", fields(spec, shape, count))
}

fn fields(spec: &TableSpec, shape: &PostgresShape, count: usize) -> String {
    let names = spec.key.iter().chain(spec.columns.iter().map(|(column, _)| column));
    let fields = names.zip(&shape.types).take(count).map(|(name, kind)| format!("{} {kind}", quoted(name)));
    fields.collect::<Vec<_>>().join(", ")
}

/// The condition that two rows have the same key.
fn equal(spec: &TableSpec, one: &str, other: &str) -> String {
    let pairs = spec.key.iter().map(|axis| format!("{one}.{axis} = {other}.{axis}", axis = quoted(axis)));
    pairs.collect::<Vec<_>>().join(" AND ")
}

/// What every reading statement selects first: the key's columns and the declared ones, as text.
pub(super) fn texts(spec: &TableSpec) -> String {
    let declared = spec.columns.iter().map(|(column, _)| column);
    spec.key.iter().chain(declared).map(|name| format!("t.{}::text", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// Reads the key, joined by `/`.
pub(super) fn read_key(row: &Row, spec: &TableSpec, key: &mut String) -> Result<KeyRead, PostgresFailure> {
    key.clear();
    for at in 0..spec.key.len() {
        let Some(text) = row.try_get::<_, Option<&str>>(at)? else { return Ok(KeyRead::Foreign) };
        if at > 0 {
            key.push('/');
        }
        key.push_str(text);
    }
    Ok(KeyRead::Whole)
}

/// Returns the digest of the declared columns as they came back: a canonical JSON array with one text, or null, a column.
pub(super) fn seen(row: &Row, spec: &TableSpec, buffer: &mut Vec<u8>) -> Result<SeenDigest, PostgresFailure> {
    buffer.clear();
    let first = spec.key.len();
    for at in first..first + spec.columns.len() {
        buffer.push(if at == first { b'[' } else { b',' });
        match row.try_get::<_, Option<&str>>(at)? {
            None => buffer.extend_from_slice(b"null"),
            Some(text) => serde_json::to_writer(&mut *buffer, text).expect("a buffer takes everything"),
        }
    }
    buffer.extend_from_slice(if spec.columns.is_empty() { b"[]" } else { b"]" });
    Ok(SeenDigest::from_bytes(domain_digest(SEEN_DOMAIN, buffer)))
}
