//! Apply: carries a plan out, durably, step by step, and tells what happens through events.
//!
//! The order of steps is what makes a kill harmless: intent, picture, original stored, published files announced and
//! stored, then record and row in one fenced transaction. Whatever was done before the kill is found by the next run.
//! Nothing is decided here: a plan leaves nothing to decide.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::asset::{AssetKey, Assets, CollectionName, MicroUsd, TableSpec};
use crate::plan::{Action, Change, CollectionPlan, Plan, Snapshot};
use crate::record::Record;
use crate::state::{AppliedMove, Holder, Run, State, StateError};
use crate::storage::{MarkerError, StorageError, StoreRefusal};
use crate::world::{World, WorldError};

mod crash;
mod item;
mod lease;
mod original;
mod publish;
mod step;
mod store;

pub use crash::crash_point;
pub use lease::Leases;
pub use store::claim;

/// What happens while a plan is carried out.
#[derive(Debug, Clone)]
pub enum Event<'e> {
    /// Work on an asset begins.
    Started {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// What is done.
        action: Action,
    },
    /// A call was made that the configured price applies to.
    Charged {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// The configured price.
        price: MicroUsd,
    },
    /// The asset is live.
    Completed {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// What was done.
        action: Action,
        /// How many assets are done, and of how many.
        progress: (u64, u64),
    },
    /// The asset failed; whatever was live before still is.
    Failed {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// Why.
        error: &'e ApplyError,
    },
}

/// Takes events; called from several threads.
pub type Listener<'l> = &'l (dyn Fn(Event<'_>) + Sync);

/// A collection's plan with its assets.
pub struct Work<'w> {
    /// The plan.
    pub plan: &'w CollectionPlan,
    /// Its assets; `None` where the collection is being destroyed.
    pub assets: Option<&'w dyn Assets>,
    /// Its table.
    pub table: Option<&'w TableSpec>,
    /// Renames to keep in mind, and how many are to be forgotten.
    pub moves: (Vec<AppliedMove>, usize),
}

/// How a plan is carried out.
pub struct Options<'o> {
    /// This run.
    pub run: &'o Run,
    /// Set when no new work is to be begun.
    pub stop: &'o AtomicBool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many assets were done, by action.
    pub done: HashMap<Action, u64>,
    /// What was charged by configured prices.
    pub cost: MicroUsd,
    /// Assets that failed.
    pub failed: Vec<(CollectionName, AssetKey, ApplyError)>,
    /// What ended the run before its end.
    pub ended: Option<Ended>,
}

/// What ends a run early.
#[derive(Debug)]
pub enum Ended {
    /// A signal; what was in flight was finished.
    Interrupted,
    /// Something that every further asset would meet too.
    Broken(ApplyError),
}

