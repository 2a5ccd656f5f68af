//! The rows of the published table: reading, writing, and the one digest of what a row holds.

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, Row, Statement, Transaction, params_from_iter};
use serde_json::Value;

use super::failure::SqliteFailure;
use super::table::SqliteShape;
use crate::asset::{AssetKey, TableSpec};
use crate::digest::{SEEN_DOMAIN, SeenDigest, domain_digest};
use crate::state::table::{Id, KeyRead, Times, is_key, quoted, segments};
use crate::state::{RowSeen, ScanVisitor, StateError, stored_form};

/// Keys that one statement looks for.
pub(super) const KEYS_MAX: usize = 2_000;

/// The time as rows of the published table keep it.
const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// Writes the rows of one table, each kind of change through one prepared statement.
pub(super) struct SqliteWriter<'t> {
    spec: &'t TableSpec,
    shelve: Statement<'t>,
    give_way: Statement<'t>,
    rekey: Statement<'t>,
    delete: Statement<'t>,
    update: Statement<'t>,
    insert: Statement<'t>,
}

/// Streams all rows of the table to the visitor.
pub(super) fn scan(
    connection: &Connection,
    spec: &TableSpec,
    visitor: &mut (dyn ScanVisitor + Send),
) -> Result<(), SqliteFailure> {
    let sql = format!("SELECT {} FROM {} AS t", columns(spec, Id::None), quoted(&spec.name.name));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut key, mut buffer) = (String::new(), Vec::new());
    while let Some(row) = rows.next()? {
        if read_key(row, spec, &mut key)? == KeyRead::Whole {
            visitor.row(&key, seen(row, spec, &mut buffer)?);
        }
    }
    Ok(())
}

/// Reads the rows of those keys that have one.
pub(super) fn read(
    connection: &Connection,
    spec: &TableSpec,
    shape: &SqliteShape,
    keys: &[&AssetKey],
) -> Result<Vec<RowSeen>, SqliteFailure> {
    let matches: Vec<_> =
        spec.key.iter().enumerate().map(|(at, axis)| format!("t.{} = w.value ->> {at}", quoted(axis))).collect();
    let mut statement = connection.prepare(&format!(
        "SELECT {} FROM json_each(?1) AS w CROSS JOIN {} AS t ON {}",
        columns(spec, shape.id),
        quoted(&spec.name.name),
        matches.join(" AND ")
    ))?;
    let (mut found, mut text, mut buffer) = (Vec::with_capacity(keys.len()), String::new(), Vec::new());
    for keys in distinct(keys.iter().copied()).chunks(KEYS_MAX) {
        let keys = keys.iter().filter_map(|key| segments(spec, key.as_str()));
        // `07` would find the row of the number 7.
        let keys: Vec<_> = keys.filter(|key| is_key(&shape.key_forms, key)).collect();
        let mut rows = statement.query([stored_form::json(&keys)])?;
        while let Some(row) = rows.next()? {
            read_key(row, spec, &mut text)?;
            let key = text.parse::<AssetKey>().map_err(|error| StateError::unreadable(place(spec, &text), error))?;
            let seen = seen(row, spec, &mut buffer)?;
            let (first, id) = (spec.key.len(), spec.key.len() + spec.columns.len());
            let values = (first..id).map(|at| Ok(value(row.get_ref(at)?))).collect::<Result<_, SqliteFailure>>()?;
            let id = match shape.id {
                Id::Column => id_text(row.get_ref(id)?),
                Id::None => None,
            };
            found.push(RowSeen { key, id, values, seen });
        }
    }
    Ok(found)
}

