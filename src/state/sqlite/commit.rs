//! Records and rows that change together.
//!
//! Keys in a commit speak of the state before it: what is deleted and what is renamed is what stood there. So renames
//! leave their places first, then deletions happen, then renames arrive, then values are written. Only a row whose
//! place another row takes is put on a shelf meanwhile, under a key that no label can spell.

use std::collections::{HashMap, HashSet};

use rusqlite::{Statement, Transaction, params};

use super::accepted;
use super::failure::Failure;
use super::lease;
use super::read::{HOLD, PROTECT, text};
use super::rows::{self, KEYS_MAX, Writer, distinct, json, segments};
use super::table::{self, Found};
use crate::asset::{AssetKey, TableSpec};
use crate::digest::SeenDigest;
use crate::record::{Record, RecordedRow, extra_labels, objects_text, published_to_json};
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
    /// The rows of those records that have one.
    rows: HashMap<(String, String), Known>,
    /// What leaves its place: renamed or deleted.
    leaving: HashSet<Address<'c>>,
}

/// Writes a commit.
pub(super) fn commit(
    transaction: &Transaction<'_>,
    lease: &Lease,
    spec: Option<&TableSpec>,
    commit: &Commit,
) -> Result<(), Failure> {
    lease::check(transaction, lease)?;
    // A table of the product that points at ours is asked once everything has its new key.
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    let before = Before::read(transaction, lease, commit)?;
    let written = match spec {
        Some(spec) => write_rows(transaction, spec, &before, commit)?,
        None => HashMap::new(),
    };
    write_records(transaction, &before, spec, commit, &written)?;
    accepted::keep(transaction, &commit.accepted)?;
    remember_moves(transaction, &before, commit)
}

impl<'c> Before<'c> {
    fn read(transaction: &Transaction<'_>, lease: &'c Lease, commit: &'c Commit) -> Result<Self, Failure> {
        let collection = lease.collection.as_str();
        let mut before = Self { collection, rows: HashMap::new(), leaving: HashSet::new() };
        let renamed: Vec<_> = commit.put.iter().filter_map(|put| before.renamed(put)).collect();
        let deleted = commit.delete.iter().map(|key| (collection, key.as_str()));
        before.leaving = renamed.into_iter().chain(deleted).collect();
        let puts = commit.put.iter().map(|put| (collection, put.record.key.as_str()));
        let asked = distinct(before.leaving.iter().copied().chain(puts));
        let mut statement = transaction.prepare(
            "SELECT r.collection, r.key, r.seen_digest, d.row_id
             FROM json_each(?1) AS w
             CROSS JOIN pixform_records AS r ON r.collection = w.value ->> 0 AND r.key = w.value ->> 1
             CROSS JOIN pixform_record_details AS d ON d.collection = r.collection AND d.key = r.key
             WHERE r.seen_digest IS NOT NULL",
        )?;
        for asked in asked.chunks(KEYS_MAX) {
            let mut found = statement.query([json(&asked)])?;
            while let Some(row) = found.next()? {
                let known = Known { seen: SeenDigest::from_bytes(row.get(2)?), id: row.get(3)? };
                before.rows.insert((text(row, 0)?.to_owned(), text(row, 1)?.to_owned()), known);
            }
        }
        Ok(before)
    }

