//! `pixform apply`

use std::time::Instant;

use crate::apply::{self, ApplyError, Ended, Leases, Options, Outcome, Work};
use crate::asset::Assets;
use crate::config::Settings;
use crate::plan::{Action, Plan};
use crate::planner::Moves;
use crate::process::Process;
use crate::state::{Access, Origin, Run};
use crate::world::World;

use super::context::{self, Loaded};
use super::plan::{self, LookArgs, Prepared};
use super::progress::Progress;
use super::signals::Stop;
use super::{Failure, Global, ManifestArgs, Output};

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
    let Prepared { settings, loaded, plan } = plan::prepare(&args.manifests, &args.look, global, output).await?;
    plan::print(&plan, begun, output);
    if !plan.refusals.is_empty() {
        output.visitors_see("what they saw before: nothing was changed");
        return Err(Failure::Refused);
    }
    let code = if plan.is_empty() {
        0
    } else {
        confirm(args.yes, &plan, output)?;
        let world = context::world(&settings, Access::Write).await?;
        carry_out(&world, &settings, &plan, &loaded, args, output).await?
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
pub async fn begin(world: &World, look: &LookArgs, command: &str) -> Result<Run, Failure> {
    world.state.migrate().await?;
    let known = world.state.known().await?;
    apply::claim(world, &known, context::now(), look.take()).await?;
    let id = uuid::Uuid::now_v7().to_string();
    let run = Run { id, command: command.to_owned(), process: Process::current(), origin: Origin::default() };
    world.state.start_run(&run).await?;
    Ok(run)
}

async fn carry_out(
    world: &World,
    settings: &Settings,
    plan: &Plan,
    loaded: &Loaded,
    args: &ApplyArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let stop = Stop::listen(output);
    let run = begin(world, &args.look, "apply").await?;
    let names = apply::collections(plan);
    let leases = Leases::take(&*world.state, &names, &run, args.wait.seconds).await?;
    let result = guarded(world, plan, loaded, (&run, &leases, &stop), output).await;
    let ended = match &result {
        Ok(Outcome { ended: None, failed, .. }) if failed.is_empty() => "done",
        Ok(Outcome { ended: Some(Ended::Interrupted), .. }) => "interrupted",
        Ok(_) | Err(_) => "failed",
    };
    leases.release(&*world.state).await;
    // The run's end is for people who read the history: it must not hide what went wrong.
    let _ = world.state.finish_run(&run.id, ended).await;
    let outcome = result?;
    finish(world, settings, outcome, &stop, output)
}

/// Carries the plan out while the leases are renewed beside it.
async fn guarded(
    world: &World,
    plan: &Plan,
    loaded: &Loaded,
    (run, leases, stop): (&Run, &Leases, &Stop),
    output: &Output,
) -> Result<Outcome, ApplyError> {
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
    let total = plan.changes().count() as u64;
    let progress = Progress::new(output, total);
    let options = Options { run, stop: stop.flag() };
    let listen = |event: apply::Event<'_>| progress.event(event);
    let outcome = tokio::select! {
        outcome = apply::run(world, &works, leases, &options, &listen) => outcome,
        fenced = leases.keep(&*world.state) => Err(fenced.into()),
    };
    progress.finish();
    outcome
}

/// Tells what came of it.
fn finish(world: &World, settings: &Settings, outcome: Outcome, stop: &Stop, output: &Output) -> Result<u8, Failure> {
    let Outcome { done, cost, failed, ended } = outcome;
    let count: u64 = done.values().sum();
    if !output.is_json() {
        let parts = Action::ALL.iter().filter_map(|action| {
            let count = done.get(action).copied().unwrap_or_default();
            (count > 0).then(|| format!("{count} {}", past(*action)))
        });
        let parts: Vec<String> =
            parts.chain((!failed.is_empty()).then(|| format!("{} failed", failed.len()))).collect();
        let parts = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
        output.data(&format!("\nApplied: {parts}. Cost: ${cost}.\n"));
        output.data(&format!("Pictures: {}\n", context::describe_storage(settings, world)));
        output.data(&format!("Database: {}\n", context::describe_state(settings)));
    }
    match ended {
        Some(Ended::Broken(error)) => {
            output.visitors_see(&seen(count));
            Err(error.into())
        }
        Some(Ended::Interrupted) => {
            output.visitors_see(&seen(count));
            output.next("pixform apply");
            Ok(stop.code())
        }
        None if failed.is_empty() => Ok(0),
        None => {
            output.visitors_see(&seen(count));
            output.next("pixform plan");
            Ok(if failed.iter().any(|(_, _, error)| matches!(error, ApplyError::Stale { .. })) { 6 } else { 4 })
        }
    }
}

fn seen(count: u64) -> String {
    match count {
        0 => "what they saw before: no row was switched".to_owned(),
        1 => "the new picture of 1 asset, and of all others what they saw before".to_owned(),
        count => format!("the new pictures of {count} assets, and of all others what they saw before"),
    }
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Unknown => "undecided",
        Action::Adopt => "adopted",
        Action::Generate => "generated",
        Action::Reuse => "reused",
        Action::Render => "rendered",
        Action::Repair => "repaired",
        Action::Move => "moved",
        Action::Publish => "published",
        Action::Record => "recorded",
        Action::Delete => "deleted",
        Action::Keep => "kept",
    }
}
