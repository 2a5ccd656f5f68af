//! The leases that runs hold on collections.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Sqlite;
use super::failure::SqliteFailure;
use super::schema::{NOW, schema};
use super::{record_reads, runs};
use crate::asset::{CollectionName, TableName};
use crate::process::Liveness;
use crate::state::stored_form::json;
use crate::state::{
    AppliedMove, Holder, IsAlive, LEASE_SECONDS, Lease, LeaseAnswer, LeasePort, Run, Schema, StateError,
};

#[async_trait]
impl LeasePort for Sqlite {
    async fn start_run(&self, run: &Run) -> Result<(), StateError> {
        self.write("remember the run", |transaction| runs::start_run(transaction, run))
    }

    async fn finish_run(&self, run: &str, outcome: &str) -> Result<(), StateError> {
        self.write("remember the end of the run", |transaction| runs::finish_run(transaction, run, outcome))
    }

    async fn beat(&self, run: &str) -> Result<(), StateError> {
        self.write("renew the run", |transaction| runs::beat(transaction, run))
    }

    async fn holder(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        self.recall("read the lease", |connection, schema| holder(connection, schema, collection))
    }

    async fn take_lease(
        &self,
        collection: &CollectionName,
        run: &Run,
        liveness: IsAlive<'_>,
    ) -> Result<LeaseAnswer, StateError> {
        self.write("take the lease", |transaction| take(transaction, collection, run, liveness))
    }

    async fn renew(&self, leases: &[Lease]) -> Result<(), StateError> {
        self.write("renew the leases", |transaction| renew(transaction, leases))
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        self.write("give the lease back", |transaction| release(transaction, lease))
    }

    async fn break_lease(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        self.write("break the lease", |transaction| unlock(transaction, collection))
    }
}

