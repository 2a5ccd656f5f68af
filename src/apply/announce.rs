//! Announcing: a file's path is known to the state before the file is put, so that a kill leaves none behind that nobody
//! knows; and relying on files that are there, which no run of gc then takes.
//!
//! A living run of gc may be deleting a file at the very path where another one is to be put. It is waited for: whatever it
//! deletes, it does so within seconds, unless it stands still.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::asset::ObjectPath;
use crate::digest::ContentDigest;
use crate::process::Process;
use crate::record::{Original, Published};
use crate::state::Claim;
use crate::world::{World, WorldError};

use super::ApplyError;

/// For how long a run of gc is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is asked whether it is done.
const ASKED_EVERY: Duration = Duration::from_millis(200);

/// Announces published files; returns the paths where none can be put, because a run of gc stands still in deleting them.
pub async fn announce(
    world: &World,
    files: Vec<(ContentDigest, Published)>,
) -> Result<HashSet<ObjectPath>, ApplyError> {
    let ask = async |files: &[_]| Ok(world.state.announce(files, &Process::liveness).await?);
    patiently(files, |(_, file)| &file.path, ask).await
}

/// Announces originals, likewise.
pub async fn announce_originals(world: &World, originals: Vec<Original>) -> Result<HashSet<ObjectPath>, ApplyError> {
    let ask = async |originals: &[_]| Ok(world.state.announce_originals(originals, &Process::liveness).await?);
    patiently(originals, |original| &original.path, ask).await
}

/// Asks until nothing is refused any more, or patience ends; returns what is refused still.
pub async fn patiently<T: Clone>(
    mut rest: Vec<T>,
    path: impl Fn(&T) -> &ObjectPath,
    ask: impl AsyncFn(&[T]) -> Result<Vec<ObjectPath>, ApplyError>,
) -> Result<HashSet<ObjectPath>, ApplyError> {
    let begun = Instant::now();
    loop {
        if rest.is_empty() {
            return Ok(HashSet::new());
        }
        let refused: HashSet<ObjectPath> = ask(&rest).await?.into_iter().collect();
        if refused.is_empty() || begun.elapsed() > PATIENCE {
            return Ok(refused);
        }
        tracing::info!(files = refused.len(), "a run of gc is deleting files that are to be put");
        rest.retain(|each| refused.contains(path(each)));
        sleep(ASKED_EVERY).await;
    }
}

/// Begins to rely on files; returns those that are gone, or about to go.
///
/// # Errors
/// What state or storage say.
pub async fn rely(world: &World, paths: Vec<ObjectPath>) -> Result<HashSet<ObjectPath>, WorldError> {
    if paths.is_empty() {
        return Ok(HashSet::new());
    }
    let claims = world.state.claim(&paths, &Process::liveness).await?;
    let (mut gone, mut unknown) = (HashSet::new(), Vec::new());
    for (path, claim) in paths.into_iter().zip(claims) {
        match claim {
            Claim::Kept => {}
            Claim::BeingDeleted => drop(gone.insert(path)),
            Claim::Unknown => unknown.push(path),
        }
    }
    // After it was claimed: whoever looks before may see what is deleted in between.
    let sizes = world.sizes(unknown).await?;
    gone.extend(sizes.into_iter().filter(|(_, size)| size.is_none()).map(|(path, _)| path));
    Ok(gone)
}
