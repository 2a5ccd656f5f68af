//! The leases that runs hold on collections.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::Postgres;
use super::database::{Transaction, TransactionKind};
use super::failure::PostgresFailure;
use super::runs;
use super::schema::NOW_SECONDS;
use crate::asset::{CollectionName, TableName};
use crate::process::Liveness;
use crate::state::stored_form::{json, run_columns};
use crate::state::{
    AppliedMove, Holder, IsAlive, LEASE_SECONDS, Lease, LeaseAnswer, LeasePort, Right, Run, Schema, StateError,
};

#[async_trait]
impl LeasePort for Postgres {
    async fn start_run(&self, run: &Run) -> Result<(), StateError> {
        self.change("remember the run", |transaction, _| async move { runs::start_run(&transaction, run).await }).await
    }

    async fn finish_run(&self, run: &str, outcome: &str) -> Result<(), StateError> {
        self.change("remember the end of the run", |transaction, _| async move {
            runs::finish_run(&transaction, run, outcome).await
        })
        .await
    }

    async fn beat(&self, run: &str) -> Result<(), StateError> {
        self.change("renew the run", |transaction, _| async move { runs::beat_alone(&transaction, run, None).await })
            .await
    }

    async fn holder(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        self.recall(TransactionKind::Statement, "read the lease", |transaction, schema| async move {
            holder(&transaction, schema, collection).await
        })
        .await
    }

    async fn take_lease(
        &self,
        collection: &CollectionName,
        run: &Run,
        liveness: IsAlive<'_>,
    ) -> Result<LeaseAnswer, StateError> {
        self.change("take the lease", |transaction, schema| async move {
            take(&transaction, schema, collection, run, liveness).await
        })
        .await
    }

    async fn renew(&self, leases: &[Lease]) -> Result<(), StateError> {
        self.change("renew the leases", |transaction, _| async move { renew(&transaction, leases).await }).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        self.change("give the lease back", |transaction, _| async move { release(&transaction, lease).await }).await
    }

    async fn break_lease(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        self.change(
            "break the lease",
            |transaction, schema| async move { unlock(&transaction, schema, collection).await },
        )
        .await
    }
}

/// Returns who holds the lease, expired or not.
pub(super) async fn holder(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
) -> Result<Option<Holder>, PostgresFailure> {
    let sql = format!(
        "SELECT r.id, l.since, l.expires, {NOW_SECONDS}, {}
         FROM pixform.leases AS l JOIN pixform.runs AS r ON r.id = l.run WHERE l.collection = $1",
        run_columns(schema)
    );
    let found = transaction.query_typed_opt(&sql, &[(&collection.as_str(), Type::TEXT)]).await?;
    let Some(row) = found else { return Ok(None) };
    let (command, process, origin) = runs::read(&row, 4)?;
    let run = Run { id: row.try_get(0)?, command, process, origin };
    let (since, expires, now) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    Ok(Some(Holder { collection: collection.clone(), run, since, expires, now }))
}

/// Takes the lease, unless somebody has it who is not expired and not dead.
pub(super) async fn take(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
    run: &Run,
    liveness: IsAlive<'_>,
) -> Result<LeaseAnswer, PostgresFailure> {
    runs::start_run(transaction, run).await?;
    let name = collection.as_str();
    // The line is there and locked before it is looked at: whoever asks at the same moment waits here.
    let insert =
        "INSERT INTO pixform.leases (collection, fence, since, expires) VALUES ($1, 0, 0, 0) ON CONFLICT DO NOTHING";
    transaction.execute_typed(insert, &[(&name, Type::TEXT)]).await?;
    // A holder in the middle of a commit has it locked, too, for as long as that takes: it is told, and not waited for.
    let lock = "SELECT 1 FROM pixform.leases WHERE collection = $1 FOR UPDATE SKIP LOCKED";
    let locked = transaction.query_typed_opt(lock, &[(&name, Type::TEXT)]).await?.is_some();
    let found = holder(transaction, schema, collection).await?;
    let found = match (locked, found) {
        (true, found) => found,
        (false, Some(holder)) if holder.run.id != run.id => return Ok(LeaseAnswer::Held(Box::new(holder))),
        (false, found) => {
            let wait = "SELECT 1 FROM pixform.leases WHERE collection = $1 FOR UPDATE";
            transaction.query_typed(wait, &[(&name, Type::TEXT)]).await?;
            match found {
                Some(_) => found,
                None => holder(transaction, schema, collection).await?,
            }
        }
    };
    let grows: i64 = match found {
        Some(holder) if holder.run.id == run.id => 0,
        Some(holder) if holder.expires > holder.now && liveness(&holder.run.process) != Liveness::Dead => {
            return Ok(LeaseAnswer::Held(Box::new(holder)));
        }
        Some(_) | None => 1,
    };
    let sql = format!(
        "UPDATE pixform.leases SET fence = fence + $3, run = $2, expires = {NOW_SECONDS} + {LEASE_SECONDS},
           since = CASE WHEN $3 = 0 THEN since ELSE {NOW_SECONDS} END
         WHERE collection = $1 RETURNING fence"
    );
    let params = [(&name as _, Type::TEXT), (&run.id as _, Type::TEXT), (&grows as _, Type::INT8)];
    let fence = transaction.query_typed_one(&sql, &params).await?.try_get(0)?;
    Ok(LeaseAnswer::Taken(Lease { collection: collection.clone(), run: run.id.clone(), fence }))
}

