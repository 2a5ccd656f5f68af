//! A key of Supabase: where it goes, and what it may see, as far as it says so itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// How a key begins that is meant for browsers.
const PUBLISHABLE: &str = "sb_publishable_";
/// How a key begins that may do everything.
const SECRET: &str = "sb_secret_";
/// A key that is no JWT begins so: the gateway takes it as `apikey` only.
const NO_JWT: &str = "sb_";
/// Roles of old keys that see what row level security shows them.
const LIMITED: [&str; 2] = ["anon", "authenticated"];

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyRole {
    /// One that sees all.
    Service,
    /// The public one of the new kind.
    Publishable,
    /// A role that sees what policies show it.
    Limited(&'static str),
    /// The key does not say.
    Unknown,
}

impl KeyRole {
    /// Reads a key: it is not checked, only its own word is taken.
    pub fn of(key: &str) -> Self {
        if key.starts_with(PUBLISHABLE) {
            return Self::Publishable;
        }
        if key.starts_with(SECRET) {
            return Self::Service;
        }
        let claims = key.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
        let claims: Value = claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
        match claims["role"].as_str() {
            Some("service_role") => Self::Service,
            Some(role) => LIMITED.into_iter().find(|known| *known == role).map_or(Self::Unknown, Self::Limited),
            None => Self::Unknown,
        }
    }

    /// Says why the key may see nothing although there is something; `None` where it would see it, or nobody knows.
    pub fn limited(&self) -> Option<String> {
        let whose = match self {
            Self::Service | Self::Unknown => return None,
            Self::Publishable => "the publishable one, which is for browsers".to_owned(),
            Self::Limited(role) => format!("that of the role `{role}`"),
        };
        Some(format!("the key is {whose}: row level security shows it neither the bucket nor what lies there"))
    }
}

/// Returns the headers that a key goes into: a JWT into both, any other key into `apikey` only.
pub(super) fn keys(key: &str) -> Result<HeaderMap, String> {
    let value = |text: &str| {
        let mut value =
            HeaderValue::from_str(text).map_err(|_| "the storage's `key` holds a letter that no key has".to_owned())?;
        value.set_sensitive(true);
        Ok::<_, String>(value)
    };
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("apikey"), value(key)?);
    if !key.starts_with(NO_JWT) {
        headers.insert(AUTHORIZATION, value(&format!("Bearer {key}"))?);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_whose_it_is() {
        let jwt = |claims: &str| format!("eyJhbGciOiJIUzI1NiJ9.{}.signature", URL_SAFE_NO_PAD.encode(claims));
        for (key, role) in [
            (jwt(r#"{"iss":"supabase","role":"anon"}"#), KeyRole::Limited("anon")),
            (jwt(r#"{"role":"authenticated"}"#), KeyRole::Limited("authenticated")),
            (jwt(r#"{"role":"service_role"}"#), KeyRole::Service),
            (jwt(r#"{"role":"mine"}"#), KeyRole::Unknown),
            (jwt("no JSON"), KeyRole::Unknown),
            ("sb_publishable_x".to_owned(), KeyRole::Publishable),
            ("sb_secret_x".to_owned(), KeyRole::Service),
            ("a.b".to_owned(), KeyRole::Unknown),
            (String::new(), KeyRole::Unknown),
        ] {
            assert_eq!(KeyRole::of(&key), role, "{key}");
        }
    }
}
