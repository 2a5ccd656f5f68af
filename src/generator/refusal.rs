//! Refusals: what an answer means that brings no picture, read from a table that each kind of generator fills in.
//!
//! A service says why in a code, in words, or with its status alone, and each has its own. Where in the body they stand and
//! what they mean is data. The reader is one for all: the kind's lines in their order, then what statuses mean at every
//! service. A gateway may have answered in the service's place, with HTML or plain text: then the status has to do.

use bytes::Bytes;
use reqwest::StatusCode;
use serde_json::Value;

use super::http::{AskAgain, Reply, Whole, looks};
use super::trouble::{CallError, Trouble};
use super::verdict::{self, Meaning, Saying};
use super::{GeneratorError, Progress};
use crate::secret::SafeText;

/// What is told of a request that does not fit.
const MISFIT: &str = "the request does not fit: correct its recipe";
const KEY: &str = "the key is not accepted: check `api_key`";
const BALANCE: &str = "the balance is empty: add credit";

/// How a service says no.
pub struct RefusalTable {
    /// What the service is called in messages.
    pub service: &'static str,
    /// Where codes stand in a body: pointers as `/error/code`, in which `*` is any element of a list.
    pub codes: &'static [&'static str],
    /// Where words stand in a body, likewise; the first that is there is shown.
    pub words: &'static [&'static str],
    /// What they mean, the first line that fits counts.
    pub lines: &'static [RefusalLine],
    /// What the service says in words of its own of tasks that failed.
    pub sayings: &'static [Saying],
}

/// One line of a table. All that it names must fit; what it leaves empty fits always.
#[derive(Debug, Clone, Copy)]
pub struct RefusalLine {
    asked: RefusedRequest,
    /// The first and the last status.
    statuses: Option<(u16, u16)>,
    codes: &'static [&'static str],
    words: &'static [&'static str],
    means: Refusal,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedRequest {
    /// A picture.
    Submit,
    /// How a task stands.
    Poll,
    /// Either.
    Anything,
}

