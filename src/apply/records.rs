//! Records that a plan touches, read again under the lease: a plan that was made from others is refused. And the recipes
//! that no record has yet.

use crate::asset::Recipe;
use crate::plan::{Action, AssetSnapshot, Change, CollectionPlan};
use crate::state::{Records, State, records_of};

use super::item::item;
use super::{ApplyError, Work};

/// Reads the touched records again and refuses a plan that was made from others.
pub async fn touched(state: &dyn State, plan: &CollectionPlan) -> Result<Records, ApplyError> {
    let records = records_of(state, plan.changes.iter().map(|change| plan.source(change))).await?;
    for change in &plan.changes {
        let record = records.get(&plan.source(change));
        let now = record.map(AssetSnapshot::of);
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

/// Recipes that are kept at a time.
const RECIPES: usize = 500;

/// Keeps the recipes that a plan makes pictures of: what they were made of can be told later, published or not.
pub async fn keep_recipes(state: &dyn State, work: &Work<'_>, records: Option<&Records>) -> Result<(), ApplyError> {
    let none = Records::default();
    let records = records.unwrap_or(&none);
    let made: Vec<&Change> = work.plan.changes.iter().filter(|change| change.action == Action::Generate).collect();
    for changes in made.chunks(RECIPES) {
        let assets = changes.iter().filter_map(|change| item(work, records, change).asset);
        let recipes: Vec<Recipe> = assets.map(|asset| asset.recipe).collect();
        state.keep_recipes(&recipes).await?;
    }
    Ok(())
}
