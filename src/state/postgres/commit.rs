//! Records and rows that change together.
//!
//! Keys in a commit speak of the state before it: what is deleted and what is renamed is what stood there. So renames
//! leave their places first, then deletions happen, then renames arrive, then values are written. Only a row whose
//! place another row takes is put on a shelf meanwhile, under a key that no label can spell. However many assets there
//! are, each kind of change is one statement.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tokio_postgres::types::Type;

use super::accepted;
use super::database::{Param, Transaction};
use super::failure::Failure;
use super::lease;
use super::read::maybe_bytes;
use super::records::{self, Columns};
use super::rows::{Keep, Writer, segments};
use super::shapes::Shapes;
use super::table::{self, Found, Role, Shape};
use crate::asset::{AssetKey, TableSpec};
use crate::digest::SeenDigest;
use crate::record::RecordedRow;
use crate::state::{Accepted, Commit, Lease, Put, Schema, StateError};

/// A collection's name and a key in it.
type Address<'c> = (&'c str, &'c str);

/// A row's key by its columns: the one it has and the one it gets.
type Rename<'c> = (Vec<&'c str>, Vec<&'c str>);

/// A row as the record knows it.
#[derive(Debug, Clone)]
struct Known {
    seen: SeenDigest,
    id: Option<String>,
}

/// What stood where the commit reaches to, before it.
struct Before<'c> {
    collection: &'c str,
    /// The records that were there, and the rows of those that have one.
    records: HashMap<(String, String), Option<Known>>,
    /// What leaves its place: renamed or deleted.
    leaving: BTreeSet<Address<'c>>,
}

/// Writes a commit; its name is written beside the lease, so that it can be told whether it happened.
pub(super) async fn commit(
    transaction: &Transaction,
    lease: &Lease,
    spec: Option<&TableSpec>,
    commit: &Commit,
    (name, shapes): (&str, &Shapes),
) -> Result<(), Failure> {
    lease::stamp(transaction, lease, name).await?;
    let before = Before::read(transaction, lease, commit).await?;
    let rows = async {
        match spec {
            Some(spec) => {
                let shape = shape(transaction, spec, shapes).await?;
                write_rows(transaction, spec, &shape, &before, commit).await
            }
            None => Ok(HashMap::new()),
        }
    };
    // What needs no row to be known is made ready while the database writes the rows.
    let ready = async {
        let axes = match spec {
            Some(spec) => spec.key.clone(),
            None => remembered_axes(transaction, before.collection).await?,
        };
        Ok::<_, Failure>(Columns::of(commit, &axes))
    };
    let (written, columns) = futures::join!(rows, ready);
    write_records(transaction, &before, spec, commit, (columns?, &written?)).await?;
    accepted::keep(transaction, &commit.accepted).await?;
    remember_moves(transaction, &before, commit).await
}

