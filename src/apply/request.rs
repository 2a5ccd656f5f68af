//! The request: the one of a call that may be charged, and what stands in its way at the last moment.

use std::sync::atomic::Ordering;

use uuid::Uuid;

use crate::asset::{Asset, Cost, MicroUsd};
use crate::generator::{Answer, Found, GeneratorError, Order, Trouble};
use crate::record::{CallAttempt, Estimate, NewCall};
use crate::storage::Condition;

use super::buyer::{Buyer, PictureOrder};
use super::service::AskedService;
use super::stop::{Go, NotAskedBecause};
use super::{Event, Stage, Unbegun, crash_point};

/// Why a request brought no task.
pub(super) enum Unsent {
    NotSent(Unbegun),
    NotAsked(NotAskedBecause),
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

/// How often a request was made that brought nothing.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// Times that the service had no time.
    pub busy: u32,
    /// Times that it could not be reached.
    pub unreachable: u32,
    /// Times that a free request was lost.
    pub lost: u32,
}

impl Buyer<'_> {
    pub(super) fn call(&self, order: &PictureOrder<'_>, service: &AskedService<'_>) -> NewCall {
        let PictureOrder { asset, recipe, price: _ } = *order;
        NewCall {
            id: Uuid::now_v7().to_string(),
            collection: self.collection.clone(),
            key: asset.key.clone(),
            recipe,
            generator: asset.recipe.generator.clone(),
            service: asset.generator.to_string(),
            model: asset.recipe.model.clone(),
            estimate: match service.cost {
                Cost::Free => Estimate::Free,
                Cost::Paid => Estimate::Paid(self.list_price(asset)),
            },
            account: service.pacing.account(),
            gone: None,
        }
    }

    /// Sends the one request that may be charged.
    pub(super) async fn submit(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        attempt: &CallAttempt,
    ) -> Result<Answer, Unsent> {
        if self.stop.go() > Go::On || !self.leases.are_fresh() {
            return Err(Unsent::NotSent(Unbegun::Stopped));
        }
        if let Some(why) = self.in_vain(order) {
            return Err(Unsent::NotSent(why));
        }
        if let Some(why) = service.stopped(order.asset) {
            return Err(Unsent::NotAsked(why));
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
        let asked = Order { attempt, recipe: &order.asset.recipe };
        let answer = match service.generator.submit(&asked).await {
            Ok(answer) => answer,
            Err(error) => self.found(service, attempt, error).await?,
        };
        if service.cost == Cost::Paid {
            crash_point("paid-sent");
            self.charge(order);
        }
        tracing::debug!(key = %order.asset.key, call = attempt.call, "asked for");
        Ok(answer)
    }

    /// Looks for a call whose answer was lost, where the service can tell; a free one is simply made again.
    async fn found(
        &self,
        service: &AskedService<'_>,
        attempt: &CallAttempt,
        error: GeneratorError,
    ) -> Result<Answer, Unsent> {
        let lost = matches!(error.trouble(), Trouble::Ambiguous | Trouble::Broken | Trouble::Gone);
        if !lost || service.cost == Cost::Free {
            return Err(Unsent::Failed(error));
        }
        match service.generator.find(attempt).await {
            Ok(Found::Task(task)) => Ok(Answer::Task(task)),
            Ok(Found::Picture(picture)) => Ok(Answer::Picture(picture)),
            // A service that has just lost an answer may not know of the call yet: its word counts later only.
            Ok(Found::Absent | Found::CannotTell) => Err(Unsent::Failed(error)),
            Err(other) => {
                tracing::info!("a lost call cannot be looked for: {other}");
                Err(Unsent::Failed(error))
            }
        }
    }

    /// Returns what a call for an asset costs, whoever pays for it.
    fn list_price(&self, asset: &Asset) -> MicroUsd {
        self.prices.get(asset.generator.as_str()).copied().unwrap_or_default()
    }

    fn charge(&self, order: &PictureOrder<'_>) {
        let (collection, key, price) = (self.collection, &order.asset.key, self.list_price(order.asset));
        self.tally.charged.fetch_add(price.0, Ordering::Relaxed);
        (self.listen)(Event::Charged { collection, key, price });
    }
}
