//! What every command does that carries a plan out: ask, begin a run, take the leases, and keep them meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::apply::{self, ApplyError, Ended, Leases, Options, Outcome, Proof, Told, Why, Work};
use crate::asset::Assets;
use crate::config::Settings;
use crate::plan::Plan;
use crate::planner::{CandidateTake, Moves};
use crate::process::Process;
use crate::render;
use crate::secret::chain;
use crate::state::{Caps, KeptPlan, RenameMemory, Run};
use crate::storage::TakeStorage;
use crate::world::World;

use super::commands::plan::{self, Prepared};
use super::context::{self, Loaded};
use super::progress::Progress;
use super::proof::proof;
use super::signals::Signals;
use super::{Failure, Output, damages, exposed, origin, services};

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Going<'g> {
    /// The command, as the history shows it.
    pub command: &'g str,
    /// How far it goes.
    pub reach: Reach,
    /// Whether the plan is kept.
    pub keeps: Keeps,
    /// Whether the user insists on the storage.
    pub take: TakeStorage,
    /// How long somebody else is waited for.
    pub wait_seconds: u64,
    /// After how many seconds nothing new is begun.
    pub timeout: Option<u64>,
    /// Pictures that may be under way at once.
    pub parallelism: Option<usize>,
}

impl<'g> Going<'g> {
    /// Goes all the way, at whatever pace, and keeps no plan.
    pub fn new(command: &'g str, take: TakeStorage, wait_seconds: u64) -> Self {
        let (reach, keeps) = (Reach::Rows, Keeps::Nothing);
        Self { command, reach, keeps, take, wait_seconds, timeout: None, parallelism: None }
    }
}

/// How far a plan is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Originals and published files; visitors see none of it.
    Files,
    /// Records and rows, too.
    Rows,
}

/// Whether a plan is kept under its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// It is: somebody reviews it, or has.
    Plan,
    /// It is not.
    Nothing,
}

/// What is asked before anything changes.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The command.
    pub command: &'a str,
    /// The question.
    pub question: &'a str,
}

/// Asks, unless the user has said yes.
pub fn confirm(yes: bool, asked: Asked<'_>, output: &Output) -> Result<(), Failure> {
    let Asked { command, question } = asked;
    if yes {
        return Ok(());
    }
    if !output.can_ask() {
        let message = format!("{command} asks before it changes anything, and there is no terminal to ask on");
        let help = match command {
            "apply" | "preview" => format!("look at the plan above, and run it on a terminal; {}", answered(command)),
            _ => format!("look at what is told above, and run it on a terminal; {}", answered(command)),
        };
        return Err(Failure::usage(message, help));
    }
    match output.ask(question) {
        true => Ok(()),
        false => Err(Failure::Declined),
    }
}

/// Says where it stands how a command is answered that cannot ask. The option itself goes on without asking.
pub fn answered(command: &str) -> String {
    format!("`pixform {command} --help` says how it is answered beforehand")
}

/// Begins a run in the state: tables, storage, the run itself.
pub async fn begin(
    world: &World,
    settings: &Settings,
    take: TakeStorage,
    (command, proof): (&str, Option<&Proof>),
    output: &Output,
) -> Result<Run, Failure> {
    world.state.migrate().await?;
    let known = world.state.known().await?;
    let originals = exposed::originals(settings)?;
    let told = apply::claim(world, (&known, context::now(), take), originals, proof).await?;
    if told == Told::Now {
        exposed::warn(output);
    }
    let run = new_run(command);
    world.state.start_run(&run).await?;
    let doubtful = world.state.doubt(&Process::liveness).await?;
    tracing::info!(run = run.id, doubtful, "run begins");
    Ok(run)
}

/// Makes a run of this process.
pub fn new_run(command: &str) -> Run {
    let id = uuid::Uuid::now_v7().to_string();
    Run { id, command: command.to_owned(), process: Process::current(), origin: origin::here() }
}

