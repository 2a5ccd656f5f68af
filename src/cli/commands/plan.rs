//! `pixform plan`

use std::path::PathBuf;
use std::time::Instant;

use crate::engine::PreparedPlan;
use crate::files;
use crate::plan::{Action, Change};
use crate::render::{self, ReportStage};

use crate::cli::against::{self, AgainstOptions, Differs};
use crate::cli::plan_arguments::LookArgs;
use crate::cli::plan_output::{PlanReports, WantedPlan, print, printed};
use crate::cli::report::{ReportArgs, ReportFormat, ReportedStage};
use crate::cli::{Failure, Global, ManifestArgs, Output};

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    look: LookArgs,
    /// Print the plan as this, instead of text
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<ReportFormat>,
    #[command(flatten)]
    report: ReportArgs,
    /// Compare with older manifests only: a branch, tag or commit, or a folder. Needs no state, credentials or network
    #[arg(long, value_name = "REF|DIR", conflicts_with_all = ["no_refresh", "deep", "take_storage", "retry_unknown"])]
    #[arg(conflicts_with_all = ["forget_unknown", "accept_rejected", "retry_rejected", "retry_lost", "retry_failed"])]
    against: Option<String>,
    /// Write the plan as one JSON document
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Prints a plan as it was asked for, and writes its reports.
async fn show(args: &Args, prepared: &PreparedPlan, begun: Instant, output: &Output) -> Result<(), Failure> {
    let plan = &prepared.plan;
    let facts = match args.format {
        Some(ReportFormat::Markdown | ReportFormat::Html) => true,
        Some(ReportFormat::Text | ReportFormat::Json) | None => args.report.any(),
    };
    let facts = match facts {
        true => {
            let arguments = args.look.selection.arguments();
            Some(
                args.report
                    .facts(
                        prepared,
                        args.format,
                        ReportedStage { stage: ReportStage::Planned, arguments: &arguments },
                        output,
                    )
                    .await?,
            )
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
    let begun = Instant::now();
    let reports = PlanReports { written: &args.report, printed: args.format };
    if let Some(older) = &args.against {
        let (manifests, out) = (args.manifests.manifests.as_slice(), args.out.as_deref());
        let options = AgainstOptions { older, manifests, look: &args.look, reports, out };
        let differs = against::run(&options, global, output)? == Differs::Yes;
        return Ok(if args.detailed_exitcode && differs { 2 } else { 0 });
    }
    let wanted = WantedPlan { reports: Some(reports), ..WantedPlan::new(&args.manifests, &args.look) };
    let prepared = wanted.prepare(global, output).await?;
    if let Some(path) = &args.out {
        let document = render::plan_document(&prepared.plan);
        files::write(path, document).map_err(|source| Failure::write(path, source))?;
    }
    show(args, &prepared, begun, output).await?;
    let PreparedPlan { loaded, plan, .. } = prepared;
    if loaded.broken > 0 {
        return Err(Failure::broken(loaded.broken));
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
