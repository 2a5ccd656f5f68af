//! What most commands begin with: the environment that the arguments mean, and who the run is.

use std::path::Path;

use crate::engine::{Environment, RunStart, shown};
use crate::storage::TakeStorage;
use crate::world::World;

use super::{Failure, Global, Output, origin};

/// Settles the environment that the arguments mean.
pub fn environment(global: &Global, output: &Output) -> Result<Environment, Failure> {
    Ok(Environment::settle(&global.choice(), output)?)
}

/// Settles the environment for a command that opens nothing: a variable that is missing is no mistake then.
pub fn environment_closed(global: &Global, output: &Output) -> Result<Environment, Failure> {
    Ok(Environment::settle_closed(&global.choice(), output)?)
}

/// Returns what a run of a command is, for the history.
pub fn start(command: &str, take: TakeStorage) -> RunStart<'_> {
    RunStart { command, origin: origin::here(), take }
}

/// Returns where the database is, for people; a server's address may hold a password and is not told.
pub fn describe_state(environment: &Environment) -> String {
    let state = &environment.settings.state;
    let place = crate::state::place(state.expose());
    match (state.scheme(), place) {
        (Some("sqlite"), Some(path)) => shown(Path::new(&path)).display().to_string(),
        (_, Some(place)) => format!("Postgres at {place}"),
        (scheme, None) => scheme.unwrap_or("the state").to_owned(),
    }
}

/// Returns where the pictures are, for people.
pub fn describe_storage(environment: &Environment, world: &World) -> String {
    match environment.settings.storage.url.expose().strip_prefix("file:") {
        Some(path) => shown(Path::new(path)).display().to_string(),
        None => world.storage.describe(),
    }
}