/// Returns what a caller asks for once each, and in order, which is how an index is read fastest.
pub(super) fn distinct<T: Ord>(asked: impl IntoIterator<Item = T>) -> Vec<T> {
    asked.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Reads what [`stored_form::signed`] wrote.
pub(super) fn unsigned(row: &Row<'_>, at: usize) -> Result<u64, SqliteFailure> {
    Ok(stored_form::unsigned(row.get(at)?))
}

impl<'t> SqliteWriter<'t> {
    /// Prepares the statements.
    pub(super) fn new(
        transaction: &'t Transaction<'_>,
        spec: &'t TableSpec,
        shape: &SqliteShape,
    ) -> Result<Self, SqliteFailure> {
        let Sql { shelve, give_way, rekey, delete, update, insert } = Sql::new(spec, shape);
        Ok(Self {
            spec,
            shelve: transaction.prepare(&shelve)?,
            give_way: transaction.prepare(&give_way)?,
            rekey: transaction.prepare(&rekey)?,
            delete: transaction.prepare(&delete)?,
            update: transaction.prepare(&update)?,
            insert: transaction.prepare(&insert)?,
        })
    }

    /// Gives a row a key that no label can spell, so that another can take its place.
    pub(super) fn shelve(&mut self, key: &[&str], shelf: &str) -> Result<(), SqliteFailure> {
        self.shelve.execute(params_from_iter([shelf].iter().chain(key)))?;
        Ok(())
    }

    /// Gives a row a new key. Where a row has that key already, that one stays and ours goes.
    pub(super) fn rekey(&mut self, from: &[&str], to: &[&str]) -> Result<(), SqliteFailure> {
        self.give_way.execute(params_from_iter(from.iter().chain(to)))?;
        self.rekey.execute(params_from_iter(from.iter().chain(to)))?;
        Ok(())
    }

    /// Deletes the row of that key, if any.
    pub(super) fn delete(&mut self, key: &[&str]) -> Result<(), SqliteFailure> {
        self.delete.execute(params_from_iter(key))?;
        Ok(())
    }

    /// Sets a row's values, or inserts it; nobody can insert it in between, for the transaction is an immediate one.
    pub(super) fn write(&mut self, key: &[&str], values: &[Value]) -> Result<(), SqliteFailure> {
        if values.len() != self.spec.columns.len() {
            let reason = "a row has not as many values as the table has columns";
            return Err(StateError::refused("write the rows", reason).into());
        }
        let key = key.iter().map(|segment| Ok(ToSqlOutput::from(*segment)));
        let values: Vec<_> = key.chain(values.iter().map(bound)).collect::<Result<_, SqliteFailure>>()?;
        if self.update.execute(params_from_iter(&values))? == 0 {
            self.insert.execute(params_from_iter(&values))?;
        }
        Ok(())
    }
}

/// The statements' texts. The first parameters are the key that the row has now, except that `shelve` begins with the
/// shelf.
struct Sql {
    shelve: String,
    give_way: String,
    rekey: String,
    delete: String,
    update: String,
    insert: String,
}

impl Sql {
    fn new(spec: &TableSpec, shape: &SqliteShape) -> Self {
        let times = shape.times;
        let table = quoted(&spec.name.name);
        let axes: Vec<_> = spec.key.iter().map(|axis| quoted(axis)).collect();
        let values: Vec<_> = spec.columns.iter().map(|(column, _)| quoted(column)).collect();
        let numbered = |names: &[String], first: usize, glue: &str, operator: &str| {
            let pairs = names.iter().enumerate().map(|(at, name)| format!("{name} {operator} ?{}", at + first));
            pairs.collect::<Vec<_>>().join(glue)
        };
        let (first, shelf) = (&axes[0], &axes[shape.shelf.unwrap_or_default()]);
        let here = numbered(&axes, 1, " AND ", "=");
        let there = numbered(&axes, 1 + axes.len(), " AND ", "=");
        let touch = match times {
            Times::Kept => format!(", \"updated_at\" = {NOW}"),
            Times::Foreign => String::new(),
        };
        // A value that is there already does not count as a change.
        let same = numbered(&values, 1 + axes.len(), " AND ", "IS");
        let touch_changed = match times {
            Times::Kept if values.is_empty() => String::new(),
            Times::Kept => format!(", \"updated_at\" = CASE WHEN {same} THEN \"updated_at\" ELSE {NOW} END"),
            Times::Foreign => String::new(),
        };
        let (time_names, times) = match times {
            Times::Kept => (", \"created_at\", \"updated_at\"", format!(", {NOW}, {NOW}")),
            Times::Foreign => ("", String::new()),
        };
        let set = [vec![format!("{first} = {first}")], assignments(&values, 1 + axes.len())].concat().join(", ");
        let names = [axes.clone(), values].concat();
        let marks = (1..=names.len()).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
        let names = names.join(", ");
        Self {
            shelve: format!("UPDATE {table} SET {shelf} = ?1 WHERE {}", numbered(&axes, 2, " AND ", "=")),
            give_way: format!("DELETE FROM {table} WHERE {here} AND EXISTS (SELECT 1 FROM {table} WHERE {there})"),
            rekey: format!("UPDATE {table} SET {}{touch} WHERE {here}", numbered(&axes, 1 + axes.len(), ", ", "=")),
            delete: format!("DELETE FROM {table} WHERE {here}"),
            update: format!("UPDATE {table} SET {set}{touch_changed} WHERE {here}"),
            insert: format!("INSERT INTO {table} ({names}{time_names}) VALUES ({marks}{times})"),
        }
    }
}

fn assignments(columns: &[String], first: usize) -> Vec<String> {
    columns.iter().enumerate().map(|(at, column)| format!("{column} = ?{}", at + first)).collect()
}

/// The columns that every reading statement selects: the key's, the declared ones, and the id.
///
/// Each is qualified, because SQLite takes a quoted name that it does not find for a text.
fn columns(spec: &TableSpec, id: Id) -> String {
    let declared = spec.columns.iter().map(|(column, _)| column);
    let id = match id {
        Id::Column => Some("t.\"id\"".to_owned()),
        Id::None => None,
    };
    let names = spec.key.iter().chain(declared).map(|name| format!("t.{}", quoted(name)));
    names.chain(id).collect::<Vec<_>>().join(", ")
}

/// Reads the key, joined by `/`.
pub(super) fn read_key(row: &Row<'_>, spec: &TableSpec, key: &mut String) -> Result<KeyRead, SqliteFailure> {
    use std::fmt::Write as _;

    key.clear();
    for at in 0..spec.key.len() {
        if at > 0 {
            key.push('/');
        }
        match row.get_ref(at)? {
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => key.push_str(text),
                Err(_) => return Ok(KeyRead::Foreign),
            },
            ValueRef::Integer(number) => write!(key, "{number}").expect("a text takes everything"),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => return Ok(KeyRead::Foreign),
        }
    }
    Ok(KeyRead::Whole)
}

