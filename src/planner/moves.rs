//! Renames: which record belongs to which declared key.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::asset::{AssetKey, CollectionName, Heads};
use crate::glob::GlobIndex;
use crate::manifest::{MOVED_CHAIN_MAX, Manifest};
use crate::plan::{CollectionPlan, Suspects};
use crate::record::RecordHead;
use crate::state::{AppliedMove, RenameMemory, ScanVisitor, StateError};
use crate::world::World;

use super::PlannerError;
use super::move_routes::{Conflict, Route, Routes, TwoLines};

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

/// What was before this plan, as far as renames go.
pub(super) struct MoveHistory<'p> {
    /// Renames that were carried out and whose lines still stand.
    pub standing: &'p [AppliedMove],
    /// The recorded keys that a rename could start from.
    pub candidates: &'p BTreeMap<CollectionName, BTreeSet<AssetKey>>,
    /// Renames that were carried out within the collections that records come from.
    pub before: &'p HashSet<AppliedMove>,
}

/// Collects the keys of a collection.
#[derive(Default)]
struct KeyCollector(BTreeSet<AssetKey>);

impl ScanVisitor for KeyCollector {
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
        let RenameMemory { mut standing, settled, stale: _ } = Self::remembered(world, manifest).await?;
        standing.extend(settled);
        let candidates = candidates(world, manifest, heads, suspects).await?;
        let mut before = HashSet::new();
        for collection in candidates.keys().filter(|collection| **collection != manifest.name) {
            before.extend(world.state.moves(collection).await?);
        }
        let past = MoveHistory { standing: &standing, candidates: &candidates, before: &before };
        moves.assign(manifest, heads, &past)?;
        Ok(moves)
    }

    /// Gives each declared key the record that the lines of `moved` lead to it, and tells what is left over.
    ///
    /// # Errors
    /// [`PlannerError::TwoLines`] where two lines cannot both be meant.
    pub(super) fn assign(
        &mut self,
        manifest: &Manifest,
        heads: &Heads,
        past: &MoveHistory<'_>,
    ) -> Result<(), PlannerError> {
        let routes = Routes::new(manifest, heads);
        let standing: HashSet<&AppliedMove> = past.standing.iter().collect();
        let mut found = Vec::new();
        for (collection, keys) in past.candidates {
            for from in keys {
                let done = |to: &AssetKey| standing.contains(&(collection.clone(), from.clone(), to.clone()));
                let two_lines = |lines| PlannerError::TwoLines(Box::new(lines));
                let Some(route) = routes.of(collection, from, done).map_err(two_lines)? else { continue };
                one_after_the_other(&routes, manifest, past, (collection, from, &route)).map_err(two_lines)?;
                found.push((route, collection, from));
            }
        }
        // Of several records that are led to one key it is that of the more exact line, or of the first.
        found.sort_by_key(|(route, _, from)| (route.line.exactness(), route.line.place.line, *from));
        for (route, collection, from) in found {
            self.into.entry(route.to).or_insert_with(|| (collection.clone(), from.clone()));
        }
        self.settle(manifest, past.candidates.get(&manifest.name));
        Ok(())
    }

    /// Returns the renames that were carried out and whose line still stands, and how many have lost their line.
    ///
    /// # Errors
    /// When the state cannot be read.
    async fn remembered(world: &World, manifest: &Manifest) -> Result<RenameMemory, StateError> {
        let applied = world.state.moves(&manifest.name).await?;
        let starts = GlobIndex::new(manifest.moved.iter().map(|line| &line.from));
        let (standing, stale): (Vec<_>, Vec<_>) =
            applied.into_iter().partition(|applied| covers(manifest, &starts, applied));
        let mut memory = RenameMemory { standing, stale: stale.len(), settled: Vec::new() };
        let others = manifest.moved.iter().map(|line| &line.from_collection).filter(|name| **name != manifest.name);
        for other in others.collect::<BTreeSet<_>>() {
            // What was carried out under the collection's old name is carried out.
            let within = world.state.moves(other).await?.into_iter().filter(|(collection, _, _)| collection == other);
            let own = within.map(|(_, from, to)| (manifest.name.clone(), from, to));
            memory.settled.extend(own.filter(|own| covers(manifest, &starts, own)));
        }
        memory.settled.retain(|own| !memory.standing.contains(own));
        Ok(memory)
    }

    /// Returns what a run has to remember of renames once it has carried a plan out.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn to_remember(
        world: &World,
        manifest: &Manifest,
        plan: &CollectionPlan,
    ) -> Result<RenameMemory, StateError> {
        let mut memory = Self::remembered(world, manifest).await?;
        let ends = GlobIndex::new(manifest.moved.iter().map(|line| &line.to));
        let mut matching = Vec::new();
        // A key that gets a picture of its own had no record that could have been renamed to it.
        let new = plan.changes.iter().filter(|change| change.before.is_none() && change.moved_from.is_none());
        for key in new.map(|change| &change.key) {
            ends.find(key.as_str(), &mut matching);
            let lines = matching.iter().map(|number| &manifest.moved[*number as usize]);
            let from = lines.filter_map(|line| {
                Some((line.from_collection.clone(), line.from_of(key.as_str())?.parse().ok()?, key.clone()))
            });
            memory.settled.extend(from);
        }
        Ok(memory)
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

/// Refuses a record of another collection whose line leads to a key at which a line of this collection begins, where no
/// record of this collection is: one record takes one line, and to stop at the first may not be what is meant.
fn one_after_the_other(
    routes: &Routes<'_>,
    manifest: &Manifest,
    past: &MoveHistory<'_>,
    (collection, from, first): (&CollectionName, &AssetKey, &Route<'_>),
) -> Result<(), TwoLines> {
    let is_there = past.candidates.get(&manifest.name).is_some_and(|keys| keys.contains(&first.to));
    if *collection == manifest.name || is_there {
        return Ok(());
    }
    // What was carried out under the collection's old name is done.
    let done = |to: &AssetKey| past.before.contains(&(collection.clone(), first.to.clone(), to.clone()));
    let Some(second) = routes.of(&manifest.name, &first.to, done)? else { return Ok(()) };
    Err(TwoLines {
        collection: collection.clone(),
        key: from.clone(),
        lines: [(first.to.clone(), first.line.place.clone()), (second.to, second.line.place.clone())],
        conflict: Conflict::OneAfterTheOther,
    })
}

/// Tells whether a line, or those that lead on from it, leads from one key to the other.
fn covers(manifest: &Manifest, starts: &GlobIndex, (collection, from, to): &AppliedMove) -> bool {
    let mut reached = vec![(collection, from.to_string())];
    let mut matching = Vec::new();
    for _ in 0..MOVED_CHAIN_MAX {
        let mut step = |(collection, key): &(&CollectionName, String)| -> Vec<String> {
            starts.find(key, &mut matching);
            let lines = matching.iter().map(|number| &manifest.moved[*number as usize]);
            lines.filter(|line| line.from_collection == **collection).filter_map(|line| line.fill(key)).collect()
        };
        let next: BTreeSet<String> = reached.iter().flat_map(&mut step).collect();
        if next.contains(to.as_str()) {
            return true;
        }
        reached = next.into_iter().map(|key| (&manifest.name, key)).collect();
        if reached.is_empty() {
            break;
        }
    }
    false
}

/// Returns the recorded keys that a rename could start from, by collection.
async fn candidates(
    world: &World,
    manifest: &Manifest,
    heads: &Heads,
    suspects: &Suspects,
) -> Result<BTreeMap<CollectionName, BTreeSet<AssetKey>>, PlannerError> {
    let mut candidates: BTreeMap<CollectionName, BTreeSet<AssetKey>> = BTreeMap::new();
    let ends = GlobIndex::new(manifest.moved.iter().flat_map(|line| [&line.from, &line.to]));
    for line in &manifest.moved {
        if candidates.contains_key(&line.from_collection) {
            continue;
        }
        let keys = if line.from_collection == manifest.name {
            let keys = heads.all().iter().map(|head| &head.key);
            let declared: Vec<AssetKey> = keys.filter(|key| ends.matches(key.as_str())).cloned().collect();
            let recorded = world.state.records(&manifest.name, &declared).await?;
            recorded.into_iter().map(|record| record.key).chain(suspects.strangers.iter().cloned()).collect()
        } else {
            let mut keys = KeyCollector::default();
            world.state.scan(&line.from_collection, None, &mut keys).await?;
            keys.0
        };
        candidates.insert(line.from_collection.clone(), keys);
    }
    Ok(candidates)
}
