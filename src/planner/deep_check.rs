//! Depth: files whose bytes are read, because everything is to be, or because they were found damaged before.
//!
//! What is remembered is a hint where to look: a file that somebody put back is well, whatever the state says of it.

use std::collections::{BTreeMap, HashMap};

use crate::asset::{AssetKey, CollectionName, ObjectPath};
use crate::digest::ContentDigest;
use crate::record::{Original, Record};
use crate::state::{Damage, State};
use crate::storage::{Expected, FileFault, Storage, verify};

use super::{DeclaredManifest, Gathering, PlannerError};

/// The most bytes of a file of which only path and digest are known.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Records that are read at a time.
const CHUNK: usize = 1_000;

/// Which bytes are read.
#[derive(Clone, Copy)]
pub enum Depth<'d> {
    /// Those of files that were found damaged before.
    Remembered,
    /// Those of every published file and every original; hears of each file that was read.
    All(&'d (dyn Fn() + Sync)),
}

/// Files that are damaged or gone, by path, each with what its bytes should be.
pub type Damaged = HashMap<ObjectPath, (ContentDigest, FileFault)>;

impl Gathering<'_> {
    /// Reads bytes as deep as is asked for; returns the numbers of the assets of which a file is not as it should be.
    pub(super) async fn read_bytes(
        &mut self,
        DeclaredManifest { manifest, heads }: &DeclaredManifest,
    ) -> Result<Vec<usize>, PlannerError> {
        let (state, storage) = (&*self.world.state, &*self.world.storage);
        let found = match self.request.depth {
            Depth::Remembered => remembered(state, storage, &manifest.name).await?.0,
            Depth::All(read) => {
                let keys: Vec<AssetKey> = heads.all().iter().map(|head| head.key.clone()).collect();
                all(state, storage, (&manifest.name, &keys), read).await?
            }
        };
        let numbers = found.iter().filter_map(|(damage, _)| heads.find(damage.key.as_str())).collect();
        self.damaged.extend(found.into_iter().map(|(damage, fault)| (damage.path, (damage.sha256, fault))));
        Ok(numbers)
    }
}

/// Reads again what is remembered of a collection; returns what is still not as it should be, and what is well.
///
/// # Errors
/// What state and storage say.
pub async fn remembered(
    state: &dyn State,
    storage: &dyn Storage,
    collection: &CollectionName,
) -> Result<(Vec<(Damage, FileFault)>, Vec<Damage>), PlannerError> {
    let damages = state.damages(collection).await?;
    let files: BTreeMap<ObjectPath, ContentDigest> =
        damages.iter().map(|damage| (damage.path.clone(), damage.sha256)).collect();
    let expected = files.into_iter().map(|(path, sha256)| Expected { path, sha256, bytes_max: BYTES_MAX });
    let faults = verify(storage, expected.collect(), || {}).await.map_err(crate::world::WorldError::from)?;
    let faults: HashMap<ObjectPath, FileFault> = faults.into_iter().map(|(file, fault)| (file.path, fault)).collect();
    let (mut still, mut well) = (Vec::new(), Vec::new());
    for damage in damages {
        match faults.get(&damage.path) {
            Some(fault) => still.push((damage, *fault)),
            None => well.push(damage),
        }
    }
    Ok((still, well))
}

/// Reads all files of some assets' records; returns what is not as it should be. `read` hears of each file.
///
/// # Errors
/// What state and storage say.
pub async fn all(
    state: &dyn State,
    storage: &dyn Storage,
    (collection, keys): (&CollectionName, &[AssetKey]),
    read: &(dyn Fn() + Sync),
) -> Result<Vec<(Damage, FileFault)>, PlannerError> {
    let mut found = Vec::new();
    for keys in keys.chunks(CHUNK) {
        let records = state.records(collection, keys).await?;
        let contents: Vec<ContentDigest> = records.iter().map(|record| record.original).collect();
        let originals = state.originals_by_content(&contents).await?;
        let mut files: BTreeMap<ObjectPath, Expected> = BTreeMap::new();
        for file in records.iter().flat_map(|record| &record.published) {
            let expected = Expected { path: file.path.clone(), sha256: file.sha256, bytes_max: file.bytes };
            files.insert(file.path.clone(), expected);
        }
        for Original { path, sha256, bytes, .. } in &originals {
            files.insert(path.clone(), Expected { path: path.clone(), sha256: *sha256, bytes_max: *bytes });
        }
        let faults = verify(storage, files.into_values().collect(), read).await;
        for (Expected { path, sha256, .. }, fault) in faults.map_err(crate::world::WorldError::from)? {
            let named = records.iter().filter(|record| names(record, &path, sha256));
            found.extend(named.map(|record| (Damage { key: record.key.clone(), path: path.clone(), sha256 }, fault)));
        }
    }
    Ok(found)
}

/// Tells whether a file is one of a record's: published, or its original.
fn names(record: &Record, path: &ObjectPath, sha256: ContentDigest) -> bool {
    record.published.iter().any(|file| file.path == *path) || record.original == sha256
}
