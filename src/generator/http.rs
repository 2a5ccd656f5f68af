//! HTTP as every service needs it: one request, bounded in time and bytes, told of in the log without its secrets.
//!
//! What an answer means is left to the adapter. What is decided here is whether a request that brought no answer was
//! sent at all. Nothing is repeated and no redirect is followed without looking at where it leads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode, Url};
use serde::Serialize;

use crate::secret::{self, SafeText};
pub use crate::web::Whole;
use crate::web::{self, FetchTarget, PublicOnly, bare, pause, place, proxies, read, words};

use super::trouble::{CallError, Trouble};

/// Largest answer of a service that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Largest picture that is fetched, in bytes.
pub const PICTURE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Redirects that are followed when a picture is fetched.
const REDIRECTS_MAX: usize = 5;
/// How long an answer to a question that costs nothing may take.
const QUESTION_TIME: Duration = Duration::from_secs(30);
/// How long a picture may take to arrive; also how long a server may drip.
const DOWNLOAD_TIME: Duration = Duration::from_secs(60);
/// How long a server may be silent in the middle of an answer.
const SILENCE_TIME: Duration = Duration::from_secs(20);

/// One service.
pub struct Http {
    /// Asks what costs money: a connection of its own for each request, so that none is lost on one that had gone stale.
    paying: Client,
    /// Asks for free, and fetches pictures from the service itself.
    asking: Client,
    /// Fetches pictures from elsewhere.
    fetching: Client,
    base: Url,
    /// The hosts of configured proxies, from which nothing is fetched.
    proxies: Arc<[String]>,
    authorization: HeaderValue,
    paying_time: Duration,
}

/// An answer, whatever it says.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// How long the service wants to be left alone.
    pub pause: Option<Duration>,
    /// Its body; what had come of it where it was cut off.
    pub body: Bytes,
    /// Whether the body is whole.
    pub whole: Whole,
    /// Where it leads, for a redirect.
    pub location: Option<SafeText>,
}

/// What is asked, and where.
#[derive(Debug, Clone, Copy)]
pub enum Question<'q, B> {
    /// A request that may be charged.
    Pay {
        /// Path below the base URL.
        path: &'q str,
        /// Its body.
        body: &'q B,
    },
    /// A request that is not.
    Ask {
        /// Path below the base URL.
        path: &'q str,
        /// The query's parameters.
        query: &'q [(&'q str, &'q str)],
    },
}

