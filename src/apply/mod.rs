//! Apply: carries a plan out, durably, step by step, and tells what happens through events.
//!
//! The order of steps is what makes a kill harmless: intent, picture, original stored, published files announced and
//! stored, then record and row in one fenced transaction. Whatever was done before the kill is found by the next run.
//! Nothing is decided here: a plan leaves nothing to decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::asset::{AssetKey, Assets, GeneratorName, MicroUsd, ObjectPath, TableSpec};
use crate::digest::ContentDigest;
use crate::generator::GeneratorError;
use crate::plan::CollectionPlan;
use crate::state::{AppliedMove, Arrangement, Caps, Commit, Holder, RenameMemory, Right, Run, StateError};
use crate::storage::{MarkerError, StorageError, StoreRefusal};
use crate::world::{World, WorldError};

mod accept;
mod adopt;
mod announce;
mod arrange;
mod barred;
mod batch;
mod buy;
mod buyer;
mod commit;
mod copy;
mod crash;
mod elsewhere;
mod event;
mod fetch;
mod files;
mod finishing;
mod flow;
mod garbage;
mod gc;
mod item;
mod journal;
mod keep;
mod lease;
mod losses;
mod mention;
mod original;
mod outcome;
mod pacing;
mod publish;
mod records;
mod request;
mod reuse;
mod service;
mod step;
mod stop;
mod store;
mod unsent;

pub use accept::{KeptRow, keep_rows};
pub use arrange::{arrange, rearranged};
pub use buyer::OtherSeed;
pub use copy::copy;
pub use crash::crash_point;
pub use event::{Event, Listener, Stage, Wish};
pub use garbage::{Policy, Unpublished, Verdict};
pub use gc::{Garbage, collect, look};
pub use lease::{Leases, collections};
pub use losses::ModelStop;
pub use outcome::{Ended, Outcome};
pub use stop::{Go, NotAskedBecause, Stop, Unbegun, Why};
pub use store::{Proof, Told, claim};

pub use crate::storage::Originals;

/// A collection's plan with its assets.
pub struct Work<'w> {
    /// The plan.
    pub plan: &'w CollectionPlan,
    /// Its assets; `None` where the collection is being destroyed.
    pub assets: Option<&'w dyn Assets>,
    /// Its table.
    pub table: Option<&'w TableSpec>,
    /// Renames to keep in mind.
    pub moves: RenameMemory,
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
    /// What may be spent; nothing at all by the run buys nothing, and does all that is free.
    pub caps: Caps,
    /// How often a call without an answer is repeated by itself.
    pub unknown_retries: u32,
    /// Pictures that the run may have under way at once, of all services together.
    pub parallelism: Option<usize>,
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
    /// Another run is at work, and may need what is to be deleted.
    #[error("`{}` is at work, and may need some of what is to be deleted", .0.command)]
    AtWork(Box<Run>),
    /// The run stood still for longer than its leases last.
    #[error("this run stood still for longer than its leases last; what is left to delete is left to the next one")]
    Overslept,
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
    /// The generator said no to everything, or to its model, before it was this asset's turn.
    #[error("`{key}` was not asked for: {why}")]
    NotAsked {
        /// The asset.
        key: AssetKey,
        /// Why.
        why: NotAskedBecause,
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
    /// The service judged the prompt or the picture: asked for the same again, it would say the same.
    #[error("the service will not make `{key}` as it is: {why}")]
    Judged {
        /// The asset.
        key: AssetKey,
        /// In the service's words.
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
    /// It was not this asset's turn before there was a reason to begin nothing more.
    #[error("`{key}` was not begun: {why}")]
    NotBegun {
        /// The asset.
        key: AssetKey,
        /// Why.
        why: Unbegun,
    },
    /// The picture is paid for, came, and could not be stored; the next run fetches it again.
    #[error(
        "the picture of `{key}` is paid for and could not be stored; the next run fetches it again, for nothing, for as \
         long as the service keeps it"
    )]
    NotStored {
        /// The asset.
        key: AssetKey,
        /// What the storage says.
        #[source]
        source: StorageError,
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
    #[error(
        "the original `{path}` {is}: put it back from a backup (SHA-256 {}), and run this again; without one the next \
         `pixform plan` tells what another picture costs",
        .sha256.hex()
    )]
    Damaged {
        /// Where it lies.
        path: ObjectPath,
        /// What its bytes should be.
        sha256: ContentDigest,
        /// What is wrong with it: `is damaged`.
        is: &'static str,
    },
    /// The original that the plan named was deleted meanwhile.
    #[error("the original of `{key}` was deleted by `pixform gc` after the plan was made")]
    Collected {
        /// The asset.
        key: AssetKey,
    },
    /// A run of gc stands still in deleting the file that is to be put.
    #[error("`{path}` cannot be put while `pixform gc`, which is deleting it, stands still: end it, and run again")]
    BeingDeleted {
        /// The path.
        path: ObjectPath,
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
        // A preview remembers nothing of a collection: what its pictures are made of is kept beside it.
        let Right::Lease(lease) = leases.right(&work.plan.name)? else {
            records::keep_recipes(&*world.state, work, before.last()).await?;
            continue;
        };
        if let Some(table) = work.table {
            world.state.ensure_table(table).await?;
        }
        world.state.remember_collection(lease, &work.plan.key, work.table.map(|table| &table.name)).await?;
        if let Some(arrangement) = &work.arrangement {
            world.state.arrange(lease, arrangement).await?;
        }
        if !work.moves.settled.is_empty() {
            // Before any asset of them is written: a rename that came too late must never be taken for one to come.
            let settled = Commit { settled: work.moves.settled.clone(), ..Commit::default() };
            world.state.commit(lease, None, &settled).await?;
        }
    }
    crash_point("leased");
    let total = works.iter().map(|work| work.plan.changes.len() as u64).sum();
    let pacings = pacing::pacings(world, works, options).await?;
    let outcome = Outcome::default();
    let finishing = tokio::sync::Semaphore::new(finishing::FINISHING_UNITS);
    let barred = barred::Barred::default();
    let (pacings, finishing, barred) = (&pacings, &finishing, &barred);
    let mut runner =
        step::Runner { world, options, leases, pacings, finishing, barred, listen, outcome, total, done: 0 };
    let mut parts = Vec::with_capacity(works.len());
    for (work, records) in works.iter().zip(&before) {
        parts.push(runner.part(work, leases.right(&work.plan.name)?, records));
    }
    runner.carry_out(&parts).await;
    if runner.outcome.ended.is_none() {
        for work in works {
            let RenameMemory { standing, stale, settled } = &work.moves;
            if let (Right::Lease(lease), true) = (leases.right(&work.plan.name)?, *stale > 0) {
                let kept: Vec<AppliedMove> = standing.iter().chain(settled).cloned().collect();
                world.state.keep_moves(lease, &all_moves(&kept, work)).await?;
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
