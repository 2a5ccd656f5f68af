//! Adopting: rows and pictures that were there before are taken over as they are.
//!
//! The bytes are copied to where originals lie; the old file is never announced as ours, so that nothing that cleans up
//! can ever take it for one. Rows are read and never written.

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

use super::files::Filed;
use super::item::Item;
use super::{ApplyError, Work, crash_point};

/// Pictures that are read and decoded at once; each is in memory meanwhile.
const AT_ONCE: usize = 4;

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
    let taken: Vec<(usize, Filed)> = stream::iter(adopted)
        .map(|(slot, item)| async move {
            let stale = || ApplyError::Stale { key: item.change.key.clone() };
            let (Some(asset), Some(adoption)) = (&item.asset, &item.change.adoption) else {
                return (slot, Err(stale()));
            };
            if seen.get(&item.change.key) != Some(&adoption.seen) {
                return (slot, Err(stale()));
            }
            (slot, take(world, asset, adoption).await)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    crash_point("adopted-put");
    world.storage.sync().await?;
    let originals = taken.iter().filter_map(|(_, filed)| filed.as_ref().ok().map(|(original, _)| original.clone()));
    world.state.found(&originals.collect::<Vec<_>>()).await?;
    crash_point("adopted-found");
    Ok(taken.into_iter().collect())
}

/// Copies the picture to where originals lie, and looks at the other files that the row names.
async fn take(world: &World, asset: &Asset, adoption: &Adoption) -> Filed {
    let mut published = Vec::with_capacity(adoption.objects.len());
    let mut original = None;
    for object in &adoption.objects {
        let bytes = world.storage.get(&object.path, imaging::BYTES_MAX).await?;
        let (bytes, facts) = look(asset, bytes).await?;
        let sha256 = ContentDigest::of(&bytes);
        let rendition = asset.renditions.iter().find(|rendition| rendition.name == object.rendition);
        let rendition = rendition.ok_or_else(|| ApplyError::Stale { key: asset.key.clone() })?;
        let Facts { format, width, height } = facts;
        let (path, size) = (object.path.clone(), bytes.len() as u64);
        published.push(Published { rendition: as_it_is(rendition, format), path, sha256, bytes: size, width, height });
        if object.rendition.as_str() == "main" {
            let recipe = asset.recipe.digest();
            let path = original_path(&recipe, &sha256, format.extension());
            world.storage.put(&path, bytes, format.content_type(), Overwrite::Replace).await?;
            crash_point("adopted-original");
            original = Some(Original { recipe, sha256, path, bytes: size, width, height, seed: None });
        }
    }
    let original = original.ok_or_else(|| ApplyError::NoPicture { key: asset.key.clone() })?;
    Ok((original, published))
}

/// Decodes a picture: what is no whole one is not taken over.
async fn look(asset: &Asset, bytes: Bytes) -> Result<(Bytes, Facts), ApplyError> {
    let looking = tokio::task::spawn_blocking(move || imaging::inspect(&bytes).map(|facts| (bytes, facts)));
    let looked = looking.await.map_err(|_| ApplyError::Worker)?;
    looked.map_err(|source| ApplyError::Picture { key: asset.key.clone(), source })
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
