//! What the fake remembers: every request, every charge, every task, and every secret that it gave away.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::picture::FileType;
use super::request::Order;
use super::script::Fault;

/// What the rate limit and `most_in_a_minute` look at.
const WINDOW: Duration = Duration::from_secs(60);

/// One task that was paid for.
#[derive(Clone, Debug, Serialize)]
pub struct Charge {
    pub task_id: String,
    /// Since the fake started.
    pub at: Duration,
    pub prompt: String,
    /// Pictures in this task.
    pub images: u32,
    /// The seed that was asked for, or drawn if none was.
    pub seed: i64,
    /// Whether `extra` asked for the detection of nudity.
    pub nsfw_detection: bool,
    /// How strict `extra` asked it to be.
    pub nsfw_level: u8,
    /// The whole body of the request.
    pub body: Value,
    /// The canonical text of its `request` object: equal for equal recipes.
    pub recipe: String,
}

/// Whether a failure costs money.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Charging {
    Charged,
    Free,
}

/// One request, as it came in, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    pub method: String,
    /// Without the query.
    pub path: String,
    /// As sent; empty if there was none.
    pub query: String,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// When its head had arrived, since the fake started.
    pub at: Duration,
    pub answered: Answered,
    /// The fault that hit it.
    pub fault: Option<Fault>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// An answer with this status.
    Status(u16),
    /// The connection was closed without an answer.
    Closed,
    /// The connection was reset without an answer.
    Reset,
    /// Nothing, for as long as the client waits.
    Stalled,
}

/// How a task ends.
#[derive(Clone)]
pub enum Fate {
    /// With pictures.
    Good,
    /// Not at all, until the faults are cleared.
    Endless,
    /// With this reason.
    Failed(String),
}

/// One task.
pub struct Task {
    pub order: Order,
    /// The seed that was asked for, or drawn if none was.
    pub seed: i64,
    pub created: Duration,
    pub latency: Duration,
    pub polls: u32,
    pub fate: Fate,
    /// The signatures that still open its files.
    pub signatures: Vec<String>,
    /// Whether all its links are dead for good.
    pub expired: bool,
    /// Its files, as far as they have been made.
    pub files: BTreeMap<u32, Bytes>,
}

/// Everything that is remembered.
#[derive(Default)]
pub struct Ledger {
    pub requests: Vec<Seen>,
    pub charges: Vec<Charge>,
    pub tasks: BTreeMap<String, Task>,
    pub secrets: Vec<String>,
    /// When the submits of all kinds arrived.
    pub submits: Vec<Duration>,
    /// When images were ordered, and how many.
    accepted: Vec<(Duration, u32)>,
}

impl Task {
    /// Returns the type of its files.
    pub fn file_type(&self) -> FileType {
        self.order.file_type
    }
}

impl Ledger {
    /// Tells whether so many images may be ordered now.
    pub fn has_room(&self, images: u32, rate: Option<u32>, now: Duration) -> bool {
        let recent = self.accepted.iter().rev().take_while(|(at, _)| now.saturating_sub(*at) < WINDOW);
        rate.is_none_or(|rate| recent.map(|(_, images)| images).sum::<u32>() + images <= rate)
    }

    /// Makes a task of an order, charges it, and returns its name.
    pub fn charge(&mut self, order: Order, latency: Duration, now: Duration) -> String {
        let task_id = format!("{:032x}", fastrand::u128(..));
        let seed = order.seed.unwrap_or_else(|| i64::from(fastrand::u32(..)));
        let charge = Charge {
            task_id: task_id.clone(),
            at: now,
            prompt: order.prompt.clone(),
            images: order.images,
            seed,
            nsfw_detection: order.nsfw_detection,
            nsfw_level: order.nsfw_level,
            body: order.body.clone(),
            recipe: serde_json_canonicalizer::to_string(&order.body["request"]).expect("JSON has a canonical form"),
        };
        tracing::info!(task = task_id, images = order.images, seed, prompt = order.prompt, "charged");
        self.accepted.push((now, order.images));
        self.charges.push(charge);
        let task = Task {
            order,
            seed,
            created: now,
            latency,
            polls: 0,
            fate: Fate::Good,
            signatures: Vec::new(),
            expired: false,
            files: BTreeMap::new(),
        };
        self.tasks.insert(task_id.clone(), task);
        task_id
    }

    /// Returns the prompt of a task, empty for an unknown one.
    pub fn prompt_of(&self, task_id: &str) -> String {
        self.tasks.get(task_id).map_or_else(String::new, |task| task.order.prompt.clone())
    }

    /// Returns the largest number of submits in any 60 s.
    pub fn most_in_a_minute(&self) -> usize {
        let mut submits = self.submits.clone();
        submits.sort();
        let until = |from: &Duration| submits.partition_point(|at| at.saturating_sub(*from) < WINDOW);
        submits.iter().enumerate().map(|(index, from)| until(from) - index).max().unwrap_or(0)
    }
}
