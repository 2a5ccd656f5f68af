//! The order of collections in which nothing else changed.
//!
//! A plan knows no order: what moved inside a manifest changes no picture and no row. Whoever shows a collection wants the
//! manifest's order all the same, so an apply that has nothing else to do remembers it.

use crate::asset::CollectionName;
use crate::process::Process;
use crate::state::{Arrangement, LeaseAnswer, Run, State, StateError};

/// Returns those collections that the state knows and remembers otherwise arranged, or not at all.
///
/// # Errors
/// When the state cannot be read.
pub async fn rearranged(
    state: &dyn State,
    wanted: impl IntoIterator<Item = (CollectionName, Arrangement)>,
) -> Result<Vec<(CollectionName, Arrangement)>, StateError> {
    let known = state.known().await?;
    let mut rearranged = Vec::new();
    for (name, arrangement) in wanted {
        let is_known = known.collections.iter().any(|collection| collection.name == name);
        if is_known && state.arrangement(&name).await?.as_ref() != Some(&arrangement) {
            rearranged.push((name, arrangement));
        }
    }
    Ok(rearranged)
}

/// Remembers how collections are arranged, in a run of its own. One that somebody else works on is left to him.
///
/// # Errors
/// When the state cannot be written.
pub async fn arrange(
    state: &dyn State,
    run: &Run,
    arranged: Vec<(CollectionName, Arrangement)>,
) -> Result<(), StateError> {
    state.migrate().await?;
    state.start_run(run).await?;
    for (name, arrangement) in arranged {
        let LeaseAnswer::Taken(lease) = state.take_lease(&name, run, &Process::liveness).await? else { continue };
        let written = state.arrange(&lease, &arrangement).await;
        // A lease that cannot be given back ends by itself.
        let _ = state.release(&lease).await;
        written?;
    }
    state.finish_run(&run.id, "done").await
}
