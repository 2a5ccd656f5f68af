//! `pixform plan`

use std::env::VarError;
use std::path::PathBuf;
use std::time::Instant;

use crate::asset::MicroUsd;
use crate::config::{OnUnknown, Settings};
use crate::plan::{Action, Cap, CapSetter, Change, Doubt, Limits, Looked, MAX_DELETIONS_DEFAULT, Plan, Verdicts};
use crate::planner::{self, Request};
use crate::record::Decision;
use crate::render::{self, Stage};
use crate::state::Access;
use crate::storage::TakeStorage;
use crate::world::World;

use super::context::{self, Loaded};
use super::report::{ReportArgs, ReportFormat};
use super::{Failure, Global, ManifestArgs, Output, SelectionArgs, selected, services};

/// The variable that caps what a run may spend.
const CAP_VARIABLE: &str = "PIXFORM_MAX_COST";

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    look: LookArgs,
    /// Print the plan as this, instead of text
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<ReportFormat>,
    #[command(flatten)]
    report: ReportArgs,
    /// Write the plan as one JSON document
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
}

/// How plans are made, for every command that makes one.
#[derive(Debug, clap::Args, Default)]
pub struct LookArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Take what is recorded for true: look at no file and no row
    #[arg(long)]
    pub no_refresh: bool,
    /// Spend no more than so many dollars; 0 buys nothing. The lowest of this, PIXFORM_MAX_COST and guards.max_cost wins
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<MicroUsd>,
    /// Take the storage over, whatever its marker says
    #[arg(long)]
    pub take_storage: bool,
    #[command(flatten)]
    pub verdicts: VerdictArgs,
}

/// What becomes of earlier paid calls that stand in the way.
#[derive(Debug, clap::Args, Default)]
pub struct VerdictArgs {
    /// Send calls again whose outcome is unknown: each may be paid for twice
    #[arg(long, conflicts_with = "forget_unknown")]
    retry_unknown: bool,
    /// Write calls off whose outcome is unknown: they count as spent, and the next run may buy anew
    #[arg(long)]
    forget_unknown: bool,
    /// Take paid pictures that are not the ones asked for
    #[arg(long, conflicts_with = "retry_rejected")]
    accept_rejected: bool,
    /// Buy another picture where a paid one is not the one asked for
    #[arg(long)]
    retry_rejected: bool,
    /// Buy again what was paid for and can no longer be fetched
    #[arg(long)]
    retry_lost: bool,
    /// Ask again for what the service failed at three times
    #[arg(long)]
    retry_failed: bool,
}

impl VerdictArgs {
    /// Returns the decision for each doubt that one was made about.
    pub fn verdicts(&self) -> Verdicts {
        let asked = [
            (self.retry_unknown, Doubt::Unknown, Decision::Retried),
            (self.forget_unknown, Doubt::Unknown, Decision::Forgotten),
            (self.accept_rejected, Doubt::Rejected, Decision::Accepted),
            (self.retry_rejected, Doubt::Rejected, Decision::Retried),
            (self.retry_rejected, Doubt::Withheld, Decision::Retried),
            (self.retry_lost, Doubt::Lost, Decision::Retried),
            (self.retry_failed, Doubt::Failed, Decision::Retried),
        ];
        asked.into_iter().filter(|(asked, _, _)| *asked).map(|(_, doubt, decision)| (doubt, decision)).collect()
    }
}

/// Returns the cap that the environment variable sets.
fn cap_variable() -> Result<Option<MicroUsd>, Failure> {
    match std::env::var(CAP_VARIABLE) {
        Ok(text) if !text.is_empty() => text.parse().map(Some).map_err(|_| {
            let help = "write dollars with at most six decimals, as in `0.015`";
            Failure::usage(format!("`{CAP_VARIABLE}` is no amount of money"), help)
        }),
        Ok(_) | Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            let help = "write dollars with at most six decimals, as in `0.015`";
            Err(Failure::usage(format!("`{CAP_VARIABLE}` is no amount of money"), help))
        }
    }
}

impl LookArgs {
    /// Tells whether the user insists on the storage.
    pub fn take(&self) -> TakeStorage {
        match self.take_storage {
            true => TakeStorage::Yes,
            false => TakeStorage::No,
        }
    }

    /// Returns what a plan may not exceed: the lowest cap wins.
    fn limits(&self, settings: &Settings) -> Result<Limits, Failure> {
        let caps = [
            (self.max_cost, CapSetter::Argument),
            (cap_variable()?, CapSetter::Variable),
            (settings.guards.max_cost, CapSetter::Guards),
        ];
        let caps = caps.into_iter().filter_map(|(most, set_by)| Some(Cap { most: most?, set_by }));
        Ok(Limits {
            max_cost: caps.min(),
            max_deletions: settings.guards.max_deletions.unwrap_or(MAX_DELETIONS_DEFAULT),
        })
    }
}

/// A plan with what it was made from.
pub struct Prepared {
    pub settings: Settings,
    pub loaded: Loaded,
    pub plan: Plan,
}

