//! Originals: the pictures of recipes, stored by what they are of and what they are.
//!
//! Here pictures of free generators are made too, many at a time; how one of a paid generator is bought is left to
//! `buy`.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use uuid::Uuid;

use crate::asset::{Asset, AssetKey, CollectionName, ObjectPath};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::generator::{Answer, CallError, Generator, GeneratorError, Picture, Trouble};
use crate::imaging;
use crate::memory::Held;
use crate::process::Process;
use crate::record::{CallAttempt, CallStatus, Estimate, NewCall, Original};
use crate::state::{CallFact, Caps, Intent, Right};
use crate::storage::{Overwrite, StorageError};
use crate::world::{World, original_path, rejected_path};

use super::announce::announce_originals;
use super::fetch::{Arrived, Came, Fetched, look};
use super::{ApplyError, crash_point};

/// One picture that is wanted.
pub struct Wanted<'w> {
    /// The asset.
    pub asset: &'w Asset,
    /// Its recipe's digest.
    pub recipe: RecipeDigest,
}

/// A picture that is stored, with its bytes at hand.
#[derive(Debug, Clone)]
pub struct Made {
    /// What is remembered of it.
    pub original: Original,
    /// The picture, decoded; `None` where its pixels are too many to wait for the rest of its batch.
    pub decoded: Option<Arc<Held>>,
}

/// A picture of a free generator that is not stored yet.
struct Painted {
    original: Original,
    file: Arrived,
    decoded: Option<Arc<Held>>,
}

/// Makes pictures: intent, picture, stored, remembered; each step for all of them before the next.
///
/// # Errors
/// The whole batch fails only where the state refuses; a picture that fails is an error of its own.
pub async fn make(
    world: &World,
    right: Right<'_>,
    collection: &CollectionName,
    wanted: &[Wanted<'_>],
    making_at_once: usize,
) -> Result<Vec<Result<Made, ApplyError>>, ApplyError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let calls: Vec<NewCall> = wanted.iter().map(|wanted| intended(collection, wanted, Estimate::Free)).collect();
    let ours = world.state.intend(right, &calls, Caps::default(), &Process::liveness).await?;
    crash_point("intended");
    let waiting_max = world.memory.waiting_max() / wanted.len() as u64;
    let painted = stream::iter(wanted.iter().zip(&ours))
        .map(|(wanted, intent)| async move {
            if !matches!(intent, Intent::Ours(_)) {
                return Err(ApplyError::MadeElsewhere { key: wanted.asset.key.clone() });
            }
            let name = &wanted.asset.generator;
            let service = world.service(name).ok_or_else(|| ApplyError::NoGenerator(name.clone()))?;
            let Fetched { file, decoded, room: _ } =
                generate(world, Arc::clone(&service.generator), wanted.asset).await?;
            // The whole batch waits for one another, so it must not hold the room that others wait for.
            let waits = decoded.bytes() <= waiting_max;
            let decoded = waits.then(|| Arc::new(decoded.waiting()));
            Ok(Painted { original: original_of(wanted.recipe, &file), file, decoded })
        })
        .buffered(making_at_once);
    let painted: Vec<Result<Painted, ApplyError>> = painted.collect().await;
    let originals = painted.iter().flatten().map(|painted| painted.original.clone());
    let refused = &announce_originals(world, originals.collect()).await?;
    crash_point("originals-announced");
    let made = stream::iter(painted)
        .map(|painted| async move {
            let Painted { original, file, decoded } = painted?;
            if refused.contains(&original.path) {
                return Err(ApplyError::BeingDeleted { path: original.path });
            }
            put(world, &original, &file).await?;
            Ok(Made { original, decoded })
        })
        .buffered(making_at_once);
    let made: Vec<Result<Made, ApplyError>> = made.collect().await;
    tracing::debug!(wanted = wanted.len(), made = made.iter().filter(|made| made.is_ok()).count(), "pictures made");
    crash_point("originals-put");
    world.storage.sync().await?;
    let facts = made.iter().zip(ours).filter_map(|(made, intent)| match intent {
        Intent::Ours(CallAttempt { call, number: _ }) => Some(fact(call, made)),
        Intent::Resumed { .. } | Intent::Elsewhere | Intent::Undecided | Intent::Capped => None,
    });
    world.state.settle(&facts.collect::<Vec<_>>()).await?;
    crash_point("finished");
    Ok(made)
}

/// Returns a call that is about to be made.
pub fn intended(collection: &CollectionName, wanted: &Wanted<'_>, estimate: Estimate) -> NewCall {
    let Wanted { asset, recipe } = wanted;
    NewCall {
        id: Uuid::now_v7().to_string(),
        collection: collection.clone(),
        key: asset.key.clone(),
        recipe: *recipe,
        generator: asset.recipe.generator.clone(),
        service: asset.generator.to_string(),
        model: asset.recipe.model.clone(),
        estimate,
        account: None,
        gone: None,
    }
}

fn fact(call: String, made: &Result<Made, ApplyError>) -> CallFact {
    let (status, original, reason) = match made {
        Ok(made) => (CallStatus::Finished, Some(made.original.clone()), None),
        Err(error @ ApplyError::Rejected { .. }) => (CallStatus::Rejected, None, Some(error.to_string())),
        Err(error) => (CallStatus::Failed, None, Some(error.to_string())),
    };
    CallFact { original, reason, ..CallFact::new(call, status) }
}

async fn generate(world: &World, generator: Arc<dyn Generator>, asset: &Asset) -> Result<Fetched<'static>, ApplyError> {
    let recipe = asset.recipe.clone();
    // A task of its own: another picture can be worked on beside it.
    let answer = tokio::spawn(async move { generator.submit(&recipe).await });
    let key = || asset.key.clone();
    let failed = |source: GeneratorError| ApplyError::Service { key: key(), source };
    let picture = match answer.await.map_err(|_| ApplyError::Worker)?.map_err(failed)? {
        Answer::Picture(picture) => picture,
        Answer::Task(_) => {
            let error = CallError::new(Trouble::Refused, "a free generator must answer with the picture");
            return Err(failed(error.into()));
        }
    };
    match look(&world.memory, picture, asset).await {
        Came::Picture(fetched) => Ok(fetched),
        Came::Rejected { why, .. } | Came::Failed { why, .. } | Came::Lost(why) | Came::NotYet(why) => {
            Err(ApplyError::Rejected { key: key(), why })
        }
    }
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
    let Arrived { picture: Picture { bytes, seed }, sha256, format: _, size: (width, height) } = file;
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
