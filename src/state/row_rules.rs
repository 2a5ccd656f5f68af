//! Rows that are about to be written, and what the table's own rules say of them before anything is paid for.
//!
//! The words, and what every database decides alike: types. Rules in SQL are evaluated by the adapters.

use std::collections::BTreeSet;

use serde_json::Value;

use super::column_form::{Refused, text};
use crate::asset::{AssetKey, TableSpec};

/// A row that is about to be written, as far as it is known before its picture is.
#[derive(Debug, Clone, PartialEq)]
pub struct RowAhead {
    /// Its key.
    pub key: AssetKey,
    /// One value a declared column; `None` where only the picture tells. A digest that is still to come is one of as many
    /// digits.
    pub values: Vec<Option<Value>>,
}

/// A rule of a table that a row breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The row.
    pub key: AssetKey,
    /// The rule, a part of a sentence: ``column `mood` (mood) takes `glad`, `sad` ``.
    pub rule: String,
    /// What is against it, likewise: `` `angry` ``.
    pub found: String,
    /// SQL that gives way, where that is all that is needed; else empty.
    pub mend: String,
}

/// Letters of a value that a message shows.
const SHOWN_MAX: usize = 40;

/// What one value is refused for.
pub(super) struct RowRefusal {
    /// The rule.
    pub refused: Refused,
    /// The SQL that gives way.
    pub mend: String,
}

/// Compares rows with the types of their columns, the key's first; returns what is refused, and the rows that are not.
pub(super) fn by_type<'r>(
    spec: &TableSpec,
    rows: &'r [RowAhead],
    label: impl Fn(usize, &str) -> Option<RowRefusal>,
    value: impl Fn(usize, &Value) -> Option<RowRefusal>,
) -> (Vec<Breach>, Vec<&'r RowAhead>) {
    let (mut breaches, mut others) = (Vec::new(), Vec::new());
    for row in rows {
        let labels = row.key.as_str().split('/').enumerate().filter(|(at, _)| *at < spec.key.len());
        let labels = labels.filter_map(|(at, part)| Some((part.to_owned(), label(at, part)?)));
        let values = row.values.iter().enumerate();
        let values = values.filter_map(|(at, told)| Some((shown(told.as_ref()?), value(at, told.as_ref()?)?)));
        let faults: Vec<(String, RowRefusal)> = labels.chain(values).collect();
        if faults.is_empty() {
            others.push(row);
        }
        breaches.extend(faults.into_iter().map(|(value, RowRefusal { refused: Refused { rule, found }, mend })| {
            Breach {
                key: row.key.clone(),
                rule,
                found: match found {
                    None => quoted(&value),
                    Some(found) => format!("{}, which {found}", quoted(&value)),
                },
                mend,
            }
        }));
    }
    (breaches, others)
}

/// A rule in SQL that is broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrokenRule<'r> {
    /// What it is, a part of a sentence.
    pub rule: &'r str,
    /// The columns that it is about.
    pub columns: &'r [String],
}

/// Says that rows break a rule in SQL about some columns; each row once.
pub(super) fn by_rule(
    spec: &TableSpec,
    rows: &[&RowAhead],
    broken: impl IntoIterator<Item = usize>,
    BrokenRule { rule, columns }: BrokenRule<'_>,
) -> Vec<Breach> {
    let numbers: BTreeSet<usize> = broken.into_iter().collect();
    let found = |row: &RowAhead| {
        let each = columns.iter().filter_map(|column| Some((column, value_of(spec, row, column)?)));
        let each: Vec<String> = match columns {
            [_] => each.map(|(_, value)| quoted(&shown(&value))).collect(),
            _ => each.map(|(column, value)| format!("`{column}` {}", quoted(&shown(&value)))).collect(),
        };
        each.join(" with ")
    };
    let breach = |number: usize| {
        let row = rows.get(number)?;
        Some(Breach { key: row.key.clone(), rule: rule.to_owned(), found: found(row), mend: String::new() })
    };
    numbers.into_iter().filter_map(breach).collect()
}

/// Returns what a row says in a column, a part of its key or a value, where that is known.
pub(super) fn value_of(spec: &TableSpec, row: &RowAhead, column: &str) -> Option<Value> {
    if let Some(at) = spec.key.iter().position(|axis| axis == column) {
        return row.key.as_str().split('/').nth(at).map(Value::from);
    }
    let at = spec.columns.iter().position(|(name, _)| name == column)?;
    row.values.get(at)?.clone()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        value => text(value),
    }
}

fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}
