//! The state's own tables: whether they are there, and making them.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::SqliteFailure;
use crate::state::Schema;
use crate::state::migrate::{self, Applied};

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS pixform_migrations (
  version    INTEGER NOT NULL PRIMARY KEY,
  sha256     TEXT    NOT NULL,
  applied_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
) STRICT";

/// The time as our own tables keep it: milliseconds since 1970.
pub(super) const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)";

/// Tells how the state's own tables stand.
pub(super) fn schema(connection: &Connection) -> Result<Schema, SqliteFailure> {
    let history = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'pixform_migrations'";
    if connection.query_row(history, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Schema::Absent);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM pixform_migrations";
    let found = connection.query_row(newest, [], |row| row.get::<_, u32>(0))?;
    Ok(migrate::schema(migrate::SQLITE, found)?)
}

/// Creates what is missing. The transaction is an immediate one, so a second migrator waits and then finds it done.
pub(super) fn migrate(transaction: &Transaction<'_>) -> Result<(), SqliteFailure> {
    transaction.execute_batch(HISTORY)?;
    let applied: Vec<Applied> = transaction
        .prepare("SELECT version, sha256 FROM pixform_migrations")?
        .query_map([], |row| Ok(Applied { version: row.get(0)?, sha256: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    for migration in migrate::pending(migrate::SQLITE, &applied)? {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO pixform_migrations (version, sha256) VALUES (?1, ?2)",
            params![migration.version, migration.sha256()],
        )?;
    }
    let state = uuid::Uuid::now_v7().to_string();
    transaction.execute("INSERT OR IGNORE INTO pixform_meta (name, value) VALUES ('state', ?1)", [state])?;
    Ok(())
}

/// Remembers which store this state works with.
pub(super) fn set_store(transaction: &Transaction<'_>, store: &str) -> Result<(), SqliteFailure> {
    transaction.execute(
        "INSERT INTO pixform_meta (name, value) VALUES ('store', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
        [store],
    )?;
    Ok(())
}
