//! The published table: making it, and telling whether one that exists takes our rows.
//!
//! A table that somebody else made is never altered; each thing that is wrong with it comes with the SQL that mends it.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::failure::SqliteFailure;
use crate::asset::{ColumnType, TableName, TableSpec};
use crate::state::column_form::ColumnForm;
use crate::state::table::{ColumnUse, Id, TableFound, Times, absent, kept, list, quoted};
use crate::state::{Schema, StateError, TableProblem};

/// What of a table that fits decides how rows are read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqliteShape {
    /// Whether rows have an id of their own.
    pub id: Id,
    /// Whether the times of a row are ours to keep.
    pub times: Times,
    /// The key column that can hold any text for a moment, by its place in the key.
    pub shelf: Option<usize>,
    /// What the key columns take.
    pub key_forms: Vec<ColumnForm>,
}

/// How SQLite changes values on their way into a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Integer,
    Text,
    None,
    Real,
    Numeric,
    /// A column of a STRICT table that takes binary data and nothing else.
    Binary,
}

/// A column as the catalogue has it.
pub(super) struct DeclaredColumn {
    pub name: String,
    affinity: Affinity,
    pub declared: String,
    /// Whether it takes no NULL.
    pub not_null: bool,
    identity: Identity,
    /// Whether an insert that leaves the column out fails.
    must: bool,
    generated: bool,
}

/// Whether a column is the number by which SQLite itself files a row: unique, without an index that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    Rowid,
    None,
}

impl DeclaredColumn {
    /// Tells whether it holds whole numbers and nothing else.
    pub(super) fn is_whole(&self) -> bool {
        self.affinity == Affinity::Integer
    }
}

/// Creates the table when it is missing.
pub(super) fn ensure(transaction: &Transaction<'_>, schema: Schema, spec: &TableSpec) -> Result<(), SqliteFailure> {
    match find(transaction, schema, spec)? {
        // Also one that was found to be ours: our own tables may have been lost, and what a person adds to it later must
        // not make it a stranger's.
        TableFound::Fits(SqliteShape { times: Times::Kept, .. }) => remember(transaction, spec),
        TableFound::Fits(_) => Ok(()),
        TableFound::Unfit(problems) => Err(StateError::Table { table: spec.name.clone(), problems }.into()),
        TableFound::Absent => {
            transaction.execute_batch(&creation(spec))?;
            remember(transaction, spec)
        }
    }
}

/// Remembers that pixform made the table.
fn remember(transaction: &Transaction<'_>, spec: &TableSpec) -> Result<(), SqliteFailure> {
    transaction.execute("INSERT OR IGNORE INTO pixform_tables (name) VALUES (?1)", [own_name(&spec.name)])?;
    Ok(())
}

