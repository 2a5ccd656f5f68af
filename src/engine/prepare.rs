//! Preparing: from manifests and an environment to a plan; writes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::asset::MicroUsd;
use crate::plan::{Cap, CapSetter, Coverage, GuardLimits, MAX_DELETIONS_DEFAULT, Month, Plan, Verdicts};
use crate::planner::{self, Depth, PlanRequest, Selection};
use crate::state::Access;
use crate::storage::{Originals, TakeStorage};
use crate::world::{Generators, World};

use super::approval::Approval;
use super::environment::Environment;
use super::idle_patterns::check_selection;
use super::manifest_files::{LoadedManifests, load_manifests};
use super::read_count::ReadCount;
use super::surroundings::{now, timestamp};
use super::{EngineError, EngineListener, open_generators};

/// What is planned, and how closely is looked.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Which assets are meant.
    pub selection: Selection,
    /// Whether objects and rows are looked at.
    pub refresh: Coverage,
    /// Which bytes are read, where files are looked at.
    pub bytes_read: BytesRead,
    /// Whether the user insists on the storage.
    pub take: TakeStorage,
    /// Caps beside those of the environment's `guards`; the lowest of all counts.
    pub caps: Vec<Cap>,
    /// Whether what the environment does not allow is refused.
    pub guards: PlanGuards,
    /// What was decided about earlier calls in doubt.
    pub verdicts: Verdicts,
    /// What was approved.
    pub approval: Approval,
    /// How many assets are enough, spread over all labels; all where it is not said.
    pub sample: Option<usize>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            selection: Selection::default(),
            refresh: Coverage::At,
            bytes_read: BytesRead::AsNeeded,
            take: TakeStorage::No,
            caps: Vec::new(),
            guards: PlanGuards::Kept,
            verdicts: Verdicts::new(),
            approval: Approval::None,
            sample: None,
        }
    }
}

/// Whose bytes are read while a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BytesRead {
    /// Those alone without which nothing can be decided, as of files that were found damaged before.
    AsNeeded,
    /// Those of every published file and every original.
    All,
}

/// Whether a plan is held to what its environment allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanGuards {
    /// It is: it may be carried out.
    Kept,
    /// It is not: it is only looked at.
    Ignored,
}

/// A plan with what it was made from.
pub struct PreparedPlan {
    /// The environment that it is for.
    pub environment: Environment,
    /// The manifests that it compares.
    pub loaded: LoadedManifests,
    /// The plan.
    pub plan: Plan,
    /// How many takes of each asset it is about; 0 where it is about what manifests ask for.
    pub takes: u32,
}

impl PreparedPlan {
    /// Sets up the generators that the plan needs, and reads their keys, which nothing else needs.
    ///
    /// # Errors
    /// When one of them is not configured as it has to be.
    pub fn generators(&self) -> Result<Generators, EngineError> {
        open_generators::needed(&self.environment.settings, self.environment.kinds, &self.plan)
    }

    /// Opens the environment to carry the plan out.
    ///
    /// # Errors
    /// When state or storage cannot be opened.
    pub async fn open(&self, generators: Generators) -> Result<Arc<World>, EngineError> {
        Ok(Arc::new(self.environment.open_with(Access::Write, generators).await?))
    }
}

/// Loads manifests, looks at what is there, and plans.
///
/// # Errors
/// When no manifest can be used, the world cannot be looked at, or something else was approved.
pub async fn prepare(
    environment: Environment,
    manifests: &[PathBuf],
    options: &PlanOptions,
    listener: &dyn EngineListener,
) -> Result<PreparedPlan, EngineError> {
    let loaded = load_manifests(manifests, &environment, listener)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(EngineError::Broken { count: loaded.broken });
    }
    let world = environment.open(Access::Read).await?;
    let plan = plan(&world, &environment, &loaded, options, listener).await?;
    Ok(PreparedPlan { environment, loaded, plan, takes: 0 })
}

/// Plans manifests that were loaded.
///
/// # Errors
/// When the world cannot be looked at, a pattern of the selection matches nothing, or something else was approved.
pub async fn plan(
    world: &World,
    environment: &Environment,
    loaded: &LoadedManifests,
    options: &PlanOptions,
    listener: &dyn EngineListener,
) -> Result<Plan, EngineError> {
    let approved = options.approval.plan(world).await?;
    check_selection(world, loaded, &options.selection).await?;
    let prices = environment.prices();
    let count = ReadCount::new(listener);
    let read = || count.read();
    let request = PlanRequest {
        depth: match options.bytes_read {
            BytesRead::All => Depth::All(&read),
            BytesRead::AsNeeded => Depth::Remembered,
        },
        sample: options.sample,
        approved: approved.as_ref(),
        ..request(world, environment, loaded, options, &prices).await?
    };
    let plan = planner::plan(world, &request).await?;
    options.approval.check_exact(&plan, approved.as_ref())?;
    Ok(plan)
}

/// Plans takes 1 to `takes` of each selected asset.
///
/// # Errors
/// When the world cannot be looked at.
pub async fn plan_takes(
    world: &World,
    environment: &Environment,
    loaded: &LoadedManifests,
    options: &PlanOptions,
    takes: u32,
) -> Result<Plan, EngineError> {
    let prices = environment.prices();
    let request = request(world, environment, loaded, options, &prices).await?;
    Ok(planner::candidates(world, &request, takes).await?)
}

/// Returns what is asked of the planner, about everything that manifests ask for.
async fn request<'r>(
    world: &World,
    environment: &Environment,
    loaded: &'r LoadedManifests,
    options: &'r PlanOptions,
    prices: &'r BTreeMap<String, MicroUsd>,
) -> Result<PlanRequest<'r>, EngineError> {
    let (originals, limits) = match options.guards {
        PlanGuards::Kept => {
            let month = month(world, environment).await?;
            (environment.originals()?, GuardLimits { month, ..limits(environment, &options.caps) })
        }
        PlanGuards::Ignored => {
            (Originals::Private, GuardLimits { max_cost: None, month: None, max_deletions: u64::MAX })
        }
    };
    Ok(PlanRequest {
        declared: &loaded.declared,
        selection: &options.selection,
        refresh: options.refresh,
        depth: Depth::Remembered,
        take: options.take,
        originals,
        limits,
        now: now(),
        created_at: timestamp(),
        all_manifests: loaded.all,
        prices,
        verdicts: &options.verdicts,
        unknown_retries: environment.unknown_retries(),
        sample: None,
        approved: None,
    })
}

/// Returns what a plan may not exceed, but for the month; of several caps the lowest counts.
pub fn limits(environment: &Environment, caps: &[Cap]) -> GuardLimits {
    let guards = &environment.settings.guards;
    let own = guards.max_cost.map(|most| Cap { most, set_by: CapSetter::Guards });
    GuardLimits {
        max_cost: caps.iter().copied().chain(own).min(),
        month: None,
        max_deletions: guards.max_deletions.unwrap_or(MAX_DELETIONS_DEFAULT),
    }
}

/// Returns what a month may cost, and did so far.
async fn month(world: &World, environment: &Environment) -> Result<Option<Month>, EngineError> {
    let Some(most) = environment.settings.guards.max_cost_month else { return Ok(None) };
    Ok(Some(Month { most, spent: world.state.spent_this_month().await? }))
}