/// What can go wrong while applying.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// State or storage.
    #[error(transparent)]
    World(#[from] WorldError),
    /// State.
    #[error(transparent)]
    State(#[from] StateError),
    /// Storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The storage's marker.
    #[error(transparent)]
    Marker(#[from] MarkerError),
    /// The storage belongs to another state, or is another one.
    #[error(transparent)]
    Refused(#[from] StoreRefusal),
    /// Somebody else works on the collection.
    #[error("`{}` is being applied by another run", .0.collection)]
    Held(Box<Holder>),
    /// The world changed after the plan was made.
    #[error("`{key}` changed after the plan was made")]
    Stale {
        /// The asset.
        key: AssetKey,
    },
    /// The manifest names a generator that the environment lacks.
    #[error("there is no generator `{0}`")]
    NoGenerator(crate::asset::GeneratorName),
    /// The generator.
    #[error(transparent)]
    Generator(#[from] crate::generator::GeneratorError),
    /// A picture cannot be used.
    #[error("the picture of `{key}` cannot be used")]
    Picture {
        /// The asset.
        key: AssetKey,
        /// Why.
        #[source]
        source: crate::imaging::ImagingError,
    },
    /// An original is not what its digest says.
    #[error("the original `{path}` is damaged: its bytes are not those that were stored")]
    Damaged {
        /// Where it lies.
        path: String,
    },
    /// A column cannot be rendered.
    #[error("a column of `{key}` cannot be rendered")]
    Row {
        /// The asset.
        key: AssetKey,
        /// Why.
        #[source]
        source: crate::template::TemplateError,
    },
    /// Another run is making the same picture.
    #[error("another run is making the picture of `{key}`")]
    MadeElsewhere {
        /// The asset.
        key: AssetKey,
    },
    /// An asset that shares a rename with this one failed.
    #[error("`{key}` was not renamed, because another rename failed")]
    RenameHeldBack {
        /// The asset.
        key: AssetKey,
    },
    /// A worker thread ended by itself: a bug.
    #[error("a worker ended unexpectedly")]
    Worker,
}

impl ApplyError {
    /// Tells whether every further asset would meet the same.
    fn ends_the_run(&self) -> bool {
        match self {
            Self::Storage(StorageError::Full { .. } | StorageError::Unusable { .. })
            | Self::World(_)
            | Self::State(_)
            | Self::Marker(_)
            | Self::Refused(_)
            | Self::Held(_)
            | Self::NoGenerator(_)
            | Self::Worker => true,
            Self::Storage(_)
            | Self::Stale { .. }
            | Self::Generator(_)
            | Self::Picture { .. }
            | Self::Damaged { .. }
            | Self::Row { .. }
            | Self::MadeElsewhere { .. }
            | Self::RenameHeldBack { .. } => false,
        }
    }
}

/// Carries a plan out.
///
/// The state must be migrated and the store claimed ([`claim`]); the leases must be held.
///
/// # Errors
/// Before any work: when a table cannot be made, or the world changed after the plan was made.
pub async fn run(
    world: &World,
    works: &[Work<'_>],
    leases: &Leases,
    options: &Options<'_>,
    listen: Listener<'_>,
) -> Result<Outcome, ApplyError> {
    let mut before = Vec::with_capacity(works.len());
    for work in works {
        before.push(touched(&*world.state, work.plan).await?);
        if let Some(table) = work.table {
            world.state.ensure_table(table).await?;
        }
        let lease = leases.of(&work.plan.name)?;
        world.state.remember_collection(lease, &work.plan.key, work.table.map(|table| &table.name)).await?;
    }
    crash_point("leased");
    let total = works.iter().map(|work| work.plan.changes.len() as u64).sum();
    let mut runner = step::Runner { world, options, listen, outcome: Outcome::default(), total, done: 0 };
    for (work, records) in works.iter().zip(before) {
        let lease = leases.of(&work.plan.name)?;
        runner.collection(work, lease, &records).await;
        if runner.outcome.ended.is_some() {
            break;
        }
        let (keep, forgotten) = &work.moves;
        if *forgotten > 0 {
            world.state.keep_moves(lease, &all_moves(keep, work)).await?;
        }
    }
    Ok(runner.outcome)
}

/// The renames to remember: those that still stand, and those of this run.
fn all_moves(standing: &[AppliedMove], work: &Work<'_>) -> Vec<AppliedMove> {
    let renamed = work.plan.changes.iter().filter_map(|change| {
        let (collection, from) = change.moved_from.clone()?;
        Some((collection, from, change.key.clone()))
    });
    standing.iter().cloned().chain(renamed).collect()
}

/// The records that a plan touches, by where they are now.
pub type Records = HashMap<(CollectionName, AssetKey), Record>;

/// Reads the touched records again and refuses a plan that was made from others.
async fn touched(state: &dyn State, plan: &CollectionPlan) -> Result<Records, ApplyError> {
    let mut keys: HashMap<CollectionName, Vec<AssetKey>> = HashMap::new();
    for change in &plan.changes {
        let (collection, key) = source(plan, change);
        keys.entry(collection).or_default().push(key);
    }
    let mut records = HashMap::new();
    for (collection, keys) in keys {
        for record in state.records(&collection, &keys).await? {
            records.insert((collection.clone(), record.key.clone()), record);
        }
    }
    for change in &plan.changes {
        let record = records.get(&source(plan, change));
        let now = record.map(Snapshot::of);
        // Where the record of a new asset's key is renamed away in the same plan, it is another asset's record.
        let renamed_away = || {
            let from_here = |other: &Change| {
                other.moved_from.as_ref().is_some_and(|(name, key)| *name == plan.name && *key == change.key)
            };
            change.before.is_none() && plan.changes.iter().any(from_here)
        };
        if now != change.before && !renamed_away() {
            return Err(ApplyError::Stale { key: change.key.clone() });
        }
    }
    Ok(records)
}

/// Returns where a change's record is now.
fn source(plan: &CollectionPlan, change: &Change) -> (CollectionName, AssetKey) {
    change.moved_from.clone().unwrap_or_else(|| (plan.name.clone(), change.key.clone()))
}

/// Returns the collections that need a lease for a plan, by name: changed ones, and those that records leave.
pub fn collections(plan: &Plan) -> Vec<CollectionName> {
    let mut names: Vec<CollectionName> = Vec::new();
    for (collection, change) in plan.changes() {
        names.push(collection.name.clone());
        names.extend(change.moved_from.as_ref().map(|(from, _)| from.clone()));
    }
    names.sort();
    names.dedup();
    names
}

fn stopped(options: &Options<'_>) -> bool {
    options.stop.load(Ordering::Relaxed)
}
