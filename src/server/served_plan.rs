//! The manifests that a server shows the plan of: read when they change, planned when somebody looks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::engine::{
    self, EngineError, EngineListener, Environment, LoadedManifests, PictureCopies, PlanGuards, PlanOptions,
};
use crate::render::{self, ReportFacts};
use crate::secret::chain;
use crate::world::World;

/// What tells one state of the manifests from another.
type FileStamps = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// A plan, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanPage {
    /// The page, whole and by itself.
    pub html: String,
    /// How many assets would change.
    pub changes: u64,
    /// How many of them were edited or lost outside of pixform.
    pub drifted: u64,
    /// How many rows it tells of that were nobody's until now.
    pub adopted: u64,
}

/// Manifests that plans are made of, and the world that they are compared with.
pub struct ServedManifests {
    named: Vec<PathBuf>,
    environment: Environment,
    world: Arc<World>,
    /// What to run next, as the page names it.
    commands: Vec<String>,
    listener: Arc<dyn EngineListener + Send>,
    loaded: Mutex<(FileStamps, LoadedManifests)>,
}

impl ServedManifests {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// When none is found; the listener is told what is wrong with one.
    pub fn new(
        named: Vec<PathBuf>,
        environment: Environment,
        world: Arc<World>,
        commands: Vec<String>,
        listener: Arc<dyn EngineListener + Send>,
    ) -> Result<Self, EngineError> {
        let stamps = stamps(&engine::manifest_paths(&named, &environment)?);
        let loaded = engine::load_manifests(&named, &environment, &*listener)?;
        Ok(Self { named, environment, world, commands, listener, loaded: Mutex::new((stamps, loaded)) })
    }

    /// Looks at everything and plans.
    ///
    /// # Errors
    /// In words.
    pub async fn plan(self: &Arc<Self>) -> Result<PlanPage, String> {
        let (manifests, runtime) = (Arc::clone(self), Handle::current());
        // On a thread of its own: it works hard for a while, and answers are not to wait for it.
        let made = tokio::task::spawn_blocking(move || runtime.block_on(manifests.make())).await;
        made.map_err(|error| error.to_string())?.map_err(|error| chain(&error))
    }

    async fn make(&self) -> Result<PlanPage, EngineError> {
        let mut loaded = self.loaded.lock().await;
        let now = stamps(&engine::manifest_paths(&self.named, &self.environment)?);
        if loaded.0 != now {
            *loaded = (now, engine::load_manifests(&self.named, &self.environment, &*self.listener)?);
        }
        let loaded = &loaded.1;
        if loaded.declared.is_empty() && loaded.broken > 0 {
            return Err(EngineError::Broken { count: loaded.broken });
        }
        let options = PlanOptions { guards: PlanGuards::Ignored, ..PlanOptions::default() };
        let plan = engine::plan(&self.world, &self.environment, loaded, &options, &*self.listener).await?;
        let known = engine::plan_pictures(&self.world, &self.environment, loaded, &plan, PictureCopies::Wanted);
        let facts = ReportFacts {
            assets: known.await?,
            commands: self.commands.clone(),
            ..ReportFacts::new(&plan.environment)
        };
        let drifted = plan.changes().filter(|(_, change)| change.has_drift()).count() as u64;
        let adopted = plan.changes().filter(|(_, change)| change.adoption.is_some()).count() as u64;
        let html = render::report_html(Some(&plan), &facts);
        Ok(PlanPage { html, changes: plan.changes().count() as u64, drifted, adopted })
    }
}

fn stamps(paths: &[PathBuf]) -> FileStamps {
    let stamp = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok();
        (path.clone(), found.as_ref().map_or(0, |found| found.len()), found.and_then(|found| found.modified().ok()))
    };
    paths.iter().map(stamp).collect()
}
