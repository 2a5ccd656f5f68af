//! Manifests against older manifests: the plan that there would be if the older ones had been applied.
//!
//! Nothing is looked at: each older asset stands for a record, its picture and its files for being there, and the same
//! passes decide as for any plan. So it costs at most what it says: a picture may be there already, which nobody asks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::asset::{Asset, AssetKey, Assets as _, CollectionName, MicroUsd, ObjectPath};
use crate::digest::{ContentDigest, RecipeDigest, SeenDigest};
use crate::glob::GlobIndex;
use crate::imaging::RENDERER;
use crate::plan::{
    Action, AssetObservation, CollectionPlan, Completeness, Coverage, GuardLimits, HeadComparison, Note, PictureSource,
    Plan, Provenance, RowState, StoreFinding, Subject, decide, delete, guard, row_inputs, settle_seed,
};
use crate::record::{Original, Published, Record, RecordHead, RecordedRow};

use super::second_pass::{kept_unseen, price, put, source, to_decide, wanted_recipe};
use super::{AllManifests, DeclaredManifest, Moves, PlannerError, Selection, moves, row_owners, torn};
use crate::state::AppliedMove;

/// What is to be compared.
pub struct Comparing<'c> {
    /// The environment's name.
    pub environment: &'c str,
    /// The manifests, by collection name.
    pub declared: &'c [DeclaredManifest],
    /// The older ones.
    pub older: &'c [DeclaredManifest],
    /// Which assets are meant.
    pub selection: &'c Selection,
    /// What may not be exceeded.
    pub limits: GuardLimits,
    /// The time, as RFC 3339 text.
    pub created_at: String,
    /// Whether every manifest of the environment is among those declared.
    pub all_manifests: AllManifests,
    /// What a new picture costs, by generator name; free where it is not listed.
    pub prices: &'c BTreeMap<String, MicroUsd>,
}

/// The older manifests as what a state would remember of them.
struct OlderManifests<'c> {
    comparing: &'c Comparing<'c>,
    /// Recipes whose pictures are there: those of all older assets that are not held.
    made: HashSet<RecipeDigest>,
    /// Recipes that an asset further up gets made.
    making: HashMap<RecipeDigest, AssetKey>,
}

/// Makes a plan.
///
/// # Errors
/// When two collections declare one row, or a selection tears a rename apart.
pub fn against(comparing: &Comparing<'_>) -> Result<Plan, PlannerError> {
    row_owners::check_declared(comparing.declared)?;
    let heads = comparing.older.iter().flat_map(|older| older.heads.all());
    let made = heads.filter(|head| !head.hold).map(|head| head.recipe).collect();
    let mut past = OlderManifests { comparing, made, making: HashMap::new() };
    let mut moved_away: BTreeMap<CollectionName, u64> = BTreeMap::new();
    let mut collections = Vec::new();
    for declared in comparing.declared {
        let (collection, left) = past.collection(declared)?;
        for (from, count) in left {
            *moved_away.entry(from).or_insert(0) += count;
        }
        collections.push(collection);
    }
    let completeness = match (comparing.all_manifests, comparing.selection.is_all()) {
        (AllManifests::Read, true) => Completeness::Complete,
        _ => Completeness::Partial,
    };
    let mut plan = Plan {
        environment: comparing.environment.to_owned(),
        created_at: comparing.created_at.clone(),
        collections,
        refusals: Vec::new(),
        cap: comparing.limits.max_cost.map(|cap| cap.most),
        completeness,
        notes: gone(comparing, &moved_away),
    };
    plan.refusals = guard(&plan, comparing.limits, &StoreFinding::Usable);
    Ok(plan)
}

