//! What records refer to, kept up with each commit; and relying on files, which no run of gc then takes.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::record_reads::bytes;
use super::runs::DeadRuns;
use super::schema::{NOW, lock_ledger};
use crate::asset::ObjectPath;
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::state::references::Named;
use crate::state::stored_form::{is_abandoned, parsed};
use crate::state::{Claim, IsAlive};

/// Whether a record names an object `o`.
pub(super) const NAMED_OBJECT: &str = "EXISTS (SELECT FROM pixform.record_details AS d
      JOIN pixform.records AS r ON r.collection = d.collection AND r.key = d.key
      WHERE d.original = o.original AND strpos(r.objects || chr(10), ' ' || o.path || chr(10)) > 0)";

/// Whether a record names an original `o`.
pub(super) const NAMED_ORIGINAL: &str = "EXISTS (SELECT FROM pixform.record_details AS d WHERE d.original = o.sha256)";

/// Writes down what is referenced from now on, and what no longer is.
pub(super) async fn update(transaction: &Transaction, before: &Named, after: &Named) -> Result<(), PostgresFailure> {
    let (gained, lost) = (after.beyond(before), before.beyond(after));
    if gained.is_empty() && lost.is_empty() {
        return Ok(());
    }
    lock_ledger(transaction).await?;
    let (gained, lost) = (lists(&gained), lists(&lost));
    let originals = "UPDATE pixform.originals AS o SET unreferenced_at = NULL, condemned_by = NULL, published = true
                     WHERE o.sha256 = ANY($1) AND (o.unreferenced_at IS NOT NULL OR NOT o.published)";
    let objects = "UPDATE pixform.objects AS o SET unreferenced_at = NULL, condemned_by = NULL
                   WHERE o.path = ANY($1) AND o.unreferenced_at IS NOT NULL";
    if !gained.0.is_empty() || !gained.1.is_empty() {
        let (bytes, paths) = ([(&gained.0 as _, Type::BYTEA_ARRAY)], [(&gained.1 as _, Type::TEXT_ARRAY)]);
        // Both are sent before the first is answered.
        let (originals, objects) =
            futures::join!(transaction.execute_typed(originals, &bytes), transaction.execute_typed(objects, &paths));
        originals?;
        objects?;
    }
    if !lost.0.is_empty() || !lost.1.is_empty() {
        let originals = format!(
            "UPDATE pixform.originals AS o SET unreferenced_at = {NOW}
             WHERE o.sha256 = ANY($1) AND o.unreferenced_at IS NULL AND NOT {NAMED_ORIGINAL}"
        );
        let objects = format!(
            "UPDATE pixform.objects AS o SET unreferenced_at = {NOW}
             WHERE o.path = ANY($1) AND o.unreferenced_at IS NULL AND NOT {NAMED_OBJECT}"
        );
        let (bytes, paths) = ([(&lost.0 as _, Type::BYTEA_ARRAY)], [(&lost.1 as _, Type::TEXT_ARRAY)]);
        let (originals, objects) =
            futures::join!(transaction.execute_typed(&originals, &bytes), transaction.execute_typed(&objects, &paths));
        originals?;
        objects?;
    }
    Ok(())
}

fn lists(named: &Named) -> (Vec<&[u8]>, Vec<&str>) {
    (named.originals.iter().map(<[u8; 32]>::as_slice).collect(), named.paths.iter().map(String::as_str).collect())
}

