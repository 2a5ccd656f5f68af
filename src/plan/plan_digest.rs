//! The name of a plan: a digest over what was reviewed, and nothing else.

use super::{Action, AssetSnapshot, Cause, Change, Plan};
use crate::asset::{AssetKey, CollectionName};
use crate::digest::{PLAN_DOMAIN, PlanDigest, RecipeDigest, RenditionsDigest, RowDigest, canonical_digest};

impl Plan {
    /// Returns the name of what was reviewed: over environment, collection, key, before and after of each change that a
    /// manifest asks for. What was lost or edited and open questions are outside it, and so are actions, prices and times.
    pub fn digest(&self) -> PlanDigest {
        let covered = self.changes().filter(|(_, change)| !change.is_outside());
        let covered = covered.map(|(collection, change)| (&collection.name, &change.key, change.before, change.after));
        digest(&self.environment, covered)
    }
}

impl Change {
    /// Tells whether the change is no part of what a plan's digest covers.
    pub fn is_outside(&self) -> bool {
        let relabelled = self.reasons.iter().any(|reason| matches!(reason.cause, Cause::LabelChanged { .. }));
        let beyond = if relabelled || self.moved_from.is_some() { Beyond::Names } else { Beyond::Nothing };
        is_outside(self.action, (self.before, self.after), beyond)
    }
}

/// What a change asks for beyond what its two sides tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// Nothing.
    Nothing,
    /// Another key, or other labels beyond it.
    Names,
}

/// Tells whether a change is no part of what a plan's digest covers: nothing is asked for by a manifest, so that it only
/// puts right what was lost or edited, or it waits for a decision about the very picture that is asked for.
pub fn is_outside(
    action: Action,
    (before, after): (Option<AssetSnapshot>, Option<AssetSnapshot>),
    beyond: Beyond,
) -> bool {
    let asks_nothing = before == after && beyond == Beyond::Nothing;
    let recipe = |side: Option<AssetSnapshot>| side.map(|side| side.recipe);
    match action {
        Action::Repair => true,
        Action::Unknown => asks_nothing || recipe(before) != recipe(after),
        Action::Adopt
        | Action::Generate
        | Action::Reuse
        | Action::Render
        | Action::Move
        | Action::Publish
        | Action::Record
        | Action::Delete
        | Action::Keep => asks_nothing,
    }
}

/// Returns the digest of a plan for an environment with these changes: collection, key, before and after of each.
pub fn digest<'c>(
    environment: &str,
    changes: impl Iterator<Item = (&'c CollectionName, &'c AssetKey, Option<AssetSnapshot>, Option<AssetSnapshot>)>,
) -> PlanDigest {
    #[derive(serde::Serialize)]
    struct Side {
        recipe: RecipeDigest,
        renditions: RenditionsDigest,
        row: Option<RowDigest>,
        protect: bool,
        hold: bool,
    }
    let side = |snapshot: Option<AssetSnapshot>| {
        snapshot.map(|AssetSnapshot { recipe, renditions, row, protect, hold }| Side {
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
