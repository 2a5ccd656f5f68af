//! Lost originals: what is told of a picture whose original is gone or damaged, before anything is done about it.

use crate::asset::{AssetKey, MicroUsd, ObjectPath};
use crate::digest::ContentDigest;

/// An original that is gone or damaged, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostOriginal {
    /// The asset.
    pub key: AssetKey,
    /// Where the original belongs.
    pub path: ObjectPath,
    /// What its bytes should be.
    pub sha256: ContentDigest,
    /// What is wrong with it.
    pub state: LostState,
    /// What another picture costs.
    pub price: MicroUsd,
    /// When that would be paid.
    pub bought: Rebuy,
}

/// What is wrong with an original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostState {
    /// It is gone.
    Gone,
    /// Its bytes are others.
    Damaged,
}

/// When another picture is made in the place of one whose original is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuy {
    /// By this plan, which needs the original.
    Now,
    /// Not before a change needs the original: what is published is well, and stays.
    Later,
}