impl Http {
    /// Prepares the clients; nothing is sent.
    ///
    /// # Errors
    /// In words, where the key cannot be a header, or the system's certificates cannot be read.
    pub fn new(base: Url, key: &str, paying_time: Duration) -> Result<Self, String> {
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("its `api_key` holds a blank, or a character that is not ASCII".to_owned());
        }
        secret::remember(key);
        secret::remember_parts(base.as_str());
        secret::prepare();
        let mut authorization = HeaderValue::from_str(&format!("Bearer {key}"))
            .map_err(|_| "its `api_key` holds a character that no HTTP header can have".to_owned())?;
        authorization.set_sensitive(true);
        let local = web::is_local(&base);
        let own = |client: ClientBuilder| if local { client.no_proxy() } else { client };
        let builder = || web::builder().read_timeout(SILENCE_TIME);
        let proxies: Arc<[String]> = proxies().into();
        let resolver = PublicOnly { proxies: Arc::clone(&proxies) };
        let built = |make: &dyn Fn() -> ClientBuilder| web::client(&base, make);
        Ok(Self {
            // A service may think for longer than it may be silent in the middle of an answer.
            paying: built(&|| own(builder()).http1_only().pool_max_idle_per_host(0).read_timeout(paying_time))?,
            asking: built(&|| own(builder()))?,
            fetching: built(&|| builder().dns_resolver(resolver.clone()).no_gzip())?,
            base,
            proxies,
            authorization,
            paying_time,
        })
    }

    /// Sends one request with the key.
    ///
    /// # Errors
    /// [`Trouble::Unreachable`] where nothing was sent, [`Trouble::Ambiguous`] where no answer came.
    pub async fn ask<B: Serialize + Sync>(&self, question: Question<'_, B>) -> Result<Reply, Box<CallError>> {
        let (client, method, path, time) = match question {
            Question::Pay { path, .. } => (&self.paying, Method::POST, path, self.paying_time),
            Question::Ask { path, .. } => (&self.asking, Method::GET, path, QUESTION_TIME),
        };
        let url = join(&self.base, path);
        let request = client.request(method.clone(), url.clone()).timeout(time);
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let request = match question {
            Question::Pay { body, .. } => {
                tracing::debug!(body = %SafeText::body(&serde_json::to_vec(body).unwrap_or_default()), "request");
                request.json(body)
            }
            Question::Ask { query, .. } => request.query(query),
        };
        self.send(request, &method, &url, ANSWER_BYTES_MAX).await
    }

    /// Fetches a file, without the key; follows redirects to where it may.
    ///
    /// # Errors
    /// [`Trouble::Broken`] where it leads to where nothing may be fetched; as [`Http::ask`] otherwise.
    pub async fn fetch(&self, url: &str) -> Result<Reply, Box<CallError>> {
        let broken = |message: String| CallError::new(Trouble::Broken, message);
        let mut url = Url::parse(url).map_err(|_| broken("the picture's address is no URL".to_owned()))?;
        for _ in 0..=REDIRECTS_MAX {
            let client = match place(&url, &self.base, &self.proxies).await {
                FetchTarget::Service => &self.asking,
                FetchTarget::Alias => {
                    let named = url.set_host(self.base.host_str());
                    named.map_err(|_| broken("the picture's address is no URL".to_owned()))?;
                    &self.asking
                }
                FetchTarget::Public => &self.fetching,
                FetchTarget::Forbidden => {
                    let host = bare(&url);
                    return Err(broken(format!("the picture lies at {host}, which is no public address")));
                }
            };
            let request = client.get(url.clone()).timeout(DOWNLOAD_TIME);
            let (reply, next) = self.exchange(request, &Method::GET, &url, PICTURE_BYTES_MAX).await?;
            match next.filter(|_| reply.status.is_redirection()) {
                Some(location) => {
                    url = url.join(&location).map_err(|_| broken("it is redirected to no URL".to_owned()))?;
                }
                None => return Ok(reply),
            }
        }
        Err(broken(format!("it is redirected more than {REDIRECTS_MAX} times")))
    }

    async fn send(
        &self,
        request: RequestBuilder,
        method: &Method,
        url: &Url,
        bytes_max: u64,
    ) -> Result<Reply, Box<CallError>> {
        self.exchange(request, method, url, bytes_max).await.map(|(reply, _)| reply)
    }

    /// Sends a request and reads the answer; returns with it where it leads.
    async fn exchange(
        &self,
        request: RequestBuilder,
        method: &Method,
        url: &Url,
        bytes_max: u64,
    ) -> Result<(Reply, Option<String>), Box<CallError>> {
        let begun = Instant::now();
        let shown = bare(url);
        tracing::info!(%method, url = %shown, "asked");
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let error = unanswered(&shown, error);
                tracing::info!(%method, url = %shown, ms = begun.elapsed().as_millis(), "{error}");
                return Err(error);
            }
        };
        let (status, pause) = (response.status(), pause(response.headers()));
        let next = response.headers().get(LOCATION).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let picture = response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"image/"));
        let (body, whole) = read(response, bytes_max).await;
        let (ms, bytes) = (begun.elapsed().as_millis(), body.len());
        tracing::info!(%method, url = %shown, status = status.as_u16(), ms, bytes, ?whole, "answered");
        if !picture {
            tracing::debug!(body = %SafeText::body(&body), "answer");
        }
        let location = next.as_deref().map(SafeText::of);
        Ok((Reply { status, pause, body, whole, location }, next))
    }
}

/// Tells whether a request without an answer was sent.
fn unanswered(shown: &str, error: reqwest::Error) -> Box<CallError> {
    let error = error.without_url();
    let words = words(&error);
    // Refused addresses come as connection errors as well: there is nobody who could be asked again.
    if words.contains("no public address") {
        return CallError::new(Trouble::Broken, format!("the picture lies at {shown}, which is no public address"));
    }
    if error.is_connect() || error.is_builder() {
        return CallError::new(Trouble::Unreachable, format!("{shown} cannot be reached ({words})"));
    }
    let what = match error.is_timeout() {
        true => format!("no answer came from {shown} in time"),
        false => format!("the connection to {shown} broke before an answer came ({words})"),
    };
    CallError::new(Trouble::Ambiguous, what)
}

/// Appends a path to the base URL, whatever path that has.
fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_keeps_its_path() {
        for (base, wanted) in [
            ("https://a.example", "https://a.example/v3/x"),
            ("https://a.example/", "https://a.example/v3/x"),
            ("https://a.example/gateway/", "https://a.example/gateway/v3/x"),
        ] {
            assert_eq!(join(&Url::parse(base).unwrap(), "/v3/x").as_str(), wanted);
        }
    }
}
