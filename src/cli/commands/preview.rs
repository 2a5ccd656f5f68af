//! `pixform preview`

use std::path::PathBuf;
use std::time::Instant;

use crate::asset::MicroUsd;
use crate::engine::{self, PlanKeeping, PreparedPlan, RunExtent, RunOptions};
use crate::imaging;
use crate::plan::{Action, Plan};
use crate::state::Run;
use crate::world::World;

use crate::cli::applied::{self, AboutRun};
use crate::cli::arguments::{ConsentArgs, PaceArgs};
use crate::cli::carry::carry_out;
use crate::cli::confirm::{Confirmation, confirm};
use crate::cli::plan_arguments::LookArgs;
use crate::cli::plan_output::{PlanReports, WantedPlan, print};
use crate::cli::previewed::{self, Previewed};
use crate::cli::report::{AboutPlan, ReportArgs};
use crate::cli::{Failure, Global, ManifestArgs, Output, candidates, context};

/// Arguments of `preview`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Take so many assets, spread over all labels
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// Make takes 1 to N of each selected asset, or of each whose picture changes, and a contact sheet to choose from
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=imaging::SHEET_COLUMNS_MAX as i64), conflicts_with_all = ["sample", "out_markdown", "out_html"])]
    candidates: Option<u32>,
    /// Save the new pictures into this folder, as COLLECTION/KEY.EXT
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    #[command(flatten)]
    pace: PaceArgs,
}

/// Makes a plan, asks, makes its pictures and files, and keeps the plan under its digest.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let begun = Instant::now();
    let wanted = WantedPlan::new(&args.manifests, &args.look);
    if let Some(takes) = args.candidates {
        let options = RunOptions { keeping: PlanKeeping::None, ..options(args) };
        let wanted = candidates::WantedCandidates {
            plan: wanted,
            takes,
            save: args.save.as_deref(),
            consent: args.consent.consent(),
        };
        return candidates::run(wanted, &options, global, output).await;
    }
    let reports = PlanReports { written: &args.report, printed: None };
    let sample = args.sample.map(|count| count as usize);
    let wanted = WantedPlan { sample, reports: Some(reports), ..wanted };
    let prepared = wanted.prepare(global, output).await?;
    let broken = prepared.loaded.broken;
    print(&prepared.plan, begun, output);
    args.report.planned(&prepared, &args.look.selection.arguments(), output).await?;
    if !prepared.plan.refusals.is_empty() {
        output.visitors_see("what they saw before: a preview switches nothing");
        return Err(Failure::Refused);
    }
    let code = match prepared.plan.is_empty() {
        true => 0,
        false => preview(args, &wanted, prepared, output).await?,
    };
    match broken {
        0 => Ok(code),
        count => Err(Failure::broken(count)),
    }
}

async fn preview(args: &Args, wanted: &WantedPlan<'_>, prepared: PreparedPlan, output: &Output) -> Result<u8, Failure> {
    let generators = prepared.generators()?;
    let question = format!("Make these pictures for `{}`? No row changes.", prepared.plan.environment);
    confirm(Confirmation { command: "preview", words: &question, consent: args.consent.consent() }, output)?;
    let world = prepared.open(generators).await?;
    let options = options(args);
    let carried_out = carry_out(&world, &prepared, &options, output).await?;
    let paid = carried_out.outcome.cost;
    let about = AboutRun { world: &world, environment: &prepared.environment, options: &options };
    let told = applied::tell(about, carried_out, output);
    if args.report.any() {
        // What was made is made, whatever becomes of the report on it.
        report(args, wanted, MadePreview { world: &world, prepared: &prepared, paid }, output)
            .await
            .unwrap_or_else(|failure| output.report(&failure));
    }
    let told = told?;
    let shown = previewed::shown(&world, &prepared).await?;
    let saved = match &args.save {
        Some(folder) => previewed::save(&world, &shown, folder).await?,
        None => 0,
    };
    previewed::tell(&world, &shown, output);
    if let (Some(folder), true) = (&args.save, saved > 0) {
        let pictures = if saved == 1 { "1 picture was".to_owned() } else { format!("{saved} pictures were") };
        output.talk(&format!("{pictures} saved in {}", engine::shown(folder).display()));
    }
    if told == 0 {
        output.next(&merge(&prepared.plan, &shown));
    }
    Ok(told)
}

/// A preview whose pictures were made.
struct MadePreview<'p> {
    world: &'p World,
    prepared: &'p PreparedPlan,
    paid: MicroUsd,
}

/// Reports on what is there now: what the plan asked for is found, and what is still to be bought is told as such.
async fn report(
    args: &Args,
    wanted: &WantedPlan<'_>,
    MadePreview { world, prepared, paid }: MadePreview<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let PreparedPlan { environment, loaded, .. } = prepared;
    let plan = engine::plan(world, environment, loaded, &wanted.options()?, output).await?;
    let about = AboutPlan { world, environment, loaded, plan: &plan };
    let facts = args.report.previewed(about, paid, &args.look.selection.arguments(), output).await?;
    args.report.write(Some(&plan), &facts)
}

fn options(args: &Args) -> RunOptions<'static> {
    let options = RunOptions::new(context::start(Run::PREVIEW, args.look.take()));
    RunOptions { extent: RunExtent::Files, keeping: PlanKeeping::ByDigest, ..args.pace.at(options) }
}

/// Returns the command that publishes what was previewed.
fn merge(plan: &Plan, shown: &[Previewed]) -> String {
    let buys = plan.changes().any(|(_, change)| change.action == Action::Generate);
    let cap = if buys || !shown.is_empty() { " --max-cost 0" } else { "" };
    format!("pixform apply{cap} --expect {}", plan.digest())
}
