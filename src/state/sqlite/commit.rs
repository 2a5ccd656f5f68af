//! Records and rows that change together.
//!
//! Keys in a commit speak of the state before it: what is deleted and what is renamed is what stood there. So renames
//! leave their places first, then deletions happen, then renames arrive, then values are written. Only a row whose
//! place another row takes is put on a shelf meanwhile, under a key that no label can spell.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use rusqlite::{Statement, Transaction, params};

use super::acceptances;
use super::failure::SqliteFailure;
use super::lease;
use super::record_reads::{bytes, text};
use super::references;
use super::rows::{self, KEYS_MAX, SqliteWriter};
use super::shown;
use super::table;
use super::{COMMIT, Sqlite, record_reads, row_rules};
use crate::asset::{AssetKey, CollectionName, TableName, TableSpec};
use crate::digest::SeenDigest;
use crate::record::{Record, RecordedRow, extra_labels, objects_text, published_to_json};
use crate::state::commit_before::{Before, KnownRow, own_columns};
use crate::state::references::Named;
use crate::state::stored_form::{flags, from_json, json};
use crate::state::table::{NO_SHELF, TableFound};
use crate::state::{
    Acceptance, AppliedMove, Breach, Commit, Lease, RecordPort, RowAhead, RowSeen, ScanVisitor, Schema, StateError,
    TableSeen,
};

#[async_trait]
impl RecordPort for Sqlite {
    async fn scan(
        &self,
        collection: &CollectionName,
        table: Option<&TableSpec>,
        visitor: &mut (dyn ScanVisitor + Send),
    ) -> Result<TableSeen, StateError> {
        self.read("read records and rows", |connection, schema| {
            record_reads::scan(connection, schema, collection, table, visitor)
        })
    }

    async fn records(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Record>, StateError> {
        self.recall("read the records", |connection, _| record_reads::records(connection, collection, keys))
    }

    async fn rows(&self, table: &TableSpec, keys: &[AssetKey]) -> Result<Vec<RowSeen>, StateError> {
        self.read("read the rows", |connection, schema| record_reads::rows(connection, schema, table, keys))
    }

    async fn breaches(&self, table: &TableSpec, rows: &[RowAhead]) -> Result<Vec<Breach>, StateError> {
        self.read("look at the rules of the table", |connection, _| row_rules::breaches(connection, table, rows))
    }

    async fn moves(&self, collection: &CollectionName) -> Result<Vec<AppliedMove>, StateError> {
        self.recall("read the renames", |connection, _| record_reads::moves(connection, collection))
    }

    async fn acceptances(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Acceptance>, StateError> {
        self.recall("read what was accepted", |connection, schema| {
            acceptances::acceptances(connection, schema, collection, keys)
        })
    }

    async fn remember_collection(
        &self,
        lease: &Lease,
        key: &[String],
        table: Option<&TableName>,
    ) -> Result<(), StateError> {
        self.write("remember the collection", |transaction| lease::remember_collection(transaction, lease, key, table))
    }

    async fn forget_collection(&self, lease: &Lease) -> Result<(), StateError> {
        self.write("forget the collection", |transaction| lease::forget_collection(transaction, lease))
    }

    async fn keep_moves(&self, lease: &Lease, keep: &[AppliedMove]) -> Result<(), StateError> {
        self.write("forget renames", |transaction| lease::keep_moves(transaction, lease, keep))
    }

    async fn commit(&self, lease: &Lease, table: Option<&TableSpec>, whole: &Commit) -> Result<(), StateError> {
        self.write(COMMIT, |transaction| commit(transaction, lease, table, whole))
    }
}

/// Writes a commit.
pub(super) fn commit(
    transaction: &Transaction<'_>,
    lease: &Lease,
    spec: Option<&TableSpec>,
    commit: &Commit,
) -> Result<(), SqliteFailure> {
    lease::check(transaction, lease)?;
    // A table of the product that points at ours is asked once everything has its new key.
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    let before = before(transaction, lease, commit)?;
    shown::keep_replaced(transaction, lease, commit)?;
    let written = match spec {
        Some(spec) => write_rows(transaction, spec, &before, commit)?,
        None => HashMap::new(),
    };
    write_records(transaction, &before, spec, commit, &written)?;
    references::update(transaction, &before.named, &Named::by(commit))?;
    acceptances::keep(transaction, lease, &commit.accepted)?;
    remember_moves(transaction, &before, commit)
}

/// Reads what stood where the commit reaches to.
fn before<'c>(
    transaction: &Transaction<'_>,
    lease: &'c Lease,
    commit: &'c Commit,
) -> Result<Before<'c>, SqliteFailure> {
    let mut before = Before::new(lease.collection.as_str(), commit);
    let mut statement = transaction.prepare(
        "SELECT r.collection, r.key, r.seen_digest, d.row_id, d.original, r.objects
         FROM json_each(?1) AS w
         CROSS JOIN pixform_records AS r ON r.collection = w.value ->> 0 AND r.key = w.value ->> 1
         CROSS JOIN pixform_record_details AS d ON d.collection = r.collection AND d.key = r.key",
    )?;
    let reach: Vec<_> = before.reach().into_iter().collect();
    for reach in reach.chunks(KEYS_MAX) {
        let mut found = statement.query([json(&reach)])?;
        while let Some(row) = found.next()? {
            let (seen, id) = (row.get::<_, Option<[u8; 32]>>(2)?, row.get(3)?);
            let known = seen.map(|seen| KnownRow { seen: SeenDigest::from_bytes(seen), id });
            before.named.add(bytes(row, 4)?, text(row, 5)?);
            before.add(row.get(0)?, row.get(1)?, known);
        }
    }
    Ok(before)
}