/// Renews leases, all or none.
pub(super) async fn renew(transaction: &Transaction, leases: &[Lease]) -> Result<(), PostgresFailure> {
    let collections: Vec<&str> = leases.iter().map(|lease| lease.collection.as_str()).collect();
    let ids: Vec<&str> = leases.iter().map(|lease| lease.run.as_str()).collect();
    let fences: Vec<i64> = leases.iter().map(|lease| lease.fence).collect();
    let sql = format!(
        "UPDATE pixform.leases AS l SET expires = {NOW_SECONDS} + {LEASE_SECONDS}
         FROM unnest($1, $2, $3) AS w (collection, run, fence)
         WHERE l.collection = w.collection AND l.run = w.run AND l.fence = w.fence RETURNING l.collection, l.run, l.fence"
    );
    let params =
        [(&collections as _, Type::TEXT_ARRAY), (&ids as _, Type::TEXT_ARRAY), (&fences as _, Type::INT8_ARRAY)];
    let renewed = transaction.query_typed(&sql, &params).await?;
    let ours =
        |row| Ok::<_, PostgresFailure>((tokio_postgres::Row::try_get(row, 0)?, row.try_get(1)?, row.try_get(2)?));
    let renewed: BTreeSet<(&str, &str, i64)> = renewed.iter().map(ours).collect::<Result<_, _>>()?;
    let is_lost = |lease: &&Lease| !renewed.contains(&(lease.collection.as_str(), &lease.run, lease.fence));
    if let Some(lost) = leases.iter().find(is_lost) {
        return Err(fenced(lost));
    }
    runs::beat(transaction, &ids).await
}

/// Gives a lease back.
pub(super) async fn release(transaction: &Transaction, lease: &Lease) -> Result<(), PostgresFailure> {
    let sql = "UPDATE pixform.leases SET run = NULL WHERE collection = $1 AND run = $2 AND fence = $3";
    transaction.execute_typed(sql, &named(&lease.collection.as_str(), &lease.run, &lease.fence)).await?;
    Ok(())
}

/// Takes a lease away from whoever has it.
pub(super) async fn unlock(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
) -> Result<Option<Holder>, PostgresFailure> {
    let lock = "SELECT 1 FROM pixform.leases WHERE collection = $1 FOR UPDATE";
    transaction.query_typed(lock, &[(&collection.as_str(), Type::TEXT)]).await?;
    let holder = holder(transaction, schema, collection).await?;
    let sql = "UPDATE pixform.leases SET run = NULL WHERE collection = $1";
    transaction.execute_typed(sql, &[(&collection.as_str(), Type::TEXT)]).await?;
    Ok(holder)
}

/// Checks that a lease is still ours, and lets nobody take it before the transaction ends; an expired one that nobody took
/// is ours.
pub(super) async fn check(transaction: &Transaction, lease: &Lease) -> Result<(), PostgresFailure> {
    let sql = "SELECT 1 FROM pixform.leases WHERE collection = $1 AND run = $2 AND fence = $3 FOR SHARE";
    let found = transaction.query_typed_opt(sql, &named(&lease.collection.as_str(), &lease.run, &lease.fence)).await?;
    found.map(|_| ()).ok_or_else(|| fenced(lease))
}

/// Checks the lease likewise, and writes the name of the commit beside it.
pub(super) async fn stamp(transaction: &Transaction, lease: &Lease, commit: &str) -> Result<(), PostgresFailure> {
    let sql = "UPDATE pixform.leases SET commit_id = $4 WHERE collection = $1 AND run = $2 AND fence = $3";
    let collection = lease.collection.as_str();
    let [name, run, fence] = named(&collection, &lease.run, &lease.fence);
    match transaction.execute_typed(sql, &[name, run, fence, (&commit, Type::TEXT)]).await? {
        0 => Err(fenced(lease)),
        _ => Ok(()),
    }
}

