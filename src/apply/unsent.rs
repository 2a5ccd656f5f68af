//! Requests that brought no task: written down for what they are, and repeated only where that is safe.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::generator::{GeneratorError, Trouble};
use crate::process::Process;
use crate::record::{CallStatus, Decision};

use super::buy::{Again, Buyer, Order, Paused, Service, Unsent};
use super::pacing::backoff;
use super::{ApplyError, Event, Wish};

/// How often a request is repeated that a service had no time for.
const BUSY_MAX: u32 = 12;
/// How often a service is tried that cannot be reached.
const UNREACHABLE_MAX: u32 = 5;

impl Buyer<'_> {
    /// Lets everybody who asks a service know what it wants of them.
    pub(super) fn heed(&self, service: &Service<'_>, error: &Unsent, busy: u32) {
        let Unsent::Failed(error) = error else { return };
        match error.trouble() {
            Trouble::Busy(asked) => self.pause(service, asked, asked.unwrap_or_default().max(backoff(busy))),
            Trouble::Closed => service.pacing.close(),
            Trouble::Unreachable
            | Trouble::Ambiguous
            | Trouble::Refused
            | Trouble::NoModel
            | Trouble::Judged
            | Trouble::Gone
            | Trouble::Broken => {}
        }
    }

    /// Leaves a service alone for so long, and tells of it; `asked` is what it wanted itself.
    pub(super) fn pause(&self, service: &Service<'_>, asked: Option<Duration>, pause: Duration) {
        if let Some(until) = service.pacing.pause(pause) {
            let wish = if asked.is_some() { Wish::Theirs } else { Wish::Ours };
            (self.listen)(Event::Paused { generator: service.name, until, wish });
        }
    }

    /// Writes down what came of a request that brought no task, and tells when it may be made again.
    pub(super) async fn refused(
        &self,
        service: &Service<'_>,
        order: &Order<'_>,
        call: &str,
        error: Unsent,
        (busy, unreachable): (&mut u32, &mut u32),
    ) -> Result<Again, ApplyError> {
        let key = order.asset.key.clone();
        let error = match error {
            Unsent::NotSent(why) => {
                self.settle(call, CallStatus::Refused, &format!("it was not sent: {why}")).await?;
                return Err(ApplyError::NotBegun { key, why });
            }
            Unsent::NotAsked => {
                self.settle(call, CallStatus::Refused, "it was not sent: the service says no to everything").await?;
                return Err(ApplyError::NotAsked { key, generator: service.name.clone() });
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
            Trouble::Ambiguous | Trouble::Broken | Trouble::Gone => CallStatus::Unknown,
            Trouble::Judged => CallStatus::Judged,
            Trouble::Busy(_) | Trouble::Unreachable | Trouble::Refused | Trouble::NoModel | Trouble::Closed => {
                CallStatus::Refused
            }
        };
        self.settle(call, status, &message).await?;
        match error.trouble() {
            Trouble::Busy(_) => {
                *busy += 1;
                if *busy < BUSY_MAX { Ok(Again::Now) } else { Err(ApplyError::Service { key, source: error }) }
            }
            Trouble::Unreachable => {
                *unreachable += 1;
                if *unreachable < UNREACHABLE_MAX {
                    return Ok(Again::After(backoff(*unreachable - 1)));
                }
                service.pacing.close();
                Err(ApplyError::Service { key, source: error })
            }
            Trouble::Refused | Trouble::NoModel | Trouble::Closed => Err(ApplyError::Service { key, source: error }),
            Trouble::Judged => {
                self.tally.failed.fetch_add(1, Ordering::Relaxed);
                Err(ApplyError::Judged { key, why: message })
            }
            Trouble::Ambiguous | Trouble::Broken | Trouble::Gone => self.unknown(order, call, error).await,
        }
    }

    /// Tells of a call without an answer; repeats it where the environment says so.
    async fn unknown(&self, order: &Order<'_>, call: &str, error: GeneratorError) -> Result<Again, ApplyError> {
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
