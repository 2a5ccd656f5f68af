//! Steps: the changes of a run, in the order that leaves nothing dangling.
//!
//! Renames come first and together. Then what costs nothing goes in batches, each batch through all its steps before the
//! next; then what is bought, each asset on its own way; then what shares a picture with those, and deletions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::asset::{AssetKey, MicroUsd};
use crate::plan::{Action, Change, Doubt};
use crate::record::Decision;
use crate::state::{Commit, Records, Right, StateError};
use crate::world::{World, WorldError};

use super::accept::acceptance;
use super::barred::Barred;
use super::commit::commit;
use super::files::entry;
use super::item::{Item, item, next_batch};
use super::lease::Leases;
use super::pacing::Pacings;
use super::stop::{Go, Why};
use super::{ApplyError, Ended, Event, Listener, Options, Outcome, Unbegun, Work, crash_point};

/// Carries out the work of a run, collection by collection.
pub struct Runner<'r> {
    /// The environment.
    pub world: &'r Arc<World>,
    /// How it is done.
    pub options: &'r Options<'r>,
    /// The run's leases.
    pub leases: &'r Leases,
    /// How fast paid services may be asked.
    pub pacings: &'r Pacings,
    /// Room for bought pictures that are decoded and not live yet.
    pub finishing: &'r Semaphore,
    /// What the store does not take, as far as that was learned.
    pub barred: &'r Barred,
    /// Who listens.
    pub listen: Listener<'r>,
    /// What came of it so far.
    pub outcome: Outcome,
    /// How many assets there are to do.
    pub total: u64,
    /// How many are done or failed.
    pub done: u64,
}

/// One collection's part of a run.
pub struct Part<'p> {
    /// Its plan with its assets.
    pub work: &'p Work<'p>,
    /// By what right the run works on it.
    pub right: Right<'p>,
    /// The records that its plan touches.
    pub records: &'p Records,
    /// Its changes.
    pub order: Schedule<'p>,
}

/// The changes of a collection, by when they are carried out.
#[derive(Default)]
pub struct Schedule<'c> {
    renamed: Vec<&'c Change>,
    /// Renames that take a picture which is bought for another asset.
    renamed_late: Vec<&'c Change>,
    /// Renames that wait, because another one of the collection cannot be carried out.
    held_back: Vec<&'c Change>,
    free: Vec<&'c Change>,
    /// Those that need a picture.
    pub pictured: Vec<&'c Change>,
    last: Vec<&'c Change>,
}

