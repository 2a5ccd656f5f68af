//! Records and rows that change together.
//!
//! Keys in a commit speak of the state before it: what is deleted and what is renamed is what stood there. So renames
//! leave their places first, then deletions happen, then renames arrive, then values are written. Only a row whose
//! place another row takes is put on a shelf meanwhile, under a key that no label can spell. However many assets there
//! are, each kind of change is one statement.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::acceptances;
use super::database::{Param, Transaction, TransactionKind};
use super::definition::missing;
use super::failure::PostgresFailure;
use super::known_shapes::Shapes;
use super::lease::{self, CommitStamp};
use super::record_reads::{bytes, maybe_bytes};
use super::records::{self, RecordColumns};
use super::references;
use super::rights::Role;
use super::rows::{PostgresWriter, RowKept};
use super::schema::schema;
use super::shown;
use super::table::{self, PostgresShape};
use super::{COMMIT, Postgres, record_reads, row_rules};
use crate::asset::{AssetKey, CollectionName, TableName, TableSpec};
use crate::digest::SeenDigest;
use crate::record::Record;
use crate::state::commit_before::{Before, KnownRow, Rename, own_columns};
use crate::state::references::Named;
use crate::state::stored_form::from_json;
use crate::state::table::{NO_SHELF, TableFound};
use crate::state::{
    Acceptance, AppliedMove, Breach, Commit, Lease, RecordPort, Right, RowAhead, RowSeen, ScanVisitor, Schema,
    StateError, TableSeen,
};

#[async_trait]
impl RecordPort for Postgres {
    async fn scan(
        &self,
        collection: &CollectionName,
        table: Option<&TableSpec>,
        visitor: &mut (dyn ScanVisitor + Send),
    ) -> Result<TableSeen, StateError> {
        let (transaction, schema) = self.begin("read records and rows").await?;
        let scanned = async {
            let seen = record_reads::scan(&transaction, schema, collection, table, visitor).await?;
            transaction.commit().await?;
            Ok(seen)
        };
        scanned.await.map_err(|failure| self.database.told(failure, "read records and rows"))
    }

