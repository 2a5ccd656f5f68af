//! Steps: the changes of a collection in batches, each batch through all its steps before the next begins.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, stream};

use crate::asset::{AssetKey, MicroUsd, SeedBase};
use crate::imaging::Decoded;
use crate::plan::{Action, Change, row_inputs};
use crate::record::{Original, Published, Record, RecordedRow, outputs};
use crate::state::{Commit, Lease, Put};
use crate::storage::StorageError;
use crate::world::World;

use super::item::{Item, item, next_batch};
use super::original::{Wanted, make};
use super::publish::{Form, Known, Target, fresh, prepare, put};
use super::{ApplyError, Ended, Event, Listener, Options, Outcome, Records, Work, crash_point, stopped};

/// Files in flight at once, and pictures beside them.
const AT_ONCE: usize = 8;

/// Carries out the work of a run, collection by collection.
pub struct Runner<'r> {
    /// The environment.
    pub world: &'r World,
    /// How it is done.
    pub options: &'r Options<'r>,
    /// Who listens.
    pub listen: Listener<'r>,
    /// What came of it so far.
    pub outcome: Outcome,
    /// How many assets there are to do.
    pub total: u64,
    /// How many are done or failed.
    pub done: u64,
}

/// What one asset's files came to.
type Filed = Result<(Original, Vec<Published>), ApplyError>;

