//! HTTP as every port speaks it: how a client is made, how an answer is read within bounds, what is said of errors.
//!
//! What is asked and what an answer means is left to the adapters.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Response, Url, redirect};
use url::Host;

mod fetch_target;
mod visitor;

pub use fetch_target::{FetchTarget, PublicOnly, place, proxies};
pub use visitor::{Visit, visit};

use crate::secret::SafeText;

/// How long a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Longest pause that a service can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// Whether a body is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It is.
    Yes,
    /// The connection ended, or the time.
    CutOff,
    /// It has more bytes than are read.
    TooLong,
}

/// Chooses the implementation of TLS, once in a process; before the first client is made.
pub fn install_tls() {
    // A second call finds it chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Begins a client that follows no redirect and repeats nothing by itself.
#[expect(clippy::disallowed_methods, reason = "the one place where clients are made")]
pub fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("pixform/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIME)
}

/// Makes a client for a service.
///
/// # Errors
/// In words, where the system's certificates cannot be read.
pub fn client(base: &Url, make: impl Fn() -> ClientBuilder) -> Result<Client, String> {
    install_tls();
    // A service without TLS can be used on a system without certificates.
    let again = |error| if base.scheme() == "http" { make().tls_certs_only([]).build() } else { Err(error) };
    make().build().or_else(again).map_err(|error| {
        format!("the system's certificates cannot be used ({}): install ca-certificates", words(&error))
    })
}

/// Tells whether a service lies on this machine: a proxy is for what lies outside of it.
pub fn is_local(base: &Url) -> bool {
    match base.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Reads a body as far as it comes and may be read.
pub async fn read(mut response: Response, bytes_max: u64) -> (Bytes, Whole) {
    let mut body = BytesMut::new();
    if response.content_length().is_some_and(|length| length > bytes_max) {
        return (body.freeze(), Whole::TooLong);
    }
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() as u64 + chunk.len() as u64 <= bytes_max => body.extend_from_slice(&chunk),
            Ok(None) => return (body.freeze(), Whole::Yes),
            Ok(Some(_)) => return (body.freeze(), Whole::TooLong),
            Err(_) => return (body.freeze(), Whole::CutOff),
        }
    }
}

/// Returns what an error came from, in the words of its last source: those before it only name layers of the library.
pub fn words(error: &dyn std::error::Error) -> SafeText {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let words = last.to_string();
    match words.rfind(" (os error ") {
        Some(number) => words[..number].into(),
        None => words.into(),
    }
}

/// Returns a URL as it may be shown: without user, query, fragment, and what is secret in its path; of bounded length.
pub fn bare(url: &Url) -> SafeText {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    SafeText::of(&format!("{}://{host}{port}{}", url.scheme(), url.path()))
}

/// Reads `Retry-After`: seconds, or a date; never longer than a quarter of an hour.
pub fn pause(headers: &HeaderMap) -> Option<Duration> {
    Some(retry_after(headers)?.min(PAUSE_MAX))
}

/// Reads `Retry-After`, however long it is.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Some(Duration::from_secs_f64(seconds.min(1e6))),
        Ok(_) => None,
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            // A date has whole seconds: one more, so that the second has passed.
            Some(date.duration_since(SystemTime::now()).unwrap_or_default() + Duration::from_secs(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_and_has_a_bound() {
        for (text, wanted) in
            [("7", Some(7)), ("0", Some(0)), ("1e9", Some(900)), ("-3", None), ("soon", None), ("NaN", None)]
        {
            assert_eq!(pause(&headers(text)), wanted.map(Duration::from_secs), "{text}");
        }
        let date = std::time::SystemTime::now() + Duration::from_secs(30);
        let found = pause(&headers(&httpdate::fmt_http_date(date))).unwrap();
        assert!((29..=31).contains(&found.as_secs()), "{found:?}");
        let past = httpdate::fmt_http_date(std::time::SystemTime::UNIX_EPOCH);
        assert_eq!(pause(&headers(&past)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://u:p@a.example:8443/x/y.png?sig=1#z").unwrap();
        assert_eq!(&*bare(&url), "https://a.example:8443/x/y.png");
    }
}
