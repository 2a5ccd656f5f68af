//! Reading: says now and then how many files have been read, where that takes its time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often it is said.
const SAID_EVERY: Duration = Duration::from_secs(2);

/// Counts files that are read.
pub struct Reading<'t> {
    talk: &'t (dyn Fn(&str) + Sync),
    state: Mutex<(u64, Instant)>,
}

impl<'t> Reading<'t> {
    /// Begins with none.
    pub fn new(talk: &'t (dyn Fn(&str) + Sync)) -> Self {
        Self { talk, state: Mutex::new((0, Instant::now())) }
    }

    /// Counts one more.
    pub fn read(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if state.1.elapsed() >= SAID_EVERY {
            state.1 = Instant::now();
            (self.talk)(&format!("{} files read so far", state.0));
        }
    }
}
