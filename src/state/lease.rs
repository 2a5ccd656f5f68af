//! Runs, and the leases that keep two of them from writing one collection at the same time.
//!
//! The words only; an adapter keeps them, with its database's clock.

use crate::asset::CollectionName;
use crate::process::Process;

/// One run of a command that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, a UUID of version 7.
    pub id: String,
    /// The command: `apply`.
    pub command: String,
    /// The process.
    pub process: Process,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a run came from, for people who read the history: strangers' text, which is only ever shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Who began it.
    pub actor: Option<String>,
    /// The commit of the manifests.
    pub commit: Option<String>,
    /// Where its log is.
    pub run_url: Option<String>,
}

/// Whoever holds a lease, or held it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The collection.
    pub collection: CollectionName,
    /// The run.
    pub run: Run,
    /// When it took the lease: seconds since 1970 by the state's clock.
    pub since: i64,
    /// When it ends unless renewed: seconds since 1970 by the state's clock.
    pub expires: i64,
    /// Seconds since 1970 by the state's clock when this was read.
    pub now: i64,
}

/// The right to write a collection, until somebody takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The collection.
    pub collection: CollectionName,
    /// The run that holds it.
    pub run: String,
    /// Grows by one each time that a lease on the collection is taken; never reused.
    pub fence: i64,
}

/// By what right a run asks for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right<'r> {
    /// It holds the lease on the calls' collection.
    Lease(&'r Lease),
    /// It previews, and switches nothing: that it is heard of is its right.
    Heartbeat {
        /// The run.
        run: &'r str,
    },
}

impl<'r> Right<'r> {
    /// Returns the run.
    pub fn run(self) -> &'r str {
        match self {
            Self::Lease(lease) => &lease.run,
            Self::Heartbeat { run } => run,
        }
    }
}

/// What came of asking for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is ours.
    Taken(Lease),
    /// Somebody alive has it.
    Held(Holder),
}

/// How long a lease lasts unless renewed, in seconds.
pub const LEASE_SECONDS: i64 = 60;

/// How long a run is not heard of, in seconds, until it counts as dead where its process cannot be looked at.
pub const RUN_SILENT_SECONDS: i64 = 300;
