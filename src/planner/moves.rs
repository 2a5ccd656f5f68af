//! Renames: which record belongs to which declared key.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::asset::{AssetKey, CollectionName, Heads};
use crate::glob::GlobIndex;
use crate::manifest::{Manifest, Moved};
use crate::plan::Suspects;
use crate::record::RecordHead;
use crate::state::{AppliedMove, StateError, Visitor};
use crate::world::World;

use super::PlannerError;

/// Which records go where.
#[derive(Debug, Default)]
pub struct Moves {
    /// For each declared key that a record is renamed to: where the record is.
    pub into: BTreeMap<AssetKey, (CollectionName, AssetKey)>,
    /// Declared keys of this collection whose own record goes elsewhere.
    pub vacated: BTreeSet<AssetKey>,
    /// Keys of records of this collection that nothing declares and nothing renames.
    pub deleted: Vec<AssetKey>,
}

/// Collects the keys of a collection.
#[derive(Default)]
struct Keys(BTreeSet<AssetKey>);

impl Visitor for Keys {
    fn record(&mut self, head: RecordHead<'_>) {
        self.0.extend(head.key.parse::<AssetKey>().ok());
    }

    fn row(&mut self, _: &str, _: crate::digest::SeenDigest) {}
}

impl Moves {
    /// Finds the renames of a manifest that are still to be carried out.
    pub async fn find(
        world: &World,
        manifest: &Manifest,
        heads: &Heads,
        suspects: &Suspects,
    ) -> Result<Self, PlannerError> {
        let mut moves = Self { deleted: suspects.strangers.clone(), ..Self::default() };
        if manifest.moved.is_empty() {
            return Ok(moves);
        }
        let (standing, _) = Self::remembered(world, manifest).await?;
        let candidates = candidates(world, manifest, heads, suspects).await?;
        moves.assign(manifest, heads, &standing, &candidates);
        Ok(moves)
    }

    /// Gives each declared key the record that its line of `moved` names, and tells what is left over.
    ///
    /// `standing` are renames that were carried out, `candidates` the recorded keys that one could start from.
    pub(super) fn assign(
        &mut self,
        manifest: &Manifest,
        heads: &Heads,
        standing: &[AppliedMove],
        candidates: &BTreeMap<CollectionName, BTreeSet<AssetKey>>,
    ) {
        let standing: HashSet<&AppliedMove> = standing.iter().collect();
        let mut taken: HashSet<(CollectionName, AssetKey)> = self.into.values().cloned().collect();
        for (line, from) in starts(manifest, candidates) {
            let line = &manifest.moved[line as usize];
            let Some(captured) = line.from.captures(from.as_str()) else { continue };
            let Some(index) = heads.find(&line.to.fill(&captured)) else { continue };
            let to = heads.all()[index].key.clone();
            let itself = line.from_collection == manifest.name && *from == to;
            let done = (line.from_collection.clone(), from.clone(), to);
            if itself || standing.contains(&done) || self.into.contains_key(&done.2) {
                continue;
            }
            let (collection, from, to) = done;
            if taken.insert((collection.clone(), from.clone())) {
                self.into.insert(to, (collection, from));
            }
        }
        self.settle(manifest, candidates.get(&manifest.name));
    }

    /// Returns the renames that were carried out and whose line still stands, and how many have lost their line.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn remembered(world: &World, manifest: &Manifest) -> Result<(Vec<AppliedMove>, usize), StateError> {
        let applied = world.state.moves(&manifest.name).await?;
        let count = applied.len();
        let (lines, mut matching) = (lines_from(manifest), Vec::new());
        let mut stands = |(collection, from, to): &AppliedMove| {
            lines.find(from.as_str(), &mut matching);
            matching.iter().any(|line| covers(&manifest.moved[*line as usize], collection, from, to))
        };
        let standing: Vec<_> = applied.into_iter().filter(&mut stands).collect();
        let stale = count - standing.len();
        Ok((standing, stale))
    }

    /// Drops renames onto keys whose own record stays, until none is left; then tells what is vacated and deleted.
    fn settle(&mut self, manifest: &Manifest, recorded: Option<&BTreeSet<AssetKey>>) {
        loop {
            let leaving: BTreeSet<AssetKey> = self
                .into
                .values()
                .filter(|(collection, _)| *collection == manifest.name)
                .map(|(_, from)| from.clone())
                .collect();
            let occupied = |to: &AssetKey| recorded.is_some_and(|keys| keys.contains(to)) && !leaving.contains(to);
            let before = self.into.len();
            self.into.retain(|to, _| !occupied(to));
            if self.into.len() == before {
                self.deleted.retain(|key| !leaving.contains(key));
                self.vacated = leaving;
                return;
            }
        }
    }

    /// Returns how many records leave each collection.
    pub fn left(&self) -> BTreeMap<CollectionName, u64> {
        let mut left = BTreeMap::new();
        for (collection, _) in self.into.values() {
            *left.entry(collection.clone()).or_insert(0) += 1;
        }
        left
    }
}

fn covers(line: &Moved, collection: &CollectionName, from: &AssetKey, to: &AssetKey) -> bool {
    let filled = || line.from.captures(from.as_str()).map(|captured| line.to.fill(&captured));
    line.from_collection == *collection && filled().as_deref() == Some(to.as_str())
}

/// Finds lines of `moved` by what they rename from, whatever the collection.
fn lines_from(manifest: &Manifest) -> GlobIndex {
    GlobIndex::new(manifest.moved.iter().map(|line| &line.from))
}

/// Returns the recorded keys that a line names, each with the line's number: line by line, each line's by key.
fn starts<'c>(
    manifest: &Manifest,
    candidates: &'c BTreeMap<CollectionName, BTreeSet<AssetKey>>,
) -> Vec<(u32, &'c AssetKey)> {
    let (lines, mut matching) = (lines_from(manifest), Vec::new());
    let mut starts = Vec::new();
    for (collection, keys) in candidates {
        for key in keys {
            lines.find(key.as_str(), &mut matching);
            let own = |line: &&u32| manifest.moved[**line as usize].from_collection == *collection;
            starts.extend(matching.iter().filter(own).map(|line| (*line, key)));
        }
    }
    starts.sort_unstable();
    starts
}

/// Returns the recorded keys that a rename could start from, by collection.
async fn candidates(
    world: &World,
    manifest: &Manifest,
    heads: &Heads,
    suspects: &Suspects,
) -> Result<BTreeMap<CollectionName, BTreeSet<AssetKey>>, PlannerError> {
    let mut candidates: BTreeMap<CollectionName, BTreeSet<AssetKey>> = BTreeMap::new();
    let ends = manifest.moved.iter().flat_map(|line| [&line.from, &line.to]);
    let (ends, mut matching) = (GlobIndex::new(ends), Vec::new());
    for line in &manifest.moved {
        if candidates.contains_key(&line.from_collection) {
            continue;
        }
        let keys = if line.from_collection == manifest.name {
            let mut named = |key: &str| {
                ends.find(key, &mut matching);
                !matching.is_empty()
            };
            let declared: Vec<AssetKey> =
                heads.all().iter().map(|head| &head.key).filter(|key| named(key.as_str())).cloned().collect();
            let recorded = world.state.records(&manifest.name, &declared).await?;
            recorded.into_iter().map(|record| record.key).chain(suspects.strangers.iter().cloned()).collect()
        } else {
            let mut keys = Keys::default();
            world.state.scan(&line.from_collection, None, &mut keys).await?;
            keys.0
        };
        candidates.insert(line.from_collection.clone(), keys);
    }
    Ok(candidates)
}