    async fn records(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Record>, StateError> {
        self.recall(TransactionKind::Statement, "read the records", |transaction, _| async move {
            record_reads::records(&transaction, collection, keys).await
        })
        .await
    }

    async fn rows(&self, table: &TableSpec, keys: &[AssetKey]) -> Result<Vec<RowSeen>, StateError> {
        self.database
            .run(TransactionKind::Read, "read the rows", |transaction| async move {
                let schema = schema(&self.database, &transaction).await?;
                record_reads::rows(&transaction, schema, table, keys).await
            })
            .await
    }

    async fn breaches(&self, table: &TableSpec, rows: &[RowAhead]) -> Result<Vec<Breach>, StateError> {
        row_rules::breaches(&self.database, table, rows).await
    }

    async fn moves(&self, collection: &CollectionName) -> Result<Vec<AppliedMove>, StateError> {
        self.recall(TransactionKind::Statement, "read the renames", |transaction, _| async move {
            record_reads::moves(&transaction, collection).await
        })
        .await
    }

    async fn acceptances(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Acceptance>, StateError> {
        self.recall(TransactionKind::Statement, "read what was accepted", |transaction, schema| async move {
            acceptances::acceptances(&transaction, schema, collection, keys).await
        })
        .await
    }

    async fn remember_collection(
        &self,
        lease: &Lease,
        key: &[String],
        table: Option<&TableName>,
    ) -> Result<(), StateError> {
        self.change("remember the collection", |transaction, _| async move {
            lease::remember_collection(&transaction, lease, key, table).await
        })
        .await
    }

    async fn forget_collection(&self, lease: &Lease) -> Result<(), StateError> {
        self.change("forget the collection", |transaction, _| async move {
            lease::forget_collection(&transaction, lease).await
        })
        .await
    }

    async fn keep_moves(&self, lease: &Lease, keep: &[AppliedMove]) -> Result<(), StateError> {
        self.change(
            "forget renames",
            |transaction, _| async move { lease::keep_moves(&transaction, lease, keep).await },
        )
        .await
    }

    async fn commit(&self, lease: &Lease, table: Option<&TableSpec>, whole: &Commit) -> Result<(), StateError> {
        // Renames cannot be done twice.
        let stamp = &CommitStamp::new();
        let task = &CommitTask { lease, table, stamp, shapes: &self.shapes };
        let committed = self
            .change(COMMIT, |transaction, _| async move {
                match stamp.is_set(&transaction, Right::Lease(lease)).await? {
                    true => Ok(()),
                    false => commit(&transaction, task, whole).await,
                }
            })
            .await;
        if committed.is_err() {
            self.shapes.forget();
        }
        committed
    }
}

/// What a commit is written by, and with.
struct CommitTask<'t> {
    lease: &'t Lease,
    table: Option<&'t TableSpec>,
    stamp: &'t CommitStamp,
    shapes: &'t Shapes,
}

/// Writes a commit; its name is written beside the lease, so that it can be told whether it happened.
async fn commit(transaction: &Transaction, task: &CommitTask<'_>, commit: &Commit) -> Result<(), PostgresFailure> {
    let CommitTask { lease, table: spec, stamp, shapes } = *task;
    lease::stamp(transaction, lease, &stamp.name).await?;
    let before = before(transaction, lease, commit).await?;
    shown::keep_replaced(transaction, lease, commit).await?;
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
        Ok::<_, PostgresFailure>(RecordColumns::of(commit, &axes))
    };
    let (written, columns) = futures::join!(rows, ready);
    write_records(transaction, &before, spec, commit, (columns?, &written?)).await?;
    references::update(transaction, &before.named, &Named::by(commit)).await?;
    acceptances::keep(transaction, lease, &commit.accepted).await?;
    remember_moves(transaction, &before, commit).await
}

/// Reads what stood where the commit reaches to.
async fn before<'c>(
    transaction: &Transaction,
    lease: &'c Lease,
    commit: &'c Commit,
) -> Result<Before<'c>, PostgresFailure> {
    let mut before = Before::new(lease.collection.as_str(), commit);
    let (collections, keys): (Vec<&str>, Vec<&str>) = before.reach().into_iter().unzip();
    let sql = "SELECT r.collection, r.key, r.seen_digest, d.row_id, d.original, r.objects
               FROM unnest($1, $2) AS w (collection, key)
               JOIN pixform.records AS r ON r.collection = w.collection AND r.key = w.key
               JOIN pixform.record_details AS d ON d.collection = w.collection AND d.key = w.key";
    let params: [Param<'_>; 2] = [(&collections, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY)];
    for row in transaction.query_typed(sql, &params).await? {
        let (collection, key): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let seen = maybe_bytes(&row, 2, || format!("the record `{collection}:{key}`"))?;
        let id = row.try_get(3)?;
        let known = seen.map(|seen| KnownRow { seen: SeenDigest::from_bytes(seen), id });
        before.named.add(bytes(&row, 4, || format!("the record `{collection}:{key}`"))?, row.try_get(5)?);
        before.add(collection, key, known);
    }
    Ok(before)
}

/// Moves, deletes and writes rows; returns how those with new values came back.
async fn write_rows<'c>(
    transaction: &Transaction,
    spec: &TableSpec,
    shape: &PostgresShape,
    before: &Before<'c>,
    commit: &'c Commit,
) -> Result<HashMap<String, KnownRow>, PostgresFailure> {
    let writer = PostgresWriter::new(transaction, spec, shape);
    let renames = before.row_renames(spec)?;
    let shelves: Vec<String> = (0..renames.len()).map(|at| format!("~{at}")).collect();
    let (shelved, arriving) = shelve(&renames, &shelves, shape)?;
    writer.rekey(&shelved, RowKept::Ours).await?;
    writer.delete(&before.row_deletions(spec)).await?;
    writer.rekey(&arriving, RowKept::Theirs).await?;
    let mut values = Vec::new();
    for put in records::puts(commit) {
        if let Some(columns) = &put.values {
            values.push((own_columns(spec, &put.record.key)?, columns.as_slice()));
        }
    }
    let written = writer.write(&values).await?;
    Ok(written.into_iter().map(|row| (row.key, KnownRow { seen: row.seen, id: row.id })).collect())
}

