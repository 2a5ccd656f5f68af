//! Plans that are kept, by their digest.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::SqliteFailure;
use crate::digest::PlanDigest;
use crate::state::stored_form::has_plans;
use crate::state::{KeptPlan, Schema};

/// Keeps a plan; of several with one digest the last.
pub(super) fn keep(transaction: &Transaction<'_>, plan: &KeptPlan) -> Result<(), SqliteFailure> {
    let KeptPlan { digest, document, run } = plan;
    let sql = "INSERT OR REPLACE INTO pixform_plans (digest, document, run) VALUES (?1, ?2, ?3)";
    transaction.execute(sql, params![digest.as_bytes(), document, run])?;
    Ok(())
}

/// Returns the plan of a digest.
pub(super) fn kept(
    connection: &Connection,
    schema: Schema,
    digest: &PlanDigest,
) -> Result<Option<KeptPlan>, SqliteFailure> {
    if !has_plans(schema) {
        return Ok(None);
    }
    let sql = "SELECT document, run FROM pixform_plans WHERE digest = ?1";
    let plan = |row: &rusqlite::Row<'_>| Ok(KeptPlan { digest: *digest, document: row.get(0)?, run: row.get(1)? });
    Ok(connection.query_row(sql, [digest.as_bytes()], plan).optional()?)
}
