//! What the table's own rules say of rows that are about to be written.
//!
//! Types are compared here. The product's CHECKs and domains are evaluated by Postgres itself, on rows that stand in no
//! table; foreign keys and unique values are looked up, all rows at once. Each question is asked in a transaction of its own that only reads:
//! a rule that cannot be evaluated so (a function that the role may not call, a table that it may not read, or whose rows
//! are hidden from it) says nothing.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio_postgres::types::Type;

use super::columns::{TableColumn, type_name};
use super::database::{Param, PostgresDatabase, Transaction, TransactionKind};
use super::failure::PostgresFailure;
use super::sql::full_name;
use super::table;
use crate::asset::{ColumnType, TableSpec};
use crate::state::column_form::{ColumnForm, Refused, text};
use crate::state::row_rules::{BrokenRule, RowRefusal, by_rule, by_type, value_of};
use crate::state::table::{literal, quoted};
use crate::state::{Breach, RowAhead, StateError};

/// What is done, in messages.
const ACTION: &str = "look at the rules of the table";
/// Rules of one table that are evaluated.
const RULES_MAX: usize = 200;
/// The name under which a row carries its number; no column is called so.
const NUMBER: &str = "pixform row";

/// What a table says of rows.
struct TableRules {
    table: u32,
    columns: Vec<TableColumn>,
}

/// A rule in SQL.
struct Rule {
    /// What it is, a part of a sentence.
    told: String,
    /// The columns that it is about.
    columns: Vec<String>,
    /// The condition that a row of the alias `w` breaks.
    broken: String,
}

/// Tells which rules of a table these rows would break.
pub(super) async fn breaches(
    database: &PostgresDatabase,
    spec: &TableSpec,
    rows: &[RowAhead],
) -> Result<Vec<Breach>, StateError> {
    let Some(example) = rows.first() else { return Ok(Vec::new()) };
    let read = |transaction: Arc<Transaction>| async move {
        let Some(rules) = rules(&transaction, spec).await? else { return Ok(None) };
        let in_sql = rules.in_sql(&transaction, spec, example).await?;
        Ok(Some((rules, in_sql)))
    };
    let Some((rules, in_sql)) = database.run(TransactionKind::Read, ACTION, read).await? else { return Ok(Vec::new()) };
    let (mut breaches, rows) = rules.by_type(spec, rows);
    if in_sql.is_empty() || rows.is_empty() {
        return Ok(breaches);
    }
    match evaluated(database, spec, &rules, &in_sql, &rows).await {
        Ok(broken) => breaches.extend(broken),
        Err(error @ (StateError::Server { .. } | StateError::Busy { .. })) => return Err(error),
        // One that cannot be evaluated takes the others with it: each is asked by itself.
        Err(_) => {
            for rule in in_sql.chunks(1) {
                match evaluated(database, spec, &rules, rule, &rows).await {
                    Ok(broken) => breaches.extend(broken),
                    Err(error @ (StateError::Server { .. } | StateError::Busy { .. })) => return Err(error),
                    Err(error) => tracing::debug!("a rule of the table cannot be evaluated: {error}"),
                }
            }
        }
    }
    Ok(breaches)
}

async fn evaluated(
    database: &PostgresDatabase,
    spec: &TableSpec,
    rules: &TableRules,
    in_sql: &[Rule],
    rows: &[&RowAhead],
) -> Result<Vec<Breach>, StateError> {
    let ask = |transaction: Arc<Transaction>| async move { rules.broken(&transaction, spec, in_sql, rows).await };
    database.run(TransactionKind::Read, ACTION, ask).await
}

