//! Events: what happens while a plan is carried out, for whoever listens.

use std::time::SystemTime;

use crate::asset::{AssetKey, CollectionName, GeneratorName, MicroUsd};
use crate::imaging::Remark;
use crate::plan::Action;

use super::ApplyError;

/// How far a bought picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn.
    Waiting,
    /// The service is asked.
    Asking,
    /// The service makes it.
    Making,
    /// It is fetched.
    Fetching,
    /// It is stored, rendered, and published.
    Storing,
    /// Another run makes it.
    Elsewhere,
}

/// Whose wish a pause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The service named its end.
    Theirs,
    /// The service has no time; how long it is left alone is our guess.
    Ours,
}

/// What happens while a plan is carried out.
#[derive(Debug, Clone)]
pub enum Event<'e> {
    /// Work on an asset begins.
    Started {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// What is done.
        action: Action,
    },
    /// A bought picture is further on.
    Stage {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// How far it is.
        stage: Stage,
    },
    /// A call was sent that may be charged, and no answer came.
    Unknown {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// The ledger's name of the call.
        call: &'e str,
    },
    /// A call was made that the configured price applies to.
    Charged {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// The configured price.
        price: MicroUsd,
    },
    /// Something is remarkable about a picture that is taken all the same.
    Remarked {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// What.
        remark: Remark,
    },
    /// A service is left alone for a while.
    Paused {
        /// The generator.
        generator: &'e GeneratorName,
        /// Until when nothing is asked of it.
        until: SystemTime,
        /// Whose wish it is.
        wish: Wish,
    },
    /// The storage does not do what it is asked: nothing is bought until it does.
    StoreTroubled {
        /// Its words, or ours.
        said: &'e str,
    },
    /// The storage does what it is asked again.
    StoreWell,
    /// The asset is live.
    Completed {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// What was done.
        action: Action,
        /// How many assets are done, and of how many.
        progress: (u64, u64),
    },
    /// The asset failed; whatever was live before still is.
    Failed {
        /// Its collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// Why.
        error: &'e ApplyError,
    },
}

/// Takes events; called from several threads.
pub type Listener<'l> = &'l (dyn Fn(Event<'_>) + Sync);
