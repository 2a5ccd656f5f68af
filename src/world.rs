//! The world: one environment, opened, and what is really there.
//!
//! Puts the three ports together: state, storage, generators. What to make of what is seen is left to `planner` and
//! `plan`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::asset::{Cost, GeneratorName, ObjectPath, Pace};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::generator::Generator;
use crate::memory::Memory;
use crate::record::Original;
use crate::state::{Access, KnownState, State, StateError};
pub use crate::storage::ORIGINALS;
use crate::storage::{
    Health, Marker, MarkerError, Moving, Opened, Overwrite, StateRecords, StateView, Storage, StorageError,
    StoreDecision, Stores, TakeStorage, read_marker,
};

/// An environment, opened.
pub struct World {
    /// Its name.
    pub environment: String,
    /// What is remembered.
    pub state: Box<dyn State>,
    /// Where the files are.
    pub storage: Arc<dyn Storage>,
    /// The same, where files may have to be copied from the store that was used before.
    pub moving: Option<Arc<Moving>>,
    /// How the storage does.
    pub health: Arc<Health>,
    /// The services.
    pub generators: Generators,
    /// The part of every URL before the path.
    pub url_base: String,
    /// How far away the storage is.
    pub reach: Reach,
    /// What the pictures of a run may take.
    pub memory: Memory,
}

/// How far away a storage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// On this machine: a question takes no time.
    Near,
    /// Behind a network: each question takes a while, and some cost money.
    Far,
}

/// A service that makes pictures.
#[derive(Clone)]
pub struct Service {
    /// How it is asked.
    pub generator: Arc<dyn Generator>,
    /// Whether its calls cost money.
    pub cost: Cost,
    /// How fast it may be asked.
    pub pace: Pace,
}

/// The services of an environment.
#[derive(Clone, Default)]
pub struct Generators {
    /// By the name that manifests use.
    pub named: BTreeMap<GeneratorName, Service>,
    /// What every other name means, where it means something.
    pub any: Option<Service>,
}

/// Where an environment's parts are.
#[derive(Clone, Copy)]
pub struct Addresses<'a> {
    /// The state's URL.
    pub state: &'a str,
    /// Where the files lie.
    pub storage: &'a Stores,
}

/// What can go wrong while looking.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The storage's marker.
    #[error(transparent)]
    Marker(#[from] MarkerError),
}

/// Files asked for at a time, where each is asked for by itself.
const ASKED_AT_ONCE: usize = 16;
/// From this many files of one folder on, the folder is listed.
const LISTED_FROM: usize = 8;

/// Files of one folder at most that are asked for one by one because a listing lacks them.
const CONFIRMED_MAX: usize = 1_000;

/// Folders that no manifest declares and that were listed all the same, so that each is listed once.
#[derive(Debug, Default)]
pub struct ListedFolders(HashMap<String, Listing>);

/// The files of some folders, with their sizes in bytes.
#[derive(Debug, Default)]
pub struct Listing {
    sizes: HashMap<Box<str>, u64>,
}

impl Listing {
    /// Returns a file's size.
    pub fn size(&self, path: &str) -> Option<u64> {
        self.sizes.get(path).copied()
    }

    /// Returns how many files there are.
    pub fn count(&self) -> u64 {
        self.sizes.len() as u64
    }

    /// Returns all paths and sizes, in no particular order.
    pub fn all(&self) -> impl Iterator<Item = (&str, u64)> {
        self.sizes.iter().map(|(path, size)| (&**path, *size))
    }
}

