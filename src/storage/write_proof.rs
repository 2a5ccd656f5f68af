//! The proof that a store can be written to, before anything is bought for it: a small file goes in and out.

use bytes::Bytes;

use super::{Overwrite, Storage, StorageError};
use crate::asset::ObjectPath;

/// How names of probes begin.
pub(super) const PROBE_PREFIX: &str = ".pixform-probe-";

/// The smallest picture there is, so that a bucket that takes pictures only takes it: one transparent pixel as PNG.
const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0a, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x00, 0x01, 0x00, 0x00, 0x05, 0x00, 0x01, 0x0d, 0x0a, 0x2d, 0xb4, 0x00, 0x00,
    0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// Puts a file into a folder, reads it, and deletes it; `content_type` is one that the store has to take anyway.
///
/// # Errors
/// What the store says; [`StorageError::Altered`] where something else is read than was put.
pub async fn probe(storage: &dyn Storage, folder: &str, name: &str, content_type: &str) -> Result<(), StorageError> {
    let path = format!("{folder}/{PROBE_PREFIX}{name}");
    let Ok(path) = path.parse::<ObjectPath>() else { return Err(StorageError::Missing { path }) };
    let picture = Bytes::from_static(PICTURE);
    let read = match storage.put(&path, picture.clone(), content_type, Overwrite::Replace).await {
        Ok(()) => storage.get(&path, PICTURE.len() as u64).await,
        Err(error) => Err(error),
    };
    // Also where it could not be put: a store that could not say so may have it all the same.
    let deleted = storage.delete(std::slice::from_ref(&path)).await;
    let read = read?;
    deleted?;
    match read == picture {
        true => Ok(()),
        false => Err(StorageError::Altered { path: path.to_string() }),
    }
}
