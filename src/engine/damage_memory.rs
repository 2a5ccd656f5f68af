//! Damages: what is remembered of files that are not as they should be, kept up to date by whoever may write.

use std::collections::BTreeMap;

use crate::apply::{ApplyError, Outcome};
use crate::asset::CollectionName;
use crate::planner::remembered;
use crate::state::Damage;
use crate::world::World;

use super::EngineError;

/// Forgets what is well again, of these collections.
///
/// # Errors
/// When a file cannot be read, or the state not be written.
pub async fn forget<'c>(world: &World, names: impl Iterator<Item = &'c CollectionName>) -> Result<(), EngineError> {
    for name in names {
        let (_, well) = remembered(&*world.state, &*world.storage, name).await?;
        if !well.is_empty() {
            world.state.note_damages(name, &[], &well).await?;
        }
    }
    Ok(())
}

/// Remembers the originals that a run could not use: the next plan tells what that means.
///
/// # Errors
/// When the state cannot be written.
pub async fn remember(world: &World, outcome: &Outcome) -> Result<(), EngineError> {
    let mut found: BTreeMap<&CollectionName, Vec<Damage>> = BTreeMap::new();
    for (name, key, error) in &outcome.failed {
        if let ApplyError::Damaged { path, sha256, .. } = error {
            let damage = Damage { key: key.clone(), path: path.clone(), sha256: *sha256 };
            found.entry(name).or_default().push(damage);
        }
    }
    for (name, damages) in found {
        world.state.note_damages(name, &damages, &[]).await?;
    }
    Ok(())
}