impl World {
    /// Opens state and storage. For [`Access::Read`] nothing is created.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub async fn open(
        environment: &str,
        addresses: Addresses<'_>,
        access: Access,
        generators: Generators,
        url_base: String,
    ) -> Result<Self, WorldError> {
        let Opened { storage, moving, health } = addresses.storage.open()?;
        let state = crate::state::open(addresses.state, access).await?;
        let reach = if addresses.storage.are_near() { Reach::Near } else { Reach::Far };
        let (memory, environment) = (Memory::default(), environment.to_owned());
        Ok(Self { environment, state, storage, moving, health, generators, url_base, reach, memory })
    }

    /// Puts a file of a run; one that is not taken for what is wrong with the store counts against the store's health.
    ///
    /// # Errors
    /// As [`Storage::put`].
    pub async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError> {
        let put = self.storage.put(path, bytes, content_type, overwrite).await;
        self.health.judge(put)
    }

    /// Returns the service that a manifest means by a name.
    pub fn service(&self, name: &GeneratorName) -> Option<&Service> {
        self.generators.named.get(name).or(self.generators.any.as_ref())
    }

    /// Lists some folders, several at a time.
    ///
    /// # Errors
    /// When the storage cannot be listed.
    pub async fn list(&self, folders: &[String]) -> Result<Listing, WorldError> {
        let listed = stream::iter(folders).map(|folder| async move {
            let mut sizes = HashMap::new();
            let visitor = &mut |path: &str, size| {
                sizes.insert(path.into(), size);
            };
            self.storage.list(folder, visitor).await?;
            Ok::<_, WorldError>(sizes)
        });
        let mut listed = listed.buffer_unordered(ASKED_AT_ONCE);
        let mut sizes = HashMap::new();
        while let Some(more) = listed.next().await {
            let more = more?;
            // The first is mostly the only one, and need not be copied.
            if sizes.is_empty() { sizes = more } else { sizes.extend(more) }
        }
        Ok(Listing { sizes })
    }

    /// Lists every file of the storage, but for what lies in the store that was used before.
    ///
    /// # Errors
    /// When the storage cannot be listed.
    pub async fn files(&self) -> Result<Listing, WorldError> {
        let mut sizes = HashMap::new();
        let storage = self.moving.as_ref().map_or(&*self.storage, |moving| moving.now());
        all_files(storage, &mut sizes).await?;
        Ok(Listing { sizes })
    }

    /// Asks for the size of single files, several at a time; `None` for those that are gone.
    ///
    /// # Errors
    /// When the storage refuses.
    pub async fn sizes(&self, paths: Vec<ObjectPath>) -> Result<HashMap<ObjectPath, Option<u64>>, WorldError> {
        let answers = stream::iter(paths)
            .map(|path| async move {
                let size = self.storage.size(&path).await?;
                Ok::<_, WorldError>((path, size))
            })
            .buffer_unordered(ASKED_AT_ONCE);
        let answers: Vec<_> = answers.collect().await;
        answers.into_iter().collect()
    }

    /// Finds files wherever they lie: by what was listed already, by a listing of a folder where many of it are wanted,
    /// and one by one, several at a time. What a listing lacks is asked for by itself before it is called gone, unless
    /// that is so much that the listing has to do.
    ///
    /// # Errors
    /// When the storage refuses.
    pub async fn locate(
        &self,
        paths: &BTreeSet<ObjectPath>,
        listed: &Listing,
        elsewhere: &mut ListedFolders,
    ) -> Result<HashMap<ObjectPath, Option<u64>>, WorldError> {
        let mut found: HashMap<ObjectPath, Option<u64>> = HashMap::new();
        let mut by_folder: BTreeMap<&str, Vec<&ObjectPath>> = BTreeMap::new();
        for path in paths {
            match (listed.size(path.as_str()), path.as_str().split_once('/')) {
                (Some(size), _) => drop(found.insert(path.clone(), Some(size))),
                (None, Some((folder, _))) => by_folder.entry(folder).or_default().push(path),
                (None, None) => by_folder.entry("").or_default().push(path),
            }
        }
        let mut to_ask = Vec::new();
        for (folder, paths) in by_folder {
            if paths.len() >= LISTED_FROM && !elsewhere.0.contains_key(folder) {
                elsewhere.0.insert(folder.to_owned(), self.list(&[folder.to_owned()]).await?);
            }
            let size = |path: &ObjectPath| elsewhere.0.get(folder).and_then(|listing| listing.size(path.as_str()));
            let (there, absent): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| size(path).is_some());
            found.extend(there.into_iter().map(|path| (path.clone(), size(path))));
            match absent.len() > CONFIRMED_MAX {
                true => found.extend(absent.into_iter().map(|path| (path.clone(), None))),
                false => to_ask.extend(absent.into_iter().cloned()),
            }
        }
        found.extend(self.sizes(to_ask).await?);
        Ok(found)
    }

    /// Finds originals of recipes in the storage, whatever the state knows; each recipe has a folder of its own.
    ///
    /// # Errors
    /// When the storage cannot be listed.
    pub async fn originals(
        &self,
        recipes: &[RecipeDigest],
    ) -> Result<HashMap<RecipeDigest, StoredOriginal>, WorldError> {
        let folders: Vec<String> = recipes.iter().map(original_folder).collect();
        let listing = self.list(&folders).await?;
        Ok(StoredOriginal::among(listing.all(), recipes))
    }

    /// Returns the files that the state knows and that lie only in the store that was used before, with their sizes.
    ///
    /// # Errors
    /// When a store cannot be listed, or the state cannot be read.
    pub async fn uncopied(&self) -> Result<Vec<(ObjectPath, u64)>, WorldError> {
        let Some(moving) = &self.moving else { return Ok(Vec::new()) };
        let known = self.state.paths().await?;
        let (mut now, mut before) = (HashMap::new(), HashMap::new());
        futures::try_join!(all_files(moving.now(), &mut now), all_files(moving.before(), &mut before))?;
        let uncopied = known.into_iter().filter(|path| !now.contains_key(path.as_str())).filter_map(|path| {
            let bytes = *before.get(path.as_str())?;
            Some((path.parse().ok()?, bytes))
        });
        Ok(uncopied.collect())
    }

    /// Reads the storage's marker and decides whether this state may work with it.
    ///
    /// # Errors
    /// When the marker cannot be read.
    pub async fn store(
        &self,
        known: &KnownState,
        now: i64,
        take: TakeStorage,
    ) -> Result<(Option<Marker>, StoreDecision), WorldError> {
        let mut marker = match read_marker(&*self.storage).await {
            // Its last write did not come to its end, and that was ours: whoever else wrote would have had to take it over.
            Err(MarkerError::CutOff) => known.store.as_ref().zip(known.id.as_ref()).map(|(store, id)| Marker {
                store: store.clone(),
                owner: id.clone(),
                owner_note: None,
                last_run: now,
                told_open: false,
                visited: false,
            }),
            marker => marker?,
        };
        if let (None, Some(moving)) = (&marker, &self.moving) {
            // A store that is moved into is the one that is moved away from: it goes on under the same id.
            marker = read_marker(moving.before()).await?;
        }
        let records = match known.collections.iter().any(|collection| collection.records > 0) {
            true => StateRecords::Some,
            false => StateRecords::None,
        };
        let view = StateView { known_store: known.store.as_deref(), state_id: known.id.as_deref(), records };
        let decision = crate::storage::decide(view, marker.as_ref(), now, take);
        Ok((marker, decision))
    }
}

