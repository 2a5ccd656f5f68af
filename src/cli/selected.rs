//! Selections that select something: a pattern that matches no asset is most likely misspelt, and an empty plan would
//! hide that.

use crate::asset::Assets;
use crate::digest::SeenDigest;
use crate::planner::{Declared, Pattern, Selection};
use crate::record::RecordHead;
use crate::state::Visitor;
use crate::world::World;

use super::Failure;
use super::context::Loaded;

/// Looks for a recorded key that a pattern matches.
struct Recorded<'p> {
    pattern: &'p Pattern,
    collection: &'p str,
    axes: &'p [String],
    found: bool,
}

impl Visitor for Recorded<'_> {
    fn record(&mut self, head: RecordHead<'_>) {
        self.found |= match self.pattern {
            Pattern::Key(wanted, glob) => {
                wanted.as_deref().is_none_or(|wanted| wanted == self.collection) && glob.matches(head.key)
            }
            Pattern::Label(name, value) => {
                self.axes.iter().zip(head.key.split('/')).any(|(axis, label)| axis == name && label == value)
            }
        };
    }

    fn row(&mut self, _: &str, _: SeenDigest) {}
}

/// Refuses a selection of which some pattern matches neither a declared asset nor a recorded one.
///
/// Where a manifest could not be read, nothing is known of its assets and nothing is refused.
pub async fn check(world: &World, loaded: &Loaded, selection: &Selection) -> Result<(), Failure> {
    if loaded.broken > 0 {
        return Ok(());
    }
    for pattern in selection.only.iter().chain(&selection.except) {
        if !declared(&loaded.declared, pattern) && !recorded(world, pattern).await? {
            return Err(matches_nothing(pattern, loaded));
        }
    }
    Ok(())
}

/// Says that a pattern matches nothing, and what would match.
pub fn matches_nothing(pattern: &Pattern, loaded: &Loaded) -> Failure {
    let first = loaded.declared.iter().find_map(|declared| declared.heads.all().first());
    let example = first.map_or(String::new(), |head| format!("keys look like `{}`; ", head.key));
    let help = format!("{example}`pixform list` shows them all");
    Failure::usage(format!("`{pattern}` matches no asset"), help)
}

/// Tells whether a pattern matches a declared asset.
pub fn declared(declared: &[Declared], pattern: &Pattern) -> bool {
    declared.iter().any(|declared| {
        let (name, heads) = (&declared.manifest.name, declared.heads.all());
        match pattern {
            Pattern::Key(wanted, glob) => {
                wanted.as_deref().is_none_or(|wanted| wanted == name.as_str())
                    && heads.iter().any(|head| glob.matches(head.key.as_str()))
            }
            Pattern::Label(label, value) => {
                (0..heads.len()).any(|index| declared.manifest.asset(index).labels.get(label) == Some(value))
            }
        }
    })
}

async fn recorded(world: &World, pattern: &Pattern) -> Result<bool, Failure> {
    for known in world.state.known().await?.collections {
        let mut visitor = Recorded { pattern, collection: known.name.as_str(), axes: &known.key, found: false };
        world.state.scan(&known.name, None, &mut visitor).await?;
        if visitor.found {
            return Ok(true);
        }
    }
    Ok(false)
}
