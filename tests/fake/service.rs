//! The service itself: one lock around everything it knows, the methods that tests use, and the way of a request
//! through it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use super::answer::{self, Outcome};
use super::behaviour::Behaviour;
use super::door::Wire;
use super::ledger::{Answered, Charge, Fate, Ledger, Seen};
use super::script::{Fault, Script, When};
use super::{control, download, poll, submit};

/// No body of the documented API is larger.
const BODY_BYTES_MAX: usize = 1 << 20;
/// The path that answers for tasks.
const POLL_PATH: &str = "/v3/async/task-result";

/// What a fake can be told and asked.
pub struct Service {
    base_url: String,
    started: Instant,
    memory: Mutex<Memory>,
}

/// Everything that changes.
pub struct Memory {
    pub behaviour: Behaviour,
    pub script: Script,
    pub ledger: Ledger,
}

/// One request, read completely.
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
    /// When its head had arrived, since the start.
    pub at: Duration,
}

impl Service {
    pub(super) fn new(base_url: String, behaviour: Behaviour) -> Self {
        let memory = Memory { behaviour, script: Script::default(), ledger: Ledger::default() };
        Self { base_url, started: Instant::now(), memory: Mutex::new(memory) }
    }

    /// Returns the URL below which it answers, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Changes how it behaves from the next request on.
    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.memory().behaviour);
    }

    /// Lets the next request of the fault's endpoint fail.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.memory().script.add(When::Once, fault.into());
    }

    /// Lets the next so many requests of the fault's endpoint fail.
    pub fn fault_next(&self, times: u32, fault: impl Into<Fault>) {
        self.memory().script.add(When::Next(times), fault.into());
    }

    /// Lets every request of the fault's endpoint fail whose prompt, or whose task's prompt, contains a text.
    pub fn fault_for(&self, text: impl Into<String>, fault: impl Into<Fault>) {
        self.memory().script.add(When::Prompt(text.into()), fault.into());
    }

    /// Lets every request of the fault's endpoint fail until the faults are cleared.
    pub fn fault_always(&self, fault: impl Into<Fault>) {
        self.memory().script.add(When::Always, fault.into());
    }

    /// Forgets all faults of the script, and lets tasks end that were never to end; chaos goes on.
    pub fn clear_faults(&self) {
        let mut memory = self.memory();
        memory.script.clear();
        for task in memory.ledger.tasks.values_mut() {
            if let Fate::Endless = task.fate {
                task.fate = Fate::Good;
            }
        }
    }

    /// Returns all charges, the oldest first.
    pub fn charges(&self) -> Vec<Charge> {
        self.charged("")
    }

    /// Returns the charges whose prompt contains a text, the oldest first.
    pub fn charged(&self, text: &str) -> Vec<Charge> {
        self.memory().ledger.charges.iter().filter(|charge| charge.prompt.contains(text)).cloned().collect()
    }

    /// Returns all requests that have been answered, reset or left hanging, in that order.
    pub fn requests(&self) -> Vec<Seen> {
        self.memory().ledger.requests.clone()
    }

    /// Returns the largest number of submits, accepted or not, in any 60 s.
    pub fn most_in_a_minute(&self) -> usize {
        self.memory().ledger.most_in_a_minute()
    }

    /// Returns how many downloads came with an `Authorization` header, which no client must send there.
    pub fn downloads_with_key(&self) -> usize {
        let with_key = |seen: &&Seen| download::is_file(&seen.path) && seen.headers.contains_key("authorization");
        self.memory().ledger.requests.iter().filter(with_key).count()
    }

    /// Returns every signature that was ever part of a link.
    pub fn secrets(&self) -> Vec<String> {
        self.memory().ledger.secrets.clone()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Decides about a request, and writes down what was decided; all in one moment, so that a client that goes away
    /// while it waits for its answer has been charged all the same.
    fn decide(&self, call: Call) -> (Outcome, Duration) {
        let now = self.started.elapsed();
        let mut memory = self.memory();
        let Memory { behaviour, ledger, .. } = &mut *memory;
        let is_submit = call.method == "POST" && call.path == behaviour.submit_path;
        let delay = if is_submit { behaviour.submit_delay } else { Duration::ZERO };
        if is_submit {
            ledger.submits.push(call.at);
        }
        let (outcome, fault) = if is_submit {
            submit::submit(&mut memory, &call, now)
        } else if call.method == "GET" && call.path == POLL_PATH {
            poll::poll(&mut memory, &call, &self.base_url, now)
        } else if call.method == "GET" && download::is_file(&call.path) {
            download::download(&mut memory, &call)
        } else {
            (answer::of_text(404, "404 page not found\n"), None)
        };
        let answered = match &outcome {
            Outcome::Answer(response) => Answered::Status(response.status().as_u16()),
            Outcome::Close => Answered::Closed,
            Outcome::Reset => Answered::Reset,
            Outcome::Stall => Answered::Stalled,
        };
        let Call { method, path, query, headers, body, at } = call;
        let body = String::from_utf8_lossy(&body).into_owned();
        memory.ledger.requests.push(Seen { method, path, query, headers, body, at, answered, fault });
        (outcome, delay)
    }
}

impl Memory {
    /// Returns the refusal of a request without the right key.
    pub fn keyless(&self, call: &Call) -> Option<Outcome> {
        match call.headers.get("authorization") {
            None => Some(answer::of_error(400, "MISSING_API_KEY", "the Authorization header is missing")),
            Some(value) if value.strip_prefix("Bearer ") == Some(&self.behaviour.key) => None,
            Some(_) => Some(answer::of_error(403, "INVALID_API_KEY", "the API key is not valid")),
        }
    }
}

impl Call {
    fn new(parts: &Parts, body: Bytes, at: Duration) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            body,
            at,
        }
    }

    /// Returns the first value of a field of the query, empty if there is none.
    pub fn asked(&self, field: &str) -> String {
        let mut fields = form_urlencoded::parse(self.query.as_bytes());
        fields.find(|(name, _)| name == field).map_or_else(String::new, |(_, value)| value.into_owned())
    }
}

/// Answers one request, or not.
pub async fn serve(
    State(service): State<Arc<Service>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response {
    let at = service.started.elapsed();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, Body::empty()).into_response();
    };
    let call = Call::new(&parts, body, at);
    if let Some(response) = control::control(&service, &call) {
        return response;
    }
    let (outcome, delay) = service.decide(call);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match outcome {
        Outcome::Answer(response) => return *response,
        Outcome::Close => wire.close(),
        Outcome::Reset => wire.reset(),
        Outcome::Stall => std::future::pending().await,
    }
    // Never sent: its first byte is what breaks the wire.
    ().into_response()
}
