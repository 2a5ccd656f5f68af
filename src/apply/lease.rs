//! Leases: taken in name order, renewed while working, given back at the end. A preview holds none: that it is heard of
//! again and again is its right to buy.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::asset::CollectionName;
use crate::plan::Plan;
use crate::process::Process;
use crate::state::{LEASE_SECONDS, Lease, LeaseAnswer, Right, Run, State, StateError};

use super::ApplyError;

/// How often a lease is renewed; a third of its time, so that two renewals may fail.
const RENEWED_EVERY: Duration = Duration::from_secs(LEASE_SECONDS as u64 / 3);
/// How often a lease that somebody holds is asked for again.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// The leases of a run.
#[derive(Debug)]
pub struct Leases {
    run: String,
    held: LeaseHeld,
    /// When they were taken or renewed last, by a clock that nobody sets.
    renewed: Mutex<Instant>,
}

/// What a run holds.
#[derive(Debug)]
enum LeaseHeld {
    Leases(Vec<Lease>),
    Nothing,
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
        let mut held: Vec<Lease> = Vec::new();
        let mut renewed = begun;
        for collection in collections {
            loop {
                let asked = Instant::now();
                match state.take_lease(collection, run, &Process::liveness).await? {
                    LeaseAnswer::Taken(lease) => {
                        tracing::info!(%collection, fence = lease.fence, "lease taken");
                        if held.is_empty() {
                            renewed = asked;
                        }
                        held.push(lease);
                        break;
                    }
                    LeaseAnswer::Held(_) if begun.elapsed().as_secs() < wait_seconds => {
                        tokio::time::sleep(ASKED_EVERY).await;
                        // Those taken before must not end while the next one is waited for.
                        if !held.is_empty() && renewed.elapsed() > RENEWED_EVERY {
                            state.renew(&held).await?;
                            renewed = asked;
                        }
                    }
                    LeaseAnswer::Held(holder) => {
                        release(state, &held).await;
                        return Err(ApplyError::Held(holder));
                    }
                }
            }
        }
        Ok(Self { run: run.id.clone(), held: LeaseHeld::Leases(held), renewed: Mutex::new(renewed) })
    }

    /// Takes none: for a run that was just begun and only previews.
    pub fn none(run: &Run) -> Self {
        Self { run: run.id.clone(), held: LeaseHeld::Nothing, renewed: Mutex::new(Instant::now()) }
    }

    /// Returns the lease on a collection.
    ///
    /// # Errors
    /// [`StateError::Fenced`] where it is not among them.
    pub fn of(&self, collection: &CollectionName) -> Result<&Lease, ApplyError> {
        let held: &[Lease] = match &self.held {
            LeaseHeld::Leases(held) => held,
            LeaseHeld::Nothing => &[],
        };
        let found = held.iter().find(|lease| lease.collection == *collection);
        found.ok_or_else(|| StateError::Fenced { collection: collection.clone() }.into())
    }

    /// Tells whether the run only previews.
    pub fn previews(&self) -> bool {
        matches!(self.held, LeaseHeld::Nothing)
    }

    /// Returns by what right the run works on a collection.
    ///
    /// # Errors
    /// As [`Leases::of`], for a run that holds leases.
    pub fn right(&self, collection: &CollectionName) -> Result<Right<'_>, ApplyError> {
        match &self.held {
            LeaseHeld::Leases(_) => Ok(Right::Lease(self.of(collection)?)),
            LeaseHeld::Nothing => Ok(Right::Heartbeat { run: &self.run }),
        }
    }

    /// Renews the leases, or the run, again and again; ends only when somebody else may have taken it for dead.
    pub async fn keep(&self, state: &dyn State) -> StateError {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            let asked = Instant::now();
            let renewed = match &self.held {
                LeaseHeld::Leases(held) => state.renew(held).await,
                LeaseHeld::Nothing => state.beat(&self.run).await,
            };
            match renewed {
                Ok(()) => *self.renewed() = asked,
                Err(error @ (StateError::Fenced { .. } | StateError::Silent)) => return error,
                // A renewal may fail once: the next one comes before the lease ends.
                Err(error) => tracing::warn!("the leases could not be renewed: {error}"),
            }
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(&self.held, LeaseHeld::Leases(held) if held.is_empty())
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
        if let LeaseHeld::Leases(held) = &self.held {
            release(state, held).await;
        }
    }
}

async fn release(state: &dyn State, held: &[Lease]) {
    for lease in held {
        let _ = state.release(lease).await;
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