impl<'c> Before<'c> {
    async fn read(transaction: &Transaction, lease: &'c Lease, commit: &'c Commit) -> Result<Self, Failure> {
        let collection = lease.collection.as_str();
        let mut before = Self { collection, records: HashMap::new(), leaving: BTreeSet::new() };
        let renamed: Vec<_> = commit.put.iter().filter_map(|put| before.renamed(put)).collect();
        let deleted = commit.delete.iter().map(|key| (collection, key.as_str()));
        before.leaving = renamed.into_iter().chain(deleted).collect();
        let puts = commit.put.iter().map(|put| (collection, put.record.key.as_str()));
        let asked: BTreeSet<Address<'_>> = before.leaving.iter().copied().chain(puts).collect();
        let (collections, keys): (Vec<&str>, Vec<&str>) = asked.into_iter().unzip();
        let sql = "SELECT r.collection, r.key, r.seen_digest, d.row_id
                   FROM unnest($1, $2) AS w (collection, key)
                   JOIN pixform.records AS r ON r.collection = w.collection AND r.key = w.key
                   JOIN pixform.record_details AS d ON d.collection = w.collection AND d.key = w.key";
        let params: [Param<'_>; 2] = [(&collections, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY)];
        for row in transaction.query_typed(sql, &params).await? {
            let (collection, key): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let seen = maybe_bytes(&row, 2, || format!("the record `{collection}:{key}`"))?;
            let id = row.try_get(3)?;
            let known = seen.map(|seen| Known { seen: SeenDigest::from_bytes(seen), id });
            before.records.insert((collection, key), known);
        }
        Ok(before)
    }

    /// Returns where the put's record was, if elsewhere.
    fn renamed(&self, put: &'c Put) -> Option<Address<'c>> {
        let (collection, key) = put.moved_from.as_ref()?;
        let from = (collection.as_str(), key.as_str());
        (from != (self.collection, put.record.key.as_str())).then_some(from)
    }

    fn is_there(&self, at: Address<'_>) -> bool {
        self.records.contains_key(&(at.0.to_owned(), at.1.to_owned()))
    }

    fn row(&self, at: Address<'_>) -> Option<&Known> {
        self.records.get(&(at.0.to_owned(), at.1.to_owned()))?.as_ref()
    }

    /// Returns the row that the put's record had until now, under whichever key.
    fn row_of(&self, put: &'c Put) -> Option<&Known> {
        let here = (self.collection, put.record.key.as_str());
        match self.renamed(put) {
            Some(from) => self.row(from),
            None if self.leaving.contains(&here) => None,
            None => self.row(here),
        }
    }

    /// Returns by how many each collection's records change.
    fn growth(&self, commit: &Commit) -> BTreeMap<&'c str, i64> {
        let mut growth: BTreeMap<&str, i64> = BTreeMap::from([(self.collection, 0)]);
        for at in self.leaving.iter().filter(|at| self.is_there(**at)) {
            *growth.entry(at.0).or_default() -= 1;
        }
        let keys: BTreeSet<&str> = commit.put.iter().map(|put| put.record.key.as_str()).collect();
        let stays =
            |key: &&str| self.is_there((self.collection, key)) && !self.leaving.contains(&(self.collection, *key));
        let new = keys.iter().filter(|key| !stays(key)).count();
        *growth.entry(self.collection).or_default() += i64::try_from(new).unwrap_or(i64::MAX);
        growth
    }
}

/// Moves, deletes and writes rows; returns how those with new values came back.
async fn write_rows<'c>(
    transaction: &Transaction,
    spec: &TableSpec,
    shape: &Shape,
    before: &Before<'c>,
    commit: &'c Commit,
) -> Result<HashMap<String, Known>, Failure> {
    let writer = Writer::new(transaction, spec, shape);
    let renames = row_renames(spec, before, commit)?;
    let renamed: HashSet<_> = commit.put.iter().filter_map(|put| before.renamed(put)).collect();
    let deleted = commit.delete.iter().filter_map(|key| {
        let at = (before.collection, key.as_str());
        segments(spec, key.as_str()).filter(|_| before.row(at).is_some() && !renamed.contains(&at))
    });
    let deleted: Vec<_> = deleted.collect();
    let shelves: Vec<String> = (0..renames.len()).map(|at| format!("~{at}")).collect();
    let (shelved, arriving) = shelve(&renames, &shelves, shape)?;
    writer.rekey(&shelved, Keep::Ours).await?;
    writer.delete(&deleted).await?;
    writer.rekey(&arriving, Keep::Theirs).await?;
    let mut values = Vec::new();
    for put in records::puts(commit) {
        if let Some(columns) = &put.values {
            values.push((own_columns(spec, &put.record.key)?, columns.as_slice()));
        }
    }
    let written = writer.write(&values).await?;
    Ok(written.into_iter().map(|row| (row.key, Known { seen: row.seen, id: row.id })).collect())
}

/// Looks at the table, unless it was found to fit before.
pub(super) async fn shape(transaction: &Transaction, spec: &TableSpec, shapes: &Shapes) -> Result<Shape, Failure> {
    if let Some(shape) = shapes.get(spec) {
        return Ok(shape);
    }
    let unfit = |problems| Failure::from(StateError::Table { table: spec.name.clone(), problems });
    match table::find(transaction, Schema::Current, spec, Role::Writer).await? {
        Found::Fits(shape) => {
            shapes.keep(spec, &shape);
            Ok(shape)
        }
        Found::Unfit(problems) => Err(unfit(problems)),
        Found::Absent => Err(unfit(table::missing(spec))),
    }
}

/// Returns which rows go on a shelf first, and where all of them arrive from there.
fn shelve<'c>(
    renames: &[Rename<'c>],
    shelves: &'c [String],
    shape: &Shape,
) -> Result<(Vec<Rename<'c>>, Vec<Rename<'c>>), Failure> {
    let taken: HashSet<&[&str]> = renames.iter().map(|(_, to)| to.as_slice()).collect();
    let (mut shelved, mut arriving) = (Vec::new(), Vec::new());
    for ((from, to), shelf) in renames.iter().zip(shelves) {
        if !taken.contains(from.as_slice()) {
            arriving.push((from.clone(), to.clone()));
            continue;
        }
        let Some(place) = shape.shelf else {
            let words = "two rows take each other's keys, and no key column takes any other text for a moment: rename them \
                         in two steps";
            return Err(Failure::refused("rename the rows", words));
        };
        let mut on_shelf = from.clone();
        on_shelf[place] = shelf.as_str();
        shelved.push((from.clone(), on_shelf.clone()));
        arriving.push((on_shelf, to.clone()));
    }
    Ok((shelved, arriving))
}

