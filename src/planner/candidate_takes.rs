//! Candidates: other takes of assets, made so that somebody can choose one of them.

use crate::asset::{Asset, Assets, SeedFrom};
use crate::manifest::Manifest;
use crate::plan::{AssetObservation, CollectionPlan, Completeness, Plan, RowState, Subject, decide, settle_seed};
use crate::state::records_of;
use crate::world::World;

use super::second_pass::{AssetBatch, price};
use super::{CHUNK, DeclaredManifest, Gathering, Moves, PlanRequest, PlannerError, refusals};

/// A manifest's assets in another take, without anything that is published of them.
pub struct CandidateTake<'m> {
    /// The manifest.
    pub manifest: &'m Manifest,
    /// The take.
    pub take: u32,
}

impl Assets for CandidateTake<'_> {
    fn asset(&self, index: usize) -> Asset {
        let asset = self.manifest.asset(index);
        let base = asset.seed_from.base.clone();
        let mut asset = asset.with_seed(base.seed(self.take), SeedFrom { base, take: self.take });
        if asset.recipe.seed.is_none() {
            asset.recipe.take = (self.take > 0).then_some(self.take);
        }
        asset.renditions.clear();
        asset.row = None;
        asset.hold = false;
        asset
    }
}

/// Plans takes 1 to a number of each selected asset; the plan has a part for each collection and take, in that order.
///
/// # Errors
/// When the world cannot be looked at.
pub async fn candidates(world: &World, request: &PlanRequest<'_>, takes: u32) -> Result<Plan, PlannerError> {
    let known = world.state.known().await?;
    let (_, decision) = world.store(&known, request.now, request.take).await?;
    let mut gathering = Gathering::new(world, request, &known);
    let mut collections = Vec::new();
    for declared in request.declared {
        for take in 1..=takes {
            collections.push(gathering.taken(declared, take).await?);
        }
    }
    let mut plan = Plan {
        environment: world.environment.clone(),
        created_at: request.created_at.clone(),
        collections,
        refusals: Vec::new(),
        cap: request.limits.max_cost.map(|cap| cap.most),
        completeness: Completeness::Partial,
        notes: Vec::new(),
    };
    plan.refusals = refusals(&plan, request.limits, decision);
    // Nothing is replaced by being looked at.
    plan.refusals.retain(|refusal| !matches!(refusal.code, "protected" | "placeholder"));
    Ok(plan)
}

impl Gathering<'_> {
    /// Plans one take of a collection's selected assets.
    async fn taken(&mut self, declared: &DeclaredManifest, take: u32) -> Result<CollectionPlan, PlannerError> {
        let DeclaredManifest { manifest, heads } = declared;
        let assets = CandidateTake { manifest, take };
        let mut plan = CollectionPlan::new(manifest.name.clone(), manifest.key.clone());
        let moves = Moves::default();
        self.read_bytes(declared).await?;
        let numbers: Vec<usize> = (0..heads.all().len()).collect();
        for chunk in numbers.chunks(CHUNK) {
            let asked = chunk.iter().map(|number| (manifest.name.clone(), heads.all()[*number].key.clone()));
            let mut batch = AssetBatch::of(records_of(&*self.world.state, asked).await?);
            for number in chunk {
                let asset = assets.asset(*number);
                if self.request.selection.takes(&manifest.name, asset.key.as_str(), &asset.labels) {
                    let record = batch.record(manifest, &moves, &asset.key);
                    let asset = settle_seed(asset, record);
                    batch.assets.push((*number, asset));
                }
            }
            self.read_originals(manifest, &moves, &mut batch).await?;
            for (index, asset) in &batch.assets {
                let record = batch.record(manifest, &moves, &asset.key);
                let recipe = asset.recipe.digest();
                let price = price(self.request.prices, asset);
                let seen = AssetObservation {
                    record,
                    moved_from: None,
                    faults: Vec::new(),
                    row: RowState::NotLooked,
                    picture: batch.picture(asset, record, recipe, &self.making),
                    decisions: batch.decisions(&recipe),
                };
                let subject = Subject { asset, index: *index, key_axes: &manifest.key, price };
                let change = decide(subject, seen);
                if change.action == crate::plan::Action::Generate {
                    self.making.entry(recipe).or_insert_with(|| asset.key.clone());
                }
                plan.changes.push(change);
            }
        }
        Ok(plan)
    }
}
