//! The published table: its name and its columns.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{NameError, is_identifier};

/// The type that a column of the published table gets when the table is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// `seed`, `bytes`.
    Bigint,
    /// `width`, `height`, `steps`, `take`.
    Integer,
    /// `guidance_scale`.
    Double,
    /// All else.
    Text,
}

/// A table's name, parsed: `attribute_images`, `shop.images`, `"Odd Name"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema, `public` unless named.
    pub schema: String,
    /// The name itself, unquoted.
    pub name: String,
}

impl FromStr for TableName {
    type Err = NameError;

    /// Parses one or two identifiers; an unquoted one folds to lower case as in Postgres.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = |rule| NameError { text: text.to_owned(), kind: "table name", rule };
        let shape = "write `name` or `schema.name`, at most 63 letters each; a name with capitals or spaces needs quotes of its own, as in `table: '\"My Table\"'`";
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = identifier(rest).ok_or_else(|| refused(shape))?;
            parts.push(part);
            match after.strip_prefix('.') {
                Some(after) => rest = after,
                None if after.is_empty() => break,
                None => return Err(refused(shape)),
            }
        }
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop().unwrap_or_else(|| "public".to_owned());
        if !parts.is_empty() {
            return Err(refused(shape));
        }
        if schema == "pixform" || schema == "information_schema" || schema.starts_with("pg_") {
            return Err(refused("system schemas and `pixform` are not for published tables"));
        }
        if name.starts_with("pixform_") || name.starts_with("sqlite_") || name.starts_with("pg_") {
            return Err(refused(
                "names that begin with `pixform_`, `sqlite_` or `pg_` are taken by the systems themselves",
            ));
        }
        Ok(Self { schema, name })
    }
}

/// Tells whether a column can be called so: anything that a database takes between quotes, and that can be shown.
pub fn is_column_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= SQL_NAME_BYTES_MAX && !text.chars().any(char::is_control)
}

/// Longest name of a table or column, in bytes; Postgres would cut a longer one without a word.
pub const SQL_NAME_BYTES_MAX: usize = 63;

/// Splits the first identifier off, unquoted.
fn identifier(text: &str) -> Option<(String, &str)> {
    let (name, rest) = if let Some(quoted) = text.strip_prefix('"') {
        unquoted(quoted)?
    } else {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let name = &text[..end];
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        (name.to_ascii_lowercase(), &text[end..])
    };
    is_column_name(&name).then_some((name, rest))
}

/// Reads up to the quote that ends a name; two of them are one that belongs to it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut name, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

impl fmt::Display for TableName {
    /// Writes the name so that it parses back, without the schema `public`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |name: &str| is_identifier(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let shown = |name: &str| if plain(name) { name.to_owned() } else { quoted(name) };
        if self.schema != "public" {
            write!(f, "{}.", shown(&self.schema))?;
        }
        f.write_str(&shown(&self.name))
    }
}

/// The published table as a collection needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// Its name.
    pub name: TableName,
    /// The key axes, which are its key columns, in key order.
    pub key: Vec<String>,
    /// The declared columns and their types, in the manifest's order.
    pub columns: Vec<(String, ColumnType)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_name_parses_back_from_what_it_shows() {
        for (text, shown) in [
            ("attribute_images", "attribute_images"),
            ("Images", "images"),
            ("\"Odd Name\"", "\"Odd Name\""),
            ("shop.images", "shop.images"),
            ("public.images", "images"),
            (r#""It ""is"" odd""#, r#""It ""is"" odd""#),
            ("shop.\"größe.x\"", "shop.\"größe.x\""),
        ] {
            let name: TableName = text.parse().unwrap();
            assert_eq!(name.to_string(), shown);
            assert_eq!(shown.parse(), Ok(name));
        }
        for wrong in [
            "",
            "a b",
            "1a",
            "a.b.c",
            "pixform.records",
            "pixform_records",
            "pg_catalog.pg_class",
            "a;drop",
            "\"\"",
            "\"a\"\"",
            "\"a\"b",
        ] {
            assert!(wrong.parse::<TableName>().is_err(), "{wrong}");
        }
    }
}