/// Returns the rows that get another key, by their columns: from and to.
fn row_renames<'c>(spec: &TableSpec, before: &Before<'c>, commit: &'c Commit) -> Result<Vec<Rename<'c>>, Failure> {
    let mut renames = Vec::new();
    for put in &commit.put {
        // A row that no record owned is not ours to move.
        let Some((_, from)) = before.renamed(put).filter(|from| before.row(*from).is_some()) else { continue };
        let to = own_columns(spec, &put.record.key)?;
        if let Some(from) = segments(spec, from).filter(|from| *from != to) {
            renames.push((from, to));
        }
    }
    Ok(renames)
}

fn own_columns<'k>(spec: &TableSpec, key: &'k AssetKey) -> Result<Vec<&'k str>, Failure> {
    let reason = || format!("the key `{key}` has not as many parts as the table has key columns");
    segments(spec, key.as_str()).ok_or_else(|| Failure::refused("write the rows", reason()))
}

async fn write_records(
    transaction: &Transaction,
    before: &Before<'_>,
    spec: Option<&TableSpec>,
    commit: &Commit,
    (mut columns, written): (Columns<'_>, &HashMap<String, Known>),
) -> Result<(), Failure> {
    let growth = before.growth(commit);
    let (names, counts): (Vec<&str>, Vec<i64>) = growth.into_iter().unzip();
    let sql = "INSERT INTO pixform.collections AS c (name, records) SELECT * FROM unnest($1, $2)
               ON CONFLICT (name) DO UPDATE SET records = c.records + excluded.records";
    transaction.execute_typed(sql, &[(&names, Type::TEXT_ARRAY), (&counts, Type::INT8_ARRAY)]).await?;
    if !before.leaving.is_empty() {
        let (collections, keys): (Vec<&str>, Vec<&str>) = before.leaving.iter().copied().unzip();
        let params: [Param<'_>; 2] = [(&collections, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY)];
        for table in ["records", "record_details"] {
            let sql = format!(
                "DELETE FROM pixform.{table} AS r USING unnest($1, $2) AS w (collection, key)
                 WHERE r.collection = w.collection AND r.key = w.key"
            );
            transaction.execute_typed(&sql, &params).await?;
        }
    }
    let rows = commit.accepted.iter().filter(|acceptance| matches!(acceptance.accepted, Accepted::Row { .. }));
    let accepted: HashSet<&AssetKey> = rows.map(|acceptance| &acceptance.key).collect();
    for put in records::puts(commit) {
        let known = match &put.record.row {
            None => None,
            Some(row) if put.values.is_none() && accepted.contains(&put.record.key) => {
                Some(Known { seen: row.seen, id: row.id.clone() })
            }
            Some(row) => Some(known_row(row, before, spec, put, written)?),
        };
        columns.seen.push(known.as_ref().map(|known| known.seen.as_bytes().to_vec()));
        columns.row_ids.push(known.and_then(|known| known.id));
    }
    records::write(transaction, before.collection, &columns).await
}

/// Returns what is known of the put's row now: as it came back, else as it was, else as the caller says.
fn known_row(
    row: &RecordedRow,
    before: &Before<'_>,
    spec: Option<&TableSpec>,
    put: &Put,
    written: &HashMap<String, Known>,
) -> Result<Known, Failure> {
    if spec.is_some() && put.values.is_some() {
        let gone = || format!("the row `{}` was not there after it was written", put.record.key);
        return written.get(put.record.key.as_str()).cloned().ok_or_else(|| Failure::refused("write the rows", gone()));
    }
    Ok(before.row_of(put).cloned().unwrap_or_else(|| Known { seen: row.seen, id: row.id.clone() }))
}

async fn remembered_axes(transaction: &Transaction, collection: &str) -> Result<Vec<String>, Failure> {
    let sql = "SELECT key_axes FROM pixform.collections WHERE name = $1";
    let row = transaction.query_typed_one(sql, &[(&collection, Type::TEXT)]).await?;
    serde_json::from_str(row.try_get(0)?)
        .map_err(|error| Failure::unreadable(format!("the collection `{collection}`"), error))
}

async fn remember_moves(transaction: &Transaction, before: &Before<'_>, commit: &Commit) -> Result<(), Failure> {
    let moves = commit.put.iter().filter_map(|put| {
        let (collection, key) = put.moved_from.as_ref()?;
        Some((put.record.key.as_str(), collection.as_str(), key.as_str()))
    });
    let (mut keys, mut from_collections, mut from_keys) = (Vec::new(), Vec::new(), Vec::new());
    for (key, from_collection, from_key) in moves {
        keys.push(key);
        from_collections.push(from_collection);
        from_keys.push(from_key);
    }
    if keys.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO pixform.moves (collection, key, from_collection, from_key)
               SELECT $1, w.* FROM unnest($2, $3, $4) AS w ON CONFLICT DO NOTHING";
    let params: [Param<'_>; 4] = [
        (&before.collection, Type::TEXT),
        (&keys, Type::TEXT_ARRAY),
        (&from_collections, Type::TEXT_ARRAY),
        (&from_keys, Type::TEXT_ARRAY),
    ];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}
