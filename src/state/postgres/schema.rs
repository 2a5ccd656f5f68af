//! The state's own tables: whether they are there, and making them.

use tokio_postgres::types::Type;

use super::database::{PostgresDatabase, Transaction};
use super::failure::PostgresFailure;
use crate::state::Schema;
use crate::state::migrate::{self, Applied, Migration};

/// The key of the lock under which tables are made; any number would do that nobody else uses.
pub(super) const MIGRATION_LOCK: i64 = 0x7069_7866_6f72_6d00;

/// The key of the lock under which the ledger decides who may send a call.
const LEDGER_LOCK: i64 = MIGRATION_LOCK + 1;

/// The time as our own tables keep it: milliseconds since 1970.
pub(super) const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// The time as leases keep it: seconds since 1970.
pub(super) const NOW_SECONDS: &str = "extract(epoch FROM clock_timestamp())::bigint";

/// The schema of our own tables.
pub(super) const CREATION: &str = "CREATE SCHEMA pixform";

/// The table that says which migrations were run.
pub(super) const HISTORY: &str = "CREATE TABLE IF NOT EXISTS pixform.migrations (
  version    integer NOT NULL PRIMARY KEY,
  sha256     text    NOT NULL,
  applied_at bigint  NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
)";

/// Which of them are there. The catalogue is open to everybody, also to a role that may not look into the schema: such a
/// role must be told so, and not take the state for an empty one.
const THERE: &str = "SELECT to_regnamespace('pixform') IS NOT NULL,
       EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('pixform') AND relname = 'migrations')";

/// Tells how the state's own tables stand.
pub(super) async fn schema(database: &PostgresDatabase, transaction: &Transaction) -> Result<Schema, PostgresFailure> {
    if database.is_current() {
        return Ok(Schema::Current);
    }
    let found = transaction.query_typed_one(THERE, &[]).await?;
    if !found.get::<_, bool>(1) {
        return Ok(Schema::Absent);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM pixform.migrations";
    let found: i32 = transaction.query_typed_one(newest, &[]).await?.get(0);
    let schema = migrate::schema(migrate::POSTGRES, u32::try_from(found).unwrap_or_default())?;
    if schema == Schema::Current {
        database.set_current();
    }
    Ok(schema)
}

/// Creates what is missing, under a lock that ends with the transaction: a second migrator waits and then finds it done.
pub(super) async fn migrate(transaction: &Transaction) -> Result<(), PostgresFailure> {
    lock(transaction, MIGRATION_LOCK).await?;
    let found = transaction.query_typed_one(THERE, &[]).await?;
    if !found.get::<_, bool>(0) {
        transaction.batch_execute(CREATION).await?;
    }
    if !found.get::<_, bool>(1) {
        transaction.batch_execute(HISTORY).await?;
    }
    for migration in pending(transaction).await? {
        transaction.batch_execute(migration.sql).await?;
        let version = i32::try_from(migration.version).expect("migrations are few");
        let insert = "INSERT INTO pixform.migrations (version, sha256) VALUES ($1, $2)";
        transaction.execute_typed(insert, &[(&version, Type::INT4), (&migration.sha256(), Type::TEXT)]).await?;
    }
    if !is_named(transaction).await? {
        let state = uuid::Uuid::now_v7().to_string();
        let insert = "INSERT INTO pixform.meta (name, value) VALUES ('state', $1)";
        transaction.execute_typed(insert, &[(&state, Type::TEXT)]).await?;
    }
    Ok(())
}

/// Tells whether there is nothing left to create: most runs find everything there, and many a role could create nothing.
pub(super) async fn is_migrated(
    database: &PostgresDatabase,
    transaction: &Transaction,
) -> Result<bool, PostgresFailure> {
    if schema(database, transaction).await? != Schema::Current {
        return Ok(false);
    }
    Ok(pending(transaction).await?.is_empty() && is_named(transaction).await?)
}

async fn pending(transaction: &Transaction) -> Result<Vec<&'static Migration>, PostgresFailure> {
    let applied = transaction.query_typed("SELECT version, sha256 FROM pixform.migrations", &[]).await?;
    let applied: Vec<Applied> = applied
        .iter()
        .map(|row| Applied { version: row.get::<_, i32>(0).unsigned_abs(), sha256: row.get(1) })
        .collect();
    Ok(migrate::pending(migrate::POSTGRES, &applied)?)
}

async fn is_named(transaction: &Transaction) -> Result<bool, PostgresFailure> {
    Ok(transaction.query_typed_opt("SELECT 1 FROM pixform.meta WHERE name = 'state'", &[]).await?.is_some())
}

/// Waits for the lock under which published tables are made.
pub(super) async fn lock_tables(transaction: &Transaction) -> Result<(), PostgresFailure> {
    lock(transaction, MIGRATION_LOCK).await
}

/// Waits for the lock under which the ledger decides.
pub(super) async fn lock_ledger(transaction: &Transaction) -> Result<(), PostgresFailure> {
    lock(transaction, LEDGER_LOCK).await
}

/// Takes a lock of the transaction; one of the session would stay with a pooler's connection.
async fn lock(transaction: &Transaction, key: i64) -> Result<(), PostgresFailure> {
    transaction.query_typed("SELECT pg_advisory_xact_lock($1)", &[(&key, Type::INT8)]).await?;
    Ok(())
}

/// Remembers which store this state works with. The first one can be remembered by a role that may name no other.
pub(super) async fn set_store(transaction: &Transaction, store: &str) -> Result<(), PostgresFailure> {
    let first = "INSERT INTO pixform.meta (name, value) VALUES ('store', $1) ON CONFLICT DO NOTHING";
    if transaction.execute_typed(first, &[(&store, Type::TEXT)]).await? == 0 {
        let another = "UPDATE pixform.meta SET value = $1 WHERE name = 'store'";
        if !is_store(transaction, store).await? {
            transaction.execute_typed(another, &[(&store, Type::TEXT)]).await?;
        }
    }
    Ok(())
}

async fn is_store(transaction: &Transaction, store: &str) -> Result<bool, PostgresFailure> {
    let sql = "SELECT 1 FROM pixform.meta WHERE name = 'store' AND value = $1";
    Ok(transaction.query_typed_opt(sql, &[(&store, Type::TEXT)]).await?.is_some())
}
