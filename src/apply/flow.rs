//! The flow: assets that need a picture, each on its own way from the request to its row, none waiting for another.
//!
//! A picture may take seconds, so there are no batches here: while one is waited for, another is rendered and a third
//! goes live. What is written down goes through the journal, which makes few transactions of it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::asset::{CollectionName, Cost, MicroUsd};
use crate::plan::Change;
use crate::state::Right;
use crate::storage::{Condition, Health};
use crate::world::World;
use futures::{StreamExt, stream};

use super::buyer::{Bought, Buyer, PictureOrder, Tally};
use super::files::{Pictured, Prepared, entry, file};
use super::item::{Item, item};
use super::journal::{Book, Journal};
use super::publish::{Known, free, fresh, put};
use super::step::{Part, Runner};
use super::{ApplyError, Event, Listener, Work};

/// Assets that wait for their commit, or for somebody else's picture, beside those that are under way.
const WAITING_MAX: usize = 64;
/// The same where pictures are free, and made faster than lines are written: so many are written together.
const WAITING_FREE_MAX: usize = 512;
/// How long trouble with the store lasts before it is told: a hiccup is nobody's business.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// What buying for one collection needs beyond the run itself.
pub(super) struct Desk {
    journal: Journal,
    tally: Tally,
}

impl<'r> Runner<'r> {
    /// Opens what buying for one collection needs.
    fn desk(&self, work: &Work<'_>, right: Right<'_>) -> Desk {
        let journal = Journal::open(Book {
            world: Arc::clone(self.world),
            lease: match right {
                Right::Lease(lease) => Some(lease.clone()),
                Right::Heartbeat { .. } => None,
            },
            run: right.run().to_owned(),
            table: work.table.cloned(),
            caps: self.options.caps,
            stop: Arc::clone(self.options.stop),
        });
        Desk { journal, tally: Tally::default() }
    }