/// Reads the columns of a table; `None` where there is none.
async fn rules(transaction: &Transaction, spec: &TableSpec) -> Result<Option<TableRules>, PostgresFailure> {
    let sql = "SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
               WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";
    let params: [Param<'_>; 2] = [(&spec.name.schema, Type::TEXT), (&spec.name.name, Type::TEXT)];
    let Some(found) = transaction.query_typed_opt(sql, &params).await? else { return Ok(None) };
    let table = found.try_get(0)?;
    Ok(Some(TableRules { table, columns: table::columns(transaction, table).await? }))
}

impl TableRules {
    /// Compares rows with the types of their columns; returns what is refused, and the rows that are not.
    fn by_type<'r>(&self, spec: &TableSpec, rows: &'r [RowAhead]) -> (Vec<Breach>, Vec<&'r RowAhead>) {
        let forms: Vec<Option<(&TableColumn, ColumnForm)>> = names(spec).map(|name| self.of(name)).collect();
        let first = spec.key.len();
        let label = |at: usize, label: &str| {
            let (column, form) = forms[at].as_ref()?;
            Some(fault(spec, column, form, (form.refuses_label(label)?, &Value::from(label))))
        };
        let value = |at: usize, value: &Value| {
            let (column, form) = forms[first + at].as_ref()?;
            let refused = match value {
                Value::Null if column.not_null => Some(Refused { rule: "takes no NULL".to_owned(), found: None }),
                value => form.refuses(value),
            };
            Some(fault(spec, column, form, (refused?, value)))
        };
        by_type(spec, rows, label, value)
    }

    /// Returns the rules in SQL about columns whose value is known.
    async fn in_sql(
        &self,
        transaction: &Transaction,
        spec: &TableSpec,
        row: &RowAhead,
    ) -> Result<Vec<Rule>, PostgresFailure> {
        let sql = "SELECT n.conname::text, n.contype::text, n.names, pg_get_expr(n.conbin, n.conrelid),
                     n.confrelid::regclass::text, n.others, n.column_name
                   FROM (
                     SELECT c.conname, c.contype, c.conbin, c.conrelid, c.confrelid, NULL::text AS column_name,
                       (SELECT array_agg(a.attname::text ORDER BY k.at) FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, at)
                        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS names,
                       (SELECT array_agg(a.attname::text ORDER BY k.at) FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, at)
                        JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS others
                     FROM pg_constraint AS c
                     WHERE c.conrelid = $1 AND CASE c.contype WHEN 'c' THEN true WHEN 'f' THEN c.confrelid <> c.conrelid
                       AND has_table_privilege(c.confrelid, 'SELECT') AND NOT row_security_active(c.confrelid)
                       AND has_schema_privilege((SELECT relnamespace FROM pg_class WHERE oid = c.confrelid), 'USAGE')
                       ELSE false END
                     UNION ALL
                     SELECT c.conname, 'd', c.conbin, 0::oid, 0::oid, a.attname::text, ARRAY[a.attname::text], NULL::text[]
                     FROM pg_attribute AS a JOIN pg_constraint AS c ON c.contypid = a.atttypid AND c.contype = 'c'
                     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
                     UNION ALL
                     SELECT x.relname, 'u', NULL, 0::oid, 0::oid, NULL,
                       (SELECT array_agg(a.attname::text ORDER BY k.at) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, at)
                        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                        WHERE k.at <= i.indnkeyatts), NULL::text[]
                     FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                     WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                   ) AS n ORDER BY 2, 1, 7 LIMIT $2";
        let most = RULES_MAX as i64;
        let params: [Param<'_>; 2] = [(&self.table, Type::OID), (&most, Type::INT8)];
        let mut rules = Vec::new();
        for found in transaction.query_typed(sql, &params).await? {
            let columns: Vec<String> = found.try_get::<_, Option<Vec<String>>>(2)?.unwrap_or_default();
            if columns.is_empty() || columns.iter().any(|column| value_of(spec, row, column).is_none()) {
                continue;
            }
            let (name, kind): (&str, &str) = (found.try_get(0)?, found.try_get(1)?);
            let condition: Option<&str> = found.try_get(3)?;
            let rule = match (kind, condition) {
                ("f", _) => {
                    let others: Vec<String> = found.try_get(5)?;
                    reference(columns, found.try_get(4)?, &others)
                }
                ("u", _) if is_key(spec, &columns) => continue,
                ("u", _) => unique(spec, columns, name),
                ("d", Some(condition)) => domain(&columns[0], name, condition),
                (_, Some(condition)) => check(columns, name, condition),
                (_, None) => continue,
            };
            rules.push(rule);
        }
        Ok(rules)
    }

    /// Asks which rows break which rules.
    async fn broken(
        &self,
        transaction: &Transaction,
        spec: &TableSpec,
        rules: &[Rule],
        rows: &[&RowAhead],
    ) -> Result<Vec<Breach>, PostgresFailure> {
        let known: Vec<&TableColumn> = names(spec).filter_map(|name| self.of(name)).map(|(column, _)| column).collect();
        let fields = known.iter().map(|column| format!(", {} {}", quoted(&column.name), column.bare));
        let fields = fields.collect::<String>();
        // The number of a rule and that of a row; a name in a rule is that of a column, for nothing else is there.
        let number = quoted(NUMBER);
        let asked = rules.iter().enumerate();
        let asked = asked.map(|(at, rule)| format!("SELECT {at}, {number} FROM w WHERE {}", rule.broken));
        let sql = format!(
            "WITH w AS MATERIALIZED (SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w ({number} integer{fields}))\n{}",
            asked.collect::<Vec<_>>().join("\nUNION ALL\n")
        );
        let document = document(spec, &known, rows).to_string();
        let mut broken: Vec<Vec<usize>> = vec![Vec::new(); rules.len()];
        for found in transaction.query_typed(&sql, &[(&document, Type::TEXT)]).await? {
            let (rule, row): (i32, i32) = (found.try_get(0)?, found.try_get(1)?);
            if let (Ok(rule), Ok(row)) = (usize::try_from(rule), usize::try_from(row)) {
                broken[rule].push(row);
            }
        }
        let told = rules.iter().zip(broken);
        Ok(told
            .flat_map(|(rule, broken)| {
                by_rule(spec, rows, broken, BrokenRule { rule: &rule.told, columns: &rule.columns })
            })
            .collect())
    }

    fn of(&self, name: &str) -> Option<(&TableColumn, ColumnForm)> {
        self.columns.iter().find(|column| column.name == name).map(|column| (column, column.form()))
    }
}

