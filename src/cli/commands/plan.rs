//! `pixform plan`

use std::collections::BTreeMap;
use std::env::VarError;
use std::path::PathBuf;
use std::time::Instant;

use crate::asset::MicroUsd;
use crate::config::{OnUnknown, Settings};
use crate::files;
use crate::plan::{
    Action, Cap, CapSetter, Change, Coverage, Doubt, GuardLimits, MAX_DELETIONS_DEFAULT, Month, Note, Plan, Verdicts,
};
use crate::planner::{self, Depth, PlanRequest, Selection};
use crate::record::Decision;
use crate::render::{self, ReportFacts, ReportStage, Severity};
use crate::state::Access;
use crate::storage::TakeStorage;
use crate::world::World;

use crate::cli::approval::Approval;
use crate::cli::context::{self, Loaded};
use crate::cli::reading::Reading;
use crate::cli::report::{ReportArgs, ReportFormat};
use crate::cli::{Failure, Global, ManifestArgs, Output, SelectionArgs, against, exposed, selected, services};

/// The variable that caps what a run may spend.
const CAP_VARIABLE: &str = "PIXFORM_MAX_COST";

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub look: LookArgs,
    /// Print the plan as this, instead of text
    #[arg(long, value_enum, conflicts_with = "json")]
    pub format: Option<ReportFormat>,
    #[command(flatten)]
    pub report: ReportArgs,
    /// Compare with older manifests only: a branch, tag or commit, or a folder. Needs no state, credentials or network
    #[arg(long, value_name = "REF|DIR", conflicts_with_all = ["no_refresh", "deep", "take_storage", "retry_unknown"])]
    #[arg(conflicts_with_all = ["forget_unknown", "accept_rejected", "retry_rejected", "retry_lost", "retry_failed"])]
    against: Option<String>,
    /// Write the plan as one JSON document
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// How plans are made, for every command that makes one.
#[derive(Debug, clap::Args, Default)]
pub struct LookArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Take what is recorded for true: look at no file and no row
    #[arg(long)]
    pub no_refresh: bool,
    /// Read every published file and every original, and compare the bytes
    #[arg(long, conflicts_with = "no_refresh")]
    pub deep: bool,
    /// Spend no more than so many dollars; 0 buys nothing. The lowest of this, PIXFORM_MAX_COST and guards.max_cost wins
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
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
    /// Buy again what was paid for and lost
    #[arg(long)]
    retry_lost: bool,
    /// Ask again for what the service failed at three times, or judged
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
            (self.retry_failed, Doubt::Judged, Decision::Retried),
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
    pub fn limits(&self, settings: &Settings) -> Result<GuardLimits, Failure> {
        let caps = [
            (self.max_cost, CapSetter::Argument),
            (cap_variable()?, CapSetter::Variable),
            (settings.guards.max_cost, CapSetter::Guards),
        ];
        let caps = caps.into_iter().filter_map(|(most, set_by)| Some(Cap { most: most?, set_by }));
        Ok(GuardLimits {
            max_cost: caps.min(),
            month: None,
            max_deletions: settings.guards.max_deletions.unwrap_or(MAX_DELETIONS_DEFAULT),
        })
    }
}

/// A plan with what it was made from.
pub struct Prepared {
    pub settings: Settings,
    pub loaded: Loaded,
    pub plan: Plan,
    /// How many takes of each asset it is about; 0 where it is about what manifests ask for.
    pub takes: u32,
}

/// Settles, loads, looks, and plans; writes nothing.
pub async fn prepare(
    manifests: &ManifestArgs,
    look: &LookArgs,
    global: &Global,
    output: &Output,
) -> Result<Prepared, Failure> {
    prepare_part(manifests, look, &Part::default(), global, output).await
}

/// Which part of what manifests ask for is planned.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// What was approved.
    pub approval: Approval,
    /// How many assets are enough.
    pub sample: Option<usize>,
}

/// Settles, loads, looks, and plans likewise, a part only.
pub async fn prepare_part(
    manifests: &ManifestArgs,
    look: &LookArgs,
    part: &Part,
    global: &Global,
    output: &Output,
) -> Result<Prepared, Failure> {
    prepare_in(context::settings(global, output)?, manifests, (look, part), output).await
}

/// The same in an environment that is settled.
async fn prepare_in(
    settings: Settings,
    manifests: &ManifestArgs,
    (look, part): (&LookArgs, &Part),
    output: &Output,
) -> Result<Prepared, Failure> {
    let loaded = context::manifests(manifests, &settings, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::Told { count: loaded.broken });
    }
    let world = context::world(&settings, Access::Read).await?;
    let plan = make(&world, &settings, &loaded, (look, part), output).await?;
    Ok(Prepared { settings, loaded, plan, takes: 0 })
}

/// As [`prepare_part`]; what goes wrong is written into the reports as well.
pub async fn prepare_reported(
    manifests: &ManifestArgs,
    (look, part): (&LookArgs, &Part),
    (report, printed): (&ReportArgs, Option<ReportFormat>),
    global: &Global,
    output: &Output,
) -> Result<Prepared, Failure> {
    let named = global.env.as_deref().unwrap_or("local");
    let settings =
        context::settings(global, output).map_err(|failure| report.failed(failure, named, printed, output))?;
    let environment = settings.environment.clone();
    let prepared = prepare_in(settings, manifests, (look, part), output).await;
    prepared.map_err(|failure| report.failed(failure, &environment, printed, output))
}

