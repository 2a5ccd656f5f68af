//! Replies: what came back, read within bounds, and how it looks to people.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::inline::{self, Bounds, Exceeded, InlineReader};
use super::wait::AskAgain;
use crate::secret::SafeText;
use crate::web::Whole;

/// The least by which the room of a body grows.
const GROWTH_MIN: usize = 64 * 1024;

/// An answer, whatever it says.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// What it says about asking again.
    pub again: AskAgain,
    /// Its body, with marks in the places of long pictures; what had come of it where it was cut off.
    pub body: Bytes,
    /// The pictures that marks stand for.
    pub pictures: Vec<Bytes>,
    /// Whether the body is whole.
    pub whole: Whole,
    /// Where it leads, for a redirect.
    pub location: Option<SafeText>,
}

impl Reply {
    /// Reads the body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns the picture that a text of the body is, in Base64 or as a data URL; `None` where it is none.
    pub fn picture(&self, text: &str) -> Option<Bytes> {
        inline::picture(text, &self.pictures)
    }

    /// Returns how long the service wants to be left alone, where it says so.
    pub fn pause(&self) -> Option<Duration> {
        match self.again {
            AskAgain::Later(pause) => pause,
            AskAgain::Never => None,
        }
    }
}

/// What a body is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// Text, in which pictures may stand.
    Text,
    /// A picture's file.
    Picture,
}

/// What came of a body.
pub(super) struct ReadBody {
    pub body: Bytes,
    pub pictures: Vec<Bytes>,
    pub whole: Whole,
}

/// Reads a body as far as it comes and may be read.
pub(super) async fn read(response: Response, form: BodyForm, bounds: Bounds) -> ReadBody {
    match form {
        BodyForm::Text if bounds.pictures > 0 => read_with_pictures(response, bounds).await,
        BodyForm::Text => read_plain(response, bounds.text).await,
        BodyForm::Picture => read_plain(response, bounds.pictures.max(bounds.text)).await,
    }
}

async fn read_plain(mut response: Response, bytes_max: u64) -> ReadBody {
    let mut body: Vec<u8> = Vec::new();
    let whole = loop {
        if response.content_length().is_some_and(|length| length > bytes_max) {
            break Whole::TooLong;
        }
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() as u64 + chunk.len() as u64 <= bytes_max => {
                if body.capacity() - body.len() < chunk.len() {
                    body.reserve_exact((body.len() / 4).max(GROWTH_MIN).max(chunk.len()));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => break Whole::TooLong,
            Ok(None) => break Whole::Yes,
            Err(_) => break Whole::CutOff,
        }
    };
    ReadBody { body: body.into(), pictures: Vec::new(), whole }
}

async fn read_with_pictures(mut response: Response, bounds: Bounds) -> ReadBody {
    let mut reader = InlineReader::new(bounds);
    let whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                if let Err(Exceeded) = reader.feed(&chunk) {
                    break Whole::TooLong;
                }
            }
            Ok(None) => break Whole::Yes,
            Err(_) => break Whole::CutOff,
        }
    };
    let (body, pictures) = reader.finish();
    ReadBody { body: body.into(), pictures, whole }
}

/// Says what a body looks like that is not what it should be.
pub fn looks(body: &[u8]) -> String {
    // Redacted before it is cut: half a key is a secret, too.
    let text = &*SafeText::long(body);
    let lower = text.to_ascii_lowercase();
    if text.is_empty() {
        return "an empty body".to_owned();
    }
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        let title = lower.find("<title>").zip(lower.find("</title>"));
        let title = title.and_then(|(start, end)| text.get(start + 7..end)).map(str::trim);
        return match title.filter(|title| !title.is_empty()) {
            Some(title) => format!("an HTML page, `{title}`"),
            None => "an HTML page".to_owned(),
        };
    }
    let tag = |name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        text.split_once(&open)?.1.split_once(&close).map(|(inside, _)| inside.trim().to_owned())
    };
    if text.starts_with('<') {
        return match tag("Code").or_else(|| tag("Message")) {
            Some(code) => format!("XML, `{code}`"),
            None => "XML".to_owned(),
        };
    }
    let shown: String = text.chars().take(120).collect();
    if text.starts_with(['{', '[']) { format!("JSON, `{shown}`") } else { format!("the text `{shown}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_key_is_not_shown() {
        crate::secret::remember("sk0123456789abcdef");
        for padding in 80..130 {
            let body = format!("{{\"detail\":\"{}sk0123456789abcdef\"}}", "a".repeat(padding));
            assert!(!looks(body.as_bytes()).contains("sk0"), "{padding}");
        }
    }

    #[test]
    fn a_body_that_is_none_of_ours_is_named() {
        for (body, wanted) in [
            ("", "an empty body"),
            ("<html><title>502 Bad Gateway</title></html>", "an HTML page, `502 Bad Gateway`"),
            ("<!DOCTYPE html><p>no", "an HTML page"),
            ("<Error><Code>AccessDenied</Code></Error>", "XML, `AccessDenied`"),
            ("404 page not found", "the text `404 page not found`"),
            ("{\"task\":1}", "JSON, `{\"task\":1}`"),
        ] {
            assert_eq!(looks(body.as_bytes()), wanted);
        }
    }
}
