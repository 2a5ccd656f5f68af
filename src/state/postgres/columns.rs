//! The columns of a published table, and which of our values each type keeps as they are.

use crate::asset::ColumnType;
use crate::state::ColumnHolds;
use crate::state::column_form::ColumnForm;
use crate::state::table::ColumnUse;

/// A column as the catalogue has it; of a domain, the type beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type as it was declared: `character varying(80)`.
    pub declared: String,
    /// The name of the type in the catalogue: `varchar`.
    pub base: String,
    /// The type's category: `S` for texts, `N` for numbers, `E` for enumerations.
    pub category: char,
    /// The type's modifier: length or precision; -1 for none.
    pub modifier: i32,
    /// The same of the type beneath a domain.
    pub bare: String,
    /// Whether it takes no NULL.
    pub not_null: bool,
    /// Whether an insert that leaves the column out fails.
    pub must: bool,
    /// Who decides what it holds.
    pub source: ValueSource,
    /// What its type takes, of an enumeration.
    pub choices: Vec<String>,
}

/// Who decides what a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueSource {
    /// Whoever writes the row.
    Writer,
    /// An expression.
    Expression,
    /// A sequence, always.
    Sequence,
}

impl TableColumn {
    /// Tells whether it takes any short text.
    pub(super) fn is_free_text(&self) -> bool {
        matches!(self.base.as_str(), "text" | "varchar" | "bpchar" | "citext") && self.modifier < 0
            || matches!(self.base.as_str(), "varchar" | "bpchar") && self.modifier - HEADER >= 8
    }

    /// Returns what its type takes.
    pub(super) fn form(&self) -> ColumnForm {
        let integer = |least: i64, most: i64| ColumnForm::Integer { least, most };
        match self.base.as_str() {
            "varchar" | "bpchar" => usize::try_from(self.modifier - HEADER).map_or(ColumnForm::Any, ColumnForm::Length),
            "int2" => integer(i16::MIN.into(), i16::MAX.into()),
            "int4" => integer(i32::MIN.into(), i32::MAX.into()),
            "int8" => integer(i64::MIN, i64::MAX),
            "numeric" if self.modifier >= HEADER => {
                let (whole, scale) = (whole_digits("numeric", self.modifier), (self.modifier - HEADER) & 0x7ff);
                // A scale below nothing rounds to tens and hundreds, and is left to the database.
                if scale < 0x400 { ColumnForm::Decimal { whole, scale } } else { ColumnForm::Any }
            }
            "uuid" => ColumnForm::Uuid,
            "date" => ColumnForm::Date,
            "bool" => ColumnForm::Truth,
            _ if self.category == 'E' => ColumnForm::Choice(self.choices.clone()),
            _ => ColumnForm::Any,
        }
    }
}

/// Bytes that a modifier of lengths and precisions counts besides.
///
/// Source: `anychar_typmodin` and `numerictypmodin` of PostgreSQL 15, read 2026-11-24.
const HEADER: i32 = 4;

/// Returns the type that a column gets in a table that we create.
pub(super) fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bigint => "bigint",
        ColumnType::Integer => "integer",
        ColumnType::Double => "double precision",
        ColumnType::Text => "text",
    }
}

/// Tells whether a value comes back from the column as what it was.
///
/// `7.5` that comes back as `7.50` is the same number; `012` that comes back as `12` is another text.
pub(super) fn keeps(column: &TableColumn, kind: ColumnType, what: ColumnUse) -> bool {
    let TableColumn { base, category, modifier, .. } = column;
    let is_text = matches!(category, 'S');
    match kind {
        // One that knows no case would give a key back in another spelling.
        ColumnType::Text if what == ColumnUse::Key => {
            let is_spelt_one_way = matches!(base.as_str(), "int2" | "int4" | "int8" | "uuid" | "date" | "bool");
            is_text && base != "citext" || *category == 'E' || is_spelt_one_way
        }
        ColumnType::Text => is_text || *category == 'E' || matches!(base.as_str(), "json" | "jsonb"),
        ColumnType::Bigint => is_text || base == "int8" || whole_digits(base, *modifier) >= 19,
        ColumnType::Integer => {
            is_text || matches!(base.as_str(), "int2" | "int4" | "int8") || whole_digits(base, *modifier) >= 5
        }
        ColumnType::Double => is_text || matches!(base.as_str(), "float4" | "float8" | "numeric"),
    }
}