fn place(spec: &TableSpec, key: &str) -> String {
    format!("the table `{}` at `{key}`", spec.name)
}

/// Returns the digest of the declared columns as they were read: a canonical JSON array with one element a column.
///
/// Text is a string, null is null; all else is an object that names its type and holds text, because a JSON number
/// would lose digits: `{"i":"42"}`, `{"r":"7.5"}`, `{"b":"00ff"}`.
pub(super) fn seen(row: &Row<'_>, spec: &TableSpec, buffer: &mut Vec<u8>) -> Result<SeenDigest, SqliteFailure> {
    use std::io::Write as _;

    let written = "a buffer takes everything";
    buffer.clear();
    let first = spec.key.len();
    for at in first..first + spec.columns.len() {
        buffer.push(if at == first { b'[' } else { b',' });
        match row.get_ref(at)? {
            ValueRef::Null => buffer.extend_from_slice(b"null"),
            ValueRef::Integer(number) => write!(buffer, "{{\"i\":\"{number}\"}}").expect(written),
            ValueRef::Real(number) => write!(buffer, "{{\"r\":\"{number}\"}}").expect(written),
            ValueRef::Blob(bytes) => write!(buffer, "{{\"b\":\"{}\"}}", hex::encode(bytes)).expect(written),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serde_json::to_writer(&mut *buffer, text).expect(written),
                Err(_) => write!(buffer, "{{\"t\":\"{}\"}}", hex::encode(bytes)).expect(written),
            },
        }
    }
    buffer.extend_from_slice(if spec.columns.is_empty() { b"[]" } else { b"]" });
    Ok(SeenDigest::from_bytes(domain_digest(SEEN_DOMAIN, buffer)))
}

/// Returns a cell as JSON: integers whole, binary data as hex digits.
pub(super) fn value(read: ValueRef<'_>) -> Value {
    match read {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => hex::encode(bytes).into(),
    }
}

fn id_text(read: ValueRef<'_>) -> Option<String> {
    match value(read) {
        Value::Null => None,
        Value::String(text) => Some(text),
        number => Some(number.to_string()),
    }
}

pub(super) fn bound(value: &Value) -> Result<ToSqlOutput<'_>, SqliteFailure> {
    let too_large = || StateError::refused("write the rows", "a number is larger than a column holds");
    Ok(match value {
        Value::Null => ToSqlOutput::Owned(Owned::Null),
        Value::Bool(truth) => ToSqlOutput::Owned(Owned::Integer(i64::from(*truth))),
        Value::Number(number) => ToSqlOutput::Owned(match (number.as_i64(), number.is_u64()) {
            (Some(number), _) => Owned::Integer(number),
            (None, true) => return Err(too_large().into()),
            (None, false) => Owned::Real(number.as_f64().ok_or_else(too_large)?),
        }),
        Value::String(text) => ToSqlOutput::from(text.as_str()),
        Value::Array(_) | Value::Object(_) => ToSqlOutput::Owned(Owned::Text(value.to_string())),
    })
}
