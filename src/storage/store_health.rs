//! Health: whether a store does what it is asked, for whoever must not pay for what could not be kept.
//!
//! A run has one picture of it, however many stores share the work. Each request that failed and is sent again is trouble,
//! until it is granted or given up. A put that is given up for what is wrong with the store, and not with the file, is a
//! failure for the rest of the run: what is under way is still tried, but nothing should be begun that needs the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::StorageError;

/// For how long the puts of a run are repeated while the store fails: a server that is restarted is back by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It does what it is asked.
    Well,
    /// Something that failed is sent again; the store's words for it, or ours.
    Troubled(String),
    /// A file was given up on, in the words for that.
    Failed(String),
}

/// The health of the stores of a run.
#[derive(Debug)]
pub struct Health {
    seen: watch::Sender<HealthState>,
    /// For how long a put is repeated while the store fails, at least.
    patience: Duration,
}

#[derive(Debug, Default)]
struct HealthState {
    /// Requests that failed and are sent again.
    repeated: usize,
    /// What the last of them met.
    said: String,
    /// Since when puts fail and none was granted.
    failing_since: Option<Instant>,
    /// Why a file was given up on.
    failed: Option<String>,
}

/// A request that is sent again; it is granted or given up when this goes.
#[derive(Debug)]
pub(super) struct Repeated(Arc<Health>);

impl Drop for Repeated {
    fn drop(&mut self) {
        self.0.seen.send_modify(|seen| seen.repeated -= 1);
    }
}

impl HealthState {
    fn condition(&self) -> Condition {
        match (&self.failed, self.repeated) {
            (Some(said), _) => Condition::Failed(said.clone()),
            (None, 0) => Condition::Well,
            (None, _) => Condition::Troubled(self.said.clone()),
        }
    }
}

impl Health {
    /// Begins with a store that is well, for a run that is patient with it.
    pub fn of_a_run() -> Arc<Self> {
        Arc::new(Self { seen: watch::Sender::default(), patience: PATIENCE })
    }

    /// Begins with a store that is well, for whoever would rather be told at once.
    pub fn of_a_question() -> Arc<Self> {
        Arc::new(Self { seen: watch::Sender::default(), patience: Duration::ZERO })
    }

    /// Returns how the store does now.
    pub fn condition(&self) -> Condition {
        self.seen.borrow().condition()
    }

    /// Waits until the store does what it is asked; for ever once it has failed.
    pub async fn well(&self) {
        self.reached(|seen| seen.condition() == Condition::Well).await;
    }

    /// Waits until the store does not do what it is asked.
    pub async fn unwell(&self) {
        self.reached(|seen| seen.condition() != Condition::Well).await;
    }

    /// Waits until the store has failed; returns the words for that.
    pub async fn failed(&self) -> String {
        self.reached(|seen| seen.failed.is_some()).await;
        self.seen.borrow().failed.clone().unwrap_or_default()
    }

    async fn reached(&self, wanted: impl FnMut(&HealthState) -> bool) {
        // The sender lives as long as `self`.
        let _ = self.seen.subscribe().wait_for(wanted).await;
    }

    /// Remembers that a file was given up on for what is wrong with the store; the first reason is kept.
    pub fn fail(&self, said: &str) {
        self.seen.send_modify(|seen| {
            seen.failed.get_or_insert_with(|| said.to_owned());
        });
    }

    /// Hands what came of a put on, after counting a fault of the store.
    ///
    /// # Errors
    /// As the put.
    pub fn judge(&self, put: Result<(), StorageError>) -> Result<(), StorageError> {
        put.inspect_err(|error| {
            if error.is_of_the_store() {
                self.fail(&error.to_string());
            }
        })
    }

    /// Counts a request that failed and is sent again.
    pub(super) fn repeated(self: &Arc<Self>, said: &str) -> Repeated {
        self.seen.send_modify(|seen| {
            seen.repeated += 1;
            seen.said = said.to_owned();
        });
        Repeated(Arc::clone(self))
    }

    /// Counts a try of a put, by what came of it.
    pub(super) fn tried<T, E>(&self, put: &Result<T, E>) {
        self.seen.send_modify(|seen| {
            seen.failing_since = match put {
                Ok(_) => None,
                Err(_) => seen.failing_since.or_else(|| Some(Instant::now())),
            };
        });
    }

    /// Tells what a put that was begun then can still hope for.
    pub(super) fn outlook(&self, begun: Instant) -> Outlook {
        let seen = self.seen.borrow();
        let failing = seen.failing_since.map_or(Duration::ZERO, |since| since.elapsed());
        match begun.elapsed() < self.patience {
            _ if self.patience > Duration::ZERO && failing >= self.patience => Outlook::None,
            true if seen.failed.is_none() => Outlook::Good,
            _ => Outlook::Usual,
        }
    }
}

/// What a put that failed can hope for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// The store may come back: it is sent again, however often it failed.
    Good,
    /// It is sent again as often as any request.
    Usual,
    /// The store was waited for long enough.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_is_well_again_once_nothing_is_repeated_and_never_once_it_failed() {
        let health = Health::of_a_run();
        assert_eq!(health.condition(), Condition::Well);
        let (one, two) = (health.repeated("busy"), health.repeated("gone"));
        drop(one);
        assert_eq!(health.condition(), Condition::Troubled("gone".to_owned()));
        drop(two);
        health.well().await;
        health.fail("first");
        health.fail("second");
        health.tried(&Ok::<(), ()>(()));
        assert_eq!(health.condition(), Condition::Failed("first".to_owned()));
        assert_eq!(health.failed().await, "first");
        health.unwell().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_put_is_repeated_for_as_long_as_the_store_was_not_waited_for_long_enough() {
        let (health, begun) = (Health::of_a_run(), Instant::now());
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        assert_eq!(health.outlook(begun), Outlook::Good);
        health.tried(&Err::<(), ()>(()));
        pass(59).await;
        health.tried(&Err::<(), ()>(()));
        assert_eq!(health.outlook(begun), Outlook::Good);
        // Another file was taken: it is this one, and not the store, that is waited for.
        health.tried(&Ok::<(), ()>(()));
        pass(2).await;
        assert_eq!((health.outlook(begun), health.outlook(Instant::now())), (Outlook::Usual, Outlook::Good));
        health.tried(&Err::<(), ()>(()));
        pass(60).await;
        assert_eq!(health.outlook(Instant::now()), Outlook::None, "who comes later waits no more");
        let question = Health::of_a_question();
        question.tried(&Err::<(), ()>(()));
        assert_eq!(question.outlook(Instant::now()), Outlook::Usual);
    }
}
