//! Acceptances: what people said may stay as it is, so that nobody has to wonder later.
//!
//! The words only; an adapter keeps them. They are facts for people: no plan is made of them.

use serde::{Deserialize, Serialize};

use crate::asset::{AssetKey, CollectionName};
use crate::digest::{ContentDigest, RecipeDigest};

use super::RunOrigin;

/// One thing that somebody accepts, to be written with a commit of its collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAcceptance {
    /// The asset's key.
    pub key: AssetKey,
    /// What is accepted.
    pub accepted: Accepted,
}

/// One thing that somebody accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The collection.
    pub collection: CollectionName,
    /// The asset's key at that time.
    pub key: AssetKey,
    /// What was accepted.
    pub accepted: Accepted,
    /// The run in which it was.
    pub run: String,
    /// Where that run came from; empty for a run that was never remembered.
    pub origin: RunOrigin,
    /// When it was written: milliseconds since 1970 by the state's clock.
    pub created_at: i64,
}

/// What somebody accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// A picture satisfies a recipe that it was not made for.
    Picture {
        /// The recipe that it was recorded for; `None` where it was not recorded.
        from: Option<RecipeDigest>,
        /// The recipe that it satisfies.
        to: RecipeDigest,
        /// The digest of the original's bytes.
        original: ContentDigest,
    },
    /// A row stays as somebody edited it.
    Row {
        /// The columns that differ from what pixform had written.
        columns: Vec<AcceptedColumn>,
    },
}

/// One column of an accepted row; values as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedColumn {
    /// The column.
    pub column: String,
    /// What was written before.
    pub old: String,
    /// What is there.
    pub new: String,
}
