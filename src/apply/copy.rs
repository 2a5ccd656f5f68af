//! Copying from the store that was used before: originals and published files, before any row is switched.
//!
//! Nothing is decoded, and nothing is paid for. What was copied stays copied: a run that ends in between is gone on with.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::time::sleep;

use crate::asset::{ObjectPath, PathPattern};
use crate::digest::ContentDigest;
use crate::storage::{Moving, Overwrite, StorageError, content_type_of};
use crate::world::World;

use super::{ApplyError, crash_point};

/// Files under way at once.
const AT_ONCE: usize = 8;
/// How often a file is read whose bytes are not those that its name promises.
const READS_MAX: u32 = 3;
/// How long is waited before it is read again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Copies every file that the state knows and that lies only in the store before; returns how many those were.
///
/// # Errors
/// [`ApplyError::NotCopied`] where one could not be copied; all others are.
pub async fn copy(world: &World) -> Result<u64, ApplyError> {
    let Some(moving) = &world.moving else { return Ok(0) };
    let files = world.uncopied().await?;
    let total = files.len() as u64;
    let copied = stream::iter(files).map(|(path, bytes)| async move {
        let result = copy_one(moving, &path, bytes).await;
        crash_point("copied");
        result.map_err(|source| (path, source))
    });
    let failed: Vec<(ObjectPath, StorageError)> =
        copied.buffer_unordered(AT_ONCE).filter_map(|result| async move { result.err() }).collect().await;
    world.storage.sync().await?;
    let count = failed.len() as u64;
    match failed.into_iter().next() {
        None => Ok(total),
        Some((path, source)) => {
            Err(ApplyError::NotCopied { count, total, path: path.to_string(), source: Box::new(source) })
        }
    }
}

async fn copy_one(moving: &Moving, path: &ObjectPath, bytes: u64) -> Result<(), StorageError> {
    let content = match read(moving, path, bytes).await {
        // Somebody deleted it between the two looks.
        Err(StorageError::Missing { .. }) => return Ok(()),
        content => content?,
    };
    moving.now().put(path, content, content_type_of(path), Overwrite::Replace).await
}

/// Reads a file, and again where its bytes are not those that its name promises; what a name does not promise is taken
/// when it comes twice.
async fn read(moving: &Moving, path: &ObjectPath, bytes: u64) -> Result<Bytes, StorageError> {
    let mut before: Option<Bytes> = None;
    for _ in 0..READS_MAX {
        let content = moving.before().get(path, bytes).await?;
        let digest = ContentDigest::of(&content).hex();
        if path.as_str().contains(&digest[..PathPattern::DIGEST_DIGITS]) || before.as_ref() == Some(&content) {
            return Ok(content);
        }
        before = Some(content);
        sleep(AGAIN_AFTER).await;
    }
    Err(StorageError::Altered { path: path.to_string() })
}
