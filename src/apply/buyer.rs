//! The buyer: what buying the pictures of one collection needs, and what it comes to.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep;

use crate::asset::{Asset, AssetKey, CollectionName, MicroUsd, Seed};
use crate::digest::RecipeDigest;
use crate::state::Right;
use crate::world::World;

use super::barred::Barred;
use super::finishing::finishing_units;
use super::journal::Journal;
use super::lease::Leases;
use super::original::Made;
use super::pacing::Pacings;
use super::stop::{Go, Stop};
use super::{ApplyError, Event, Listener, Stage};

/// Buys the pictures of one collection.
pub struct Buyer<'b> {
    /// The environment.
    pub world: &'b Arc<World>,
    /// The collection.
    pub collection: &'b CollectionName,
    /// By what right the run buys.
    pub right: Right<'b>,
    /// The run's leases, which must be fresh before anything is sent.
    pub leases: &'b Leases,
    /// Where everything is written down.
    pub journal: &'b Journal,
    /// How fast the services may be asked.
    pub pacings: &'b Pacings,
    /// How often a call without an answer is repeated by itself.
    pub unknown_retries: u32,
    /// How far the run may still go.
    pub stop: &'b Stop,
    /// Who listens.
    pub listen: Listener<'b>,
    /// What a call costs, by generator name.
    pub prices: &'b BTreeMap<String, MicroUsd>,
    /// What was charged, and what may have been.
    pub tally: &'b Tally,
    /// Room for pictures that came and are not live yet.
    pub finishing: &'b Semaphore,
    /// What the store does not take.
    pub barred: &'b Barred,
}

/// What the calls of a run came to, as far as money goes.
#[derive(Debug, Default)]
pub struct Tally {
    /// Charged, by configured prices, in millionths of a dollar.
    pub charged: AtomicU64,
    /// Calls without an answer, which may be charged.
    pub unknown: AtomicU64,
    /// Calls that the service failed at, which may be charged.
    pub failed: AtomicU64,
    /// Pictures that were made with another seed than was asked for.
    pub seeds: Mutex<Vec<OtherSeed>>,
}

/// A picture that was made with another seed than was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherSeed {
    /// Its collection.
    pub collection: CollectionName,
    /// The asset.
    pub key: AssetKey,
    /// The seed that was asked for.
    pub asked: Seed,
    /// The seed that the service says it used.
    pub used: Seed,
}

/// A picture that is stored, and the room in which it is worked on.
pub struct Bought<'b> {
    /// The picture.
    pub made: Made,
    /// Given back when its pixels are no longer needed.
    pub permit: SemaphorePermit<'b>,
}

/// One picture to buy.
#[derive(Clone, Copy)]
pub struct PictureOrder<'o> {
    /// The asset.
    pub asset: &'o Asset,
    /// Its recipe's digest.
    pub recipe: RecipeDigest,
    /// What it costs; nothing where an earlier run paid for it.
    pub price: MicroUsd,
}

/// How a call ended that brought no picture, when it may be made again.
pub enum Again {
    Now,
    After(Duration),
}

impl<'b> Buyer<'b> {
    pub async fn room(&self, asset: &Asset) -> Result<SemaphorePermit<'b>, ApplyError> {
        self.finishing.acquire_many(finishing_units(asset)).await.map_err(|_| ApplyError::Worker)
    }

    pub async fn wait(&self, again: Again) {
        if let Again::After(delay) = again {
            tokio::select! {
                () = sleep(delay) => {}
                () = self.stop.reached(Go::NothingNew) => {}
            }
        }
    }

    pub fn tell(&self, order: &PictureOrder<'_>, stage: Stage) {
        (self.listen)(Event::Stage { collection: self.collection, key: &order.asset.key, stage });
    }
}
