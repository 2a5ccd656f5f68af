//! Surveys: a table that nobody declared yet, read as it is.

use serde_json::Value;

/// A table as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Its columns, in their own order.
    pub columns: Vec<SurveyColumn>,
    /// Its rows, one value a column, in no particular order.
    pub rows: Vec<Vec<Value>>,
    /// How many rows it has; more than were read where that was bounded.
    pub count: u64,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyColumn {
    /// Its name.
    pub name: String,
    /// The type it was declared with, as the database writes it; empty where it has none.
    pub declared: String,
}
