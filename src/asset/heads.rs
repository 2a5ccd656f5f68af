//! Whole assets, and the heads that planning compares.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::digest::{RecipeDigest, RenditionsDigest, RowDigest};

use super::{AssetKey, GeneratorName, Labels, Place, Recipe, Rendition, Row, Seed, SeedBase, renditions_digest};

/// What planning compares of an asset: everything else about it is asked for only where this differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its key.
    pub key: AssetKey,
    /// The recipe's digest, with the seed that the manifest alone gives.
    pub recipe: RecipeDigest,
    /// The digest over all renditions.
    pub renditions: RenditionsDigest,
    /// The digest of the row's inputs; `None` where nothing is published to a table.
    pub row: Option<RowDigest>,
    /// The labels beyond the key as canonical JSON; `None` where there are none.
    pub extra_labels: Option<Box<str>>,
    /// What the manifest says of protection; `None` where it says nothing.
    pub protect: Option<bool>,
    /// Whether it is held.
    pub hold: bool,
}

/// Where an asset's seed comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFrom {
    /// What the seed is made from.
    pub base: SeedBase,
    /// Which take of it.
    pub take: u32,
}

/// One wanted image, fully decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    /// Its key.
    pub key: AssetKey,
    /// Its labels, those beyond the key too.
    pub labels: Labels,
    /// The generator's name in the manifest, which the environment maps to a service.
    pub generator: GeneratorName,
    /// Everything that decides the pixels.
    pub recipe: Recipe,
    /// Where the recipe's seed comes from.
    pub seed_from: SeedFrom,
    /// The rendered vars that the prompts use.
    pub vars: BTreeMap<String, String>,
    /// Its published forms.
    pub renditions: Vec<Rendition>,
    /// Its row; `None` where nothing is published to a table.
    pub row: Option<Row>,
    /// What the manifest says of protection; `None` where it says nothing.
    pub protect: Option<bool>,
    /// Whether it is held.
    pub hold: bool,
    /// Where each field and var that it uses was decided, by name; `""` is the asset itself. A field of the recipe whose
    /// name a var or rendition has, too, is found as `with.name`.
    pub places: BTreeMap<String, Place>,
}

impl Asset {
    /// Gives the asset another seed, in the recipe and in the row.
    pub fn with_seed(mut self, seed: Seed, seed_from: SeedFrom) -> Self {
        self.seed_from = seed_from;
        self.recipe.seed = self.recipe.seed.and(Some(seed));
        let recipe = self.recipe.clone();
        self.row = self.row.map(|row| row.with_recipe(&recipe));
        self
    }

    /// Returns the digest over all renditions.
    pub fn renditions_digest(&self) -> RenditionsDigest {
        renditions_digest(self.renditions.iter().map(|rendition| (&rendition.name, &rendition.digest)))
    }

    /// Returns where a field of the recipe was decided, or else where the asset stands.
    pub fn field_place(&self, field: &str) -> Option<&Place> {
        self.places.get(&format!("with.{field}")).or_else(|| self.place(field))
    }

    /// Returns where a field was decided, or else where the asset stands.
    pub fn place(&self, field: &str) -> Option<&Place> {
        self.places.get(field).or_else(|| self.places.get(""))
    }
}

/// Hands out whole assets by their number in manifest order.
pub trait Assets: Sync {
    /// Returns one asset whole.
    fn asset(&self, index: usize) -> Asset;
}

/// What planning needs of all assets, in manifest order, found by key.
pub struct Heads {
    heads: Vec<Head>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    twins: Vec<(u32, u32)>,
}

impl Heads {
    /// Takes the heads of a collection, in manifest order.
    pub fn new(heads: Vec<Head>) -> Self {
        let hasher = DefaultHashBuilder::default();
        let hash = |head: &Head| hasher.hash_one(Folded(head.key.as_str()));
        let mut index = HashTable::with_capacity(heads.len());
        let mut twins = Vec::new();
        for (number, head) in heads.iter().enumerate() {
            let same = |other: &u32| heads[*other as usize].key.as_str().eq_ignore_ascii_case(head.key.as_str());
            match index.find(hash(head), same) {
                Some(first) => twins.push((number as u32, *first)),
                None => {
                    index.insert_unique(hash(head), number as u32, |number| hash(&heads[*number as usize]));
                }
            }
        }
        Self { heads, index, hasher, twins }
    }

    /// Returns all heads, in manifest order.
    pub fn all(&self) -> &[Head] {
        &self.heads
    }

    /// Finds the number of an asset by its exact key.
    pub fn find(&self, key: &str) -> Option<usize> {
        let same = |other: &u32| self.heads[*other as usize].key.as_str() == key;
        self.index.find(self.hasher.hash_one(Folded(key)), same).map(|number| *number as usize)
    }

    /// Finds the number of an asset whose key differs in case only.
    pub fn find_folded(&self, key: &str) -> Option<usize> {
        let same = |other: &u32| self.heads[*other as usize].key.as_str().eq_ignore_ascii_case(key);
        self.index.find(self.hasher.hash_one(Folded(key)), same).map(|number| *number as usize)
    }

    /// Returns the pairs of assets whose keys differ at most in case: the later one, then the earlier one.
    pub fn twins(&self) -> &[(u32, u32)] {
        &self.twins
    }
}

/// Hashes a key without its case.
struct Folded<'k>(&'k str);

impl std::hash::Hash for Folded<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let mut folded = [0; 64];
        for chunk in self.0.as_bytes().chunks(64) {
            let part = &mut folded[..chunk.len()];
            part.copy_from_slice(chunk);
            part.make_ascii_lowercase();
            state.write(part);
        }
    }
}
