//! `pixform apply`

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::apply::{self, ApplyError, Ended, Leases, Options, Outcome, Proof, Told, Why, Work};
use crate::asset::Assets;
use crate::config::Settings;
use crate::plan::Plan;
use crate::planner::Moves;
use crate::process::Process;
use crate::state::{Access, Run};
use crate::world::World;

use super::context::{self, Loaded};
use super::plan::{self, LookArgs, Prepared};
use super::progress::Progress;
use super::proof::proof;
use super::signals::Signals;
use super::{Failure, Global, ManifestArgs, Output, applied, origin, services, stores};

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    look: LookArgs,
    /// Go on without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    wait: WaitArgs,
    /// Begin nothing new after so long, and leave what is under way to the next run: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<u64>,
    /// Have at most so many pictures under way, of all services together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: Option<u16>,
}

/// How long to wait for somebody else.
#[derive(Debug, clap::Args, Default)]
pub struct WaitArgs {
    /// Wait so long for another run that works on the collection: 30s, 5m, 1h
    #[arg(long = "wait", value_name = "TIME", value_parser = duration, default_value = "0s")]
    pub seconds: u64,
}

/// Reads a duration: digits and `s`, `m` or `h`.
fn duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time; write 30s, 5m or 1h");
    let unit = text.char_indices().next_back().map(|(at, _)| at).ok_or_else(wrong)?;
    let factor = match &text[unit..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    text[..unit].parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(wrong)
}

/// Makes a plan, asks, and carries it out.
pub async fn run(args: &ApplyArgs, global: &Global, output: &Output) -> Result<u8, Failure> {
    let begun = Instant::now();
    let Prepared { settings, mut loaded, plan } = plan::prepare(&args.manifests, &args.look, global, output).await?;
    plan::print(&plan, begun, output);
    if !plan.refusals.is_empty() {
        output.visitors_see("what they saw before: nothing was changed");
        return Err(Failure::Refused);
    }
    let code = if plan.is_empty() {
        0
    } else {
        let services = services::needed(&settings, &plan)?;
        confirm(args.yes, &plan, output)?;
        let world = Arc::new(context::world_with(&settings, Access::Write, services).await?);
        let prepared = Prepared { settings, loaded, plan };
        let code = carry_out(&world, &prepared, args, output).await?;
        loaded = prepared.loaded;
        code
    };
    match loaded.broken {
        0 => Ok(code),
        count => Err(Failure::Told { count }),
    }
}

fn confirm(yes: bool, plan: &Plan, output: &Output) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !output.can_ask() {
        let message = "apply asks before it changes anything, and there is no terminal to ask on";
        return Err(Failure::usage(message, "look at the plan above, then run `pixform apply --yes`"));
    }
    match output.ask(&format!("Apply this plan to `{}`?", plan.environment)) {
        true => Ok(()),
        false => Err(Failure::Declined),
    }
}

/// Begins a run in the state: tables, storage, the run itself.
pub async fn begin(
    world: &World,
    settings: &Settings,
    look: &LookArgs,
    (command, proof): (&str, Option<&Proof>),
    output: &Output,
) -> Result<Run, Failure> {
    world.state.migrate().await?;
    let known = world.state.known().await?;
    let originals = stores::originals(settings)?;
    let told = apply::claim(world, (&known, context::now(), look.take()), originals, proof).await?;
    if told == Told::Now {
        let help = "give them a bucket of their own that is private, as in `originals: { url: \"s3://BUCKET\" }` below \
                    `storage` in pixform.yaml; this is said once";
        output.warn(
            "everybody who can fetch a published file can fetch the originals, too: they lie in the same bucket",
            help,
            None,
        );
    }
    let id = uuid::Uuid::now_v7().to_string();
    let run = Run { id, command: command.to_owned(), process: Process::current(), origin: origin::here() };
    world.state.start_run(&run).await?;
    let doubtful = world.state.doubt(&Process::liveness).await?;
    tracing::info!(run = run.id, doubtful, "run begins");
    Ok(run)
}

async fn carry_out(world: &Arc<World>, prepared: &Prepared, args: &ApplyArgs, output: &Output) -> Result<u8, Failure> {
    let signals = Signals::listen(output);
    let proof = proof(prepared)?;
    let run = begin(world, &prepared.settings, &args.look, ("apply", proof.as_ref()), output).await?;
    // Files first: a row that was switched would point at what is not there yet.
    let copied = apply::copy(world).await?;
    if copied > 0 {
        let files = if copied == 1 { "1 file was".to_owned() } else { format!("{copied} files were") };
        output.talk(&format!("{files} copied from the previous storage"));
    }
    let names = apply::collections(&prepared.plan);
    let leases = Leases::take(&*world.state, &names, &run, args.wait.seconds).await?;
    let result = guarded(world, prepared, (&run, &leases, &signals), args, output).await;
    let ended = match &result {
        Ok(Outcome { ended: None, failed, .. }) if failed.is_empty() => "done",
        Ok(Outcome { ended: Some(Ended::Stopped(Why::Signal)), .. }) => "interrupted",
        Ok(_) | Err(_) => "failed",
    };
    leases.release(&*world.state).await;
    // The run's end is for people who read the history: it must not hide what went wrong.
    let _ = world.state.finish_run(&run.id, ended).await;
    applied::tell(world, &prepared.settings, result?, signals.code(), output)
}

/// Carries the plan out while the leases are renewed and the time is kept beside it.
async fn guarded(
    world: &Arc<World>,
    Prepared { settings, loaded, plan }: &Prepared,
    (run, leases, signals): (&Run, &Leases, &Signals),
    args: &ApplyArgs,
    output: &Output,
) -> Result<Outcome, ApplyError> {
    let works = works(world, plan, loaded).await?;
    let progress = Progress::new(output, plan.changes().count() as u64);
    let stop = signals.stop();
    let options = Options {
        run,
        stop,
        prices: &services::prices(settings),
        cap: plan.cap,
        unknown_retries: plan::unknown_retries(settings),
        parallelism: args.parallelism.map(usize::from),
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
        if let Some(seconds) = args.timeout {
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

/// Puts the collections of a plan together with their assets.
async fn works<'w>(world: &World, plan: &'w Plan, loaded: &'w Loaded) -> Result<Vec<Work<'w>>, ApplyError> {
    let mut works = Vec::new();
    for collection in plan.collections.iter().filter(|collection| !collection.changes.is_empty()) {
        let declared = loaded.declared.iter().find(|declared| declared.manifest.name == collection.name);
        let moves = match declared {
            Some(declared) => Moves::remembered(world, &declared.manifest).await?,
            None => (Vec::new(), 0),
        };
        works.push(Work {
            plan: collection,
            assets: declared.map(|declared| &declared.manifest as &dyn Assets),
            table: declared.and_then(|declared| declared.manifest.table()),
            moves,
        });
    }
    Ok(works)
}
