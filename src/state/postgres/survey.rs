//! A table of the product, read whole whatever it is.

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::sql::full_name;
use crate::asset::TableName;
use crate::state::stored_form::{signed, unsigned};
use crate::state::table::quoted;
use crate::state::{StateError, Survey, SurveyColumn};

/// Reads a table; `None` where there is none.
pub(super) async fn survey(
    transaction: &Transaction,
    name: &TableName,
    rows_max: u64,
) -> Result<Option<Survey>, PostgresFailure> {
    let sql = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)
               FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
               JOIN pg_attribute AS a ON a.attrelid = c.oid
               WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let params: [Param<'_>; 2] = [(&name.schema, Type::TEXT), (&name.name, Type::TEXT)];
    let columns = transaction.query_typed(sql, &params).await?;
    let column =
        |row: &Row| Ok::<_, PostgresFailure>(SurveyColumn { name: row.try_get(0)?, declared: row.try_get(1)? });
    let columns: Vec<SurveyColumn> = columns.iter().map(column).collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return Ok(None);
    }
    let table = full_name(name);
    let count = transaction.query_typed_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.try_get(0)?;
    let values = columns.iter().map(|column| format!("to_jsonb(t.{})::text", quoted(&column.name)));
    let sql = format!("SELECT {} FROM {table} AS t LIMIT $1", values.collect::<Vec<_>>().join(", "));
    let found = transaction.query_typed(&sql, &[(&signed(rows_max), Type::INT8)]).await?;
    let place = || format!("the table `{name}`");
    let rows = found.iter().map(|row| (0..columns.len()).map(|at| cell(row, at, place)).collect());
    Ok(Some(Survey { rows: rows.collect::<Result<_, PostgresFailure>>()?, columns, count: unsigned(count) }))
}

/// Reads a cell that was asked for as JSON.
pub(super) fn cell(row: &Row, at: usize, place: impl Fn() -> String) -> Result<Value, PostgresFailure> {
    let Some(json) = row.try_get::<_, Option<&str>>(at)? else { return Ok(Value::Null) };
    Ok(value(json).map_err(|error| StateError::unreadable(place(), error))?)
}

/// Reads a cell's JSON; a number whose digits would be lost becomes a text.
fn value(json: &str) -> Result<Value, serde_json::Error> {
    let read: Value = match serde_json::from_str(json) {
        Ok(read) => read,
        // A number beyond all that a float holds.
        Err(_) if json.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => json.into(),
        Err(error) => return Err(error),
    };
    let whole = match &read {
        Value::Number(number) if number.is_f64() => {
            let digits = if json.contains('.') { json.trim_end_matches('0').trim_end_matches('.') } else { json };
            let told = number.to_string();
            told == digits || told.strip_suffix(".0") == Some(digits)
        }
        _ => true,
    };
    Ok(if whole { read } else { Value::String(json.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_digit_of_a_number_is_lost() {
        for (json, whole) in [
            ("9223372036854775807", true),
            ("7.50", true),
            ("7.0", true),
            ("-0.125", true),
            ("92233720368547758070", false),
            ("0.1234567890123456789", false),
            ("\"7.50\"", true),
            ("null", true),
        ] {
            let read = value(json).unwrap();
            let kept = read != Value::String(json.to_owned());
            assert_eq!(kept, whole, "{json}: {read}");
        }
    }
}
