//! Files that were found damaged.

use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::record_reads::bytes;
use crate::asset::CollectionName;
use crate::digest::ContentDigest;
use crate::state::Damage;
use crate::state::stored_form::parsed;

/// Returns what is remembered of a collection.
pub(super) async fn damages(
    transaction: &Transaction,
    collection: &CollectionName,
) -> Result<Vec<Damage>, PostgresFailure> {
    let sql = "SELECT key, path, sha256 FROM pixform.damages WHERE collection = $1 ORDER BY key COLLATE \"C\", path";
    let place = || "what is damaged".to_owned();
    let rows = transaction.query_typed(sql, &[(&collection.as_str(), Type::TEXT)]).await?;
    let damage = |row| {
        let sha256 = ContentDigest::from_bytes(bytes(row, 2, place)?);
        Ok(Damage { key: parsed(row.try_get(0)?, place)?, path: parsed(row.try_get(1)?, place)?, sha256 })
    };
    rows.iter().map(damage).collect()
}

/// Remembers damages and forgets others.
pub(super) async fn note(
    transaction: &Transaction,
    collection: &CollectionName,
    found: &[Damage],
    well: &[Damage],
) -> Result<(), PostgresFailure> {
    let name = collection.as_str();
    let keys = |damages: &[Damage]| damages.iter().map(|damage| damage.key.to_string()).collect::<Vec<_>>();
    let paths = |damages: &[Damage]| damages.iter().map(|damage| damage.path.to_string()).collect::<Vec<_>>();
    let forget = "DELETE FROM pixform.damages AS d USING unnest($2, $3) AS w (key, path)
                  WHERE d.collection = $1 AND d.key = w.key AND d.path = w.path";
    let params: [Param<'_>; 3] =
        [(&name, Type::TEXT), (&keys(well), Type::TEXT_ARRAY), (&paths(well), Type::TEXT_ARRAY)];
    transaction.execute_typed(forget, &params).await?;
    let digests: Vec<&[u8]> = found.iter().map(|damage| damage.sha256.as_bytes().as_slice()).collect();
    let remember = "INSERT INTO pixform.damages (collection, key, path, sha256)
                    SELECT $1, w.key, w.path, w.sha256 FROM unnest($2, $3, $4) AS w (key, path, sha256)
                    ON CONFLICT (collection, key, path) DO UPDATE SET sha256 = excluded.sha256";
    let params: [Param<'_>; 4] = [
        (&name, Type::TEXT),
        (&keys(found), Type::TEXT_ARRAY),
        (&paths(found), Type::TEXT_ARRAY),
        (&digests, Type::BYTEA_ARRAY),
    ];
    transaction.execute_typed(remember, &params).await?;
    Ok(())
}
