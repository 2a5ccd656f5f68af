//! Whether a manifest that was edited differs from what it was in one pick, and in nothing else.

use crate::asset::{Asset, Heads};

use super::super::{Manifest, Moved};
use super::Pick;

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickVerdict {
    /// The pick, and nothing else.
    Only,
    /// Nothing: something else has the last word.
    Overruled,
    /// Something else, too.
    More,
}

/// Tells whether an asset is as a pick says.
pub fn holds(asset: &Asset, pick: Pick) -> bool {
    match pick {
        Pick::Take(take) => asset.seed_from.take == take,
        Pick::Seed(seed) => asset.seed_from.take == 0 && asset.recipe.seed == Some(seed),
    }
}

/// Compares a manifest with what was made of it.
pub fn only(pick: Pick, index: usize, before: (&Manifest, &Heads), after: (&Manifest, &Heads)) -> PickVerdict {
    let ((was, heads), (is, edited_heads)) = (before, after);
    if !same_document(was, is) || heads.all().len() != edited_heads.all().len() {
        return PickVerdict::More;
    }
    let mut pairs = heads.all().iter().zip(edited_heads.all()).enumerate();
    if !pairs.all(|(number, (one, other))| if number == index { one.key == other.key } else { one == other }) {
        return PickVerdict::More;
    }
    let (was, is) = (was.resolve_asset(index), is.resolve_asset(index));
    match (same_but_for_the_pick(&was, &is, pick), holds(&is, pick)) {
        (true, true) => PickVerdict::Only,
        (true, false) => PickVerdict::Overruled,
        (false, _) => PickVerdict::More,
    }
}

/// Compares what manifests say beyond their assets.
fn same_document(was: &Manifest, is: &Manifest) -> bool {
    let moved = |manifest: &Manifest| -> Vec<_> {
        let line =
            |Moved { from_collection, from, to, place: _ }: &Moved| (from_collection.clone(), from.clone(), to.clone());
        manifest.moved.iter().map(line).collect()
    };
    let warnings = |manifest: &Manifest| -> Vec<String> {
        manifest.warnings.iter().map(|warning| warning.message.clone()).collect()
    };
    was.name == is.name
        && was.key == is.key
        && moved(was) == moved(is)
        && was.removed == is.removed
        && was.folders() == is.folders()
        && was.table() == is.table()
        && warnings(was) == warnings(is)
}

fn same_but_for_the_pick(was: &Asset, is: &Asset, pick: Pick) -> bool {
    // What moves with every line that is added says nothing.
    let Asset { key, labels, generator, recipe, seed_from, vars, renditions, row, protect, hold, places: _ } = is;
    let mut recipe = recipe.clone();
    recipe.seed = was.recipe.seed;
    recipe.take = was.recipe.take;
    let base = match pick {
        Pick::Take(_) => seed_from.base == was.seed_from.base,
        Pick::Seed(_) => true,
    };
    let same_row = match (&was.row, row) {
        (Some(one), Some(other)) => {
            let mut inputs = other.inputs.clone();
            for name in ["seed", "take"] {
                if let (Some(input), Some(old)) = (inputs.get_mut(name), one.inputs.get(name)) {
                    input.clone_from(old);
                }
            }
            one.shape == other.shape && one.inputs == inputs
        }
        (one, other) => one.is_none() && other.is_none(),
    };
    base && same_row
        && was.recipe == recipe
        && (&was.key, &was.labels, &was.generator, &was.vars) == (key, labels, generator, vars)
        && (&was.renditions, &was.protect, &was.hold) == (renditions, protect, hold)
}
