//! Between the passes: what the first left over is read whole, in batches, and decided.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::asset::{Asset, AssetKey, Assets, CollectionName, Heads, MicroUsd, ObjectPath};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::glob::GlobIndex;
use crate::manifest::Manifest;
use crate::plan::{
    Action, Adoptability, AssetObservation, Cause, Change, CollectionPlan, Decisions, Doubt, LostState, Note,
    PictureSource, Provenance, RowState, Standing, Subject, Suspects, decide, delete, settle_seed,
};
use crate::record::{Original, Record};
use crate::state::{Records, RowSeen, records_of};
use crate::world::{ListedFolders, Listing, StoredOriginal};

use super::adoptable_rows::Unfit;
use super::deep_check::Damaged;
use super::ledger_standings::Standings;
use super::row_drift::row_state;
use super::{CHUNK, DeclaredManifest, Gathering, Moves, PlannerError, Selection};

/// Everything that was read for one batch of assets.
pub(super) struct AssetBatch {
    /// The assets, by their number.
    pub assets: Vec<(usize, Asset)>,
    /// Their records.
    pub(super) records: Records,
    rows: HashMap<AssetKey, RowSeen>,
    rows_looked: bool,
    pub(super) sizes: HashMap<ObjectPath, Option<u64>>,
    kept: HashMap<RecipeDigest, Original>,
    pub(super) by_content: HashMap<ContentDigest, Original>,
    found: HashMap<RecipeDigest, StoredOriginal>,
    standings: Standings,
    /// Recipes whose original was deleted.
    collected: HashSet<RecipeDigest>,
    /// Files that were read and are not as they should be.
    pub(super) damaged: Damaged,
    /// Originals of records that cannot be used, and what is wrong with them.
    pub(super) lost: HashMap<ContentDigest, (Original, LostState)>,
    /// Originals of which an earlier renderer made other files.
    pub(super) rendered_otherwise: HashSet<ContentDigest>,
}