/// Makes a plan of manifests that were loaded.
pub async fn make(
    world: &World,
    settings: &Settings,
    loaded: &Loaded,
    (look, part): (&LookArgs, &Part),
    output: &Output,
) -> Result<Plan, Failure> {
    let talk = |line: &str| output.talk(line);
    let approved = part.approval.plan(world).await?;
    let selection = look.selection.selection();
    selected::check(world, loaded, &selection).await?;
    let (prices, verdicts) = (services::prices(settings), look.verdicts.verdicts());
    let about = About { selection: &selection, prices: &prices, verdicts: &verdicts };
    let reading = Reading::new(&talk);
    let read = || reading.read();
    let request = PlanRequest {
        depth: if look.deep { Depth::All(&read) } else { Depth::Remembered },
        sample: part.sample,
        approved: approved.as_ref(),
        ..request(world, settings, loaded, look, about).await?
    };
    let plan = planner::plan(world, &request).await?;
    part.approval.check_exact(&plan, approved.as_ref())?;
    Ok(plan)
}

/// What a request borrows.
pub struct About<'a> {
    /// Which assets are meant.
    pub selection: &'a Selection,
    /// What a new picture costs.
    pub prices: &'a BTreeMap<String, MicroUsd>,
    /// What was decided about earlier calls.
    pub verdicts: &'a Verdicts,
}

/// Returns what is asked of the planner, about everything that manifests ask for.
pub async fn request<'r>(
    world: &World,
    settings: &Settings,
    loaded: &'r Loaded,
    look: &LookArgs,
    About { selection, prices, verdicts }: About<'r>,
) -> Result<PlanRequest<'r>, Failure> {
    Ok(PlanRequest {
        declared: &loaded.declared,
        selection,
        refresh: if look.no_refresh { Coverage::NotAt } else { Coverage::At },
        depth: Depth::Remembered,
        take: look.take(),
        originals: exposed::originals(settings)?,
        limits: GuardLimits { month: month(world, settings).await?, ..look.limits(settings)? },
        now: context::now(),
        created_at: context::timestamp(),
        all_manifests: loaded.all,
        prices,
        verdicts,
        unknown_retries: unknown_retries(settings),
        sample: None,
        approved: None,
    })
}

/// Returns what a month may cost, and did so far.
async fn month(world: &World, settings: &Settings) -> Result<Option<Month>, Failure> {
    let Some(most) = settings.guards.max_cost_month else { return Ok(None) };
    Ok(Some(Month { most, spent: world.state.spent_this_month().await? }))
}

/// Returns how often a call without an answer is repeated by itself.
pub fn unknown_retries(settings: &Settings) -> u32 {
    match settings.on_unknown {
        OnUnknown::Ask => 0,
        OnUnknown::Retry { times_max } => times_max,
    }
}

/// Annotates why a plan may not be carried out, where a workflow has annotations.
pub fn annotate(plan: &Plan, output: &Output) {
    for refusal in &plan.refusals {
        output.annotate(Severity::Warning, &refusal.message, Some(&refusal.way_out), None);
    }
}

/// Prints a plan as it was asked for.
pub fn print(plan: &Plan, begun: Instant, output: &Output) {
    annotate(plan, output);
    if plan.notes.contains(&Note::OpenOriginals) && !output.is_json() {
        exposed::warn(output);
    }
    if output.is_json() {
        for event in render::plan_events(plan) {
            output.event(&event);
        }
    } else {
        let facts = render::PlanFacts { elapsed: begun.elapsed() };
        output.data(&render::plan_text(plan, facts, output.style()));
    }
}

/// Returns a plan as the format says that was asked for, where that is not text.
pub fn printed(format: Option<ReportFormat>, plan: &Plan, facts: Option<&ReportFacts>) -> Option<String> {
    match (format, facts) {
        (Some(ReportFormat::Markdown), Some(facts)) => Some(render::report_markdown(Some(plan), facts)),
        (Some(ReportFormat::Html), Some(facts)) => Some(render::report_html(Some(plan), facts)),
        (Some(ReportFormat::Json), _) => Some(format!("{}\n", render::plan_document(plan))),
        _ => None,
    }
}

/// Prints a plan as it was asked for, and writes its reports.
async fn show(args: &Args, prepared: &Prepared, begun: Instant, output: &Output) -> Result<(), Failure> {
    let plan = &prepared.plan;
    let facts = match args.format {
        Some(ReportFormat::Markdown | ReportFormat::Html) => true,
        Some(ReportFormat::Text | ReportFormat::Json) | None => args.report.any(),
    };
    let facts = match facts {
        true => {
            let arguments = args.look.selection.arguments();
            Some(args.report.facts(prepared, args.format, (ReportStage::Planned, &arguments), output).await?)
        }
        false => None,
    };
    match printed(args.format, plan, facts.as_ref()) {
        Some(printed) => output.data(&printed),
        None => print(plan, begun, output),
    }
    facts.map_or(Ok(()), |facts| args.report.write(Some(plan), &facts))
}

/// Shows what apply would do.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    if let Some(older) = &args.against {
        return against::run(older, args, global, output);
    }
    let begun = Instant::now();
    let part = Part::default();
    let (what, how) = ((&args.look, &part), (&args.report, args.format));
    let prepared = prepare_reported(&args.manifests, what, how, global, output).await?;
    if let Some(path) = &args.out {
        let document = render::plan_document(&prepared.plan);
        files::write(path, document).map_err(|source| Failure::Write { path: path.clone(), source })?;
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
