//! Questions about the server itself: whether it lives, whether it can answer, and its numbers.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::asset::MicroUsd;
use crate::record::{CallCharge, Sender};
use crate::state::{HistoryLine, HistoryQuery, Shows};

use super::answer::CacheFor;
use super::app::{App, Remembered};
use super::body::{self, AnswerBody};
use super::metrics::Costs;
use super::problem::{Problem, unreadable};

/// How long the ledger's sum is taken for current: adding it up reads all of it.
const COSTS_FOR: Duration = Duration::from_secs(30);
/// How long a storage may take to say that it is there.
const STORAGE_PATIENCE: Duration = Duration::from_secs(5);
/// How long such an answer is taken for current: everybody may ask, and each question costs one to the storage.
const STORAGE_FOR: Duration = Duration::from_secs(2);

/// Tells that the process answers.
pub fn alive() -> Response<AnswerBody> {
    text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned())
}

/// Tells whether state and storage can be reached.
pub async fn ready(app: &App) -> Response<AnswerBody> {
    let state = app.fresh.get().await.is_ok() && app.fresh.failure().is_none();
    let storage = storage(app).await;
    let word = |reached: bool| if reached { "ok" } else { "unreachable" };
    let status = if state && storage { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let document = json!({ "state": word(state), "storage": word(storage) });
    text(status, "application/json", document.to_string())
}

async fn storage(app: &App) -> bool {
    if let Some(reached) = recent(&app.storage, STORAGE_FOR) {
        return reached;
    }
    let marker = crate::storage::read_marker(&*app.served.world.storage);
    let reached = matches!(tokio::time::timeout(STORAGE_PATIENCE, marker).await, Ok(Ok(_)));
    remember(&app.storage, reached);
    reached
}

/// Writes the numbers for Prometheus.
///
/// # Errors
/// When nothing could be read from the state yet.
pub async fn numbers(app: &App) -> Result<Response<AnswerBody>, Problem> {
    let snapshot = app.fresh.get().await.map_err(|_| unreadable())?;
    let costs = costs(app).await.map_err(|_| unreadable())?;
    let drifted = app.plan.last().filter(|_| snapshot.shows == Shows::Everything).map(|plan| plan.drifted);
    let numbers = app.metrics.text(&snapshot, costs, drifted);
    Ok(text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", numbers))
}

async fn costs(app: &App) -> Result<Costs, crate::state::StateError> {
    if let Some(costs) = recent(&app.costs, COSTS_FOR) {
        return Ok(costs);
    }
    let mut costs = Costs::default();
    let mut add = |line: HistoryLine| {
        costs.calls += 1;
        let sender = if line.run.is_none_or(|run| run.ended) { Sender::Ended } else { Sender::AtWork };
        match line.call.charge(sender) {
            CallCharge::Charged(MicroUsd(cost)) => costs.charged += cost,
            CallCharge::Maybe(MicroUsd(estimate)) => costs.maybe += estimate,
            CallCharge::Nothing => {}
        }
    };
    app.served.world.state.history(&HistoryQuery::default(), &mut add).await?;
    remember(&app.costs, costs);
    Ok(costs)
}

fn recent<T: Copy>(remembered: &Remembered<T>, long: Duration) -> Option<T> {
    let remembered = remembered.lock().unwrap_or_else(PoisonError::into_inner);
    remembered.as_ref().filter(|(when, _)| when.elapsed() < long).map(|(_, known)| *known)
}

fn remember<T>(remembered: &Remembered<T>, known: T) {
    *remembered.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), known));
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Response<AnswerBody> {
    let mut response = Response::new(body::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CacheFor::Never.words()));
    response
}