impl Gathering<'_> {
    /// Decides about every asset that the first pass left over.
    pub(super) async fn second_pass(
        &mut self,
        declared: &DeclaredManifest,
        suspects: &Suspects,
        moves: &Moves,
        listing: Option<&Listing>,
        plan: &mut CollectionPlan,
    ) -> Result<(), PlannerError> {
        let mut numbers = to_decide(&declared.heads, suspects, moves);
        plan.kept = kept_unseen(self.request.selection, declared, &numbers);
        let mut elsewhere = ListedFolders::default();
        let mut unfit = match listing {
            Some(listing) => self.adoptions(declared, suspects, moves, listing, &mut elsewhere, plan).await?,
            None => Unfit::new(),
        };
        let adopted: HashSet<usize> = plan.changes.iter().filter_map(|change| change.index).collect();
        numbers.retain(|number| !adopted.contains(number));
        for chunk in numbers.chunks(CHUNK) {
            let batch = self.read(declared, chunk, moves, listing, &mut elsewhere).await?;
            self.decide(declared, batch, moves, &mut unfit, plan);
        }
        plan.changes.sort_by_key(|change| change.index);
        Ok(())
    }

    /// Reads records, rows, sizes and originals of a batch, each in one question.
    async fn read(
        &self,
        declared: &DeclaredManifest,
        numbers: &[usize],
        moves: &Moves,
        listing: Option<&Listing>,
        elsewhere: &mut ListedFolders,
    ) -> Result<AssetBatch, PlannerError> {
        let DeclaredManifest { manifest, heads } = declared;
        let state = &self.world.state;
        let asked = numbers.iter().filter_map(|number| {
            let (collection, key) = source(manifest, moves, &heads.all()[*number].key);
            Some((collection, key?))
        });
        let records = records_of(&**state, asked).await?;
        let mut batch =
            AssetBatch { rows_looked: listing.is_some(), damaged: self.damaged.clone(), ..AssetBatch::of(records) };
        for number in numbers {
            let asset = manifest.asset(*number);
            let record = batch.record(manifest, moves, &asset.key);
            let asset = settle_seed(asset, record);
            if self.request.selection.takes(&manifest.name, asset.key.as_str(), &asset.labels) {
                batch.assets.push((*number, asset));
            }
        }
        if let (Some(table), true) = (manifest.table(), batch.rows_looked) {
            let keys: Vec<AssetKey> = batch.records.keys().map(|(_, key)| key.clone()).collect();
            let rows = state.rows(table, &keys).await?;
            batch.rows = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
        }
        if let Some(listing) = listing {
            let files = batch.records.values().flat_map(|record| &record.published);
            let lost = files.filter(|file| listing.size(file.path.as_str()) != Some(file.bytes));
            let lost: BTreeSet<ObjectPath> = lost.map(|file| file.path.clone()).collect();
            batch.sizes = self.world.locate(&lost, listing, elsewhere).await?;
        }
        self.read_originals(manifest, moves, &mut batch).await?;
        batch.rendered_otherwise = self.rendered_otherwise(&batch.to_render_again()).await?;
        Ok(batch)
    }

    /// Finds out which originals there are: remembered ones that really lie there, and those only the storage knows.
    pub(super) async fn read_originals(
        &self,
        manifest: &Manifest,
        moves: &Moves,
        batch: &mut AssetBatch,
    ) -> Result<(), PlannerError> {
        let state = &self.world.state;
        let mut recipes: Vec<RecipeDigest> = Vec::new();
        let mut contents: Vec<ContentDigest> = Vec::new();
        for (_, asset) in &batch.assets {
            let record = batch.record(manifest, moves, &asset.key);
            let renamed = moves.into.contains_key(&asset.key);
            if renamed || batch.needs_picture(asset, record) {
                recipes.push(wanted_recipe(asset, record));
                contents.extend(record.map(|record| record.original));
            }
        }
        recipes.sort_unstable();
        recipes.dedup();
        let kept = state.originals(&recipes).await?;
        let by_content = state.originals_by_content(&contents).await?;
        let paths: HashSet<ObjectPath> = kept.iter().chain(&by_content).map(|original| original.path.clone()).collect();
        let sizes = self.original_sizes(paths).await?;
        let damaged = self.damaged.clone();
        let lies_there = |original: &Original| {
            sizes.get(&original.path).copied().flatten() == Some(original.bytes)
                && !damaged.contains_key(&original.path)
        };
        batch.lost = by_content
            .iter()
            .filter(|original| !lies_there(original))
            .map(|original| {
                let is_there = sizes.get(&original.path).copied().flatten().is_some();
                let state = if is_there { LostState::Damaged } else { LostState::Gone };
                (original.sha256, (original.clone(), state))
            })
            .collect();
        batch.kept = kept.into_iter().filter(lies_there).map(|original| (original.recipe, original)).collect();
        batch.by_content =
            by_content.into_iter().filter(lies_there).map(|original| (original.sha256, original)).collect();
        let missing: Vec<RecipeDigest> =
            recipes.into_iter().filter(|recipe| !batch.kept.contains_key(recipe)).collect();
        if !missing.is_empty() {
            batch.found = self.found_originals(&missing).await?;
            batch.found.retain(|_, found| !damaged.contains_key(&found.path));
            let is_paid = |asset: &Asset| self.request.prices.contains_key(asset.generator.as_str());
            let paid = batch.assets.iter().filter(|(_, asset)| is_paid(asset));
            let paid: HashSet<RecipeDigest> =
                paid.map(|(_, asset)| wanted_recipe(asset, batch.record(manifest, moves, &asset.key))).collect();
            let to_make: Vec<RecipeDigest> =
                missing.into_iter().filter(|recipe| !batch.found.contains_key(recipe)).collect();
            batch.collected = state.collected(&to_make).await?.into_iter().collect();
            let to_buy: Vec<RecipeDigest> = to_make.into_iter().filter(|recipe| paid.contains(recipe)).collect();
            batch.standings = self.standings(&to_buy).await?;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        declared: &DeclaredManifest,
        batch: AssetBatch,
        moves: &Moves,
        unfit: &mut Unfit,
        plan: &mut CollectionPlan,
    ) {
        let DeclaredManifest { manifest, .. } = declared;
        for (index, asset) in &batch.assets {
            let record = batch.record(manifest, moves, &asset.key);
            let recipe = wanted_recipe(asset, record);
            let picture = batch.picture(asset, record, recipe, &self.making);
            let decisions = batch.decisions(&recipe);
            let price = price(self.request.prices, asset);
            let seen = AssetObservation {
                record,
                moved_from: moves.into.get(&asset.key).cloned(),
                faults: record.map(|record| batch.faults(record)).unwrap_or_default(),
                row: batch.row_state(asset, record, &self.world.url_base, manifest),
                picture,
                decisions,
            };
            let subject = Subject { asset, index: *index, key_axes: &manifest.key, price };
            let mut change = decide(subject, seen);
            plan.notes.extend(record.and_then(|record| batch.lost_original(record, &change, price)));
            match unfit.remove(index) {
                Some(Adoptability::Differs(adoption, reasons)) => {
                    change.reasons.extend(reasons);
                    change.adoption = Some(Box::new(adoption));
                }
                Some(Adoptability::Unusable(reasons)) => change.reasons.extend(reasons),
                Some(Adoptability::Fits(..)) | None => {}
            }
            if change.action == Action::Generate {
                self.making.entry(recipe).or_insert_with(|| asset.key.clone());
            }
            put(plan, change);
        }
    }

    /// Plans the deletion of records that nothing declares.
    pub(super) async fn deletions(
        &self,
        manifest: &Manifest,
        moves: &Moves,
        plan: &mut CollectionPlan,
    ) -> Result<(), PlannerError> {
        let removed = GlobIndex::new(&manifest.removed);
        for keys in moves.deleted.chunks(CHUNK) {
            let mut records = self.world.state.records(&manifest.name, keys).await?;
            records.sort_by(|one, other| one.key.cmp(&other.key));
            for record in &records {
                if self.request.selection.takes(&manifest.name, record.key.as_str(), &record.labels) {
                    let expected = removed.matches(record.key.as_str());
                    plan.changes.push(delete(record, &manifest.key, expected));
                }
            }
        }
        Ok(())
    }
}

