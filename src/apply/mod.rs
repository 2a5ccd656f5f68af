//! Apply: carries a plan out, durably, step by step, and tells what happens through events.
//!
//! The order of steps is what makes a kill harmless: intent, picture, original stored, published files announced and
//! stored, then record and row in one fenced transaction. Whatever was done before the kill is found by the next run.
//! Nothing is decided here: a plan leaves nothing to decide.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::asset::{AssetKey, Assets, CollectionName, GeneratorName, MicroUsd, TableSpec};
use crate::generator::GeneratorError;
use crate::plan::{Action, CollectionPlan, Doubt};
use crate::state::{AppliedMove, Arrangement, Holder, Run, StateError};
use crate::storage::{MarkerError, StorageError, StoreRefusal};
use crate::world::{World, WorldError};

mod accept;
mod adopt;
mod arrange;
mod batch;
mod buy;
mod commit;
mod copy;
mod crash;
mod elsewhere;
mod event;
mod fetch;
mod files;
mod flow;
mod item;
mod journal;
mod lease;
mod original;
mod pacing;
mod publish;
mod records;
mod reuse;
mod step;
mod stop;
mod store;
mod unsent;

pub use accept::{KeptRow, keep_rows};
pub use arrange::{arrange, rearranged};
pub use copy::copy;
pub use crash::crash_point;
pub use event::{Event, Listener, Stage};
pub use lease::{Leases, collections};
pub use records::Records;
pub use stop::{Go, Stop, Why};
pub use store::{Originals, Proof, Told, claim};

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
    /// Its order and columns, for whoever shows it; `None` where that is not known.
    pub arrangement: Option<Arrangement>,
}

/// How a plan is carried out.
pub struct Options<'o> {
    /// This run.
    pub run: &'o Run,
    /// Says how far the run may still go.
    pub stop: &'o Arc<Stop>,
    /// What a call of a paid generator costs, by the generator's name.
    pub prices: &'o BTreeMap<String, MicroUsd>,
    /// What the run may spend; nothing at all buys nothing, and does all that is free.
    pub cap: Option<MicroUsd>,
    /// How often a call without an answer is repeated by itself.
    pub unknown_retries: u32,
    /// Pictures that the run may have under way at once, of all services together.
    pub parallelism: Option<usize>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many assets were done, by action.
    pub done: HashMap<Action, u64>,
    /// What was charged by configured prices.
    pub cost: MicroUsd,
    /// Calls without an answer, which may be charged too.
    pub unknown_calls: u64,
    /// Calls that the service failed at, which may be charged too.
    pub failed_calls: u64,
    /// Assets that were not begun before the run had to stop.
    pub not_begun: u64,
    /// Assets that failed.
    pub failed: Vec<(CollectionName, AssetKey, ApplyError)>,
    /// Assets that wait for a decision about an earlier call, and what is in doubt about it.
    pub undecided: Vec<(CollectionName, AssetKey, Doubt)>,
    /// Assets whose earlier call was written off.
    pub forgotten: Vec<(CollectionName, AssetKey)>,
    /// Assets that were not bought, because nothing was to be bought, and what they cost.
    pub not_bought: Vec<(CollectionName, AssetKey, MicroUsd)>,
    /// What ended the run before its end.
    pub ended: Option<Ended>,
}

