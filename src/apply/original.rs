//! Originals: the pictures of recipes, stored by what they are of and what they are.
//!
//! How they come about is left to `buy`.

use std::sync::Arc;

use bytes::Bytes;

use crate::asset::{AssetKey, ObjectPath};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::generator::Picture;
use crate::imaging;
use crate::memory::Held;
use crate::record::Original;
use crate::storage::{Overwrite, StorageError};
use crate::world::{World, original_path, rejected_path};

use super::fetch::Arrived;
use super::{ApplyError, crash_point};

/// A picture that is stored, with its bytes at hand.
#[derive(Debug, Clone)]
pub struct Made {
    /// What is remembered of it.
    pub original: Original,
    /// The picture, decoded; `None` where its pixels are too many to wait for the rest of its batch.
    pub decoded: Option<Arc<Held>>,
}

/// Returns what is remembered of a picture, which lies where it is found by its recipe, with or without a database.
pub fn original_of(recipe: RecipeDigest, file: &Arrived) -> Original {
    at(original_path(&recipe, &file.sha256, file.format.extension()), recipe, file)
}

/// Returns what is remembered of a picture that is not the one asked for: it lies where nobody takes it for the original.
pub fn rejected_of(recipe: RecipeDigest, file: &Arrived) -> Original {
    at(rejected_path(&recipe, &file.sha256, file.format.extension()), recipe, file)
}

fn at(path: ObjectPath, recipe: RecipeDigest, file: &Arrived) -> Original {
    let Arrived { picture: Picture { bytes, seed, cost: _ }, sha256, format: _, size: (width, height) } = file;
    Original { recipe, sha256: *sha256, path, bytes: bytes.len() as u64, width: *width, height: *height, seed: *seed }
}

/// Stores a picture; it must be announced.
pub async fn put(world: &World, original: &Original, file: &Arrived) -> Result<(), StorageError> {
    let content_type = file.format.content_type();
    // Replaced where it is there: after a power cut a file of this name may hold less than it should.
    let put = world.put(&original.path, file.picture.bytes.clone(), content_type, Overwrite::Replace).await;
    if let Err(StorageError::Altered { .. }) = &put {
        // What lies there now would be found by its name, and taken for the picture. It may be deleted later as well.
        let _ = world.storage.delete(std::slice::from_ref(&original.path)).await;
    }
    put?;
    crash_point("original-put");
    Ok(())
}

/// Reads an original and decodes it.
///
/// # Errors
/// As [`fetch`]; [`ApplyError::Picture`] where it is no picture.
pub async fn decode(world: &World, key: &AssetKey, original: &Original) -> Result<Arc<Held>, ApplyError> {
    let bytes = fetch(world, original).await?;
    let decoded = world.memory.decode(&bytes).await;
    Ok(Arc::new(decoded.map_err(|source| ApplyError::Picture { key: key.clone(), source })?))
}

/// Reads an original and makes sure that its bytes are those that were stored.
///
/// # Errors
/// [`ApplyError::Damaged`] where they are others, or there are none.
pub async fn fetch(world: &World, original: &Original) -> Result<Bytes, ApplyError> {
    let lost = |is| ApplyError::Damaged { path: original.path.clone(), sha256: original.sha256, is };
    match world.storage.get(&original.path, imaging::BYTES_MAX).await {
        Ok(bytes) if ContentDigest::of(&bytes) == original.sha256 => Ok(bytes),
        Ok(_) => Err(lost("is damaged")),
        Err(StorageError::Missing { .. }) => Err(lost("is gone")),
        Err(error) => Err(error.into()),
    }
}