/// Returns the numbers of the assets that have to be decided about, renamed ones first: renames are carried out first, so a
/// picture that several assets need is made for a renamed one.
pub(super) fn to_decide(heads: &Heads, suspects: &Suspects, moves: &Moves) -> Vec<usize> {
    let numbered = |key: &AssetKey| heads.find(key.as_str());
    let renamed: HashSet<usize> = moves.into.keys().filter_map(numbered).collect();
    let mut numbers: Vec<usize> = suspects.assets.clone();
    numbers.extend(renamed.iter().copied().chain(moves.vacated.iter().filter_map(numbered)));
    numbers.sort_unstable_by_key(|number| (!renamed.contains(number), *number));
    numbers.dedup();
    numbers
}

/// Returns how many selected assets are kept without having been looked at more closely.
pub(super) fn kept_unseen(selection: &Selection, declared: &DeclaredManifest, numbers: &[usize]) -> u64 {
    let DeclaredManifest { manifest, heads } = declared;
    if selection.is_all() {
        return (heads.all().len() - numbers.len()) as u64;
    }
    let decided: HashSet<usize> = numbers.iter().copied().collect();
    let kept = (0..heads.all().len()).filter(|index| !decided.contains(index));
    kept.filter(|index| {
        let asset = manifest.asset(*index);
        selection.takes(&manifest.name, asset.key.as_str(), &asset.labels)
    })
    .count() as u64
}

/// Puts a change into a plan; what is kept is only counted, and noted where it is held.
pub(super) fn put(plan: &mut CollectionPlan, change: Change) {
    if change.action != Action::Keep {
        plan.changes.push(change);
        return;
    }
    plan.kept += 1;
    if change.reasons.iter().any(|reason| reason.cause == Cause::Held) {
        let differences = change.reasons.len() - 1;
        plan.notes.push(Note::Held { key: change.key, differences });
    }
}

/// Returns what a new picture of an asset costs.
pub(super) fn price(prices: &BTreeMap<String, MicroUsd>, asset: &Asset) -> MicroUsd {
    prices.get(asset.generator.as_str()).copied().unwrap_or(MicroUsd(0))
}

/// Returns the recipe whose picture an asset is to have: a held one keeps that of its record.
pub(super) fn wanted_recipe(asset: &Asset, record: Option<&Record>) -> RecipeDigest {
    match record {
        Some(record) if asset.hold => record.recipe.digest(),
        _ => asset.recipe.digest(),
    }
}

/// Returns where the record of a declared key is, if it can have one.
pub(super) fn source(manifest: &Manifest, moves: &Moves, key: &AssetKey) -> (CollectionName, Option<AssetKey>) {
    match moves.into.get(key) {
        Some((collection, from)) => (collection.clone(), Some(from.clone())),
        None if moves.vacated.contains(key) => (manifest.name.clone(), None),
        None => (manifest.name.clone(), Some(key.clone())),
    }
}

