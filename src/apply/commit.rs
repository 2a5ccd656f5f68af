//! Commits: many assets in one transaction, and fewer where the database refuses one of them.
//!
//! A product's table may have rules of its own, which only its database knows: a length, a check, a trigger. A row that it
//! refuses must not hold back those beside it.

use std::collections::HashSet;

use crate::asset::{AssetKey, TableSpec};
use crate::state::{Commit, Right, State, StateError};

/// Writes a commit; returns what was refused, each with why. Everything else is live; by a heartbeat alone nothing is
/// written, for a preview switches nothing.
///
/// # Errors
/// What every further commit would meet too; and a refused row of a rename, for renames go together or not at all.
pub async fn commit(
    state: &dyn State,
    right: Right<'_>,
    table: Option<&TableSpec>,
    whole: Commit,
) -> Result<Vec<(AssetKey, StateError)>, StateError> {
    let Right::Lease(lease) = right else { return Ok(Vec::new()) };
    let (mut pieces, mut refused) = (vec![whole], Vec::new());
    while let Some(piece) = pieces.pop() {
        match state.commit(lease, table, &piece).await {
            Ok(()) => {}
            Err(error @ StateError::Row { .. }) => match halves(piece) {
                Halves::Two(first, second) => pieces.extend([second, first]),
                Halves::One(key) => refused.push((key, error)),
                Halves::Whole => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// What becomes of a commit that holds a row which was refused.
enum Halves {
    /// Each is tried by itself.
    Two(Commit, Commit),
    /// It is this asset's row.
    One(AssetKey),
    /// It cannot be taken apart.
    Whole,
}

fn halves(mut commit: Commit) -> Halves {
    if commit.put.iter().any(|put| put.moved_from.is_some()) {
        return Halves::Whole;
    }
    if !commit.settled.is_empty() {
        return Halves::Whole;
    }
    match (commit.put.len(), commit.delete.len()) {
        (0, 0) => Halves::Whole,
        (1, 0) => commit.put.pop().map_or(Halves::Whole, |put| Halves::One(put.record.key)),
        (0, 1) => commit.delete.pop().map_or(Halves::Whole, Halves::One),
        (puts, 0) => {
            let put = commit.put.split_off(puts / 2);
            // What was accepted goes with what it is about.
            let keys: HashSet<&AssetKey> = put.iter().map(|put| &put.record.key).collect();
            let (accepted, rest) = commit.accepted.drain(..).partition(|acceptance| keys.contains(&acceptance.key));
            commit.accepted = rest;
            Halves::Two(commit, Commit { put, accepted, ..Commit::default() })
        }
        // A key may be deleted for the sake of one that is put: deletions go first.
        (0, deletes) => {
            let delete = commit.delete.split_off(deletes / 2);
            Halves::Two(commit, Commit { delete, ..Commit::default() })
        }
        (_, _) => {
            let delete = std::mem::take(&mut commit.delete);
            Halves::Two(Commit { delete, ..Commit::default() }, commit)
        }
    }
}
