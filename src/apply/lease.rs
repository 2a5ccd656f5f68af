//! Leases: taken in name order, renewed while working, given back at the end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::asset::CollectionName;
use crate::plan::Plan;
use crate::process::Process;
use crate::state::{LEASE_SECONDS, Lease, LeaseAnswer, Run, State, StateError};

use super::ApplyError;

/// How often a lease is renewed; a third of its time, so that two renewals may fail.
const RENEWED_EVERY: Duration = Duration::from_secs(LEASE_SECONDS as u64 / 3);
/// How often a lease that somebody holds is asked for again.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// The leases of a run.
#[derive(Debug)]
pub struct Leases {
    held: Vec<Lease>,
    /// When they were taken or renewed last, by a clock that nobody sets.
    renewed: Mutex<Instant>,
}

impl Leases {
    /// Takes the lease on each collection, in the order given; waits for a held one for as long as asked.
    ///
    /// # Errors
    /// [`ApplyError::Held`] with the holder; what was taken before is given back.
    pub async fn take(
        state: &dyn State,
        collections: &[CollectionName],
        run: &Run,
        wait_seconds: u64,
    ) -> Result<Self, ApplyError> {
        let begun = Instant::now();
        let mut leases = Self { held: Vec::new(), renewed: Mutex::new(begun) };
        for collection in collections {
            loop {
                let asked = Instant::now();
                match state.take_lease(collection, run, &Process::liveness).await? {
                    LeaseAnswer::Taken(lease) => {
                        tracing::info!(%collection, fence = lease.fence, "lease taken");
                        if leases.held.is_empty() {
                            *leases.renewed() = asked;
                        }
                        leases.held.push(lease);
                        break;
                    }
                    LeaseAnswer::Held(_) if begun.elapsed().as_secs() < wait_seconds => {
                        tokio::time::sleep(ASKED_EVERY).await;
                        // Those taken before must not end while the next one is waited for.
                        if !leases.held.is_empty() && leases.renewed().elapsed() > RENEWED_EVERY {
                            state.renew(&leases.held).await?;
                            *leases.renewed() = asked;
                        }
                    }
                    LeaseAnswer::Held(holder) => {
                        leases.release(state).await;
                        return Err(ApplyError::Held(Box::new(holder)));
                    }
                }
            }
        }
        Ok(leases)
    }

    /// Returns the lease on a collection.
    ///
    /// # Errors
    /// [`StateError::Fenced`] where it is not among them.
    pub fn of(&self, collection: &CollectionName) -> Result<&Lease, ApplyError> {
        let found = self.held.iter().find(|lease| lease.collection == *collection);
        found.ok_or_else(|| StateError::Fenced { collection: collection.clone() }.into())
    }

    /// Renews the leases again and again; ends only when one was taken by somebody else.
    pub async fn keep(&self, state: &dyn State) -> StateError {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            let asked = Instant::now();
            match state.renew(&self.held).await {
                Ok(()) => *self.renewed() = asked,
                Err(error @ StateError::Fenced { .. }) => return error,
                // A renewal may fail once: the next one comes before the lease ends.
                Err(error) => tracing::warn!("the leases could not be renewed: {error}"),
            }
        }
    }

    /// Tells whether nobody else can have taken them yet. A process that was stopped for longer than a lease lasts may
    /// have lost it and not heard of it.
    pub fn are_fresh(&self) -> bool {
        self.renewed().elapsed() < Duration::from_secs(LEASE_SECONDS as u64)
    }

    fn renewed(&self) -> MutexGuard<'_, Instant> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives all leases back. One that cannot be given back ends by itself.
    pub async fn release(&self, state: &dyn State) {
        for lease in &self.held {
            let _ = state.release(lease).await;
        }
    }
}

/// Returns the collections that need a lease for a plan, by name: changed ones, and those that records leave.
pub fn collections(plan: &Plan) -> Vec<CollectionName> {
    let mut names: Vec<CollectionName> = Vec::new();
    for (collection, change) in plan.changes() {
        names.push(collection.name.clone());
        names.extend(change.moved_from.as_ref().map(|(from, _)| from.clone()));
    }
    names.sort();
    names.dedup();
    names
}