/// What ends a run early.
#[derive(Debug)]
pub enum Ended {
    /// It was told to stop.
    Stopped(Why),
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
    NoGenerator(GeneratorName),
    /// State or storage, met by several assets at once.
    #[error(transparent)]
    Journal(Arc<WorldError>),
    /// The generator said no, or could not be asked.
    #[error("there is no picture for `{key}`")]
    Service {
        /// The asset.
        key: AssetKey,
        /// Why.
        #[source]
        source: GeneratorError,
    },
    /// The generator said no to everything before it was this asset's turn.
    #[error("`{key}` was not asked for: `{generator}` says no to everything")]
    NotAsked {
        /// The asset.
        key: AssetKey,
        /// The generator.
        generator: GeneratorName,
    },
    /// A call was sent, and no answer came.
    #[error("`{key}` was asked for and may be charged, but its outcome is unknown")]
    OutcomeUnknown {
        /// The asset.
        key: AssetKey,
        /// What happened.
        #[source]
        source: GeneratorError,
    },
    /// An earlier call stands in the way.
    #[error("an earlier call for `{key}` needs a decision")]
    Undecided {
        /// The asset.
        key: AssetKey,
    },
    /// A whole picture came that is not the one asked for.
    #[error("the picture of `{key}` is paid for and not the one asked for: {why}")]
    Rejected {
        /// The asset.
        key: AssetKey,
        /// What is wrong with it.
        why: String,
    },
    /// The picture is paid for and cannot be taken by anybody.
    #[error("the picture of `{key}` is paid for and cannot be used: {why}")]
    Withheld {
        /// The asset.
        key: AssetKey,
        /// What is wrong with it.
        why: String,
    },
    /// The picture is paid for and can no longer be fetched.
    #[error("the picture of `{key}` is paid for and lost: {why}")]
    Lost {
        /// The asset.
        key: AssetKey,
        /// What came instead.
        why: String,
    },
    /// The service failed as often as may be.
    #[error("the service failed at `{key}` again and again: {why}")]
    FailedRepeatedly {
        /// The asset.
        key: AssetKey,
        /// In the service's words.
        why: String,
    },
    /// The picture is paid for and not there yet.
    #[error("the picture of `{key}` is paid for and still under way: {why}")]
    UnderWay {
        /// The asset.
        key: AssetKey,
        /// Why it was not waited for any longer.
        why: String,
    },
    /// It would cost more than the run may spend.
    #[error("`{key}` would cost more than the cap leaves")]
    Capped {
        /// The asset.
        key: AssetKey,
    },
    /// The run ended before it was this asset's turn.
    #[error("`{key}` was not begun")]
    NotBegun {
        /// The asset.
        key: AssetKey,
    },
    /// The picture that the asset shares with another one was not made.
    #[error("the picture that `{key}` shares with another asset was not made")]
    NoPicture {
        /// The asset.
        key: AssetKey,
    },
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
    #[error("the original `{path}` is damaged, its bytes are not those that were stored: delete it and run again")]
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
    #[error("`{key}` was not renamed, because another rename of the collection could not be carried out")]
    RenameHeldBack {
        /// The asset.
        key: AssetKey,
    },
    /// Files could not be copied from the store that was used before.
    #[error("{count} of {total} files could not be copied from the previous storage, `{path}` among them")]
    NotCopied {
        /// How many.
        count: u64,
        /// Of how many.
        total: u64,
        /// One of them.
        path: String,
        /// Why that one.
        #[source]
        source: Box<StorageError>,
    },
    /// A worker thread ended by itself: a bug.
    #[error("a worker ended unexpectedly")]
    Worker,
}

impl ApplyError {
    /// Tells whether every further asset would meet the same.
    fn ends_the_run(&self) -> bool {
        match self {
            Self::State(StateError::Row { .. }) => false,
            Self::Storage(error) => error.meets_every_file(),
            Self::World(_)
            | Self::State(_)
            | Self::Marker(_)
            | Self::Refused(_)
            | Self::Held(_)
            | Self::NoGenerator(_)
            | Self::NotCopied { .. }
            | Self::Worker => true,
            Self::Journal(error) => {
                !matches!(**error, WorldError::State(StateError::Table { .. } | StateError::Row { .. }))
            }
            Self::Stale { .. }
            | Self::Service { .. }
            | Self::NotAsked { .. }
            | Self::OutcomeUnknown { .. }
            | Self::Undecided { .. }
            | Self::Rejected { .. }
            | Self::Withheld { .. }
            | Self::Lost { .. }
            | Self::FailedRepeatedly { .. }
            | Self::UnderWay { .. }
            | Self::Capped { .. }
            | Self::NotBegun { .. }
            | Self::NoPicture { .. }
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
    world: &Arc<World>,
    works: &[Work<'_>],
    leases: &Leases,
    options: &Options<'_>,
    listen: Listener<'_>,
) -> Result<Outcome, ApplyError> {
    let mut before = Vec::with_capacity(works.len());
    for work in works {
        before.push(records::touched(&*world.state, work.plan).await?);
        if let Some(table) = work.table {
            world.state.ensure_table(table).await?;
        }
        let lease = leases.of(&work.plan.name)?;
        world.state.remember_collection(lease, &work.plan.key, work.table.map(|table| &table.name)).await?;
        if let Some(arrangement) = &work.arrangement {
            world.state.arrange(lease, arrangement).await?;
        }
    }
    crash_point("leased");
    let total = works.iter().map(|work| work.plan.changes.len() as u64).sum();
    let pacings = pacing::pacings(world, works, options).await?;
    let outcome = Outcome::default();
    let finishing = tokio::sync::Semaphore::new(flow::FINISHING_MAX);
    let (pacings, finishing) = (&pacings, &finishing);
    let mut runner = step::Runner { world, options, leases, pacings, finishing, listen, outcome, total, done: 0 };
    let mut parts = Vec::with_capacity(works.len());
    for (work, records) in works.iter().zip(&before) {
        parts.push(runner.part(work, leases.of(&work.plan.name)?, records));
    }
    runner.carry_out(&parts).await;
    if runner.outcome.ended.is_none() {
        for work in works {
            let (keep, forgotten) = &work.moves;
            if *forgotten > 0 {
                let lease = leases.of(&work.plan.name)?;
                world.state.keep_moves(lease, &all_moves(keep, work)).await?;
            }
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