impl AssetBatch {
    /// Returns one that only records were read for.
    pub(super) fn of(records: Records) -> Self {
        Self {
            assets: Vec::new(),
            records,
            rows: HashMap::new(),
            rows_looked: false,
            sizes: HashMap::new(),
            kept: HashMap::new(),
            by_content: HashMap::new(),
            found: HashMap::new(),
            standings: Standings::default(),
            collected: HashSet::new(),
            damaged: Damaged::new(),
            lost: HashMap::new(),
            rendered_otherwise: HashSet::new(),
        }
    }

    pub(super) fn record(&self, manifest: &Manifest, moves: &Moves, key: &AssetKey) -> Option<&Record> {
        let (collection, key) = source(manifest, moves, key);
        self.records.get(&(collection, key?))
    }

    /// Tells whether an original may be needed: one that only has another seed than its manifest would derive, as adopted
    /// and renamed assets do, is looked at by every plan, and must not cost a question to the storage each time.
    fn needs_picture(&self, asset: &Asset, record: Option<&Record>) -> bool {
        let Some(record) = record else { return true };
        let same_picture = asset.hold
            || (wanted_recipe(asset, Some(record)) == record.recipe.digest()
                && asset.renditions_digest() == record.renditions_digest());
        let suspicious = || self.damaged.values().any(|(sha256, _)| *sha256 == record.original);
        !same_picture || !self.faults(record).is_empty() || suspicious()
    }

    pub(super) fn picture(
        &self,
        asset: &Asset,
        record: Option<&Record>,
        recipe: RecipeDigest,
        making: &HashMap<RecipeDigest, AssetKey>,
    ) -> PictureSource {
        // A picture that is published already stays the one that it is, also where its recipe has a newer one.
        let published = record.filter(|record| record.recipe.digest() == recipe);
        if let Some(original) = published.and_then(|record| self.by_content.get(&record.original)) {
            return PictureSource::There(original.clone(), Provenance::Kept);
        }
        if let Some(original) = self.kept.get(&recipe) {
            return PictureSource::There(original.clone(), Provenance::Kept);
        }
        if let Some(found) = self.found.get(&recipe) {
            let (width, height) = asset.recipe.picture_size();
            let original = found.clone().into_original(recipe, width, height);
            return PictureSource::There(original, Provenance::FoundInStorage);
        }
        if let Some(key) = making.get(&recipe) {
            return PictureSource::MadeFor(key.clone());
        }
        match self.standings.by_recipe.get(&recipe) {
            None | Some(Standing::Clear(_)) if self.collected.contains(&recipe) => PictureSource::Collected,
            None | Some(Standing::Clear(_)) => PictureSource::ToMake,
            Some(Standing::UnderWay) => PictureSource::UnderWay,
            Some(Standing::Accepted { .. }) => match self.standings.accepted.get(&recipe) {
                Some(original) => PictureSource::There(original.clone(), Provenance::Accepted),
                None => {
                    let why = self.standings.unusable.get(&recipe).cloned();
                    let why = why.unwrap_or_else(|| "its file is gone".to_owned());
                    PictureSource::InDoubt { doubt: Doubt::Withheld, why: Some(why) }
                }
            },
            Some(Standing::Undecided { doubt, why, .. }) => match self.standings.unusable.get(&recipe) {
                Some(why) => PictureSource::InDoubt { doubt: Doubt::Withheld, why: Some(why.clone()) },
                None => PictureSource::InDoubt { doubt: *doubt, why: why.clone() },
            },
        }
    }

    /// Returns what is to be written down about earlier calls for a recipe.
    pub(super) fn decisions(&self, recipe: &RecipeDigest) -> Decisions {
        match self.standings.by_recipe.get(recipe) {
            Some(Standing::Accepted { .. }) if !self.standings.accepted.contains_key(recipe) => Vec::new(),
            Some(
                Standing::Clear(decisions)
                | Standing::Accepted { decisions, .. }
                | Standing::Undecided { decisions, .. },
            ) => decisions.clone(),
            None | Some(Standing::UnderWay) => Vec::new(),
        }
    }

    fn row_state(&self, asset: &Asset, record: Option<&Record>, url_base: &str, manifest: &Manifest) -> RowState {
        match (record, manifest.table(), self.rows_looked) {
            (Some(record), Some(table), true) => row_state(asset, record, table, self.rows.get(&record.key), url_base),
            _ => RowState::NotLooked,
        }
    }
}
