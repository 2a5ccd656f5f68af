//! The manifests that a server shows the plan of: read when they change, planned when somebody looks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::engine::{self, Environment, LoadedManifests, PictureCopies, PlanGuards, PlanOptions};
use crate::render::{self, ReportFacts};
use crate::secret::chain;
use crate::server::{PlanPage, PlanSource};
use crate::world::World;

use super::Failure;
use super::output::Output;

/// What tells one state of the manifests from another.
type Stamps = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Manifests that plans are made of.
pub struct Manifests(Arc<Compared>);

/// Manifests, and the world that they are compared with.
struct Compared {
    named: Vec<PathBuf>,
    environment: Environment,
    world: Arc<World>,
    output: Output,
    loaded: Mutex<(Stamps, LoadedManifests)>,
}

impl Manifests {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// When none is found; what is wrong with one is told like anywhere.
    pub fn new(
        named: Vec<PathBuf>,
        environment: Environment,
        world: Arc<World>,
        output: &Output,
    ) -> Result<Self, Failure> {
        let stamps = stamps(&engine::manifest_paths(&named, &environment)?);
        let loaded = engine::load_manifests(&named, &environment, output)?;
        let loaded = Mutex::new((stamps, loaded));
        Ok(Self(Arc::new(Compared { named, environment, world, output: output.clone(), loaded })))
    }
}

impl Compared {
    async fn make(&self) -> Result<PlanPage, Failure> {
        let mut loaded = self.loaded.lock().await;
        let now = stamps(&engine::manifest_paths(&self.named, &self.environment)?);
        if loaded.0 != now {
            *loaded = (now, engine::load_manifests(&self.named, &self.environment, &self.output)?);
        }
        let loaded = &loaded.1;
        if loaded.declared.is_empty() && loaded.broken > 0 {
            return Err(Failure::broken(loaded.broken));
        }
        let options = PlanOptions { guards: PlanGuards::Ignored, ..PlanOptions::default() };
        let plan = engine::plan(&self.world, &self.environment, loaded, &options, &self.output).await?;
        let known = engine::plan_pictures(&self.world, &self.environment, loaded, &plan, PictureCopies::Wanted);
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
