//! Owners of rows: several collections may publish to one table, and each of its rows belongs to one of them.

use std::collections::{HashMap, HashSet};

use crate::asset::{AssetKey, CollectionName, Heads, TableSpec};
use crate::digest::SeenDigest;
use crate::manifest::Manifest;
use crate::record::RecordHead;
use crate::state::ScanVisitor;

use super::{DeclaredManifest, Gathering, Moves, PlannerError, SharedRow};

/// Keys whose rows belong to other collections that publish to the same table.
#[derive(Debug, Default)]
pub struct Foreign(HashMap<String, CollectionName>);

/// Takes the keys of one collection's records.
struct OwnerCollector<'f> {
    foreign: &'f mut Foreign,
    owner: &'f CollectionName,
}

impl ScanVisitor for OwnerCollector<'_> {
    fn record(&mut self, head: RecordHead<'_>) {
        self.foreign.0.insert(head.key.to_owned(), self.owner.clone());
    }

    fn row(&mut self, _: &str, _: SeenDigest) {}
}

impl Foreign {
    /// Tells whether another collection owns the row.
    pub fn owns(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Makes sure that no declared row belongs to another collection, unless it is renamed from there.
    ///
    /// # Errors
    /// [`PlannerError::Shared`] with the first that does.
    pub fn check(
        &self,
        table: &TableSpec,
        manifest: &Manifest,
        heads: &Heads,
        moves: &Moves,
    ) -> Result<(), PlannerError> {
        if self.0.is_empty() {
            return Ok(());
        }
        // A row whose own asset comes here, under whichever key, leaves its place before another one takes it.
        let coming: HashSet<(&CollectionName, &AssetKey)> =
            moves.into.values().map(|(name, key)| (name, key)).collect();
        for head in heads.all() {
            let Some(owner) = self.0.get(head.key.as_str()) else { continue };
            if !coming.contains(&(owner, &head.key)) {
                let collections = [owner.clone(), manifest.name.clone()];
                return Err(shared(head.key.clone(), table, collections));
            }
        }
        Ok(())
    }
}

impl Gathering<'_> {
    /// Returns the keys of records of other collections that publish to the same table.
    pub(super) async fn foreign(&self, manifest: &Manifest, table: &TableSpec) -> Result<Foreign, PlannerError> {
        let mut foreign = Foreign::default();
        for known in &self.known.collections {
            if known.name != manifest.name && known.table.as_ref() == Some(&table.name) {
                let mut keys = OwnerCollector { foreign: &mut foreign, owner: &known.name };
                self.world.state.scan(&known.name, None, &mut keys).await?;
            }
        }
        Ok(foreign)
    }
}

/// Returns what other manifests declare that publish to the same table.
pub fn others<'d>(declared: &'d [DeclaredManifest], manifest: &Manifest) -> Vec<&'d Heads> {
    let table = manifest.table().map(|table| &table.name);
    let same = |other: &&DeclaredManifest| {
        other.manifest.name != manifest.name
            && table.is_some()
            && other.manifest.table().map(|table| &table.name) == table
    };
    declared.iter().filter(same).map(|other| &other.heads).collect()
}

/// Makes sure that no two manifests declare one row.
///
/// # Errors
/// [`PlannerError::Shared`] with the first that two declare.
pub fn check_declared(declared: &[DeclaredManifest]) -> Result<(), PlannerError> {
    for (number, one) in declared.iter().enumerate() {
        let Some(table) = one.manifest.table() else { continue };
        let same_table =
            |other: &&DeclaredManifest| other.manifest.table().is_some_and(|other| other.name == table.name);
        for other in declared[number + 1..].iter().filter(same_table) {
            let twin = one.heads.all().iter().find(|head| other.heads.find(head.key.as_str()).is_some());
            if let Some(head) = twin {
                let collections = [one.manifest.name.clone(), other.manifest.name.clone()];
                return Err(shared(head.key.clone(), table, collections));
            }
        }
    }
    Ok(())
}

fn shared(key: AssetKey, table: &TableSpec, collections: [CollectionName; 2]) -> PlannerError {
    PlannerError::Shared(Box::new(SharedRow { key, table: table.name.clone(), collections }))
}
