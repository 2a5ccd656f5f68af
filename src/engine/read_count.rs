//! The count of files that were read: said now and then where that takes its time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{EngineEvent, EngineListener};

/// How often it is said.
const SAID_EVERY: Duration = Duration::from_secs(2);

/// Counts files that are read.
pub struct ReadCount<'l> {
    listener: &'l dyn EngineListener,
    state: Mutex<(u64, Instant)>,
}

impl<'l> ReadCount<'l> {
    /// Begins with none.
    pub fn new(listener: &'l dyn EngineListener) -> Self {
        Self { listener, state: Mutex::new((0, Instant::now())) }
    }

    /// Counts one more.
    pub fn read(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if state.1.elapsed() >= SAID_EVERY {
            state.1 = Instant::now();
            self.listener.hear(EngineEvent::FilesRead(state.0));
        }
    }
}
