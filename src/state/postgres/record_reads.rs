//! What planning reads: the collections, the records, narrow and whole, and the renames.

use std::pin::pin;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, next};
use super::failure::PostgresFailure;
use super::rights::Role;
use super::rows;
use super::table;
use crate::asset::{AssetKey, CollectionName, TableSpec};
use crate::digest::{ContentDigest, RecipeDigest, RenditionsDigest, RowDigest, SeenDigest};
use crate::record::{Record, RecordHead, RecordedRow};
use crate::state::stored_form::{self, HOLD, PROTECT, from_json, parsed};
use crate::state::table::TableFound;
use crate::state::{AppliedMove, RowSeen, ScanVisitor, Schema, StateError, TableSeen};

/// Streams the records, then the rows.
pub(super) async fn scan(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
    spec: Option<&TableSpec>,
    visitor: &mut (dyn ScanVisitor + Send),
) -> Result<TableSeen, PostgresFailure> {
    if schema != Schema::Absent {
        heads(transaction, collection, &mut |head| visitor.record(head)).await?;
    }
    let Some(spec) = spec else { return Ok(TableSeen::NotLooked) };
    Ok(match table::find(transaction, schema, spec, Role::Whoever).await? {
        TableFound::Absent => TableSeen::Absent,
        TableFound::Unfit(problems) => TableSeen::Unfit(problems),
        TableFound::Fits(_) => {
            rows::scan(transaction, spec, visitor).await?;
            TableSeen::Fits
        }
    })
}

