//! The published table: making it, and telling whether one that exists takes our rows.
//!
//! A table that somebody else made is never altered; each thing that is wrong with it comes with the SQL that mends it.
//! All is read from the catalogue, which everybody may read: what a role may not do is told before it is tried.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::columns::{TableColumn, ValueSource, keeps, type_name};
use super::database::{Param, Transaction};
use super::definition::creation;
use super::failure::PostgresFailure;
use super::rights::{After, Rights, Role};
use super::schema;
use super::sql::full_name;
use crate::asset::{ColumnType, TableSpec};
use crate::state::column_form::ColumnForm;
use crate::state::table::{ColumnUse, Id, TableFound, Times, absent, kept, list, quoted};
use crate::state::{Schema, StateError, TableProblem};

/// What of a table that fits decides how rows are read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostgresShape {
    /// Whether rows have an id of their own.
    pub id: Id,
    /// Whether the times of a row are ours to keep.
    pub times: Times,
    /// The key column that can hold any text for a moment, by its place in the key.
    pub shelf: Option<usize>,
    /// Whether a row may change once more after it was written.
    pub after: After,
    /// The types of the key columns and of the declared ones, in that order, as SQL has them.
    pub types: Vec<String>,
    /// What the key columns take.
    pub key_forms: Vec<ColumnForm>,
}

/// Creates the table when it is missing, under the lock of migrations.
pub(super) async fn ensure(transaction: &Transaction, spec: &TableSpec) -> Result<(), PostgresFailure> {
    let unfit = |problems| Err(StateError::Table { table: spec.name.clone(), problems }.into());
    match find(transaction, Schema::Current, spec, Role::Writer).await? {
        TableFound::Fits(_) => return Ok(()),
        TableFound::Unfit(problems) => return unfit(problems),
        TableFound::Absent => schema::lock_tables(transaction).await?,
    }
    // Somebody else may have made it while the lock was waited for.
    match find(transaction, Schema::Current, spec, Role::Writer).await? {
        TableFound::Fits(_) => Ok(()),
        TableFound::Unfit(problems) => unfit(problems),
        TableFound::Absent => {
            transaction.batch_execute(&creation(spec)).await?;
            Ok(())
        }
    }
}

/// Looks at the table.
pub(super) async fn find(
    transaction: &Transaction,
    schema: Schema,
    spec: &TableSpec,
    role: Role,
) -> Result<TableFound<PostgresShape>, PostgresFailure> {
    let rights = Rights::read(transaction, schema, spec, role).await?;
    let Some((oid, kind)) = rights.table else {
        let problems = rights.creation_problems(spec);
        return Ok(if problems.is_empty() { TableFound::Absent } else { TableFound::Unfit(problems) });
    };
    if let Some(message) = other_kind(kind, spec) {
        return Ok(TableFound::Unfit(vec![TableProblem { message, mend: String::new() }]));
    }
    let columns = columns(transaction, oid).await?;
    let has = |wanted: &str| columns.iter().any(|column| column.name == wanted);
    let declares = |wanted: &str| spec.columns.iter().any(|(column, _)| column == wanted);
    let kept = rights.is_ours && ["created_at", "updated_at"].iter().all(|time| has(time) && !declares(time));
    let shape = PostgresShape {
        id: if has("id") { Id::Column } else { Id::None },
        times: if kept { Times::Kept } else { Times::Foreign },
        shelf: spec
            .key
            .iter()
            .position(|axis| columns.iter().any(|column| column.name == *axis && column.is_free_text())),
        after: rights.after,
        types: spec
            .key
            .iter()
            .chain(spec.columns.iter().map(|(column, _)| column))
            .filter_map(|name| columns.iter().find(|column| column.name == *name))
            .map(|column| column.declared.clone())
            .collect(),
        key_forms: spec
            .key
            .iter()
            .filter_map(|axis| columns.iter().find(|column| column.name == *axis))
            .map(TableColumn::form)
            .collect(),
    };
    let mut problems = column_problems(spec, &columns);
    if spec.key.iter().all(|axis| has(axis)) {
        problems.extend(key_problem(transaction, oid, spec).await?);
    }
    problems.extend(unwritten_problems(spec, &columns, shape.times));
    problems.extend(rights.problems(spec));
    Ok(if problems.is_empty() { TableFound::Fits(shape) } else { TableFound::Unfit(problems) })
}

fn other_kind(kind: char, spec: &TableSpec) -> Option<String> {
    let kind = match kind {
        'r' | 'p' => return None,
        'v' => "a view",
        'm' => "a materialized view",
        'f' => "a foreign table",
        _ => "something else",
    };
    Some(format!("`{}` is {kind}, not a table; publish to another table", spec.name))
}

/// Reads the columns, in their order.
pub(super) async fn columns(transaction: &Transaction, oid: u32) -> Result<Vec<TableColumn>, PostgresFailure> {
    let sql = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname)::text,
                      coalesce(b.typcategory, t.typcategory)::text,
                      CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
                      a.attnotnull OR t.typnotnull, a.atthasdef OR t.typdefault IS NOT NULL OR a.attidentity <> '',
                      a.attgenerated <> '', a.attidentity = 'a',
                      CASE WHEN coalesce(b.typtype, t.typtype) = 'e' THEN
                        (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum AS e
                         WHERE e.enumtypid = coalesce(b.oid, t.oid)) END,
                      CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END
               FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
               LEFT JOIN pg_type AS b ON t.typtype = 'd' AND b.oid = t.typbasetype
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let columns = transaction.query_typed(sql, &[(&oid, Type::OID)]).await?;
    columns.iter().map(column).collect()
}