impl Runner<'_> {
    /// Carries out one collection's plan; renames first and together, deletions last.
    pub async fn collection(&mut self, work: &Work<'_>, lease: &Lease, records: &Records) {
        let (renamed, others): (Vec<&Change>, Vec<&Change>) =
            work.plan.changes.iter().partition(|change| change.moved_from.is_some());
        if !renamed.is_empty() && !self.is_over() {
            self.renames(work, lease, records, &renamed).await;
        }
        let mut rest = others.as_slice();
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
        if self.outcome.ended.is_none() && stopped(self.options) {
            self.outcome.ended = Some(Ended::Interrupted);
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
            self.start(work, &items);
            let filed = match self.files(lease, &items).await {
                Ok(filed) => filed,
                Err(error) => {
                    self.outcome.ended = Some(Ended::Broken(error));
                    return;
                }
            };
            for (item, filed) in items.into_iter().zip(filed) {
                match filed.and_then(|filed| self.put(&item, filed)) {
                    Ok(put) => {
                        commit.put.push(put);
                        finished.push(item.change);
                    }
                    Err(error) => {
                        failed = true;
                        self.fail(work, &item.change.key, error);
                    }
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
        self.start(work, &items);
        let filed = self.files(lease, &items).await?;
        let mut commit = Commit::default();
        let mut finished = Vec::new();
        for (item, filed) in items.iter().zip(filed) {
            if item.change.action == Action::Delete {
                commit.delete.push(item.change.key.clone());
                finished.push(item.change);
                continue;
            }
            match filed.and_then(|filed| self.put(item, filed)) {
                Ok(put) => {
                    commit.put.push(put);
                    finished.push(item.change);
                }
                Err(error) => self.fail(work, &item.change.key, error),
            }
        }
        self.commit(work, lease, commit).await?;
        for change in finished {
            self.complete(work, change);
        }
        Ok(())
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
    async fn files(&mut self, lease: &Lease, items: &[Item<'_>]) -> Result<Vec<Filed>, ApplyError> {
        let mut originals = self.make(lease, items).await?;
        self.take_over(items, &mut originals).await?;
        let mut wanted = Vec::new();
        for (item, original) in items.iter().zip(&originals) {
            if let (Some(asset), Some(Ok((original, _)))) = (&item.asset, original) {
                wanted.extend(asset.renditions.iter().map(|rendition| (original.sha256, rendition.digest)));
            }
        }
        let known = self.world.state.objects(&wanted).await?;
        let known: Known = known.into_iter().map(|(content, file)| ((content, file.rendition.digest), file)).collect();
        let world = self.world;
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
            .buffered(AT_ONCE)
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
    async fn make(&mut self, lease: &Lease, items: &[Item<'_>]) -> Result<Vec<Option<Pictured>>, ApplyError> {
        let mut originals: Vec<Option<Pictured>> = items.iter().map(|_| None).collect();
        let mut wanted = Vec::new();
        let mut slots = Vec::new();
        for (slot, item) in items.iter().enumerate() {
            if let (Action::Generate, Some(asset)) = (item.change.action, &item.asset) {
                wanted.push(Wanted { asset, recipe: asset.recipe.digest(), price: item.change.price });
                slots.push(slot);
            }
        }
        let made = make(self.world, lease, &self.options.run.id, &wanted, AT_ONCE).await?;
        for ((slot, wanted), made) in slots.into_iter().zip(&wanted).zip(made) {
            if made.is_ok() && wanted.price > MicroUsd(0) {
                let key = &wanted.asset.key;
                (self.listen)(Event::Charged { collection: &lease.collection, key, price: wanted.price });
                self.outcome.cost.0 += wanted.price.0;
            }
            originals[slot] = Some(made.map(|made| (made.original, Some(made.decoded))));
        }
        Ok(originals)
    }

    /// Fills in the originals that are there: those the plan names, and those made for another asset of this plan.
    async fn take_over(&self, items: &[Item<'_>], originals: &mut [Option<Pictured>]) -> Result<(), ApplyError> {
        let found: Vec<Original> = items
            .iter()
            .filter(|item| item.change.action == Action::Reuse)
            .filter_map(|item| item.change.original.clone())
            .collect();
        if !found.is_empty() {
            self.world.state.found(&found).await?;
        }
        let mut open = Vec::new();
        for (item, original) in items.iter().zip(originals.iter_mut()) {
            if original.is_some() {
                continue;
            }
            match (&item.change.original, &item.asset) {
                (Some(known), _) => *original = Some(Ok((known.clone(), None))),
                (None, Some(asset)) => open.push(asset.recipe.digest()),
                (None, None) => {}
            }
        }
        let known = self.world.state.originals(&open).await?;
        let known: HashMap<_, _> = known.into_iter().map(|original| (original.recipe, original)).collect();
        for (item, original) in items.iter().zip(originals.iter_mut()) {
            if let (None, Some(asset)) = (&original, &item.asset) {
                *original = known.get(&asset.recipe.digest()).map(|known| Ok((known.clone(), None)));
            }
        }
        Ok(())
    }

    /// Puts record and row of an item together.
    fn put(&self, item: &Item<'_>, (original, published): (Original, Vec<Published>)) -> Result<Put, ApplyError> {
        let Item { change, asset: Some(asset), record, held } = item else {
            return Err(ApplyError::Stale { key: item.change.key.clone() });
        };
        let held_record = record.filter(|_| *held);
        let recipe = held_record.map_or(&asset.recipe, |record| &record.recipe);
        let row = asset.row.as_ref().map(|row| match held_record {
            Some(record) => row.clone().with_recipe(&record.recipe),
            None => row.clone(),
        });
        let writes_row = change.action != Action::Record;
        let values = match &row {
            Some(row) if writes_row => Some(
                row.values(outputs(&published, &self.world.url_base))
                    .map_err(|source| ApplyError::Row { key: asset.key.clone(), source })?,
            ),
            _ => None,
        };
        let first_key = match (record, &asset.seed_from.base) {
            (Some(record), _) => record.first_key.clone(),
            (None, SeedBase::Key(key)) => key.parse().unwrap_or_else(|_| asset.key.clone()),
            (None, SeedBase::Number(_) | SeedBase::Axes(_)) => asset.key.clone(),
        };
        let snapshot = change.after;
        let record = Record {
            key: asset.key.clone(),
            first_key,
            labels: asset.labels.clone(),
            recipe: recipe.clone(),
            base: held_record.map_or(&asset.seed_from.base, |record| &record.base).clone(),
            take: held_record.map_or(asset.seed_from.take, |record| record.take),
            vars: held_record.map_or(&asset.vars, |record| &record.vars).clone(),
            original: original.sha256,
            published,
            row: row.map(|row| RecordedRow {
                digest: row.digest(),
                seen: crate::digest::SeenDigest::from_bytes([0; 32]),
                id: None,
                inputs: row_inputs(&row),
            }),
            protect: snapshot.is_some_and(|after| after.protect),
            hold: snapshot.is_some_and(|after| after.hold),
        };
        Ok(Put { record, moved_from: change.moved_from.clone(), values })
    }

    fn start(&self, work: &Work<'_>, items: &[Item<'_>]) {
        for item in items {
            let Change { key, action, .. } = item.change;
            (self.listen)(Event::Started { collection: &work.plan.name, key, action: *action });
        }
    }

    fn complete(&mut self, work: &Work<'_>, change: &Change) {
        self.done += 1;
        *self.outcome.done.entry(change.action).or_insert(0) += 1;
        let progress = (self.done, self.total);
        let Change { key, action, .. } = change;
        (self.listen)(Event::Completed { collection: &work.plan.name, key, action: *action, progress });
    }

    fn fail(&mut self, work: &Work<'_>, key: &AssetKey, error: ApplyError) {
        self.done += 1;
        (self.listen)(Event::Failed { collection: &work.plan.name, key, error: &error });
        self.outcome.failed.push((work.plan.name.clone(), key.clone(), error));
    }
}

/// An original, decoded where it was just made.
type Pictured = Result<(Original, Option<Arc<Decoded>>), ApplyError>;

/// The files of one item, before they are put.
enum Prepared<'i> {
    /// Nothing is to be put.
    There(Original, Vec<Published>),
    /// Announced first, these are put.
    ToPut(Box<Target<'i>>, Vec<Form>),
}

/// Finds or makes the published files of one item.
async fn file<'i>(
    world: &World,
    item: &'i Item<'_>,
    original: Option<Pictured>,
    known: &Known,
) -> Result<Prepared<'i>, ApplyError> {
    let Some(asset) = &item.asset else { return Err(ApplyError::Stale { key: item.change.key.clone() }) };
    // Where neither picture nor files change, the record says what is there.
    let untouched = matches!(item.change.action, Action::Publish | Action::Record);
    let row_only = item.change.action == Action::Repair && !item.has_object_fault();
    if let Some(record) = item.record.filter(|_| untouched || row_only) {
        let known = Original {
            recipe: record.recipe.digest(),
            sha256: record.original,
            path: record.published.first().map(|file| file.path.clone()).ok_or_else(|| stale(item))?,
            bytes: 0,
            width: record.recipe.width,
            height: record.recipe.height,
            seed: record.recipe.seed,
        };
        return Ok(Prepared::There(known, record.published.clone()));
    }
    let (original, decoded) = match original {
        Some(Ok(pictured)) => pictured,
        Some(Err(error)) => return Err(error),
        None => {
            let path = format!("originals of {}", item.change.key);
            return Err(StorageError::Missing { path }.into());
        }
    };
    // A held asset keeps the renditions of its record.
    let asset = match item.record.filter(|_| item.held) {
        Some(record) => {
            let mut kept = asset.clone();
            kept.renditions = record.published.iter().map(|file| file.rendition.clone()).collect();
            Cow::Owned(kept)
        }
        None => Cow::Borrowed(asset),
    };
    let target = Target { asset, action: item.change.action, record: item.record, original, decoded };
    let forms = prepare(world, &target, known).await?;
    Ok(Prepared::ToPut(Box::new(target), forms))
}

fn stale(item: &Item<'_>) -> ApplyError {
    ApplyError::Stale { key: item.change.key.clone() }
}
