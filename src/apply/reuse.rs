//! Reuse: originals that are there already, for whatever reason nothing has to be made.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, stream};

use crate::asset::ObjectPath;
use crate::digest::RecipeDigest;
use crate::imaging::Facts;
use crate::plan::{Action, Cause};
use crate::record::{CallStatus, Decision, Original};
use crate::state::CallFact;
use crate::storage::Overwrite;
use crate::world::{World, original_path};

use super::ApplyError;
use super::announce::rely;
use super::files::Pictured;
use super::item::Item;
use super::original::fetch;

/// Files that are read at once.
const AT_ONCE: usize = 8;

/// Fills in the originals that are there: those the plan names, and those made for another asset of this plan.
pub async fn take_over(
    world: &World,
    items: &[Item<'_>],
    originals: &mut [Option<Pictured>],
) -> Result<(), ApplyError> {
    // What could not be made or copied is not there to be taken.
    let open = items.iter().zip(originals.iter()).filter(|(_, original)| original.is_none()).map(|(item, _)| item);
    let reused = open.filter(|item| item.change.action == Action::Reuse);
    let (accepted, found): (Vec<&Item<'_>>, Vec<&Item<'_>>) = reused.partition(|item| accepted(item).is_some());
    let paths = found.iter().filter_map(|item| Some(item.change.original.as_ref()?.path.clone()));
    let gone = rely(world, paths.collect()).await?;
    let damaged = damaged(world, &found, &gone).await;
    let whole = |original: &Original| !damaged.contains_key(&original.path) && !gone.contains(&original.path);
    let found = found.iter().filter_map(|item| item.change.original.clone());
    let found: Vec<Original> = found.filter(whole).collect();
    if !found.is_empty() {
        world.state.found(&found).await?;
    }
    let mut taken = accept(world, &accepted).await?;
    let mut damaged = damaged;
    let mut open = Vec::new();
    for (item, original) in items.iter().zip(originals.iter_mut()) {
        if original.is_some() {
            continue;
        }
        match (&item.change.original, &item.asset) {
            (Some(known), _) => {
                *original = Some(match (damaged.remove(&known.path), taken.remove(&known.recipe)) {
                    _ if gone.contains(&known.path) => Err(ApplyError::Collected { key: item.change.key.clone() }),
                    (Some(error), _) => Err(error),
                    (None, Some(taken)) => taken.map(|taken| (taken, None)),
                    (None, None) => Ok((known.clone(), None)),
                });
            }
            (None, Some(asset)) => open.push(asset.recipe.digest()),
            (None, None) => {}
        }
    }
    let known = world.state.originals(&open).await?;
    let gone = rely(world, known.iter().map(|original| original.path.clone()).collect()).await?;
    let known: HashMap<_, _> = known.into_iter().map(|original| (original.recipe, original)).collect();
    for (item, original) in items.iter().zip(originals.iter_mut()) {
        if let (None, Some(asset)) = (&original, &item.asset) {
            let known = known.get(&asset.recipe.digest()).filter(|known| !gone.contains(&known.path));
            *original = known.map(|known| Ok((known.clone(), None)));
        }
    }
    Ok(())
}

/// Returns the call whose rejected picture is taken all the same.
fn accepted<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    let mut decisions = item.change.decisions.iter();
    decisions.find(|(_, decision)| *decision == Decision::Accepted).map(|(call, _)| call.as_str())
}

/// Looks at originals that only the storage knew: what ends a ledger line must be what its path says, for a file that was
/// cut off by a power cut is no picture, and its task may still be asked for.
async fn damaged(world: &World, found: &[&Item<'_>], gone: &HashSet<ObjectPath>) -> HashMap<ObjectPath, ApplyError> {
    let unknown = |item: &&&Item<'_>| item.change.reasons.iter().any(|reason| reason.cause == Cause::FoundInStorage);
    let unknown = found.iter().filter(unknown).filter_map(|item| item.change.original.as_ref());
    let unknown = unknown.filter(|original| !gone.contains(&original.path));
    let looked = stream::iter(unknown).map(|original| async move {
        let error = fetch(world, original).await.err()?;
        Some((original.path.clone(), error))
    });
    looked.buffer_unordered(AT_ONCE).filter_map(|damaged| async move { damaged }).collect().await
}

/// What came of rejected pictures that are taken all the same, by recipe.
type Taken = HashMap<RecipeDigest, Result<Original, ApplyError>>;

/// Takes rejected pictures all the same: they are put where originals lie, and their lines are finished.
async fn accept(world: &World, items: &[&Item<'_>]) -> Result<Taken, ApplyError> {
    let mut taken = HashMap::new();
    let mut facts = Vec::new();
    for item in items {
        let (Some(call), Some(rejected)) = (accepted(item), &item.change.original) else { continue };
        let original = match one(world, item, rejected).await {
            Err(error) if error.ends_the_run() => return Err(error),
            original => original,
        };
        if let Ok(original) = &original {
            facts.push(CallFact { original: Some(original.clone()), ..CallFact::new(call, CallStatus::Finished) });
        }
        taken.insert(rejected.recipe, original);
    }
    if !facts.is_empty() {
        world.storage.sync().await?;
        world.state.settle(&facts).await?;
    }
    Ok(taken)
}

async fn one(world: &World, item: &Item<'_>, rejected: &Original) -> Result<Original, ApplyError> {
    let bytes = fetch(world, rejected).await?;
    let decoded = world.memory.decode(&bytes).await;
    let Facts { format, width, height } =
        decoded.map_err(|source| ApplyError::Picture { key: item.change.key.clone(), source })?.facts();
    let path = original_path(&rejected.recipe, &rejected.sha256, format.extension());
    rely(world, vec![path.clone()]).await?;
    world.put(&path, bytes, format.content_type(), Overwrite::Replace).await?;
    Ok(Original { path, width, height, ..rejected.clone() })
}
