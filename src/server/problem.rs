//! What went wrong with a request, as RFC 9457 has it: what is wrong, and what is allowed.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc9457>, read 2026-11-25.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::answer::CacheFor;
use super::body::{self, AnswerBody};

/// Allowed names that are told at most.
const ALLOWED_MAX: usize = 50;

/// Something wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// Which kind of problem: `unknown-label`.
    pub kind: &'static str,
    /// One sentence about this request.
    pub detail: String,
    /// What would be allowed instead.
    pub allowed: Vec<String>,
}

impl Problem {
    /// Makes a problem without anything to choose from.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), allowed: Vec::new() }
    }

    /// Says what would be allowed.
    pub fn allowing<'a>(mut self, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        self.allowed = allowed.into_iter().take(ALLOWED_MAX).map(str::to_owned).collect();
        self
    }

    /// Makes the response.
    pub fn respond(&self) -> Response<AnswerBody> {
        let title = match self.kind {
            "unknown-collection" => "There is no such collection",
            "unknown-key" => "There is no such picture",
            "unknown-label" => "There is no such label",
            "bad-paging" => "The paging is not valid",
            "bad-request" => "The request cannot be read",
            "hidden" => "This is not shown to everybody",
            "unknown-host" => "There is nothing here under that name",
            "not-found" => "There is nothing here",
            "method-not-allowed" => "Only GET and HEAD are answered",
            "too-long" => "The address is too long",
            "too-large" => "The request is too large",
            "busy" => "Too many requests at once",
            "late" => "The answer took too long",
            _ => "The database cannot be read",
        };
        let mut document = json!({
            "type": format!("urn:pixform:problem:{}", self.kind),
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.allowed.is_empty() {
            document["allowed"] = self.allowed.as_slice().into();
        }
        let mut response = Response::new(body::whole(document.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(CacheFor::Never.words()));
        response
    }
}

/// The state could not be read; why is for the log, for it may name hosts.
pub fn unreadable() -> Problem {
    let detail = "what is published could not be read; try again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unreadable", detail)
}
