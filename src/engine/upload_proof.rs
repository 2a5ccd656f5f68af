//! What a plan is going to put into the storage: types, sizes, folders.

use std::collections::BTreeMap;

use crate::apply::Proof;
use crate::asset::{Assets as _, Cost};
use crate::plan::{Action, Change};
use crate::storage::{FilesToPut, Needs};

use super::EngineError;
use super::prepare::PreparedPlan;

/// Assets of a collection that are looked at; all others are of the same kind.
const LOOKED_AT_MAX: usize = 1_000;
/// Bytes of an original for each of its pixels: what a photograph has as PNG, and any other format less.
const BYTES_FOR_A_PIXEL: u64 = 2;
/// What a service that is paid may answer with.
const PAID_TYPES: [&str; 3] = ["image/png", "image/jpeg", "image/webp"];
/// What is painted for nothing.
const FREE_TYPES: [&str; 1] = ["image/png"];

/// Returns what has to be proven before a plan is carried out; `None` where it puts no file.
///
/// # Errors
/// When the address of the storage cannot be used.
pub fn proof(prepared: &PreparedPlan) -> Result<Option<Proof>, EngineError> {
    let PreparedPlan { environment, loaded, plan, takes: _ } = prepared;
    let (mut published, mut originals) = (FilesToPut::default(), FilesToPut::default());
    let mut folders = BTreeMap::new();
    let copies = plan.uncopied() > 0;
    for collection in &plan.collections {
        let changes: Vec<&Change> = collection.changes.iter().filter(|change| puts_files(change)).collect();
        let declared = loaded.declared.iter().find(|declared| declared.manifest.name == collection.name);
        let Some(declared) = declared.filter(|_| copies || !changes.is_empty()) else { continue };
        let manifest = &declared.manifest;
        if copies && !declared.heads.all().is_empty() {
            let forms = manifest.asset(0).renditions;
            published.content_types.extend(forms.iter().map(|form| form.encoding.format.content_type()));
            originals.content_types.extend(FREE_TYPES);
        }
        for change in changes.into_iter().take(LOOKED_AT_MAX) {
            let Some(asset) = change.index.map(|index| manifest.asset(index)) else { continue };
            let (width, height) = asset.recipe.picture_size();
            let bytes = u64::from(width) * u64::from(height) * BYTES_FOR_A_PIXEL;
            published.content_types.extend(asset.renditions.iter().map(|form| form.encoding.format.content_type()));
            if change.action == Action::Adopt {
                originals.content_types.extend(PAID_TYPES);
            }
            if change.action == Action::Generate {
                let generator = environment.settings.generators.get(&asset.generator);
                let is_paid = generator.is_some_and(|generator| generator.kind.cost == Cost::Paid);
                originals.content_types.extend(if is_paid { &PAID_TYPES[..] } else { &FREE_TYPES[..] });
                originals.bytes = originals.bytes.max(bytes);
            }
        }
        let content_type = published.content_types.first().copied().unwrap_or(FREE_TYPES[0]);
        folders.extend(manifest.folders().into_iter().map(|folder| (folder, content_type)));
    }
    if folders.is_empty() {
        return Ok(None);
    }
    let readers = environment.readers();
    Ok(Some(Proof { needs: Needs { published, originals, readers }, folders }))
}

/// Tells whether a change puts files.
fn puts_files(change: &Change) -> bool {
    match change.action {
        Action::Adopt | Action::Generate | Action::Reuse | Action::Render | Action::Repair | Action::Move => true,
        Action::Publish | Action::Record => change.has_file_drift(),
        Action::Unknown | Action::Delete | Action::Keep => false,
    }
}