/// Looks at the table.
pub(super) fn find(
    connection: &Connection,
    schema: Schema,
    spec: &TableSpec,
) -> Result<TableFound<SqliteShape>, SqliteFailure> {
    let name = own_name(&spec.name);
    if is_taken(name) {
        let message = format!("the name `{name}` is taken by the state itself; publish to another table");
        return Ok(TableFound::Unfit(vec![TableProblem { message, mend: String::new() }]));
    }
    let twins = twins(spec);
    if !twins.is_empty() {
        return Ok(TableFound::Unfit(twins));
    }
    let kind = "SELECT type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
    let found = connection
        .query_row(kind, [name], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((kind, without_rowid, strict)) = found else { return Ok(TableFound::Absent) };
    if kind != "table" {
        let message = format!("`{name}` is a {kind}, not a table; publish to another table");
        return Ok(TableFound::Unfit(vec![TableProblem { message, mend: String::new() }]));
    }
    let columns = columns(connection, name, without_rowid, strict)?;
    let ours = (schema != Schema::Absent && is_ours(connection, name)?) || looks_ours(spec, &columns);
    let has = |wanted: &str| columns.iter().any(|column| same(&column.name, wanted));
    let declares = |wanted: &str| spec.columns.iter().any(|(column, _)| same(column, wanted));
    let kept = ours && ["created_at", "updated_at"].iter().all(|time| has(time) && !declares(time));
    let shape = SqliteShape {
        id: if has("id") { Id::Column } else { Id::None },
        times: if kept { Times::Kept } else { Times::Foreign },
        shelf: spec.key.iter().position(|axis| {
            let mut key = columns.iter().filter(|column| same(&column.name, axis));
            key.any(|column| matches!(column.affinity, Affinity::Text | Affinity::None))
        }),
        key_forms: spec
            .key
            .iter()
            .filter_map(|axis| columns.iter().find(|column| same(&column.name, axis)))
            .map(form)
            .collect(),
    };
    let mut problems = column_problems(spec, &columns);
    if !is_numbered(spec, &columns) && !is_unique(connection, spec)? {
        problems.push(no_unique_index(spec));
    }
    problems.extend(unwritten_problems(spec, &columns, shape.times));
    Ok(if problems.is_empty() { TableFound::Fits(shape) } else { TableFound::Unfit(problems) })
}

/// Returns what is wrong with a table that should have been created before.
pub(super) fn missing(spec: &TableSpec) -> Vec<TableProblem> {
    vec![TableProblem { message: "the table is missing".to_owned(), mend: creation(spec) }]
}

/// SQLite has no schemas: the table goes by its bare name.
pub(super) fn own_name(table: &TableName) -> &str {
    &table.name
}

/// Names in SQLite know no case, so that `"Pixform_records"`, which is a legal table name, would be ours.
fn is_taken(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("pixform_") || name.starts_with("sqlite_")
}

pub(super) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Names that differ in case only are one column here.
fn twins(spec: &TableSpec) -> Vec<TableProblem> {
    let names: Vec<&String> = spec.key.iter().chain(spec.columns.iter().map(|(column, _)| column)).collect();
    let twin = |(at, name): (usize, &&String)| {
        let other = names[..at].iter().find(|other| same(other, name))?;
        let message =
            format!("`{other}` and `{name}` are one column in SQLite, which counts no capitals: declare one of them");
        Some(TableProblem { message, mend: String::new() })
    };
    names.iter().enumerate().filter_map(twin).collect()
}

/// What a column takes as a part of a key.
pub(super) fn form(column: &DeclaredColumn) -> ColumnForm {
    match column.affinity {
        Affinity::Integer => ColumnForm::Integer { least: i64::MIN, most: i64::MAX },
        Affinity::Text | Affinity::None | Affinity::Real | Affinity::Numeric | Affinity::Binary => ColumnForm::Any,
    }
}

/// Tells whether a spec has a column of its own under a name that we would give to one of ours.
fn declares(spec: &TableSpec, wanted: &str) -> bool {
    spec.key.iter().any(|axis| same(axis, wanted)) || spec.columns.iter().any(|(column, _)| same(column, wanted))
}

/// Tells whether a table has exactly the columns that pixform makes: nobody else's times are texts that every row must
/// set. So a table of ours is known when the state's tables, which said so, are lost.
fn looks_ours(spec: &TableSpec, columns: &[DeclaredColumn]) -> bool {
    let is = |name: &str, declared: &str| {
        columns.iter().any(|column| same(&column.name, name) && same(&column.declared, declared) && !column.generated)
    };
    let must = |name: &str| columns.iter().any(|column| same(&column.name, name) && column.must);
    let own_id = !declares(spec, "id");
    let has_id = columns.iter().any(|column| same(&column.name, "id") && column.identity == Identity::Rowid);
    let times = ["created_at", "updated_at"];
    !times.iter().any(|time| declares(spec, time))
        && columns.len() == spec.key.len() + spec.columns.len() + times.len() + usize::from(own_id)
        && (!own_id || has_id)
        && spec.key.iter().all(|axis| is(axis, "TEXT"))
        && spec.columns.iter().all(|(column, kind)| is(column, type_name(*kind)))
        && times.iter().all(|time| is(time, "TEXT") && must(time))
}

fn creation(spec: &TableSpec) -> String {
    let declares = |wanted: &str| declares(spec, wanted);
    let mut lines = Vec::new();
    if !declares("id") {
        lines.push("\"id\" INTEGER PRIMARY KEY AUTOINCREMENT".to_owned());
    }
    lines.extend(spec.key.iter().map(|axis| format!("{} TEXT NOT NULL", quoted(axis))));
    lines.extend(spec.columns.iter().map(|(column, kind)| format!("{} {}", quoted(column), type_name(*kind))));
    for time in ["created_at", "updated_at"].into_iter().filter(|time| !declares(time)) {
        lines.push(format!("{} TEXT NOT NULL", quoted(time)));
    }
    lines.push(format!("UNIQUE ({})", list(&spec.key)));
    format!("CREATE TABLE {} ({});", quoted(own_name(&spec.name)), lines.join(", "))
}

fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bigint | ColumnType::Integer => "INTEGER",
        ColumnType::Double => "REAL",
        ColumnType::Text => "TEXT",
    }
}

