//! What stood where a commit reaches to, before it: all that adapters need to know of it, however they write.
//!
//! Keys in a commit speak of this state, so what is renamed and what is deleted is decided here, once for every database.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::references::Named;
use super::table::segments;
use super::{Accepted, Commit, Put, StateError};
use crate::asset::{AssetKey, TableSpec};
use crate::digest::SeenDigest;

/// A collection's name and a key in it.
pub(super) type KeyPlace<'c> = (&'c str, &'c str);

/// A row's key by its columns: the one it has and the one it gets.
pub(super) type Rename<'c> = (Vec<&'c str>, Vec<&'c str>);

/// A row as the record knows it.
#[derive(Debug, Clone)]
pub(super) struct KnownRow {
    /// The digest of its declared columns.
    pub seen: SeenDigest,
    /// Its own id, where it has one.
    pub id: Option<String>,
}

/// What stood where a commit reaches to.
pub(super) struct Before<'c> {
    commit: &'c Commit,
    /// The collection that is written.
    pub collection: &'c str,
    /// The records that were there, and the rows of those that have one.
    records: HashMap<(String, String), Option<KnownRow>>,
    /// The originals and files that those records named.
    pub named: Named,
    /// What leaves its place: renamed or deleted.
    pub leaving: BTreeSet<KeyPlace<'c>>,
    /// What is renamed.
    renamed: HashSet<KeyPlace<'c>>,
    /// The keys whose row is accepted as it is.
    accepted: HashSet<&'c AssetKey>,
}

impl<'c> Before<'c> {
    /// Begins with what the commit says; the records are still to be [added](Self::add).
    pub(super) fn new(collection: &'c str, commit: &'c Commit) -> Self {
        let renamed: HashSet<KeyPlace<'_>> = commit.put.iter().filter_map(|put| renamed(collection, put)).collect();
        let deleted = commit.delete.iter().map(|key| (collection, key.as_str()));
        let leaving = renamed.iter().copied().chain(deleted).collect();
        let rows = commit.accepted.iter().filter(|acceptance| matches!(acceptance.accepted, Accepted::Row { .. }));
        let accepted = rows.map(|acceptance| &acceptance.key).collect();
        Self { commit, collection, records: HashMap::new(), named: Named::default(), leaving, renamed, accepted }
    }

    /// Returns where the commit reaches to, each place once and in order.
    pub(super) fn reach(&self) -> BTreeSet<KeyPlace<'c>> {
        let puts = self.commit.put.iter().map(|put| (self.collection, put.record.key.as_str()));
        self.leaving.iter().copied().chain(puts).collect()
    }

    /// Adds a record that was there, with its row if it had one.
    pub(super) fn add(&mut self, collection: String, key: String, row: Option<KnownRow>) {
        self.records.insert((collection, key), row);
    }

    /// Returns by how many each collection's records change.
    pub(super) fn growth(&self) -> BTreeMap<&'c str, i64> {
        let mut growth: BTreeMap<&str, i64> = BTreeMap::from([(self.collection, 0)]);
        for at in self.leaving.iter().filter(|at| self.is_there(**at)) {
            *growth.entry(at.0).or_default() -= 1;
        }
        let keys: BTreeSet<&str> = self.commit.put.iter().map(|put| put.record.key.as_str()).collect();
        let stays =
            |key: &&str| self.is_there((self.collection, key)) && !self.leaving.contains(&(self.collection, *key));
        let new = keys.iter().filter(|key| !stays(key)).count();
        *growth.entry(self.collection).or_default() += i64::try_from(new).unwrap_or(i64::MAX);
        growth
    }

    /// Returns the rows that get another key, by their columns: from and to.
    pub(super) fn row_renames(&self, spec: &TableSpec) -> Result<Vec<Rename<'c>>, StateError> {
        let mut renames = Vec::new();
        for put in &self.commit.put {
            // A row that no record owned is not ours to move.
            let from = renamed(self.collection, put).filter(|from| self.row(*from).is_some());
            let Some((_, from)) = from else { continue };
            let to = own_columns(spec, &put.record.key)?;
            if let Some(from) = segments(spec, from).filter(|from| *from != to) {
                renames.push((from, to));
            }
        }
        Ok(renames)
    }

    /// Returns the rows that are deleted, by the columns of their key: those that a record owned and that go nowhere else.
    pub(super) fn row_deletions(&self, spec: &TableSpec) -> Vec<Vec<&'c str>> {
        let deleted = self.commit.delete.iter().filter(|key| {
            let at = (self.collection, key.as_str());
            self.row(at).is_some() && !self.renamed.contains(&at)
        });
        deleted.filter_map(|key| segments(spec, key.as_str())).collect()
    }

    /// Returns what is known of the put's row now: as it came back, if it was `written`; else as it was, or as the put
    /// says, which is what counts of an accepted row.
    pub(super) fn known_row(
        &self,
        spec: Option<&TableSpec>,
        put: &'c Put,
        written: &HashMap<String, KnownRow>,
    ) -> Result<Option<KnownRow>, StateError> {
        let Some(row) = &put.record.row else { return Ok(None) };
        let told = || KnownRow { seen: row.seen, id: row.id.clone() };
        let key = &put.record.key;
        if spec.is_some() && put.values.is_some() {
            let gone =
                || StateError::refused("write the rows", format!("the row `{key}` was not there after it was written"));
            return written.get(key.as_str()).cloned().ok_or_else(gone).map(Some);
        }
        if put.values.is_none() && self.accepted.contains(key) {
            return Ok(Some(told()));
        }
        Ok(Some(self.row_of(put).cloned().unwrap_or_else(told)))
    }

    fn is_there(&self, at: KeyPlace<'_>) -> bool {
        self.records.contains_key(&(at.0.to_owned(), at.1.to_owned()))
    }

    fn row(&self, at: KeyPlace<'_>) -> Option<&KnownRow> {
        self.records.get(&(at.0.to_owned(), at.1.to_owned()))?.as_ref()
    }

    /// Returns the row that the put's record had until now, under whichever key.
    fn row_of(&self, put: &Put) -> Option<&KnownRow> {
        let here = (self.collection, put.record.key.as_str());
        match renamed(self.collection, put) {
            Some(from) => self.row(from),
            None if self.leaving.contains(&here) => None,
            None => self.row(here),
        }
    }
}

/// Returns the columns of a key of the table's own.
///
/// # Errors
/// [`StateError::Database`] for a key with more parts than the table has key columns, or fewer.
pub(super) fn own_columns<'k>(spec: &TableSpec, key: &'k AssetKey) -> Result<Vec<&'k str>, StateError> {
    let reason = || format!("the key `{key}` has not as many parts as the table has key columns");
    segments(spec, key.as_str()).ok_or_else(|| StateError::refused("write the rows", reason()))
}

/// Returns where the put's record was, if elsewhere.
fn renamed<'c>(collection: &str, put: &'c Put) -> Option<KeyPlace<'c>> {
    let (from_collection, from_key) = put.moved_from.as_ref()?;
    let from = (from_collection.as_str(), from_key.as_str());
    (from != (collection, put.record.key.as_str())).then_some(from)
}
