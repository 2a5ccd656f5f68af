//! Approved plans: what was reviewed, held against what is there.

use std::collections::{BTreeMap, HashMap};

use crate::asset::{AssetKey, CollectionName};
use crate::plan::{Approved, Narrowed, Note, Plan, Recorded, Stray, Strayed, narrow, strayed_fields};
use crate::record::Record;
use crate::state::StateError;
use crate::world::World;

use super::PlannerError;

/// Takes everything out of a plan that was not approved.
///
/// # Errors
/// [`PlannerError::NotApproved`] where something that was approved can no longer be carried out as it was, and
/// [`PlannerError::Dearer`] where it would cost more.
pub(super) async fn hold_to(world: &World, plan: &mut Plan, approved: &Approved) -> Result<(), PlannerError> {
    let records = records(world, approved.unplanned(plan).into_iter()).await?;
    let recorded: Recorded<'_> =
        records.iter().map(|(collection, record)| ((*collection, &record.key), record)).collect();
    let Narrowed { done, left, strays } = narrow(plan, approved, &recorded);
    if !strays.is_empty() {
        return Err(PlannerError::NotApproved(explained(world, approved, strays).await?));
    }
    if plan.cost() > approved.cost {
        return Err(PlannerError::Dearer { approved: approved.cost, now: plan.cost() });
    }
    plan.notes.extend((done > 0).then_some(Note::Done { count: done }));
    plan.notes.extend((left > 0).then_some(Note::NotApproved { count: left }));
    Ok(())
}

/// Reads the records of some assets, each collection's at once.
async fn records<'a>(
    world: &World,
    assets: impl Iterator<Item = (&'a CollectionName, &'a AssetKey)>,
) -> Result<Vec<(&'a CollectionName, Record)>, StateError> {
    let mut keys: BTreeMap<&CollectionName, Vec<AssetKey>> = BTreeMap::new();
    for (collection, key) in assets {
        keys.entry(collection).or_default().push(key.clone());
    }
    let mut records = Vec::new();
    for (collection, keys) in keys {
        records.extend(world.state.records(collection, &keys).await?.into_iter().map(|record| (collection, record)));
    }
    Ok(records)
}

/// Tells of each stray in which fields it is one.
async fn explained(world: &World, approved: &Approved, mut strays: Vec<Stray>) -> Result<Vec<Stray>, StateError> {
    let changes: HashMap<_, _> =
        approved.changes.iter().map(|change| ((&change.collection, &change.key), change)).collect();
    let sources = strays.iter().filter_map(|stray| changes.get(&(&stray.collection, &stray.key)));
    let sources = sources.map(|change| match &change.moved_from {
        Some((collection, key)) => (collection, key),
        None => (&change.collection, &change.key),
    });
    let records = records(world, sources).await?;
    let records: HashMap<_, _> =
        records.iter().map(|(collection, record)| ((*collection, &record.key), record)).collect();
    let mut told = Vec::with_capacity(strays.len());
    for stray in &strays {
        let change = changes.get(&(&stray.collection, &stray.key));
        told.push(change.filter(|_| matches!(stray.why, Strayed::Record(_))).map(|change| {
            let source =
                change.moved_from.as_ref().map_or((&change.collection, &change.key), |(name, key)| (name, key));
            strayed_fields(change, records.get(&source).copied())
        }));
    }
    for (stray, fields) in strays.iter_mut().zip(told) {
        if let Some(fields) = fields {
            stray.why = Strayed::Record(fields);
        }
    }
    Ok(strays)
}
