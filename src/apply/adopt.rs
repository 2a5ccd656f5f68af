//! Adopting: rows and pictures that were there before are taken over as they are.
//!
//! The bytes are copied to where originals lie; the old file is never announced as ours, so that nothing that cleans up
//! can ever take it for one. It stays known to its original, so that an edit that is taken back gives it back, too. Rows are read and never written.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::asset::{Asset, Encoding, Format, Rendition};
use crate::digest::ContentDigest;
use crate::imaging::{self, Facts};
use crate::plan::{Action, Adoption, kept_columns, row_inputs};
use crate::record::{Original, Published, RecordedRow};
use crate::storage::Overwrite;
use crate::world::{World, original_path};

use super::announce::announce_originals;
use super::item::{Filed, Item};
use super::{ApplyError, Work, crash_point};

/// Pictures that are read and decoded at once; each is in memory meanwhile.
const AT_ONCE: usize = 4;
/// Pictures that are announced together; their files are in memory meanwhile.
const CHUNK: usize = 16;

/// Takes over the rows of a batch; what came of each, by its number in the batch.
///
/// # Errors
/// The whole batch fails only where state or storage refuse; a row or a picture that fails is an error of its own.
pub async fn adopt(world: &World, work: &Work<'_>, items: &[Item<'_>]) -> Result<HashMap<usize, Filed>, ApplyError> {
    let adopted = items.iter().enumerate().filter(|(_, item)| item.change.action == Action::Adopt);
    let adopted: Vec<(usize, &Item<'_>)> = adopted.collect();
    let (Some(table), false) = (work.table, adopted.is_empty()) else { return Ok(HashMap::new()) };
    let keys: Vec<_> = adopted.iter().map(|(_, item)| item.change.key.clone()).collect();
    let rows = world.state.rows(table, &keys).await?;
    let seen: HashMap<_, _> = rows.into_iter().map(|row| (row.key, row.seen)).collect();
    let seen = &seen;
    let mut taken = HashMap::new();
    for chunk in adopted.chunks(CHUNK) {
        let looked = chunk.iter().map(|(slot, item)| async move {
            let stale = || ApplyError::Stale { key: item.change.key.clone() };
            let (Some(asset), Some(adoption)) = (&item.asset, &item.change.adoption) else {
                return (*slot, Err(stale()));
            };
            if seen.get(&item.change.key) != Some(&adoption.seen) {
                return (*slot, Err(stale()));
            }
            (*slot, look(world, asset, adoption).await)
        });
        let looked = stream::iter(looked.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
        taken.extend(put(world, looked).await?);
    }
    crash_point("adopted-put");
    world.storage.sync().await?;
    let originals = taken.values().filter_map(|filed| filed.as_ref().ok().map(|(original, _)| original.clone()));
    world.state.found(&originals.collect::<Vec<_>>()).await?;
    let files = taken
        .values()
        .flatten()
        .flat_map(|(original, published)| published.iter().map(|file| (original.sha256, file.clone())));
    world.state.keep_adopted(&files.collect::<Vec<_>>()).await?;
    crash_point("adopted-found");
    Ok(taken)
}

/// A picture that fits, on its way to where originals lie.
struct FoundFile {
    original: Original,
    published: Vec<Published>,
    bytes: Bytes,
    content_type: &'static str,
}

/// Announces pictures and copies them to where originals lie.
async fn put(
    world: &World,
    looked: Vec<(usize, Result<FoundFile, ApplyError>)>,
) -> Result<Vec<(usize, Filed)>, ApplyError> {
    let originals = looked.iter().filter_map(|(_, found)| Some(found.as_ref().ok()?.original.clone()));
    let refused = &announce_originals(world, originals.collect()).await?;
    let put = looked.into_iter().map(|(slot, found)| async move {
        let filed = async {
            let FoundFile { original, published, bytes, content_type } = found?;
            if refused.contains(&original.path) {
                return Err(ApplyError::BeingDeleted { path: original.path });
            }
            world.put(&original.path, bytes, content_type, Overwrite::Replace).await?;
            crash_point("adopted-original");
            Ok((original, published))
        };
        (slot, filed.await)
    });
    Ok(stream::iter(put.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await)
}

/// Looks at the picture, and at the other files that the row names.
async fn look(world: &World, asset: &Asset, adoption: &Adoption) -> Result<FoundFile, ApplyError> {
    let mut published = Vec::with_capacity(adoption.objects.len());
    let mut main = None;
    for object in &adoption.objects {
        let bytes = world.storage.get(&object.path, imaging::BYTES_MAX).await?;
        let (facts, format) = decode(world, asset, &bytes).await?;
        let sha256 = ContentDigest::of(&bytes);
        let rendition = asset.renditions.iter().find(|rendition| rendition.name == object.rendition);
        let rendition = rendition.ok_or_else(|| ApplyError::Stale { key: asset.key.clone() })?;
        let Facts { format: _, width, height } = facts;
        let (path, size) = (object.path.clone(), bytes.len() as u64);
        let rendition = as_it_is(rendition, format);
        let renderer = imaging::RENDERER;
        published.push(Published { rendition, path, sha256, bytes: size, width, height, renderer });
        if object.rendition.as_str() == "main" {
            let recipe = asset.recipe.digest();
            let path = original_path(&recipe, &sha256, format.extension());
            let original = Original { recipe, sha256, path, bytes: size, width, height, seed: None };
            main = Some((original, bytes, format.content_type()));
        }
    }
    let (original, bytes, content_type) = main.ok_or_else(|| ApplyError::NoPicture { key: asset.key.clone() })?;
    Ok(FoundFile { original, published, bytes, content_type })
}

/// Decodes a picture: what is no whole one, or none that is ever published, is not taken over.
async fn decode(world: &World, asset: &Asset, bytes: &Bytes) -> Result<(Facts, Format), ApplyError> {
    let decoded = world.memory.decode(bytes).await;
    let published = decoded.and_then(|decoded| Ok((decoded.facts(), decoded.facts().published()?)));
    published.map_err(|source| ApplyError::Picture { key: asset.key.clone(), source })
}

/// Returns the declared rendition with the format that the file really has: its digest stays the declared one, so that
/// nothing is rendered because of it.
fn as_it_is(declared: &Rendition, format: Format) -> Rendition {
    let quality = declared.encoding.quality.filter(|_| format == declared.encoding.format);
    Rendition { encoding: Encoding { format, quality, ..declared.encoding }, ..declared.clone() }
}

/// Returns what is remembered of a row that is taken over as it is.
pub fn adopted_row(asset: &Asset, adoption: &Adoption, published: &[Published], url_base: &str) -> Option<RecordedRow> {
    let row = asset.row.as_ref()?;
    let mut inputs: BTreeMap<String, String> = row_inputs(row);
    inputs.extend(kept_columns(row, published, url_base, &adoption.values));
    Some(RecordedRow { digest: row.digest(), seen: adoption.seen, id: adoption.id.clone(), inputs })
}
