//! The manifests that a server shows the plan of: read when they change, planned when somebody looks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::config::Settings;
use crate::plan::{Coverage, GuardLimits, Verdicts};
use crate::planner::{self, Depth, PlanRequest, Selection};
use crate::render::{self, ReportFacts};
use crate::secret::chain;
use crate::server::{PlanPage, PlanSource};
use crate::storage::{Originals, TakeStorage};
use crate::world::World;

use super::commands::plan::unknown_retries;
use super::context::Loaded;
use super::output::Output;
use super::pictures::{self, Copies};
use super::{Failure, ManifestArgs, context, services};

/// What tells one state of the manifests from another.
type Stamps = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Manifests that plans are made of.
pub struct Manifests(Arc<Compared>);

/// Manifests, and the world that they are compared with.
struct Compared {
    named: ManifestArgs,
    settings: Settings,
    world: Arc<World>,
    output: Output,
    loaded: Mutex<(Stamps, Loaded)>,
}

impl Manifests {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// When none is found; what is wrong with one is told like anywhere.
    pub fn new(named: ManifestArgs, settings: Settings, world: Arc<World>, output: &Output) -> Result<Self, Failure> {
        let stamps = stamps(&context::paths(&named, &settings)?);
        let loaded = context::manifests(&named, &settings, output)?;
        let loaded = Mutex::new((stamps, loaded));
        Ok(Self(Arc::new(Compared { named, settings, world, output: output.clone(), loaded })))
    }
}

impl Compared {
    async fn make(&self) -> Result<PlanPage, Failure> {
        let mut loaded = self.loaded.lock().await;
        let now = stamps(&context::paths(&self.named, &self.settings)?);
        if loaded.0 != now {
            *loaded = (now, context::manifests(&self.named, &self.settings, &self.output)?);
        }
        let loaded = &loaded.1;
        if loaded.declared.is_empty() && loaded.broken > 0 {
            return Err(Failure::Told { count: loaded.broken });
        }
        let prices = services::prices(&self.settings);
        let request = PlanRequest {
            declared: &loaded.declared,
            selection: &Selection::default(),
            refresh: Coverage::At,
            depth: Depth::Remembered,
            take: TakeStorage::No,
            originals: Originals::Private,
            limits: GuardLimits { max_cost: None, month: None, max_deletions: u64::MAX },
            now: context::now(),
            created_at: context::timestamp(),
            all_manifests: loaded.all,
            prices: &prices,
            verdicts: &Verdicts::new(),
            unknown_retries: unknown_retries(&self.settings),
            sample: None,
            approved: None,
        };
        let plan = planner::plan(&self.world, &request).await?;
        let known = pictures::known(&self.world, (&plan, loaded), &prices, Copies::Wanted);
        let facts = ReportFacts {
            assets: known.await?,
            commands: vec![self.output.command("pixform plan"), self.output.command("pixform apply")],
            ..ReportFacts::new(&plan.environment)
        };
        let drifted = plan.changes().filter(|(_, change)| change.has_drift()).count() as u64;
        let adopted = plan.changes().filter(|(_, change)| change.adoption.is_some()).count() as u64;
        let html = render::report_html(Some(&plan), &facts);
        Ok(PlanPage { html, changes: plan.changes().count() as u64, drifted, adopted })
    }
}

#[async_trait]
impl PlanSource for Manifests {
    async fn plan(&self) -> Result<PlanPage, String> {
        let (compared, runtime) = (Arc::clone(&self.0), Handle::current());
        // On a thread of its own: it works hard for a while, and answers are not to wait for it.
        let made = tokio::task::spawn_blocking(move || runtime.block_on(compared.make())).await;
        made.map_err(|error| error.to_string())?.map_err(|failure| chain(&failure))
    }
}

fn stamps(paths: &[PathBuf]) -> Stamps {
    let stamp = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok();
        (path.clone(), found.as_ref().map_or(0, |found| found.len()), found.and_then(|found| found.modified().ok()))
    };
    paths.iter().map(stamp).collect()
}
