//! Samples: a few assets of a plan that show as much as possible of what is different about the rest.

use std::collections::HashSet;

use super::{Action, Plan};

/// Changes that a sample is chosen from; the rest is of the same kind.
const CANDIDATES_MAX: usize = 10_000;

/// A change that a sample may take.
struct Candidate {
    /// Its collection's and its own number.
    place: (usize, usize),
    /// Its label values, each with its collection's number and its name.
    labels: Vec<(usize, String, String)>,
}

/// Leaves so many changes of those that need a picture or a file in a plan, spread over all labels, and nothing else.
///
/// The next one is always that with the most label values that none before it has; of several the first of the manifest.
pub fn sample(plan: &mut Plan, count: usize) {
    let mut candidates = candidates(plan);
    let mut seen: HashSet<(usize, String, String)> = HashSet::new();
    let mut chosen: HashSet<(usize, usize)> = HashSet::new();
    while chosen.len() < count {
        let new = |candidate: &Candidate| candidate.labels.iter().filter(|label| !seen.contains(*label)).count();
        // `max_by_key` takes the last of several; from behind that is the first.
        let Some((at, _)) = candidates.iter().enumerate().rev().max_by_key(|(_, candidate)| new(candidate)) else {
            break;
        };
        let Candidate { place, labels } = candidates.remove(at);
        chosen.insert(place);
        seen.extend(labels);
    }
    for (at, collection) in plan.collections.iter_mut().enumerate() {
        let mut number = 0;
        collection.changes.retain(|_| {
            number += 1;
            chosen.contains(&(at, number - 1))
        });
    }
}

fn candidates(plan: &Plan) -> Vec<Candidate> {
    let makes = |action| matches!(action, Action::Generate | Action::Reuse | Action::Render);
    let all = plan.collections.iter().enumerate().flat_map(|(at, collection)| {
        let numbered = collection.changes.iter().enumerate().filter(move |(_, change)| makes(change.action));
        numbered.map(move |(number, change)| {
            let labels = collection.labels(change).map(|(name, value)| (at, name.to_owned(), value.to_owned()));
            Candidate { place: (at, number), labels: labels.collect() }
        })
    });
    all.take(CANDIDATES_MAX).collect()
}
