//! Items: changes with their assets and records, as many at a time as may be worked on.

use crate::asset::Asset;
use crate::plan::{Action, Change, settle_seed, with_taken_seed};
use crate::record::{Original, Published, Record};
use crate::state::Records;

use super::{ApplyError, Work};

/// Assets of one batch at most.
const BATCH: usize = 500;
/// Pixels of one batch at most, three bytes each while they are worked on.
const BATCH_PIXELS: u64 = 20_000_000;

/// What one asset's files came to.
pub type Filed = Result<(Original, Vec<Published>), ApplyError>;

/// One change with its asset.
pub struct Item<'i> {
    /// The change.
    pub change: &'i Change,
    /// `None` for deletions.
    pub asset: Option<Asset>,
    /// Its record, if it has one.
    pub record: Option<&'i Record>,
    /// The recipe and renditions are those of the record.
    pub held: bool,
}

/// Resolves the assets of the next batch: as many as may be worked on at once, and one at least.
pub fn next_batch<'i>(work: &Work<'_>, records: &'i Records, changes: &[&'i Change]) -> Vec<Item<'i>> {
    let mut batch = Vec::new();
    let mut pixels = 0;
    for change in changes.iter().take(BATCH) {
        let item = item(work, records, change);
        let decodes = matches!(change.action, Action::Generate | Action::Reuse | Action::Render);
        if let (Some(asset), true) = (&item.asset, decodes || change.has_file_drift()) {
            let (width, height) = asset.recipe.picture_size();
            pixels += u64::from(width) * u64::from(height);
        }
        if pixels > BATCH_PIXELS && !batch.is_empty() {
            break;
        }
        batch.push(item);
    }
    batch
}

/// Resolves the asset of a change, with the seed that its record keeps.
pub fn item<'i>(work: &Work<'_>, records: &'i Records, change: &'i Change) -> Item<'i> {
    let record = match change.before {
        Some(_) => records.get(&work.plan.source(change)),
        None => None,
    };
    let mut asset = match (change.index, work.assets) {
        (Some(index), Some(assets)) => Some(settle_seed(assets.asset(index), record)),
        _ => None,
    };
    if let (Some(adoption), Action::Adopt) = (&change.adoption, change.action) {
        asset = asset.map(|asset| with_taken_seed(asset, adoption.seed));
    }
    let held = record.is_some() && asset.as_ref().is_some_and(|asset| asset.hold);
    if let (Some(asset), Some(record), true) = (&mut asset, record, held) {
        // A picture that has to be made again is the one that is held, whatever the manifest says by now.
        asset.recipe = record.recipe.clone();
    }
    Item { change, asset, record, held }
}
