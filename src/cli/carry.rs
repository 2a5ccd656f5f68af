//! Carrying a plan out on a terminal: signals stop it, and its progress is shown.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use crate::apply::Outcome;
use crate::engine::{self, EngineEvent, EngineListener, PreparedPlan, RunOptions};
use crate::world::World;

use super::progress::{DRAWN_EVERY, ProgressBars};
use super::signals::Signals;
use super::{Failure, Output};

/// What came of a plan that was carried out.
pub struct CarriedOut {
    /// What was done, and what was not.
    pub outcome: Outcome,
    /// The exit code of the signal that came, if one did.
    pub signal_code: u8,
}

/// Shows the progress of a plan that is carried out, and prints everything else.
struct ShownProgress<'o> {
    output: &'o Output,
    progress: OnceLock<ProgressBars<'o>>,
}

impl EngineListener for ShownProgress<'_> {
    fn hear(&self, event: EngineEvent<'_>) {
        match (event, self.progress.get()) {
            (EngineEvent::Begun(changes), _) => {
                self.progress.get_or_init(|| ProgressBars::new(self.output, changes));
            }
            (EngineEvent::Apply(event), Some(progress)) => progress.event(event),
            (EngineEvent::Ended, Some(progress)) => progress.finish(),
            (event, _) => self.output.hear(event),
        }
    }
}

impl ShownProgress<'_> {
    /// Draws again and again; never ends.
    async fn draw(&self) -> Infallible {
        loop {
            tokio::time::sleep(DRAWN_EVERY).await;
            self.progress.get().into_iter().for_each(ProgressBars::draw);
        }
    }
}

/// Carries a plan out, for as long as no signal stops it.
pub async fn carry_out(
    world: &Arc<World>,
    prepared: &PreparedPlan,
    options: &RunOptions<'_>,
    output: &Output,
) -> Result<CarriedOut, Failure> {
    let signals = Signals::listen(options, output);
    let shown = ShownProgress { output, progress: OnceLock::new() };
    let outcome = tokio::select! {
        outcome = engine::carry_out(world, prepared, options, &shown) => outcome?,
        never = shown.draw() => match never {},
    };
    Ok(CarriedOut { outcome, signal_code: signals.code() })
}
