//! Which pages of other origins may read the API: those on a list, and nobody else.
//!
//! Source: <https://fetch.spec.whatwg.org/#http-cors-protocol>, read 2026-11-25.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::{self, AnswerBody};

/// Says yes to a page that may read, and nothing to any other.
pub fn allow(origins: &[String], asked: &HeaderMap, headers: &mut HeaderMap) {
    let Some(origin) = asked.get(ORIGIN) else { return };
    let Some(allowed) = origins.iter().find(|allowed| *allowed == "*" || origin == allowed.as_str()) else { return };
    let value = if allowed == "*" { HeaderValue::from_static("*") } else { origin.clone() };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, link"));
}

/// Answers what a browser asks before it asks.
pub fn preflight(origins: &[String], asked: &HeaderMap) -> Response<AnswerBody> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    allow(origins, asked, headers);
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("if-none-match, range"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}