    fn buyer<'b>(&self, collection: &'b CollectionName, right: Right<'b>, desk: &'b Desk) -> Buyer<'b>
    where
        'r: 'b,
    {
        Buyer {
            world: self.world,
            collection,
            right,
            leases: self.leases,
            journal: &desk.journal,
            pacings: self.pacings,
            prices: self.options.prices,
            unknown_retries: self.options.unknown_retries,
            stop: self.options.stop,
            listen: self.listen,
            tally: &desk.tally,
            finishing: self.finishing,
            barred: self.barred,
        }
    }

    async fn close(&mut self, desk: Desk) {
        let Desk { journal, tally: Tally { charged, unknown, failed, seeds } } = desk;
        journal.close().await;
        self.outcome.cost.0 += charged.into_inner();
        self.outcome.unknown_calls += unknown.into_inner();
        self.outcome.failed_calls += failed.into_inner();
        self.outcome.other_seeds.extend(seeds.into_inner().unwrap_or_else(PoisonError::into_inner));
    }

    /// Assets that are worked on at once.
    fn at_once(&self) -> usize {
        let free = self.pacings.values().any(|pacing| pacing.cost() == Cost::Free);
        let waiting = if free { WAITING_FREE_MAX } else { WAITING_MAX };
        waiting + self.pacings.values().map(|pacing| pacing.pace().concurrency).sum::<usize>()
    }

    /// Carries out the changes of all collections that need a picture.
    pub(super) async fn flow(&mut self, parts: &[Part<'_>]) {
        let buying: Vec<&Part<'_>> = parts.iter().filter(|part| !part.order.pictured.is_empty()).collect();
        let desks: Vec<Desk> = buying.iter().map(|part| self.desk(part.work, part.right)).collect();
        let buyers: Vec<Buyer<'_>> =
            buying.iter().zip(&desks).map(|(part, desk)| self.buyer(&part.work.plan.name, part.right, desk)).collect();
        let mut changes: Vec<(usize, &Change)> = Vec::new();
        for (number, part) in buying.iter().enumerate() {
            changes.extend(part.order.pictured.iter().map(|change| (number, *change)));
        }
        // What is paid for comes first: it takes no turn, and must not wait for those that do.
        changes.sort_by_key(|(_, change)| change.price > MicroUsd(0));
        let (listen, buying, buyers) = (self.listen, &buying, &buyers);
        let mut ways = stream::iter(changes)
            .map(|(number, change)| async move {
                let Part { work, records, .. } = buying[number];
                super::step::started(listen, work, change);
                (number, change, one(&buyers[number], &item(work, records, change)).await)
            })
            .buffer_unordered(self.at_once());
        let watching = watch_store(&self.world.health, listen);
        tokio::pin!(watching);
        loop {
            let next = tokio::select! {
                next = ways.next() => next,
                () = &mut watching => None,
            };
            let Some((number, change, result)) = next else { break };
            let work = buying[number].work;
            match result {
                Ok(()) => self.complete(work, change),
                Err(error) => self.fail(work, &change.key, error),
            }
        }
        drop(ways);
        for desk in desks {
            self.close(desk).await;
        }
    }

    /// Buys the pictures of items that are committed together with others.
    pub(super) async fn bought(
        &mut self,
        work: &Work<'_>,
        right: Right<'_>,
        items: &[(usize, &Item<'_>)],
    ) -> Vec<(usize, Pictured)> {
        if items.is_empty() {
            return Vec::new();
        }
        let desk = self.desk(work, right);
        let buyer = self.buyer(&work.plan.name, right, &desk);
        let buyer = &buyer;
        let pictures = stream::iter(items)
            .map(|(slot, item)| async move {
                let picture = bought(buyer, item).await;
                // It waits for others, and gives the room of its pixels back meanwhile.
                (*slot, picture.map(|Bought { made, permit: _ }| (made.original, None)))
            })
            .buffer_unordered(self.at_once())
            .collect::<Vec<_>>()
            .await;
        self.close(desk).await;
        pictures
    }
}

async fn bought<'b>(buyer: &Buyer<'b>, item: &Item<'_>) -> Result<Bought<'b>, ApplyError> {
    let Some(asset) = &item.asset else { return Err(ApplyError::Stale { key: item.change.key.clone() }) };
    buyer.buy(&PictureOrder { asset, recipe: asset.recipe.digest(), price: item.change.price }).await
}

/// Tells when the store does not do what it is asked, and when it does again; never ends.
async fn watch_store(health: &Health, listen: Listener<'_>) {
    loop {
        health.unwell().await;
        let passes = tokio::time::timeout(TOLD_AFTER, health.well()).await.is_ok();
        if let (false, Condition::Troubled(said)) = (passes, health.condition()) {
            listen(Event::StoreTroubled { said: &said });
            health.well().await;
            listen(Event::StoreWell);
        }
        if let Condition::Failed(_) = health.condition() {
            std::future::pending::<()>().await;
        }
    }
}

/// Brings one asset from nothing to live.
async fn one(buyer: &Buyer<'_>, item: &Item<'_>) -> Result<(), ApplyError> {
    let Bought { made, permit } = bought(buyer, item).await?;
    let (world, journal): (&World, &Journal) = (buyer.world, buyer.journal);
    let renditions = item.asset.iter().flat_map(|asset| &asset.renditions);
    let wanted = renditions.map(|rendition| (made.original.sha256, rendition.digest)).collect();
    // What was just bought was copied from nothing.
    let known = Known::new(journal.objects(wanted).await?, Vec::new());
    let (original, published) = match file(world, item, Some(Ok((made.original, made.decoded))), &known).await? {
        Prepared::There(original, published) => (original, published),
        Prepared::ToPut(target, forms) => {
            free(&forms, &journal.announce(fresh(&target, &forms, &known)).await?)?;
            let published = put(world, &target, forms, &known).await;
            if let (Err(ApplyError::Storage(error)), Some(asset)) = (&published, &item.asset) {
                buyer.learn(asset, error);
            }
            (target.original, published?)
        }
    };
    drop(permit);
    journal.publish(entry(world, item, &original, published)?).await
}
