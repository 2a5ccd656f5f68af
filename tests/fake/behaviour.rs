//! How the fake behaves when nothing goes wrong: times, limits, and which of the documented shapes its answers take.
//!
//! Everything here can be changed while the fake runs. What goes wrong is in `script`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a fake does; `Behaviour::default()` is a well-behaved service whose tasks take 20 ms.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// The path that takes orders; `/v3/async/txt2img` unless told otherwise.
    pub submit_path: String,
    /// The API key that is let in; `test-key` unless told otherwise.
    pub key: String,
    /// From the charge to the finished picture; a third of it `QUEUED`, the rest `PROCESSING`.
    #[serde(with = "milliseconds")]
    pub latency: Duration,
    /// From the charge to the answer of a submit.
    #[serde(with = "milliseconds")]
    pub submit_delay: Duration,
    /// Images that may be ordered in any 60 s; `None` for no limit.
    pub rate: Option<u32>,
    /// Where a result has its list of images.
    pub images: ImagesAt,
    /// What the answer to a submit is wrapped in.
    pub envelope: Envelope,
    /// How a result tells the seed.
    pub seed: SeedAnswer,
    /// How a result tells the life of its links.
    pub ttl: Ttl,
    /// What a result says about nudity.
    pub nsfw: Nsfw,
    /// What the strings of `debug_info` hold.
    pub debug_info: DebugInfo,
    /// What the first poll of a task is told.
    pub first_status: FirstStatus,
    /// Random faults; a change of its seed starts its sequence anew.
    pub chaos: Option<Chaos>,
}

/// Where a result has its list of images.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImagesAt {
    /// At the top level, as documented.
    Top,
    /// Inside `task`.
    Task,
}

/// What the answer to a submit is wrapped in.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// `{"task_id": …}`.
    Plain,
    /// `{"code": 0, "msg": "", "data": {"task_id": …}}`.
    Legacy,
}

/// How a result tells the seed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedAnswer {
    /// As a string, as documented.
    Text,
    /// As a number.
    Number,
    /// The result has no `extra` at all.
    NoExtra,
    /// The result has an `extra` without a seed.
    NoSeed,
    /// This one instead of the one that was asked for, as a string.
    Other(i64),
    /// This one instead of the one that was asked for, as a number.
    OtherNumber(i64),
}

/// How a result tells the life of its links.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ttl {
    /// `"3600"`.
    Text,
    /// `3600`.
    Number,
    /// `"0"`.
    Zero,
}

/// What a result says about nudity.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nsfw {
    /// `null`, whatever was asked for.
    Null,
    /// `{}`, whatever was asked for.
    Empty,
    /// `{"valid": true, "confidence": 97}` if detection was asked for in `extra`, else `null`.
    Flagged,
}

/// What the strings of `debug_info` hold.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DebugInfo {
    /// A text of JSON and times.
    Filled,
    /// Nothing.
    Empty,
}

/// What the first poll of a task is told.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstStatus {
    /// The truth.
    True,
    /// `TASK_STATUS_FOO`, which no documentation knows.
    Unknown,
}

/// Faults at random, the same ones for the same seed and order of requests.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chaos {
    /// Where the sequence starts.
    pub seed: u64,
    /// The probability that a request fails, 0 to 1.
    pub rate: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            submit_path: "/v3/async/txt2img".to_owned(),
            key: "test-key".to_owned(),
            latency: Duration::from_millis(20),
            submit_delay: Duration::ZERO,
            rate: Some(20),
            images: ImagesAt::Top,
            envelope: Envelope::Plain,
            seed: SeedAnswer::Text,
            ttl: Ttl::Text,
            nsfw: Nsfw::Null,
            debug_info: DebugInfo::Filled,
            first_status: FirstStatus::True,
            chaos: None,
        }
    }
}

/// A duration as whole milliseconds, which is what a shell can write.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
