//! Steps: the changes of a run, in the order that leaves nothing dangling.
//!
//! Renames come first and together. Then what costs nothing goes in batches, each batch through all its steps before the
//! next; then what is bought, each asset on its own way; then what shares a picture with those, and deletions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use crate::asset::{AssetKey, GeneratorName, MicroUsd};
use crate::generator::Cost;
use crate::plan::{Action, Change, Doubt};
use crate::record::Decision;
use crate::state::{Commit, Lease};
use crate::world::World;

use super::files::{Filed, Pictured, Prepared, entry, file};
use super::item::{Item, item, next_batch};
use super::lease::Leases;
use super::original::{Wanted, make};
use super::pacing::Pacings;
use super::publish::{fresh, known, put};
use super::reuse::take_over;
use super::stop::{Go, Why};
use super::{ApplyError, Ended, Event, Listener, Options, Outcome, Records, Work, crash_point};

/// Pictures that are worked on at once.
const AT_ONCE: usize = 8;
/// Files that are put at once; a store behind a network bounds its requests besides.
const PUT_AT_ONCE: usize = 16;

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
    /// Its lease.
    pub lease: &'p Lease,
    /// The records that its plan touches.
    pub records: &'p Records,
    /// Its changes.
    pub order: Order<'p>,
}

/// The changes of a collection, by when they are carried out.
#[derive(Default)]
pub struct Order<'c> {
    renamed: Vec<&'c Change>,
    /// Renames that take a picture which is bought for another asset.
    renamed_late: Vec<&'c Change>,
    /// Renames that wait, because another one of the collection cannot be carried out.
    held_back: Vec<&'c Change>,
    free: Vec<&'c Change>,
    /// Those that need a picture of a paid service.
    pub paid: Vec<&'c Change>,
    last: Vec<&'c Change>,
}

