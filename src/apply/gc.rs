//! Collecting garbage beside runs that are at work, so that nothing which anybody refers to is ever gone.
//!
//! # Who does what
//!
//! A *user* (apply, preview, import, accept) begins to rely on a file in one of three ways: it announces it before it puts
//! it, it claims it before it takes it as it is, or its commit names it. Each lifts the mark of gc in its own transaction.
//! Whoever claims a file of which the state knows nothing looks afterwards whether it is there. A run is written down
//! before it relies on anything.
//!
//! A run of *gc* goes through these steps:
//!
//! 1. It **marks**: lines that no record names, in one transaction.
//! 2. It **waits** for every run that is alive after that, but for those of gc. Such a run may have begun to rely on a
//!    file before it was marked; once it has ended, its commit has named the file, or nobody will.
//! 3. It takes **the lease on every collection** that anybody ever had one on. A run that was taken for dead, and is not,
//!    is fenced by that: it commits nothing any more that names what is deleted from here on.
//! 4. It **looks again**: at records, at calls, at every row of every table that was ever published to.
//! 5. Batch by batch: it **sweeps**, in one transaction, the lines that still bear its mark and that no record names: they
//!    leave their tables and become deletions; it **deletes** the files; it **forgets** the deletions.
//!
//! # Why that is safe, in whichever order two processes come
//!
//! - *A user relies before the mark.* It is alive, so gc waits for it; or it died, and its commit never came.
//! - *Between mark and sweep.* The mark is gone, and gc sweeps only what bears it.
//! - *After the sweep.* The line is gone: a plan finds nothing and generates. A plan that was made before asks to claim it
//!   and is told that it is being deleted, or finds nothing known and, looking, nothing there: that asset fails, nothing
//!   is committed. Whoever announces a file at that very path is refused while the deletion is under way, waits, and puts
//!   it once that is forgotten: a late deletion cannot take a new file.
//! - *gc dies before the sweep.* Its marks are those of a dead run: the next gc lifts them, and users never mind them.
//! - *gc dies after the sweep.* The deletion is that of a dead run. The next gc carries it out; a user that wants the path
//!   takes it over in its own transaction, and then looks whether the file is still there, or puts it.
//! - *gc stands still after the sweep.* On this host its process is seen to be alive, and users wait. Elsewhere it is dead
//!   once it was silent for [`RUN_SILENT_SECONDS`](crate::state::RUN_SILENT_SECONDS); directly before it deletes it looks
//!   at a monotonic clock whether its leases can have been taken, and leaves the rest to the next one.
//!
//! Files go before their last line does, so a kill leaves no file that nobody knows. Nothing is deleted from the store that
//! was used before: [`Moving`](crate::storage::Moving) never does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::asset::ObjectPath;
use crate::process::Process;
use crate::state::{Loose, Run, StateError, Unreferenced};
use crate::storage::Remnant;
use crate::world::{Listing, World};

use super::garbage::{NamedByRows, Policy, Verdict, judge};
use super::mention::Mentions;
use super::{ApplyError, Leases, crash_point};

/// Files that are deleted at once.
const BATCH: usize = 1_000;
/// How often it is asked whether other runs have ended.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// What no record refers to, and what becomes of it.
#[derive(Debug, Default)]
pub struct Garbage {
    /// When it was looked at: milliseconds since 1970 by the state's clock.
    pub now: i64,
    /// Each file with its verdict, by path.
    pub files: Vec<(Loose, Verdict)>,
    /// What really lies in the storage.
    pub there: Listing,
    /// What killed runs left in the storage. No state knows of it and nothing can refer to it, so it needs none of the steps.
    pub remnants: Vec<Remnant>,
}

/// Looks at what no record refers to, at what rows name, and at what lies in the storage. Writes nothing.
///
/// # Errors
/// What state and storage say.
pub async fn look(world: &World, policy: Policy) -> Result<Garbage, ApplyError> {
    let unreferenced = world.state.unreferenced(&Process::liveness).await?;
    let mut remnants = world.storage.remnants().await?;
    remnants.sort();
    if unreferenced.files.is_empty() {
        return Ok(Garbage { remnants, ..Garbage::default() });
    }
    let (named, there) = futures::join!(named(world, &unreferenced), world.files());
    let judged = judge(&unreferenced, policy, &named?);
    let files = judged.into_iter().map(|(file, verdict)| (file.clone(), verdict)).collect();
    Ok(Garbage { now: unreferenced.now, files, there: there?, remnants })
}

/// Returns which of these files rows of any table name that was ever published to.
async fn named(world: &World, unreferenced: &Unreferenced) -> Result<NamedByRows, StateError> {
    let mut mentions = Mentions::of(unreferenced);
    for table in world.state.published_tables().await? {
        world.state.texts(&table, &mut |text: &str| mentions.take(text)).await?;
    }
    Ok(mentions.named())
}