/// Moves, deletes and writes rows; returns how those with new values came back.
fn write_rows<'c>(
    transaction: &Transaction<'_>,
    spec: &TableSpec,
    before: &Before<'c>,
    commit: &'c Commit,
) -> Result<HashMap<String, KnownRow>, SqliteFailure> {
    let unfit = |problems| SqliteFailure::from(StateError::Table { table: spec.name.clone(), problems });
    let shape = match table::find(transaction, Schema::Current, spec)? {
        TableFound::Fits(shape) => shape,
        TableFound::Unfit(problems) => return Err(unfit(problems)),
        TableFound::Absent => return Err(unfit(table::missing(spec))),
    };
    let mut writer = SqliteWriter::new(transaction, spec, &shape)?;
    let renames = before.row_renames(spec)?;
    let taken: HashSet<&[&str]> = renames.iter().map(|(_, to)| to.as_slice()).collect();
    let shelves: Vec<_> = (0..renames.len()).map(|at| format!("pixform/shelf/{at}")).collect();
    let mut arrivals = Vec::with_capacity(renames.len());
    for ((from, to), shelf) in renames.iter().zip(&shelves) {
        if taken.contains(from.as_slice()) {
            let place = shape.shelf.ok_or_else(|| StateError::refused("rename the rows", NO_SHELF))?;
            writer.shelve(from, shelf)?;
            let mut shelved = from.clone();
            shelved[place] = shelf.as_str();
            arrivals.push((shelved, to));
        } else {
            arrivals.push((from.clone(), to));
        }
    }
    for key in before.row_deletions(spec) {
        writer.delete(&key)?;
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
    let read = rows::read(transaction, spec, &shape, &keys)?;
    Ok(read.into_iter().map(|row| (row.key.to_string(), KnownRow { seen: row.seen, id: row.id })).collect())
}

fn write_records(
    transaction: &Transaction<'_>,
    before: &Before<'_>,
    spec: Option<&TableSpec>,
    commit: &Commit,
    written: &HashMap<String, KnownRow>,
) -> Result<(), SqliteFailure> {
    transaction.execute("INSERT OR IGNORE INTO pixform_collections (name) VALUES (?1)", [before.collection])?;
    let axes = match spec {
        Some(spec) => spec.key.clone(),
        None => remembered_axes(transaction, before.collection)?,
    };
    let mut delete = transaction.prepare("DELETE FROM pixform_records WHERE collection = ?1 AND key = ?2")?;
    for (collection, key) in &before.leaving {
        delete.execute([collection, key])?;
    }
    let mut writer = RecordWriter::new(transaction, before.collection)?;
    for put in &commit.put {
        let known = before.known_row(spec, put, written)?;
        writer.write(&put.record, put.record.row.as_ref().zip(known), &axes)?;
    }
    Ok(())
}

fn remembered_axes(transaction: &Transaction<'_>, collection: &str) -> Result<Vec<String>, SqliteFailure> {
    let sql = "SELECT key_axes FROM pixform_collections WHERE name = ?1";
    let axes: String = transaction.query_row(sql, [collection], |row| row.get(0))?;
    Ok(from_json(&axes, || format!("the collection `{collection}`"))?)
}

/// Writes records, through statements that are prepared once.
struct RecordWriter<'t> {
    collection: &'t str,
    head: Statement<'t>,
    details: Statement<'t>,
}

impl<'t> RecordWriter<'t> {
    fn new(transaction: &'t Transaction<'_>, collection: &'t str) -> Result<Self, SqliteFailure> {
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

    fn write(
        &mut self,
        record: &Record,
        row: Option<(&RecordedRow, KnownRow)>,
        axes: &[String],
    ) -> Result<(), SqliteFailure> {
        let renditions = record.renditions_digest();
        let Record {
            key,
            first_key,
            labels,
            recipe,
            base,
            take,
            vars,
            original,
            published,
            row: _,
            protect: _,
            hold: _,
        } = record;
        self.head.execute(params![
            self.collection,
            key.as_str(),
            recipe.digest().as_bytes(),
            renditions.as_bytes(),
            row.as_ref().map(|(row, _)| row.digest.as_bytes()),
            row.as_ref().map(|(_, known)| known.seen.as_bytes()),
            flags(record),
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

fn remember_moves(transaction: &Transaction<'_>, before: &Before<'_>, commit: &Commit) -> Result<(), SqliteFailure> {
    let mut statement = transaction.prepare(
        "INSERT INTO pixform_moves (collection, key, from_collection, from_key) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?;
    for put in &commit.put {
        if let Some((collection, key)) = &put.moved_from {
            statement.execute([before.collection, put.record.key.as_str(), collection.as_str(), key.as_str()])?;
        }
    }
    for (collection, from, to) in &commit.settled {
        statement.execute([before.collection, to.as_str(), collection.as_str(), from.as_str()])?;
    }
    Ok(())
}