fn names(spec: &TableSpec) -> impl Iterator<Item = &str> {
    spec.key.iter().chain(spec.columns.iter().map(|(column, _)| column)).map(String::as_str)
}

fn document(spec: &TableSpec, columns: &[&TableColumn], rows: &[&RowAhead]) -> Value {
    let object = |(number, row): (usize, &&RowAhead)| {
        let values =
            columns.iter().filter_map(|column| Some((column.name.clone(), value_of(spec, row, &column.name)?)));
        let mut object: Map<String, Value> = values.collect();
        object.insert(NUMBER.to_owned(), number.into());
        Value::Object(object)
    };
    Value::Array(rows.iter().enumerate().map(object).collect())
}

/// Says what a column's type refuses, with the SQL that gives way where it is the type alone.
fn fault(spec: &TableSpec, column: &TableColumn, form: &ColumnForm, (refused, value): (Refused, &Value)) -> RowRefusal {
    let (table, name) = (full_name(&spec.name), quoted(&column.name));
    let retype = |wanted: &str| format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {wanted};");
    let is_domain = column.bare != column.declared;
    let mend = match form {
        _ if is_domain || value.is_null() => String::new(),
        ColumnForm::Length(_) => retype(type_name(ColumnType::Text)),
        ColumnForm::Integer { .. } if value.is_i64() => retype(type_name(ColumnType::Bigint)),
        ColumnForm::Decimal { .. } => retype("numeric"),
        ColumnForm::Choice(_) => format!("ALTER TYPE {} ADD VALUE {};", column.declared, literal(&text(value))),
        ColumnForm::Any | ColumnForm::Integer { .. } | ColumnForm::Uuid | ColumnForm::Date | ColumnForm::Truth => {
            String::new()
        }
    };
    let Refused { rule, found } = refused;
    let rule = format!("column `{}` ({}) {rule}", column.name, column.declared);
    RowRefusal { refused: Refused { rule, found }, mend }
}

fn check(columns: Vec<String>, name: &str, condition: &str) -> Rule {
    Rule { told: format!("its rule `{name}` wants {condition}"), columns, broken: format!("({condition}) IS FALSE") }
}

/// A domain's condition is about `VALUE`, which is a name like any other elsewhere.
fn domain(column: &str, name: &str, condition: &str) -> Rule {
    Rule {
        told: format!("the rule `{name}` of column `{column}` wants {condition}"),
        broken: format!("(SELECT ({condition}) FROM (SELECT w.{} AS value) AS d) IS FALSE", quoted(column)),
        columns: vec![column.to_owned()],
    }
}

fn is_key(spec: &TableSpec, columns: &[String]) -> bool {
    columns.len() == spec.key.len() && columns.iter().all(|column| spec.key.contains(column))
}

/// A value that no two rows may have: neither two of these, nor one of these and one that is there and stays as it is.
fn unique(spec: &TableSpec, columns: Vec<String>, name: &str) -> Rule {
    let equal = |one: &str, other: &str, names: &[String]| {
        let pairs = names.iter().map(|name| format!("{one}.{name} = {other}.{name}", name = quoted(name)));
        pairs.collect::<Vec<_>>().join(" AND ")
    };
    Rule {
        told: format!("column `{}` takes each value once (`{name}`)", columns.join("`, `")),
        broken: format!(
            "EXISTS (SELECT FROM w AS o WHERE {} AND o.{number} < w.{number}) OR EXISTS (SELECT FROM {table} AS t WHERE {} \
             AND NOT EXISTS (SELECT FROM w AS o WHERE {}))",
            equal("o", "w", &columns),
            equal("t", "w", &columns),
            equal("o", "t", &spec.key),
            number = quoted(NUMBER),
            table = full_name(&spec.name),
        ),
        columns,
    }
}

fn reference(columns: Vec<String>, other: &str, others: &[String]) -> Rule {
    let pairs = columns.iter().zip(others);
    let equal: Vec<String> = pairs.map(|(here, there)| format!("r.{} = w.{}", quoted(there), quoted(here))).collect();
    let said: Vec<String> = columns.iter().map(|column| format!("w.{} IS NOT NULL", quoted(column))).collect();
    Rule {
        told: format!(
            "column `{}` takes what is `{}` of a row in `{other}`",
            columns.join("`, `"),
            others.join("`, `")
        ),
        broken: format!(
            "{} AND NOT EXISTS (SELECT FROM {other} AS r WHERE {})",
            said.join(" AND "),
            equal.join(" AND ")
        ),
        columns,
    }
}