/// Tells whether pixform made the table.
pub(super) fn is_ours(connection: &Connection, name: &str) -> Result<bool, SqliteFailure> {
    Ok(connection
        .query_row("SELECT 1 FROM pixform_tables WHERE name = ?1 COLLATE NOCASE", [name], |_| Ok(()))
        .optional()?
        .is_some())
}

/// Reads the columns, in their order.
pub(super) fn columns(
    connection: &Connection,
    table: &str,
    without_rowid: bool,
    strict: bool,
) -> Result<Vec<DeclaredColumn>, SqliteFailure> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", dflt_value IS NULL, pk, hidden, (SELECT max(pk) FROM pragma_table_xinfo(?1))
         FROM pragma_table_xinfo(?1)",
    )?;
    let columns = statement.query_map([table], |row| {
        let (declared, in_key, key_columns): (String, u32, u32) = (row.get(1)?, row.get(4)?, row.get(6)?);
        let is_rowid = in_key == 1 && key_columns == 1 && !without_rowid && same(&declared, "INTEGER");
        let (not_null, no_default, hidden): (bool, bool, u32) = (row.get(2)?, row.get(3)?, row.get(5)?);
        Ok(DeclaredColumn {
            name: row.get(0)?,
            affinity: affinity(&declared, strict),
            declared,
            not_null: not_null && !is_rowid,
            identity: if is_rowid { Identity::Rowid } else { Identity::None },
            must: not_null && no_default && !is_rowid && hidden == 0,
            generated: hidden != 0,
        })
    })?;
    Ok(columns.collect::<Result<_, _>>()?)
}

/// Source: the rules in the order of <https://sqlite.org/datatype3.html#determination_of_column_affinity>.
pub(super) fn affinity(declared: &str, strict: bool) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let holds = |part: &str| declared.contains(part);
    match declared.as_str() {
        "ANY" if strict => Affinity::None,
        "BLOB" if strict => Affinity::Binary,
        _ if holds("INT") => Affinity::Integer,
        _ if holds("CHAR") || holds("CLOB") || holds("TEXT") => Affinity::Text,
        _ if declared.is_empty() || holds("BLOB") => Affinity::None,
        _ if holds("REAL") || holds("FLOA") || holds("DOUB") => Affinity::Real,
        _ => Affinity::Numeric,
    }
}

/// Tells whether a value comes back from the column as it was written.
fn keeps(affinity: Affinity, kind: ColumnType, what: ColumnUse) -> bool {
    match (affinity, kind) {
        // What would come back otherwise is told of each label.
        (Affinity::Integer, ColumnType::Text) if what == ColumnUse::Key => true,
        (Affinity::Binary, _) => false,
        (Affinity::Text | Affinity::None, _) => true,
        // `012` would come back as `12`.
        (Affinity::Integer | Affinity::Real | Affinity::Numeric, ColumnType::Text) => false,
        // A float holds 53 bits of a seed's 63.
        (Affinity::Real, ColumnType::Bigint) => false,
        (Affinity::Real, ColumnType::Integer | ColumnType::Double) => true,
        (Affinity::Integer | Affinity::Numeric, ColumnType::Bigint | ColumnType::Integer | ColumnType::Double) => true,
    }
}