/// Tells whether a commit of that name was the last under the lease.
///
/// The server may still be at it when its client has long lost it: the line is locked, which waits for that, and only then
/// looked at.
async fn is_stamped(transaction: &Transaction, lease: &Lease, commit: &str) -> Result<bool, PostgresFailure> {
    let sql = "SELECT commit_id FROM pixform.leases WHERE collection = $1 FOR UPDATE";
    let found = transaction.query_typed_opt(sql, &[(&lease.collection.as_str(), Type::TEXT)]).await?;
    Ok(found
        .map(|row| row.try_get::<_, Option<&str>>(0).map(|name| name == Some(commit)))
        .transpose()?
        .unwrap_or_default())
}

/// The name of a change that cannot be done twice: where the answer to its commit was lost, it tells whether it happened.
pub(super) struct CommitStamp {
    /// The name.
    pub name: String,
    tried: AtomicBool,
}

impl CommitStamp {
    /// Makes a name that no other change has.
    pub(super) fn new() -> Self {
        Self { name: uuid::Uuid::now_v7().to_string(), tried: AtomicBool::new(false) }
    }

    /// Tells whether an earlier attempt happened after all; the first attempt need not ask.
    pub(super) async fn is_set(&self, transaction: &Transaction, right: Right<'_>) -> Result<bool, PostgresFailure> {
        if !self.tried.swap(true, Ordering::Relaxed) {
            return Ok(false);
        }
        match right {
            Right::Lease(lease) => is_stamped(transaction, lease, &self.name).await,
            Right::Heartbeat { run } => Ok(runs::stamped(transaction, run).await?.as_ref() == Some(&self.name)),
        }
    }
}

fn named<'p>(collection: &'p &str, run: &'p String, fence: &'p i64) -> [super::database::Param<'p>; 3] {
    [(collection, Type::TEXT), (run, Type::TEXT), (fence, Type::INT8)]
}

fn fenced(lease: &Lease) -> PostgresFailure {
    StateError::Fenced { collection: lease.collection.clone() }.into()
}

/// Remembers a collection's key axes and, where there is one, the table that it is published to.
pub(super) async fn remember_collection(
    transaction: &Transaction,
    lease: &Lease,
    key: &[String],
    table: Option<&TableName>,
) -> Result<(), PostgresFailure> {
    check(transaction, lease).await?;
    let sql = "INSERT INTO pixform.collections AS c (name, key_axes, table_name) VALUES ($1, $2, $3)
               ON CONFLICT (name) DO UPDATE SET key_axes = excluded.key_axes,
                 table_name = coalesce(excluded.table_name, c.table_name)";
    let (axes, table) = (json(&key), table.map(ToString::to_string));
    let params = [(&lease.collection.as_str() as _, Type::TEXT), (&axes as _, Type::TEXT), (&table as _, Type::TEXT)];
    transaction.execute_typed(sql, &params).await?;
    if let Some(table) = &table {
        let remember = "INSERT INTO pixform.published_tables (name) VALUES ($1) ON CONFLICT DO NOTHING";
        transaction.execute_typed(remember, &[(table, Type::TEXT)]).await?;
    }
    Ok(())
}

/// Forgets a collection without records, and its renames; one with records stays as it is.
pub(super) async fn forget_collection(transaction: &Transaction, lease: &Lease) -> Result<(), PostgresFailure> {
    check(transaction, lease).await?;
    let name = lease.collection.as_str();
    let collection = [(&name as _, Type::TEXT)];
    let kept = "SELECT 1 FROM pixform.records WHERE collection = $1 LIMIT 1";
    if transaction.query_typed_opt(kept, &collection).await?.is_some() {
        return Ok(());
    }
    for sql in ["DELETE FROM pixform.collections WHERE name = $1", "DELETE FROM pixform.moves WHERE collection = $1"] {
        transaction.execute_typed(sql, &collection).await?;
    }
    Ok(())
}

/// Forgets the renames that are not to be kept.
pub(super) async fn keep_moves(
    transaction: &Transaction,
    lease: &Lease,
    keep: &[AppliedMove],
) -> Result<(), PostgresFailure> {
    check(transaction, lease).await?;
    let sql = "DELETE FROM pixform.moves AS m WHERE m.collection = $1 AND NOT EXISTS
                 (SELECT FROM unnest($2, $3, $4) AS k (from_collection, from_key, key)
                  WHERE k.from_collection = m.from_collection AND k.from_key = m.from_key AND k.key = m.key)";
    let collections: Vec<&str> = keep.iter().map(|(collection, _, _)| collection.as_str()).collect();
    let froms: Vec<&str> = keep.iter().map(|(_, from, _)| from.as_str()).collect();
    let keys: Vec<&str> = keep.iter().map(|(_, _, key)| key.as_str()).collect();
    let params = [
        (&lease.collection.as_str() as _, Type::TEXT),
        (&collections as _, Type::TEXT_ARRAY),
        (&froms as _, Type::TEXT_ARRAY),
        (&keys as _, Type::TEXT_ARRAY),
    ];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}
