//! In whose place rows are read, and what that role may read of a table.
//!
//! A role is taken on inside the transaction that reads, and goes with it: behind a pooler nothing else would hold. What it
//! may read as a whole is also told by the catalogue, for where it cannot be taken on.

use tokio_postgres::types::Type;

use super::columns::holds;
use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::sql::full_name;
use crate::asset::TableName;
use crate::state::row_readers::{self, Nulls, ReaderWarning, Readership, RowReader, STRANGER, ShownColumn, Shows};
use crate::state::table::quoted;
use crate::state::{Schema, StateError};

/// A table as a reader finds it; without columns where it is not there.
#[derive(Debug, Default)]
pub(super) struct Sight {
    columns: Vec<SeenColumn>,
    rows: SightRows,
}

#[derive(Debug)]
struct SeenColumn {
    column: ShownColumn,
    may_read: bool,
}

/// Which rows of a table a reader may read, as far as the catalogue tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum SightRows {
    /// Each one.
    #[default]
    All,
    /// Those that its policies let through.
    ByPolicy,
}

/// Finds out in whose place rows are read: of the role that was asked for, or of [`STRANGER`] where there is one.
pub(super) async fn readership(
    transaction: &Transaction,
    schema: Schema,
    asked: Option<&str>,
) -> Result<Readership, PostgresFailure> {
    let name = asked.unwrap_or(STRANGER);
    let sql = "SELECT CASE WHEN current_setting('server_version_num')::int >= 160000
                           THEN pg_has_role(session_user, oid, 'SET') ELSE pg_has_role(session_user, oid, 'MEMBER') END,
                      session_user::text
               FROM pg_roles WHERE rolname = $1";
    let Some(row) = transaction.query_typed_opt(sql, &[(&name, Type::TEXT)]).await? else {
        return match asked {
            Some(_) => Err(StateError::Reader {
                problem: format!("the database has no role `{name}`"),
                help: format!("name another with `--as-role`, or run `CREATE ROLE {};`", quoted(name)),
            }
            .into()),
            None => without_stranger(transaction, schema).await,
        };
    };
    let (may_take, session): (bool, String) = (row.try_get(0)?, row.try_get(1)?);
    let grant = format!("run `GRANT {} TO {};`", quoted(name), quoted(&session));
    if may_take {
        return Ok(Readership::quiet(RowReader::Role(name.to_owned())));
    }
    if asked.is_some() {
        let problem = format!("the role `{session}` in the URL of the state may not act as `{name}`");
        return Err(StateError::Reader { problem, help: grant }.into());
    }
    let reader = RowReader::Untaken(name.to_owned());
    let mut closed = Vec::new();
    for table in published(transaction, schema).await? {
        let sight = Sight::of(transaction, &table, &reader).await?;
        if sight.rows == SightRows::ByPolicy {
            closed.push(table);
        }
    }
    if closed.is_empty() {
        return Ok(Readership::quiet(reader));
    }
    let message = format!(
        "no row of {} is shown: its policies say what `{name}` may read, and the role `{session}` in the URL of the state \
         may not act as `{name}`",
        row_readers::tables(&closed)
    );
    let help =
        format!("{grant}, or say whose rows are shown: `--as-role {session}` shows all that `{session}` may read");
    Ok(Readership { reader, warnings: vec![ReaderWarning { message, help }] })
}

/// Says where row level security means nothing, for there is no role that strangers are answered as.
async fn without_stranger(transaction: &Transaction, schema: Schema) -> Result<Readership, PostgresFailure> {
    let mut open = Vec::new();
    for table in published(transaction, schema).await? {
        let sql = "SELECT c.relrowsecurity AND NOT row_security_active(c.oid)
                   FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname = $1 AND c.relname = $2";
        let params: [Param<'_>; 2] = [(&table.schema, Type::TEXT), (&table.name, Type::TEXT)];
        let row = transaction.query_typed_opt(sql, &params).await?;
        if row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
            open.push(table);
        }
    }
    let message = format!(
        "row level security of {} is not applied: the database has no role `{STRANGER}`, and the one in the URL of the state \
         sees every row",
        row_readers::tables(&open)
    );
    let help = "name the role whose rows are to be shown with `--as-role`".to_owned();
    let warnings = if open.is_empty() { Vec::new() } else { vec![ReaderWarning { message, help }] };
    Ok(Readership { reader: RowReader::Connected, warnings })
}

