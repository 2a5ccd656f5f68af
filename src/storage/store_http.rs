//! Requests to a store over HTTP: bounded, repeated where that can help, and with errors that say what went wrong.
//!
//! Everything that is sent here may be sent twice: files are content-addressed, so a repeated write writes the same.
//! Whoever is told to wait makes all wait: a store that is busy for one is busy for every request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode, Url};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use super::store_fault::{StoreFault, StoreFaultKind, read_fault};
use super::store_health::{Health, Outlook};
use super::{StorageError, is_of_the_moment};
use crate::secret;
use crate::web::{self, Whole};

/// Requests in flight at once, of one store.
const AT_ONCE: usize = 16;
/// How often one request is sent at most.
const TRIES_MAX: u32 = 6;
/// The longest wait before the second try; it doubles with each further one.
const WAIT_FIRST: Duration = Duration::from_millis(250);
/// The longest wait before any try, unless the store asks for a longer one.
const WAIT_MAX: Duration = Duration::from_secs(4);
/// The longest wait that a store can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// After this time a request is not tried again.
const TIME_MAX: Duration = Duration::from_secs(90);
/// How long a server may be silent.
const SILENCE_TIME: Duration = Duration::from_secs(30);
/// How long one try may take, however busy it is.
const TRY_TIME: Duration = Duration::from_secs(120);
/// How long a machine's own credentials may be waited for: they come from next door, or not at all.
const METADATA_TIME: Duration = Duration::from_secs(2);
/// Largest answer that is read where nothing else is said, in bytes: a page of a listing has less than 2 MB.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Where a machine asks for its own credentials.
const METADATA_HOSTS: [&str; 3] = ["169.254.169.254", "169.254.170.2", "metadata.google.internal"];

/// What is said where a machine has no credentials of its own.
const NO_CREDENTIALS: &str = "no credentials were found, and this machine has none of its own";

/// Headers whose value is a key, or has one behind a word.
const KEY_HEADERS: [&str; 5] =
    ["authorization", "apikey", "x-amz-security-token", "x-aws-ec2-metadata-token", "cookie"];

/// How one store is reached.
pub(super) struct Wire {
    client: Client,
    slots: Semaphore,
    health: Arc<Health>,
    /// Until when nothing is sent, because the store said so.
    quiet_until: Mutex<Option<Instant>>,
}

/// One request.
#[derive(Clone)]
pub(super) struct StoreRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Largest answer that is read.
    pub bytes_max: Option<AnswerMax>,
    pub patience: RetryLimit,
}

/// How long a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryLimit {
    /// So often, and for so long, that a hiccup passes.
    Usual,
    /// For as long as the store may come back: a run puts a file that it cannot do without, or makes sure that it arrived.
    Long,
}

impl RetryLimit {
    /// Returns the patience with a put at this path, or address.
    pub fn of_a_put(path: &str) -> Self {
        if is_of_the_moment(path) { Self::Usual } else { Self::Long }
    }
}

/// Largest answer that a caller can take, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerMax(pub u64);

