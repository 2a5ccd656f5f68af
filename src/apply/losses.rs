//! Losses: models that a run stops asking, because what they make is not what was asked for.
//!
//! A picture of another size, of one flat colour, or that nobody can read is paid for all the same. A service that makes three
//! of them in a row will make a fourth, so the rest of a model is not asked for; one good picture begins the count anew. A
//! model that is not there is asked for once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Pictures of a model in a row that are not what was asked for, until it is asked for no more.
pub const LOSSES_MAX: u32 = 3;

/// Why a model is not asked for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ModelStop {
    /// There is none.
    #[error("is not there")]
    NoModel,
    /// Too many of its pictures in a row were not what was asked for.
    #[error("made {LOSSES_MAX} pictures in a row that are not what was asked for")]
    Losses,
}

/// What was lost at the models of one account in one run.
#[derive(Debug, Default)]
pub struct Losses {
    in_a_row: Mutex<HashMap<Option<String>, u32>>,
    stopped: watch::Sender<HashMap<Option<String>, ModelStop>>,
}

impl Losses {
    /// Learns that a model made what was asked for.
    pub fn good(&self, model: Option<&str>) {
        self.in_a_row().remove(&model.map(str::to_owned));
    }

    /// Learns that a model made something else; too many in a row stop it.
    pub fn lost(&self, model: Option<&str>) {
        let mut in_a_row = self.in_a_row();
        let count = in_a_row.entry(model.map(str::to_owned)).or_insert(0);
        *count += 1;
        if *count >= LOSSES_MAX {
            self.stop(model, ModelStop::Losses);
        }
    }

    fn in_a_row(&self) -> MutexGuard<'_, HashMap<Option<String>, u32>> {
        self.in_a_row.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops asking for a model.
    pub fn stop(&self, model: Option<&str>, why: ModelStop) {
        self.stopped.send_if_modified(|stopped| {
            let known = stopped.len();
            stopped.entry(model.map(str::to_owned)).or_insert(why);
            stopped.len() > known
        });
    }

    /// Tells why a model is not asked for any more, where that is so.
    pub fn stopped(&self, model: Option<&str>) -> Option<ModelStop> {
        let stopped = self.stopped.borrow();
        if stopped.is_empty() { None } else { stopped.get(&model.map(str::to_owned)).copied() }
    }

    /// Waits until a model is not asked for any more.
    pub async fn stopping(&self, model: Option<&str>) {
        let model = model.map(str::to_owned);
        // The sender lives as long as `self`.
        let _ = self.stopped.subscribe().wait_for(|stopped| stopped.contains_key(&model)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn three_in_a_row_stop_their_model_and_no_other() {
        let losses = Losses::default();
        for _ in 0..2 {
            losses.lost(Some("a"));
            losses.lost(Some("b"));
        }
        losses.good(Some("b"));
        losses.lost(Some("b"));
        assert_eq!(losses.stopped(Some("a")), None);
        losses.lost(Some("a"));
        assert_eq!(losses.stopped(Some("a")), Some(ModelStop::Losses));
        losses.stopping(Some("a")).await;
        assert_eq!((losses.stopped(Some("b")), losses.stopped(None)), (None, None));
        losses.stop(None, ModelStop::NoModel);
        assert_eq!(losses.stopped(None), Some(ModelStop::NoModel));
    }
}
