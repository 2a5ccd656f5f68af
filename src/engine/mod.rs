//! The engine: what commands, the server and programs that embed pixform share.
//!
//! It settles an environment, opens it, reads manifests, makes a plan, and carries it out; what happens meanwhile is told
//! through one [`EngineListener`]. It parses no arguments, asks nobody, prints nothing and knows no exit codes.
//!
//! The whole way, in the order in which it is gone, is shown by `examples/embed.rs`: [`Environment::settle`], [`prepare()`],
//! [`PreparedPlan::open`], [`carry_out()`].

use std::path::PathBuf;

use crate::apply::ApplyError;
use crate::config::ConfigError;
use crate::planner::PlannerError;
use crate::state::StateError;
use crate::world::WorldError;
use crate::yaml::ManifestError;

mod approval;
mod carry_out;
mod check_published;
mod collection_order;
mod damage_memory;
mod environment;
mod find_asset;
mod idle_patterns;
mod listener;
mod manifest_files;
mod open_generators;
mod open_originals;
mod plan_pictures;
mod prepare;
mod read_count;
mod run_record;
mod store_settings;
mod surroundings;
mod upload_proof;
mod visitor_check;

pub use approval::Approval;
pub use carry_out::{PlanKeeping, RunExtent, RunOptions, carry_out};
pub use check_published::{CheckOptions, Checked, Finding, check};
pub use collection_order::keep_order;
pub use environment::{Environment, EnvironmentChoice};
pub use find_asset::find_asset;
pub use idle_patterns::{IdlePatterns, check_selection, matches_nothing};
pub use listener::{EngineEvent, EngineListener};
pub use manifest_files::{
    LoadedManifests, MANIFEST_BYTES_MAX, found_in, is_manifest_name, load_manifests, load_manifests_closed,
    manifest_paths, read_manifest,
};
pub use plan_pictures::{PictureCopies, PlanPictures, PlannedFiles, plan_pictures};
pub use prepare::{BytesRead, PlanGuards, PlanOptions, PreparedPlan, limits, plan, plan_takes, prepare};
pub use read_count::ReadCount;
pub use run_record::{RunStart, begin_run, end_run};
pub use surroundings::{now, shown, timestamp};
pub use visitor_check::{VisitorCheck, has_public_address, visit_after_apply, visit_file};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// `pixform.yaml`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read.
    #[error("`{path}` cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("`{path}` cannot be written", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A manifest has mistakes.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Manifests cannot be used, and the listener was told of each.
    #[error("{}", cannot_be_used(*.count))]
    Broken {
        /// How many.
        count: usize,
    },
    /// There is no manifest.
    #[error("there is no manifest in {looked}")]
    NoManifest {
        /// Where was looked.
        looked: String,
    },
    /// No asset has the key.
    #[error("no manifest declares `{key}`")]
    NoAsset {
        /// What was asked for.
        key: String,
        /// What to do.
        help: String,
    },
    /// What was asked for, or what is configured, does not fit.
    #[error("{message}")]
    Unfit {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// What is there is not what was approved.
    #[error("{message}")]
    NotApproved {
        /// What differs.
        message: String,
        /// What to do.
        help: String,
    },
    /// Planning failed.
    #[error(transparent)]
    Planner(#[from] PlannerError),
    /// Applying failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// State or storage failed.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl EngineError {
    /// Makes the error for what does not fit.
    pub fn unfit(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Unfit { message: message.into(), help: help.into() }
    }
}

fn cannot_be_used(count: usize) -> String {
    match count {
        1 => "1 manifest cannot be used".to_owned(),
        count => format!("{count} manifests cannot be used"),
    }
}
