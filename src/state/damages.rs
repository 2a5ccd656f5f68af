//! Damages: files that were read and are not what they should be, so that the next plan knows where to look.
//!
//! A hint and no truth: whoever plans reads the file again, for somebody may have put it back meanwhile.

use async_trait::async_trait;

use super::StateError;
use crate::asset::{AssetKey, CollectionName, ObjectPath};
use crate::digest::ContentDigest;

/// A file of an asset that was found damaged, or gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The asset.
    pub key: AssetKey,
    /// The file: a published one, or the original.
    pub path: ObjectPath,
    /// What its bytes should be.
    pub sha256: ContentDigest,
}

/// What pixform needs of a database to remember damages.
#[async_trait]
pub trait Damages {
    /// Returns what is remembered of a collection, by key and path.
    async fn damages(&self, collection: &CollectionName) -> Result<Vec<Damage>, StateError>;

    /// Remembers damages and forgets others, at once. Never fenced.
    async fn note_damages(
        &self,
        collection: &CollectionName,
        found: &[Damage],
        well: &[Damage],
    ) -> Result<(), StateError>;
}
