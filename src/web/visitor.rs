//! Visiting: fetching a URL as anybody would, without keys, to see what they get.
//!
//! Redirects are followed to where anybody on the internet could go, and to the host that the environment names, which may
//! lie in our own network; nowhere else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};
use tokio::time::timeout;

use super::fetch_target::{FetchTarget, PublicOnly, place, proxies};
use super::{Whole, bare, builder, client, is_local, read, words};

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// What a visitor gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The last answer's status.
    pub status: StatusCode,
    /// Its type, where it names one.
    pub content_type: Option<String>,
    /// Its body, as far as it may be read; empty unless the status is one of success.
    pub body: Bytes,
    /// Whether the body is whole.
    pub whole: Whole,
}

/// Fetches a URL within a time, and reads so many bytes of it at most.
///
/// # Errors
/// In words, where nothing came, or where it leads to where nothing is fetched.
pub async fn visit(url: &Url, bytes_max: u64, within: Duration) -> Result<Visit, String> {
    match timeout(within, follow(url, bytes_max)).await {
        Ok(visit) => visit,
        Err(_) if within.as_secs() == 1 => Err("it did not come within 1 second".to_owned()),
        Err(_) => Err(format!("it did not come within {} seconds", within.as_secs())),
    }
}

async fn follow(home: &Url, bytes_max: u64) -> Result<Visit, String> {
    let proxies: Arc<[String]> = proxies().into();
    let resolver = PublicOnly { proxies: Arc::clone(&proxies) };
    let own = client(home, || if is_local(home) { builder().no_proxy() } else { builder() })?;
    let strangers = client(home, || builder().dns_resolver(resolver.clone()))?;
    let mut url = home.clone();
    for _ in 0..=REDIRECTS_MAX {
        let client = match place(&url, home, &proxies).await {
            FetchTarget::Service => &own,
            FetchTarget::Public => &strangers,
            FetchTarget::Alias | FetchTarget::Forbidden => {
                return Err(format!("it leads to {}, which is no public address", bare(&url)));
            }
        };
        let answer = client.get(url.clone()).send().await;
        let answer = answer.map_err(|error| format!("{} cannot be reached ({})", bare(&url), words(&error)))?;
        let text = |headers: &HeaderMap, name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let status = answer.status();
        if let Some(next) = text(answer.headers(), LOCATION).filter(|_| status.is_redirection()) {
            url = url.join(&next).map_err(|_| "it is redirected to no URL".to_owned())?;
            continue;
        }
        let content_type = text(answer.headers(), CONTENT_TYPE);
        let (body, whole) = match status.is_success() {
            true => read(answer, bytes_max).await,
            false => (Bytes::new(), Whole::Yes),
        };
        return Ok(Visit { status, content_type, body, whole });
    }
    Err(format!("it is redirected more than {REDIRECTS_MAX} times"))
}
