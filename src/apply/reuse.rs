//! Reuse: originals that are there already, for whatever reason nothing has to be made.

use std::collections::HashMap;

use crate::plan::Action;
use crate::record::{CallStatus, Decision, Original};
use crate::state::CallFact;
use crate::world::World;

use super::ApplyError;
use super::files::Pictured;
use super::item::Item;

/// Fills in the originals that are there: those the plan names, and those made for another asset of this plan.
pub async fn take_over(
    world: &World,
    items: &[Item<'_>],
    originals: &mut [Option<Pictured>],
) -> Result<(), ApplyError> {
    let reused = items.iter().filter(|item| item.change.action == Action::Reuse);
    let (accepted, found): (Vec<&Item<'_>>, Vec<&Item<'_>>) = reused.partition(|item| accepted(item).is_some());
    let found: Vec<Original> = found.iter().filter_map(|item| item.change.original.clone()).collect();
    if !found.is_empty() {
        world.state.found(&found).await?;
    }
    let facts: Vec<CallFact> = accepted.iter().filter_map(|item| fact(item)).collect();
    if !facts.is_empty() {
        world.state.settle(&facts).await?;
    }
    let mut open = Vec::new();
    for (item, original) in items.iter().zip(originals.iter_mut()) {
        if original.is_some() {
            continue;
        }
        match (&item.change.original, &item.asset) {
            (Some(known), _) => *original = Some(Ok((known.clone(), None))),
            (None, Some(asset)) => open.push(asset.recipe.digest()),
            (None, None) => {}
        }
    }
    let known = world.state.originals(&open).await?;
    let known: HashMap<_, _> = known.into_iter().map(|original| (original.recipe, original)).collect();
    for (item, original) in items.iter().zip(originals.iter_mut()) {
        if let (None, Some(asset)) = (&original, &item.asset) {
            *original = known.get(&asset.recipe.digest()).map(|known| Ok((known.clone(), None)));
        }
    }
    Ok(())
}

/// Returns the call whose rejected picture is taken all the same.
fn accepted<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    let mut decisions = item.change.decisions.iter();
    decisions.find(|(_, decision)| *decision == Decision::Accepted).map(|(call, _)| call.as_str())
}

fn fact(item: &Item<'_>) -> Option<CallFact> {
    let original = item.change.original.clone();
    let call = accepted(item)?.to_owned();
    Some(CallFact { call, status: CallStatus::Finished, task: None, sha256: None, original, reason: None })
}
