//! Publishing: from an original to the files that the product reads, without making again what is there.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::asset::{Asset, Encoding, ObjectPath, Rendition};
use crate::digest::{ContentDigest, RenditionDigest};
use crate::imaging::{Encoded, RENDERER};
use crate::memory::Held;
use crate::plan::Change;
use crate::record::{Original, Published, Record};
use crate::storage::Overwrite;
use crate::world::World;

use super::{ApplyError, crash_point, original};

/// An asset whose published files are to be there.
pub struct Target<'t> {
    /// The asset.
    pub asset: Cow<'t, Asset>,
    /// Whether files that it had were lost.
    pub files: Lost,
    /// Files that are there and hold other bytes than they should.
    pub damaged: HashSet<ObjectPath>,
    /// Its record, if it has one.
    pub record: Option<&'t Record>,
    /// The original.
    pub original: Original,
    /// The original, decoded, where it was just made.
    pub decoded: Option<Arc<Held>>,
}

/// Whether files that an asset had are gone or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// As far as anybody looked all are there.
    None,
    /// Some are.
    Some,
}

impl Lost {
    /// Returns what a change knows of it.
    pub fn of(change: &Change) -> Self {
        if change.has_file_drift() { Self::Some } else { Self::None }
    }
}

/// A published file, and its bytes where they are still to be put.
pub struct Form {
    published: Published,
    bytes: Option<Bytes>,
}

/// What is known of files that were published before.
#[derive(Debug, Default)]
pub struct Known {
    /// Those that were announced, by original and rendition.
    announced: HashMap<(ContentDigest, RenditionDigest), Published>,
    /// Those of the product that were taken over, by the original that was copied from them.
    adopted: HashMap<ContentDigest, Vec<Published>>,
}

impl Known {
    /// Sorts files that were announced, and files that were taken over.
    pub fn new(announced: Vec<(ContentDigest, Published)>, adopted: Vec<(ContentDigest, Published)>) -> Self {
        let announced = announced.into_iter().map(|(content, file)| ((content, file.rendition.digest), file)).collect();
        let mut known = Self { announced, adopted: HashMap::new() };
        for (content, file) in adopted {
            known.adopted.entry(content).or_default().push(file);
        }
        known
    }

    /// Returns the file that was announced for a target in a rendition.
    fn announced(&self, target: &Target<'_>, rendition: &Rendition) -> Option<&Published> {
        self.announced.get(&(target.original.sha256, rendition.digest))
    }
}

/// Finds or encodes all files of an asset, in the manifest's order; nothing is written yet.
pub async fn prepare(world: &World, target: &Target<'_>, known: &Known) -> Result<Vec<Form>, ApplyError> {
    let mut decoded = target.decoded.clone();
    let mut forms = Vec::with_capacity(target.asset.renditions.len());
    for rendition in &target.asset.renditions {
        let form = match there(world, target, rendition, known).await? {
            Some(form) => form,
            None => {
                let picture = match &decoded {
                    Some(decoded) => Arc::clone(decoded),
                    None => original::decode(world, &target.asset.key, &target.original).await?,
                };
                let form = encode(target, rendition, Arc::clone(&picture)).await?;
                decoded = Some(picture);
                form
            }
        };
        forms.push(form);
    }
    Ok(forms)
}

/// Returns the files that the state has not heard of: it must, before they are put.
pub fn fresh(target: &Target<'_>, forms: &[Form], known: &Known) -> Vec<(ContentDigest, Published)> {
    let content = target.original.sha256;
    // What is there already and was never announced is not ours: it was adopted.
    let to_put = forms.iter().filter(|form| form.bytes.is_some());
    // A later renderer may make other bytes of the same picture, which lie elsewhere.
    let heard =
        |file: &Published| known.announced(target, &file.rendition).map(|known| &known.path) == Some(&file.path);
    let unheard = to_put.filter(|form| !heard(&form.published));
    unheard.map(|form| (content, form.published.clone())).collect()
}

/// Makes sure that none of the files is to be put where nothing can be put now.
///
/// # Errors
/// [`ApplyError::BeingDeleted`].
pub fn free(forms: &[Form], refused: &HashSet<ObjectPath>) -> Result<(), ApplyError> {
    let mut to_put = forms.iter().filter(|form| form.bytes.is_some()).map(|form| &form.published.path);
    to_put
        .find(|path| refused.contains(*path))
        .map_or(Ok(()), |path| Err(ApplyError::BeingDeleted { path: path.clone() }))
}

/// Puts what is not there yet.
pub async fn put(
    world: &World,
    target: &Target<'_>,
    forms: Vec<Form>,
    known: &Known,
) -> Result<Vec<Published>, ApplyError> {
    let mut published = Vec::with_capacity(forms.len());
    for Form { published: file, bytes } in forms {
        if let Some(bytes) = bytes {
            // What is repaired, or was announced before, is ours to replace: it was damaged, or cut off by a power cut.
            // Everywhere else other bytes would be somebody else's file.
            let before = known.announced(target, &file.rendition);
            let ours = target.files == Lost::Some || before.is_some_and(|before| before.path == file.path);
            let overwrite = if ours { Overwrite::Replace } else { Overwrite::Never };
            let content_type = file.rendition.encoding.format.content_type();
            world.put(&file.path, bytes, content_type, overwrite).await?;
            crash_point("object-put");
        }
        published.push(file);
    }
    Ok(published)
}