/// What a refusal means for the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not now.
    Busy,
    /// Not this request, and what to do about it.
    Request(&'static str),
    /// The prompt or the picture is not allowed.
    Content,
    /// No request at all, and what to do about it.
    Account(&'static str),
    /// No request for this model.
    Model,
    /// It may have been done.
    Ambiguous,
    /// There is no such task.
    TaskGone,
    /// The task failed.
    TaskFailed,
}

/// What statuses mean where a kind knows nothing better.
const STATUSES: &[RefusalLine] = &[
    RefusalLine::status(429, 429, Refusal::Busy),
    RefusalLine::status(503, 503, Refusal::Busy),
    RefusalLine::status(401, 401, Refusal::Account(KEY)),
    RefusalLine::status(403, 403, Refusal::Account(KEY)),
    RefusalLine::status(402, 402, Refusal::Account(BALANCE)).when(RefusedRequest::Submit),
    RefusalLine::status(404, 405, Refusal::Account("the endpoint is retired, or `base_url` is wrong"))
        .when(RefusedRequest::Submit),
    RefusalLine::status(410, 410, Refusal::Account("the endpoint is retired, or `base_url` is wrong"))
        .when(RefusedRequest::Submit),
    RefusalLine::status(300, 399, Refusal::Account("the endpoint is elsewhere: check `base_url`"))
        .when(RefusedRequest::Submit),
    RefusalLine::status(408, 408, Refusal::Ambiguous),
    RefusalLine::status(400, 499, Refusal::Request(MISFIT)).when(RefusedRequest::Submit),
];

impl RefusalLine {
    /// Begins a line for some codes.
    pub const fn codes(codes: &'static [&'static str], means: Refusal) -> Self {
        Self { asked: RefusedRequest::Anything, statuses: None, codes, words: &[], means }
    }

    /// Begins a line for the statuses from the first to the last.
    pub const fn status(first: u16, last: u16, means: Refusal) -> Self {
        Self { asked: RefusedRequest::Anything, statuses: Some((first, last)), codes: &[], words: &[], means }
    }

    /// Holds a line to what was asked for.
    pub const fn when(self, asked: RefusedRequest) -> Self {
        Self { asked, ..self }
    }

    /// Holds a line to answers that say one of these: lower-case words, and a blank for whatever stands between them.
    pub const fn saying(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    fn fits(&self, asked: RefusedRequest, reply: &Reply, told: &RefusalText) -> bool {
        let Self { asked: when, statuses, codes, words, means: _ } = self;
        let status = reply.status.as_u16();
        (*when == RefusedRequest::Anything || *when == asked)
            && statuses.is_none_or(|(first, last)| (first..=last).contains(&status))
            && (codes.is_empty() || told.codes.iter().any(|code| codes.contains(&code.as_str())))
            && (words.is_empty() || words.iter().any(|words| told.plain.contains(words)))
    }
}

/// What a body tells.
#[derive(Debug, Default)]
struct RefusalText {
    codes: Vec<String>,
    words: Option<String>,
    /// All of it in lower case, with one blank for whatever is no letter.
    plain: String,
}

impl RefusalTable {
    /// Tells what an answer to a request for a picture means that is no success.
    pub fn submit(&self, reply: &Reply) -> Box<CallError> {
        let told = self.told(&reply.body);
        let line = self.lines.iter().chain(STATUSES).find(|line| line.fits(RefusedRequest::Submit, reply, &told));
        self.refused(line.map_or(Refusal::Ambiguous, |line| line.means), reply, &told)
    }

    /// Tells what an error means that stands in an answer of success.
    pub fn in_success(&self, reply: &Reply) -> Box<CallError> {
        let told = self.told(&reply.body);
        let mut lines = self.lines.iter().filter(|line| line.statuses.is_none());
        let line = lines.find(|line| line.fits(RefusedRequest::Submit, reply, &told));
        self.refused(line.map_or(Refusal::Request(MISFIT), |line| line.means), reply, &told)
    }

    fn refused(&self, means: Refusal, reply: &Reply, told: &RefusalText) -> Box<CallError> {
        let said = format!("{} {}", self.service, answered(reply, told));
        let with = |why: &str| format!("{why} ({said})");
        match means {
            Refusal::Busy => CallError::new(busy(reply), said),
            Refusal::Request(why) => CallError::new(Trouble::Refused, with(why)),
            Refusal::Content => CallError::new(Trouble::Refused, with("the prompt is not allowed: change it")),
            Refusal::Account(why) => CallError::new(Trouble::Closed, with(why)),
            Refusal::Model => CallError::new(Trouble::NoModel, with("there is no such model: choose another one")),
            Refusal::Ambiguous | Refusal::TaskFailed | Refusal::TaskGone
                if self.meaning(&told.texts()) == Meaning::Verdict =>
            {
                CallError::new(Trouble::Judged, said)
            }
            Refusal::Ambiguous | Refusal::TaskFailed | Refusal::TaskGone => CallError::new(Trouble::Ambiguous, said),
        }
    }

    /// Tells what an answer to a question about a task means that is no success: that the task failed, or that it cannot be
    /// told.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn poll(&self, reply: &Reply) -> Result<Progress, Box<CallError>> {
        let told = self.told(&reply.body);
        let words = answered(reply, &told);
        let said = format!("{} {words}", self.service);
        let line = self.lines.iter().chain(STATUSES).find(|line| line.fits(RefusedRequest::Poll, reply, &told));
        let error = match line.map_or(Refusal::Ambiguous, |line| line.means) {
            Refusal::TaskFailed => {
                return Ok(Progress::Failed { why: words, meaning: self.meaning(&told.texts()) });
            }
            Refusal::Content => return Ok(Progress::Failed { why: words, meaning: Meaning::Verdict }),
            Refusal::Busy => CallError::new(busy(reply), said),
            Refusal::Account(why) => CallError::new(Trouble::Closed, format!("{why} ({said})")),
            Refusal::TaskGone => CallError::new(Trouble::Gone, said),
            Refusal::Request(_) | Refusal::Model => CallError::new(Trouble::Refused, said),
            Refusal::Ambiguous => CallError::new(Trouble::Ambiguous, said),
        };
        Err(error)
    }

    /// Tells what a failure means that the service put so.
    pub fn meaning(&self, said: &str) -> Meaning {
        verdict::meaning(said, self.sayings)
    }

    fn told(&self, body: &[u8]) -> RefusalText {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return RefusalText::default() };
        let texts = |pointers: &[&str]| {
            let mut found = Vec::new();
            pointers.iter().for_each(|pointer| texts_at(&value, pointer, &mut found));
            found
        };
        let (codes, words) = (texts(self.codes), texts(self.words).into_iter().next());
        let plain = verdict::plain(&codes.iter().chain(&words).map(String::as_str).collect::<Vec<_>>().join(" "));
        RefusalText { codes, words, plain }
    }
}

