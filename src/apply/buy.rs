//! Buying: one picture of a paid service, from the ledger line before the request to the original in the storage.
//!
//! The order is what keeps money safe. A line is written before the request that may be charged, and what came of it
//! after. A request that may have been charged is never repeated by itself, unless the environment says so. What was
//! charged is asked for until it is there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep;

use crate::asset::{Asset, AssetKey, CollectionName, Cost, GeneratorName, MicroUsd, Seed};
use crate::digest::RecipeDigest;
use crate::generator::{Answer, Generator, GeneratorError};
use crate::record::{CallAttempt, CallStatus, Estimate, NewCall};
use crate::state::{CallFact, Intent, Right};
use crate::storage::Condition;
use crate::world::World;

use super::barred::Barred;
use super::elsewhere::Elsewhere;
use super::fetch::{Came, Fetch};
use super::journal::Journal;
use super::keep::Ended;
use super::lease::Leases;
use super::original::{Made, Wanted, intended};
use super::pacing::{Pacing, Pacings, Slot};
use super::stop::{Go, Stop};
use super::{ApplyError, Event, Listener, Stage, Unbegun, crash_point};

/// Buys the pictures of one collection.
pub struct Buyer<'b> {
    /// The environment.
    pub world: &'b Arc<World>,
    /// The collection.
    pub collection: &'b CollectionName,
    /// By what right the run buys.
    pub right: Right<'b>,
    /// The run's leases, which must be fresh before anything is sent.
    pub leases: &'b Leases,
    /// Where everything is written down.
    pub journal: &'b Journal,
    /// How fast the services may be asked.
    pub pacings: &'b Pacings,
    /// How often a call without an answer is repeated by itself.
    pub unknown_retries: u32,
    /// How far the run may still go.
    pub stop: &'b Stop,
    /// Who listens.
    pub listen: Listener<'b>,
    /// What a call costs, by generator name.
    pub prices: &'b BTreeMap<String, MicroUsd>,
    /// What was charged, and what may have been.
    pub tally: &'b Tally,
    /// Room for pictures that came and are not live yet.
    pub finishing: &'b Semaphore,
    /// What the store does not take.
    pub barred: &'b Barred,
}

/// What the calls of a run came to, as far as money goes.
#[derive(Debug, Default)]
pub struct Tally {
    /// Charged, by configured prices, in millionths of a dollar.
    pub charged: AtomicU64,
    /// Calls without an answer, which may be charged.
    pub unknown: AtomicU64,
    /// Calls that the service failed at, which may be charged.
    pub failed: AtomicU64,
    /// Pictures that were made with another seed than was asked for.
    pub seeds: Mutex<Vec<OtherSeed>>,
}

/// A picture that was made with another seed than was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherSeed {
    /// Its collection.
    pub collection: CollectionName,
    /// The asset.
    pub key: AssetKey,
    /// The seed that was asked for.
    pub asked: Seed,
    /// The seed that the service says it used.
    pub used: Seed,
}

/// A picture that is stored, and the room in which it is worked on.
pub struct Bought<'b> {
    /// The picture.
    pub made: Made,
    /// Given back when its pixels are no longer needed.
    pub permit: SemaphorePermit<'b>,
}

/// One picture to buy.
#[derive(Clone, Copy)]
pub struct Order<'o> {
    /// The asset.
    pub asset: &'o Asset,
    /// Its recipe's digest.
    pub recipe: RecipeDigest,
    /// What it costs; nothing where an earlier run paid for it.
    pub price: MicroUsd,
}

/// A service as one picture sees it.
pub(super) struct Service<'s> {
    pub generator: &'s Arc<dyn Generator>,
    pub cost: Cost,
    pub pacing: &'s Pacing,
    pub name: &'s GeneratorName,
}

/// Whether a round begins with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Taken,
    NotNeeded,
}

/// How a call ended that brought no picture, when it may be made again.
pub(super) enum Again {
    Now,
    After(Duration),
}

