//! Files of the product that were taken over, by the original that was copied from them.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::record_reads::bytes;
use crate::digest::ContentDigest;
use crate::record::{Published, published_to_json};
use crate::state::Schema;
use crate::state::stored_form::{self, has_adopted};

/// Remembers files that are taken over.
pub(super) async fn keep(
    transaction: &Transaction,
    files: &[(ContentDigest, Published)],
) -> Result<(), PostgresFailure> {
    // One statement may not write one line twice.
    let once: BTreeMap<_, _> =
        files.iter().map(|(original, file)| ((original, file.rendition.digest, file.path.as_str()), file)).collect();
    let (mut originals, mut renditions, mut paths, mut published) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((original, _, path), file) in &once {
        originals.push(original.as_bytes().as_slice());
        renditions.push(file.rendition.digest.as_bytes().as_slice());
        paths.push(*path);
        published.push(published_to_json(std::slice::from_ref(*file)));
    }
    let sql = "INSERT INTO pixform.adopted (original, rendition, path, published)
               SELECT * FROM unnest($1, $2, $3, $4)
               ON CONFLICT (original, rendition, path) DO UPDATE SET published = excluded.published";
    let params: [Param<'_>; 4] = [
        (&originals, Type::BYTEA_ARRAY),
        (&renditions, Type::BYTEA_ARRAY),
        (&paths, Type::TEXT_ARRAY),
        (&published, Type::TEXT_ARRAY),
    ];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}

/// Returns the files that originals were copied from, the oldest first.
pub(super) async fn files(
    transaction: &Transaction,
    schema: Schema,
    originals: &[ContentDigest],
) -> Result<Vec<(ContentDigest, Published)>, PostgresFailure> {
    let mut files = Vec::new();
    if !has_adopted(schema) {
        return Ok(files);
    }
    let originals: Vec<&[u8]> = originals.iter().map(|original| original.as_bytes().as_slice()).collect();
    let sql = "SELECT original, published FROM pixform.adopted WHERE original = ANY($1)
               ORDER BY original, created_at, path";
    for row in transaction.query_typed(sql, &[(&originals, Type::BYTEA_ARRAY)]).await? {
        let original = ContentDigest::from_bytes(bytes(&row, 0, || "the files that were taken over".to_owned())?);
        let place = || format!("the files that the original `{original}` was copied from");
        let published = stored_form::published(row.try_get(1)?, place)?;
        files.extend(published.into_iter().map(|published| (original, published)));
    }
    Ok(files)
}