impl RefusalText {
    fn texts(&self) -> String {
        self.codes.iter().take(1).chain(&self.words).map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

/// Not now, or not at all where the service says that nobody should ask again.
fn busy(reply: &Reply) -> Trouble {
    match reply.again {
        AskAgain::Later(pause) => Trouble::Busy(pause),
        AskAgain::Never => Trouble::Refused,
    }
}

/// Collects the texts at a pointer, in which `*` is any element of a list.
fn texts_at(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let Some(rest) = pointer.strip_prefix('/') else {
        found.extend(value.as_str().filter(|text| !text.is_empty()).map(str::to_owned));
        return;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    match (name, value) {
        ("*", Value::Array(values)) => values.iter().for_each(|value| texts_at(value, rest, found)),
        (name, value) => {
            if let Some(value) = value.get(name) {
                texts_at(value, rest, found);
            }
        }
    }
}

/// Says how an answer looks: status, code and words, or what a gateway put in their place.
fn answered(reply: &Reply, told: &RefusalText) -> SafeText {
    let status = match reply.status.canonical_reason() {
        Some(words) => format!("answered {} {words}", reply.status.as_u16()),
        None => format!("answered {}", reply.status.as_u16()),
    };
    let words = match (told.codes.first(), &told.words, &reply.location) {
        (Some(code), Some(words), _) => format!("{status}, {code}: {words}"),
        (Some(code), None, _) => format!("{status}, {code}"),
        (None, Some(words), _) => format!("{status}: {words}"),
        (None, None, Some(location)) => format!("{status}, which leads to {location}"),
        (None, None, None) => format!("{status} with {}", looks(&reply.body)),
    };
    SafeText::of(&words)
}

/// Takes a picture out of the answer to a download, at whatever service it lies.
///
/// # Errors
/// It did not come, or not whole.
pub fn downloaded(reply: Reply, table: &RefusalTable) -> Result<Bytes, GeneratorError> {
    let trouble = match reply.status {
        // A signed URL that has run out answers 403 with XML, not 404.
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => Trouble::Gone,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Trouble::Busy(reply.pause()),
        status if status.is_server_error() => Trouble::Ambiguous,
        status if !status.is_success() => Trouble::Broken,
        _ if reply.whole != Whole::Yes => {
            let message = format!("the picture was cut off after {} bytes", reply.body.len());
            return Err(CallError::new(Trouble::Broken, message).into());
        }
        _ => return Ok(reply.body),
    };
    let reply = Reply { location: None, ..reply };
    let message = format!("the picture cannot be fetched: {}", answered(&reply, &table.told(&reply.body)));
    Err(CallError::new(trouble, message).into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A kind as any could be: with codes in a list, words of its own, and a model that can be missing.
    const TABLE: RefusalTable = RefusalTable {
        service: "Acme",
        codes: &["/error/details/*/reason", "/error/code"],
        words: &["/error/message", "/detail"],
        lines: &[
            RefusalLine::codes(&["API_KEY_INVALID"], Refusal::Account("look at the key")),
            RefusalLine::codes(&["moderation_blocked"], Refusal::Content),
            RefusalLine::status(404, 404, Refusal::Model).saying(&["model"]).when(RefusedRequest::Submit),
            RefusalLine::status(404, 404, Refusal::TaskGone).when(RefusedRequest::Poll),
            RefusalLine::codes(&["task_failed"], Refusal::TaskFailed).when(RefusedRequest::Poll),
        ],
        sayings: &[],
    };

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            again: AskAgain::Later(Some(Duration::from_secs(3))),
            body: Bytes::copy_from_slice(body.as_bytes()),
            pictures: Vec::new(),
            whole: Whole::Yes,
            location: None,
        }
    }

    #[test]
    fn a_refused_submit_is_read_by_the_kinds_lines_first_and_by_its_status_last() {
        let busy = Trouble::Busy(Some(Duration::from_secs(3)));
        for (status, body, trouble, told) in [
            (
                400,
                r#"{"error":{"code":"x","details":[{"a":1},{"reason":"API_KEY_INVALID"}],"message":"no"}}"#,
                Trouble::Closed,
                "look at the key (Acme answered 400 Bad Request, API_KEY_INVALID: no)",
            ),
            (
                404,
                r#"{"error":{"message":"The Model `x` does not exist"}}"#,
                Trouble::NoModel,
                "there is no such model: choose another one (Acme answered 404 Not Found: The Model `x` does not exist)",
            ),
            (
                404,
                "<html><title>nothing here</title>",
                Trouble::Closed,
                "the endpoint is retired, or `base_url` is wrong (Acme answered 404 Not Found with an HTML page, \
                 `nothing here`)",
            ),
            (
                400,
                r#"{"error":{"code":"moderation_blocked"}}"#,
                Trouble::Refused,
                "the prompt is not allowed: change it",
            ),
            (422, r#"{"detail":"no such field"}"#, Trouble::Refused, MISFIT),
            (429, "", busy, "Acme answered 429 Too Many Requests with an empty body"),
            (402, "", Trouble::Closed, BALANCE),
            (307, "", Trouble::Closed, "the endpoint is elsewhere"),
            (500, r#"{"detail":"no luck"}"#, Trouble::Ambiguous, "Acme answered 500 Internal Server Error: no luck"),
            (500, r#"{"detail":"flagged as unsafe"}"#, Trouble::Judged, "Acme answered 500"),
            (418, "", Trouble::Refused, MISFIT),
            (408, "", Trouble::Ambiguous, "Acme answered 408"),
        ] {
            let error = TABLE.submit(&reply(status, body));
            assert_eq!(error.trouble, trouble, "{status} {body}");
            assert!(error.message.starts_with(told), "{}", error.message);
        }
        let never = Reply { again: AskAgain::Never, ..reply(429, "") };
        assert_eq!(TABLE.submit(&never).trouble, Trouble::Refused);
        assert_eq!(TABLE.in_success(&reply(200, r#"{"error":{"code":"y"}}"#)).trouble, Trouble::Refused);
        let blocked = reply(200, r#"{"error":{"code":"moderation_blocked"}}"#);
        assert!(TABLE.in_success(&blocked).message.starts_with("the prompt is not allowed"));
    }

    #[test]
    fn a_refused_poll_says_that_the_task_failed_or_nothing_about_it() {
        let failed = |body: &str| match TABLE.poll(&reply(500, body)) {
            Ok(Progress::Failed { meaning, .. }) => meaning,
            other => panic!("{other:?}"),
        };
        assert_eq!(failed(r#"{"error":{"code":"task_failed","message":"out of memory"}}"#), Meaning::Passing);
        assert_eq!(failed(r#"{"error":{"code":"task_failed","message":"nsfw"}}"#), Meaning::Verdict);
        assert_eq!(failed(r#"{"error":{"code":"moderation_blocked"}}"#), Meaning::Verdict);
        for (status, trouble) in [
            (404, Trouble::Gone),
            (401, Trouble::Closed),
            (503, Trouble::Busy(Some(Duration::from_secs(3)))),
            (400, Trouble::Ambiguous),
            (502, Trouble::Ambiguous),
        ] {
            assert_eq!(TABLE.poll(&reply(status, "")).unwrap_err().trouble, trouble, "{status}");
        }
    }

    #[test]
    fn a_download_is_a_picture_or_a_trouble() {
        let of = |status: u16| downloaded(reply(status, "x"), &TABLE).map_err(|error| error.trouble());
        assert_eq!(of(200).unwrap(), "x");
        assert_eq!(of(403).unwrap_err(), Trouble::Gone);
        assert_eq!(of(500).unwrap_err(), Trouble::Ambiguous);
        assert_eq!(of(302).unwrap_err(), Trouble::Broken);
        let cut = Reply { whole: Whole::CutOff, ..reply(200, "x") };
        assert_eq!(downloaded(cut, &TABLE).unwrap_err().trouble(), Trouble::Broken);
    }
}
