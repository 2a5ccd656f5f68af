//! Requests that brought no task: written down for what they are, and repeated only where that is safe.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::asset::Cost;
use crate::generator::{GeneratorError, Trouble};
use crate::process::Process;
use crate::record::{CallStatus, Decision};

use super::buyer::{Again, Buyer, PictureOrder};
use super::losses::ModelStop;
use super::pacing::backoff;
use super::request::{Paused, Tries, Unsent};
use super::service::AskedService;
use super::{ApplyError, Event, Wish};

/// How often a request is repeated that a service had no time for.
const BUSY_MAX: u32 = 12;
/// How often a service is tried that cannot be reached.
const UNREACHABLE_MAX: u32 = 5;
/// How often a free request is made again whose answer was lost.
const LOST_MAX: u32 = 3;

impl Buyer<'_> {
    /// Lets everybody who asks a service know what it wants of them.
    pub(super) fn heed(&self, service: &AskedService<'_>, order: &PictureOrder<'_>, error: &Unsent, tries: &Tries) {
        let Unsent::Failed(error) = error else { return };
        match error.trouble() {
            Trouble::Busy(asked) => self.pause(service, asked, asked.unwrap_or_default().max(backoff(tries.busy))),
            Trouble::Closed => service.pacing.close(),
            Trouble::NoModel => {
                service.pacing.losses().stop(order.asset.recipe.model.as_deref(), ModelStop::NoModel);
            }
            Trouble::Unreachable
            | Trouble::Ambiguous
            | Trouble::Refused
            | Trouble::Judged
            | Trouble::Gone
            | Trouble::Broken => {}
        }
    }

    /// Leaves a service alone for so long, and tells of it; `asked` is what it wanted itself.
    pub(super) fn pause(&self, service: &AskedService<'_>, asked: Option<Duration>, pause: Duration) {
        if let Some(until) = service.pacing.pause(pause) {
            let wish = if asked.is_some() { Wish::Theirs } else { Wish::Ours };
            (self.listen)(Event::Paused { generator: service.name, until, wish });
        }
    }

    /// Writes down what came of a request that brought no task, and tells when it may be made again.
    pub(super) async fn refused(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        call: &str,
        error: Unsent,
        tries: &mut Tries,
    ) -> Result<Again, ApplyError> {
        let key = order.asset.key.clone();
        let error = match error {
            Unsent::NotSent(why) => {
                self.settle(call, CallStatus::Refused, &format!("it was not sent: {why}")).await?;
                return Err(ApplyError::NotBegun { key, why });
            }
            Unsent::NotAsked(why) => {
                self.settle(call, CallStatus::Refused, &format!("it was not sent: {why}")).await?;
                return Err(ApplyError::NotAsked { key, why });
            }
            Unsent::Paused(paused) => {
                let why = match paused {
                    Paused::Service => "it was not sent: the service needed a pause",
                    Paused::Store => "it was not sent: the storage took no files just then",
                };
                self.settle(call, CallStatus::Refused, why).await?;
                return Ok(Again::Now);
            }
            Unsent::Failed(error) => error,
        };
        let message = error.to_string();
        let status = match error.trouble() {
            Trouble::Ambiguous | Trouble::Broken | Trouble::Gone => match service.cost {
                Cost::Paid => CallStatus::Unknown,
                Cost::Free => CallStatus::Refused,
            },
            Trouble::Judged => CallStatus::Judged,
            Trouble::Busy(_) | Trouble::Unreachable | Trouble::Refused | Trouble::NoModel | Trouble::Closed => {
                CallStatus::Refused
            }
        };
        self.settle(call, status, &message).await?;
        match error.trouble() {
            Trouble::Busy(_) => {
                tries.busy += 1;
                if tries.busy < BUSY_MAX { Ok(Again::Now) } else { Err(ApplyError::Service { key, source: error }) }
            }
            Trouble::Unreachable => {
                tries.unreachable += 1;
                if tries.unreachable < UNREACHABLE_MAX {
                    return Ok(Again::After(backoff(tries.unreachable - 1)));
                }
                service.pacing.close();
                Err(ApplyError::Service { key, source: error })
            }
            Trouble::Refused | Trouble::NoModel | Trouble::Closed => Err(ApplyError::Service { key, source: error }),
            Trouble::Judged => {
                self.count_failed(service);
                Err(ApplyError::Judged { key, why: message })
            }
            // What is free is simply made again.
            Trouble::Ambiguous | Trouble::Broken | Trouble::Gone if service.cost == Cost::Free => {
                tries.lost += 1;
                match tries.lost < LOST_MAX {
                    true => Ok(Again::After(backoff(tries.lost))),
                    false => Err(ApplyError::Service { key, source: error }),
                }
            }
            Trouble::Ambiguous | Trouble::Broken | Trouble::Gone => self.unknown(order, call, error).await,
        }
    }

    /// Counts a call that the service failed at, where it may be charged.
    pub(super) fn count_failed(&self, service: &AskedService<'_>) {
        if service.cost == Cost::Paid {
            self.tally.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells of a call without an answer; repeats it where the environment says so.
    async fn unknown(&self, order: &PictureOrder<'_>, call: &str, error: GeneratorError) -> Result<Again, ApplyError> {
        let key = order.asset.key.clone();
        self.tally.unknown.fetch_add(1, Ordering::Relaxed);
        (self.listen)(Event::Unknown { collection: self.collection, key: &key, call });
        if self.unknown_retries > 0 {
            let lines = self.world.state.calls(&[order.recipe], &Process::liveness).await?;
            let unknown = lines.iter().filter(|line| line.call.status == CallStatus::Unknown).count();
            if unknown <= self.unknown_retries as usize {
                self.world.state.decide(self.right, &[(call.to_owned(), Decision::Retried)]).await?;
                return Ok(Again::After(backoff(1)));
            }
        }
        Err(ApplyError::OutcomeUnknown { key, source: error })
    }
}
