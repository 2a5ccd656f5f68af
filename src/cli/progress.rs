//! Progress: one bar for the run and one line for each bought picture on a terminal, a plain line now and then elsewhere,
//! events where they are wanted.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::apply::{ApplyError, Event, Stage, Wish};
use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::imaging::Remark;
use crate::render::{EventLine as Line, Severity, terminal};

use super::Output;
use crate::secret::chain;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// How long there may be no line at all.
const SILENT_MAX: Duration = Duration::from_secs(10);
/// How often the lines of pictures are drawn again, for their clocks.
pub const DRAWN_EVERY: Duration = Duration::from_millis(250);
/// Pictures that have a line of their own.
const LINES_MAX: usize = 16;

/// Shows how far an apply is.
pub struct ProgressBars<'o> {
    output: &'o Output,
    all: MultiProgress,
    bar: ProgressBar,
    state: Mutex<DrawnProgress>,
    total: u64,
}

struct DrawnProgress {
    cost: MicroUsd,
    done: u64,
    told: Instant,
    /// Pictures under way: their lines, and since when.
    under_way: HashMap<(CollectionName, AssetKey), Option<ProgressBar>>,
    /// Pictures that wait for their turn, or for a service that needs a pause.
    waiting: HashSet<(CollectionName, AssetKey)>,
    /// What was remarkable about pictures and was told; each once a run.
    remarked: Vec<Remark>,
}

impl<'o> ProgressBars<'o> {
    /// Begins to show the progress of so many assets.
    pub fn new(output: &'o Output, total: u64) -> Self {
        let target = match output.shows_progress_bar() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let all = MultiProgress::with_draw_target(target);
        let bar = all.add(ProgressBar::new(total));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        bar.set_message("$0.00");
        let state = DrawnProgress {
            cost: MicroUsd(0),
            done: 0,
            told: Instant::now(),
            under_way: HashMap::new(),
            waiting: HashSet::new(),
            remarked: Vec::new(),
        };
        Self { output, all, bar, state: Mutex::new(state), total }
    }

    /// Takes what happened.
    pub fn event(&self, event: Event<'_>) {
        if self.output.is_json() {
            self.tell(&event);
        }
        let mut state = self.state();
        match event {
            Event::Started { .. } => {}
            Event::Remarked { collection, key, remark } => {
                if !state.remarked.contains(&remark) {
                    state.remarked.push(remark);
                    let (message, help) = remarked(remark);
                    let message = format!("{collection}:{key}: {message}");
                    self.all.suspend(|| self.output.warn(&message, help, None));
                }
            }
            Event::Stage { collection, key, stage } => self.stage(&mut state, collection, key, stage),
            Event::Unknown { .. } => {}
            Event::Charged { price, .. } => {
                state.cost.0 += price.0;
                self.bar.set_message(format!("${}", state.cost));
            }
            Event::Paused { generator, until, wish } => {
                let until = clock(until);
                self.note(&match wish {
                    Wish::Theirs => format!("{generator} asks for a pause until {until}"),
                    Wish::Ours => format!("{generator} is busy: it is left alone until {until}"),
                });
            }
            Event::StoreTroubled { said } => {
                self.note(&format!("nothing more is bought until the storage does what it is asked: {said}"));
            }
            Event::StoreWell => self.note("the storage does what it is asked again"),
            Event::Completed { collection, key, .. } => self.advance(&mut state, collection, key),
            Event::Failed { collection, key, error } => {
                // Those that were not asked for are counted at the end: the first of them said why.
                let told = self.output.is_json() || matches!(error, ApplyError::NotAsked { .. });
                if !told {
                    self.all.suspend(|| self.output.failed_asset(collection, key, error));
                }
                self.advance(&mut state, collection, key);
            }
        }
    }

    /// Prints what happened as an event.
    fn tell(&self, event: &Event<'_>) {
        let output = self.output;
        match *event {
            Event::Stage { .. } | Event::Remarked { .. } => {}
            Event::Started { collection, key, action } => output.event(&Line::ApplyStart { collection, key, action }),
            Event::Charged { collection, key, price } => output.event(&Line::ChargeRecorded { collection, key, price }),
            Event::Unknown { collection, key, call } => output.event(&Line::OutcomeUnknown { collection, key, call }),
            Event::Paused { generator, until, wish } => {
                let until = jiff::Timestamp::try_from(until).and_then(|time| time.round(jiff::Unit::Second));
                let until = until.map(|time| time.to_string()).unwrap_or_default();
                let named_by = match wish {
                    Wish::Theirs => "service",
                    Wish::Ours => "pixform",
                };
                output.event(&Line::ServicePaused { generator, until: &until, named_by });
            }
            Event::StoreTroubled { said } => output.event(&Line::StorageTroubled { message: said }),
            Event::StoreWell => output.event(&Line::StorageWell),
            Event::Completed { collection, key, action, progress: (done, total) } => {
                output.event(&Line::ApplyComplete { collection, key, action, url: None });
                let cost = self.state().cost;
                output.event(&Line::ApplyProgress { done, total, cost });
            }
            Event::Failed { collection, key, error } => {
                let message = chain(error);
                output.annotate(Severity::Error, &format!("{collection}:{key}: {message}"), None, None);
                output.event(&Line::ApplyErrored { collection, key, message: &message });
            }
        }
    }

