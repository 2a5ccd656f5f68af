//! In whose place a server reads rows: whoever is connected may see more than those whom it answers.

use crate::asset::TableName;

/// The role that a REST layer answers strangers as.
///
/// Source: <https://supabase.com/docs/guides/database/postgres/roles>, read 2026-11-24.
pub const STRANGER: &str = "anon";

/// In whose place rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowReader {
    /// Whoever is connected.
    Connected,
    /// A role of the database, taken on for each question.
    Role(String),
    /// A role that whoever is connected may not take on: rows are read where the catalogue says that it may read all.
    Untaken(String),
}

/// What was found out about a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readership {
    /// In whose place rows are read.
    pub reader: RowReader,
    /// What is to be told of it, and what mends that.
    pub warnings: Vec<ReaderWarning>,
}

/// Something to be told before anything is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderWarning {
    /// What is so.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// How much of a collection's rows is shown to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// All that there is.
    Everything,
    /// Perhaps not every row, and of those every column.
    SomeRows,
    /// Perhaps not every row, and not every column.
    SomeColumns,
    /// Nothing at all.
    Nothing,
}

/// What a column holds, as the database's catalogue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnHolds {
    /// Whole numbers of 64 bits.
    Bigint,
    /// Whole numbers of 32 bits.
    Integer,
    /// Numbers of a float.
    Number,
    /// Numbers, as text where a float would lose digits.
    Decimal,
    /// Texts.
    Text,
    /// Moments, as RFC 3339 writes them.
    Moment,
    /// Truths.
    Truth,
    /// Lists of texts: the files of a collection that has no table.
    Texts,
    /// Anything.
    Anything,
}

/// Whether a column may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Never.
    Never,
    /// It may.
    Allowed,
}

/// A column that rows are shown with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: ColumnHolds,
    /// Whether it may be empty.
    pub nulls: Nulls,
}

impl Readership {
    /// Makes one that has nothing to tell.
    pub fn quiet(reader: RowReader) -> Self {
        Self { reader, warnings: Vec::new() }
    }
}

/// Returns names of tables for a message.
pub(super) fn tables(names: &[TableName]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
