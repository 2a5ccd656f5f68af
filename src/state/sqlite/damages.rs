//! Files that were found damaged.

use rusqlite::{Connection, Transaction, params};

use super::failure::SqliteFailure;
use super::record_reads::{bytes, text};
use crate::asset::CollectionName;
use crate::digest::ContentDigest;
use crate::state::Damage;
use crate::state::stored_form::parsed;

/// Returns what is remembered of a collection.
pub(super) fn damages(connection: &Connection, collection: &CollectionName) -> Result<Vec<Damage>, SqliteFailure> {
    let sql = "SELECT key, path, sha256 FROM pixform_damages WHERE collection = ?1 ORDER BY key, path";
    let mut statement = connection.prepare(sql)?;
    let (mut rows, mut found) = (statement.query([collection.as_str()])?, Vec::new());
    let place = || "what is damaged".to_owned();
    while let Some(row) = rows.next()? {
        let (key, path) = (parsed(text(row, 0)?, place)?, parsed(text(row, 1)?, place)?);
        found.push(Damage { key, path, sha256: ContentDigest::from_bytes(bytes(row, 2)?) });
    }
    Ok(found)
}

/// Remembers damages and forgets others.
pub(super) fn note(
    transaction: &Transaction<'_>,
    collection: &CollectionName,
    found: &[Damage],
    well: &[Damage],
) -> Result<(), SqliteFailure> {
    let name = collection.as_str();
    let mut forget =
        transaction.prepare("DELETE FROM pixform_damages WHERE collection = ?1 AND key = ?2 AND path = ?3")?;
    for Damage { key, path, sha256: _ } in well {
        forget.execute([name, key.as_str(), path.as_str()])?;
    }
    let mut remember = transaction.prepare(
        "INSERT INTO pixform_damages (collection, key, path, sha256) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET sha256 = excluded.sha256",
    )?;
    for Damage { key, path, sha256 } in found {
        remember.execute(params![name, key.as_str(), path.as_str(), sha256.as_bytes()])?;
    }
    Ok(())
}