/// Tells of older collections that nothing declares any more.
fn gone(comparing: &Comparing<'_>, moved_away: &BTreeMap<CollectionName, u64>) -> Vec<Note> {
    if comparing.all_manifests == AllManifests::Some {
        return Vec::new();
    }
    let left = comparing.older.iter().filter_map(|older| {
        let name = &older.manifest.name;
        let declared = comparing.declared.iter().any(|declared| declared.manifest.name == *name);
        let records =
            (older.heads.all().len() as u64).saturating_sub(moved_away.get(name).copied().unwrap_or_default());
        (!declared && records > 0).then(|| Note::Undeclared { collection: name.clone(), records })
    });
    left.collect()
}

impl OlderManifests<'_> {
    fn older(&self, name: &CollectionName) -> Option<&DeclaredManifest> {
        self.comparing.older.iter().find(|older| older.manifest.name == *name)
    }

    /// Returns what a state would remember of an older asset.
    fn record(&self, collection: &CollectionName, key: &AssetKey) -> Option<Record> {
        let older = self.older(collection)?;
        Some(recorded(older.manifest.asset(older.heads.find(key.as_str())?)))
    }

    /// Plans one collection; tells too how many records leave which other collection.
    fn collection(
        &mut self,
        declared: &DeclaredManifest,
    ) -> Result<(CollectionPlan, BTreeMap<CollectionName, u64>), PlannerError> {
        let DeclaredManifest { manifest, heads } = declared;
        let selection = self.comparing.selection;
        let mut comparison = HeadComparison::new(heads, Coverage::NotAt);
        let older = self.older(&manifest.name);
        for head in older.iter().flat_map(|older| older.heads.all()) {
            comparison.record(&RecordHead {
                key: head.key.as_str(),
                recipe: head.recipe,
                renditions: head.renditions,
                row: head.row.map(|row| (row, SeenDigest::from_bytes([0; 32]))),
                protect: head.protect == Some(true),
                hold: head.hold,
                extra_labels: head.extra_labels.as_deref().unwrap_or_default(),
                objects: "",
            });
        }
        let suspects = comparison.finish();
        let mut moves = Moves { deleted: suspects.strangers.clone(), ..Moves::default() };
        if !manifest.moved.is_empty() {
            let (candidates, before) = (self.candidates(), self.renamed_before());
            let past = moves::MoveHistory { standing: &[], candidates: &candidates, before: &before };
            moves.assign(manifest, heads, &past)?;
        }
        let older_key = older.map(|older| &older.manifest.key).filter(|key| **key != manifest.key);
        let mut plan = CollectionPlan {
            uncovered_key: older_key.filter(|_| !moves.deleted.is_empty()).cloned(),
            table: manifest.table().map(|table| table.name.clone()),
            ..CollectionPlan::new(manifest.name.clone(), manifest.key.clone())
        };
        let numbers = to_decide(heads, &suspects, &moves);
        plan.kept = kept_unseen(selection, declared, &numbers);
        for number in numbers {
            self.decide(declared, number, &moves, &mut plan);
        }
        plan.changes.sort_by_key(|change| change.index);
        torn(&plan, &moves)?;
        let deleted = moves.deleted.iter().filter_map(|key| self.record(&manifest.name, key));
        let deleted = deleted.filter(|record| selection.takes(&manifest.name, record.key.as_str(), &record.labels));
        let removed = GlobIndex::new(&manifest.removed);
        let expected = |record: &Record| removed.matches(record.key.as_str());
        plan.changes.extend(deleted.map(|record| delete(&record, &manifest.key, expected(&record))));
        Ok((plan, moves.left()))
    }

    /// Returns the keys of all older assets, by collection: a rename could start from each.
    fn candidates(&self) -> BTreeMap<CollectionName, BTreeSet<AssetKey>> {
        let keys = |older: &DeclaredManifest| older.heads.all().iter().map(|head| head.key.clone()).collect();
        self.comparing.older.iter().map(|older| (older.manifest.name.clone(), keys(older))).collect()
    }

    /// Returns the renames that the older manifests ask for themselves: they were carried out.
    fn renamed_before(&self) -> HashSet<AppliedMove> {
        let each = |older: &'_ DeclaredManifest| -> Vec<AppliedMove> {
            let DeclaredManifest { manifest, heads } = older;
            let into = |head: &crate::asset::Head| {
                let lines = manifest.moved.iter().filter(|line| line.from_collection == manifest.name);
                let from = lines.filter_map(|line| line.from_of(head.key.as_str())?.parse().ok());
                from.map(|from| (manifest.name.clone(), from, head.key.clone())).collect::<Vec<_>>()
            };
            heads.all().iter().flat_map(into).collect()
        };
        self.comparing.older.iter().flat_map(each).collect()
    }

    fn decide(&mut self, declared: &DeclaredManifest, index: usize, moves: &Moves, plan: &mut CollectionPlan) {
        let DeclaredManifest { manifest, heads } = declared;
        let (collection, key) = source(manifest, moves, &heads.all()[index].key);
        let record = key.and_then(|key| self.record(&collection, &key));
        let asset = settle_seed(manifest.asset(index), record.as_ref());
        if !self.comparing.selection.takes(&manifest.name, asset.key.as_str(), &asset.labels) {
            return;
        }
        let recipe = wanted_recipe(&asset, record.as_ref());
        let is_recorded = record.as_ref().is_some_and(|record| record.recipe.digest() == recipe);
        let picture = match self.making.get(&recipe) {
            _ if is_recorded || self.made.contains(&recipe) => {
                PictureSource::There(original(&asset, recipe), Provenance::Kept)
            }
            Some(key) => PictureSource::MadeFor(key.clone()),
            None => PictureSource::ToMake,
        };
        let price = price(self.comparing.prices, &asset);
        let seen = AssetObservation {
            record: record.as_ref(),
            moved_from: moves.into.get(&asset.key).cloned(),
            faults: Vec::new(),
            row: RowState::NotLooked,
            picture,
            decisions: Vec::new(),
        };
        let mut change = decide(Subject { asset: &asset, index, key_axes: &manifest.key, price }, seen);
        // What was held may have been edited long ago: its published picture is not the one that the manifest described.
        if record.is_some_and(|record| record.hold) && !asset.hold && change.action != Action::Generate {
            (change.action, change.price, change.generator) = (Action::Generate, price, Some(asset.generator.clone()));
        }
        if change.action == Action::Generate {
            self.making.entry(recipe).or_insert_with(|| asset.key.clone());
        }
        put(plan, change);
    }
}

