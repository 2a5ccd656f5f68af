//! The subject of a decision: one asset, with what its manifest says around it.

use crate::asset::{Asset, Labels, MicroUsd};

/// An asset under decision.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'s> {
    /// The asset, its seed settled.
    pub asset: &'s Asset,
    /// Its number in its manifest.
    pub index: usize,
    /// Its key axes.
    pub key_axes: &'s [String],
    /// What a new picture would cost.
    pub price: MicroUsd,
}

/// Returns the labels beyond the key.
pub(super) fn beyond_key(labels: &Labels, key_axes: &[String]) -> Vec<(String, String)> {
    let beyond = labels.iter().filter(|(name, _)| !key_axes.contains(name));
    beyond.map(|(name, value)| (name.clone(), value.clone())).collect()
}
