//! Progress of an apply: a bar on a terminal, a line now and then elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::apply::Event;
use crate::asset::MicroUsd;
use crate::render::Event as Line;

use super::Output;
use super::output::with_sources;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows how far an apply is.
pub struct Progress<'o> {
    output: &'o Output,
    bar: ProgressBar,
    state: Mutex<State>,
    total: u64,
}

struct State {
    cost: MicroUsd,
    done: u64,
    told: Instant,
}

impl<'o> Progress<'o> {
    /// Begins to show the progress of so many assets.
    pub fn new(output: &'o Output, total: u64) -> Self {
        let target = match output.shows_progress_bar() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        bar.set_message("$0.00");
        let state = State { cost: MicroUsd(0), done: 0, told: Instant::now() };
        Self { output, bar, state: Mutex::new(state), total }
    }

    /// Takes what happened.
    pub fn event(&self, event: Event<'_>) {
        if self.output.is_json() {
            self.tell(&event);
        }
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Started { .. } => {}
            Event::Charged { price, .. } => {
                state.cost.0 += price.0;
                self.bar.set_message(format!("${}", state.cost));
            }
            Event::Completed { .. } => self.advance(&mut state),
            Event::Failed { collection, key, error } => {
                self.advance(&mut state);
                if !self.output.is_json() {
                    self.bar.suspend(|| self.output.failed_asset(collection, key, error));
                }
            }
        }
    }

    /// Prints what happened as an event.
    fn tell(&self, event: &Event<'_>) {
        let output = self.output;
        match *event {
            Event::Started { collection, key, action } => output.event(&Line::ApplyStart { collection, key, action }),
            Event::Charged { collection, key, price } => output.event(&Line::ChargeRecorded { collection, key, price }),
            Event::Completed { collection, key, action, progress: (done, total) } => {
                output.event(&Line::ApplyComplete { collection, key, action, url: None });
                let cost = self.state.lock().map(|state| state.cost).unwrap_or_default();
                output.event(&Line::ApplyProgress { done, total, cost });
            }
            Event::Failed { collection, key, error } => {
                let message = with_sources(error);
                output.event(&Line::ApplyErrored { collection, key, message: &message });
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn advance(&self, state: &mut State) {
        state.done += 1;
        self.bar.set_position(state.done);
        let due = state.told.elapsed() >= LINE_EVERY || state.done == self.total;
        if due && !self.output.shows_progress_bar() && !self.output.is_json() {
            state.told = Instant::now();
            self.output.talk(&format!("{} of {} done, ${} so far", state.done, self.total, state.cost));
        }
    }
}
