//! What a server shows of a collection: its order, its columns, its rows.
//!
//! The words, and which columns a row is shown with. Reading them is left to the adapters, and what becomes of them to
//! whoever serves.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::table::Times;
use crate::asset::{AssetKey, CollectionName, TableName};
use crate::digest::SeenDigest;
use crate::record::{Record, RecordHead};

use super::row_readers::{ShownColumn, Shows};
use super::{Commit, Put};

/// A collection as its own table has it.
pub(super) struct ShownCollection {
    /// Its key axes.
    pub key: Vec<String>,
    /// The table that it was last published to.
    pub table: Option<TableName>,
    /// Its order and columns, where an apply has written them.
    pub arrangement: Option<Arrangement>,
}

/// What of a manifest decides how a collection is shown, and nothing else: no plan is made of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arrangement {
    /// The declared columns, in their order.
    pub columns: Vec<String>,
    /// The keys of all assets, in their order.
    pub keys: Vec<String>,
}

/// How a collection is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownShape {
    /// Its key axes.
    pub key: Vec<String>,
    /// The table that it was last published to, where that is there and has the key's columns.
    pub table: Option<TableName>,
    /// The columns that a row is shown with: `id`, the key's, the declared ones, `created_at` and `updated_at`; those that
    /// the table has and the reader may read, and the times only of a table that is ours. Empty without a table.
    pub columns: Vec<ShownColumn>,
    /// How much of the table's rows the reader is shown.
    pub shows: Shows,
    /// What the last apply said of order and columns.
    pub arrangement: Option<Arrangement>,
}

/// Takes what is shown, one at a time.
pub trait ShownVisitor {
    /// Is called once, first.
    fn shape(&mut self, shape: ShownShape);
    /// Is called for each record of the collection, in ascending byte order of the keys, before any row.
    fn record(&mut self, head: RecordHead<'_>);
    /// Is called for each row of the table that the reader may read, whoever owns it: its key, the digest of its declared
    /// columns where it may read these, and one value a column of [`ShownShape::columns`].
    fn row(&mut self, key: &str, seen: Option<SeenDigest>, values: &[Value]);
}

/// What a table has, as its database tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableColumns<'t> {
    /// The names of its columns.
    pub there: &'t [String],
    /// Who keeps its times.
    pub times: Times,
}

/// Returns the columns that a row is shown with, of those that its table has; `same` compares names as the database does.
///
/// Where no apply has said what is declared, all that a table of our own has is, and nothing of another's.
pub(super) fn columns(
    key: &[String],
    arrangement: Option<&Arrangement>,
    TableColumns { there, times }: TableColumns<'_>,
    same: fn(&str, &str) -> bool,
) -> (Vec<String>, Vec<String>) {
    let is_among = |names: &[String], wanted: &str| names.iter().any(|name| same(name, wanted));
    let beside = |name: &str| ["id", "created_at", "updated_at"].iter().any(|own| same(own, name));
    let declared: Vec<String> = match (arrangement, times) {
        (Some(arrangement), _) => arrangement.columns.iter().filter(|name| is_among(there, name)).cloned().collect(),
        (None, Times::Kept) => there.iter().filter(|name| !is_among(key, name) && !beside(name)).cloned().collect(),
        (None, Times::Foreign) => Vec::new(),
    };
    let is_free = |name: &str| is_among(there, name) && !is_among(key, name) && !is_among(&declared, name);
    let times = match times {
        Times::Kept => ["created_at", "updated_at"].as_slice(),
        Times::Foreign => &[],
    };
    let own = |names: &[&str]| names.iter().filter(|name| is_free(name)).map(|name| (*name).to_owned()).collect();
    let (id, times): (Vec<String>, Vec<String>) = (own(&["id"]), own(times));
    (declared.clone(), [id, key.to_vec(), declared, times].concat())
}

/// A place whose recipe a commit may replace: collection, key, and the recipe that is written, as hex digits; `""` where
/// none is.
pub(super) type Replaced<'c> = (&'c str, &'c str, String);

/// Returns the places whose recipe a commit may replace.
pub(super) fn replaced<'c>(collection: &'c CollectionName, commit: &'c Commit) -> Vec<Replaced<'c>> {
    let put = |put: &'c Put| {
        let Record { key, recipe, .. } = &put.record;
        let (collection, key) = match &put.moved_from {
            Some((from, key)) => (from.as_str(), key),
            None => (collection.as_str(), key),
        };
        (collection, key.as_str(), recipe.digest().hex())
    };
    let deleted = |key: &'c AssetKey| (collection.as_str(), key.as_str(), String::new());
    commit.put.iter().map(put).chain(commit.delete.iter().map(deleted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arrangement: Option<&[&str]>, times: Times, there: &str, expected: &str) {
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let arrangement = arrangement.map(|columns| Arrangement {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            keys: Vec::new(),
        });
        let there = names(there);
        let (_, shown) = columns(
            &names("value style"),
            arrangement.as_ref(),
            TableColumns { there: &there, times },
            str::eq_ignore_ascii_case,
        );
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn of_a_table_of_the_product_only_what_is_declared_is_shown() {
        let there = "id secret value style url owner created_at updated_at";
        check(Some(&["url", "gone"]), Times::Foreign, there, "id value style url");
        check(None, Times::Foreign, there, "id value style");
        check(Some(&["url", "created_at"]), Times::Foreign, there, "id value style url created_at");
    }

    #[test]
    fn of_a_table_of_our_own_the_times_are_shown_and_without_an_arrangement_everything() {
        let there = "id value style url seed created_at updated_at";
        check(Some(&["seed", "url"]), Times::Kept, there, "id value style seed url created_at updated_at");
        check(None, Times::Kept, there, "id value style url seed created_at updated_at");
        check(Some(&["id"]), Times::Kept, there, "value style id created_at updated_at");
    }
}