/// Returns an older asset as a state would remember it. Bytes, sizes and paths are made up: nobody looks at them.
fn recorded(asset: Asset) -> Record {
    let nothing = ContentDigest::from_bytes([0; 32]);
    let (width, height) = asset.recipe.picture_size();
    let row = asset.row.as_ref().map(|row| RecordedRow {
        digest: row.digest(),
        seen: SeenDigest::from_bytes([0; 32]),
        id: None,
        inputs: row_inputs(row),
    });
    let Asset { key, labels, generator: _, recipe, seed_from, vars, renditions, row: _, protect, hold, places: _ } =
        asset;
    let published = renditions.into_iter().map(|rendition| {
        let path = rendition.path.fill(&nothing);
        Published { rendition, path, sha256: nothing, bytes: 0, width, height, renderer: RENDERER }
    });
    Record {
        first_key: key.clone(),
        key,
        labels,
        recipe,
        base: seed_from.base,
        take: seed_from.take,
        vars,
        original: nothing,
        published: published.collect(),
        row,
        protect: protect == Some(true),
        hold,
    }
}

/// Returns the original that an older asset would have.
fn original(asset: &Asset, recipe: RecipeDigest) -> Original {
    let sha256 = ContentDigest::from_bytes([0; 32]);
    let (width, height) = asset.recipe.picture_size();
    let path: ObjectPath = crate::world::original_path(&recipe, &sha256, "png");
    Original { recipe, sha256, path, bytes: 0, width, height, seed: None }
}
