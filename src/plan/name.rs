//! The name of a plan: a digest over what was reviewed, and nothing else.

use super::{Action, Plan, Snapshot};
use crate::asset::{AssetKey, CollectionName};
use crate::digest::{PLAN_DOMAIN, PlanDigest, RecipeDigest, RenditionsDigest, RowDigest, canonical_digest};

impl Plan {
    /// Returns the name of what was reviewed: over environment, collection, key, before and after of each change;
    /// repairs and open questions are outside it, and so are actions, prices and times.
    pub fn digest(&self) -> PlanDigest {
        let covered = self.changes().filter(|(_, change)| !is_outside(change.action));
        let covered = covered.map(|(collection, change)| (&collection.name, &change.key, change.before, change.after));
        digest(&self.environment, covered)
    }
}

/// Tells whether an action is no part of what a plan's digest covers.
pub fn is_outside(action: Action) -> bool {
    matches!(action, Action::Repair | Action::Unknown)
}

/// Returns the digest of a plan for an environment with these changes: collection, key, before and after of each.
pub fn digest<'c>(
    environment: &str,
    changes: impl Iterator<Item = (&'c CollectionName, &'c AssetKey, Option<Snapshot>, Option<Snapshot>)>,
) -> PlanDigest {
    #[derive(serde::Serialize)]
    struct Side {
        recipe: RecipeDigest,
        renditions: RenditionsDigest,
        row: Option<RowDigest>,
        protect: bool,
        hold: bool,
    }
    let side = |snapshot: Option<Snapshot>| {
        snapshot.map(|Snapshot { recipe, renditions, row, protect, hold }| Side {
            recipe,
            renditions,
            row,
            protect,
            hold,
        })
    };
    let covered =
        changes.map(|(collection, key, before, after)| (collection.as_str(), key.as_str(), side(before), side(after)));
    let mut covered: Vec<_> = covered.collect();
    covered.sort_by_key(|(collection, key, _, _)| (*collection, *key));
    PlanDigest::from_bytes(canonical_digest(PLAN_DOMAIN, &(environment, covered)))
}