    /// Says what has come up, beside the bars.
    fn note(&self, line: &str) {
        if !self.output.is_json() {
            self.all.suspend(|| self.output.talk(line));
        }
    }

    /// Shows a bought picture in a line of its own, where there is room.
    fn stage(&self, state: &mut DrawnProgress, collection: &CollectionName, key: &AssetKey, stage: Stage) {
        let id = (collection.clone(), key.clone());
        if stage == Stage::Waiting {
            // Who waits is not under way.
            self.forget(state, &id);
            state.waiting.insert(id);
            return;
        }
        state.waiting.remove(&id);
        let room = self.output.shows_progress_bar() && state.under_way.len() < LINES_MAX;
        let line = state.under_way.entry(id).or_insert_with(|| room.then(|| self.line()));
        if let Some(line) = line {
            line.set_message(format!("{}  {}", terminal(key.as_str()), words(stage)));
        }
    }

    fn line(&self) -> ProgressBar {
        let line = self.all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}  {elapsed}") {
            line.set_style(style);
        }
        line
    }

    fn forget(&self, state: &mut DrawnProgress, id: &(CollectionName, AssetKey)) {
        state.waiting.remove(id);
        if let Some(Some(line)) = state.under_way.remove(id) {
            self.all.remove(&line);
        }
    }

    /// Draws the lines again, for their clocks, and says in a line how far all is where that was not said for long.
    pub fn draw(&self) {
        let mut state = self.state();
        state.under_way.values().flatten().for_each(ProgressBar::tick);
        if state.told.elapsed() >= SILENT_MAX {
            self.say(&mut state);
        }
    }

    /// Takes everything away.
    pub fn finish(&self) {
        for line in self.state().under_way.drain().filter_map(|(_, line)| line) {
            line.finish_and_clear();
        }
        self.bar.finish_and_clear();
    }

    fn advance(&self, state: &mut DrawnProgress, collection: &CollectionName, key: &AssetKey) {
        self.forget(state, &(collection.clone(), key.clone()));
        state.done += 1;
        self.bar.set_position(state.done);
        if state.told.elapsed() >= LINE_EVERY || state.done == self.total {
            self.say(state);
        }
    }

    /// Says in a line how far everything is, where nothing draws it.
    fn say(&self, state: &mut DrawnProgress) {
        state.told = Instant::now();
        if self.output.shows_progress_bar() || self.output.is_json() {
            return;
        }
        let some = |count: usize, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
        let (under_way, waiting) = (some(state.under_way.len(), "under way"), some(state.waiting.len(), "waiting"));
        self.output.talk(&format!("{} of {} done{under_way}{waiting}, ${} so far", state.done, self.total, state.cost));
    }

    fn state(&self) -> MutexGuard<'_, DrawnProgress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time of day on this machine's clock.
fn clock(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).and_then(|time| time.round(jiff::Unit::Second));
    let time = time.map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string());
    time.unwrap_or_else(|_| "later".to_owned())
}

/// Says what is remarkable about a picture, and what can be done about it.
fn remarked(remark: Remark) -> (&'static str, &'static str) {
    match remark {
        Remark::ProfileIgnored => (
            "the picture's colour profile is broken or of another kind, so its numbers were taken for sRGB",
            "nothing has to be done where the colours look right; told once a run",
        ),
        Remark::InksByRule => (
            "the picture is made of inks (CMYK), whose profile is not followed: they were mixed by the usual rule",
            "have the service send RGB where the colours matter; told once a run",
        ),
        Remark::Opaque => (
            "transparency was asked for, and the picture has none",
            "look whether the model can do it, or leave `enable_transparent_background` out; told once a run",
        ),
    }
}

/// Says how far a picture is.
fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waits for its turn",
        Stage::Asking => "is asked for",
        Stage::Making => "is being made",
        Stage::Fetching => "is fetched",
        Stage::Storing => "is stored and published",
        Stage::Elsewhere => "is made by another run",
    }
}
