//! Calls: one line of the ledger, what became of it, and what people decided about it.

use serde::{Deserialize, Serialize};

use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::digest::{ContentDigest, RecipeDigest};

/// How many paid calls for one recipe may fail until somebody has to decide whether to go on.
pub const FAILED_MAX: usize = 3;

/// What became of one call to a generator; the ledger's status column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// About to be sent.
    Intended,
    /// The service's task is known.
    Submitted,
    /// The bytes were seen, their digest is known.
    Received,
    /// The original is stored.
    Finished,
    /// A clean no: nothing was charged.
    Refused,
    /// The service says that the task failed.
    Failed,
    /// The service judged the prompt or the picture, and made none: asked for the same again, it would say the same.
    Judged,
    /// A whole picture, but not the one asked for.
    Rejected,
    /// Paid, and the bytes can no longer be fetched.
    Lost,
    /// Sent, no answer.
    Unknown,
}

impl CallStatus {
    /// All statuses, in the order in which a call passes through them.
    pub const ALL: [Self; 10] = [
        Self::Intended,
        Self::Submitted,
        Self::Received,
        Self::Finished,
        Self::Refused,
        Self::Failed,
        Self::Judged,
        Self::Rejected,
        Self::Lost,
        Self::Unknown,
    ];

    /// Returns the name that the ledger keeps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Submitted => "submitted",
            Self::Received => "received",
            Self::Finished => "finished",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Judged => "judged",
            Self::Rejected => "rejected",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a ledger's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Tells whether something is still to come of a call.
    pub fn is_open(self) -> bool {
        match self {
            Self::Intended | Self::Submitted | Self::Received => true,
            Self::Finished
            | Self::Refused
            | Self::Failed
            | Self::Judged
            | Self::Rejected
            | Self::Lost
            | Self::Unknown => false,
        }
    }
}

/// What people decided about a call that left a question open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may be paid for once more.
    Retried,
    /// It counts as spent, and stands in nobody's way.
    Forgotten,
    /// The rejected picture is taken as it is.
    Accepted,
}

impl Decision {
    /// All decisions.
    pub const ALL: [Self; 3] = [Self::Retried, Self::Forgotten, Self::Accepted];

    /// Returns the name that the ledger keeps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retried => "retried",
            Self::Forgotten => "forgotten",
            Self::Accepted => "accepted",
        }
    }

    /// Reads a ledger's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.name() == name)
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id, a UUID of version 7: ids sort by time.
    pub id: String,
    /// The run that sent it, and pays for it.
    pub run: String,
    /// For which collection.
    pub collection: CollectionName,
    /// For which asset.
    pub key: AssetKey,
    /// For which recipe.
    pub recipe: RecipeDigest,
    /// The generator's kind.
    pub generator: String,
    /// The generator's name in the manifest.
    pub service: String,
    /// The model, where the recipe names one.
    pub model: Option<String>,
    /// What it costs by the configured price.
    pub price: MicroUsd,
    /// What became of it.
    pub status: CallStatus,
    /// The service's id of the task, once it is known.
    pub task: Option<String>,
    /// Why, with a failure; holds no secret.
    pub reason: Option<String>,
    /// The digest of the bytes, once they were seen.
    pub sha256: Option<ContentDigest>,
    /// What people decided about it.
    pub decision: Option<Decision>,
    /// When it was written: milliseconds since 1970 by the state's clock; ignored when it is written.
    pub created_at: i64,
    /// When it was last changed, likewise.
    pub updated_at: i64,
}