async fn all_files(storage: &dyn Storage, files: &mut HashMap<Box<str>, u64>) -> Result<(), WorldError> {
    let visitor = &mut |path: &str, bytes| {
        files.insert(path.into(), bytes);
    };
    Ok(storage.list("", visitor).await?)
}

/// An original as its path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOriginal {
    /// The digest that its bytes should have.
    pub sha256: ContentDigest,
    /// Where it lies.
    pub path: ObjectPath,
    /// Its size, in bytes.
    pub bytes: u64,
}

impl StoredOriginal {
    /// Reads `originals/<2 hex>/<recipe digest>/<sha256>.<ext>`.
    fn parse(path: &str, bytes: u64) -> Option<(RecipeDigest, Self)> {
        let mut segments = path.strip_prefix("originals/")?.split('/');
        let (short, recipe, file) = (segments.next()?, segments.next()?, segments.next()?);
        if segments.next().is_some() || !recipe.starts_with(short) || recipe.len() != 64 {
            return None;
        }
        let (sha256, _) = file.split_once('.')?;
        let original = Self { sha256: sha256.parse().ok()?, path: path.parse().ok()?, bytes };
        Some((recipe.parse().ok()?, original))
    }

    /// Picks the originals of recipes from a listing; of several the one with the least path, so that every run takes the
    /// same.
    pub fn among<'l>(
        files: impl Iterator<Item = (&'l str, u64)>,
        recipes: &[RecipeDigest],
    ) -> HashMap<RecipeDigest, Self> {
        let wanted: std::collections::HashSet<&RecipeDigest> = recipes.iter().collect();
        let mut found: HashMap<RecipeDigest, Self> = HashMap::new();
        for (path, bytes) in files.filter(|(_, bytes)| *bytes > 0) {
            let Some((recipe, original)) = Self::parse(path, bytes) else { continue };
            let better = found.get(&recipe).is_none_or(|known| original.path < known.path);
            if wanted.contains(&recipe) && better {
                found.insert(recipe, original);
            }
        }
        found
    }

    /// Makes an original of it, with the size that its recipe asked for.
    pub fn into_original(self, recipe: RecipeDigest, width: u32, height: u32) -> Original {
        let Self { sha256, path, bytes } = self;
        Original { recipe, sha256, path, bytes, width, height, seed: None }
    }
}

/// Returns the folder of a recipe's originals.
pub fn original_folder(recipe: &RecipeDigest) -> String {
    let hex = recipe.hex();
    format!("{ORIGINALS}/{}/{hex}", &hex[..2])
}

/// Returns the path of a picture that is not the one asked for: not where a recipe's original is looked for.
pub fn rejected_path(recipe: &RecipeDigest, sha256: &ContentDigest, extension: &str) -> ObjectPath {
    format!("{ORIGINALS}/rejected/{}/{}.{extension}", recipe.hex(), sha256.hex())
        .parse()
        .expect("hex digits and an extension make a legal path")
}

/// Returns the path of an original; `extension` is that of its file format.
pub fn original_path(recipe: &RecipeDigest, sha256: &ContentDigest, extension: &str) -> ObjectPath {
    format!("{}/{}.{extension}", original_folder(recipe), sha256.hex())
        .parse()
        .expect("hex digits and an extension make a legal path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_is_found_by_its_path() {
        let recipe = RecipeDigest::from_bytes([7; 32]);
        let sha256 = ContentDigest::of(b"picture");
        let path = original_path(&recipe, &sha256, "png");
        let (found, original) = StoredOriginal::parse(path.as_str(), 9).unwrap();
        assert_eq!((found, original.sha256, original.bytes), (recipe, sha256, 9));
        for wrong in ["originals/.pixform-store", "originals/07/x/y.png", "a/b/c/d"] {
            assert!(StoredOriginal::parse(wrong, 9).is_none(), "{wrong}");
        }
    }
}