fn column_problems(spec: &TableSpec, columns: &[DeclaredColumn]) -> Vec<TableProblem> {
    let table = quoted(own_name(&spec.name));
    let keys = spec.key.iter().map(|axis| (axis, ColumnType::Text, " NOT NULL DEFAULT ''", ColumnUse::Key));
    let declared = spec.columns.iter().map(|(column, kind)| (column, *kind, "", ColumnUse::Value));
    let mut problems = Vec::new();
    for (name, kind, rule, what) in keys.chain(declared) {
        let (column, wanted) = (quoted(name), type_name(kind));
        let Some(found) = columns.iter().find(|column| same(&column.name, name)) else {
            problems.push(TableProblem {
                message: absent(name, columns.iter().map(|column| column.name.as_str())),
                mend: format!("ALTER TABLE {table} ADD COLUMN {column} {wanted}{rule};"),
            });
            continue;
        };
        let message = if found.generated {
            format!("column `{name}` is generated and cannot be written")
        } else if !keeps(found.affinity, kind, what) {
            format!("column `{name}` has the type {}, which does not keep {}", found.declared, kept(kind))
        } else {
            continue;
        };
        let old = quoted(&format!("{name}_old"));
        problems.push(TableProblem {
            message,
            mend: format!(
                "ALTER TABLE {table} RENAME COLUMN {column} TO {old}; ALTER TABLE {table} ADD COLUMN {column} \
                 {wanted}{rule}; UPDATE {table} SET {column} = {old};"
            ),
        });
    }
    problems
}

/// Tells whether the key is the number by which SQLite files a row.
fn is_numbered(spec: &TableSpec, columns: &[DeclaredColumn]) -> bool {
    let [axis] = spec.key.as_slice() else { return false };
    columns.iter().any(|column| same(&column.name, axis) && column.identity == Identity::Rowid)
}

/// Tells whether the key columns, all of them and no others, are kept unique in every row.
fn is_unique(connection: &Connection, spec: &TableSpec) -> Result<bool, SqliteFailure> {
    let wanted: BTreeSet<_> = spec.key.iter().map(|axis| axis.to_ascii_lowercase()).collect();
    let mut indexes =
        connection.prepare("SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND partial = 0")?;
    let mut members = connection.prepare("SELECT name FROM pragma_index_info(?1)")?;
    let mut rows = indexes.query([own_name(&spec.name)])?;
    while let Some(row) = rows.next()? {
        let index: String = row.get(0)?;
        // A member without a name is an expression.
        let names: Option<BTreeSet<_>> = members
            .query_map([index], |row| Ok(row.get::<_, Option<String>>(0)?.map(|name| name.to_ascii_lowercase())))?
            .collect::<Result<_, _>>()?;
        if names.as_ref() == Some(&wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn no_unique_index(spec: &TableSpec) -> TableProblem {
    let name = own_name(&spec.name);
    let index = quoted(&format!("{name}_{}_key", spec.key.join("_")));
    TableProblem {
        message: format!("no unique index covers exactly the key columns `{}`", spec.key.join("`, `")),
        mend: format!("CREATE UNIQUE INDEX {index} ON {} ({});", quoted(name), list(&spec.key)),
    }
}

fn unwritten_problems(spec: &TableSpec, columns: &[DeclaredColumn], times: Times) -> Vec<TableProblem> {
    let table = quoted(own_name(&spec.name));
    let is_written = |name: &str| {
        let is_time = times == Times::Kept && (same(name, "created_at") || same(name, "updated_at"));
        is_time
            || spec.key.iter().any(|axis| same(axis, name))
            || spec.columns.iter().any(|(column, _)| same(column, name))
    };
    let unwritten = columns.iter().filter(|column| column.must && !is_written(&column.name));
    unwritten
        .map(|DeclaredColumn { name, declared, .. }| {
            let (column, new) = (quoted(name), quoted(&format!("{name}_new")));
            TableProblem {
                message: format!("column `{name}` must be set in every row and is not among the declared columns"),
                mend: format!(
                    "ALTER TABLE {table} ADD COLUMN {new} {declared}; UPDATE {table} SET {new} = {column}; ALTER TABLE \
                     {table} DROP COLUMN {column}; ALTER TABLE {table} RENAME COLUMN {new} TO {column};"
                ),
            }
        })
        .collect()
}