/// Finds a file that is there already, or bytes that only need another path.
async fn there(
    world: &World,
    target: &Target<'_>,
    rendition: &Rendition,
    known: &Known,
) -> Result<Option<Form>, ApplyError> {
    if let Some(file) = known.announced(target, rendition) {
        let fits = !target.damaged.contains(&file.path) && world.storage.size(&file.path).await? == Some(file.bytes);
        if fits {
            let published = Published { rendition: rendition.clone(), ..file.clone() };
            return Ok(Some(Form { published, bytes: None }));
        }
    }
    let Some(record) = target.record.filter(|record| record.original == target.original.sha256) else {
        return adopted(world, target, rendition, known).await;
    };
    // The record's own file of this rendition, which may have been there before us, stays where it is.
    let own = record.published.iter().find(|file| file.rendition.name == rendition.name);
    let own = own.filter(|file| file.rendition.digest == rendition.digest);
    if let Some(file) = own {
        if !target.damaged.contains(&file.path) && world.storage.size(&file.path).await? == Some(file.bytes) {
            return Ok(Some(Form { published: file.clone(), bytes: None }));
        }
        // Where the published file was the original itself, the very same bytes are put back.
        let format = file.rendition.encoding.format;
        if file.sha256 == target.original.sha256 && format == rendition.encoding.format {
            let bytes = original::fetch(world, &target.original).await?;
            let path = rendition.path.fill(&file.sha256);
            let published = Published { rendition: rendition.clone(), path, ..file.clone() };
            return Ok(Some(Form { published, bytes: Some(bytes) }));
        }
    }
    if let Some(form) = adopted(world, target, rendition, known).await? {
        return Ok(Some(form));
    }
    let same = |file: &&Published| file.rendition.encoding == rendition.encoding;
    let Some(file) = record.published.iter().find(same) else { return Ok(None) };
    let Some(bytes) = still_holds(world, file).await? else { return Ok(None) };
    let path = rendition.path.fill(&file.sha256);
    let published = Published { rendition: rendition.clone(), path, ..file.clone() };
    Ok(Some(Form { published, bytes: Some(bytes) }))
}

/// Finds the product's own file that was taken over, or its bytes where they only need another path.
async fn adopted(
    world: &World,
    target: &Target<'_>,
    rendition: &Rendition,
    known: &Known,
) -> Result<Option<Form>, ApplyError> {
    let files = known.adopted.get(&target.original.sha256).into_iter().flatten();
    let files: Vec<&Published> = files.filter(|file| file.rendition.name == rendition.name).collect();
    for file in files.iter().filter(|file| file.rendition.digest == rendition.digest) {
        // The product may have put another picture there: its name tells nothing of its bytes.
        if still_holds(world, file).await?.is_some() {
            return Ok(Some(Form { published: (*file).clone(), bytes: None }));
        }
    }
    for file in files.iter().filter(|file| file.rendition.encoding == rendition.encoding) {
        let bytes = match file.sha256 == target.original.sha256 {
            true => Some(original::fetch(world, &target.original).await?),
            false => still_holds(world, file).await?,
        };
        if let Some(bytes) = bytes {
            let path = rendition.path.fill(&file.sha256);
            let published = Published { rendition: rendition.clone(), path, ..(*file).clone() };
            return Ok(Some(Form { published, bytes: Some(bytes) }));
        }
    }
    Ok(None)
}

/// Returns a file's bytes where they are those that were published.
async fn still_holds(world: &World, file: &Published) -> Result<Option<Bytes>, ApplyError> {
    if world.storage.size(&file.path).await? != Some(file.bytes) {
        return Ok(None);
    }
    let bytes = world.storage.get(&file.path, file.bytes).await?;
    Ok(Some(bytes).filter(|bytes| ContentDigest::of(bytes) == file.sha256))
}

async fn encode(target: &Target<'_>, rendition: &Rendition, picture: Arc<Held>) -> Result<Form, ApplyError> {
    let key = target.asset.key.clone();
    let encoding: Encoding = rendition.encoding;
    let work = move || {
        let Encoded { bytes, width, height } = picture.encode(&encoding)?;
        let sha256 = ContentDigest::of(&bytes);
        Ok((bytes, width, height, sha256))
    };
    let encoded = tokio::task::spawn_blocking(work).await.map_err(|_| ApplyError::Worker)?;
    let (bytes, width, height, sha256) = encoded.map_err(|source| ApplyError::Picture { key, source })?;
    let path = rendition.path.fill(&sha256);
    let size = bytes.len() as u64;
    let published =
        Published { rendition: rendition.clone(), path, sha256, bytes: size, width, height, renderer: RENDERER };
    Ok(Form { published, bytes: Some(bytes.into()) })
}
