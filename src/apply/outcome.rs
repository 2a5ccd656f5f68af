//! What a run came to: what was done, what it cost, and what is left.

use std::collections::HashMap;

use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::plan::{Action, Doubt};
use crate::state::StateError;
use crate::world::WorldError;

use super::buyer::OtherSeed;
use super::{ApplyError, Unbegun, Why};

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many assets were done, by action.
    pub done: HashMap<Action, u64>,
    /// What was charged by configured prices.
    pub cost: MicroUsd,
    /// Calls without an answer, which may be charged too.
    pub unknown_calls: u64,
    /// Calls that the service failed at, which may be charged too.
    pub failed_calls: u64,
    /// Pictures that were made with another seed than was asked for.
    pub other_seeds: Vec<OtherSeed>,
    /// Assets that a preview leaves to apply, for there is nothing to look at.
    pub left: u64,
    /// Assets that were not begun before the run had to stop.
    pub not_begun: u64,
    /// Those of them that were not bought because they could not have been kept.
    pub unbegun: Vec<(CollectionName, AssetKey, Unbegun)>,
    /// Assets that failed.
    pub failed: Vec<(CollectionName, AssetKey, ApplyError)>,
    /// Assets that wait for a decision about an earlier call, and what is in doubt about it.
    pub undecided: Vec<(CollectionName, AssetKey, Doubt)>,
    /// Assets whose earlier call was written off.
    pub forgotten: Vec<(CollectionName, AssetKey)>,
    /// Assets that were not bought, because nothing was to be bought, and what they cost.
    pub not_bought: Vec<(CollectionName, AssetKey, MicroUsd)>,
    /// What ended the run before its end.
    pub ended: Option<Ended>,
}

/// What ends a run early.
#[derive(Debug)]
pub enum Ended {
    /// It was told to stop.
    Stopped(Why),
    /// Something that every further asset would meet too.
    Broken(ApplyError),
}

impl ApplyError {
    /// Tells whether every further asset would meet the same.
    pub(super) fn ends_the_run(&self) -> bool {
        match self {
            Self::State(StateError::Row { .. }) => false,
            Self::Storage(error) | Self::NotStored { source: error, .. } => error.meets_every_file(),
            Self::World(_)
            | Self::State(_)
            | Self::Marker(_)
            | Self::Refused(_)
            | Self::Held(_)
            | Self::AtWork(_)
            | Self::Overslept
            | Self::NoGenerator(_)
            | Self::NotCopied { .. }
            | Self::Worker => true,
            Self::Journal(error) => {
                !matches!(**error, WorldError::State(StateError::Table { .. } | StateError::Row { .. }))
            }
            Self::Stale { .. }
            | Self::Service { .. }
            | Self::NotAsked { .. }
            | Self::OutcomeUnknown { .. }
            | Self::Undecided { .. }
            | Self::Rejected { .. }
            | Self::Withheld { .. }
            | Self::Lost { .. }
            | Self::Judged { .. }
            | Self::FailedRepeatedly { .. }
            | Self::UnderWay { .. }
            | Self::Capped { .. }
            | Self::NotBegun { .. }
            | Self::NoPicture { .. }
            | Self::Picture { .. }
            | Self::Damaged { .. }
            | Self::Collected { .. }
            | Self::BeingDeleted { .. }
            | Self::Row { .. }
            | Self::MadeElsewhere { .. }
            | Self::RenameHeldBack { .. } => false,
        }
    }
}
