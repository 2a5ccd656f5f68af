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
    pub origin: RunOrigin,
}

/// Where a run came from, for people who read the history: strangers' text, which is only ever shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunOrigin {
    /// Who began it.
    pub actor: Option<String>,
    /// The commit of the manifests.
    pub commit: Option<String>,
    /// Where its log is.
    pub run_url: Option<String>,
    /// The branch of the manifests, unless it is the one into which all others are merged.
    pub branch: Option<String>,
    /// The pull request, as `owner/repository#7`.
    pub pull_request: Option<String>,
}

impl Run {
    /// The command of a run that makes what a plan asks for, for people to look at.
    pub const PREVIEW: &str = "preview";
    /// The command of a run that makes several pictures, of which one is chosen.
    pub const CANDIDATES: &str = "preview --candidates";
}

/// What runs belong to together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeSet {
    /// A pull request, as in [`RunOrigin::pull_request`]. A run without one, as at somebody's desk, belongs to the one that is
    /// first heard of on its branch afterwards; where none is, to the last that was heard of there before.
    PullRequest(String),
    /// Everything on a branch.
    Branch(String),
}

impl ChangeSet {
    /// Returns what runs of this origin belong to; `None` where it says neither pull request nor branch.
    pub fn of(origin: &RunOrigin) -> Option<Self> {
        let pull_request = origin.pull_request.clone().map(Self::PullRequest);
        pull_request.or_else(|| origin.branch.clone().map(Self::Branch))
    }

    /// Returns pull request and branch, of which it names one.
    pub(super) fn names(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::PullRequest(name) => (Some(name), None),
            Self::Branch(name) => (None, Some(name)),
        }
    }
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
    Held(Box<Holder>),
}

/// How long a lease lasts unless renewed, in seconds.
pub const LEASE_SECONDS: i64 = 60;

/// How long a run is not heard of, in seconds, until it counts as dead where its process cannot be looked at.
pub const RUN_SILENT_SECONDS: i64 = 300;
