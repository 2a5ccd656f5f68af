//! pixform inside of another program: plans what manifests ask for, carries it out, and hears what happens.
//!
//! `cargo run --example embed -- pixform.yaml manifests/portraits.yaml`

use std::path::PathBuf;

use pixform::engine::{
    self, EngineError, EngineEvent, Environment, EnvironmentChoice, PlanOptions, RunOptions, RunStart,
};
use pixform::state::RunOrigin;
use pixform::storage::TakeStorage;

#[tokio::main]
async fn main() -> Result<(), EngineError> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let file = arguments.next();
    let done = publish(file, &arguments.collect::<Vec<_>>(), &|event| println!("{event:?}")).await?;
    println!("{done} changes were carried out");
    Ok(())
}

/// Makes and publishes what is missing; returns how many changes that took.
pub async fn publish(
    file: Option<PathBuf>,
    manifests: &[PathBuf],
    listen: &(dyn Fn(EngineEvent<'_>) + Sync),
) -> Result<u64, EngineError> {
    let listener = &|event: EngineEvent<'_>| listen(event);
    let choice = EnvironmentChoice { file, ..EnvironmentChoice::default() };
    let environment = Environment::settle(&choice, listener)?;
    let prepared = engine::prepare(environment, manifests, &PlanOptions::default(), listener).await?;
    if let Some(refusal) = prepared.plan.refusals.first() {
        return Err(EngineError::unfit(&refusal.message, &refusal.way_out));
    }
    if prepared.plan.is_empty() {
        return Ok(0);
    }
    // Whoever wants to ask first asks here: nothing is bought, made or changed before this line.
    let world = prepared.open(prepared.generators()?).await?;
    let start = RunStart { command: "embed", origin: RunOrigin::default(), take: TakeStorage::No };
    let outcome = engine::carry_out(&world, &prepared, &RunOptions::new(start), listener).await?;
    if let Some((_, _, error)) = outcome.failed.into_iter().next() {
        return Err(error.into());
    }
    Ok(outcome.done.values().sum())
}