/// Returns who holds the lease, expired or not.
pub(super) fn holder(
    connection: &Connection,
    schema: Schema,
    collection: &CollectionName,
) -> Result<Option<Holder>, SqliteFailure> {
    let sql = "SELECT run, since, expires, unixepoch() FROM pixform_leases WHERE collection = ?1 AND run IS NOT NULL";
    let found = connection
        .query_row(sql, [collection.as_str()], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((run, since, expires, now)) = found else { return Ok(None) };
    let run = runs::run(connection, schema, &run)?;
    Ok(run.map(|run| Holder { collection: collection.clone(), run, since, expires, now }))
}

/// Takes the lease, unless somebody has it who is not expired and not dead.
pub(super) fn take(
    transaction: &Transaction<'_>,
    collection: &CollectionName,
    run: &Run,
    liveness: IsAlive<'_>,
) -> Result<LeaseAnswer, SqliteFailure> {
    runs::start_run(transaction, run)?;
    let grows = match holder(transaction, schema(transaction)?, collection)? {
        Some(holder) if holder.run.id == run.id => 0,
        Some(holder) if holder.expires > holder.now && liveness(&holder.run.process) != Liveness::Dead => {
            return Ok(LeaseAnswer::Held(Box::new(holder)));
        }
        Some(_) | None => 1,
    };
    let fence = transaction.query_row(
        "INSERT INTO pixform_leases (collection, fence, run, since, expires)
         VALUES (?1, 1, ?2, unixepoch(), unixepoch() + ?3)
         ON CONFLICT DO UPDATE SET fence = fence + ?4, run = excluded.run, expires = excluded.expires,
           since = CASE WHEN ?4 = 0 THEN since ELSE excluded.since END
         RETURNING fence",
        params![collection.as_str(), run.id, LEASE_SECONDS, grows],
        |row| row.get(0),
    )?;
    Ok(LeaseAnswer::Taken(Lease { collection: collection.clone(), run: run.id.clone(), fence }))
}

/// Renews leases, all or none.
pub(super) fn renew(transaction: &Transaction<'_>, leases: &[Lease]) -> Result<(), SqliteFailure> {
    for lease in leases {
        check(transaction, lease)?;
        transaction.execute(
            "UPDATE pixform_leases SET expires = unixepoch() + ?2 WHERE collection = ?1",
            params![lease.collection.as_str(), LEASE_SECONDS],
        )?;
        let heartbeat = format!("UPDATE pixform_runs SET heartbeat_at = {NOW} WHERE id = ?1");
        transaction.execute(&heartbeat, [&lease.run])?;
    }
    Ok(())
}

/// Gives a lease back.
pub(super) fn release(transaction: &Transaction<'_>, lease: &Lease) -> Result<(), SqliteFailure> {
    transaction.execute(
        "UPDATE pixform_leases SET run = NULL WHERE collection = ?1 AND run = ?2 AND fence = ?3",
        params![lease.collection.as_str(), lease.run, lease.fence],
    )?;
    Ok(())
}

/// Takes a lease away from whoever has it.
pub(super) fn unlock(
    transaction: &Transaction<'_>,
    collection: &CollectionName,
) -> Result<Option<Holder>, SqliteFailure> {
    let holder = holder(transaction, schema(transaction)?, collection)?;
    transaction.execute("UPDATE pixform_leases SET run = NULL WHERE collection = ?1", [collection.as_str()])?;
    Ok(holder)
}

/// Checks that a lease is still ours; an expired one that nobody took is.
pub(super) fn check(transaction: &Transaction<'_>, lease: &Lease) -> Result<(), SqliteFailure> {
    let mut statement =
        transaction.prepare_cached("SELECT 1 FROM pixform_leases WHERE collection = ?1 AND run = ?2 AND fence = ?3")?;
    if statement.exists(params![lease.collection.as_str(), lease.run, lease.fence])? {
        return Ok(());
    }
    Err(StateError::Fenced { collection: lease.collection.clone() }.into())
}

/// Remembers a collection's key axes and, where there is one, the table that it is published to.
pub(super) fn remember_collection(
    transaction: &Transaction<'_>,
    lease: &Lease,
    key: &[String],
    table: Option<&TableName>,
) -> Result<(), SqliteFailure> {
    check(transaction, lease)?;
    if let Some(table) = table {
        let remember = "INSERT OR IGNORE INTO pixform_published_tables (name) VALUES (?1)";
        transaction.execute(remember, [table.to_string()])?;
    }
    transaction.execute(
        "INSERT INTO pixform_collections (name, key_axes, table_name) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET key_axes = excluded.key_axes,
           table_name = coalesce(excluded.table_name, table_name)",
        params![lease.collection.as_str(), json(&key), table.map(ToString::to_string)],
    )?;
    Ok(())
}

/// Forgets a collection without records, and its renames; one with records stays as it is.
pub(super) fn forget_collection(transaction: &Transaction<'_>, lease: &Lease) -> Result<(), SqliteFailure> {
    check(transaction, lease)?;
    let collection = [lease.collection.as_str()];
    if transaction.prepare("SELECT 1 FROM pixform_records WHERE collection = ?1")?.exists(collection)? {
        return Ok(());
    }
    transaction.execute("DELETE FROM pixform_collections WHERE name = ?1", collection)?;
    transaction.execute("DELETE FROM pixform_moves WHERE collection = ?1", collection)?;
    Ok(())
}

/// Forgets the renames that are not to be kept.
pub(super) fn keep_moves(
    transaction: &Transaction<'_>,
    lease: &Lease,
    keep: &[AppliedMove],
) -> Result<(), SqliteFailure> {
    check(transaction, lease)?;
    let known = record_reads::moves(transaction, &lease.collection)?;
    let keep: std::collections::BTreeSet<_> = keep.iter().collect();
    let mut forget = transaction.prepare(
        "DELETE FROM pixform_moves WHERE collection = ?1 AND from_collection = ?2 AND from_key = ?3 AND key = ?4",
    )?;
    for rename in known.iter().filter(|rename| !keep.contains(rename)) {
        let (from_collection, from_key, key) = rename;
        forget.execute([lease.collection.as_str(), from_collection.as_str(), from_key.as_str(), key.as_str()])?;
    }
    Ok(())
}
