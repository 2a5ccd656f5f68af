//! What people accepted, kept for whoever asks why.

use rusqlite::{Connection, Row, Transaction, params};

use super::failure::SqliteFailure;
use super::record_reads::{bytes, text};
use super::rows::{KEYS_MAX, distinct};
use super::runs;
use crate::asset::{AssetKey, CollectionName};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::state::stored_form::{from_json, has_acceptances, json, parsed, run_columns};
use crate::state::{Acceptance, Accepted, Lease, NewAcceptance, RunOrigin, Schema};

/// Keeps acceptances.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    lease: &Lease,
    accepted: &[NewAcceptance],
) -> Result<(), SqliteFailure> {
    if accepted.is_empty() {
        return Ok(());
    }
    let mut statement = transaction.prepare(
        "INSERT INTO pixform_acceptances (collection, key, kind, old_recipe, new_recipe, original, row_columns, run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let (collection, run) = (lease.collection.as_str(), &lease.run);
    for NewAcceptance { key, accepted } in accepted {
        let key = key.as_str();
        match accepted {
            Accepted::Picture { from, to, original } => {
                let from = from.as_ref().map(RecipeDigest::as_bytes);
                let (to, original) = (to.as_bytes(), original.as_bytes());
                statement.execute(params![collection, key, "picture", from, to, original, None::<&str>, run])?;
            }
            Accepted::Row { columns } => {
                let none = None::<&[u8]>;
                statement.execute(params![collection, key, "row", none, none, none, json(columns), run])?;
            }
        }
    }
    Ok(())
}

/// Returns the acceptances of keys, those of one key together and oldest first.
pub(super) fn acceptances(
    connection: &Connection,
    schema: Schema,
    collection: &CollectionName,
    keys: &[AssetKey],
) -> Result<Vec<Acceptance>, SqliteFailure> {
    if !has_acceptances(schema) {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(&format!(
        "SELECT a.key, a.kind, a.old_recipe, a.new_recipe, a.original, a.row_columns, a.run, a.created_at,
                r.id IS NOT NULL, {}
         FROM json_each(?2) AS w
         CROSS JOIN pixform_acceptances AS a ON a.collection = ?1 AND a.key = w.value
         LEFT JOIN pixform_runs AS r ON r.id = a.run
         ORDER BY a.key, a.id",
        run_columns(schema)
    ))?;
    let mut found = Vec::new();
    for keys in distinct(keys.iter().map(AssetKey::as_str)).chunks(KEYS_MAX) {
        let mut rows = statement.query([collection.as_str(), &json(&keys)])?;
        while let Some(row) = rows.next()? {
            found.push(acceptance(row, collection)?);
        }
    }
    Ok(found)
}

fn acceptance(row: &Row<'_>, collection: &CollectionName) -> Result<Acceptance, SqliteFailure> {
    let key = text(row, 0)?;
    let place = || format!("what was accepted of `{collection}:{key}`");
    let accepted = match text(row, 1)? {
        "picture" => Accepted::Picture {
            from: row.get::<_, Option<[u8; 32]>>(2)?.map(RecipeDigest::from_bytes),
            to: RecipeDigest::from_bytes(bytes(row, 3)?),
            original: ContentDigest::from_bytes(bytes(row, 4)?),
        },
        _ => Accepted::Row { columns: from_json(text(row, 5)?, place)? },
    };
    let origin = if row.get(8)? { runs::origin(row, 9)? } else { RunOrigin::default() };
    Ok(Acceptance {
        collection: collection.clone(),
        key: parsed(key, place)?,
        accepted,
        run: row.get(6)?,
        origin,
        created_at: row.get(7)?,
    })
}
