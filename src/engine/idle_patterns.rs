//! Selections that select something: a pattern that matches no asset is most likely misspelt, and an empty plan would
//! hide that.

use crate::asset::{CollectionName, Labels};
use crate::digest::SeenDigest;
use crate::planner::{DeclaredManifest, Pattern, Patterns, Selection};
use crate::record::RecordHead;
use crate::state::ScanVisitor;
use crate::world::World;

use super::EngineError;
use super::manifest_files::LoadedManifests;

/// The patterns of a selection that have matched nothing yet.
pub struct IdlePatterns<'s> {
    sides: [SelectionSide<'s>; 2],
}

/// `--only`, or `--except`.
struct SelectionSide<'s> {
    patterns: &'s Patterns,
    idle: Vec<bool>,
    count: usize,
    matching: Vec<u32>,
}

impl<'s> IdlePatterns<'s> {
    /// Begins with all patterns.
    pub fn of(selection: &'s Selection) -> Self {
        let side = |patterns: &'s Patterns| {
            let count = patterns.iter().count();
            SelectionSide { patterns, idle: vec![true; count], count, matching: Vec::new() }
        };
        Self { sides: [side(&selection.only), side(&selection.except)] }
    }

    /// Returns the first that matched nothing.
    pub fn first(&self) -> Option<&'s Pattern> {
        let idle =
            |side: &SelectionSide<'s>| side.patterns.iter().zip(&side.idle).find_map(|(one, idle)| idle.then_some(one));
        self.sides.iter().find_map(idle)
    }

    fn is_empty(&self) -> bool {
        self.sides.iter().all(|side| side.count == 0)
    }

    /// Takes out what matches a declared asset.
    pub fn meet_declared(&mut self, declared: &[DeclaredManifest]) {
        for declared in declared {
            for (index, head) in declared.heads.all().iter().enumerate() {
                if self.is_empty() {
                    return;
                }
                let labels = declared.manifest.labels(index);
                self.meet(&declared.manifest.name, head.key.as_str(), &labels);
            }
        }
    }

    fn meet(&mut self, collection: &CollectionName, key: &str, labels: &Labels) {
        for SelectionSide { patterns, idle, count, matching } in &mut self.sides {
            patterns.find(collection, key, labels, matching);
            for number in matching {
                *count -= usize::from(std::mem::replace(&mut idle[*number as usize], false));
            }
        }
    }
}

/// Takes out what matches a record.
struct RecordedPatterns<'i, 's> {
    idle: &'i mut IdlePatterns<'s>,
    collection: &'i CollectionName,
    axes: &'i [String],
}

impl ScanVisitor for RecordedPatterns<'_, '_> {
    fn record(&mut self, head: RecordHead<'_>) {
        let labels = self.axes.iter().cloned().zip(head.key.split('/').map(str::to_owned)).collect();
        self.idle.meet(self.collection, head.key, &labels);
    }

    fn row(&mut self, _: &str, _: SeenDigest) {}
}

/// Refuses a selection of which some pattern matches neither a declared asset nor a recorded one.
///
/// Where a manifest could not be read, nothing is known of its assets and nothing is refused.
///
/// # Errors
/// Where a pattern matches nothing, or the state cannot be read.
pub async fn check_selection(
    world: &World,
    loaded: &LoadedManifests,
    selection: &Selection,
) -> Result<(), EngineError> {
    if loaded.broken > 0 {
        return Ok(());
    }
    let mut idle = IdlePatterns::of(selection);
    idle.meet_declared(&loaded.declared);
    if !idle.is_empty() {
        for known in world.state.known().await?.collections {
            let mut visitor = RecordedPatterns { idle: &mut idle, collection: &known.name, axes: &known.key };
            world.state.scan(&known.name, None, &mut visitor).await?;
        }
    }
    match idle.first() {
        Some(pattern) => Err(matches_nothing(pattern, loaded)),
        None => Ok(()),
    }
}

/// Says that a pattern matches nothing, and what would match.
pub fn matches_nothing(pattern: &Pattern, loaded: &LoadedManifests) -> EngineError {
    let first = loaded.declared.iter().find_map(|declared| declared.heads.all().first());
    let example = first.map_or(String::new(), |head| format!("keys look like `{}`; ", head.key));
    let help = format!("{example}`pixform list` shows them all");
    EngineError::unfit(format!("`{pattern}` matches no asset"), help)
}