/// Returns the tables that collections were published to, each once.
async fn published(transaction: &Transaction, schema: Schema) -> Result<Vec<TableName>, PostgresFailure> {
    if schema == Schema::Absent {
        return Ok(Vec::new());
    }
    let sql = "SELECT DISTINCT table_name FROM pixform.collections WHERE table_name IS NOT NULL ORDER BY 1";
    let rows = transaction.query_typed(sql, &[]).await?;
    let table = |row: &tokio_postgres::Row| {
        let text: &str = row.try_get(0)?;
        Ok(crate::state::stored_form::parsed(text, || format!("the table `{text}`"))?)
    };
    rows.iter().map(table).collect()
}

impl Sight {
    /// Looks at a table in a reader's place; one that is not there has no columns.
    pub(super) async fn of(
        transaction: &Transaction,
        table: &TableName,
        reader: &RowReader,
    ) -> Result<Self, PostgresFailure> {
        let role = match reader {
            RowReader::Connected => None,
            RowReader::Role(role) | RowReader::Untaken(role) => Some(role.as_str()),
        };
        // A policy speaks of a role where it names it, everybody, or a role whose rights it has.
        let speaks = "p.polcmd IN ('*', 'r') AND (0 = ANY(p.polroles) OR EXISTS
                        (SELECT FROM unnest(p.polroles) AS m (role) WHERE m.role <> 0 AND pg_has_role(r.oid, m.role, 'USAGE')))";
        let sql = format!(
            "SELECT a.attname::text, coalesce(b.typname, t.typname)::text,
                    coalesce(b.typcategory, t.typcategory)::text, a.attnotnull OR t.typnotnull,
                    coalesce($3 IS NULL OR has_schema_privilege(r.oid, n.oid, 'USAGE')
                             AND has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT'), false),
                    coalesce($3 IS NULL OR NOT c.relrowsecurity OR r.rolsuper OR r.rolbypassrls
                             OR EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND {speaks} AND p.polpermissive
                                          AND pg_get_expr(p.polqual, p.polrelid) = 'true')
                                AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND {speaks}
                                          AND NOT p.polpermissive), false)
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             JOIN pg_attribute AS a ON a.attrelid = c.oid
             JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS b ON t.typtype = 'd' AND b.oid = t.typbasetype
             LEFT JOIN pg_roles AS r ON r.rolname = $3
             WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
               AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        );
        let params: [Param<'_>; 3] = [(&table.schema, Type::TEXT), (&table.name, Type::TEXT), (&role, Type::TEXT)];
        let mut sight = Self::default();
        for row in transaction.query_typed(&sql, &params).await? {
            let (base, category): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
            let nulls = if row.try_get(3)? { Nulls::Never } else { Nulls::Allowed };
            let column = ShownColumn { name: row.try_get(0)?, holds: holds(base, category), nulls };
            sight.columns.push(SeenColumn { column, may_read: row.try_get(4)? });
            if !row.try_get::<_, bool>(5)? {
                sight.rows = SightRows::ByPolicy;
            }
        }
        Ok(sight)
    }

    /// Returns the names of all columns, in their order.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|seen| seen.column.name.clone()).collect()
    }

    /// Tells whether there is a column.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Tells whether the reader may read a column.
    pub(super) fn may_read(&self, name: &str) -> bool {
        self.find(name).is_some_and(|seen| seen.may_read)
    }

    /// Returns those of some columns that the reader may read.
    pub(super) fn readable(&self, names: &[String]) -> Vec<ShownColumn> {
        let found = names.iter().filter_map(|name| self.find(name));
        found.filter(|seen| seen.may_read).map(|seen| seen.column.clone()).collect()
    }

    fn find(&self, name: &str) -> Option<&SeenColumn> {
        self.columns.iter().find(|seen| seen.column.name == name)
    }

    /// Tells how much of the table's rows a reader is shown that may read its key, and `withheld` of its columns or none.
    pub(super) async fn shows(
        &self,
        transaction: &Transaction,
        table: &TableName,
        reader: &RowReader,
        withheld: Withheld,
    ) -> Result<Shows, PostgresFailure> {
        let hides = match (reader, self.rows) {
            (RowReader::Connected, _) | (_, SightRows::All) => false,
            (RowReader::Untaken(_), SightRows::ByPolicy) => return Ok(Shows::Nothing),
            (RowReader::Role(_), SightRows::ByPolicy) => match hides_rows(transaction, table, reader).await? {
                Some(hides) => hides,
                None => return Ok(Shows::Nothing),
            },
        };
        Ok(match (withheld, hides) {
            (Withheld::Columns, _) => Shows::SomeColumns,
            (Withheld::Nothing, true) => Shows::SomeRows,
            (Withheld::Nothing, false) => Shows::Everything,
        })
    }
}

