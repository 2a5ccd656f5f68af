//! What Novita says when it does not do what it was asked: by `reason` first, by status where there is none.
//!
//! Source of the reasons: <https://novita.ai/docs/api-reference/basic-error-code>, read 2026-11-22, and what clients of
//! it are known to meet. A gateway may answer with HTML or plain text instead.

use reqwest::StatusCode;
use serde_json::Value;

use crate::generator::Progress;
use crate::generator::http::Reply;
use crate::generator::trouble::{CallError, Trouble};
use crate::generator::verdict::{self, Meaning, Saying};
use crate::secret::SafeText as Words;

/// What is told of a request that does not fit.
const MISFIT: &str = "the request does not fit: correct its recipe";

/// What a body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The service's code for it.
    pub reason: Option<String>,
    /// Its words.
    pub message: Option<String>,
}

/// What a reason means for the next request.
enum Class {
    Busy,
    Refused(&'static str),
    Closed(&'static str),
    Ambiguous,
    TaskGone,
    TaskFailed,
    /// The prompt or the picture is not allowed.
    Illegal,
}

/// What Novita says in words of its own.
const SAYINGS: &[Saying] = &[];

/// Tells what a failure means that Novita put so.
pub fn meaning(said: &str) -> Meaning {
    verdict::meaning(said, SAYINGS)
}

impl Said {
    /// Reads an error in any of the shapes that are known; anything else is no error.
    pub fn of(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let error = value.get("error").filter(|error| error.is_object()).unwrap_or(&value);
        let text = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| error.get(name)?.as_str());
            found.find(|text| !text.is_empty()).map(str::to_owned)
        };
        let code = text(&["code"]).filter(|code| code.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        Self { reason: text(&["reason"]).or(code), message: text(&["message", "msg"]) }
    }

    fn meaning(&self) -> Meaning {
        let texts = [self.reason.as_deref(), self.message.as_deref()];
        meaning(&texts.into_iter().flatten().collect::<Vec<_>>().join(": "))
    }

    fn class(&self) -> Option<Class> {
        let class = match self.reason.as_deref()? {
            "RATE_LIMIT_EXCEEDED" | "TOKEN_LIMIT_EXCEEDED" | "SERVICE_NOT_AVAILABLE" => Class::Busy,
            "MISSING_API_KEY" | "INVALID_API_KEY" | "FAILED_TO_AUTH" | "BILLING_AUTH_FAILED" => {
                Class::Closed("the key is not accepted: check `api_key`")
            }
            "FEATURE_NOT_ALLOWED" | "API_NOT_ALLOWED" | "NEED_REAL_NAME_VERIFY" => {
                Class::Closed("the account may not do this")
            }
            "BILLING_BALANCE_NOT_ENOUGH"
            | "NOT_ENOUGH_BALANCE"
            | "BALANCE_NOT_ENOUGH"
            | "EXPIRED_OR_BALANCE_NOT_ENOUGH"
            | "ANONYMOUS_ACCESS_QUOTA_EXCEEDS" => Class::Closed("the balance is empty: add credit"),
            "BILLING_FAILED" => Class::Closed("the account cannot be billed"),
            "API_NOT_FOUND" => Class::Closed("the endpoint is retired, or `path` is wrong"),
            "CREATE_TASK_FAILED" | "GET_RESULT_FAILED" => Class::Ambiguous,
            "TASK_NOT_FOUND" => Class::TaskGone,
            "TASK_FAILED" => Class::TaskFailed,
            "ILLEGAL_PROMPT" | "ILLEGAL_IMAGE_CONTENT" => Class::Illegal,
            "INVALID_REQUEST_BODY"
            | "VALIDATOR"
            | "VALIDATOR_PARAM"
            | "IMAGE_FILE_EXCEEDS_MAX_SIZE"
            | "INVALID_IMAGE_FORMAT"
            | "IMAGE_EXCEEDS_MAX_RESOLUTION"
            | "INVALID_IMAGE_SIZE"
            | "IMAGE_NO_FACE_DETECTED"
            | "INVALID_CUSTOM_OUTPUT_PATH"
            | "INVALID_AUDIO_FILE" => Class::Refused(MISFIT),
            _ => return None,
        };
        Some(class)
    }
}

/// Tells what an answer to a submit that is no success means.
pub fn submit_refused(reply: &Reply) -> Box<CallError> {
    let class = Said::of(&reply.body).class().unwrap_or_else(|| submit_class(reply.status));
    refused(class, reply)
}

/// Tells what the old envelope means that holds an error in an answer of success.
pub fn envelope_refused(reply: &Reply) -> Box<CallError> {
    let class = Said::of(&reply.body).class().unwrap_or(Class::Refused(MISFIT));
    refused(class, reply)
}

fn refused(class: Class, reply: &Reply) -> Box<CallError> {
    let said = answered(reply);
    match class {
        Class::Busy => CallError::new(Trouble::Busy(reply.pause), format!("Novita {said}")),
        Class::Refused(why) => CallError::new(Trouble::Refused, format!("{why} (Novita {said})")),
        Class::Illegal => {
            CallError::new(Trouble::Refused, format!("the prompt is not allowed: change it (Novita {said})"))
        }
        Class::Closed(why) => CallError::new(Trouble::Closed, format!("{why} (Novita {said})")),
        Class::Ambiguous | Class::TaskFailed | Class::TaskGone
            if Said::of(&reply.body).meaning() == Meaning::Verdict =>
        {
            CallError::new(Trouble::Judged, format!("Novita {said}"))
        }
        Class::Ambiguous | Class::TaskFailed | Class::TaskGone => {
            CallError::new(Trouble::Ambiguous, format!("Novita {said}"))
        }
    }
}

fn submit_class(status: StatusCode) -> Class {
    match status.as_u16() {
        429 | 503 => Class::Busy,
        401 | 403 => Class::Closed("the key is not accepted: check `api_key`"),
        402 => Class::Closed("the balance is empty: add credit"),
        404 | 405 | 410 => Class::Closed("the endpoint is retired, or `base_url` or `path` is wrong"),
        408 => Class::Ambiguous,
        300..=399 => Class::Closed("the endpoint is elsewhere: check `base_url`"),
        400..=499 => Class::Refused(MISFIT),
        _ => Class::Ambiguous,
    }
}

/// Tells what an answer to a poll that is no success means: that the task failed, or that it cannot be told.
pub fn poll_refused(reply: &Reply) -> Result<Progress, Box<CallError>> {
    let said = answered(reply);
    let by_status = || match reply.status.as_u16() {
        429 | 503 => Class::Busy,
        401 | 403 => Class::Closed("the key is not accepted: check `api_key`"),
        _ => Class::Ambiguous,
    };
    let class = Said::of(&reply.body).class().unwrap_or_else(by_status);
    let trouble = match class {
        Class::TaskFailed => {
            return Ok(Progress::Failed { why: said, meaning: Said::of(&reply.body).meaning() });
        }
        Class::Illegal => return Ok(Progress::Failed { why: said, meaning: Meaning::Verdict }),
        Class::Busy => Trouble::Busy(reply.pause),
        Class::Closed(why) => return Err(CallError::new(Trouble::Closed, format!("{why} (Novita {said})"))),
        Class::TaskGone => Trouble::Gone,
        Class::Refused(_) => Trouble::Refused,
        Class::Ambiguous => Trouble::Ambiguous,
    };
    Err(CallError::new(trouble, format!("Novita {said}")))
}

/// Says how an answer looks: status, reason and words, or what a gateway put in their place.
pub fn answered(reply: &Reply) -> Words {
    let status = match reply.status.canonical_reason() {
        Some(words) => format!("answered {} {words}", reply.status.as_u16()),
        None => format!("answered {}", reply.status.as_u16()),
    };
    let Said { reason, message } = Said::of(&reply.body);
    let words = match (reason, message, &reply.location) {
        (Some(reason), Some(message), _) => format!("{status}, {reason}: {message}"),
        (Some(reason), None, _) => format!("{status}, {reason}"),
        (None, Some(message), _) => format!("{status}: {message}"),
        (None, None, Some(location)) => format!("{status}, which leads to {location}"),
        (None, None, None) => format!("{status} with {}", looks(&reply.body)),
    };
    Words::of(&words)
}

/// Says what a body looks like that is not what it should be.
pub fn looks(body: &[u8]) -> String {
    // Redacted before it is cut: half a key is a secret, too.
    let text = &*Words::long(body);
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

    #[test]
    fn an_error_is_read_in_each_of_its_shapes() {
        let of = |body: &str| {
            let Said { reason, message } = Said::of(body.as_bytes());
            (reason.unwrap_or_default(), message.unwrap_or_default())
        };
        let said = |reason: &str, message: &str| (reason.to_owned(), message.to_owned());
        assert_eq!(of(r#"{"code":400,"reason":"VALIDATOR","message":"too long"}"#), said("VALIDATOR", "too long"));
        assert_eq!(of(r#"{"error":{"message":"no","code":"API_NOT_FOUND"}}"#), said("API_NOT_FOUND", "no"));
        assert_eq!(of(r#"{"code":1,"msg":"no","data":null}"#), said("", "no"));
        assert_eq!(of("<html>"), said("", ""));
    }
}