impl<'b> Buyer<'b> {
    /// Buys a picture, or goes on with one that is paid for.
    pub async fn buy(&self, order: &Order<'_>) -> Result<Bought<'b>, ApplyError> {
        let name = &order.asset.generator;
        let missing = || ApplyError::NoGenerator(name.clone());
        let crate::world::Service { generator, cost, pace: _ } = self.world.service(name).ok_or_else(missing)?;
        let service = Service { generator, cost: *cost, pacing: self.pacings.get(name).ok_or_else(missing)?, name };
        let (mut busy, mut unreachable) = (0, 0);
        let mut elsewhere = Elsewhere::default();
        // What is only asked for again takes no turn: it is not asked for anew. Once it may be, it does.
        let mut turn = if order.price > MicroUsd(0) { Turn::Taken } else { Turn::NotNeeded };
        loop {
            let slot = self.begin(&service, order, turn).await?;
            turn = Turn::Taken;
            let call = NewCall { gone: elsewhere.gone, ..self.call(order, &service) };
            let (call, answer) = match self.journal.intend(call).await? {
                Intent::Ours(CallAttempt { call, number: _ }) => match self.submit(&service, order, &call).await {
                    Ok(answer) => (call, answer),
                    Err(error) => {
                        // Before the slot is free: who gets it next must know what the service said.
                        self.heed(&service, &error, busy);
                        drop(slot);
                        let again = self.refused(&service, order, &call, error, (&mut busy, &mut unreachable)).await?;
                        self.wait(again).await;
                        continue;
                    }
                },
                Intent::Resumed { call, task, submitted_at: _ } => {
                    tracing::info!(key = %order.asset.key, "a task of an earlier run is asked for again");
                    (call, Answer::Task(task))
                }
                Intent::Elsewhere => {
                    drop(slot);
                    if let Some(bought) = self.made_elsewhere(&service, order, &mut elsewhere).await? {
                        return Ok(bought);
                    }
                    continue;
                }
                Intent::Undecided => return Err(ApplyError::Undecided { key: order.asset.key.clone() }),
                Intent::Capped => return Err(ApplyError::Capped { key: order.asset.key.clone() }),
            };
            match self.fetch(&service, order, &call, answer, slot).await {
                Ok(bought) => return Ok(bought),
                Err(Ended::Final(error)) => return Err(error),
                Err(Ended::Again(again)) => self.wait(again).await,
            }
        }
    }

    /// Waits for a slot and a turn, unless the run stops before.
    async fn begin(&self, service: &Service<'_>, order: &Order<'_>, turn: Turn) -> Result<Slot, ApplyError> {
        let not_begun = |why| Err(ApplyError::NotBegun { key: order.asset.key.clone(), why });
        let not_asked = || Err(ApplyError::NotAsked { key: order.asset.key.clone(), generator: service.name.clone() });
        self.tell(order, Stage::Waiting);
        let ready = async {
            let slot = service.pacing.slot().await;
            if turn == Turn::Taken {
                // A turn last: it counts as soon as it is taken.
                self.world.health.well().await;
                service.pacing.turn().await;
            }
            slot
        };
        let slot = tokio::select! {
            slot = ready => slot,
            () = self.stop.reached(Go::NothingNew) => return not_begun(Unbegun::Stopped),
            // Nobody waits for a turn at a service that says no to everything.
            () = service.pacing.closing() => return not_asked(),
            why = self.store_failed(turn) => return not_begun(why),
        };
        if self.stop.go() > Go::On {
            return not_begun(Unbegun::Stopped);
        }
        if service.pacing.is_closed() {
            return not_asked();
        }
        match self.in_vain(order).filter(|_| turn == Turn::Taken) {
            Some(why) => not_begun(why),
            None => Ok(slot),
        }
    }

    /// Waits until the store has failed, where that matters: what is paid for is asked for all the same.
    async fn store_failed(&self, turn: Turn) -> Unbegun {
        match turn {
            Turn::Taken => Unbegun::StoreFailed(self.world.health.failed().await),
            Turn::NotNeeded => std::future::pending().await,
        }
    }

    /// Tells why a picture could not be kept if it were bought.
    fn in_vain(&self, order: &Order<'_>) -> Option<Unbegun> {
        match self.world.health.condition() {
            Condition::Failed(said) => Some(Unbegun::StoreFailed(said)),
            Condition::Well | Condition::Troubled(_) => self.barred.why(order.asset).map(Unbegun::NotTaken),
        }
    }

    fn call(&self, order: &Order<'_>, service: &Service<'_>) -> NewCall {
        let Order { asset, recipe, price: _ } = *order;
        let estimate = match service.cost {
            Cost::Free => Estimate::Free,
            Cost::Paid => Estimate::Paid(self.list_price(asset)),
        };
        intended(self.collection, &Wanted { asset, recipe }, estimate)
    }

    /// Sends the one request that may be charged.
    async fn submit(&self, service: &Service<'_>, order: &Order<'_>, call: &str) -> Result<Answer, Unsent> {
        if self.stop.go() > Go::On || !self.leases.are_fresh() {
            return Err(Unsent::NotSent(Unbegun::Stopped));
        }
        if let Some(why) = self.in_vain(order) {
            return Err(Unsent::NotSent(why));
        }
        if service.pacing.is_closed() {
            return Err(Unsent::NotAsked);
        }
        // What another picture was told while this one was being written down counts for this one, too. The line is given
        // back: a run that is killed while it waits must not leave a question about what was never sent.
        if service.pacing.is_paused() {
            return Err(Unsent::Paused(Paused::Service));
        }
        if self.world.health.condition() != Condition::Well {
            return Err(Unsent::Paused(Paused::Store));
        }
        self.tell(order, Stage::Asking);
        let answer = service.generator.submit(&order.asset.recipe).await.map_err(Unsent::Failed)?;
        crash_point("paid-sent");
        self.charge(order);
        tracing::debug!(key = %order.asset.key, call, "asked for");
        Ok(answer)
    }

    /// Returns what a call for an asset costs, whoever pays for it.
    fn list_price(&self, asset: &Asset) -> MicroUsd {
        self.prices.get(asset.generator.as_str()).copied().unwrap_or_default()
    }

    fn charge(&self, order: &Order<'_>) {
        let (collection, key, price) = (self.collection, &order.asset.key, self.list_price(order.asset));
        self.tally.charged.fetch_add(price.0, Ordering::Relaxed);
        (self.listen)(Event::Charged { collection, key, price });
    }

    /// Waits for the picture, checks it, and stores it.
    async fn fetch(
        &self,
        service: &Service<'_>,
        order: &Order<'_>,
        call: &str,
        answer: Answer,
        slot: Slot,
    ) -> Result<Bought<'b>, Ended> {
        let mut came = match answer {
            Answer::Picture(picture) => super::fetch::look(&self.world.memory, picture, order.asset).await,
            Answer::Task(task) => {
                let submitted = CallFact { task: Some(task.clone()), ..CallFact::new(call, CallStatus::Submitted) };
                let (Service { generator, pacing, .. }, stop, room) = (service, self.stop, self.finishing);
                let pause = |asked: Option<Duration>, pause| self.pause(service, asked, pause);
                let fetch = Fetch { generator, pacing, stop, room, memory: &self.world.memory, pause: &pause };
                let tell = |stage| self.tell(order, stage);
                // The task is polled while its id is written down: neither waits for the other.
                let (written, came) =
                    tokio::join!(self.journal.fact(submitted), fetch.picture(order.asset, &task, &tell));
                // A picture that came is stored even if nothing can be written about it: there it is found again.
                if !matches!(came, Came::Picture(_)) {
                    written?;
                }
                came
            }
        };
        let permit = match came.room() {
            Some(permit) => permit,
            None => self.room().await?,
        };
        self.tell(order, Stage::Storing);
        self.came(order, call, came, slot).await.map(|made| Bought { made, permit })
    }

    pub(super) async fn room(&self) -> Result<SemaphorePermit<'b>, ApplyError> {
        self.finishing.acquire().await.map_err(|_| ApplyError::Worker)
    }

    pub(super) async fn wait(&self, again: Again) {
        if let Again::After(delay) = again {
            tokio::select! {
                () = sleep(delay) => {}
                () = self.stop.reached(Go::NothingNew) => {}
            }
        }
    }

    pub(super) fn tell(&self, order: &Order<'_>, stage: Stage) {
        (self.listen)(Event::Stage { collection: self.collection, key: &order.asset.key, stage });
    }
}

/// Why a request brought no task.
pub(super) enum Unsent {
    NotSent(Unbegun),
    NotAsked,
    Paused(Paused),
    Failed(GeneratorError),
}

/// Who is not ready for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paused {
    /// The service asked for a pause.
    Service,
    /// The store does not take files now.
    Store,
}
