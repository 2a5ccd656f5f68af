//! What planning reads: the collections, the records, narrow and whole, and the renames.

use rusqlite::{Connection, Row};

use super::failure::SqliteFailure;
use super::rows::{self, KEYS_MAX, distinct};
use super::table;
use crate::asset::{AssetKey, CollectionName, TableSpec};
use crate::digest::{ContentDigest, RecipeDigest, RenditionsDigest, RowDigest, SeenDigest};
use crate::record::{Record, RecordHead, RecordedRow};
use crate::state::stored_form::{self, HOLD, PROTECT, from_json, json, parsed};
use crate::state::table::TableFound;
use crate::state::{AppliedMove, RowSeen, ScanVisitor, Schema, TableSeen};

/// Streams the records, then the rows.
pub(super) fn scan(
    connection: &Connection,
    schema: Schema,
    collection: &CollectionName,
    spec: Option<&TableSpec>,
    visitor: &mut (dyn ScanVisitor + Send),
) -> Result<TableSeen, SqliteFailure> {
    if schema != Schema::Absent {
        heads(connection, collection, &mut |head| visitor.record(head))?;
    }
    let Some(spec) = spec else { return Ok(TableSeen::NotLooked) };
    Ok(match table::find(connection, schema, spec)? {
        TableFound::Absent => TableSeen::Absent,
        TableFound::Unfit(problems) => TableSeen::Unfit(problems),
        TableFound::Fits(_) => {
            rows::scan(connection, spec, visitor)?;
            TableSeen::Fits
        }
    })
}

/// Streams the narrow part of all records.
pub(super) fn heads(
    connection: &Connection,
    collection: &CollectionName,
    take: &mut dyn FnMut(RecordHead<'_>),
) -> Result<(), SqliteFailure> {
    let mut statement = connection.prepare(
        "SELECT key, recipe, renditions, row_digest, seen_digest, flags, extra_labels, objects
         FROM pixform_records WHERE collection = ?1 ORDER BY key",
    )?;
    let mut rows = statement.query([collection.as_str()])?;
    while let Some(row) = rows.next()? {
        take(head(row)?);
    }
    Ok(())
}

/// Returns the rows of those keys that have one.
pub(super) fn rows(
    connection: &Connection,
    schema: Schema,
    spec: &TableSpec,
    keys: &[AssetKey],
) -> Result<Vec<RowSeen>, SqliteFailure> {
    match table::find(connection, schema, spec)? {
        TableFound::Absent | TableFound::Unfit(_) => Ok(Vec::new()),
        TableFound::Fits(shape) => rows::read(connection, spec, &shape, &keys.iter().collect::<Vec<_>>()),
    }
}

/// Returns the whole records of those keys that have one.
pub(super) fn records(
    connection: &Connection,
    collection: &CollectionName,
    keys: &[AssetKey],
) -> Result<Vec<Record>, SqliteFailure> {
    let mut statement = connection.prepare(
        "SELECT r.key, d.first_key, d.labels, d.recipe, d.base, d.take, d.vars, d.original, d.published,
                r.row_digest, r.seen_digest, d.row_id, d.row_inputs, r.flags
         FROM json_each(?2) AS w
         CROSS JOIN pixform_records AS r ON r.collection = ?1 AND r.key = w.value
         CROSS JOIN pixform_record_details AS d ON d.collection = ?1 AND d.key = r.key",
    )?;
    let mut records = Vec::with_capacity(keys.len());
    for keys in distinct(keys.iter().map(AssetKey::as_str)).chunks(KEYS_MAX) {
        let mut rows = statement.query([collection.as_str(), &json(&keys)])?;
        while let Some(row) = rows.next()? {
            records.push(record(row, collection)?);
        }
    }
    Ok(records)
}

/// Returns the renames that were carried out.
pub(super) fn moves(connection: &Connection, collection: &CollectionName) -> Result<Vec<AppliedMove>, SqliteFailure> {
    let mut statement =
        connection.prepare("SELECT from_collection, from_key, key FROM pixform_moves WHERE collection = ?1")?;
    let mut rows = statement.query([collection.as_str()])?;
    let mut moves = Vec::new();
    while let Some(row) = rows.next()? {
        let place = || format!("the renames of `{collection}`");
        moves.push((parsed(text(row, 0)?, place)?, parsed(text(row, 1)?, place)?, parsed(text(row, 2)?, place)?));
    }
    Ok(moves)
}

/// Borrows a text.
pub(super) fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, SqliteFailure> {
    Ok(row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?)
}

/// Reads 32 bytes; their length is checked by the table.
pub(super) fn bytes(row: &Row<'_>, at: usize) -> Result<[u8; 32], SqliteFailure> {
    Ok(row.get(at)?)
}

fn row_digests(row: &Row<'_>, at: usize) -> Result<Option<(RowDigest, SeenDigest)>, SqliteFailure> {
    let (digest, seen): (Option<[u8; 32]>, Option<[u8; 32]>) = (row.get(at)?, row.get(at + 1)?);
    Ok(digest.zip(seen).map(|(digest, seen)| (RowDigest::from_bytes(digest), SeenDigest::from_bytes(seen))))
}

fn head<'r>(row: &'r Row<'_>) -> Result<RecordHead<'r>, SqliteFailure> {
    let flags: i32 = row.get(5)?;
    Ok(RecordHead {
        key: text(row, 0)?,
        recipe: RecipeDigest::from_bytes(bytes(row, 1)?),
        renditions: RenditionsDigest::from_bytes(bytes(row, 2)?),
        row: row_digests(row, 3)?,
        protect: flags & PROTECT != 0,
        hold: flags & HOLD != 0,
        extra_labels: text(row, 6)?,
        objects: text(row, 7)?,
    })
}

fn record(row: &Row<'_>, collection: &CollectionName) -> Result<Record, SqliteFailure> {
    let key = text(row, 0)?;
    let place = || format!("the record `{collection}:{key}`");
    let flags: i32 = row.get(13)?;
    let recorded = match row_digests(row, 9)? {
        None => None,
        Some((digest, seen)) => {
            Some(RecordedRow { digest, seen, id: row.get(11)?, inputs: from_json(text(row, 12)?, place)? })
        }
    };
    Ok(Record {
        key: parsed(key, place)?,
        first_key: parsed(text(row, 1)?, place)?,
        labels: from_json(text(row, 2)?, place)?,
        recipe: from_json(text(row, 3)?, place)?,
        base: from_json(text(row, 4)?, place)?,
        take: row.get(5)?,
        vars: from_json(text(row, 6)?, place)?,
        original: ContentDigest::from_bytes(bytes(row, 7)?),
        published: stored_form::published(text(row, 8)?, place)?,
        row: recorded,
        protect: flags & PROTECT != 0,
        hold: flags & HOLD != 0,
    })
}
