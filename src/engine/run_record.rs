//! The record of a run: begun in the state before anything changes, and ended whatever came of it.

use crate::apply::{self, Proof, Told};
use crate::process::Process;
use crate::state::{Run, RunOrigin};
use crate::storage::TakeStorage;
use crate::world::World;

use super::environment::Environment;
use super::surroundings::now;
use super::{EngineError, EngineEvent, EngineListener};

/// What a run is, for the history.
#[derive(Debug, Clone)]
pub struct RunStart<'r> {
    /// The command, as the history shows it.
    pub command: &'r str,
    /// Where the run comes from.
    pub origin: RunOrigin,
    /// Whether the user insists on the storage.
    pub take: TakeStorage,
}

impl RunStart<'_> {
    /// Makes a run of this process.
    pub fn run(&self) -> Run {
        let id = uuid::Uuid::now_v7().to_string();
        let (command, process, origin) = (self.command.to_owned(), Process::current(), self.origin.clone());
        Run { id, command, process, origin }
    }
}

/// Begins a run in the state: tables, storage, the run itself.
///
/// # Errors
/// When the state cannot be written, or the storage is not ours.
pub async fn begin_run(
    world: &World,
    environment: &Environment,
    start: &RunStart<'_>,
    proof: Option<&Proof>,
    listener: &dyn EngineListener,
) -> Result<Run, EngineError> {
    world.state.migrate().await?;
    let known = world.state.known().await?;
    let originals = environment.originals()?;
    let told = apply::claim(world, (&known, now(), start.take), originals, proof).await?;
    if told == Told::Now {
        listener.hear(EngineEvent::OriginalsOpen);
    }
    let run = start.run();
    world.state.start_run(&run).await?;
    let doubtful = world.state.doubt(&Process::liveness).await?;
    tracing::info!(run = run.id, doubtful, "run begins");
    Ok(run)
}

/// Ends a run that held its leases, and hands on what came of it.
///
/// The run's end is for people who read the history: it must not hide what went wrong.
pub async fn end_run<T, E>(world: &World, run: &Run, result: Result<T, E>) -> Result<T, E> {
    let ended = if result.is_ok() { "done" } else { "failed" };
    let _ = world.state.finish_run(&run.id, ended).await;
    result
}
