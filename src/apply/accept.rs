//! Accepting: what somebody says may stay as it is, written down with the records that it is about.

use std::collections::{HashMap, HashSet};

use crate::asset::{Asset, AssetKey, ObjectPath, TableSpec};
use crate::digest::SeenDigest;
use crate::plan::{ColumnEdit, kept_columns};
use crate::record::{Original, RecordedRow};
use crate::state::{Accepted, AcceptedColumn, Commit, Lease, NewAcceptance, Put, Right};
use crate::storage::{Overwrite, content_type_of};
use crate::world::World;

use super::announce::announce_originals;
use super::item::Item;
use super::original::fetch;
use super::{ApplyError, crash_point};

/// Rows that are kept in one transaction.
const BATCH: usize = 500;

/// Copies the originals of accepted pictures to where those of their new recipes lie; each that fails, by its number.
///
/// # Errors
/// Where the storage cannot make them durable.
pub async fn copy_originals(world: &World, items: &[Item<'_>]) -> Result<HashMap<usize, ApplyError>, ApplyError> {
    let mut failed = HashMap::new();
    let to_copy = items.iter().enumerate().filter_map(|(slot, item)| {
        let lies = item.change.accepted.as_ref()?.lies.as_ref()?;
        Some((slot, lies, item.change.original.as_ref()?))
    });
    let to_copy: Vec<(usize, &ObjectPath, &Original)> = to_copy.collect();
    let originals = to_copy.iter().map(|(_, _, original)| (*original).clone());
    let refused = announce_originals(world, originals.collect()).await?;
    for (slot, lies, original) in &to_copy {
        let copied = match refused.contains(&original.path) {
            true => Err(ApplyError::BeingDeleted { path: original.path.clone() }),
            false => copy(world, lies, original).await,
        };
        if let Err(error) = copied {
            failed.insert(*slot, error);
        }
    }
    if !to_copy.is_empty() {
        world.storage.sync().await?;
        crash_point("accepted-copied");
    }
    Ok(failed)
}

async fn copy(world: &World, lies: &ObjectPath, original: &Original) -> Result<(), ApplyError> {
    let bytes = fetch(world, &Original { path: lies.clone(), ..original.clone() }).await?;
    Ok(world.put(&original.path, bytes, content_type_of(&original.path), Overwrite::Replace).await?)
}

/// Returns what is written down with the record of an accepted picture.
pub fn acceptance(right: Right<'_>, item: &Item<'_>, put: &Put) -> Option<NewAcceptance> {
    item.change.accepted.as_ref()?;
    let Right::Lease(_) = right else { return None };
    let from = item.change.before.map(|before| before.recipe);
    let accepted = Accepted::Picture { from, to: put.record.recipe.digest(), original: put.record.original };
    Some(NewAcceptance { key: put.record.key.clone(), accepted })
}

/// A row that was edited by hand and is kept.
pub struct KeptRow {
    /// The asset, its seed settled.
    pub asset: Asset,
    /// The digest of the row as it was looked at.
    pub seen: SeenDigest,
    /// What was edited.
    pub edits: Vec<ColumnEdit>,
}

/// Takes rows as they are; returns the keys of those that changed once more meanwhile, which stay as they were.
///
/// # Errors
/// What the state says.
pub async fn keep_rows(
    world: &World,
    lease: &Lease,
    table: &TableSpec,
    rows: &[KeptRow],
) -> Result<HashSet<AssetKey>, ApplyError> {
    let mut changed = HashSet::new();
    for batch in rows.chunks(BATCH) {
        let keys: Vec<AssetKey> = batch.iter().map(|row| row.asset.key.clone()).collect();
        let records = world.state.records(&lease.collection, &keys).await?;
        let mut records: HashMap<_, _> = records.into_iter().map(|record| (record.key.clone(), record)).collect();
        let found = world.state.rows(table, &keys).await?;
        let found: HashMap<_, _> = found.into_iter().map(|row| (row.key.clone(), row)).collect();
        let mut commit = Commit::default();
        for KeptRow { asset, seen, edits } in batch {
            let there = found.get(&asset.key).filter(|row| row.seen == *seen);
            let (Some(mut record), Some(row)) = (records.remove(&asset.key), there) else {
                changed.insert(asset.key.clone());
                continue;
            };
            let (Some(recorded), Some(declared)) = (record.row.take(), &asset.row) else {
                changed.insert(asset.key.clone());
                continue;
            };
            let declared = declared.clone().with_recipe(&record.recipe);
            let mut inputs = recorded.inputs;
            inputs.retain(|name, _| !crate::plan::is_kept(name));
            inputs.extend(kept_columns(&declared, &record.published, &world.url_base, &row.values));
            record.row = Some(RecordedRow { digest: recorded.digest, seen: row.seen, id: row.id.clone(), inputs });
            let columns = edits.iter().map(|ColumnEdit { column, written, found, edited: _ }| AcceptedColumn {
                column: column.clone(),
                old: written.clone(),
                new: found.clone(),
            });
            let accepted = Accepted::Row { columns: columns.collect() };
            commit.accepted.push(NewAcceptance { key: asset.key.clone(), accepted });
            commit.put.push(Put { record, moved_from: None, values: None });
        }
        world.state.commit(lease, Some(table), &commit).await?;
        crash_point("committed");
    }
    Ok(changed)
}
