//! Records that a plan touches, read again under the lease: a plan that was made from others is refused.

use crate::plan::{Change, CollectionPlan, Snapshot};
use crate::state::{Records, State, records_of};

use super::ApplyError;

/// Reads the touched records again and refuses a plan that was made from others.
pub async fn touched(state: &dyn State, plan: &CollectionPlan) -> Result<Records, ApplyError> {
    let records = records_of(state, plan.changes.iter().map(|change| plan.source(change))).await?;
    for change in &plan.changes {
        let record = records.get(&plan.source(change));
        let now = record.map(Snapshot::of);
        // Where the record of a new asset's key is renamed away in the same plan, it is another asset's record.
        let renamed_away = || {
            let from_here = |other: &Change| {
                other.moved_from.as_ref().is_some_and(|(name, key)| *name == plan.name && *key == change.key)
            };
            change.before.is_none() && plan.changes.iter().any(from_here)
        };
        if now != change.before && !renamed_away() {
            return Err(ApplyError::Stale { key: change.key.clone() });
        }
    }
    Ok(records)
}
