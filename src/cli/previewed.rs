//! What a preview made: which files are there now for assets that still show others, for people to look at.

use std::io::ErrorKind;
use std::path::Path;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::asset::{AssetKey, Assets as _, CollectionName};
use crate::engine::{PlannedFiles, PreparedPlan};
use crate::files;
use crate::plan::{Action, Change, CollectionPlan};
use crate::record::Published;
use crate::render::{EventLine, terminal};
use crate::storage::StorageError;
use crate::world::{World, WorldError};

use super::{Failure, Output};

/// Pictures that are named.
const NAMED_MAX: usize = 50;
/// Pictures that are read at once.
const READ_AT_ONCE: usize = 8;

/// An asset with the file that it would show.
pub struct Previewed {
    /// The collection.
    pub collection: CollectionName,
    /// The asset.
    pub key: AssetKey,
    /// The file of its first rendition.
    pub file: Published,
}

/// Finds the files of all assets of a plan whose picture or files change, as far as they are there; in batches, whatever
/// their number.
pub async fn shown(world: &World, PreparedPlan { loaded, plan, .. }: &PreparedPlan) -> Result<Vec<Previewed>, Failure> {
    let makes = |action| matches!(action, Action::Generate | Action::Reuse | Action::Render | Action::Move);
    let first = |collection: &CollectionPlan, change: &Change| {
        let declared = loaded.declared.iter().find(|declared| declared.manifest.name == collection.name)?;
        Some(declared.manifest.asset(change.index?).renditions.first()?.digest)
    };
    let made = plan.changes().filter(|(_, change)| makes(change.action));
    let made: Vec<_> =
        made.map(|(collection, change)| (&collection.name, (change, first(collection, change)))).collect();
    let wanted: Vec<_> = made.iter().map(|(_, wanted)| *wanted).collect();
    let objects = PlannedFiles::find(world, &wanted).await?;
    let shown = made.iter().filter_map(|(collection, (change, rendition))| {
        let file = objects.published(change, (*rendition)?)?.clone();
        Some(Previewed { collection: (*collection).clone(), key: change.key.clone(), file })
    });
    Ok(shown.collect())
}

/// Names the files.
pub fn tell(world: &World, shown: &[Previewed], output: &Output) {
    let url = |file: &Published| (!world.url_base.is_empty()).then(|| file.path.url(&world.url_base));
    if output.is_json() {
        for Previewed { collection, key, file } in shown {
            let url = url(file);
            output.event(&EventLine::PreviewFile { collection, key, path: file.path.as_str(), url: url.as_deref() });
        }
        return;
    }
    let named = shown.iter().take(NAMED_MAX);
    let width = named.clone().map(|file| file.key.as_str().len()).max().unwrap_or_default();
    for Previewed { key, file, .. } in named {
        let place = url(file).unwrap_or_else(|| file.path.to_string());
        output.data(&format!("  {:width$}  {}\n", terminal(key.as_str()), terminal(&place)));
    }
    if shown.len() > NAMED_MAX {
        output.data(&format!("  … and {} more\n", shown.len() - NAMED_MAX));
    }
}

/// Saves the pictures into a folder; tells how many.
pub async fn save(world: &World, shown: &[Previewed], folder: &Path) -> Result<usize, Failure> {
    let saved = stream::iter(shown).map(|previewed| async move {
        let Previewed { collection, key, file } = previewed;
        let extension = file.rendition.encoding.format.extension();
        let path = folder.join(collection.as_str()).join(format!("{key}.{extension}"));
        let bytes = match world.storage.get(&file.path, file.bytes).await {
            Ok(bytes) => bytes,
            Err(StorageError::Missing { .. }) => return Ok(0),
            Err(error) => return Err(WorldError::from(error).into()),
        };
        write(&path, &bytes).map_err(|source| Failure::write(&path, source))?;
        Ok::<_, Failure>(1)
    });
    saved.buffer_unordered(READ_AT_ONCE).try_fold(0, |all, one| async move { Ok(all + one) }).await
}

/// Writes a file, and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let parent = path.parent().ok_or(ErrorKind::NotFound)?;
    std::fs::create_dir_all(parent)?;
    files::write(path, bytes)
}
