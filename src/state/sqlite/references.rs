//! What records refer to, kept up with each commit; and relying on files, which no run of gc then takes.

use rusqlite::{Connection, Transaction, params};
use std::collections::{HashMap, HashSet};

use super::failure::SqliteFailure;
use super::record_reads::text;
use super::rows::KEYS_MAX;
use super::runs::RunLiveness;
use super::schema::NOW;
use crate::asset::ObjectPath;
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::state::references::Named;
use crate::state::stored_form::{is_abandoned, json, parsed};
use crate::state::{Claim, IsAlive};

/// Whether a record names an object `o`.
pub(super) const NAMED_OBJECT: &str = "EXISTS (SELECT 1 FROM pixform_record_details AS d
      JOIN pixform_records AS r ON r.collection = d.collection AND r.key = d.key
      WHERE d.original = o.original AND instr(r.objects || char(10), ' ' || o.path || char(10)) > 0)";

/// Whether a record names an original `o`.
pub(super) const NAMED_ORIGINAL: &str =
    "EXISTS (SELECT 1 FROM pixform_record_details AS d WHERE d.original = o.sha256)";

/// Writes down what is referenced from now on, and what no longer is.
pub(super) fn update(transaction: &Transaction<'_>, before: &Named, after: &Named) -> Result<(), SqliteFailure> {
    let (gained, lost) = (after.beyond(before), before.beyond(after));
    let hex = |originals: &Named| json(&originals.originals.iter().map(hex::encode).collect::<Vec<_>>());
    if !gained.is_empty() {
        transaction.execute(
            "UPDATE pixform_originals SET unreferenced_at = NULL, condemned_by = NULL, published = 1
             WHERE sha256 IN (SELECT unhex(value) FROM json_each(?1)) AND (unreferenced_at IS NOT NULL OR published = 0)",
            [hex(&gained)],
        )?;
        transaction.execute(
            "UPDATE pixform_objects SET unreferenced_at = NULL, condemned_by = NULL
             WHERE path IN (SELECT value FROM json_each(?1)) AND unreferenced_at IS NOT NULL",
            [json(&gained.paths)],
        )?;
    }
    if !lost.is_empty() {
        let originals = format!(
            "UPDATE pixform_originals AS o SET unreferenced_at = {NOW}
             WHERE sha256 IN (SELECT unhex(value) FROM json_each(?1)) AND unreferenced_at IS NULL AND NOT {NAMED_ORIGINAL}"
        );
        transaction.execute(&originals, [hex(&lost)])?;
        let objects = format!(
            "UPDATE pixform_objects AS o SET unreferenced_at = {NOW}
             WHERE path IN (SELECT value FROM json_each(?1)) AND unreferenced_at IS NULL AND NOT {NAMED_OBJECT}"
        );
        transaction.execute(&objects, [json(&lost.paths)])?;
    }
    Ok(())
}

/// Begins to rely on files.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    paths: &[ObjectPath],
    liveness: IsAlive<'_>,
) -> Result<Vec<Claim>, SqliteFailure> {
    let refused = refused(transaction, paths, liveness)?;
    let mut known: HashSet<String> = HashSet::new();
    for chunk in paths.chunks(KEYS_MAX) {
        let chunk = json(&chunk.iter().map(ObjectPath::as_str).collect::<Vec<_>>());
        for table in ["pixform_originals", "pixform_objects"] {
            transaction.execute(
                &format!(
                    "UPDATE {table} SET condemned_by = NULL, unreferenced_at = {NOW}
                     WHERE path IN (SELECT value FROM json_each(?1)) AND unreferenced_at IS NOT NULL"
                ),
                [&chunk],
            )?;
            let sql = format!("SELECT path FROM {table} WHERE path IN (SELECT value FROM json_each(?1))");
            let mut statement = transaction.prepare(&sql)?;
            let found = statement.query_map([&chunk], |row| row.get(0))?;
            known.extend(found.collect::<Result<Vec<String>, _>>()?);
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
pub(super) fn refused(
    transaction: &Transaction<'_>,
    paths: &[ObjectPath],
    liveness: IsAlive<'_>,
) -> Result<HashSet<ObjectPath>, SqliteFailure> {
    let mut deleting: HashMap<ObjectPath, String> = HashMap::new();
    let mut statement = transaction
        .prepare("SELECT path, run FROM pixform_deletions WHERE path IN (SELECT value FROM json_each(?1))")?;
    for chunk in paths.chunks(KEYS_MAX) {
        let chunk = json(&chunk.iter().map(ObjectPath::as_str).collect::<Vec<_>>());
        let mut rows = statement.query([chunk])?;
        while let Some(row) = rows.next()? {
            deleting.insert(parsed(text(row, 0)?, || "the deletions".to_owned())?, row.get(1)?);
        }
    }
    let mut refused = HashSet::new();
    let mut run_liveness = RunLiveness::new(transaction, liveness);
    let mut forget = transaction.prepare("DELETE FROM pixform_deletions WHERE path = ?1")?;
    for (path, run) in deleting {
        if is_abandoned(&run, run_liveness.is_dead(&run)?) {
            forget.execute([path.as_str()])?;
        } else {
            refused.insert(path);
        }
    }
    Ok(refused)
}

/// Begins to rely on what was last announced for these originals and renditions.
pub(super) fn rely(
    transaction: &Transaction<'_>,
    wanted: &[(ContentDigest, RenditionDigest)],
) -> Result<(), SqliteFailure> {
    let mut statement = transaction.prepare(&format!(
        "UPDATE pixform_objects SET condemned_by = NULL, unreferenced_at = {NOW}
         WHERE original = ?1 AND rendition = ?2 AND current = 1 AND unreferenced_at IS NOT NULL"
    ))?;
    for (original, rendition) in wanted {
        statement.execute(params![original.as_bytes(), rendition.as_bytes()])?;
    }
    Ok(())
}

/// Of recipes, returns those whose original was deleted and that have had none since.
pub(super) fn collected(connection: &Connection, recipes: &[RecipeDigest]) -> Result<Vec<RecipeDigest>, SqliteFailure> {
    let mut statement = connection
        .prepare("SELECT recipe FROM pixform_collected WHERE recipe IN (SELECT unhex(value) FROM json_each(?1))")?;
    let mut collected = Vec::new();
    for chunk in recipes.chunks(KEYS_MAX) {
        let chunk = json(&chunk.iter().map(RecipeDigest::hex).collect::<Vec<_>>());
        let found = statement.query_map([chunk], |row| row.get(0))?;
        collected.extend(found.collect::<Result<Vec<[u8; 32]>, _>>()?.into_iter().map(RecipeDigest::from_bytes));
    }
    Ok(collected)
}
