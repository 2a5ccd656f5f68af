//! Claiming the storage: its marker says which state works with it, and when it did last.

use uuid::Uuid;

use crate::process::Process;
use crate::state::Known;
use crate::storage::{Made, Marker, StoreDecision, TakeStorage, make_marker, write_marker};
use crate::world::World;

use super::ApplyError;

/// Makes sure that this state owns the storage, and writes down that it runs now.
///
/// # Errors
/// [`ApplyError::Refused`] where the storage is another one, or another state's.
pub async fn claim(world: &World, known: &Known, now: i64, take: TakeStorage) -> Result<(), ApplyError> {
    let owner = known.id.clone().unwrap_or_default();
    let owner_note = Some(Process::current().host).filter(|host| !host.is_empty());
    let ours = |store: String| Marker { store, owner: owner.clone(), owner_note: owner_note.clone(), last_run: now };
    let (mut marker, mut decision) = world.store(known, now, take).await?;
    if marker.is_none() && !matches!(decision, StoreDecision::Refused(_)) {
        let first = ours(Uuid::now_v7().to_string());
        match make_marker(&*world.storage, &first).await? {
            Made::First => marker = Some(first),
            // Another first run was faster: whose store it is now is decided anew.
            Made::TooLate => (marker, decision) = world.store(known, now, take).await?,
        }
    }
    let store = match (decision, marker) {
        (StoreDecision::Refused(refusal), _) => return Err(refusal.into()),
        (_, Some(marker)) => marker.store,
        (_, None) => Uuid::now_v7().to_string(),
    };
    write_marker(&*world.storage, &ours(store.clone())).await?;
    if known.store.as_deref() != Some(&store) {
        world.state.set_store(&store).await?;
    }
    Ok(())
}