impl Runner<'_> {
    /// Sorts a collection's changes.
    pub fn part<'p>(&mut self, work: &'p Work<'p>, right: Right<'p>, records: &'p Records) -> Part<'p> {
        let order = self.order(work);
        Part { work, right, records, order }
    }

    /// Carries out the plans of all collections.
    pub async fn carry_out(&mut self, parts: &[Part<'_>]) {
        for &Part { work, right, records, ref order } in parts {
            if let Err(error) = self.decisions(work, right).await {
                self.outcome.ended = Some(Ended::Broken(error));
                return;
            }
            for change in &order.held_back {
                self.fail(work, &change.key, ApplyError::RenameHeldBack { key: change.key.clone() });
            }
            if !order.renamed.is_empty() && !self.is_over() {
                self.renames(work, right, records, &order.renamed).await;
            }
            self.batches(work, right, records, &order.free).await;
        }
        let buys = parts.iter().any(|part| !part.order.pictured.is_empty());
        if buys && !self.is_over() {
            self.flow(parts).await;
        }
        for &Part { work, right, records, ref order } in parts {
            if !order.renamed_late.is_empty() && !self.is_over() {
                self.renames(work, right, records, &order.renamed_late).await;
            }
            self.batches(work, right, records, &order.last).await;
        }
    }

    /// Writes down what was decided about earlier calls, before anything is done because of it.
    async fn decisions(&self, work: &Work<'_>, right: Right<'_>) -> Result<(), ApplyError> {
        // What is not bought is not decided about either, whichever asset would have bought it.
        let recipe = |change: &Change| change.after.map(|after| after.recipe);
        let too_dear = work.plan.changes.iter().filter(|change| self.is_too_dear(change));
        let too_dear: BTreeSet<_> = too_dear.filter_map(recipe).collect();
        let decided = work.plan.changes.iter();
        let decided = decided.filter(|change| recipe(change).is_none_or(|recipe| !too_dear.contains(&recipe)));
        let decisions: BTreeMap<String, Decision> =
            decided.flat_map(|change| change.decisions.iter().cloned()).collect();
        if !decisions.is_empty() {
            self.world.state.decide(right, &decisions.into_iter().collect::<Vec<_>>()).await?;
            crash_point("paid-decided");
        }
        Ok(())
    }

    /// Sorts the changes; those that wait for a decision, or for money, are only told of.
    fn order<'c>(&mut self, work: &'c Work<'_>) -> Schedule<'c> {
        let mut order = Schedule::default();
        let previews = self.leases.previews();
        let renames = || work.plan.changes.iter().filter(|change| change.moved_from.is_some() && !previews);
        // Renames may swap keys, so they go together or not at all.
        let held_back = renames().any(|change| change.action == Action::Unknown || self.is_too_dear(change));
        let late = renames().any(|change| change.action == Action::Reuse && change.original.is_none());
        for change in &work.plan.changes {
            let pictured = change.action == Action::Generate;
            match change.action {
                Action::Unknown => {
                    let forgotten = change.decisions.iter().any(|(_, decision)| *decision == Decision::Forgotten);
                    let (name, key) = (work.plan.name.clone(), change.key.clone());
                    // Only an unknown outcome can be written off; whatever else is in doubt stays so.
                    match change.doubt().filter(|doubt| !forgotten || *doubt != Doubt::Unknown) {
                        Some(doubt) => self.outcome.undecided.push((name, key, doubt)),
                        None => self.outcome.forgotten.push((name, key)),
                    }
                }
                _ if self.is_too_dear(change) => {
                    self.outcome.not_bought.push((work.plan.name.clone(), change.key.clone(), change.price));
                }
                action if previews && !can_be_previewed(action) => self.outcome.left += 1,
                _ if previews && pictured => order.pictured.push(change),
                _ if change.moved_from.is_some() && !previews && held_back => order.held_back.push(change),
                _ if change.moved_from.is_some() && !previews && late => order.renamed_late.push(change),
                _ if change.moved_from.is_some() && !previews => order.renamed.push(change),
                _ if pictured => order.pictured.push(change),
                Action::Delete => order.last.push(change),
                Action::Reuse if change.original.is_none() => order.last.push(change),
                _ => order.free.push(change),
            }
        }
        order
    }

    /// A cap of nothing buys nothing: what is free is done all the same.
    fn is_too_dear(&self, change: &Change) -> bool {
        change.price > MicroUsd(0) && self.options.caps.run == Some(MicroUsd(0))
    }

    async fn batches(&mut self, work: &Work<'_>, right: Right<'_>, records: &Records, changes: &[&Change]) {
        let mut rest = changes;
        while !rest.is_empty() && !self.is_over() {
            let items = next_batch(work, records, rest);
            rest = &rest[items.len()..];
            tracing::info!(collection = %work.plan.name, assets = items.len(), left = rest.len(), "batch begins");
            if let Err(error) = self.batch(work, right, items).await {
                self.outcome.ended = Some(Ended::Broken(error));
            }
        }
    }

    fn is_over(&mut self) -> bool {
        if self.outcome.ended.is_none() && self.options.stop.go() > Go::On {
            self.outcome.ended = Some(Ended::Stopped(self.options.stop.why().unwrap_or(Why::Signal)));
        }
        self.outcome.ended.is_some()
    }

    /// Renames share one commit, so that keys can be swapped: where one fails, all of them wait.
    async fn renames(&mut self, work: &Work<'_>, right: Right<'_>, records: &Records, changes: &[&Change]) {
        let mut commit = Commit::default();
        let mut finished = Vec::new();
        let mut failed = false;
        for batch in changes.chunks(64) {
            let items: Vec<Item<'_>> = batch.iter().map(|change| item(work, records, change)).collect();
            match self.bring_to_commit(work, right, &items, &mut commit).await {
                Ok((done, all)) => {
                    finished.extend(done);
                    failed |= !all;
                }
                Err(error) => {
                    self.outcome.ended = Some(Ended::Broken(error));
                    return;
                }
            }
        }
        if failed {
            for change in finished {
                self.fail(work, &change.key, ApplyError::RenameHeldBack { key: change.key.clone() });
            }
            return;
        }
        match self.commit(work, right, commit).await {
            Ok(refused) => self.tell(work, finished, refused),
            Err(ApplyError::State(error @ StateError::Row { .. })) => {
                let error = Arc::new(WorldError::from(error));
                for change in finished {
                    self.fail(work, &change.key, ApplyError::Journal(Arc::clone(&error)));
                }
            }
            Err(error) => self.outcome.ended = Some(Ended::Broken(error)),
        }
    }

    async fn batch(&mut self, work: &Work<'_>, right: Right<'_>, items: Vec<Item<'_>>) -> Result<(), ApplyError> {
        let mut commit = Commit::default();
        let (finished, _) = self.bring_to_commit(work, right, &items, &mut commit).await?;
        let refused = self.commit(work, right, commit).await?;
        self.tell(work, finished, refused);
        Ok(())
    }

    /// Tells what a commit came to, of each asset.
    fn tell(&mut self, work: &Work<'_>, committed: Vec<&Change>, refused: Vec<(AssetKey, StateError)>) {
        let mut refused: BTreeMap<AssetKey, StateError> = refused.into_iter().collect();
        for change in committed {
            match refused.remove(&change.key) {
                None => self.complete(work, change),
                Some(error) => self.fail(work, &change.key, error.into()),
            }
        }
    }

    /// Brings items as far as a commit; returns those that got there, and whether all did.
    async fn bring_to_commit<'c>(
        &mut self,
        work: &Work<'_>,
        right: Right<'_>,
        items: &[Item<'c>],
        commit: &mut Commit,
    ) -> Result<(Vec<&'c Change>, bool), ApplyError> {
        for item in items {
            started(self.listen, work, item.change);
        }
        let filed = self.files(work, right, items).await?;
        let mut finished = Vec::with_capacity(items.len());
        let mut all = true;
        for (item, filed) in items.iter().zip(filed) {
            if item.change.action == Action::Delete {
                commit.delete.push(item.change.key.clone());
                finished.push(item.change);
                continue;
            }
            match filed.and_then(|(original, published)| entry(self.world, item, &original, published)) {
                Ok(put) => {
                    commit.accepted.extend(acceptance(right, item, &put));
                    commit.put.push(put);
                    finished.push(item.change);
                }
                Err(error) => {
                    all = false;
                    self.fail(work, &item.change.key, error);
                }
            }
        }
        Ok((finished, all))
    }

    /// Files first, then the row: what is committed refers only to what is durable.
    async fn commit(
        &self,
        work: &Work<'_>,
        right: Right<'_>,
        whole: Commit,
    ) -> Result<Vec<(AssetKey, StateError)>, ApplyError> {
        self.world.storage.sync().await?;
        crash_point("synced");
        let refused = commit(&*self.world.state, right, work.table, whole).await?;
        crash_point("committed");
        Ok(refused)
    }

    /// Counts and tells of an asset that is live.
    pub(super) fn complete(&mut self, work: &Work<'_>, change: &Change) {
        self.done += 1;
        *self.outcome.done.entry(change.action).or_insert(0) += 1;
        let progress = (self.done, self.total);
        let Change { key, action, .. } = change;
        (self.listen)(Event::Completed { collection: &work.plan.name, key, action: *action, progress });
    }

    /// Counts and tells of an asset that failed; one that was not begun has not.
    pub(super) fn fail(&mut self, work: &Work<'_>, key: &AssetKey, error: ApplyError) {
        if let ApplyError::NotBegun { why, .. } = error {
            // Something is left: the run did not come to its end.
            self.outcome.not_begun += 1;
            match why {
                Unbegun::Stopped => drop(self.is_over()),
                why => self.outcome.unbegun.push((work.plan.name.clone(), key.clone(), why)),
            }
            return;
        }
        self.done += 1;
        (self.listen)(Event::Failed { collection: &work.plan.name, key, error: &error });
        if error.ends_the_run() {
            // Nothing more is bought that could not be kept.
            self.options.stop.ask(Why::Broken);
        }
        // What broke it says more than that it stopped.
        let unexplained = matches!(self.outcome.ended, None | Some(Ended::Stopped(Why::Broken)));
        if error.ends_the_run() && unexplained {
            self.outcome.ended = Some(Ended::Broken(error));
            return;
        }
        self.outcome.failed.push((work.plan.name.clone(), key.clone(), error));
    }
}

/// Tells whether a preview has something to do: what makes new files. What is lost or edited is put right by apply only.
fn can_be_previewed(action: Action) -> bool {
    match action {
        Action::Generate | Action::Reuse | Action::Render | Action::Move => true,
        Action::Unknown
        | Action::Adopt
        | Action::Repair
        | Action::Publish
        | Action::Record
        | Action::Delete
        | Action::Keep => false,
    }
}

/// Tells that work on an asset begins.
pub(super) fn started(listen: Listener<'_>, work: &Work<'_>, change: &Change) {
    let Change { key, action, .. } = change;
    listen(Event::Started { collection: &work.plan.name, key, action: *action });
}
