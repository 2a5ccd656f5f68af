//! Rows that are about to be written: shown to the rules of their table before anything is bought.
//!
//! What only the picture tells is left open, but for its form: a URL that carries a digest has one of as many digits. Only
//! assets whose row is written are looked at, so that a plan without changes asks nothing.

use crate::asset::{Asset, Assets as _};
use crate::digest::ContentDigest;
use crate::imaging::{RENDERER, fitted};
use crate::manifest::Manifest;
use crate::plan::{Action, Change, CollectionPlan, Misfit};
use crate::record::{Published, outputs};
use crate::state::{Breach, RowAhead};
use crate::world::World;

use super::{CHUNK, PlannerError};

/// Returns the rows that the table of a collection would not take.
pub(super) async fn misfits(
    world: &World,
    manifest: &Manifest,
    plan: &CollectionPlan,
) -> Result<Vec<Misfit>, PlannerError> {
    let Some(table) = manifest.table() else { return Ok(Vec::new()) };
    let written: Vec<usize> =
        plan.changes.iter().filter(|change| writes_row(change)).filter_map(|change| change.index).collect();
    let mut misfits = Vec::new();
    for numbers in written.chunks(CHUNK) {
        let rows: Vec<RowAhead> = numbers.iter().filter_map(|number| ahead(&manifest.asset(*number), world)).collect();
        let breaches = world.state.breaches(table, &rows).await?;
        misfits.extend(breaches.into_iter().map(|Breach { key, rule, found, mend }| Misfit { key, rule, found, mend }));
    }
    Ok(misfits)
}

/// Tells whether carrying a change out writes a row from what the manifest says.
fn writes_row(change: &Change) -> bool {
    let writes = match change.action {
        Action::Generate | Action::Reuse | Action::Render | Action::Repair | Action::Move | Action::Publish => true,
        Action::Unknown | Action::Adopt | Action::Record | Action::Delete | Action::Keep => false,
    };
    writes && !change.after.is_some_and(|after| after.hold)
}

/// Returns the row of an asset as far as it is known.
fn ahead(asset: &Asset, world: &World) -> Option<RowAhead> {
    let row = asset.row.as_ref()?;
    let (width, height) = asset.recipe.picture_size();
    let sha256 = ContentDigest::of(asset.key.as_str().as_bytes());
    let published = asset.renditions.iter().map(|rendition| {
        let (width, height) = fitted(&rendition.encoding.resize, width, height);
        let path = rendition.path.fill(&sha256);
        Published { rendition: rendition.clone(), path, sha256, bytes: 0, width, height, renderer: RENDERER }
    });
    let values = row.each_value(outputs(&published.collect::<Vec<_>>(), &world.url_base));
    let templates = row.shape.columns.iter().zip(values);
    let values = templates.map(|(template, value)| {
        let is_open = template.names().iter().any(|name| name.rsplit('.').next() == Some("bytes"));
        value.ok().filter(|_| !is_open)
    });
    Some(RowAhead { key: asset.key.clone(), values: values.collect() })
}
