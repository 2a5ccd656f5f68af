//! Approved plans: what was reviewed, held against what is there.

use std::collections::HashMap;

use crate::plan::{
    Approved, ApprovedChange, Narrowed, Note, Plan, RecordedAssets, Stray, Strayed, narrow, strayed_fields,
};
use crate::state::{StateError, records_of};
use crate::world::World;

use super::PlannerError;

/// Takes everything out of a plan that was not approved.
///
/// # Errors
/// [`PlannerError::NotApproved`] where something that was approved can no longer be carried out as it was, and
/// [`PlannerError::Dearer`] where it would cost more.
pub(super) async fn hold_to(world: &World, plan: &mut Plan, approved: &Approved) -> Result<(), PlannerError> {
    let asked = approved.unplanned(plan).into_iter().map(|(collection, key)| (collection.clone(), key.clone()));
    let records = records_of(&*world.state, asked).await?;
    let recorded: RecordedAssets<'_> =
        records.iter().map(|((collection, key), record)| ((collection, key), record)).collect();
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

/// Tells of each stray in which fields it is one.
async fn explained(world: &World, approved: &Approved, mut strays: Vec<Stray>) -> Result<Vec<Stray>, StateError> {
    let changes: HashMap<_, _> =
        approved.changes.iter().map(|change| ((&change.collection, &change.key), change)).collect();
    let source = |change: &ApprovedChange| {
        change.moved_from.clone().unwrap_or_else(|| (change.collection.clone(), change.key.clone()))
    };
    let strayed = strays.iter().filter_map(|stray| changes.get(&(&stray.collection, &stray.key)));
    let records = records_of(&*world.state, strayed.map(|change| source(change))).await?;
    for stray in &mut strays {
        if let (Strayed::Record(fields), Some(change)) = (&mut stray.why, changes.get(&(&stray.collection, &stray.key)))
        {
            *fields = strayed_fields(change, records.get(&source(change)));
        }
    }
    Ok(strays)
}
