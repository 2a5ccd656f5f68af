//! Records that a plan touches, read again under the lease: a plan that was made from others is refused.

use std::collections::HashMap;

use crate::asset::{AssetKey, CollectionName};
use crate::plan::{Change, CollectionPlan, Snapshot};
use crate::record::Record;
use crate::state::State;

use super::ApplyError;

/// The records that a plan touches, by where they are now.
pub type Records = HashMap<(CollectionName, AssetKey), Record>;

/// Reads the touched records again and refuses a plan that was made from others.
pub async fn touched(state: &dyn State, plan: &CollectionPlan) -> Result<Records, ApplyError> {
    let mut keys: HashMap<CollectionName, Vec<AssetKey>> = HashMap::new();
    for change in &plan.changes {
        let (collection, key) = source(plan, change);
        keys.entry(collection).or_default().push(key);
    }
    let mut records = HashMap::new();
    for (collection, keys) in keys {
        for record in state.records(&collection, &keys).await? {
            records.insert((collection.clone(), record.key.clone()), record);
        }
    }
    for change in &plan.changes {
        let record = records.get(&source(plan, change));
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

/// Returns where a change's record is now.
pub fn source(plan: &CollectionPlan, change: &Change) -> (CollectionName, AssetKey) {
    change.moved_from.clone().unwrap_or_else(|| (plan.name.clone(), change.key.clone()))
}
