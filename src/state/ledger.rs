//! The words of the ledger: what may be sent, what came of it, and what people read of it later.
//!
//! The words only; an adapter keeps the lines. What a line means for a plan is decided elsewhere.

use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::digest::ContentDigest;
use crate::process::Process;
use crate::record::{Call, CallAttempt, CallStatus, Original};

use super::{ChangeSet, RunOrigin};

/// A fact about a call that cannot be undone, to be kept even by a run that lost its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFact {
    /// The ledger line.
    pub call: String,
    /// Its new status.
    pub status: CallStatus,
    /// The service's task, once it is known.
    pub task: Option<String>,
    /// The digest of the bytes, once they were seen; an original has its own.
    pub sha256: Option<ContentDigest>,
    /// With `Finished`: the original, which becomes the recipe's current one. With `Rejected`: the one that is kept
    /// for a decision, and replaces none.
    pub original: Option<Original>,
    /// Why, with a failure; holds no secret.
    pub reason: Option<String>,
    /// What the call cost in all, where the service told.
    pub cost: Option<MicroUsd>,
}

impl CallFact {
    /// Returns the fact that a call has this status, and nothing more.
    pub fn new(call: impl Into<String>, status: CallStatus) -> Self {
        Self { call: call.into(), status, task: None, sha256: None, original: None, reason: None, cost: None }
    }
}

/// What may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps {
    /// By the run that asks.
    pub run: Option<MicroUsd>,
    /// By all runs together in a calendar month, in UTC by the state's clock.
    pub month: Option<MicroUsd>,
}

/// What came of asking whether a call may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Send it: the line is ours. A free line of a dead run is taken over and sent again.
    Ours(CallAttempt),
    /// Poll it: we, or a dead run, sent it already and its task is known.
    Resumed {
        /// The line's id.
        call: String,
        /// The service's task.
        task: String,
        /// When the task became known: milliseconds since 1970 by the state's clock.
        submitted_at: i64,
    },
    /// A living run is making it, or we are and there is no task to poll; or it was made since whoever asks looked: the
    /// recipe has a current original, and it is not the one that [`NewCall::gone`](crate::record::NewCall::gone) names.
    Elsewhere,
    /// A call for the recipe was or may have been paid for, and somebody has to decide what becomes of it.
    Undecided,
    /// It would cost more than the cap leaves; nothing was written.
    Capped,
}

/// A ledger line as a plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSeen {
    /// The line.
    pub call: Call,
    /// Whether it is open and the run that holds it is dead.
    pub abandoned: bool,
}

/// Which ledger lines are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuery {
    /// Only of this collection.
    pub collection: Option<CollectionName>,
    /// Only of assets with this key.
    pub key: Option<AssetKey>,
    /// Only those written at this time or later: milliseconds since 1970 by the state's clock.
    pub since: Option<i64>,
    /// Only those that belong to this.
    pub of: Option<ChangeSet>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// A ledger line as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// The line.
    pub call: Call,
    /// The run that sent it; `None` where it was never remembered.
    pub run: Option<HistoryRun>,
}

/// A run as people read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRun {
    /// The command: `apply`.
    pub command: String,
    /// The process, with its host.
    pub process: Process,
    /// Where it came from.
    pub origin: RunOrigin,
    /// Whether it said that it ended, or was not heard of for [`super::RUN_SILENT_SECONDS`].
    pub ended: bool,
}
