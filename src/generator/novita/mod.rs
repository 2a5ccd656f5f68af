//! Novita, text to image: its rules, its wire format, and what its answers mean.
//!
//! The endpoint is asynchronous: a submit answers with a task, the task is asked for until it has a picture, and the
//! picture is fetched from a signed URL. One picture a task, always with the seed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::http::{Auth, Bounds, Http, HttpRequest, HttpSettings, RequestBody, RequestTarget};
use super::refusal::downloaded;
use super::{Answer, Found, Generator, GeneratorError, Kind, Opening, OpeningError, Order, Progress, ResultUrl};
use crate::record::{Account, CallAttempt};
use crate::secret::SecretText;

mod answer;
mod refusals;
mod request;
mod table;
#[cfg(test)]
mod tests;

use refusals::REFUSALS;

use table::SPEC;

/// Novita's text to image.
pub(super) static KIND: Kind = Kind { spec: &SPEC, open };

/// Where pictures are asked for.
const SUBMIT_PATH: &str = "/v3/async/txt2img";
/// Where tasks are asked for.
const RESULT_PATH: &str = "/v3/async/task-result";
/// How much of an answer is read: a few lines, and no pictures.
const BOUNDS: Bounds = Bounds { text: 8 * 1024 * 1024, pictures: 0 };
/// How Novita looks at pictures before it hands them out: 0 is the mildest, 2 the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moderation {
    /// The level, 0, 1 or 2.
    level: u32,
}

/// Novita.
struct Novita {
    http: Http,
    address: String,
    key: SecretText,
    path: String,
    result_path: String,
    moderation: Option<Moderation>,
}

/// Prepares to ask Novita; nothing is sent.
fn open(opening: &Opening<'_>) -> Result<Arc<dyn Generator>, OpeningError> {
    let (base, paying_time) = opening.service(&SPEC)?;
    let address = base.to_string();
    let http = Http::new(HttpSettings {
        base,
        auth: Auth::Bearer,
        key: &opening.api_key,
        domains: &[],
        paying_time,
        bounds: BOUNDS,
    });
    let path = |name, usual: &str| opening.options.text(name).unwrap_or(usual).to_owned();
    let moderation = opening.options.flag("enable_nsfw_detection");
    Ok(Arc::new(Novita {
        http: http.map_err(OpeningError::Client)?,
        address,
        key: SecretText::new(opening.api_key.to_string()),
        path: path("path", SUBMIT_PATH),
        result_path: path("result_path", RESULT_PATH),
        moderation: moderation
            .then(|| Moderation { level: opening.options.count("nsfw_detection_level").unwrap_or_default() }),
    }))
}

#[async_trait]
impl Generator for Novita {
    async fn submit(&self, order: &Order<'_>) -> Result<Answer, GeneratorError> {
        let body = RequestBody::json(&request::Body::new(order.recipe, self.moderation));
        let reply = self.http.ask(HttpRequest::paid(&self.path, body)).await?;
        if !reply.status.is_success() {
            return Err(REFUSALS.submit(&reply).into());
        }
        Ok(Answer::Task(answer::task(&reply)?))
    }

    async fn poll(&self, task: &str) -> Result<Progress, GeneratorError> {
        let question = HttpRequest::question(RequestTarget::Path(&self.result_path));
        let reply = self.http.ask(HttpRequest { query: &[("task_id", task)], ..question }).await?;
        let progress = if reply.status.is_success() { answer::progress(&reply) } else { REFUSALS.poll(&reply) };
        Ok(progress?)
    }

    async fn find(&self, _lost: &CallAttempt) -> Result<Found, GeneratorError> {
        // Novita takes no id of ours, and lists no tasks.
        Ok(Found::CannotTell)
    }

    fn account(&self, store: &str) -> Option<Account> {
        Some(Account::of(store, SPEC.name, &self.address, self.key.expose()))
    }

    async fn download(&self, result: &ResultUrl) -> Result<Bytes, GeneratorError> {
        downloaded(self.http.fetch(&result.0).await?, &REFUSALS)
    }
}
