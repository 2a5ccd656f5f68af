//! Damages: files that were read and are not what they should be, so that the next plan knows where to look.
//!
//! A hint and no truth: whoever plans reads the file again, for somebody may have put it back meanwhile.

use crate::asset::{AssetKey, ObjectPath};
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
