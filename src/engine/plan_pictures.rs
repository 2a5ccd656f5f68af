//! The pictures of a plan for its report: what is live, what will be, and small copies of both.
//!
//! A few questions for a whole plan, never one an asset; only the bytes of thumbnails are fetched one by one, several at a
//! time, and only as many as a page has room for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};

use crate::asset::{
    Asset, AssetKey, Assets as _, CollectionName, Encoding, FieldName, Fit, Format, ObjectPath, Resize,
};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::plan::{Change, CollectionPlan, Plan};
use crate::record::{Original, Published, Record};
use crate::render::{AssetFacts, PictureFacts};
use crate::state::records_of;
use crate::world::World;

use super::EngineError;
use super::environment::Environment;
use super::manifest_files::LoadedManifests;

/// The box that thumbnails fit into, in pixels.
const THUMBNAIL: (u32, u32) = (256, 320);
/// Quality of thumbnails, 1 to 100.
const THUMBNAIL_QUALITY: u8 = 78;
/// Files that are fetched at a time.
const FETCHED_AT_ONCE: usize = 8;
/// The largest file that a thumbnail is made of, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// After so many bytes of thumbnails no more are made: a page has no room for them.
const THUMBNAILS_BYTES_MAX: usize = 18_000_000;

/// Whether small copies of the pictures are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureCopies {
    /// They are.
    Wanted,
    /// Addresses do.
    Unwanted,
}

/// What is known of the assets of a plan, by collection and key.
pub type PlanPictures = HashMap<(CollectionName, AssetKey), AssetFacts>;

/// Where a picture lies.
#[derive(Clone)]
struct PicturePlace {
    path: ObjectPath,
    /// Width and height, where the state knows them.
    size: (u32, u32),
    /// Whether it is a published file, which may have an address.
    published: bool,
}

/// A change with where its pictures lie.
struct BeforeAfter {
    before: Option<PicturePlace>,
    after: Option<PicturePlace>,
}

/// Looks up what is known of every asset that changes.
///
/// # Errors
/// When the state cannot be read; a picture that cannot be fetched is left out.
pub async fn plan_pictures(
    world: &World,
    environment: &Environment,
    loaded: &LoadedManifests,
    plan: &Plan,
    copies: PictureCopies,
) -> Result<PlanPictures, EngineError> {
    let prices = environment.prices();
    let recorded = plan.changes().filter(|(_, change)| change.before.is_some());
    let records = records_of(&*world.state, recorded.map(|(collection, change)| collection.source(change))).await?;
    let asset = |collection: &CollectionPlan, change: &Change| {
        let declared = loaded.declared.iter().find(|declared| declared.manifest.name == collection.name)?;
        change.index.map(|index| declared.manifest.asset(index))
    };
    let changes: Vec<(&CollectionPlan, &Change, Option<Asset>)> =
        plan.changes().map(|(collection, change)| (collection, change, asset(collection, change))).collect();
    let wanted: Vec<_> = changes.iter().map(|(_, change, asset)| (*change, asset.as_ref().and_then(main))).collect();
    let objects = PlannedFiles::find(world, &wanted).await?;
    let pairs: Vec<BeforeAfter> = changes
        .iter()
        .map(|(collection, change, asset)| {
            let record = records.get(&collection.source(change));
            let before = record.and_then(live).or_else(|| adopted(change));
            let same = change.before.map(|side| (side.recipe, side.renditions));
            let same = same == change.after.map(|side| (side.recipe, side.renditions)) || change.adoption.is_some();
            let after = match (change.after, same) {
                (None, _) => None,
                (Some(_), true) => before.clone(),
                (Some(_), false) => objects.after(change, asset.as_ref()),
            };
            BeforeAfter { before, after }
        })
        .collect();
    let small = match copies {
        PictureCopies::Wanted => thumbnails(world, &pairs).await,
        PictureCopies::Unwanted => HashMap::new(),
    };
    let facts = changes.iter().zip(pairs).map(|((collection, change, asset), pair)| {
        let picture = |lies: Option<PicturePlace>| lies.map(|lies| picture(lies, &small, &world.url_base));
        let facts = AssetFacts {
            before: picture(pair.before),
            after: picture(pair.after),
            recipe: asset.as_ref().map(|asset| recipe(asset, change)).unwrap_or_default(),
            take: asset.as_ref().map_or(0, |asset| asset.seed_from.take),
            another: asset.as_ref().and_then(|asset| prices.get(asset.generator.as_str()).copied()),
        };
        ((collection.name.clone(), change.key.clone()), facts)
    });
    Ok(facts.collect())
}

/// Returns the published picture of a record.
fn live(record: &Record) -> Option<PicturePlace> {
    let main = record.published.iter().find(|file| file.rendition.name.as_str() == "main");
    main.or(record.published.first()).map(lies)
}

fn lies(file: &Published) -> PicturePlace {
    PicturePlace { path: file.path.clone(), size: (file.width, file.height), published: true }
}

/// Returns the picture that was there before pixform.
fn adopted(change: &Change) -> Option<PicturePlace> {
    let objects = &change.adoption.as_ref()?.objects;
    let main = objects.iter().find(|object| object.rendition.as_str() == "main")?;
    Some(PicturePlace { path: main.path.clone(), size: (0, 0), published: true })
}

/// What the state knows of the pictures that will be.
pub struct PlannedFiles {
    originals: HashMap<RecipeDigest, Original>,
    published: HashMap<(ContentDigest, RenditionDigest), Published>,
}