fn column(row: &Row) -> Result<TableColumn, PostgresFailure> {
    let (not_null, default): (bool, bool) = (row.try_get(5)?, row.try_get(6)?);
    let category: &str = row.try_get(3)?;
    Ok(TableColumn {
        name: row.try_get(0)?,
        declared: row.try_get(1)?,
        base: row.try_get(2)?,
        category: category.chars().next().unwrap_or_default(),
        modifier: row.try_get(4)?,
        bare: row.try_get::<_, Option<String>>(10)?.map_or_else(|| row.try_get(1), Ok)?,
        not_null,
        must: not_null && !default,
        source: match (row.try_get(7)?, row.try_get(8)?) {
            (true, _) => ValueSource::Expression,
            (false, true) => ValueSource::Sequence,
            (false, false) => ValueSource::Writer,
        },
        choices: row.try_get::<_, Option<Vec<String>>>(9)?.unwrap_or_default(),
    })
}

fn column_problems(spec: &TableSpec, columns: &[TableColumn]) -> Vec<TableProblem> {
    let table = full_name(&spec.name);
    let keys = spec.key.iter().map(|axis| (axis, ColumnType::Text, " NOT NULL DEFAULT ''", ColumnUse::Key));
    let declared = spec.columns.iter().map(|(column, kind)| (column, *kind, "", ColumnUse::Value));
    let mut problems = Vec::new();
    for (name, kind, rule, what) in keys.chain(declared) {
        let (column, wanted) = (quoted(name), type_name(kind));
        let Some(found) = columns.iter().find(|column| column.name == *name) else {
            problems.push(TableProblem {
                message: absent(name, columns.iter().map(|column| column.name.as_str())),
                mend: format!("ALTER TABLE {table} ADD COLUMN {column} {wanted}{rule};"),
            });
            continue;
        };
        let unwritable = match found.source {
            ValueSource::Writer => None,
            ValueSource::Expression => Some(format!(
                "ALTER TABLE {table} ADD COLUMN {new} {wanted}{rule}; UPDATE {table} SET {new} = {column}; \
                 ALTER TABLE {table} DROP COLUMN {column}; ALTER TABLE {table} RENAME COLUMN {new} TO {column};",
                new = quoted(&format!("{name}_new")),
            )),
            ValueSource::Sequence => {
                Some(format!("ALTER TABLE {table} ALTER COLUMN {column} SET GENERATED BY DEFAULT;"))
            }
        };
        if let Some(mend) = unwritable {
            problems
                .push(TableProblem { message: format!("column `{name}` is generated and cannot be written"), mend });
        } else if !keeps(found, kind, what) {
            problems.push(TableProblem {
                message: format!("column `{name}` has the type {}, which does not keep {}", found.declared, kept(kind)),
                mend: format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {wanted} USING {column}::{wanted};"),
            });
        }
    }
    problems
}

/// Says what is wrong with what keeps the key unique: an index over all of its columns and no others, in every row, that is
/// looked at at once.
async fn key_problem(
    transaction: &Transaction,
    oid: u32,
    spec: &TableSpec,
) -> Result<Option<TableProblem>, PostgresFailure> {
    let sql = "SELECT i.indimmediate, i.indexrelid::regclass::text, c.conname::text
               FROM pg_index AS i LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
               WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indisready
                 AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = cardinality($2)
                 AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\")
                      FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, at)
                      JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                      WHERE k.at <= i.indnkeyatts) = $2
               ORDER BY i.indimmediate";
    let mut axes: Vec<&str> = spec.key.iter().map(String::as_str).collect();
    axes.sort_unstable();
    let params: [Param<'_>; 2] = [(&oid, Type::OID), (&axes, Type::TEXT_ARRAY)];
    let found = transaction.query_typed(sql, &params).await?;
    let (table, key) = (full_name(&spec.name), list(&spec.key));
    // Postgres finds a name that is free.
    let create = format!("CREATE UNIQUE INDEX ON {table} ({key});");
    let Some(first) = found.first() else {
        let message = format!("no unique index covers exactly the key columns `{}`", spec.key.join("`, `"));
        return Ok(Some(TableProblem { message, mend: create }));
    };
    // One that may be looked at later stands in the way of an upsert, also beside one that may not.
    if first.try_get(0)? {
        return Ok(None);
    }
    let constraint: Option<&str> = first.try_get(2)?;
    let name = constraint.map_or_else(|| first.try_get(1), Ok)?;
    Ok(Some(TableProblem {
        message: format!("the unique constraint `{name}` of the key is deferrable, which no upsert can do with"),
        mend: format!("ALTER TABLE {table} DROP CONSTRAINT {}; {create}", quoted(name)),
    }))
}

fn unwritten_problems(spec: &TableSpec, columns: &[TableColumn], times: Times) -> Vec<TableProblem> {
    let table = full_name(&spec.name);
    let is_written = |name: &str| {
        let is_time = times == Times::Kept && matches!(name, "created_at" | "updated_at");
        is_time || spec.key.iter().any(|axis| axis == name) || spec.columns.iter().any(|(column, _)| column == name)
    };
    let unwritten = columns
        .iter()
        .filter(|column| column.must && column.source == ValueSource::Writer && !is_written(&column.name));
    unwritten
        .map(|TableColumn { name, .. }| TableProblem {
            message: format!("column `{name}` must be set in every row and is not among the declared columns"),
            mend: format!("ALTER TABLE {table} ALTER COLUMN {} DROP NOT NULL;", quoted(name)),
        })
        .collect()
}
