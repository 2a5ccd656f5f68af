//! The words of tables, rows and commits: what a scan hands out, and what changes together.
//!
//! The words only; an adapter reads and writes them.

use crate::asset::{AssetKey, CollectionName};
use crate::digest::SeenDigest;
use crate::record::{Record, RecordHead};

use super::NewAcceptance;

/// What is wrong with a published table, and the SQL that mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableProblem {
    /// One sentence in lower case: ``column `seed` is missing``.
    pub message: String,
    /// SQL to paste, on one line, with its semicolons; empty where SQL is not the way out.
    pub mend: String,
}

/// How the published table was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableSeen {
    /// No rows were asked for.
    NotLooked,
    /// It does not exist; `apply` creates it.
    Absent,
    /// It exists and takes our rows.
    Fits,
    /// It exists and does not; no row was handed to the visitor.
    Unfit(Vec<TableProblem>),
}

/// Takes what a scan reads, one at a time, so that nothing is held.
pub trait ScanVisitor {
    /// Is called for each record of the collection, in ascending byte order of the keys, before any row.
    fn record(&mut self, head: RecordHead<'_>);
    /// Is called for each row of the table, keyed by its key columns joined by `/`, with the digest of its declared
    /// columns.
    fn row(&mut self, key: &str, seen: SeenDigest);
}

/// One row of the published table, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct RowSeen {
    /// Its key.
    pub key: AssetKey,
    /// The row's own id, as text, where the table has a column `id`.
    pub id: Option<String>,
    /// The declared columns' values, in the order of [`TableSpec::columns`](crate::asset::TableSpec::columns).
    pub values: Vec<serde_json::Value>,
    /// Their digest.
    pub seen: SeenDigest,
}

/// One asset's new record and row.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// The record; `row` in it holds the new inputs, its `seen` and `id` are filled in by the state.
    pub record: Record,
    /// Where record and row were before, when the asset was renamed: the row keeps its id.
    pub moved_from: Option<(CollectionName, AssetKey)>,
    /// The row's values in the order of [`TableSpec::columns`](crate::asset::TableSpec::columns); `None` leaves the row as it is.
    pub values: Option<Vec<serde_json::Value>>,
}

/// Records and rows that change together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// Assets to write.
    pub put: Vec<Put>,
    /// Assets whose record and row go.
    pub delete: Vec<AssetKey>,
    /// What somebody accepted of those assets.
    pub accepted: Vec<NewAcceptance>,
    /// Renames that count as carried out from now on, beside those of the assets that are written.
    pub settled: Vec<AppliedMove>,
}

/// What a run does about renames that are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RenameMemory {
    /// Those that were carried out and whose line still stands.
    pub standing: Vec<AppliedMove>,
    /// How many have lost their line.
    pub stale: usize,
    /// Those that count as carried out from now on: they were, in a collection that has another name now, or there was no
    /// record to rename when the key got a picture of its own.
    pub settled: Vec<AppliedMove>,
}

/// A rename that was carried out: from which collection and key, to which key.
pub type AppliedMove = (CollectionName, AssetKey, AssetKey);
