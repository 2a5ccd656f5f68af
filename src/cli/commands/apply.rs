//! `pixform apply`

use std::sync::Arc;
use std::time::Instant;

use crate::apply::Outcome;
use crate::config::Settings;
use crate::digest::PlanDigest;
use crate::plan::Plan;
use crate::secret::chain;
use crate::state::Access;

use super::plan::{self, LookArgs, Part, Prepared};
use crate::cli::approval::Approval;
use crate::cli::arguments::{PaceArgs, WaitArgs};
use crate::cli::carry::{Asked, Going, Keeps, carry_out, confirm, new_run};
use crate::cli::context::Loaded;
use crate::cli::report::ReportArgs;
use crate::cli::{Failure, Global, ManifestArgs, Output, applied, context, damages, services, visited};

/// Arguments of `apply`.
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
    let (approval, manifests) = Approval::split(args.expect, &args.manifests)?;
    let part = Part { approval, sample: None };
    let prepared =
        plan::prepare_reported(&manifests, (&args.look, &part), (&args.report, None), global, output).await?;
    let Prepared { plan, .. } = &prepared;
    plan::print(plan, begun, output);
    let facts = args.report.planned(&prepared, &args.look.selection.arguments(), output).await?;
    if !plan.refusals.is_empty() {
        output.visitors_see("what they saw before: nothing was changed");
        return Err(Failure::Refused);
    }
    let code = if plan.is_empty() {
        arrange(&prepared.settings, &prepared.loaded, output).await;
        0
    } else {
        let services = services::needed(&prepared.settings, plan)?;
        let question = format!("Apply this plan to `{}`?", plan.environment);
        confirm(args.yes, Asked { command: "apply", question: &question }, output)?;
        let world = Arc::new(context::world_with(&prepared.settings, Access::Write, services).await?);
        let going = Going {
            // What was named and is not known yet is known from now on: a second try has to find it.
            keeps: if args.expect == Some(prepared.plan.digest()) { Keeps::Plan } else { Keeps::Nothing },
            ..args.pace.at(Going::new("apply", args.look.take(), args.wait.seconds))
        };
        let (result, code) = carry_out(&world, &prepared, going, output).await?;
        let outcome = result?;
        visited::after_apply(&world, &prepared, output).await;
        let done = (outcome.cost, undone(plan, &outcome));
        let code = applied::tell(&world, (&prepared.settings, going), outcome, code, output);
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
        count => Err(Failure::Told { count }),
    }
}

/// Remembers the order of the manifests where nothing else changed: for whoever shows the pictures. It is no reason to fail.
async fn arrange(settings: &Settings, loaded: &Loaded, output: &Output) {
    let arranged = async {
        if crate::state::is_unfinished(settings.state.expose()) {
            // Opening it for writing takes a change back that a killed run left half done.
            context::world(settings, Access::Write).await?;
        }
        let wanted = loaded.declared.iter().map(|declared| (declared.manifest.name.clone(), declared.arrangement()));
        let world = context::world(settings, Access::Read).await?;
        let rearranged = crate::apply::rearranged(&*world.state, wanted).await?;
        if !rearranged.is_empty() {
            let world = context::world(settings, Access::Write).await?;
            crate::apply::arrange(&*world.state, &new_run("apply"), rearranged).await?;
        }
        // What was put back by hand is well, and no longer looked at.
        let names = || loaded.declared.iter().map(|declared| &declared.manifest.name);
        let mut remembered = false;
        for name in names() {
            remembered |= !world.state.damages(name).await?.is_empty();
        }
        if remembered {
            damages::forget(&context::world(settings, Access::Write).await?, names()).await?;
        }
        Ok::<_, Failure>(())
    };
    if let Err(failure) = arranged.await {
        let message = format!("the order of the manifest could not be remembered: {}", chain(&failure));
        output.warn(&message, "pictures are shown in their last order until an apply can write to the state", None);
    }
}