/// Begins to rely on files.
pub(super) async fn claim(
    transaction: &Transaction,
    paths: &[ObjectPath],
    liveness: IsAlive<'_>,
) -> Result<Vec<Claim>, PostgresFailure> {
    lock_ledger(transaction).await?;
    let refused = refused(transaction, paths, liveness).await?;
    let names: Vec<&str> = paths.iter().map(ObjectPath::as_str).collect();
    let params: [Param<'_>; 1] = [(&names, Type::TEXT_ARRAY)];
    let mut known: HashSet<String> = HashSet::new();
    for table in ["pixform.originals", "pixform.objects"] {
        let relied = format!(
            "UPDATE {table} SET condemned_by = NULL, unreferenced_at = {NOW}
             WHERE path = ANY($1) AND unreferenced_at IS NOT NULL"
        );
        transaction.execute_typed(&relied, &params).await?;
        let sql = format!("SELECT path FROM {table} WHERE path = ANY($1)");
        for row in transaction.query_typed(&sql, &params).await? {
            known.insert(row.try_get(0)?);
        }
    }
    let claimed = paths.iter().map(|path| match (refused.contains(path), known.contains(path.as_str())) {
        (true, _) => Claim::BeingDeleted,
        (false, true) => Claim::Kept,
        (false, false) => Claim::Unknown,
    });
    Ok(claimed.collect())
}

/// Returns the paths that living runs of gc are deleting; what dead ones were deleting is nobody's to delete any more.
pub(super) async fn refused(
    transaction: &Transaction,
    paths: &[ObjectPath],
    liveness: IsAlive<'_>,
) -> Result<HashSet<ObjectPath>, PostgresFailure> {
    let names: Vec<&str> = paths.iter().map(ObjectPath::as_str).collect();
    let sql = "SELECT path, run FROM pixform.deletions WHERE path = ANY($1)";
    let mut deleting: HashMap<ObjectPath, String> = HashMap::new();
    for row in transaction.query_typed(sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        deleting.insert(parsed(row.try_get(0)?, || "the deletions".to_owned())?, row.try_get(1)?);
    }
    let runs: BTreeSet<&str> = deleting.values().map(String::as_str).collect();
    let dead_runs = DeadRuns::look(transaction, runs, liveness).await?;
    let is_free = |run: &str| is_abandoned(run, dead_runs.has(run));
    let free: Vec<&str> = deleting.iter().filter(|(_, run)| is_free(run)).map(|(path, _)| path.as_str()).collect();
    if !free.is_empty() {
        let forget = "DELETE FROM pixform.deletions WHERE path = ANY($1)";
        transaction.execute_typed(forget, &[(&free, Type::TEXT_ARRAY)]).await?;
    }
    Ok(deleting.iter().filter(|(_, run)| !is_free(run)).map(|(path, _)| path.clone()).collect())
}

/// Begins to rely on what was last announced for these originals and renditions.
pub(super) async fn rely(
    transaction: &Transaction,
    wanted: &[(ContentDigest, RenditionDigest)],
) -> Result<(), PostgresFailure> {
    lock_ledger(transaction).await?;
    let sql = format!(
        "UPDATE pixform.objects AS o SET condemned_by = NULL, unreferenced_at = {NOW}
         FROM unnest($1, $2) AS w (original, rendition)
         WHERE o.original = w.original AND o.rendition = w.rendition AND o.current AND o.unreferenced_at IS NOT NULL"
    );
    let originals: Vec<&[u8]> = wanted.iter().map(|(original, _)| original.as_bytes().as_slice()).collect();
    let renditions: Vec<&[u8]> = wanted.iter().map(|(_, rendition)| rendition.as_bytes().as_slice()).collect();
    let params: [Param<'_>; 2] = [(&originals, Type::BYTEA_ARRAY), (&renditions, Type::BYTEA_ARRAY)];
    transaction.execute_typed(&sql, &params).await?;
    Ok(())
}

/// Of recipes, returns those whose original was deleted and that have had none since.
pub(super) async fn collected(
    transaction: &Transaction,
    recipes: &[RecipeDigest],
) -> Result<Vec<RecipeDigest>, PostgresFailure> {
    let recipes: Vec<&[u8]> = recipes.iter().map(|recipe| recipe.as_bytes().as_slice()).collect();
    let sql = "SELECT recipe FROM pixform.collected WHERE recipe = ANY($1)";
    let found = transaction.query_typed(sql, &[(&recipes, Type::BYTEA_ARRAY)]).await?;
    let recipe = |row| Ok(RecipeDigest::from_bytes(bytes(row, 0, || "what was deleted".to_owned())?));
    found.iter().map(recipe).collect()
}
