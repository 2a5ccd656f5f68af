//! `pixform plan`

use std::path::PathBuf;
use std::time::Instant;

use crate::asset::MicroUsd;
use crate::config::Settings;
use crate::plan::{Limits, Looked, MAX_DELETIONS_DEFAULT, Plan};
use crate::planner::{self, Request};
use crate::render;
use crate::state::Access;
use crate::storage::TakeStorage;
use crate::world::World;

use super::context::{self, Loaded};
use super::{Failure, Global, ManifestArgs, Output, SelectionArgs, selected};

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    look: LookArgs,
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
    /// Refuse a plan that costs more, in dollars; 0 buys nothing
    #[arg(long, value_name = "USD", env = "PIXFORM_MAX_COST")]
    pub max_cost: Option<MicroUsd>,
    /// Take the storage over, whatever its marker says
    #[arg(long)]
    pub take_storage: bool,
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
    fn limits(&self, settings: &Settings) -> Limits {
        let caps = [self.max_cost, settings.guards.max_cost];
        Limits {
            max_cost: caps.into_iter().flatten().min(),
            max_deletions: settings.guards.max_deletions.unwrap_or(MAX_DELETIONS_DEFAULT),
        }
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
    let loaded = context::manifests(manifests, &settings, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::Told { count: loaded.broken });
    }
    let world = context::world(&settings, Access::Read).await?;
    let plan = make(&world, &settings, &loaded, look).await?;
    Ok(Prepared { settings, loaded, plan })
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
        limits: look.limits(settings),
        now: context::now(),
        created_at: context::timestamp(),
        all_manifests: loaded.all,
        prices: &context::prices(settings),
    };
    Ok(planner::plan(world, &request).await?)
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

/// Shows what apply would do.
pub async fn run(args: &PlanArgs, global: &Global, output: &Output) -> Result<u8, Failure> {
    let begun = Instant::now();
    let Prepared { loaded, plan, .. } = prepare(&args.manifests, &args.look, global, output).await?;
    if let Some(path) = &args.out {
        let document = render::plan_document(&plan);
        std::fs::write(path, document).map_err(|source| Failure::Write { path: path.clone(), source })?;
    }
    print(&plan, begun, output);
    if loaded.broken > 0 {
        return Err(Failure::Told { count: loaded.broken });
    }
    if !plan.is_empty() && plan.refusals.is_empty() {
        output.next(&format!("pixform apply{}", args.look.selection.arguments()));
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { 2 } else { 0 })
}
