//! Layers: what one place of a manifest sets, before the later ones have their word.

use crate::asset::{GeneratorName, Recipe, Seed};

use super::own::OwnField;
use super::placed::Placed;

/// A layer's number in [`super::pool::Pool::layers`]; 0 is the empty one.
pub type LayerId = u32;

/// Returns the number of a field that every recipe may have.
pub fn setting(name: &str) -> usize {
    Recipe::CORE_FIELDS.iter().position(|known| *known == name).expect("the name is one of the core's fields")
}

/// The value of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// The number of a template: prompts.
    Template(u32),
    /// Text as it stands: model, generator.
    Text(Box<str>),
    /// A number: take, width, height.
    Count(u32),
    /// Where the seed comes from.
    Seed(SeedSetting),
    /// A field of a kind's own.
    Own(Box<OwnField>),
    /// Something that cannot be read and was told of; nothing else is said about the field.
    Broken,
}

/// Where a seed comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum SeedSetting {
    /// The number itself.
    Number(Seed),
    /// The asset's first key.
    Derived,
    /// The values of these labels.
    DerivedFrom(Vec<Box<str>>),
}

/// A field by number, see [`super::own::KnownFields::names`], and what it is set to.
pub type SettingLine = (u16, Placed<Option<Setting>>);

/// What one place sets; `None` as a value takes a field or var away.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer {
    /// Vars by number, with their templates.
    pub vars: Vec<(u16, Option<u32>)>,
    /// What `with` or `defaults` sets.
    pub with: Vec<SettingLine>,
    /// What follows it for one generator only.
    pub per_generator: Vec<(GeneratorName, Vec<SettingLine>)>,
    /// Protection, where something is said of it.
    pub protect: Option<bool>,
    /// Holding, where something is said of it.
    pub hold: Option<bool>,
}

impl Layer {
    /// Returns what is set of fields, for all generators and for single ones.
    pub fn settings(&self) -> impl Iterator<Item = &Placed<Option<Setting>>> {
        let single = self.per_generator.iter().flat_map(|(_, lines)| lines);
        self.with.iter().chain(single).map(|(_, placed)| placed)
    }
}