/// A whole answer, of a request that was granted.
pub(super) struct StoreAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// [`StorageError::Settings`] where the system's certificates cannot be read.
    pub fn new(base: &Url, health: Arc<Health>) -> Result<Self, StorageError> {
        let local = web::is_local(base);
        let make = || {
            let builder = web::builder().read_timeout(SILENCE_TIME).no_gzip();
            if local { builder.no_proxy() } else { builder }
        };
        let client = web::client(base, make).map_err(|what| StorageError::Settings {
            what,
            help: "on Debian: apt-get install ca-certificates".to_owned(),
        })?;
        Ok(Self { client, slots: Semaphore::new(AT_ONCE), health, quiet_until: Mutex::default() })
    }

    /// Sends a request until it is answered, or cannot be.
    ///
    /// # Errors
    /// With what the last try came to.
    pub async fn send(&self, request: &StoreRequest) -> Result<StoreAnswer, StoreFault> {
        let metadata = request.url.host_str().is_some_and(|host| METADATA_HOSTS.contains(&host));
        let is_put = request.patience == RetryLimit::Long;
        // What is looked at before or after a put says nothing about whether the store takes files.
        let writes = is_put && !matches!(request.method, Method::GET | Method::HEAD);
        let begun = Instant::now();
        let mut tries = 0;
        let mut repeated = None;
        loop {
            let tried = self.try_once(request, metadata).await;
            if writes {
                self.health.tried(&tried);
            }
            let fault = match tried {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            tries += 1;
            if metadata {
                return Err(StoreFault::of(StoreFaultKind::Denied, NO_CREDENTIALS));
            }
            if !fault.may_pass() || !self.goes_on(request.patience, begun, tries) {
                if (writes && fault.is_of_the_store()) || (is_put && fault.may_pass()) {
                    // Before it counts as given up: nothing may be bought in between.
                    self.health.fail(&fault.said);
                }
                return Err(fault);
            }
            // From the first failure on: whoever buys waits for what comes of it.
            repeated.get_or_insert_with(|| self.health.repeated(&fault.said));
            if let Some(pause) = fault.pause {
                self.keep_quiet(pause.min(PAUSE_MAX));
            }
            let most = WAIT_FIRST.saturating_mul(1 << tries.min(8)).min(WAIT_MAX) / 2;
            // Between half of it and all: those that failed together do not come back together.
            let wait = most.mul_f64(1.0 + fastrand::f64());
            tracing::info!(method = %request.method, url = %web::bare(&request.url), tries, ?wait, "again: {}", fault.said);
            sleep(wait).await;
        }
    }

    /// Tells whether a request that failed so often, and may be granted later, is sent again.
    fn goes_on(&self, patience: RetryLimit, begun: Instant, tries: u32) -> bool {
        let usual = tries < TRIES_MAX && begun.elapsed() < TIME_MAX;
        match patience {
            RetryLimit::Usual => usual,
            RetryLimit::Long => match self.health.outlook(begun) {
                Outlook::Good => true,
                Outlook::Usual => usual,
                Outlook::None => false,
            },
        }
    }

    async fn try_once(&self, request: &StoreRequest, metadata: bool) -> Result<StoreAnswer, StoreFault> {
        let quiet_until = *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instant) = quiet_until {
            sleep_until(instant).await;
        }
        // Given back between tries: others may have more luck.
        let _slot = self.slots.acquire().await;
        let StoreRequest { method, url, headers, body, bytes_max, patience: _ } = request;
        remember_keys(headers);
        let begun = Instant::now();
        let sent = self.client.request(method.clone(), url.clone()).headers(headers.clone()).body(body.clone());
        let sent = sent.timeout(if metadata { METADATA_TIME } else { TRY_TIME }).send().await;
        let shown = web::bare(url);
        let response = sent.map_err(|error| StoreFault::broken(&shown, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes_max = bytes_max.map_or(ANSWER_BYTES_MAX, |most| most.0);
        let announced = response.content_length();
        // What a store says about a refusal is read whatever the caller can take.
        let readable = if status.is_success() { bytes_max } else { ANSWER_BYTES_MAX };
        let (body, whole) = web::read(response, readable).await;
        let (ms, bytes) = (begun.elapsed().as_millis(), body.len());
        tracing::debug!(%method, url = %shown, status = status.as_u16(), ms, bytes, "answered");
        match whole {
            _ if !status.is_success() => Err(read_fault(status, &headers, &body)),
            Whole::Yes => Ok(StoreAnswer { status, headers, body }),
            Whole::TooLong => Err(StoreFault::too_large(announced.unwrap_or(bytes_max + 1), bytes_max)),
            Whole::CutOff => Err(StoreFault::cut_off(&shown)),
        }
    }

    fn keep_quiet(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut quiet_until = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        *quiet_until = Some(quiet_until.map_or(until, |other| other.max(until)));
    }
}

/// Remembers what a request shows to be let in, which the answer may repeat: tokens of a machine's own role are known
/// nowhere else.
fn remember_keys(headers: &HeaderMap) {
    for value in KEY_HEADERS.iter().filter_map(|name| headers.get(*name)?.to_str().ok()) {
        match value.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => secret::remember(key),
            // A signature is of one request only, and is known by its looks.
            Some(_) => {}
            None => secret::remember(value),
        }
    }
}
