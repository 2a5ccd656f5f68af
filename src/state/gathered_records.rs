//! Records of several collections, gathered in one question for each of them.

use std::collections::{BTreeMap, HashMap};

use super::{State, StateError};
use crate::asset::{AssetKey, CollectionName};
use crate::record::Record;

/// Records, by where they are.
pub type Records = HashMap<(CollectionName, AssetKey), Record>;

/// Returns the whole records of those assets that have one.
///
/// # Errors
/// What the state says.
pub async fn records_of(
    state: &dyn State,
    assets: impl Iterator<Item = (CollectionName, AssetKey)>,
) -> Result<Records, StateError> {
    let mut keys: BTreeMap<CollectionName, Vec<AssetKey>> = BTreeMap::new();
    for (collection, key) in assets {
        keys.entry(collection).or_default().push(key);
    }
    let mut records = HashMap::new();
    for (collection, keys) in keys {
        let found = state.records(&collection, &keys).await?;
        records.extend(found.into_iter().map(|record| ((collection.clone(), record.key.clone()), record)));
    }
    Ok(records)
}