/// Carries a plan out under its leases; returns what came of it, and the exit code of a signal.
pub async fn carry_out(
    world: &Arc<World>,
    prepared: &Prepared,
    going: Going<'_>,
    output: &Output,
) -> Result<(Result<Outcome, ApplyError>, u8), Failure> {
    let signals = Signals::listen(going.command, output);
    let proof = proof(prepared)?;
    // The history tells pictures to choose from from those that are wanted.
    let command = if prepared.takes > 0 { Run::CANDIDATES } else { going.command };
    let run = begin(world, &prepared.settings, going.take, (command, proof.as_ref()), output).await?;
    if going.keeps == Keeps::Plan {
        let document = render::plan_document(&prepared.plan);
        let kept = KeptPlan { digest: prepared.plan.digest(), document, run: run.id.clone() };
        world.state.keep_plan(&kept).await?;
    }
    let leases = match going.reach {
        Reach::Files => Leases::none(&run),
        Reach::Rows => {
            copy(world, output).await?;
            let names = apply::collections(&prepared.plan);
            Leases::take(&*world.state, &names, &run, going.wait_seconds).await?
        }
    };
    let result = guarded(world, prepared, (&run, &leases, &signals), going, output).await;
    let ended = match &result {
        Ok(Outcome { ended: None, failed, .. }) if failed.is_empty() => "done",
        Ok(Outcome { ended: Some(Ended::Stopped(Why::Signal)), .. }) => "interrupted",
        Ok(_) | Err(_) => "failed",
    };
    leases.release(&*world.state).await;
    if let Ok(outcome) = &result {
        damages(world, prepared, (going, outcome), output).await;
    }
    // The run's end is for people who read the history: it must not hide what went wrong.
    let _ = world.state.finish_run(&run.id, ended).await;
    Ok((result, signals.code()))
}

/// Keeps in mind what is damaged, and forgets what is well by now. It is a hint, and no reason to fail.
async fn damages(world: &World, prepared: &Prepared, (going, outcome): (Going<'_>, &Outcome), output: &Output) {
    let kept = async {
        damages::remember(world, outcome).await?;
        match going.reach {
            Reach::Files => Ok(()),
            Reach::Rows => damages::forget(world, prepared.plan.collections.iter().map(|part| &part.name)).await,
        }
    };
    if let Err(failure) = kept.await {
        let message = format!("what is damaged could not be remembered: {}", chain(&failure));
        output.warn(&message, "`pixform check --deep` finds it again", None);
    }
}

/// Copies what only the previous storage has: files first, for a row that was switched would point at what is not there
/// yet.
async fn copy(world: &Arc<World>, output: &Output) -> Result<(), ApplyError> {
    let copied = apply::copy(world).await?;
    if copied > 0 {
        let files = if copied == 1 { "1 file was".to_owned() } else { format!("{copied} files were") };
        output.talk(&format!("{files} copied from the previous storage"));
    }
    Ok(())
}

/// Carries the plan out while the leases are renewed and the time is kept beside it.
async fn guarded(
    world: &Arc<World>,
    Prepared { settings, loaded, plan, takes }: &Prepared,
    (run, leases, signals): (&Run, &Leases, &Signals),
    going: Going<'_>,
    output: &Output,
) -> Result<Outcome, ApplyError> {
    let taken = taken(plan, loaded, *takes);
    let works = works(world, plan, loaded, &taken).await?;
    let progress = Progress::new(output, plan.changes().count() as u64);
    let stop = signals.stop();
    let options = Options {
        run,
        stop,
        prices: &services::prices(settings),
        caps: Caps { run: plan.cap, month: settings.guards.max_cost_month },
        unknown_retries: plan::unknown_retries(settings),
        parallelism: going.parallelism,
    };
    let listen = |event: apply::Event<'_>| progress.event(event);
    let lost: Mutex<Option<ApplyError>> = Mutex::default();
    // Neither of these ends: what was begun is finished and written down, also by a run that lost its lease.
    let keep = async {
        let error = leases.keep(&*world.state).await;
        lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.into());
        stop.ask(Why::Broken);
        std::future::pending::<()>().await;
    };
    let time = async {
        if let Some(seconds) = going.timeout {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            output.talk("the time is up: what is under way is left to the next run");
            stop.ask(Why::TimeUp);
        }
        std::future::pending::<()>().await;
    };
    let ticks = async {
        progress.tick().await;
    };
    let outcome = tokio::select! {
        outcome = apply::run(world, &works, leases, &options, &listen) => outcome,
        () = keep => Err(ApplyError::Worker),
        () = time => Err(ApplyError::Worker),
        () = ticks => Err(ApplyError::Worker),
    };
    progress.finish();
    let mut outcome = outcome?;
    if let Some(error) = lost.into_inner().unwrap_or_else(PoisonError::into_inner) {
        outcome.ended = Some(Ended::Broken(error));
    }
    Ok(outcome)
}

/// Returns the assets of each part of a plan that is about several takes.
fn taken<'l>(plan: &Plan, loaded: &'l Loaded, takes: u32) -> Vec<CandidateTake<'l>> {
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
    loaded: &'w Loaded,
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
