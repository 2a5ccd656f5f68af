//! Carrying a plan out: a run is begun, leases are taken and kept meanwhile, and what came of it is written down.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::apply::{self, ApplyError, Ended, Leases, Outcome, Stop, Why, Work};
use crate::asset::Assets;
use crate::plan::Plan;
use crate::planner::{CandidateTake, Moves};
use crate::render;
use crate::secret::chain;
use crate::state::{Caps, KeptPlan, RenameMemory, Run};
use crate::world::World;

use super::manifest_files::LoadedManifests;
use super::prepare::PreparedPlan;
use super::run_record::{RunStart, begin_run};
use super::upload_proof::proof;
use super::{EngineError, EngineEvent, EngineListener, damage_memory};

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct RunOptions<'r> {
    /// What the run is.
    pub start: RunStart<'r>,
    /// How far it goes.
    pub extent: RunExtent,
    /// Whether the plan is kept.
    pub keeping: PlanKeeping,
    /// How long somebody else is waited for, in seconds.
    pub wait_seconds: u64,
    /// After how many seconds nothing new is begun.
    pub timeout_seconds: Option<u64>,
    /// Pictures that may be under way at once, of all services together.
    pub parallelism: Option<usize>,
    /// Says how far the run may still go; whoever holds it, too, can stop the run.
    pub stop: Arc<Stop>,
}

impl<'r> RunOptions<'r> {
    /// Goes all the way, at whatever pace, waits for nobody, and keeps no plan.
    pub fn new(start: RunStart<'r>) -> Self {
        Self {
            start,
            extent: RunExtent::Rows,
            keeping: PlanKeeping::None,
            wait_seconds: 0,
            timeout_seconds: None,
            parallelism: None,
            stop: Arc::default(),
        }
    }
}

/// How far a plan is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunExtent {
    /// Originals and published files; visitors see none of it.
    Files,
    /// Records and rows, too.
    Rows,
}

/// Whether a plan is kept under its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanKeeping {
    /// It is: somebody reviews it, or has.
    ByDigest,
    /// It is not.
    None,
}

/// A run with what keeps it going.
struct Running<'r> {
    run: &'r Run,
    leases: &'r Leases,
}

/// Carries a plan out under its leases.
///
/// # Errors
/// Before any work: when the storage is not ours, somebody else is at work, or the world changed after the plan was made.
/// What goes wrong with single assets is part of the outcome.
pub async fn carry_out(
    world: &Arc<World>,
    prepared: &PreparedPlan,
    options: &RunOptions<'_>,
    listener: &dyn EngineListener,
) -> Result<Outcome, EngineError> {
    let proof = proof(prepared)?;
    // The history tells pictures to choose from from those that are wanted.
    let command = if prepared.takes > 0 { Run::CANDIDATES } else { options.start.command };
    let start = RunStart { command, ..options.start.clone() };
    let run = begin_run(world, &prepared.environment, &start, proof.as_ref(), listener).await?;
    if options.keeping == PlanKeeping::ByDigest {
        let document = render::plan_document(&prepared.plan);
        let kept = KeptPlan { digest: prepared.plan.digest(), document, run: run.id.clone() };
        world.state.keep_plan(&kept).await?;
    }
    let leases = match options.extent {
        RunExtent::Files => Leases::none(&run),
        RunExtent::Rows => {
            copy(world, listener).await?;
            let names = apply::collections(&prepared.plan);
            Leases::take(&*world.state, &names, &run, options.wait_seconds).await?
        }
    };
    let result = guarded(world, prepared, Running { run: &run, leases: &leases }, options, listener).await;
    let ended = match &result {
        Ok(Outcome { ended: None, failed, .. }) if failed.is_empty() => "done",
        Ok(Outcome { ended: Some(Ended::Stopped(Why::Signal)), .. }) => "interrupted",
        Ok(_) | Err(_) => "failed",
    };
    leases.release(&*world.state).await;
    if let Ok(outcome) = &result {
        keep_damages(world, prepared, options.extent, outcome, listener).await;
    }
    // The run's end is for people who read the history: it must not hide what went wrong.
    let _ = world.state.finish_run(&run.id, ended).await;
    Ok(result?)
}

