//! Generators: services that make pictures, behind one small trait.
//!
//! One wire format a file. What a recipe may hold is checked offline by [`Kind::check`], so that a plan can refuse it
//! before money is spent. Which calls are made, and what is remembered of them, is left to `apply`.

use async_trait::async_trait;
use bytes::Bytes;

use crate::asset::{Complaint, Recipe, Seed};

mod novita;
mod placeholder;

pub use placeholder::Placeholder;

/// The kinds of generator that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Paints a labelled picture from the recipe's digest: free, offline, deterministic.
    Placeholder,
}

/// Whether calls cost money: a property of the adapter, never of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Never charged.
    Free,
}

impl Kind {
    /// All kinds, in the order in which messages list them.
    pub const ALL: [Self; 1] = [Self::Placeholder];

    /// Returns the name in `pixform.yaml` and in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Placeholder => "placeholder",
        }
    }

    /// Tells whether calls cost money.
    pub fn cost(self) -> Cost {
        match self {
            Self::Placeholder => Cost::Free,
        }
    }

    /// Tells whether the service takes a seed.
    pub fn takes_seeds(self) -> bool {
        match self {
            Self::Placeholder => true,
        }
    }

    /// Checks a recipe offline against what the service accepts.
    pub fn check(self, recipe: &Recipe) -> Vec<Complaint> {
        match self {
            Self::Placeholder => placeholder::check(recipe),
        }
    }
}

/// The rules of a service that recipes can be held to, also while another generator stands in for it (`checks_as`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Checks {
    /// Only what the placeholder needs.
    Placeholder,
    /// Novita's samplers, ranges and lengths.
    Novita,
}

impl Checks {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Self; 2] = [Self::Placeholder, Self::Novita];

    /// Returns the name in `pixform.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Placeholder => "placeholder",
            Self::Novita => "novita",
        }
    }

    /// Checks a recipe offline.
    pub fn check(self, recipe: &Recipe) -> Vec<Complaint> {
        match self {
            Self::Placeholder => placeholder::check(recipe),
            Self::Novita => novita::check(recipe),
        }
    }
}

/// What a generator answered with.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The image file.
    pub bytes: Bytes,
    /// The seed that the service says it used, where it says one.
    pub seed: Option<Seed>,
}

/// What can go wrong with a generator.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The picture could not be made here.
    #[error("the placeholder could not be painted")]
    Painting(#[from] crate::imaging::ImagingError),
}

/// What pixform needs of a service.
#[async_trait]
pub trait Generator: Send + Sync {
    /// Makes the picture of a recipe.
    async fn generate(&self, recipe: &Recipe) -> Result<Picture, GeneratorError>;
}
