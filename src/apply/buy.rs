//! Buying: one picture of a service, paid or free, from the ledger line before the request to the original in the storage.
//!
//! The order is what keeps money safe. A line is written before the request that may be charged, and what came of it
//! after. A request that may have been charged is never repeated by itself, unless the environment says so. What was
//! charged is asked for until it is there. A free picture goes the same way; that it is free decides only that nobody is
//! asked about its line, and that it is counted nowhere.

use std::time::Duration;

use crate::asset::{Cost, MicroUsd};
use crate::digest::ContentDigest;
use crate::generator::Answer;
use crate::record::{CallStatus, NewCall};
use crate::state::{CallFact, Intent};
use crate::storage::Condition;

use super::buyer::{Bought, Buyer, PictureOrder};
use super::elsewhere::Elsewhere;
use super::fetch::{Came, Fetch, look};
use super::keep::PictureEnd;
use super::pacing::Slot;
use super::request::Tries;
use super::service::AskedService;
use super::stop::Go;
use super::{ApplyError, Stage, Unbegun};

/// Whether a round begins with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Taken,
    NotNeeded,
}

impl<'b> Buyer<'b> {
    /// Buys a picture, or goes on with one that is paid for.
    pub async fn buy(&self, order: &PictureOrder<'_>) -> Result<Bought<'b>, ApplyError> {
        let name = &order.asset.generator;
        let missing = || ApplyError::NoGenerator(name.clone());
        let crate::world::Service { generator, cost, pace: _ } = self.world.service(name).ok_or_else(missing)?;
        let service =
            AskedService { generator, cost: *cost, pacing: self.pacings.get(name).ok_or_else(missing)?, name };
        let mut tries = Tries::default();
        let mut elsewhere = Elsewhere::default();
        // What is only asked for again takes no turn: it is not asked for anew. Once it may be, it does.
        let paid_for = service.cost == Cost::Paid && order.price == MicroUsd(0);
        let mut turn = if paid_for { Turn::NotNeeded } else { Turn::Taken };
        loop {
            let (slot, intent) = self.intend(&service, order, turn, elsewhere.gone).await?;
            turn = Turn::Taken;
            let (call, answer) = match intent {
                Intent::Ours(attempt) => match self.submit(&service, order, &attempt).await {
                    Ok(answer) => (attempt.call, answer),
                    Err(error) => {
                        // Before the slot is free: who gets it next must know what the service said.
                        self.heed(&service, order, &error, &tries);
                        drop(slot);
                        let again = self.refused(&service, order, &attempt.call, error, &mut tries).await?;
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
                Err(PictureEnd::Final(error)) => return Err(error),
                Err(PictureEnd::Again(again)) => self.wait(again).await,
            }
        }
    }

    /// Writes down that a call is about to be sent, and waits for its slot and its turn.
    async fn intend(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        turn: Turn,
        gone: Option<ContentDigest>,
    ) -> Result<(Slot, Intent), ApplyError> {
        let call = NewCall { gone, ..self.call(order, service) };
        match service.cost {
            Cost::Paid => {
                let slot = self.begin(service, order, turn).await?;
                Ok((slot, self.journal.intend(call).await?))
            }
            // A free line that is left behind asks nobody: it is written while it waits, together with many others.
            Cost::Free => {
                let intent = self.journal.intend(call).await?;
                match (self.begin(service, order, turn).await, intent) {
                    (Ok(slot), intent) => Ok((slot, intent)),
                    (Err(error), Intent::Ours(attempt)) => {
                        self.settle(&attempt.call, CallStatus::Refused, "it was not sent").await?;
                        Err(error)
                    }
                    (Err(error), _) => Err(error),
                }
            }
        }
    }

    /// Waits for a slot and a turn, unless the run stops before.
    async fn begin(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        turn: Turn,
    ) -> Result<Slot, ApplyError> {
        let not_begun = |why| Err(ApplyError::NotBegun { key: order.asset.key.clone(), why });
        let not_asked = |why| Err(ApplyError::NotAsked { key: order.asset.key.clone(), why });
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
            why = service.stopping(order.asset) => return not_asked(why),
            why = self.store_failed(turn) => return not_begun(why),
        };
        if self.stop.go() > Go::On {
            return not_begun(Unbegun::Stopped);
        }
        if let Some(why) = service.stopped(order.asset) {
            return not_asked(why);
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
    pub(super) fn in_vain(&self, order: &PictureOrder<'_>) -> Option<Unbegun> {
        match self.world.health.condition() {
            Condition::Failed(said) => Some(Unbegun::StoreFailed(said)),
            Condition::Well | Condition::Troubled(_) => self.barred.why(order.asset).map(Unbegun::NotTaken),
        }
    }

    /// Waits for the picture, checks it, and stores it.
    async fn fetch(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        call: &str,
        answer: Answer,
        slot: Slot,
    ) -> Result<Bought<'b>, PictureEnd> {
        let (mut came, written) = match answer {
            Answer::Picture(picture) => {
                let permit = self.room(order.asset).await?;
                let came = look(&self.world.memory, picture, order.asset).await;
                (came.with_room(permit), Ok(()))
            }
            Answer::Task(task) => {
                let submitted = CallFact { task: Some(task.clone()), ..CallFact::new(call, CallStatus::Submitted) };
                let (AskedService { generator, pacing, .. }, stop, room) = (service, self.stop, self.finishing);
                let pause = |asked: Option<Duration>, pause| self.pause(service, asked, pause);
                let fetch = Fetch { generator, pacing, stop, room, memory: &self.world.memory, pause: &pause };
                let tell = |stage| self.tell(order, stage);
                // The task is polled while its id is written down: neither waits for the other.
                let (written, came) =
                    tokio::join!(self.journal.fact(submitted), fetch.picture(order.asset, &task, &tell));
                (came, written)
            }
            Answer::Batch(job) => {
                let submitted = CallFact { task: Some(job), ..CallFact::new(call, CallStatus::Submitted) };
                let why = "it is part of a batch, which the next run asks for".to_owned();
                (Came::NotYet(why), self.journal.fact(submitted).await)
            }
        };
        // A picture that came is stored even if nothing can be written about it: there it is found again.
        if !matches!(came, Came::Picture(_)) {
            written?;
        }
        let (losses, model) = (service.pacing.losses(), order.asset.recipe.model.as_deref());
        match &came {
            Came::Picture(_) => losses.good(model),
            Came::Rejected { file: Some(_), .. } | Came::Lost(_) => losses.lost(model),
            // What moderation withholds, or fails for once, says nothing of the next picture.
            Came::Rejected { file: None, .. } | Came::Failed { .. } | Came::NotYet(_) => {}
        }
        let permit = match came.room() {
            Some(permit) => permit,
            None => self.room(order.asset).await?,
        };
        // Who cannot store must not buy more; what is free may be made meanwhile.
        let slot = Some(slot).filter(|_| service.cost == Cost::Paid);
        self.tell(order, Stage::Storing);
        self.came(service, order, call, came, slot).await.map(|made| Bought { made, permit })
    }
}
