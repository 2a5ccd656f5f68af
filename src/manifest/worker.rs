//! The worker that resolves assets, one after the other; what it does stands in `resolve` and `recipe`.

use crate::asset::{GeneratorName, Recipe, SeedFrom};
use crate::yaml::Mistakes;

use super::Manifest;
use super::reserved::PATH_NAMES;
use super::scratch::Scratch;

/// A recipe with what goes with it.
pub struct Decided {
    /// The generator's name in the manifest.
    pub generator: GeneratorName,
    /// The recipe, with the seed that the manifest alone gives.
    pub recipe: Recipe,
    /// Where that seed comes from.
    pub seed_from: SeedFrom,
}

/// Resolves assets one after the other.
pub struct Worker<'m> {
    pub(super) manifest: &'m Manifest,
    pub(super) scratch: Scratch<'m>,
    /// For each rendition the labels and vars that its path uses, ascending.
    pub(super) path_inputs: Vec<Vec<&'m str>>,
    pub(super) buffer: Vec<u8>,
    pub(super) mistakes: Mistakes,
}

impl<'m> Worker<'m> {
    pub(super) fn new(manifest: &'m Manifest) -> Self {
        let path_inputs = manifest
            .renditions
            .iter()
            .map(|line| {
                let names = line.path.value.names().iter().map(|name| &**name);
                let mut names: Vec<_> = names.filter(|name| !PATH_NAMES.contains(name)).collect();
                names.sort_unstable();
                names
            })
            .collect();
        let scratch = Scratch::new(manifest);
        Self { manifest, scratch, path_inputs, buffer: Vec::with_capacity(1_024), mistakes: Mistakes::default() }
    }
}
