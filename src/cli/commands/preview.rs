//! `pixform preview`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::asset::MicroUsd;
use crate::imaging;
use crate::plan::{Action, Plan};
use crate::state::{Access, Run};
use crate::world::World;

use super::plan::{self, LookArgs, Part, Prepared};
use crate::cli::arguments::PaceArgs;
use crate::cli::carry::{Asked, Going, Keeps, Reach, carry_out, confirm};
use crate::cli::previewed::{self, Previewed};
use crate::cli::report::ReportArgs;
use crate::cli::{Failure, Global, ManifestArgs, Output, applied, candidates, context, services};

/// Arguments of `preview`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// Go on without asking
    #[arg(long)]
    yes: bool,
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
    if let Some(takes) = args.candidates {
        let going = Going { keeps: Keeps::Nothing, ..going(args) };
        let (what, how) = ((&args.manifests, &args.look, takes), (args.yes, args.save.as_deref()));
        return candidates::run(what, how, going, global, output).await;
    }
    let part = Part { sample: args.sample.map(|count| count as usize), ..Part::default() };
    let prepared =
        plan::prepare_reported(&args.manifests, (&args.look, &part), (&args.report, None), global, output).await?;
    let broken = prepared.loaded.broken;
    plan::print(&prepared.plan, begun, output);
    args.report.planned(&prepared, &args.look.selection.arguments(), output).await?;
    if !prepared.plan.refusals.is_empty() {
        output.visitors_see("what they saw before: a preview switches nothing");
        return Err(Failure::Refused);
    }
    let code = match prepared.plan.is_empty() {
        true => 0,
        false => preview(args, &part, prepared, output).await?,
    };
    match broken {
        0 => Ok(code),
        count => Err(Failure::Told { count }),
    }
}

async fn preview(args: &Args, part: &Part, prepared: Prepared, output: &Output) -> Result<u8, Failure> {
    let services = services::needed(&prepared.settings, &prepared.plan)?;
    let question = format!("Make these pictures for `{}`? No row changes.", prepared.plan.environment);
    confirm(args.yes, Asked { command: "preview", question: &question }, output)?;
    let world = Arc::new(context::world_with(&prepared.settings, Access::Write, services).await?);
    let going = going(args);
    let (result, code) = carry_out(&world, &prepared, going, output).await?;
    let outcome = result?;
    let paid = outcome.cost;
    let told = applied::tell(&world, (&prepared.settings, going), outcome, code, output);
    if args.report.any() {
        // What was made is made, whatever becomes of the report on it.
        report(args, part, (&world, &prepared, paid), output).await.unwrap_or_else(|failure| output.report(&failure));
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
        output.talk(&format!("{pictures} saved in {}", context::shown(folder).display()));
    }
    if told == 0 {
        output.next(&merge(&prepared.plan, &shown));
    }
    Ok(told)
}

/// Reports on what is there now: what the plan asked for is found, and what is still to be bought is told as such.
async fn report(
    args: &Args,
    part: &Part,
    (world, prepared, paid): (&World, &Prepared, MicroUsd),
    output: &Output,
) -> Result<(), Failure> {
    let Prepared { settings, loaded, .. } = prepared;
    let plan = plan::make(world, settings, loaded, (&args.look, part), output).await?;
    let about = (world, settings, loaded, &plan);
    let facts = args.report.previewed(about, (paid, &args.look.selection.arguments()), output).await?;
    args.report.write(Some(&plan), &facts)
}

fn going(args: &Args) -> Going<'static> {
    Going { reach: Reach::Files, keeps: Keeps::Plan, ..args.pace.at(Going::new(Run::PREVIEW, args.look.take(), 0)) }
}

/// Returns the command that publishes what was previewed.
fn merge(plan: &Plan, shown: &[Previewed]) -> String {
    let buys = plan.changes().any(|(_, change)| change.action == Action::Generate);
    let cap = if buys || !shown.is_empty() { " --max-cost 0" } else { "" };
    format!("pixform apply{cap} --expect {}", plan.digest())
}
