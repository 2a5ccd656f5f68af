//! Keeps what is served current: asks the database whether anything changed, four times a second at most, and reads again
//! only then.
//!
//! Nobody asks while nobody is served. Whoever comes first after a pause waits for the question, so a first answer is never
//! old; whoever comes while somebody else asks gets what there is, unless that is too old. A database that does not answer
//! leaves what was read last in place: a picture that was published is a picture to look at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::secret::chain;
use crate::state::RowReader;
use crate::world::World;

use super::STALE_MILLISECONDS;
use super::snapshot::Snapshot;

/// How long what was found to be current counts as such, in milliseconds; twice this where reading takes long.
const CURRENT_MILLISECONDS: u64 = 250;
/// How long a database is waited for while there is something to serve.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is served now.
pub struct Fresh {
    world: Arc<World>,
    reader: RowReader,
    begun: Instant,
    current: RwLock<Option<Arc<Snapshot>>>,
    /// When it was last found to be current, in milliseconds since the beginning.
    checked: AtomicU64,
    /// When it is worth asking again, likewise.
    due: AtomicU64,
    /// The version that was read; whoever asks holds it.
    version: Mutex<String>,
    failure: RwLock<Option<String>>,
}

impl Fresh {
    /// Begins with nothing; rows are read in the place of a reader.
    pub fn new(world: Arc<World>, reader: RowReader) -> Self {
        Self {
            world,
            reader,
            begun: Instant::now(),
            current: RwLock::default(),
            checked: AtomicU64::new(0),
            due: AtomicU64::new(0),
            version: Mutex::default(),
            failure: RwLock::default(),
        }
    }

    /// Returns what is published, no older than [`STALE_MILLISECONDS`] where the database answers.
    ///
    /// # Errors
    /// In words, where nothing could be read yet.
    pub async fn get(&self) -> Result<Arc<Snapshot>, String> {
        let now = self.now();
        let current = self.current();
        if let Some(current) = &current
            && now < self.due.load(Ordering::Acquire)
        {
            return Ok(Arc::clone(current));
        }
        let age = now.saturating_sub(self.checked.load(Ordering::Acquire));
        let mut version = match (self.version.try_lock(), current) {
            (Ok(version), _) => version,
            (Err(_), Some(current)) if age < STALE_MILLISECONDS => return Ok(current),
            (Err(_), _) => self.version.lock().await,
        };
        if self.now() < self.due.load(Ordering::Acquire)
            && let Some(current) = self.current()
        {
            return Ok(current);
        }
        self.look(&mut version).await
    }

    /// Returns what went wrong at the last question, if anything did.
    pub fn failure(&self) -> Option<String> {
        self.failure.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self, version: &mut String) -> Result<Arc<Snapshot>, String> {
        let asked = self.now();
        let current = self.current();
        let looked = tokio::time::timeout(PATIENCE, self.read(version, current.as_ref())).await;
        let looked = looked.unwrap_or_else(|_| Err("the database does not answer".to_owned()));
        let took = self.now().saturating_sub(asked);
        let failure = looked.as_ref().err().cloned();
        if let Some(failure) = &failure {
            tracing::warn!("what is published could not be read: {failure}");
        }
        *self.failure.write().unwrap_or_else(PoisonError::into_inner) = failure;
        let pause = (took * 4).clamp(CURRENT_MILLISECONDS, STALE_MILLISECONDS);
        self.checked.store(asked, Ordering::Release);
        self.due.store(self.now() + pause, Ordering::Release);
        match (looked, current) {
            (Ok(new), _) => Ok(new),
            (Err(_), Some(current)) => Ok(current),
            (Err(failure), None) => {
                self.due.store(0, Ordering::Release);
                Err(failure)
            }
        }
    }

    async fn read(&self, version: &mut String, current: Option<&Arc<Snapshot>>) -> Result<Arc<Snapshot>, String> {
        let state = &*self.world.state;
        // The version comes first: what is committed while the rest is read differs from it.
        let now = state.version().await.map_err(|error| chain(&error))?;
        if let Some(current) = current
            && *version == now
        {
            return Ok(Arc::clone(current));
        }
        let read = Snapshot::read(state, &self.reader, &self.world.url_base).await.map_err(|error| chain(&error))?;
        *version = now;
        if let Some(current) = current
            && current.equals(&read)
        {
            return Ok(Arc::clone(current));
        }
        let read = Arc::new(read);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        Ok(read)
    }

    fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
