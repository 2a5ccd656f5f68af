//! Authentication as data: where the key of a service stands in a request, and to whom it may be sent.
//!
//! A service names addresses in its answers at which more can be asked. The key goes there only where the host and port are
//! those that were configured, or the kind says that the domain is the service's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Url};

use crate::secret::{self, SecretText};

/// Headers that say something else than who asks.
const TAKEN: [&str; 6] = ["connection", "content-length", "content-type", "host", "transfer-encoding", "user-agent"];

/// Where the key stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `Authorization`, with another word before the key, as fal's `Key`.
    Word(&'static str),
    /// A header of that name, which holds the key alone.
    Header(String),
    /// A parameter of the query.
    Query(String),
    /// `Authorization: Basic`, of a key that is `user:password`.
    Basic,
    /// No key at all.
    None,
}

/// The key of a service, ready to be sent; never shown.
pub(super) enum Credentials {
    Header(HeaderName, HeaderValue),
    Query(String, SecretText),
    None,
}

impl Credentials {
    /// Prepares a key, and remembers it as a secret in every form in which it is sent.
    ///
    /// # Errors
    /// In words, where the key or its place cannot be sent.
    pub fn new(auth: &Auth, key: &str) -> Result<Self, String> {
        if *auth == Auth::None {
            return Ok(Self::None);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("its `api_key` holds a blank, or a character that is not ASCII".to_owned());
        }
        secret::remember(key);
        let after = |word: &str, key: &str| value(&format!("{word} {key}"));
        match auth {
            Auth::Bearer => Ok(Self::Header(AUTHORIZATION, after("Bearer", key)?)),
            Auth::Word(word) => Ok(Self::Header(AUTHORIZATION, after(word, key)?)),
            Auth::Basic => {
                let Some((_, password)) = key.split_once(':') else {
                    return Err("its `api_key` must be `user:password` for `auth: basic`".to_owned());
                };
                secret::remember(password);
                let encoded = STANDARD.encode(key);
                secret::remember(&encoded);
                Ok(Self::Header(AUTHORIZATION, after("Basic", &encoded)?))
            }
            Auth::Header(name) => {
                let lower = name.to_ascii_lowercase();
                match HeaderName::from_bytes(lower.as_bytes()) {
                    Ok(name) if !TAKEN.contains(&name.as_str()) => Ok(Self::Header(name, value(key)?)),
                    Ok(_) | Err(_) => Err(format!("its `auth` names a header that cannot hold a key: `{name}`")),
                }
            }
            Auth::Query(name) if name.is_empty() => Err("its `auth` names no parameter of the query".to_owned()),
            Auth::Query(name) => Ok(Self::Query(name.clone(), SecretText::new(key.to_owned()))),
            Auth::None => Ok(Self::None),
        }
    }

    /// Puts the key into a request.
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Header(name, value) => request.header(name, value),
            Self::Query(name, key) => request.query(&[(name.as_str(), key.expose())]),
            Self::None => request,
        }
    }
}

fn value(text: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| "its `api_key` holds a character that no HTTP header can have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Tells whether the key may be sent to a URL: to the configured host and port, or by TLS to the service's own domains.
pub(super) fn may_have_key(url: &Url, base: &Url, domains: &[&str]) -> bool {
    let is_base = url.scheme() == base.scheme()
        && url.host() == base.host()
        && url.port_or_known_default() == base.port_or_known_default();
    let Some(url::Host::Domain(host)) = url.host() else { return is_base };
    let below = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    is_base || (url.scheme() == "https" && url.port().is_none() && domains.iter().any(|domain| below(domain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_the_configured_host_and_to_the_services_own_domains_only() {
        let base = Url::parse("https://api.bfl.ai/v1").unwrap();
        for (url, may) in [
            ("https://api.bfl.ai/v1/get_result?id=1", true),
            ("https://api.bfl.ai:443/v1", true),
            ("https://api.eu2.bfl.ai/v1/get_result?id=1", true),
            ("https://bfl.ai/", true),
            ("http://api.bfl.ai/v1", false),
            ("https://api.bfl.ai:8443/v1", false),
            ("https://notbfl.ai/", false),
            ("https://api.bfl.ai.evil.example/", false),
            ("https://evil.example/?u=api.bfl.ai", false),
            ("https://api.bfl.ai@evil.example/", false),
            ("https://127.0.0.1/", false),
        ] {
            assert_eq!(may_have_key(&Url::parse(url).unwrap(), &base, &["bfl.ai"]), may, "{url}");
        }
        let local = Url::parse("http://127.0.0.1:9/v1").unwrap();
        assert!(may_have_key(&Url::parse("http://127.0.0.1:9/x").unwrap(), &local, &[]));
        assert!(!may_have_key(&Url::parse("http://127.0.0.1:10/x").unwrap(), &local, &[]));
    }

    #[test]
    fn what_cannot_be_sent_is_told_and_the_key_is_not() {
        let header = |name: &str| Auth::Header(name.to_owned());
        for (auth, key, told) in [
            (Auth::Bearer, "two words", "a blank"),
            (Auth::Basic, "nopassword-0123456789", "user:password"),
            (header("Content-Type"), "sk-0123456789", "Content-Type"),
            (header("no header"), "sk-0123456789", "no header"),
            (Auth::Query(String::new()), "sk-0123456789", "no parameter"),
        ] {
            let error = Credentials::new(&auth, key).err().unwrap();
            assert!(error.contains(told) && !error.contains(key), "{error}");
        }
        assert!(matches!(Credentials::new(&Auth::None, "two words"), Ok(Credentials::None)));
    }
}
