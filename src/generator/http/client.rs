//! The client of one service: how it is asked, and how pictures are fetched from wherever they lie.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Url};

use crate::secret::{self, SafeText};
use crate::web::{self, FetchTarget, PublicOnly, bare, place, proxies, words};

use super::auth::{Auth, Credentials, may_have_key};
use super::body::RequestBody;
use super::inline::Bounds;
use super::reply::{BodyForm, ReadBody, Reply, read};
use super::wait::again;
use crate::generator::trouble::{CallError, Trouble};

/// Largest picture that is fetched, in bytes.
pub const PICTURE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Redirects that are followed when a picture is fetched.
const REDIRECTS_MAX: usize = 5;
/// How much of a file is fetched.
const FETCHED: Bounds = Bounds { text: PICTURE_BYTES_MAX, pictures: 0 };
/// How long an answer to a question that costs nothing may take.
const QUESTION_TIME: Duration = Duration::from_secs(30);
/// How long a picture may take to arrive; also how long a server may drip.
const DOWNLOAD_TIME: Duration = Duration::from_secs(60);
/// How long a server may be silent in the middle of an answer.
const SILENCE_TIME: Duration = Duration::from_secs(20);

/// How a service is asked.
pub struct HttpSettings<'s> {
    /// Its address.
    pub base: Url,
    /// Where the key stands.
    pub auth: Auth,
    /// The key.
    pub key: &'s str,
    /// Domains of the service's own, at which its answers may say that more can be asked.
    pub domains: &'static [&'static str],
    /// How long the answer to a request that may be charged may take.
    pub paying_time: Duration,
    /// How much of an answer is read.
    pub bounds: Bounds,
}

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
    credentials: Credentials,
    domains: &'static [&'static str],
    paying_time: Duration,
    bounds: Bounds,
}

/// Whether a request may be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeRisk {
    /// It may: it is sent once, on a connection of its own, and given time.
    Possible,
    /// It costs nothing.
    Never,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub enum RequestTarget<'t> {
    /// A path below the configured address.
    Path(&'t str),
    /// A URL that the service named.
    Named(&'t str),
}

/// One request.
#[derive(Debug, Clone)]
pub struct HttpRequest<'r> {
    /// Whether it may be charged.
    pub charge: ChargeRisk,
    /// How it is asked.
    pub method: Method,
    /// Where.
    pub target: RequestTarget<'r>,
    /// The query's parameters.
    pub query: &'r [(&'r str, &'r str)],
    /// Headers beside those that every request has.
    pub headers: &'r [(&'static str, &'r str)],
    /// What is sent with it.
    pub body: Option<RequestBody>,
}

impl<'r> HttpRequest<'r> {
    /// Asks for something that may be charged.
    pub fn paid(path: &'r str, body: RequestBody) -> Self {
        let (method, target) = (Method::POST, RequestTarget::Path(path));
        Self { charge: ChargeRisk::Possible, method, target, query: &[], headers: &[], body: Some(body) }
    }

    /// Asks a question that costs nothing.
    pub fn question(target: RequestTarget<'r>) -> Self {
        Self { charge: ChargeRisk::Never, method: Method::GET, target, query: &[], headers: &[], body: None }
    }
}

impl Http {
    /// Prepares the clients; nothing is sent.
    ///
    /// # Errors
    /// In words, where the key cannot be sent, or the system's certificates cannot be read.
    pub fn new(settings: HttpSettings<'_>) -> Result<Self, String> {
        let HttpSettings { base, auth, key, domains, paying_time, bounds } = settings;
        let credentials = Credentials::new(&auth, key)?;
        secret::remember_parts(base.as_str());
        secret::prepare();
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
            credentials,
            domains,
            paying_time,
            bounds,
        })
    }

    /// Sends one request with the key.
    ///
    /// # Errors
    /// [`Trouble::Unreachable`] where nothing was sent, [`Trouble::Ambiguous`] where no answer came, or the service named
    /// an address to which its key must not go.
    pub async fn ask(&self, asked: HttpRequest<'_>) -> Result<Reply, Box<CallError>> {
        let HttpRequest { charge, method, target, query, headers, body } = asked;
        let (client, time) = match charge {
            ChargeRisk::Possible => (&self.paying, self.paying_time),
            ChargeRisk::Never => (&self.asking, QUESTION_TIME),
        };
        let url = self.url(target)?;
        let mut request = client.request(method.clone(), url.clone()).timeout(time).query(query);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            tracing::debug!(body = %body.shown(), "request");
            request = body.send(request);
        }
        let request = self.credentials.sign(request);
        self.exchange(request, &method, &url, self.bounds).await.map(|(reply, _)| reply)
    }

    /// Returns where a request goes, if the key may go there.
    fn url(&self, target: RequestTarget<'_>) -> Result<Url, Box<CallError>> {
        let named = match target {
            RequestTarget::Path(path) => return Ok(join(&self.base, path)),
            RequestTarget::Named(named) => named,
        };
        let ambiguous = |message: String| CallError::new(Trouble::Ambiguous, message);
        let url = Url::parse(named).map_err(|_| ambiguous("the service names an address that is no URL".to_owned()))?;
        match may_have_key(&url, &self.base, self.domains) {
            true => Ok(url),
            false => {
                let host = bare(&url);
                Err(ambiguous(format!(
                    "the service says to ask at {host}, where its key must not go: it was not asked"
                )))
            }
        }
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
            let (reply, next) = self.exchange(request, &Method::GET, &url, FETCHED).await?;
            match next.filter(|_| reply.status.is_redirection()) {
                Some(location) => {
                    url = url.join(&location).map_err(|_| broken("it is redirected to no URL".to_owned()))?;
                }
                None => return Ok(reply),
            }
        }
        Err(broken(format!("it is redirected more than {REDIRECTS_MAX} times")))
    }

    /// Sends a request and reads the answer; returns with it where it leads.
    async fn exchange(
        &self,
        request: RequestBuilder,
        method: &Method,
        url: &Url,
        bounds: Bounds,
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
        let (status, headers) = (response.status(), response.headers().clone());
        let next = headers.get(LOCATION).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let is_picture = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"image/"));
        let form = if is_picture { BodyForm::Picture } else { BodyForm::Text };
        let ReadBody { body, pictures, whole } = read(response, form, bounds).await;
        let (ms, bytes, pictured) = (begun.elapsed().as_millis(), body.len(), pictures.len());
        tracing::info!(%method, url = %shown, status = status.as_u16(), ms, bytes, pictured, ?whole, "answered");
        if !is_picture {
            tracing::debug!(body = %SafeText::body(&body), "answer");
        }
        // A yes says nothing in its body about asking again.
        let again = again(&headers, if is_picture || status.is_success() { &[] } else { &body });
        let location = next.as_deref().map(SafeText::of);
        Ok((Reply { status, again, body, pictures, whole, location }, next))
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
