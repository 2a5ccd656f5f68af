//! Plans that are kept, by their digest.

use tokio_postgres::types::Type;

use super::database::Transaction;
use super::failure::PostgresFailure;
use crate::digest::PlanDigest;
use crate::state::stored_form::has_plans;
use crate::state::{KeptPlan, Schema};

/// Keeps a plan; of several with one digest the last.
pub(super) async fn keep(transaction: &Transaction, plan: &KeptPlan) -> Result<(), PostgresFailure> {
    let KeptPlan { digest, document, run } = plan;
    let sql = "INSERT INTO pixform.plans (digest, document, run) VALUES ($1, $2, $3)
               ON CONFLICT (digest) DO UPDATE SET document = excluded.document, run = excluded.run,
                 created_at = excluded.created_at";
    let digest = digest.as_bytes().as_slice();
    transaction.execute_typed(sql, &[(&digest, Type::BYTEA), (document, Type::TEXT), (run, Type::TEXT)]).await?;
    Ok(())
}

/// Returns the plan of a digest.
pub(super) async fn kept(
    transaction: &Transaction,
    schema: Schema,
    digest: &PlanDigest,
) -> Result<Option<KeptPlan>, PostgresFailure> {
    if !has_plans(schema) {
        return Ok(None);
    }
    let sql = "SELECT document, run FROM pixform.plans WHERE digest = $1";
    let found = transaction.query_typed_opt(sql, &[(&digest.as_bytes().as_slice(), Type::BYTEA)]).await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(KeptPlan { digest: *digest, document: row.try_get(0)?, run: row.try_get(1)? }))
}
