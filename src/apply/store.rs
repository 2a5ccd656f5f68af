//! Claiming the storage: its marker says which state works with it, and when it did last. And proving it: what a run is
//! going to put must be taken, before anything is bought.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use uuid::Uuid;

use crate::digest::ContentDigest;
use crate::process::Process;
use crate::state::KnownState;
use crate::storage::{
    Marker, MarkerCreation, Needs, ORIGINALS, Originals, StorageError, StoreDecision, TakeStorage, make_marker, probe,
    write_marker,
};
use crate::world::World;

use super::{ApplyError, crash_point};

/// Probes under way at once.
const PROBES_AT_ONCE: usize = 4;
/// The type of every original, whatever else it may have.
const ORIGINAL_TYPE: &str = "image/png";

/// What a run is going to put.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Types and sizes.
    pub needs: Needs,
    /// The folders, each with a type that is put there.
    pub folders: BTreeMap<String, &'static str>,
}

/// Whether something has to be told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was before, or there is nothing to tell.
    Before,
    /// It has to be, and counts as told from now on.
    Now,
}

/// Makes sure that this state owns the storage, and writes down that it runs now; where files are going to be put, proves
/// that they can be. Says whether people have to be told that their originals are open.
///
/// # Errors
/// [`ApplyError::Refused`] where the storage is another one, or another state's; else what the storage says.
pub async fn claim(
    world: &World,
    (known, now, take): (&KnownState, i64, TakeStorage),
    originals: Originals,
    proof: Option<&Proof>,
) -> Result<Told, ApplyError> {
    if let Some(proof) = proof {
        world.storage.prepare(&proof.needs).await?;
    }
    let owner = known.id.clone().unwrap_or_default();
    let owner_note = Some(Process::current().host).filter(|host| !host.is_empty());
    let ours = |store: String| Marker {
        store,
        owner: owner.clone(),
        owner_note: owner_note.clone(),
        last_run: now,
        told_open: false,
        visited: false,
    };
    let (mut marker, mut decision) = world.store(known, now, take).await?;
    if marker.is_none() && !matches!(decision, StoreDecision::Refused(_)) {
        let first = ours(first_store(&owner, &world.storage.describe()));
        match make_marker(&*world.storage, &first).await? {
            MarkerCreation::First => marker = Some(first),
            // Another first run was faster: whose store it is now is decided anew.
            MarkerCreation::TooLate => (marker, decision) = world.store(known, now, take).await?,
        }
    }
    let told_before = marker.as_ref().is_some_and(|marker| marker.told_open);
    let visited = marker.as_ref().is_some_and(|marker| marker.visited);
    let store = match (decision, marker) {
        (StoreDecision::Refused(refusal), _) => return Err(refusal.into()),
        (_, Some(marker)) => marker.store,
        (_, None) => Uuid::now_v7().to_string(),
    };
    let is_open = originals == Originals::Open;
    let told_open = is_open || told_before;
    write_marker(&*world.storage, &Marker { told_open, visited, ..ours(store.clone()) }).await?;
    if known.store.as_deref() != Some(&store) {
        world.state.set_store(&store).await?;
    }
    if let Some(proof) = proof {
        prove(world, proof).await?;
    }
    Ok(if is_open && !told_before { Told::Now } else { Told::Before })
}

/// Returns the id of the first store of a state. Two of its runs that begin together come to the same one, for many stores
/// let both of them write the marker.
fn first_store(owner: &str, place: &str) -> String {
    let mut id = ContentDigest::of(format!("{owner} {place}").as_bytes()).hex();
    id.truncate(32);
    id
}

/// Puts a file into every folder that is going to be used, reads it, and deletes it.
async fn prove(world: &World, proof: &Proof) -> Result<(), ApplyError> {
    let mut folders = proof.folders.clone();
    folders.insert(ORIGINALS.to_owned(), ORIGINAL_TYPE);
    let probes = stream::iter(folders).map(|(folder, content_type)| async move {
        probe(&*world.storage, &folder, &Uuid::now_v7().to_string(), content_type).await
    });
    // All of them to their end, whatever becomes of one: none is left behind.
    let proven: Vec<Result<(), StorageError>> = probes.buffer_unordered(PROBES_AT_ONCE).collect().await;
    proven.into_iter().collect::<Result<(), StorageError>>()?;
    crash_point("proven");
    Ok(())
}