impl PlannedFiles {
    /// Looks up changes, each with the rendition whose file is wanted, where one is.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn find(world: &World, changes: &[(&Change, Option<RenditionDigest>)]) -> Result<Self, EngineError> {
        let recipes: Vec<RecipeDigest> =
            changes.iter().filter_map(|(change, _)| change.after.map(|after| after.recipe)).collect();
        let originals = world.state.originals(&recipes).await?;
        let mut objects = Self {
            originals: originals.into_iter().map(|original| (original.recipe, original)).collect(),
            published: HashMap::new(),
        };
        let wanted = changes.iter();
        let wanted = wanted.filter_map(|(change, rendition)| Some((objects.original(change)?.sha256, (*rendition)?)));
        let published = world.state.objects(&wanted.collect::<Vec<_>>()).await?;
        objects.published = published.into_iter().map(|(of, file)| ((of, file.rendition.digest), file)).collect();
        Ok(objects)
    }

    fn original<'o>(&'o self, change: &'o Change) -> Option<&'o Original> {
        let recipe = change.after?.recipe;
        change.original.as_ref().or_else(|| self.originals.get(&recipe))
    }

    /// Returns the published file of the picture that will be, in one of the renditions that were looked up.
    pub fn published(&self, change: &Change, rendition: RenditionDigest) -> Option<&Published> {
        self.published.get(&(self.original(change)?.sha256, rendition))
    }

    /// Returns the picture that will be: its published file, or else the original that it will be made from.
    fn after(&self, change: &Change, asset: Option<&Asset>) -> Option<PicturePlace> {
        let original = self.original(change)?;
        let published = asset.and_then(main).and_then(|main| self.published(change, main));
        let original =
            || PicturePlace { path: original.path.clone(), size: (original.width, original.height), published: false };
        Some(published.map_or_else(original, lies))
    }
}

/// Returns the digest of the rendition that is shown.
fn main(asset: &Asset) -> Option<RenditionDigest> {
    let main = asset.renditions.iter().find(|rendition| rendition.name.as_str() == "main");
    main.or(asset.renditions.first()).map(|rendition| rendition.digest)
}

/// Returns the fields of the new recipe that are set.
fn recipe(asset: &Asset, change: &Change) -> Vec<(FieldName, String)> {
    // A record may keep another seed than the one that the manifest alone gives.
    let settled = change.after.is_some_and(|after| after.recipe == asset.recipe.digest());
    let fields = asset.recipe.names().into_iter().filter(|field| settled || field.as_str() != "seed");
    fields
        .filter_map(|field| Some((asset.recipe.field(field.as_str())?, field)))
        .map(|(value, field)| (field, value))
        .collect()
}

/// A small copy of a picture, and the picture's own size.
struct Thumbnail {
    bytes: Vec<u8>,
    size: (u32, u32),
}

/// Makes small copies in the order of the changes, until there is no more room for them.
async fn thumbnails(world: &World, pairs: &[BeforeAfter]) -> HashMap<ObjectPath, Thumbnail> {
    let mut paths: Vec<ObjectPath> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for lies in pairs.iter().flat_map(|pair| [&pair.before, &pair.after]).flatten() {
        if seen.insert(lies.path.clone()) {
            paths.push(lies.path.clone());
        }
    }
    let made = AtomicUsize::new(0);
    let made = &made;
    let copies = stream::iter(paths).map(|path| async move {
        if made.load(Ordering::Relaxed) > THUMBNAILS_BYTES_MAX {
            return None;
        }
        let copy = thumbnail(world, &path).await?;
        made.fetch_add(copy.bytes.len(), Ordering::Relaxed);
        Some((path, copy))
    });
    copies.buffered(FETCHED_AT_ONCE).filter_map(std::future::ready).collect().await
}

/// Makes a small copy; `None` where the file is gone or is no picture: the report then says so in words.
async fn thumbnail(world: &World, path: &ObjectPath) -> Option<Thumbnail> {
    let bytes = match world.storage.get(path, FILE_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::info!(path = path.as_str(), %error, "no thumbnail");
            return None;
        }
    };
    let told = |error: &dyn std::fmt::Display| tracing::info!(path = path.as_str(), %error, "no thumbnail");
    let picture = world.memory.decode(&bytes).await.inspect_err(|error| told(error)).ok()?;
    let made = tokio::task::spawn_blocking(move || {
        let facts = picture.facts();
        let (width, height) = THUMBNAIL;
        // A smaller picture stays as it is.
        let larger = facts.width > width || facts.height > height;
        let resize = if larger { Resize::Box { width, height, fit: Fit::Contain } } else { Resize::Keep };
        let encoding = Encoding { format: Format::Webp, quality: Some(THUMBNAIL_QUALITY), resize };
        let copy = picture.encode(&encoding)?;
        Ok::<_, crate::imaging::ImagingError>(Thumbnail { bytes: copy.bytes, size: (facts.width, facts.height) })
    });
    made.await.ok()?.inspect_err(|error| told(error)).ok()
}

fn picture(lies: PicturePlace, small: &HashMap<ObjectPath, Thumbnail>, url_base: &str) -> PictureFacts {
    let copy = small.get(&lies.path);
    let (width, height) = if lies.size.0 == 0 { copy.map_or(lies.size, |copy| copy.size) } else { lies.size };
    // `/files/…` is an address on the machine of whoever serves it, and nowhere else.
    let url = (lies.published && url_base.starts_with("http")).then(|| lies.path.url(url_base));
    PictureFacts { url, width, height, thumbnail: copy.map(|copy| copy.bytes.clone()) }
}