/// Returns what a column of a type holds, as JSON shows it.
///
/// A moment without a zone is a text: RFC 3339 knows none.
pub(super) fn holds(base: &str, category: &str) -> ColumnHolds {
    match (base, category) {
        ("int8", _) => ColumnHolds::Bigint,
        ("int2" | "int4", _) => ColumnHolds::Integer,
        ("float4" | "float8", _) => ColumnHolds::Number,
        ("numeric", _) => ColumnHolds::Decimal,
        ("timestamptz", _) => ColumnHolds::Moment,
        ("bool", _) => ColumnHolds::Truth,
        ("uuid" | "date" | "time" | "timestamp", _) | (_, "S" | "E") => ColumnHolds::Text,
        _ => ColumnHolds::Anything,
    }
}

/// Returns how many digits before the point a numeric column keeps.
fn whole_digits(base: &str, modifier: i32) -> i32 {
    match base {
        "numeric" if modifier < 0 => i32::MAX,
        "numeric" => {
            let (precision, scale) = (((modifier - HEADER) >> 16) & 0xffff, (modifier - HEADER) & 0x7ff);
            precision - scale
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(base: &str, category: char, modifier: i32) -> TableColumn {
        TableColumn {
            name: "c".to_owned(),
            declared: base.to_owned(),
            base: base.to_owned(),
            category,
            modifier,
            bare: base.to_owned(),
            not_null: false,
            must: false,
            source: ValueSource::Writer,
            choices: Vec::new(),
        }
    }

    #[test]
    fn a_type_keeps_what_comes_back_as_it_was() {
        use ColumnType::{Bigint, Double, Integer, Text};
        let numeric = |precision: i32, scale: i32| (precision << 16 | scale) + HEADER;
        for (base, category, modifier, kept) in [
            ("text", 'S', -1, [true, true, true, true]),
            ("varchar", 'S', 84, [true, true, true, true]),
            ("int2", 'N', -1, [false, false, true, false]),
            ("int4", 'N', -1, [false, false, true, false]),
            ("int8", 'N', -1, [false, true, true, false]),
            ("float8", 'N', -1, [false, false, false, true]),
            ("numeric", 'N', -1, [false, true, true, true]),
            ("numeric", 'N', numeric(20, 0), [false, true, true, true]),
            ("numeric", 'N', numeric(6, 2), [false, false, false, true]),
            ("jsonb", 'U', -1, [true, false, false, false]),
            ("mood", 'E', -1, [true, false, false, false]),
            ("bool", 'B', -1, [false, false, false, false]),
            ("timestamptz", 'D', -1, [false, false, false, false]),
        ] {
            let column = column(base, category, modifier);
            let found = [Text, Bigint, Integer, Double].map(|kind| keeps(&column, kind, ColumnUse::Value));
            assert_eq!(found, kept, "{base} {modifier}");
        }
        for (base, category, kept) in [
            ("jsonb", 'U', false),
            ("citext", 'S', false),
            ("numeric", 'N', false),
            ("float8", 'N', false),
            ("timestamptz", 'D', false),
            ("int2", 'N', true),
            ("int8", 'N', true),
            ("uuid", 'U', true),
            ("date", 'D', true),
            ("bool", 'B', true),
        ] {
            assert_eq!(keeps(&column(base, category, -1), Text, ColumnUse::Key), kept, "{base}");
        }
    }

    #[test]
    fn what_a_type_takes_is_read_from_its_modifier() {
        let numeric = |precision: i32, scale: i32| (precision << 16 | scale) + HEADER;
        for (base, category, modifier, form) in [
            ("varchar", 'S', 84, ColumnForm::Length(80)),
            ("varchar", 'S', -1, ColumnForm::Any),
            ("bpchar", 'S', 5, ColumnForm::Length(1)),
            ("text", 'S', -1, ColumnForm::Any),
            ("numeric", 'N', numeric(6, 2), ColumnForm::Decimal { whole: 4, scale: 2 }),
            ("numeric", 'N', -1, ColumnForm::Any),
            ("int2", 'N', -1, ColumnForm::Integer { least: -32768, most: 32767 }),
            ("uuid", 'U', -1, ColumnForm::Uuid),
            ("mood", 'E', -1, ColumnForm::Choice(Vec::new())),
        ] {
            assert_eq!(column(base, category, modifier).form(), form, "{base} {modifier}");
        }
    }
}