impl Runner<'_> {
    /// Sorts a collection's changes.
    pub fn part<'p>(&mut self, work: &'p Work<'p>, lease: &'p Lease, records: &'p Records) -> Part<'p> {
        let order = self.order(work);
        Part { work, lease, records, order }
    }

    /// Carries out the plans of all collections.
    pub async fn carry_out(&mut self, parts: &[Part<'_>]) {
        for Part { work, lease, records, order } in parts {
            if let Err(error) = self.decisions(work, lease).await {
                self.outcome.ended = Some(Ended::Broken(error));
                return;
            }
            for change in &order.held_back {
                self.fail(work, &change.key, ApplyError::RenameHeldBack { key: change.key.clone() });
            }
            if !order.renamed.is_empty() && !self.is_over() {
                self.renames(work, lease, records, &order.renamed).await;
            }
            self.batches(work, lease, records, &order.free).await;
        }
        let buys = parts.iter().any(|part| !part.order.paid.is_empty());
        if buys && !self.is_over() {
            self.flow(parts).await;
        }
        for Part { work, lease, records, order } in parts {
            if !order.renamed_late.is_empty() && !self.is_over() {
                self.renames(work, lease, records, &order.renamed_late).await;
            }
            self.batches(work, lease, records, &order.last).await;
        }
    }

    /// Writes down what was decided about earlier calls, before anything is done because of it.
    async fn decisions(&self, work: &Work<'_>, lease: &Lease) -> Result<(), ApplyError> {
        // What is not bought is not decided about either, whichever asset would have bought it.
        let recipe = |change: &Change| change.after.map(|after| after.recipe);
        let too_dear = work.plan.changes.iter().filter(|change| self.is_too_dear(change));
        let too_dear: BTreeSet<_> = too_dear.filter_map(recipe).collect();
        let decided = work.plan.changes.iter();
        let decided = decided.filter(|change| recipe(change).is_none_or(|recipe| !too_dear.contains(&recipe)));
        let decisions: BTreeMap<String, Decision> =
            decided.flat_map(|change| change.decisions.iter().cloned()).collect();
        if !decisions.is_empty() {
            self.world.state.decide(lease, &decisions.into_iter().collect::<Vec<_>>()).await?;
            crash_point("paid-decided");
        }
        Ok(())
    }

    /// Sorts the changes; those that wait for a decision, or for money, are only told of.
    fn order<'c>(&mut self, work: &'c Work<'_>) -> Order<'c> {
        let mut order = Order::default();
        let renames = || work.plan.changes.iter().filter(|change| change.moved_from.is_some());
        // Renames may swap keys, so they go together or not at all.
        let held_back = renames().any(|change| change.action == Action::Unknown || self.is_too_dear(change));
        let late = renames().any(|change| change.action == Action::Reuse && change.original.is_none());
        for change in &work.plan.changes {
            let paid = change.action == Action::Generate && self.is_paid(change);
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
                _ if change.moved_from.is_some() && held_back => order.held_back.push(change),
                _ if change.moved_from.is_some() && late => order.renamed_late.push(change),
                _ if change.moved_from.is_some() => order.renamed.push(change),
                _ if paid => order.paid.push(change),
                Action::Delete => order.last.push(change),
                Action::Reuse if change.original.is_none() => order.last.push(change),
                _ => order.free.push(change),
            }
        }
        order
    }

    /// A cap of nothing buys nothing: what is free is done all the same.
    fn is_too_dear(&self, change: &Change) -> bool {
        change.price > MicroUsd(0) && self.options.cap == Some(MicroUsd(0))
    }

    fn is_paid(&self, change: &Change) -> bool {
        let service = |name: &GeneratorName| self.world.service(name);
        change.generator.as_ref().and_then(service).is_some_and(|service| service.cost == Cost::Paid)
    }

    async fn batches(&mut self, work: &Work<'_>, lease: &Lease, records: &Records, changes: &[&Change]) {
        let mut rest = changes;
        while !rest.is_empty() && !self.is_over() {
            let items = next_batch(work, records, rest);
            rest = &rest[items.len()..];
            tracing::info!(collection = %work.plan.name, assets = items.len(), left = rest.len(), "batch begins");
            if let Err(error) = self.batch(work, lease, items).await {
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
    async fn renames(&mut self, work: &Work<'_>, lease: &Lease, records: &Records, changes: &[&Change]) {
        let mut commit = Commit::default();
        let mut finished = Vec::new();
        let mut failed = false;
        for batch in changes.chunks(64) {
            let items: Vec<Item<'_>> = batch.iter().map(|change| item(work, records, change)).collect();
            match self.bring_to_commit(work, lease, &items, &mut commit).await {
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
        match self.commit(work, lease, commit).await {
            Ok(()) => finished.into_iter().for_each(|change| self.complete(work, change)),
            Err(error) => self.outcome.ended = Some(Ended::Broken(error)),
        }
    }

    async fn batch(&mut self, work: &Work<'_>, lease: &Lease, items: Vec<Item<'_>>) -> Result<(), ApplyError> {
        let mut commit = Commit::default();
        let (finished, _) = self.bring_to_commit(work, lease, &items, &mut commit).await?;
        self.commit(work, lease, commit).await?;
        for change in finished {
            self.complete(work, change);
        }
        Ok(())
    }

    /// Brings items as far as a commit; returns those that got there, and whether all did.
    async fn bring_to_commit<'c>(
        &mut self,
        work: &Work<'_>,
        lease: &Lease,
        items: &[Item<'c>],
        commit: &mut Commit,
    ) -> Result<(Vec<&'c Change>, bool), ApplyError> {
        for item in items {
            started(self.listen, work, item.change);
        }
        let filed = self.files(work, lease, items).await?;
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
    async fn commit(&self, work: &Work<'_>, lease: &Lease, commit: Commit) -> Result<(), ApplyError> {
        self.world.storage.sync().await?;
        crash_point("synced");
        self.world.state.commit(lease, work.table, &commit).await?;
        crash_point("committed");
        Ok(())
    }

    /// Makes sure that original and published files of each item are there.
    async fn files(&mut self, work: &Work<'_>, lease: &Lease, items: &[Item<'_>]) -> Result<Vec<Filed>, ApplyError> {
        let mut originals = self.make(work, lease, items).await?;
        take_over(self.world, items, &mut originals).await?;
        let mut wanted = Vec::new();
        for (item, original) in items.iter().zip(&originals) {
            if let (Some(asset), Some(Ok((original, _)))) = (&item.asset, original) {
                wanted.extend(asset.renditions.iter().map(|rendition| (original.sha256, rendition.digest)));
            }
        }
        let known = known(self.world.state.objects(&wanted).await?);
        let world: &World = self.world;
        let prepared: Vec<Result<Prepared<'_>, ApplyError>> = stream::iter(items.iter().zip(originals))
            .map(|(item, original)| file(world, item, original, &known))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let unheard = prepared.iter().flatten().flat_map(|prepared| match prepared {
            Prepared::There(..) => Vec::new(),
            Prepared::ToPut(target, forms) => fresh(target, forms, &known),
        });
        world.state.announce(&unheard.collect::<Vec<_>>()).await?;
        crash_point("announced");
        let known = &known;
        let filed: Vec<Filed> = stream::iter(prepared)
            .map(|prepared| async move {
                match prepared? {
                    Prepared::There(original, published) => Ok((original, published)),
                    Prepared::ToPut(target, forms) => {
                        let published = put(world, &target, forms, known).await?;
                        Ok((target.original, published))
                    }
                }
            })
            .buffered(PUT_AT_ONCE)
            .collect()
            .await;
        // What every further asset would meet too ends the run; what was made is stored and found by the next run.
        let mut kept = Vec::with_capacity(filed.len());
        for filed in filed {
            match filed {
                Err(error) if error.ends_the_run() => return Err(error),
                filed => kept.push(filed),
            }
        }
        Ok(kept)
    }

    /// Makes the pictures that have to be made.
    async fn make(
        &mut self,
        work: &Work<'_>,
        lease: &Lease,
        items: &[Item<'_>],
    ) -> Result<Vec<Option<Pictured>>, ApplyError> {
        let mut originals: Vec<Option<Pictured>> = items.iter().map(|_| None).collect();
        let mut wanted = Vec::new();
        let mut slots = Vec::new();
        let mut paid = Vec::new();
        for (slot, item) in items.iter().enumerate() {
            if let (Action::Generate, Some(asset)) = (item.change.action, &item.asset) {
                if self.is_paid(item.change) {
                    paid.push((slot, item));
                    continue;
                }
                wanted.push(Wanted { asset, recipe: asset.recipe.digest() });
                slots.push(slot);
            }
        }
        let made = make(self.world, lease, &self.options.run.id, &wanted, AT_ONCE).await?;
        for (slot, made) in slots.into_iter().zip(made) {
            originals[slot] = Some(made.map(|made| (made.original, Some(made.decoded))));
        }
        for (slot, picture) in self.bought(work, lease, &paid).await {
            originals[slot] = Some(picture);
        }
        Ok(originals)
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
        if matches!(error, ApplyError::NotBegun { .. }) {
            // Something is left: the run did not come to its end.
            self.outcome.not_begun += 1;
            self.is_over();
            return;
        }
        self.done += 1;
        (self.listen)(Event::Failed { collection: &work.plan.name, key, error: &error });
        if error.ends_the_run() {
            // Nothing more is bought that could not be kept.
            self.options.stop.ask(Why::Broken);
        }
        if error.ends_the_run() && self.outcome.ended.is_none() {
            self.outcome.ended = Some(Ended::Broken(error));
            return;
        }
        self.outcome.failed.push((work.plan.name.clone(), key.clone(), error));
    }
}

/// Tells that work on an asset begins.
pub(super) fn started(listen: Listener<'_>, work: &Work<'_>, change: &Change) {
    let Change { key, action, .. } = change;
    listen(Event::Started { collection: &work.plan.name, key, action: *action });
}
