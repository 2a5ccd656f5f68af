//! Stopping: how far a run may still go, and why it may not go on.

use tokio::sync::watch;

use crate::asset::GeneratorName;

use super::losses::ModelStop;

/// How far a run may still go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Go {
    /// On.
    On,
    /// Nothing new is begun; what is in flight is finished.
    NothingNew,
    /// What is in flight is left where it is: a task that is being made stays submitted.
    Leave,
}

/// Why a run may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A signal.
    Signal,
    /// Its time is up.
    TimeUp,
    /// Another run took its lease, or its state cannot be written.
    Broken,
}

/// Why an asset was not begun.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unbegun {
    /// The run had to stop.
    #[error("the run had to stop")]
    Stopped,
    /// The storage failed, in its words or ours.
    #[error("nothing is bought while the storage fails ({0})")]
    StoreFailed(String),
    /// The storage did not take another file of that size or type, in its words or ours.
    #[error("its files would not be taken ({0})")]
    NotTaken(String),
}

/// Why a service was not asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum NotAskedBecause {
    /// It says no to everything.
    #[error("`{0}` says no to everything")]
    Closed(GeneratorName),
    /// Nothing more is asked of one of its models in this run.
    #[error("{} of `{generator}` {why}", named(model.as_deref()))]
    Model {
        /// The generator.
        generator: GeneratorName,
        /// The model, where the recipe names one.
        model: Option<String>,
        /// Why.
        why: ModelStop,
    },
}

fn named(model: Option<&str>) -> String {
    model.map_or_else(|| "the model".to_owned(), |model| format!("`{model}`"))
}

impl Why {
    fn go(self) -> Go {
        match self {
            Self::Signal | Self::Broken => Go::NothingNew,
            Self::TimeUp => Go::Leave,
        }
    }
}

/// Tells everybody in a run how far it may still go; once it is told to stop, it never goes on.
#[derive(Debug)]
pub struct Stop {
    state: watch::Sender<(Go, Option<Why>)>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { state: watch::Sender::new((Go::On, None)) }
    }
}

impl Stop {
    /// Asks the run to stop; the first reason is kept.
    pub fn ask(&self, why: Why) {
        self.state.send_modify(|(go, first)| {
            *go = (*go).max(why.go());
            first.get_or_insert(why);
        });
    }

    /// Returns how far the run may go.
    pub fn go(&self) -> Go {
        self.state.borrow().0
    }

    /// Returns why it may not go on.
    pub fn why(&self) -> Option<Why> {
        self.state.borrow().1
    }

    /// Waits until the run may go no further than that.
    pub async fn reached(&self, wanted: Go) {
        let mut receiver = self.state.subscribe();
        // The sender lives as long as `self`.
        let _ = receiver.wait_for(|(go, _)| *go >= wanted).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_stops_never_goes_on() {
        let stop = Stop::default();
        assert_eq!((stop.go(), stop.why()), (Go::On, None));
        stop.ask(Why::TimeUp);
        stop.ask(Why::Signal);
        assert_eq!((stop.go(), stop.why()), (Go::Leave, Some(Why::TimeUp)));
        stop.reached(Go::NothingNew).await;
        stop.reached(Go::Leave).await;
    }
}
