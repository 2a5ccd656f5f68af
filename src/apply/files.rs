//! Files of one asset: found, or prepared to be put; and what record and row say of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::asset::SeedBase;
use crate::digest::SeenDigest;
use crate::memory::Held;
use crate::plan::{Action, is_kept, kept_input, kept_value, row_inputs};
use crate::record::{Original, Published, Record, RecordedRow, outputs};
use crate::state::Put;
use crate::world::World;

use super::ApplyError;
use super::adopt::adopted_row;
use super::item::Item;
use super::publish::{Form, Known, Lost, Target, prepare};

/// An original, decoded where it was just made.
pub type Pictured = Result<(Original, Option<Arc<Held>>), ApplyError>;

/// The files of one item, before they are put.
pub enum Prepared<'i> {
    /// Nothing is to be put.
    There(Original, Vec<Published>),
    /// Announced first, these are put.
    ToPut(Box<Target<'i>>, Vec<Form>),
}

/// Finds or makes the published files of one item.
pub async fn file<'i>(
    world: &World,
    item: &'i Item<'_>,
    original: Option<Pictured>,
    known: &Known,
) -> Result<Prepared<'i>, ApplyError> {
    let Some(asset) = &item.asset else { return Err(stale(item)) };
    // Where neither picture nor files change, the record says what is there.
    let same_files = matches!(item.change.action, Action::Publish | Action::Record | Action::Repair);
    if let Some(record) = item.record.filter(|_| same_files && !item.change.has_file_drift()) {
        let original = recorded_original(record).ok_or_else(|| stale(item))?;
        return Ok(Prepared::There(original, record.published.clone()));
    }
    // Where only paths change, the published files are put at the new ones, whatever became of the original.
    let same_bytes = matches!(item.change.action, Action::Render | Action::Move) && item.change.original.is_none();
    let (original, decoded) = match (original, item.record.filter(|_| same_bytes)) {
        (_, Some(record)) => (recorded_original(record).ok_or_else(|| stale(item))?, None),
        (Some(pictured), None) => pictured?,
        (None, None) => return Err(ApplyError::NoPicture { key: item.change.key.clone() }),
    };
    // A held asset keeps the renditions of its record.
    let asset = match item.record.filter(|_| item.held) {
        Some(record) => {
            let mut kept = asset.clone();
            kept.renditions = record.published.iter().map(|file| file.rendition.clone()).collect();
            Cow::Owned(kept)
        }
        None => Cow::Borrowed(asset),
    };
    let target = Target {
        asset,
        files: Lost::of(item.change),
        damaged: item.change.damaged_files().cloned().collect(),
        record: item.record,
        original,
        decoded,
    };
    let forms = prepare(world, &target, known).await?;
    Ok(Prepared::ToPut(Box::new(target), forms))
}

/// Puts record and row of an item together.
pub fn entry(
    world: &World,
    item: &Item<'_>,
    original: &Original,
    published: Vec<Published>,
) -> Result<Put, ApplyError> {
    let Item { change, asset: Some(asset), record, held } = item else { return Err(stale(item)) };
    let held_record = record.filter(|_| *held);
    let recipe = held_record.map_or(&asset.recipe, |record| &record.recipe);
    let row = asset.row.as_ref().map(|row| match held_record {
        Some(record) => row.clone().with_recipe(&record.recipe),
        None => row.clone(),
    });
    let writes_row = match change.action {
        Action::Adopt => false,
        Action::Record => change.has_drift(),
        Action::Unknown
        | Action::Generate
        | Action::Reuse
        | Action::Render
        | Action::Move
        | Action::Publish
        | Action::Repair
        | Action::Delete
        | Action::Keep => true,
    };
    let failed = |source| ApplyError::Row { key: asset.key.clone(), source };
    let mut values = match &row {
        Some(row) if writes_row => Some(row.values(outputs(&published, &world.url_base)).map_err(failed)?),
        _ => None,
    };
    let recorded = record.as_ref().and_then(|record| Some((*record, record.row.as_ref()?)));
    let kept = match recorded {
        Some(recorded) => keep_columns(item, recorded, &published, &world.url_base, values.as_mut()),
        None => BTreeMap::new(),
    };
    let first_key = match (record, &asset.seed_from.base) {
        (Some(record), _) => record.first_key.clone(),
        (None, SeedBase::Key(key)) => key.parse().unwrap_or_else(|_| asset.key.clone()),
        (None, SeedBase::Number(_) | SeedBase::Axes(_)) => asset.key.clone(),
    };
    let snapshot = change.after;
    let recorded_row = match &change.adoption {
        Some(adoption) if change.action == Action::Adopt => adopted_row(asset, adoption, &published, &world.url_base),
        _ => row.map(|row| RecordedRow {
            digest: row.digest(),
            seen: SeenDigest::from_bytes([0; 32]),
            id: None,
            inputs: row_inputs(&row).into_iter().chain(kept).collect(),
        }),
    };
    let record = Record {
        key: asset.key.clone(),
        first_key,
        labels: asset.labels.clone(),
        recipe: recipe.clone(),
        base: held_record.map_or(&asset.seed_from.base, |record| &record.base).clone(),
        take: held_record.map_or(asset.seed_from.take, |record| record.take),
        vars: held_record.map_or(&asset.vars, |record| &record.vars).clone(),
        original: original.sha256,
        published,
        row: recorded_row,
        protect: snapshot.is_some_and(|after| after.protect),
        hold: snapshot.is_some_and(|after| after.hold),
    };
    Ok(Put { record, moved_from: change.moved_from.clone(), values })
}

/// Leaves the columns that the row keeps as they are, each until what the manifest makes of it changes.
fn keep_columns(
    item: &Item<'_>,
    (record, recorded): (&Record, &RecordedRow),
    published: &[Published],
    url_base: &str,
    mut values: Option<&mut Vec<Value>>,
) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    if !recorded.inputs.keys().any(|name| is_kept(name)) {
        return kept;
    }
    let Some(row) = item.asset.as_ref().and_then(|asset| asset.row.as_ref()) else { return kept };
    let (before, after) = (outputs(&record.published, url_base), outputs(published, url_base));
    let same_input = |name: &str| match row.inputs.get(name) {
        Some(value) => recorded.inputs.get(name) == Some(value),
        None => before.get(name) == after.get(name),
    };
    for (at, ((name, _), template)) in row.shape.table.columns.iter().zip(&row.shape.columns).enumerate() {
        let Some(old) = kept_value(recorded, name) else { continue };
        let same_template = recorded.inputs.get(&format!("columns.{name}")).map(String::as_str);
        if same_template == Some(template.source()) && template.names().iter().all(|name| same_input(name)) {
            kept.insert(kept_input(name), old.to_string());
            if let Some(value) = values.as_mut().and_then(|values| values.get_mut(at)) {
                *value = old;
            }
        }
    }
    kept
}

/// Returns what a record says of its original: the published file stands for it, which nobody reads for its sake.
fn recorded_original(record: &Record) -> Option<Original> {
    let (width, height) = record.recipe.picture_size();
    Some(Original {
        recipe: record.recipe.digest(),
        sha256: record.original,
        path: record.published.first()?.path.clone(),
        bytes: 0,
        width,
        height,
        seed: record.recipe.seed,
    })
}

fn stale(item: &Item<'_>) -> ApplyError {
    ApplyError::Stale { key: item.change.key.clone() }
}