/// Whether columns that would be shown may not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withheld {
    Columns,
    Nothing,
}

/// Goes on as the reader, until the transaction ends; policies are told of the role as a REST layer tells them.
///
/// Source: <https://docs.postgrest.org/en/v13/references/transactions.html>, read 2026-11-30.
pub(super) async fn take_on(transaction: &Transaction, reader: &RowReader) -> Result<(), PostgresFailure> {
    let RowReader::Role(role) = reader else { return Ok(()) };
    let claims = serde_json::json!({ "role": role }).to_string().replace('\'', "''");
    let sql = format!(
        "SET LOCAL \"request.jwt.claims\" = '{claims}'; SET LOCAL \"request.jwt.claim.role\" = '{}'; SET LOCAL ROLE {}",
        role.replace('\'', "''"),
        quoted(role)
    );
    Ok(transaction.batch_execute(&sql).await?)
}

/// Tells whether policies hide rows of a table from a role; `None` where they let it read nothing without failing.
///
/// One that is under policies of its own cannot count what there is.
async fn hides_rows(
    transaction: &Transaction,
    table: &TableName,
    reader: &RowReader,
) -> Result<Option<bool>, PostgresFailure> {
    const BEFORE: &str = "pixform_reader";
    let (name, count) = (full_name(table), format!("SELECT count(*) FROM {}", full_name(table)));
    let sql = "SELECT has_any_column_privilege($1::text, 'SELECT') AND NOT row_security_active($1::text)";
    let counts: bool = transaction.query_typed_one(sql, &[(&name, Type::TEXT)]).await?.try_get(0)?;
    let all: Option<i64> = match counts {
        true => Some(transaction.query_typed_one(&count, &[]).await?.try_get(0)?),
        false => None,
    };
    transaction.batch_execute(&format!("SAVEPOINT {BEFORE}")).await?;
    take_on(transaction, reader).await?;
    let counted = transaction.query_typed_one(&count, &[]).await;
    let seen: Option<i64> = match counted {
        Ok(row) => Some(row.try_get(0)?),
        // A policy calls what the role may not call, for instance.
        Err(error) if error.as_db_error().is_some() => {
            tracing::warn!("no row of `{table}` is shown: {error:?}");
            None
        }
        Err(error) => return Err(error.into()),
    };
    transaction.batch_execute(&format!("ROLLBACK TO SAVEPOINT {BEFORE}")).await?;
    Ok(seen.map(|seen| all != Some(seen)))
}