    /// Returns where the put's record was, if elsewhere.
    fn renamed(&self, put: &'c Put) -> Option<Address<'c>> {
        let (collection, key) = put.moved_from.as_ref()?;
        let from = (collection.as_str(), key.as_str());
        (from != (self.collection, put.record.key.as_str())).then_some(from)
    }

    fn row(&self, at: Address<'_>) -> Option<&Known> {
        self.rows.get(&(at.0.to_owned(), at.1.to_owned()))
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
}

/// Moves, deletes and writes rows; returns how those with new values came back.
fn write_rows<'c>(
    transaction: &Transaction<'_>,
    spec: &TableSpec,
    before: &Before<'c>,
    commit: &'c Commit,
) -> Result<HashMap<AssetKey, Known>, Failure> {
    let unfit = |problems| Failure::from(StateError::Table { table: spec.name.clone(), problems });
    let shape = match table::find(transaction, Schema::Current, spec)? {
        Found::Fits(shape) => shape,
        Found::Unfit(problems) => return Err(unfit(problems)),
        Found::Absent => return Err(unfit(table::missing(spec))),
    };
    let mut writer = Writer::new(transaction, spec, shape)?;
    let renames = row_renames(spec, before, commit)?;
    let taken: HashSet<&[&str]> = renames.iter().map(|(_, to)| to.as_slice()).collect();
    let shelves: Vec<_> = (0..renames.len()).map(|at| format!("pixform/shelf/{at}")).collect();
    let mut arrivals = Vec::with_capacity(renames.len());
    for ((from, to), shelf) in renames.iter().zip(&shelves) {
        if taken.contains(from.as_slice()) {
            writer.shelve(from, shelf)?;
            let shelved: Vec<&str> = [shelf.as_str()].into_iter().chain(from[1..].iter().copied()).collect();
            arrivals.push((shelved, to));
        } else {
            arrivals.push((from.clone(), to));
        }
    }
    let renamed: HashSet<_> = commit.put.iter().filter_map(|put| before.renamed(put)).collect();
    for key in &commit.delete {
        let at = (before.collection, key.as_str());
        if let Some(columns) =
            segments(spec, key.as_str()).filter(|_| before.row(at).is_some() && !renamed.contains(&at))
        {
            writer.delete(&columns)?;
        }
    }
    for (from, to) in arrivals {
        writer.rekey(&from, to)?;
    }
    let mut keys = Vec::new();
    for put in &commit.put {
        if let Some(values) = &put.values {
            writer.write(&own_columns(spec, &put.record.key)?, values)?;
            keys.push(&put.record.key);
        }
    }
    let read = rows::read(transaction, spec, shape, &keys)?;
    Ok(read.into_iter().map(|row| (row.key, Known { seen: row.seen, id: row.id })).collect())
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

fn write_records(
    transaction: &Transaction<'_>,
    before: &Before<'_>,
    spec: Option<&TableSpec>,
    commit: &Commit,
    written: &HashMap<AssetKey, Known>,
) -> Result<(), Failure> {
    transaction.execute("INSERT OR IGNORE INTO pixform_collections (name) VALUES (?1)", [before.collection])?;
    let axes = match spec {
        Some(spec) => spec.key.clone(),
        None => remembered_axes(transaction, before.collection)?,
    };
    let mut delete = transaction.prepare("DELETE FROM pixform_records WHERE collection = ?1 AND key = ?2")?;
    for (collection, key) in &before.leaving {
        delete.execute([collection, key])?;
    }
    let rows = commit.accepted.iter().filter(|acceptance| matches!(acceptance.accepted, Accepted::Row { .. }));
    let accepted: HashSet<&AssetKey> = rows.map(|acceptance| &acceptance.key).collect();
    let mut writer = RecordWriter::new(transaction, before.collection)?;
    for put in &commit.put {
        let row = match &put.record.row {
            None => None,
            Some(row) if put.values.is_none() && accepted.contains(&put.record.key) => {
                Some((row, Known { seen: row.seen, id: row.id.clone() }))
            }
            Some(row) => Some((row, known_row(row, before, spec, put, written)?)),
        };
        writer.write(&put.record, row, &axes)?;
    }
    Ok(())
}

/// Returns what is known of the put's row now: as it came back, else as it was, else as the caller says.
fn known_row(
    row: &RecordedRow,
    before: &Before<'_>,
    spec: Option<&TableSpec>,
    put: &Put,
    written: &HashMap<AssetKey, Known>,
) -> Result<Known, Failure> {
    if spec.is_some() && put.values.is_some() {
        let gone = || format!("the row `{}` was not there after it was written", put.record.key);
        return written.get(&put.record.key).cloned().ok_or_else(|| Failure::refused("write the rows", gone()));
    }
    Ok(before.row_of(put).cloned().unwrap_or_else(|| Known { seen: row.seen, id: row.id.clone() }))
}

fn remembered_axes(transaction: &Transaction<'_>, collection: &str) -> Result<Vec<String>, Failure> {
    let sql = "SELECT key_axes FROM pixform_collections WHERE name = ?1";
    let axes: String = transaction.query_row(sql, [collection], |row| row.get(0))?;
    serde_json::from_str(&axes).map_err(|error| Failure::unreadable(format!("the collection `{collection}`"), error))
}

/// Writes records, through statements that are prepared once.
struct RecordWriter<'t> {
    collection: &'t str,
    head: Statement<'t>,
    details: Statement<'t>,
}

impl<'t> RecordWriter<'t> {
    fn new(transaction: &'t Transaction<'_>, collection: &'t str) -> Result<Self, Failure> {
        Ok(Self {
            collection,
            head: transaction.prepare(
                "INSERT INTO pixform_records (collection, key, recipe, renditions, row_digest, seen_digest, flags,
                   extra_labels, objects) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT DO UPDATE SET recipe = excluded.recipe, renditions = excluded.renditions,
                   row_digest = excluded.row_digest, seen_digest = excluded.seen_digest, flags = excluded.flags,
                   extra_labels = excluded.extra_labels, objects = excluded.objects",
            )?,
            details: transaction.prepare(
                "INSERT INTO pixform_record_details (collection, key, first_key, labels, recipe, base, take, vars,
                   original, published, row_inputs, row_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                 ON CONFLICT DO UPDATE SET first_key = excluded.first_key, labels = excluded.labels,
                   recipe = excluded.recipe, base = excluded.base, take = excluded.take, vars = excluded.vars,
                   original = excluded.original, published = excluded.published, row_inputs = excluded.row_inputs,
                   row_id = excluded.row_id",
            )?,
        })
    }

    fn write(&mut self, record: &Record, row: Option<(&RecordedRow, Known)>, axes: &[String]) -> Result<(), Failure> {
        let renditions = record.renditions_digest();
        let Record { key, first_key, labels, recipe, base, take, vars, original, published, row: _, protect, hold } =
            record;
        let flags = if *protect { PROTECT } else { 0 } | if *hold { HOLD } else { 0 };
        self.head.execute(params![
            self.collection,
            key.as_str(),
            recipe.digest().as_bytes(),
            renditions.as_bytes(),
            row.as_ref().map(|(row, _)| row.digest.as_bytes()),
            row.as_ref().map(|(_, known)| known.seen.as_bytes()),
            flags,
            extra_labels(labels, axes),
            objects_text(published),
        ])?;
        self.details.execute(params![
            self.collection,
            key.as_str(),
            first_key.as_str(),
            json(labels),
            json(recipe),
            json(base),
            take,
            json(vars),
            original.as_bytes(),
            published_to_json(published),
            row.as_ref().map(|(row, _)| json(&row.inputs)),
            row.as_ref().and_then(|(_, known)| known.id.as_deref()),
        ])?;
        Ok(())
    }
}

fn remember_moves(transaction: &Transaction<'_>, before: &Before<'_>, commit: &Commit) -> Result<(), Failure> {
    let mut statement = transaction.prepare(
        "INSERT INTO pixform_moves (collection, key, from_collection, from_key) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?;
    for put in &commit.put {
        if let Some((collection, key)) = &put.moved_from {
            statement.execute([before.collection, put.record.key.as_str(), collection.as_str(), key.as_str()])?;
        }
    }
    Ok(())
}
