//! `pixform apply`

use std::time::Instant;

use crate::apply::Outcome;
use crate::digest::PlanDigest;
use crate::engine::{self, PlanKeeping, PreparedPlan, RunOptions, RunStart};
use crate::plan::Plan;
use crate::secret::chain;

use crate::cli::applied::{self, AboutRun};
use crate::cli::arguments::{ConsentArgs, PaceArgs, WaitArgs};
use crate::cli::carry::carry_out;
use crate::cli::confirm::{Confirmation, confirm};
use crate::cli::plan_arguments::LookArgs;
use crate::cli::plan_output::{PlanReports, WantedPlan, print};
use crate::cli::report::{Done, ReportArgs};
use crate::cli::{Failure, Global, ManifestArgs, Output, context};

/// Arguments of `apply`.
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
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Carry out exactly the plan of this digest, as it was previewed; a file of `plan --out` can be named like a manifest
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["only", "except"])]
    expect: Option<PlanDigest>,
}

/// Returns how many assets of a plan were not done.
fn undone(plan: &Plan, outcome: &Outcome) -> u64 {
    let done: u64 = outcome.done.values().sum();
    (plan.changes().count() as u64).saturating_sub(done)
}

/// Makes a plan, asks, and carries it out.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let begun = Instant::now();
    let (approval, manifests) = args.manifests.split(args.expect)?;
    let reports = PlanReports { written: &args.report, printed: None };
    let wanted = WantedPlan { approval, reports: Some(reports), ..WantedPlan::new(&manifests, &args.look) };
    let prepared = wanted.prepare(global, output).await?;
    let PreparedPlan { plan, .. } = &prepared;
    print(plan, begun, output);
    let facts = args.report.planned(&prepared, &args.look.selection.arguments(), output).await?;
    if !plan.refusals.is_empty() {
        output.visitors_see("what they saw before: nothing was changed");
        return Err(Failure::Refused);
    }
    let start = context::start("apply", args.look.take());
    let code = if plan.is_empty() {
        keep_order(&prepared, &start, output).await;
        0
    } else {
        let generators = prepared.generators()?;
        let question = format!("Apply this plan to `{}`?", plan.environment);
        confirm(Confirmation { command: "apply", words: &question, consent: args.consent.consent() }, output)?;
        let world = prepared.open(generators).await?;
        let options = RunOptions {
            // What was named and is not known yet is known from now on: a second try has to find it.
            keeping: if args.expect == Some(plan.digest()) { PlanKeeping::ByDigest } else { PlanKeeping::None },
            wait_seconds: args.wait.seconds,
            ..args.pace.at(RunOptions::new(start))
        };
        let carried_out = carry_out(&world, &prepared, &options, output).await?;
        engine::visit_after_apply(&world, &prepared, output).await;
        let outcome = &carried_out.outcome;
        let done = Done { paid: outcome.cost, undone: undone(plan, outcome) };
        let about = AboutRun { world: &world, environment: &prepared.environment, options: &options };
        let code = applied::tell(about, carried_out, output);
        if let Some(facts) = facts {
            // What was applied is applied, whatever becomes of the report on it.
            let facts = args.report.applied(facts, &prepared, done, output).await;
            if let Err(failure) = facts.and_then(|facts| args.report.write(Some(plan), &facts)) {
                output.report(&failure);
            }
        }
        code?
    };
    match prepared.loaded.broken {
        0 => Ok(code),
        count => Err(Failure::broken(count)),
    }
}

/// Remembers the order of the manifests where nothing else changed: for whoever shows the pictures. It is no reason to fail.
async fn keep_order(prepared: &PreparedPlan, start: &RunStart<'_>, output: &Output) {
    if let Err(error) = engine::keep_order(&prepared.environment, &prepared.loaded, start).await {
        let message = format!("the order of the manifest could not be remembered: {}", chain(&error));
        output.warn(&message, "pictures are shown in their last order until an apply can write to the state", None);
    }
}
