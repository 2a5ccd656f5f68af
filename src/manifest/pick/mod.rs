//! Picks: a take or a seed written into the `cells` of a manifest, and nothing else changed.
//!
//! The text is edited where our own parser says that things stand, so comments, quotes and line ends stay as they are.
//! Whether the edit did what was meant is not trusted to it: the new text is read like any manifest and compared, asset by
//! asset. What cannot be edited safely is refused with the lines to type. Writing the file is left to others.

use std::sync::Arc;

use crate::asset::{AssetKey, Heads, Seed};
use crate::yaml::{Node, Value, YamlLimits, parse};

use super::Manifest;

mod edit;
mod proof;

/// What was picked for one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// This take of its seed; 0 is the first.
    Take(u32),
    /// This seed, as it is.
    Seed(Seed),
}

/// What became of a pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    /// The manifest says so already.
    Already,
    /// The manifest's new text.
    Written(String),
}

/// Why a manifest was left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// Its generator has no seeds.
    #[error("the generator of `{0}` takes no seeds")]
    NoSeeds(AssetKey),
    /// An entry further down has the last word.
    #[error("`{glob}` in `cells` stands below the entry of `{key}` and sets the same, and the last one wins")]
    Overruled {
        /// The asset.
        key: AssetKey,
        /// The entry.
        glob: String,
        /// What to type.
        lines: String,
    },
    /// The place is written in a way that is not edited.
    #[error("where the pick for `{key}` belongs is written in a way that is not edited here")]
    Shape {
        /// The asset.
        key: AssetKey,
        /// What to type.
        lines: String,
    },
    /// The edit would change more than the pick, for instance by an anchor that others use.
    #[error("the edit would change more than `{key}`")]
    TooMuch {
        /// The asset.
        key: AssetKey,
        /// What to type.
        lines: String,
    },
}

impl Pick {
    /// Returns the fields that are set, in their order. A seed is what it says only as take 0 of itself.
    fn fields(self, take: u32) -> Vec<(&'static str, String)> {
        match self {
            Self::Take(take) => vec![("take", take.to_string())],
            Self::Seed(seed) if take == 0 => vec![("seed", seed.to_string())],
            Self::Seed(seed) => vec![("seed", seed.to_string()), ("take", "0".to_owned())],
        }
    }
}

/// Writes a pick into a manifest that was loaded.
///
/// # Errors
/// When the text cannot be edited so that this pick is all that changes.
pub fn pick(manifest: &Manifest, heads: &Heads, index: usize, pick: Pick) -> Result<Picked, PickError> {
    let asset = manifest.resolve_asset(index);
    if matches!(pick, Pick::Seed(_)) && asset.recipe.seed.is_none() {
        return Err(PickError::NoSeeds(asset.key));
    }
    if proof::holds(&asset, pick) {
        return Ok(Picked::Already);
    }
    let fields = pick.fields(asset.seed_from.take);
    let key = &asset.key;
    let lines = to_type(key, &fields);
    let mut text = manifest.source.to_string();
    for (field, value) in &fields {
        let edited = edit::set(&text, key.as_str(), field, value);
        text = edited.ok_or_else(|| PickError::Shape { key: key.clone(), lines: lines.clone() })?;
    }
    let Ok((edited, edited_heads)) = Manifest::load(&manifest.file, &text, manifest.rules.clone()) else {
        return Err(PickError::Shape { key: key.clone(), lines });
    };
    match proof::only(pick, index, (manifest, heads), (&edited, &edited_heads)) {
        proof::PickVerdict::Only => Ok(Picked::Written(text)),
        proof::PickVerdict::Overruled => {
            let glob = overruling(&text, key.as_str(), &fields).unwrap_or_else(|| "another entry".to_owned());
            Err(PickError::Overruled { key: key.clone(), glob, lines })
        }
        proof::PickVerdict::More => Err(PickError::TooMuch { key: key.clone(), lines }),
    }
}

/// Returns what to type below `cells:`.
fn to_type(key: &AssetKey, fields: &[(&'static str, String)]) -> String {
    format!("{}: {{ with: {{ {} }} }}", edit::key_text(key.as_str()), edit::pairs(fields))
}

/// Finds the last entry of `cells` that matches the key, stands behind the key's own entry, and sets one of the fields.
fn overruling(text: &str, key: &str, fields: &[(&'static str, String)]) -> Option<String> {
    let source: Arc<str> = text.into();
    let root = parse(&"".into(), &source, YamlLimits::MANIFEST).ok()?;
    let cells = edit::find(&root, "cells")?;
    let Value::Map(entries) = &cells.value else { return None };
    let sets = |node: &Node<'_>| {
        let with = edit::find(node, "with");
        with.is_some_and(|with| fields.iter().any(|(field, _)| edit::find(with, field).is_some()))
    };
    let matches = |glob: &str| glob.parse::<crate::glob::KeyGlob>().is_ok_and(|glob| glob.matches(key));
    let behind = entries.iter().rev().take_while(|entry| entry.key.text != key);
    let found = behind.into_iter().find(|entry| matches(&entry.key.text) && sets(&entry.value));
    found.map(|entry| entry.key.text.to_string())
}
