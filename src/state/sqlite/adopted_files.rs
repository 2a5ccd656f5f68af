//! Files of the product that were taken over, by the original that was copied from them.

use rusqlite::{Connection, Transaction, params};

use super::failure::SqliteFailure;
use super::record_reads::{bytes, text};
use super::rows::distinct;
use crate::digest::ContentDigest;
use crate::record::{Published, published_to_json};
use crate::state::Schema;
use crate::state::stored_form::{self, has_adopted};

/// Remembers files that are taken over.
pub(super) fn keep(transaction: &Transaction<'_>, files: &[(ContentDigest, Published)]) -> Result<(), SqliteFailure> {
    let mut insert = transaction.prepare(
        "INSERT INTO pixform_adopted (original, rendition, path, published) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET published = excluded.published",
    )?;
    for (original, file) in files {
        let rendition = file.rendition.digest.as_bytes();
        let published = published_to_json(std::slice::from_ref(file));
        insert.execute(params![original.as_bytes(), rendition, file.path.as_str(), published])?;
    }
    Ok(())
}

/// Returns the files that originals were copied from, the oldest first.
pub(super) fn files(
    connection: &Connection,
    schema: Schema,
    originals: &[ContentDigest],
) -> Result<Vec<(ContentDigest, Published)>, SqliteFailure> {
    let mut files = Vec::new();
    if !has_adopted(schema) {
        return Ok(files);
    }
    let mut statement = connection
        .prepare("SELECT original, published FROM pixform_adopted WHERE original = ?1 ORDER BY created_at, path")?;
    for original in distinct(originals.iter().copied()) {
        let mut rows = statement.query([original.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let original = ContentDigest::from_bytes(bytes(row, 0)?);
            let place = || format!("the files that the original `{original}` was copied from");
            let published = stored_form::published(text(row, 1)?, place)?;
            files.extend(published.into_iter().map(|published| (original, published)));
        }
    }
    Ok(files)
}
