//! `pixform apply`

use std::sync::Arc;
use std::time::Instant;

use crate::apply::Outcome;
use crate::config::Settings;
use crate::digest::PlanDigest;
use crate::plan::Plan;
use crate::secret::chain;
use crate::state::Access;

use super::approval::Approval;
use super::carry::{Asked, Going, Keeps, carry_out, confirm, new_run};
use super::context::Loaded;
use super::plan::{self, LookArgs, Part, Prepared};
use super::report::ReportArgs;
use super::{Failure, Global, ManifestArgs, Output, applied, context, damages, services, visited};

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
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

/// How fast a plan is carried out, and how long.
#[derive(Debug, clap::Args)]
pub struct PaceArgs {
    /// Begin nothing new after so long, and leave what is under way to the next run: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<u64>,
    /// Have at most so many pictures under way, of all services together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: Option<u16>,
}

impl PaceArgs {
    /// Goes at this pace.
    pub fn at<'g>(&self, going: Going<'g>) -> Going<'g> {
        Going { timeout: self.timeout, parallelism: self.parallelism.map(usize::from), ..going }
    }
}

/// How long to wait for somebody else.
#[derive(Debug, clap::Args, Default)]
pub struct WaitArgs {
    /// Wait so long for another run that works on the collection: 30s, 5m, 1h
    #[arg(long = "wait", value_name = "TIME", value_parser = duration, default_value = "0s")]
    pub seconds: u64,
}

/// Reads a duration: digits and `s`, `m` or `h`.
pub(super) fn duration(text: &str) -> Result<u64, String> {
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

/// Returns how many assets of a plan were not done.
fn undone(plan: &Plan, outcome: &Outcome) -> u64 {
    let done: u64 = outcome.done.values().sum();
    (plan.changes().count() as u64).saturating_sub(done)
}

/// Makes a plan, asks, and carries it out.
pub async fn run(args: &ApplyArgs, global: &Global, output: &Output) -> Result<u8, Failure> {
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
