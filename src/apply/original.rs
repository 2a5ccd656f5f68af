//! Originals: the picture that a recipe asks for, made or found, stored, and remembered.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use uuid::Uuid;

use crate::asset::{Asset, CollectionName, MicroUsd};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::generator::{Generator, Picture};
use crate::imaging::{self, Decoded, Facts};
use crate::process::Process;
use crate::record::{Call, CallStatus, Original};
use crate::state::{CallFact, Intent, Lease};
use crate::storage::Overwrite;
use crate::world::{World, original_path};

use super::{ApplyError, crash_point};

/// One picture that is wanted.
pub struct Wanted<'w> {
    /// The asset.
    pub asset: &'w Asset,
    /// Its recipe's digest.
    pub recipe: RecipeDigest,
    /// What it costs.
    pub price: MicroUsd,
}

/// A picture that is stored, with its bytes at hand.
#[derive(Debug, Clone)]
pub struct Made {
    /// What is remembered of it.
    pub original: Original,
    /// The picture, decoded.
    pub decoded: Arc<Decoded>,
}

/// Makes pictures: intent, picture, stored, remembered; each step for all of them before the next.
///
/// # Errors
/// The whole batch fails only where the state refuses; a picture that fails is an error of its own.
pub async fn make(
    world: &World,
    lease: &Lease,
    run: &str,
    wanted: &[Wanted<'_>],
    making_at_once: usize,
) -> Result<Vec<Result<Made, ApplyError>>, ApplyError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let calls: Vec<Call> = wanted.iter().map(|wanted| call(&lease.collection, run, wanted)).collect();
    let intents = world.state.intend(lease, &calls, None, &Process::liveness).await?;
    let ours: Vec<Option<String>> = intents.into_iter().map(sent).collect();
    crash_point("intended");
    let made = stream::iter(wanted.iter().zip(&ours))
        .map(|(wanted, call)| async move {
            if call.is_none() {
                return Err(ApplyError::MadeElsewhere { key: wanted.asset.key.clone() });
            }
            let name = &wanted.asset.generator;
            let generator = world.generator(name).ok_or_else(|| ApplyError::NoGenerator(name.clone()))?;
            let answer = generate(Arc::clone(generator), wanted.asset).await?;
            store(world, wanted, answer).await
        })
        .buffered(making_at_once);
    let made: Vec<Result<Made, ApplyError>> = made.collect().await;
    tracing::debug!(wanted = wanted.len(), made = made.iter().filter(|made| made.is_ok()).count(), "pictures made");
    crash_point("originals-put");
    world.storage.sync().await?;
    let facts: Vec<CallFact> = made.iter().zip(ours).filter_map(|(made, call)| Some(fact(call?, made))).collect();
    world.state.settle(&facts).await?;
    crash_point("finished");
    Ok(made)
}

fn call(collection: &CollectionName, run: &str, wanted: &Wanted<'_>) -> Call {
    Call {
        id: Uuid::now_v7().to_string(),
        run: run.to_owned(),
        collection: collection.clone(),
        key: wanted.asset.key.clone(),
        recipe: wanted.recipe,
        generator: wanted.asset.recipe.generator.clone(),
        service: wanted.asset.generator.to_string(),
        model: wanted.asset.recipe.model.clone(),
        price: wanted.price,
        status: CallStatus::Intended,
        task: None,
        reason: None,
        sha256: None,
        decision: None,
        created_at: 0,
        updated_at: 0,
    }
}

/// Returns the line of a call that is to be sent.
fn sent(intent: Intent) -> Option<String> {
    match intent {
        Intent::Ours(call) => Some(call),
        Intent::Resumed { .. } | Intent::Elsewhere | Intent::Undecided | Intent::Capped => None,
    }
}

fn fact(call: String, made: &Result<Made, ApplyError>) -> CallFact {
    let (status, original, reason) = match made {
        Ok(made) => (CallStatus::Finished, Some(made.original.clone()), None),
        Err(error @ ApplyError::Picture { .. }) => (CallStatus::Rejected, None, Some(error.to_string())),
        Err(error) => (CallStatus::Failed, None, Some(error.to_string())),
    };
    CallFact { call, status, task: None, sha256: None, original, reason }
}

/// A picture that came back and is what was asked for.
struct Answer {
    picture: Picture,
    sha256: ContentDigest,
    decoded: Arc<Decoded>,
}

async fn generate(generator: Arc<dyn Generator>, asset: &Asset) -> Result<Answer, ApplyError> {
    let (recipe, key) = (asset.recipe.clone(), asset.key.clone());
    // A task of its own: decoding and hashing are work for a processor, and another picture can be worked on beside it.
    let made = tokio::spawn(async move {
        let picture = generator.generate(&recipe).await?;
        let unusable = |source| ApplyError::Picture { key: key.clone(), source };
        let decoded = Decoded::new(&picture.bytes).map_err(unusable)?;
        decoded.verify(recipe.width, recipe.height).map_err(unusable)?;
        Ok(Answer { sha256: ContentDigest::of(&picture.bytes), picture, decoded: Arc::new(decoded) })
    });
    made.await.map_err(|_| ApplyError::Worker)?
}

async fn store(world: &World, wanted: &Wanted<'_>, answer: Answer) -> Result<Made, ApplyError> {
    let Answer { picture: Picture { bytes, seed }, sha256, decoded } = answer;
    let Facts { format, width, height } = decoded.facts();
    let path = original_path(&wanted.recipe, &sha256, format.extension());
    let size = bytes.len() as u64;
    // Replaced where it is there: after a power cut a file of this name may hold less than it should.
    world.storage.put(&path, bytes, format.content_type(), Overwrite::Replace).await?;
    crash_point("original-put");
    let original = Original { recipe: wanted.recipe, sha256, path, bytes: size, width, height, seed };
    Ok(Made { original, decoded })
}

/// Reads an original and makes sure that its bytes are those that were stored.
///
/// # Errors
/// [`ApplyError::Damaged`] where they are others.
pub async fn fetch(world: &World, original: &Original) -> Result<Bytes, ApplyError> {
    let bytes = world.storage.get(&original.path, imaging::BYTES_MAX).await?;
    if ContentDigest::of(&bytes) != original.sha256 {
        return Err(ApplyError::Damaged { path: original.path.to_string() });
    }
    Ok(bytes)
}