/// Looks at the table, unless it was found to fit before.
pub(super) async fn shape(
    transaction: &Transaction,
    spec: &TableSpec,
    shapes: &Shapes,
) -> Result<PostgresShape, PostgresFailure> {
    if let Some(shape) = shapes.get(spec) {
        return Ok(shape);
    }
    let unfit = |problems| PostgresFailure::from(StateError::Table { table: spec.name.clone(), problems });
    match table::find(transaction, Schema::Current, spec, Role::Writer).await? {
        TableFound::Fits(shape) => {
            shapes.keep(spec, &shape);
            Ok(shape)
        }
        TableFound::Unfit(problems) => Err(unfit(problems)),
        TableFound::Absent => Err(unfit(missing(spec))),
    }
}

/// Returns which rows go on a shelf first, and where all of them arrive from there.
fn shelve<'c>(
    renames: &[Rename<'c>],
    shelves: &'c [String],
    shape: &PostgresShape,
) -> Result<(Vec<Rename<'c>>, Vec<Rename<'c>>), PostgresFailure> {
    let taken: HashSet<&[&str]> = renames.iter().map(|(_, to)| to.as_slice()).collect();
    let (mut shelved, mut arriving) = (Vec::new(), Vec::new());
    for ((from, to), shelf) in renames.iter().zip(shelves) {
        if !taken.contains(from.as_slice()) {
            arriving.push((from.clone(), to.clone()));
            continue;
        }
        let Some(place) = shape.shelf else {
            return Err(StateError::refused("rename the rows", NO_SHELF).into());
        };
        let mut on_shelf = from.clone();
        on_shelf[place] = shelf.as_str();
        shelved.push((from.clone(), on_shelf.clone()));
        arriving.push((on_shelf, to.clone()));
    }
    Ok((shelved, arriving))
}

async fn write_records(
    transaction: &Transaction,
    before: &Before<'_>,
    spec: Option<&TableSpec>,
    commit: &Commit,
    (mut columns, written): (RecordColumns<'_>, &HashMap<String, KnownRow>),
) -> Result<(), PostgresFailure> {
    let growth = before.growth();
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
    for put in records::puts(commit) {
        let known = before.known_row(spec, put, written)?;
        columns.seen.push(known.as_ref().map(|known| known.seen.as_bytes().to_vec()));
        columns.row_ids.push(known.and_then(|known| known.id));
    }
    records::write(transaction, before.collection, &columns).await
}

async fn remembered_axes(transaction: &Transaction, collection: &str) -> Result<Vec<String>, PostgresFailure> {
    let sql = "SELECT key_axes FROM pixform.collections WHERE name = $1";
    let row = transaction.query_typed_one(sql, &[(&collection, Type::TEXT)]).await?;
    Ok(from_json(row.try_get(0)?, || format!("the collection `{collection}`"))?)
}

async fn remember_moves(
    transaction: &Transaction,
    before: &Before<'_>,
    commit: &Commit,
) -> Result<(), PostgresFailure> {
    let moves = commit.put.iter().filter_map(|put| {
        let (collection, key) = put.moved_from.as_ref()?;
        Some((put.record.key.as_str(), collection.as_str(), key.as_str()))
    });
    let settled = commit.settled.iter().map(|(collection, from, to)| (to.as_str(), collection.as_str(), from.as_str()));
    let (mut keys, mut from_collections, mut from_keys) = (Vec::new(), Vec::new(), Vec::new());
    for (key, from_collection, from_key) in moves.chain(settled) {
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
