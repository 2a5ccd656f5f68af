//! The order of collections: kept for whoever shows the pictures, also where nothing else changes.

use crate::state::Access;

use super::environment::Environment;
use super::manifest_files::LoadedManifests;
use super::run_record::RunStart;
use super::{EngineError, damage_memory};

/// Remembers the order of the manifests where a plan changes nothing, and forgets damages that were put back by hand.
///
/// # Errors
/// When the state cannot be read, or there is something to remember and it cannot be written.
pub async fn keep_order(
    environment: &Environment,
    loaded: &LoadedManifests,
    start: &RunStart<'_>,
) -> Result<(), EngineError> {
    if crate::state::is_unfinished(environment.settings.state.expose()) {
        // Opening it for writing takes a change back that a killed run left half done.
        environment.open(Access::Write).await?;
    }
    let wanted = loaded.declared.iter().map(|declared| (declared.manifest.name.clone(), declared.arrangement()));
    let world = environment.open(Access::Read).await?;
    let rearranged = crate::apply::rearranged(&*world.state, wanted).await?;
    if !rearranged.is_empty() {
        let world = environment.open(Access::Write).await?;
        crate::apply::arrange(&*world.state, &start.run(), rearranged).await?;
    }
    // What was put back by hand is well, and no longer looked at.
    let names = || loaded.declared.iter().map(|declared| &declared.manifest.name);
    let mut remembered = false;
    for name in names() {
        remembered |= !world.state.damages(name).await?.is_empty();
    }
    if remembered {
        damage_memory::forget(&environment.open(Access::Write).await?, names()).await?;
    }
    Ok(())
}
