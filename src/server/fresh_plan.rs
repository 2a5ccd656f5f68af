//! The plan of the manifests that are served: made when somebody wants it, and not again for a while.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::served_plan::{PlanPage, ServedManifests};

/// How long a plan is taken for current; looking at everything takes a while, and lists the storage.
const CURRENT_FOR: Duration = Duration::from_secs(5);

/// What came of making a plan: what goes wrong is told again, too, before it is tried again.
type MadePlan = Result<Arc<PlanPage>, String>;

/// The last plan.
#[derive(Default)]
pub struct FreshPlan {
    source: Option<Arc<ServedManifests>>,
    last: RwLock<Option<Arc<PlanPage>>>,
    made: Mutex<Option<(Instant, MadePlan)>>,
}

impl FreshPlan {
    /// Begins without a plan; without a source there never is one.
    pub fn new(source: Option<Arc<ServedManifests>>) -> Self {
        Self { source, ..Self::default() }
    }

    /// Tells whether there can be a plan at all.
    pub fn is_possible(&self) -> bool {
        self.source.is_some()
    }

    /// Returns the last plan, however old.
    pub fn last(&self) -> Option<Arc<PlanPage>> {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a plan that is current, made now where there is none; several who ask at once share it.
    ///
    /// # Errors
    /// In words, where none could be made.
    pub async fn get(&self) -> Result<Arc<PlanPage>, String> {
        let Some(source) = &self.source else { return Err("no manifests are served".to_owned()) };
        let mut made = self.made.lock().await;
        if let Some((when, plan)) = &*made
            && when.elapsed() < CURRENT_FOR
        {
            return plan.clone();
        }
        let plan = source.plan().await.map(Arc::new);
        if let Ok(plan) = &plan {
            *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(plan));
        }
        *made = Some((Instant::now(), plan.clone()));
        plan
    }
}