/// Deletes what may go; returns the paths that are gone. `tell` hears what is waited for.
///
/// # Errors
/// [`ApplyError::AtWork`] or [`ApplyError::Held`] where others were at work for longer than is waited; then nothing was
/// deleted. Else what state and storage say; the next run goes on from there.
pub async fn collect(
    world: &World,
    run: &Run,
    (garbage, policy): (&Garbage, Policy),
    patience: Duration,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<BTreeSet<ObjectPath>, ApplyError> {
    let mut deleted = unreferenced(world, run, (garbage, policy), patience, tell).await?;
    let remnants: Vec<ObjectPath> = garbage.remnants.iter().map(|remnant| remnant.path.clone()).collect();
    world.storage.delete(&remnants).await?;
    deleted.extend(remnants);
    Ok(deleted)
}

/// Deletes what no record refers to, as far as it may go.
async fn unreferenced(
    world: &World,
    run: &Run,
    (garbage, policy): (&Garbage, Policy),
    patience: Duration,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<BTreeSet<ObjectPath>, ApplyError> {
    world.state.unmark(&run.id, &Process::liveness).await?;
    let going = garbage.files.iter().filter(|(_, verdict)| *verdict == Verdict::Goes).map(|(file, _)| file.clone());
    let going: Vec<Loose> = going.collect();
    if going.is_empty() {
        return Ok(BTreeSet::new());
    }
    world.state.mark(&run.id, &going).await?;
    crash_point("gc-marked");
    let deleted = delete_marked(world, run, (going, policy), patience, tell).await;
    // What bears the mark still is as it was before. A mark that stays is lifted by the next run.
    let lifted = world.state.unmark(&run.id, &Process::liveness).await;
    let deleted = deleted?;
    lifted?;
    Ok(deleted)
}

async fn delete_marked(
    world: &World,
    run: &Run,
    (going, policy): (Vec<Loose>, Policy),
    patience: Duration,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<BTreeSet<ObjectPath>, ApplyError> {
    let begun = Instant::now();
    wait_for_others(world, patience, tell).await?;
    crash_point("gc-waited");
    let collections = world.state.leased().await?;
    let left = patience.saturating_sub(begun.elapsed());
    let leases = Leases::take(&*world.state, &collections, run, left.as_secs()).await?;
    crash_point("gc-leased");
    let held = HeldBack { leases, lost: Mutex::default() };
    let deleted = tokio::select! {
        deleted = delete(world, run, (going, policy), &held) => deleted,
        () = held.keep(world) => Err(ApplyError::Worker),
    };
    held.leases.release(&*world.state).await;
    deleted
}

/// The leases of a run that deletes.
struct HeldBack {
    leases: Leases,
    /// How one of them was lost.
    lost: Mutex<Option<StateError>>,
}

impl HeldBack {
    /// Renews them, and never ends: a request that is under way is not given up in the middle, for whoever comes next
    /// must not meet it later.
    async fn keep(&self, world: &World) {
        if !self.leases.is_empty() {
            let error = self.leases.keep(&*world.state).await;
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        std::future::pending().await
    }

    /// Makes sure that nobody else can have taken one.
    fn check(&self) -> Result<(), ApplyError> {
        if let Some(error) = self.lost.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error.into());
        }
        match self.leases.is_empty() || self.leases.are_fresh() {
            true => Ok(()),
            false => Err(ApplyError::Overslept),
        }
    }
}

/// Waits until every run has ended that is alive now.
async fn wait_for_others(world: &World, patience: Duration, tell: &(dyn Fn(&str) + Sync)) -> Result<(), ApplyError> {
    let begun = Instant::now();
    let mut waited: Option<BTreeSet<String>> = None;
    loop {
        let working = world.state.working(&Process::liveness).await?;
        let first = waited.is_none();
        let ids = waited.get_or_insert_with(|| working.iter().map(|run| run.id.clone()).collect());
        let Some(other) = working.into_iter().find(|run| ids.contains(&run.id)) else { return Ok(()) };
        if begun.elapsed() >= patience {
            return Err(ApplyError::AtWork(Box::new(other)));
        }
        if first {
            let Process { host, pid, .. } = &other.process;
            tell(&format!(
                "waiting for `{}` (process {pid} on host {host}), which may need some of these",
                other.command
            ));
        }
        sleep(ASKED_EVERY).await;
    }
}

async fn delete(
    world: &World,
    run: &Run,
    (going, policy): (Vec<Loose>, Policy),
    held: &HeldBack,
) -> Result<BTreeSet<ObjectPath>, ApplyError> {
    let unreferenced = world.state.unreferenced(&Process::liveness).await?;
    let named = named(world, &unreferenced).await?;
    let verdicts: BTreeMap<&ObjectPath, Verdict> =
        judge(&unreferenced, policy, &named).into_iter().map(|(file, verdict)| (&file.path, verdict)).collect();
    let still: Vec<Loose> = going.into_iter().filter(|file| verdicts.get(&file.path) == Some(&Verdict::Goes)).collect();
    crash_point("gc-looked");
    let mut deleted = BTreeSet::new();
    for batch in still.chunks(BATCH) {
        held.check()?;
        let swept = world.state.sweep(&run.id, batch).await?;
        crash_point("gc-swept");
        held.check()?;
        world.storage.delete(&swept).await?;
        crash_point("gc-deleted");
        // A file that a power cut brings back must be known.
        world.storage.sync().await?;
        world.state.forget_deleted(&run.id, &swept).await?;
        crash_point("gc-forgotten");
        tracing::info!(files = swept.len(), "deleted");
        deleted.extend(swept);
    }
    Ok(deleted)
}
