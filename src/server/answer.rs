//! Answers that are made once and sent often: bytes, their gzip, and the tag by which a client knows them again.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::body::{self, AnswerBody};

/// From how many bytes on gzip is worth its headers.
const GZIP_FROM: usize = 860;
/// How many hex digits of the digest a tag has.
const TAG_DIGITS: usize = 20;

/// How long an answer may be kept by whoever got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheFor {
    /// It is asked about each time, which costs no body where nothing changed.
    Ask,
    /// For ever: its address changes with it.
    Forever,
    /// Not at all.
    Never,
}

/// An answer, ready to be sent.
#[derive(Debug)]
pub struct CachedAnswer {
    body: Bytes,
    gzip: Option<Bytes>,
    content_type: HeaderValue,
    tag: HeaderValue,
    gzip_tag: HeaderValue,
    keep: CacheFor,
    /// More headers: where the next page is.
    link: Option<HeaderValue>,
}

impl CachedAnswer {
    /// Makes an answer of bytes.
    pub fn new(body: impl Into<Bytes>, content_type: &'static str, keep: CacheFor) -> Self {
        let body = body.into();
        let digest = hex::encode(Sha256::digest(&body));
        let tag = |suffix: &str| {
            HeaderValue::try_from(format!("\"{}{suffix}\"", &digest[..TAG_DIGITS])).expect("hex digits are a tag")
        };
        Self {
            gzip: gzip(&body),
            content_type: HeaderValue::from_static(content_type),
            tag: tag(""),
            gzip_tag: tag("-gz"),
            keep,
            link: None,
            body,
        }
    }

    /// Says where the next page is.
    pub fn with_next(mut self, target: &str) -> Self {
        self.link = HeaderValue::try_from(format!("<{target}>; rel=\"next\"")).ok();
        self
    }

    /// Returns how many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.body.len() + self.gzip.as_ref().map_or(0, Bytes::len)
    }

    /// Makes the response that a request with these headers gets.
    pub fn respond(&self, asked: &HeaderMap) -> Response<AnswerBody> {
        let zipped = self.gzip.as_ref().filter(|_| takes_gzip(asked));
        let tag = if zipped.is_some() { &self.gzip_tag } else { &self.tag };
        let known = asked.get(IF_NONE_MATCH).is_some_and(|tags| self.is_among(tags));
        let body = match (known, zipped) {
            (true, _) => body::empty(),
            (false, Some(zipped)) => body::whole(zipped.clone()),
            (false, None) => body::whole(self.body.clone()),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.reserve(10);
        headers.insert(ETAG, tag.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(self.keep.words()));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
        if let Some(link) = &self.link {
            headers.insert(LINK, link.clone());
        }
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        if zipped.is_some() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// Tells whether one of the tags is its own, however it was encoded then.
    fn is_among(&self, tags: &HeaderValue) -> bool {
        let Ok(tags) = tags.to_str() else { return false };
        let own = |tag: &str| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag == self.tag || tag == self.gzip_tag
        };
        tags.split(',').any(own)
    }
}

impl CacheFor {
    /// Returns the words of `cache-control`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ask => "no-cache",
            Self::Forever => "public, max-age=31536000, immutable",
            Self::Never => "no-store",
        }
    }
}

/// Compresses, where that is worth it.
fn gzip(body: &Bytes) -> Option<Bytes> {
    if body.len() < GZIP_FROM {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    encoder.write_all(body).ok()?;
    let zipped = encoder.finish().ok()?;
    (zipped.len() < body.len()).then(|| zipped.into())
}

/// Tells whether a client takes gzip, and has not refused it.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let Some(accepted) = asked.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else { return false };
    let named = |wanted: &str| {
        accepted.split(',').find_map(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_it = parts.next()?.eq_ignore_ascii_case(wanted);
            let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            is_it.then_some(!refused)
        })
    };
    named("gzip").or_else(|| named("*")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it_and_to_nobody_else() {
        for (accepted, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip; q=0, *", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(&asked(ACCEPT_ENCODING, accepted)), takes, "{accepted}");
        }
    }

    #[test]
    fn a_client_that_knows_the_answer_gets_no_body() {
        let answer = CachedAnswer::new("hello", "text/plain", CacheFor::Ask);
        let tag = answer.tag.to_str().unwrap().to_owned();
        for (tags, status) in [
            (tag.clone(), 304),
            (format!("\"other\", W/{tag}"), 304),
            (tag.replace("\"", ""), 200),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            assert_eq!(answer.respond(&asked(IF_NONE_MATCH, &tags)).status(), status, "{tags}");
        }
    }
}
