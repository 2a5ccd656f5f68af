//! Finishing: how many pictures are decoded, stored, rendered and put at once, by their pixels, which are in memory meanwhile.

use crate::asset::Asset;

/// Pixels that are being finished at once, in units; of large pictures so many as are of this many units each.
pub const FINISHING_UNITS: usize = 8 * UNITS_MAX as usize;
/// The most units that a picture takes.
const UNITS_MAX: u32 = 128;
/// Pixels of a unit.
const UNIT: u64 = 64 * 64;

/// Returns how much of the room for pictures that are being finished the picture of an asset takes.
pub fn finishing_units(asset: &Asset) -> u32 {
    let (width, height) = asset.recipe.picture_size();
    let units = (u64::from(width) * u64::from(height)).div_ceil(UNIT);
    u32::try_from(units).unwrap_or(UNITS_MAX).clamp(1, UNITS_MAX)
}