/// Streams the narrow part of all records.
pub(super) async fn heads(
    transaction: &Transaction,
    collection: &CollectionName,
    take: &mut (dyn FnMut(RecordHead<'_>) + Send),
) -> Result<(), PostgresFailure> {
    // In the order of the index: a sort of a million records would spill to the server's disk.
    transaction.batch_execute("SET LOCAL enable_sort = off").await?;
    let sql = "SELECT key, recipe, renditions, row_digest, seen_digest, flags, extra_labels, objects
               FROM pixform.records WHERE collection = $1 ORDER BY collection, key";
    let params: [Param<'_>; 1] = [(&collection.as_str(), Type::TEXT)];
    let mut heads = pin!(transaction.query_typed_raw(sql, params).await?);
    while let Some(row) = next(&mut heads).await? {
        take(head(&row)?);
    }
    Ok(())
}

/// Returns the rows of those keys that have one.
pub(super) async fn rows(
    transaction: &Transaction,
    schema: Schema,
    spec: &TableSpec,
    keys: &[AssetKey],
) -> Result<Vec<RowSeen>, PostgresFailure> {
    match table::find(transaction, schema, spec, Role::Whoever).await? {
        TableFound::Absent | TableFound::Unfit(_) => Ok(Vec::new()),
        TableFound::Fits(shape) => rows::read(transaction, spec, &shape, &keys.iter().collect::<Vec<_>>()).await,
    }
}

/// Returns the whole records of those keys that have one.
pub(super) async fn records(
    transaction: &Transaction,
    collection: &CollectionName,
    keys: &[AssetKey],
) -> Result<Vec<Record>, PostgresFailure> {
    let sql = "SELECT r.key, d.first_key, d.labels, d.recipe, d.base, d.take, d.vars, d.original, d.published,
                      r.row_digest, r.seen_digest, d.row_id, d.row_inputs, r.flags
               FROM pixform.records AS r JOIN pixform.record_details AS d USING (collection, key)
               WHERE r.collection = $1 AND r.key = ANY($2)";
    let keys: Vec<&str> = keys.iter().map(AssetKey::as_str).collect();
    let params: [Param<'_>; 2] = [(&collection.as_str(), Type::TEXT), (&keys, Type::TEXT_ARRAY)];
    let found = transaction.query_typed(sql, &params).await?;
    found.iter().map(|row| record(row, collection)).collect()
}

/// Returns the renames that were carried out.
pub(super) async fn moves(
    transaction: &Transaction,
    collection: &CollectionName,
) -> Result<Vec<AppliedMove>, PostgresFailure> {
    let sql = "SELECT from_collection, from_key, key FROM pixform.moves WHERE collection = $1";
    let place = || format!("the renames of `{collection}`");
    let mut moves = Vec::new();
    for row in transaction.query_typed(sql, &[(&collection.as_str(), Type::TEXT)]).await? {
        let text = |at: usize| row.try_get::<_, &str>(at);
        moves.push((parsed(text(0)?, place)?, parsed(text(1)?, place)?, parsed(text(2)?, place)?));
    }
    Ok(moves)
}

/// Reads 32 bytes.
pub(super) fn bytes(row: &Row, at: usize, place: impl Fn() -> String) -> Result<[u8; 32], PostgresFailure> {
    sized(row.try_get(at)?, place)
}

/// Reads 32 bytes, or nothing.
pub(super) fn maybe_bytes(
    row: &Row,
    at: usize,
    place: impl Fn() -> String,
) -> Result<Option<[u8; 32]>, PostgresFailure> {
    row.try_get::<_, Option<&[u8]>>(at)?.map(|bytes| sized(bytes, place)).transpose()
}

fn sized(bytes: &[u8], place: impl Fn() -> String) -> Result<[u8; 32], PostgresFailure> {
    let unfit = |_| StateError::unreadable(place(), format!("a digest of {} bytes", bytes.len()));
    Ok(bytes.try_into().map_err(unfit)?)
}

fn row_digests(
    row: &Row,
    at: usize,
    place: impl Fn() -> String,
) -> Result<Option<(RowDigest, SeenDigest)>, PostgresFailure> {
    let (digest, seen) = (maybe_bytes(row, at, &place)?, maybe_bytes(row, at + 1, &place)?);
    Ok(digest.zip(seen).map(|(digest, seen)| (RowDigest::from_bytes(digest), SeenDigest::from_bytes(seen))))
}

fn head(row: &Row) -> Result<RecordHead<'_>, PostgresFailure> {
    let key: &str = row.try_get(0)?;
    let place = || format!("the record `{key}`");
    let flags: i32 = row.try_get(5)?;
    Ok(RecordHead {
        key,
        recipe: RecipeDigest::from_bytes(bytes(row, 1, place)?),
        renditions: RenditionsDigest::from_bytes(bytes(row, 2, place)?),
        row: row_digests(row, 3, place)?,
        protect: flags & PROTECT != 0,
        hold: flags & HOLD != 0,
        extra_labels: row.try_get(6)?,
        objects: row.try_get(7)?,
    })
}

fn record(row: &Row, collection: &CollectionName) -> Result<Record, PostgresFailure> {
    let key: &str = row.try_get(0)?;
    let place = || format!("the record `{collection}:{key}`");
    let text = |at: usize| row.try_get::<_, &str>(at);
    let flags: i32 = row.try_get(13)?;
    let recorded = match row_digests(row, 9, place)? {
        None => None,
        Some((digest, seen)) => {
            Some(RecordedRow { digest, seen, id: row.try_get(11)?, inputs: from_json(text(12)?, place)? })
        }
    };
    let take: i64 = row.try_get(5)?;
    Ok(Record {
        key: parsed(key, place)?,
        first_key: parsed(text(1)?, place)?,
        labels: from_json(text(2)?, place)?,
        recipe: from_json(text(3)?, place)?,
        base: from_json(text(4)?, place)?,
        take: u32::try_from(take).map_err(|error| StateError::unreadable(place(), error))?,
        vars: from_json(text(6)?, place)?,
        original: ContentDigest::from_bytes(bytes(row, 7, place)?),
        published: stored_form::published(text(8)?, place)?,
        row: recorded,
        protect: flags & PROTECT != 0,
        hold: flags & HOLD != 0,
    })
}
