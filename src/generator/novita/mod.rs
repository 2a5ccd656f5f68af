//! Novita, text to image: its rules, its wire format, and what its answers mean.
//!
//! The endpoint is asynchronous: a submit answers with a task, the task is asked for until it has a picture, and the
//! picture is fetched from a signed URL. One picture a task, always with the seed.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Url;

use super::http::{Auth, Bounds, Http, HttpRequest, HttpSettings, RequestBody, Target};
use super::refusal::downloaded;
use super::{Answer, Generator, GeneratorError, Progress, ResultUrl};
use crate::asset::{MicroUsd, Recipe};

mod answer;
mod refusals;
mod request;
mod table;

use refusals::REFUSALS;

pub(super) use table::SPEC;

/// The service's address unless another is configured.
const BASE_URL: &str = "https://api.novita.ai";
/// Where pictures are asked for.
const SUBMIT_PATH: &str = "/v3/async/txt2img";
/// Where tasks are asked for.
const RESULT_PATH: &str = "/v3/async/task-result";
/// How long the answer to a submit may take. Source: <https://novita.ai/docs/guides/error>, which advises more than 60
/// seconds, read 2026-11-22.
const REQUEST_TIME: Duration = Duration::from_secs(90);
/// How much of an answer is read: a few lines, and no pictures.
const BOUNDS: Bounds = Bounds { text: 8 * 1024 * 1024, pictures: 0 };
/// What moderation costs for each picture unless another price is configured.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
pub const NSFW_DETECTION_PRICE: MicroUsd = MicroUsd(1_500);

/// How Novita looks at pictures before it hands them out: 0 is the mildest, 2 the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moderation {
    /// The level, 0, 1 or 2.
    pub level: u8,
}

/// Where and as whom Novita is asked.
#[derive(Clone, Default)]
pub struct NovitaSettings {
    /// The service's address; `https://api.novita.ai` unless set.
    pub base_url: Option<String>,
    /// The key.
    pub api_key: String,
    /// Where pictures are asked for, below the address; `/v3/async/txt2img` unless set.
    pub path: Option<String>,
    /// Where tasks are asked for, below the address; `/v3/async/task-result` unless set.
    pub result_path: Option<String>,
    /// Whether pictures are looked at, and how strictly.
    pub moderation: Option<Moderation>,
    /// How long the answer to a submit may take; 90 seconds unless set.
    pub request_time: Option<Duration>,
}

/// The settings cannot be used; holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is none.
    #[error("`base_url` is no http or https URL")]
    BaseUrl,
    /// The clients cannot be set up.
    #[error("{0}")]
    Client(String),
}

/// Novita.
pub struct Novita {
    http: Http,
    path: String,
    result_path: String,
    moderation: Option<Moderation>,
}

impl Novita {
    /// Prepares to ask Novita; nothing is sent.
    ///
    /// # Errors
    /// The address or the key cannot be used, or the system has no certificates.
    pub fn new(settings: NovitaSettings) -> Result<Self, SettingsError> {
        let NovitaSettings { base_url, api_key, path, result_path, moderation, request_time } = settings;
        let base = Url::parse(base_url.as_deref().unwrap_or(BASE_URL)).map_err(|_| SettingsError::BaseUrl)?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(SettingsError::BaseUrl);
        }
        let http = Http::new(HttpSettings {
            base,
            auth: Auth::Bearer,
            key: &api_key,
            domains: &[],
            paying_time: request_time.unwrap_or(REQUEST_TIME),
            bounds: BOUNDS,
        });
        let http = http.map_err(SettingsError::Client)?;
        Ok(Self {
            http,
            path: path.unwrap_or_else(|| SUBMIT_PATH.to_owned()),
            result_path: result_path.unwrap_or_else(|| RESULT_PATH.to_owned()),
            moderation,
        })
    }
}

#[async_trait]
impl Generator for Novita {
    async fn submit(&self, recipe: &Recipe) -> Result<Answer, GeneratorError> {
        let body = RequestBody::json(&request::Body::new(recipe, self.moderation));
        let reply = self.http.ask(HttpRequest::paid(&self.path, body)).await?;
        if !reply.status.is_success() {
            return Err(REFUSALS.submit(&reply).into());
        }
        Ok(Answer::Task(answer::task(&reply)?))
    }

    async fn poll(&self, task: &str) -> Result<Progress, GeneratorError> {
        let question = HttpRequest::question(Target::Path(&self.result_path));
        let reply = self.http.ask(HttpRequest { query: &[("task_id", task)], ..question }).await?;
        let progress = if reply.status.is_success() { answer::progress(&reply) } else { REFUSALS.poll(&reply) };
        Ok(progress?)
    }

    async fn download(&self, result: &ResultUrl) -> Result<Bytes, GeneratorError> {
        downloaded(self.http.fetch(&result.0).await?, &REFUSALS)
    }
}