/// Settles, loads, looks, and plans; writes nothing.
pub async fn prepare(
    manifests: &ManifestArgs,
    look: &LookArgs,
    global: &Global,
    output: &Output,
) -> Result<Prepared, Failure> {
    let settings = context::settings(global, output)?;
    prepare_in(settings, manifests, look, output).await
}

/// The same in an environment that is settled.
async fn prepare_in(
    settings: Settings,
    manifests: &ManifestArgs,
    look: &LookArgs,
    output: &Output,
) -> Result<Prepared, Failure> {
    let loaded = context::manifests(manifests, &settings, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::Told { count: loaded.broken });
    }
    let world = context::world(&settings, Access::Read).await?;
    let plan = make(&world, &settings, &loaded, look).await?;
    Ok(Prepared { settings, loaded, plan })
}

/// As [`prepare`]; what goes wrong is written into the reports as well.
pub async fn prepare_reported(
    manifests: &ManifestArgs,
    (look, report, printed): (&LookArgs, &ReportArgs, Option<ReportFormat>),
    global: &Global,
    output: &Output,
) -> Result<Prepared, Failure> {
    let named = global.env.as_deref().unwrap_or("local");
    let settings =
        context::settings(global, output).map_err(|failure| report.failed(failure, named, printed, output))?;
    let environment = settings.environment.clone();
    let prepared = prepare_in(settings, manifests, look, output).await;
    prepared.map_err(|failure| report.failed(failure, &environment, printed, output))
}

/// Makes a plan of manifests that were loaded.
async fn make(world: &World, settings: &Settings, loaded: &Loaded, look: &LookArgs) -> Result<Plan, Failure> {
    let selection = look.selection.selection();
    selected::check(world, loaded, &selection).await?;
    let request = Request {
        declared: &loaded.declared,
        selection: &selection,
        refresh: if look.no_refresh { Looked::NotAt } else { Looked::At },
        take: look.take(),
        limits: look.limits(settings)?,
        now: context::now(),
        created_at: context::timestamp(),
        all_manifests: loaded.all,
        prices: &services::prices(settings),
        verdicts: &look.verdicts.verdicts(),
        unknown_retries: unknown_retries(settings),
    };
    Ok(planner::plan(world, &request).await?)
}

/// Returns how often a call without an answer is repeated by itself.
pub fn unknown_retries(settings: &Settings) -> u32 {
    match settings.on_unknown {
        OnUnknown::Ask => 0,
        OnUnknown::Retry { times_max } => times_max,
    }
}

/// Prints a plan as it was asked for.
pub fn print(plan: &Plan, begun: Instant, output: &Output) {
    if output.is_json() {
        for event in render::plan_events(plan) {
            output.event(&event);
        }
    } else {
        let facts = render::PlanFacts { elapsed: begun.elapsed() };
        output.data(&render::plan_text(plan, facts, output.style()));
    }
}

/// Prints a plan as it was asked for, and writes its reports.
async fn show(args: &PlanArgs, prepared: &Prepared, begun: Instant, output: &Output) -> Result<(), Failure> {
    let plan = &prepared.plan;
    let facts = match args.format {
        Some(ReportFormat::Markdown | ReportFormat::Html) => true,
        Some(ReportFormat::Text | ReportFormat::Json) | None => args.report.any(),
    };
    let facts = match facts {
        true => {
            let arguments = args.look.selection.arguments();
            Some(args.report.facts(prepared, args.format, (Stage::Planned, &arguments), output).await?)
        }
        false => None,
    };
    match (args.format, &facts) {
        (Some(ReportFormat::Markdown), Some(facts)) => output.data(&render::report_markdown(Some(plan), facts)),
        (Some(ReportFormat::Html), Some(facts)) => output.data(&render::report_html(Some(plan), facts)),
        (Some(ReportFormat::Json), _) => output.data(&format!("{}\n", render::plan_document(plan))),
        _ => print(plan, begun, output),
    }
    facts.map_or(Ok(()), |facts| args.report.write(Some(plan), &facts))
}

/// Shows what apply would do.
pub async fn run(args: &PlanArgs, global: &Global, output: &Output) -> Result<u8, Failure> {
    let begun = Instant::now();
    let prepared = prepare_reported(&args.manifests, (&args.look, &args.report, args.format), global, output).await?;
    if let Some(path) = &args.out {
        let document = render::plan_document(&prepared.plan);
        std::fs::write(path, document).map_err(|source| Failure::Write { path: path.clone(), source })?;
    }
    show(args, &prepared, begun, output).await?;
    let Prepared { loaded, plan, .. } = prepared;
    if loaded.broken > 0 {
        return Err(Failure::Told { count: loaded.broken });
    }
    let undecided = |(_, change): (_, &Change)| change.action == Action::Unknown && change.decisions.is_empty();
    if !plan.is_empty() && plan.changes().all(undecided) {
        // An apply would only ask again for what the plan asks for.
        output.next("pixform history");
    } else if !plan.is_empty() && plan.refusals.is_empty() {
        output.next(&format!("pixform apply{}", args.look.selection.arguments()));
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { 2 } else { 0 })
}
