//! What answers share: what is published and planned now, what was counted, and how much is worked on at a time.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::Semaphore;

use crate::state::Shows;

use super::Served;
use super::fresh::Fresh;
use super::fresh_plan::FreshPlan;
use super::host::Hosts;
use super::metrics::{Costs, Metrics};
use super::pages::Pages;
use super::snapshot::Snapshot;

/// Requests that are worked on at a time.
const REQUESTS_MAX: usize = 512;
/// Something that was asked, and when.
pub type Remembered<T> = Mutex<Option<(Instant, T)>>;

/// Everything that answers share.
pub struct App {
    /// What is served.
    pub served: Arc<Served>,
    /// What is published now.
    pub fresh: Fresh,
    /// What manifests would change.
    pub plan: FreshPlan,
    /// What was counted.
    pub metrics: Metrics,
    /// The pages.
    pub pages: Pages,
    /// What the ledger came to.
    pub costs: Remembered<Costs>,
    /// Whether the storage was there.
    pub storage: Remembered<bool>,
    /// The hosts that requests may name.
    pub hosts: Hosts,
    /// One place for each request that is worked on.
    pub places: Semaphore,
}

impl App {
    /// Begins to serve at an address as it was asked for.
    pub fn new(served: Served, listened: &str) -> Self {
        let pages = Pages::new(&served.world.url_base);
        Self {
            fresh: Fresh::new(Arc::clone(&served.world), served.reader.clone()),
            plan: FreshPlan::new(served.plans.clone()),
            metrics: Metrics::default(),
            pages,
            costs: Remembered::default(),
            storage: Remembered::default(),
            places: Semaphore::new(REQUESTS_MAX),
            hosts: Hosts::new(&served.hosts, listened),
            served: Arc::new(served),
        }
    }

    /// Tells whether a plan may be shown: there are manifests, and no row is hidden that a plan would tell of.
    pub async fn may_plan(&self) -> bool {
        let shows = |snapshot: &Snapshot| snapshot.shows == Shows::Everything;
        self.plan.is_possible() && self.fresh.get().await.is_ok_and(|snapshot| shows(&snapshot))
    }
}
