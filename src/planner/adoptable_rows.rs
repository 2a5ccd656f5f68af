//! Rows that no record owns, read for assets that have no record: which of them can be taken over.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::asset::{Asset, AssetKey, Assets, ObjectPath};
use crate::plan::{Action, Adoptability, CollectionPlan, FoundRow, Subject, Suspects, adopt, judge, named_files};
use crate::state::RowSeen;
use crate::world::{ListedFolders, Listing};

use super::{CHUNK, DeclaredManifest, Gathering, Moves, PlannerError};

/// Rows that cannot be taken over, by the asset's number.
pub(super) type Unfit = HashMap<usize, Adoptability>;

impl Gathering<'_> {
    /// Plans the assets whose rows can be taken over, and returns what is true of those whose rows cannot.
    ///
    /// Comes before anything else is decided: whoever needs the same picture takes the adopted one.
    pub(super) async fn adoptions(
        &mut self,
        declared: &DeclaredManifest,
        suspects: &Suspects,
        moves: &Moves,
        listing: &Listing,
        elsewhere: &mut ListedFolders,
        plan: &mut CollectionPlan,
    ) -> Result<Unfit, PlannerError> {
        let DeclaredManifest { manifest, heads } = declared;
        let mut unfit = Unfit::new();
        let Some(table) = manifest.table() else { return Ok(unfit) };
        let key = |number: &usize| &heads.all()[*number].key;
        // Where another picture was approved, a row that came since is written over, and its picture is not taken.
        let approved = self.request.approved.iter().flat_map(|approved| &approved.changes);
        let made = approved.filter(|change| change.collection == manifest.name && change.action != Action::Adopt);
        let made: HashSet<&AssetKey> = made.map(|change| &change.key).collect();
        let free = |number: &usize| !moves.into.contains_key(key(number)) && !made.contains(key(number));
        let numbers: Vec<usize> = suspects.unadopted.iter().copied().filter(free).collect();
        for chunk in numbers.chunks(CHUNK) {
            let assets = chunk.iter().map(|number| (*number, manifest.asset(*number)));
            let assets: Vec<(usize, Asset)> = assets
                .filter(|(_, asset)| self.request.selection.takes(&manifest.name, asset.key.as_str(), &asset.labels))
                .collect();
            let keys: Vec<AssetKey> = assets.iter().map(|(_, asset)| asset.key.clone()).collect();
            let rows = self.world.state.rows(table, &keys).await?;
            let rows: HashMap<AssetKey, RowSeen> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
            let url_base = &self.world.url_base;
            let named = assets.iter().filter_map(|(_, asset)| Some((asset, rows.get(&asset.key)?)));
            let paths: BTreeSet<ObjectPath> =
                named.flat_map(|(asset, row)| named_files(asset, &row.values, url_base)).collect();
            let sizes = self.world.locate(&paths, listing, elsewhere).await?;
            let size = |path: &ObjectPath| sizes.get(path).copied().flatten();
            for (index, asset) in &assets {
                let Some(row) = rows.get(&asset.key) else { continue };
                let found = FoundRow { id: row.id.as_deref(), seen: row.seen, values: &row.values };
                match judge(asset, found, url_base, size) {
                    Adoptability::Fits(adoption, reasons) => {
                        let price = crate::asset::MicroUsd(0);
                        let subject = Subject { asset, index: *index, key_axes: &manifest.key, price };
                        let change = adopt(subject, adoption, reasons);
                        let recipe = change.after.map(|after| after.recipe);
                        recipe.map(|recipe| self.making.entry(recipe).or_insert_with(|| asset.key.clone()));
                        plan.changes.push(change);
                    }
                    verdict @ (Adoptability::Differs(..) | Adoptability::Unusable(_)) => {
                        unfit.insert(*index, verdict);
                    }
                }
            }
        }
        Ok(unfit)
    }
}
