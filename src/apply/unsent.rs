//! Requests that brought no task: written down for what they are, and repeated only where that is safe.

use std::sync::atomic::Ordering;

use crate::generator::{GeneratorError, Trouble};
use crate::process::Process;
use crate::record::{CallStatus, Decision};

use super::buy::{Again, Buyer, Order, Service, Unsent};
use super::pacing::backoff;
use super::{ApplyError, Event};

/// How often a request is repeated that a service had no time for.
const BUSY_MAX: u32 = 12;
/// How often a service is tried that cannot be reached.
const UNREACHABLE_MAX: u32 = 5;

/// Lets everybody who asks a service know what it wants of them.
pub(super) fn heed(service: &Service<'_>, error: &Unsent, busy: u32) {
    let Unsent::Failed(error) = error else { return };
    match error.trouble() {
        Trouble::Busy(pause) => service.pacing.pause(pause.unwrap_or_default().max(backoff(busy))),
        Trouble::Closed => service.pacing.close(),
        Trouble::Unreachable | Trouble::Ambiguous | Trouble::Refused | Trouble::Gone | Trouble::Broken => {}
    }
}

impl Buyer<'_> {
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
            Unsent::NotSent => {
                self.settle(call, CallStatus::Refused, "it was not sent: the run had to stop").await?;
                return Err(ApplyError::NotBegun { key });
            }
            Unsent::NotAsked => {
                self.settle(call, CallStatus::Refused, "it was not sent: the service says no to everything").await?;
                return Err(ApplyError::NotAsked { key, generator: service.name.clone() });
            }
            Unsent::Paused => {
                self.settle(call, CallStatus::Refused, "it was not sent: the service needed a pause").await?;
                return Ok(Again::Now);
            }
            Unsent::Failed(error) => error,
        };
        let message = error.to_string();
        let status = match error.trouble() {
            Trouble::Ambiguous | Trouble::Broken | Trouble::Gone => CallStatus::Unknown,
            Trouble::Busy(_) | Trouble::Unreachable | Trouble::Refused | Trouble::Closed => CallStatus::Refused,
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
            Trouble::Refused | Trouble::Closed => Err(ApplyError::Service { key, source: error }),
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