/// Keeps in mind what is damaged, and forgets what is well by now. It is a hint, and no reason to fail.
async fn keep_damages(
    world: &World,
    prepared: &PreparedPlan,
    extent: RunExtent,
    outcome: &Outcome,
    listener: &dyn EngineListener,
) {
    let kept = async {
        damage_memory::remember(world, outcome).await?;
        match extent {
            RunExtent::Files => Ok(()),
            RunExtent::Rows => {
                damage_memory::forget(world, prepared.plan.collections.iter().map(|part| &part.name)).await
            }
        }
    };
    if let Err(error) = kept.await {
        let message = format!("what is damaged could not be remembered: {}", chain(&error));
        listener.hear(EngineEvent::Odd {
            message: &message,
            help: "`pixform check --deep` finds it again",
            place: None,
        });
    }
}

/// Copies what only the previous storage has: files first, for a row that was switched would point at what is not there
/// yet.
async fn copy(world: &Arc<World>, listener: &dyn EngineListener) -> Result<(), ApplyError> {
    let copied = apply::copy(world).await?;
    if copied > 0 {
        listener.hear(EngineEvent::FilesCopied(copied));
    }
    Ok(())
}

/// Carries the plan out while the leases are renewed and the time is kept beside it.
async fn guarded(
    world: &Arc<World>,
    PreparedPlan { environment, loaded, plan, takes }: &PreparedPlan,
    Running { run, leases }: Running<'_>,
    options: &RunOptions<'_>,
    listener: &dyn EngineListener,
) -> Result<Outcome, ApplyError> {
    let taken = taken(plan, loaded, *takes);
    let works = works(world, plan, loaded, &taken).await?;
    listener.hear(EngineEvent::Begun(plan.changes().count() as u64));
    let stop = &options.stop;
    let applied = apply::Options {
        run,
        stop,
        prices: &environment.prices(),
        caps: Caps { run: plan.cap, month: environment.settings.guards.max_cost_month },
        unknown_retries: environment.unknown_retries(),
        parallelism: options.parallelism,
    };
    let listen = |event: apply::Event<'_>| listener.hear(EngineEvent::Apply(event));
    let lost: Mutex<Option<ApplyError>> = Mutex::default();
    // Neither of these ends: what was begun is finished and written down, also by a run that lost its lease.
    let keep = async {
        let error = leases.keep(&*world.state).await;
        lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.into());
        stop.ask(Why::Broken);
        std::future::pending::<Infallible>().await
    };
    let time = async {
        if let Some(seconds) = options.timeout_seconds {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            listener.hear(EngineEvent::TimeUp);
            stop.ask(Why::TimeUp);
        }
        std::future::pending::<Infallible>().await
    };
    let outcome = tokio::select! {
        outcome = apply::run(world, &works, leases, &applied, &listen) => outcome,
        never = keep => match never {},
        never = time => match never {},
    };
    listener.hear(EngineEvent::Ended);
    let mut outcome = outcome?;
    if let Some(error) = lost.into_inner().unwrap_or_else(PoisonError::into_inner) {
        outcome.ended = Some(Ended::Broken(error));
    }
    Ok(outcome)
}

/// Returns the assets of each part of a plan that is about several takes.
fn taken<'l>(plan: &Plan, loaded: &'l LoadedManifests, takes: u32) -> Vec<CandidateTake<'l>> {
    let parts = plan.collections.iter().filter(|_| takes > 0).enumerate();
    let manifests = parts.filter_map(|(number, part)| {
        let declared = loaded.declared.iter().find(|declared| declared.manifest.name == part.name)?;
        Some(CandidateTake { manifest: &declared.manifest, take: number as u32 % takes + 1 })
    });
    manifests.collect()
}

/// Puts the collections of a plan together with their assets.
async fn works<'w>(
    world: &World,
    plan: &'w Plan,
    loaded: &'w LoadedManifests,
    taken: &'w [CandidateTake<'w>],
) -> Result<Vec<Work<'w>>, ApplyError> {
    let mut works = Vec::new();
    let parts = plan.collections.iter().enumerate().filter(|(_, collection)| !collection.changes.is_empty());
    for (number, collection) in parts {
        let declared = loaded.declared.iter().find(|declared| declared.manifest.name == collection.name);
        let moves = match declared {
            Some(declared) => Moves::to_remember(world, &declared.manifest, collection).await?,
            None => RenameMemory::default(),
        };
        works.push(Work {
            plan: collection,
            assets: match taken.get(number) {
                Some(taken) => Some(taken as &dyn Assets),
                None => declared.map(|declared| &declared.manifest as &dyn Assets),
            },
            table: declared.and_then(|declared| declared.manifest.table()),
            moves,
            arrangement: declared.map(|declared| declared.arrangement()),
        });
    }
    Ok(works)
}
