//! What a store answers when it does not do what was asked: told apart by what can be done about it.
//!
//! S3, GCS and Azure answer with XML, Supabase with JSON whose `statusCode` is the real status while that of HTTP is
//! mostly 400. Both are read here, since either may stand behind the other's address.

use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{PutObstacle, StorageError};
use crate::secret::SafeText as Words;
use crate::web;

/// What is being done when a file is put.
pub(super) const WRITE: &str = "write";

/// Stands for the code where a page of HTML came.
const HTML: &str = "a page of HTML";
/// How a size is refused by what has no code for it.
const TOO_LARGE: [&str; 3] = ["too large", "maximum allowed size", "exceeds the maximum"];

/// Why a request was not granted.
#[derive(Debug, Clone)]
pub(super) struct StoreFault {
    pub kind: StoreFaultKind,
    /// In the store's words, or ours where it said nothing.
    pub said: Words,
    /// How long the store wants to be left alone.
    pub pause: Option<Duration>,
    /// Who said so.
    pub speaker: Speaker,
}

/// Who answers, as far as the answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// A store: it used words that only stores use.
    Store,
    /// Anybody: a gateway, a server of something else, or a store that said nothing.
    Anybody,
}

/// What is wrong, as far as one can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreFaultKind {
    /// There is no such file.
    Missing,
    /// There is no such bucket.
    NoBucket,
    /// The path is taken.
    Exists,
    /// The key is wrong, or may not do this.
    Denied,
    /// The file is larger than the store takes.
    TooLarge,
    /// The store takes no files of this type.
    WrongType,
    /// The store takes no files of this name.
    WrongName,
    /// The answer is larger than the caller can take.
    AnswerTooLarge,
    /// The store is busy or out of order.
    Busy,
    /// No whole answer came.
    Broken,
    /// The store says no.
    Refused,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for StoreFault {}

impl StoreFault {
    /// Makes one in our own words.
    pub fn of(kind: StoreFaultKind, said: impl Into<Words>) -> Self {
        Self { kind, said: said.into(), pause: None, speaker: Speaker::Anybody }
    }

    /// Makes one of a connection that failed before an answer came.
    pub fn broken(shown: &str, error: &reqwest::Error) -> Self {
        let words = web::words(error);
        // Whoever speaks no TLS answers a greeting of it with something else.
        let plain = shown.starts_with("https:") && words.contains("corrupt message");
        let said = match (error.is_timeout(), error.is_connect() || error.is_builder()) {
            (_, true) if plain => format!("{shown} speaks no TLS: is its address `http:`?"),
            (_, true) => format!("{shown} cannot be reached ({words})"),
            (true, false) => format!("no answer came from {shown} in time"),
            (false, false) => format!("the connection to {shown} broke before an answer came ({words})"),
        };
        Self::of(StoreFaultKind::Broken, said)
    }

    /// Makes one of an answer that ended before its end.
    pub fn cut_off(shown: &str) -> Self {
        Self::of(StoreFaultKind::Broken, format!("the answer of {shown} was cut off"))
    }

    /// Makes one of an answer that is larger than the caller can take.
    pub fn too_large(found: u64, most: u64) -> Self {
        let said = format!("it holds {found} bytes, at most {most} are read");
        Self::of(StoreFaultKind::AnswerTooLarge, said)
    }

    /// Tells whether the same request may be granted later.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, StoreFaultKind::Busy | StoreFaultKind::Broken)
    }

    /// Tells whether any other file would have met the same: what is not about one file is about the store.
    pub fn is_of_the_store(&self) -> bool {
        match self.kind {
            StoreFaultKind::Exists
            | StoreFaultKind::TooLarge
            | StoreFaultKind::WrongType
            | StoreFaultKind::WrongName
            | StoreFaultKind::AnswerTooLarge => false,
            StoreFaultKind::Missing
            | StoreFaultKind::NoBucket
            | StoreFaultKind::Denied
            | StoreFaultKind::Busy
            | StoreFaultKind::Broken
            | StoreFaultKind::Refused => true,
        }
    }
}

/// A remote store as errors name it.
#[derive(Debug, Clone)]
pub(super) struct RemoteStore {
    /// Its URL without secrets.
    pub root: String,
    pub bucket: String,
    /// What to check where it lets nobody in.
    pub check: &'static str,
    /// What to do where the bucket is missing.
    pub make: &'static str,
}

impl RemoteStore {
    /// Puts a fault into the words of the room.
    pub fn failure(&self, action: &'static str, path: &str, fault: &StoreFault) -> StorageError {
        let (root, path) = (self.root.clone(), path.to_owned());
        match fault.kind {
            // What is put need not be there: then it is the address that leads nowhere.
            StoreFaultKind::Missing if action != WRITE => StorageError::Missing { path },
            StoreFaultKind::NoBucket => {
                StorageError::NoBucket { root, bucket: self.bucket.clone(), help: self.make.to_owned() }
            }
            StoreFaultKind::Denied => {
                StorageError::Denied { root, action, path, said: fault.said.clone(), help: self.check }
            }
            StoreFaultKind::TooLarge => self.not_admitted(PutObstacle::Size, &path, fault),
            StoreFaultKind::WrongType => self.not_admitted(PutObstacle::Type, &path, fault),
            StoreFaultKind::WrongName => self.not_admitted(PutObstacle::Name, &path, fault),
            StoreFaultKind::AnswerTooLarge => {
                let source = io::Error::new(io::ErrorKind::FileTooLarge, fault.said.to_string());
                StorageError::Io { action, path, source }
            }
            StoreFaultKind::Missing
            | StoreFaultKind::Exists
            | StoreFaultKind::Busy
            | StoreFaultKind::Broken
            | StoreFaultKind::Refused => StorageError::Io { action, path, source: io::Error::other(fault.clone()) },
        }
    }

    fn not_admitted(&self, bar: PutObstacle, path: &str, fault: &StoreFault) -> StorageError {
        StorageError::NotAdmitted {
            bar,
            what: format!("the storage `{}` does not take `{path}`: {}", self.root, fault.said),
            help: match bar {
                PutObstacle::Size => "raise the limit on sizes at the service, and at what stands before it",
                PutObstacle::Type | PutObstacle::Readers => "allow the type at the service",
                PutObstacle::Name => "change the rendition's `path`, or the prefix in `storage.url`",
            },
        }
    }
}

/// What an error's body says, whichever format it has.
struct ErrorBody {
    status: u16,
    code: String,
    message: String,
    speaker: Speaker,
}

/// Reads the answer to a request that was not granted.
pub(super) fn read_fault(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> StoreFault {
    let text = String::from_utf8_lossy(body);
    let ErrorBody { status, code, message, speaker } = json(&text)
        .or_else(|| xml(&text, headers))
        .unwrap_or_else(|| ErrorBody {
            status: 0,
            code: headers.get("x-ms-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default().to_owned(),
            message: String::new(),
            speaker: Speaker::Anybody,
        })
        .or_status(status);
    let kind = match code.as_str() {
        "NoSuchBucket" | "ContainerNotFound" | "TenantNotFound" => StoreFaultKind::NoBucket,
        "Bucket not found" => StoreFaultKind::NoBucket,
        "NoSuchKey" | "NoSuchUpload" | "BlobNotFound" => StoreFaultKind::Missing,
        "KeyAlreadyExists" | "ResourceAlreadyExists" | "BucketAlreadyExists" | "Duplicate" => StoreFaultKind::Exists,
        "AccessDenied"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidJWT"
        | "InvalidSignature"
        | "AuthenticationFailed"
        | "AuthorizationFailure"
        | "ExpiredToken"
        | "InvalidToken"
        | "InvalidSecurity"
        | "S3InvalidAccessKeyId" => StoreFaultKind::Denied,
        // Whoever signs for another region than the bucket's is let in nowhere.
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            StoreFaultKind::Denied
        }
        // Not the store, but what guards its door against machines: it opens again.
        HTML if matches!(status, 403 | 429) => StoreFaultKind::Busy,
        "EntityTooLarge" | "RequestBodyTooLarge" | "MaxMessageLengthExceeded" | "Payload too large" => {
            StoreFaultKind::TooLarge
        }
        "InvalidKey"
        | "KeyTooLongError"
        | "XMinioInvalidObjectName"
        | "InvalidObjectName"
        | "InvalidResourceName"
        | "InvalidURI"
        | "InvalidUri" => StoreFaultKind::WrongName,
        "InvalidMimeType" | "invalid_mime_type" => StoreFaultKind::WrongType,
        "SlowDown"
        | "LockTimeout"
        | "DatabaseTimeout"
        | "ResourceLocked"
        | "InternalError"
        | "ServerBusy"
        | "RequestTimeout"
        | "OperationTimedOut"
        | "TooManyRequests"
        | "ThrottlingException"
        | "OperationAborted"
        | "IncompleteBody"
        | "BadDigest"
        | "XAmzContentSHA256Mismatch" => StoreFaultKind::Busy,
        _ => by_status(status, &code, &message),
    };
    let said = match (code.is_empty(), message.is_empty()) {
        _ if is_plain_to_tls(&text) => "it speaks TLS, and was not asked so: write `https:` in its address".into(),
        (_, false) => Words::of(&message),
        (false, true) => Words::of(&code),
        (true, true) => "it says nothing more".into(),
    };
    StoreFault { kind, said: format!("the store answers {status}: {said}").into(), pause: web::pause(headers), speaker }
}

/// Servers that expect TLS say so to who does not greet them in it, each in its own words.
fn is_plain_to_tls(text: &str) -> bool {
    let text = text.to_lowercase();
    ["http request to an https server", "plain http request was sent to https port"]
        .iter()
        .any(|words| text.contains(words))
}

fn by_status(status: u16, code: &str, message: &str) -> StoreFaultKind {
    match status {
        404 if message.to_lowercase().contains("bucket") => StoreFaultKind::NoBucket,
        404 => StoreFaultKind::Missing,
        409 => StoreFaultKind::Exists,
        401 | 403 => StoreFaultKind::Denied,
        // Supabase calls a request without a usable key so.
        400 if code == "InvalidRequest" && message.contains("authorization") => StoreFaultKind::Denied,
        413 => StoreFaultKind::TooLarge,
        400 if TOO_LARGE.iter().any(|words| message.to_lowercase().contains(words)) => StoreFaultKind::TooLarge,
        414 => StoreFaultKind::WrongName,
        415 => StoreFaultKind::WrongType,
        408 | 425 | 429 | 500 | 502..=599 => StoreFaultKind::Busy,
        _ => StoreFaultKind::Refused,
    }
}

impl ErrorBody {
    /// Fills the status of HTTP in where the body tells none.
    fn or_status(self, status: StatusCode) -> Self {
        match self.status {
            0 => Self { status: status.as_u16(), ..self },
            _ => self,
        }
    }
}

/// Reads Supabase's errors: `{"statusCode":"409","error":"Duplicate","message":"…","code":"KeyAlreadyExists"}`.
fn json(text: &str) -> Option<ErrorBody> {
    let whole: Value = serde_json::from_str(text).ok()?;
    // Google puts it one level deeper.
    let value = if whole["error"].is_object() { &whole["error"] } else { &whole };
    let field = |name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    if !value.is_object() {
        return None;
    }
    let code = match field("code") {
        code if code.is_empty() => field("error"),
        code => code,
    };
    let status = field("statusCode").parse().or_else(|_| code.parse()).unwrap_or_default();
    let message = match field("message") {
        message if message.is_empty() => field("error_description"),
        message => message,
    };
    // Only Supabase and its like put the status into the body, and no route is a word of web servers.
    let speaker = match status {
        0 => Speaker::Anybody,
        _ if message.starts_with("Route ") && message.ends_with(" not found") => Speaker::Anybody,
        _ => Speaker::Store,
    };
    Some(ErrorBody { status, code, message, speaker })
}

/// Reads the errors of S3, GCS and Azure: `<Error><Code>…</Code><Message>…</Message></Error>`.
fn xml(text: &str, headers: &HeaderMap) -> Option<ErrorBody> {
    let html = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if html || text.to_lowercase().contains("<html") {
        return Some(ErrorBody {
            status: 0,
            code: HTML.to_owned(),
            message: "a page of HTML: this is not the store, or a guard before it".to_owned(),
            speaker: Speaker::Anybody,
        });
    }
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside.trim().to_owned())
    };
    let code = element("Code")?;
    Some(ErrorBody { status: 0, code, message: element("Message").unwrap_or_default(), speaker: Speaker::Store })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};

    use super::*;

    fn fault(status: u16, body: &str) -> StoreFault {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
        if body.starts_with("<html") {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        }
        read_fault(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn what_a_store_answers_is_told_apart_by_what_can_be_done() {
        use StoreFaultKind::{Busy, Denied, Exists, Missing, NoBucket, Refused, TooLarge, WrongName, WrongType};
        let duplicate = r#"{"statusCode":"409","error":"Duplicate","message":"The resource already exists","code":"KeyAlreadyExists"}"#;
        for (status, body, expected) in [
            // Supabase: 400 whatever it is.
            (400, duplicate, Exists),
            (400, r#"{"statusCode":"409","error":"Duplicate","message":"The resource already exists"}"#, Exists),
            (409, duplicate, Exists),
            (
                400,
                r#"{"statusCode":"404","error":"not_found","message":"Object not found","code":"NoSuchKey"}"#,
                Missing,
            ),
            (400, r#"{"statusCode":"404","error":"not_found","message":"Object not found"}"#, Missing),
            (400, r#"{"statusCode":"404","error":"Bucket not found","message":"Bucket not found"}"#, NoBucket),
            (400, r#"{"statusCode":"404","error":"x","message":"Bucket not found","code":"NoSuchBucket"}"#, NoBucket),
            (
                400,
                r#"{"statusCode":"413","error":"Payload too large","message":"x","code":"EntityTooLarge"}"#,
                TooLarge,
            ),
            (400, r#"{"statusCode":"415","error":"invalid_mime_type","message":"x"}"#, WrongType),
            (
                400,
                r#"{"statusCode":"403","error":"Unauthorized","message":"new row violates row-level security policy"}"#,
                Denied,
            ),
            (
                400,
                r#"{"statusCode":"400","error":"InvalidKey","message":"Invalid key","code":"InvalidKey"}"#,
                WrongName,
            ),
            (400, r#"{"message":"The object exceeded the maximum allowed size"}"#, TooLarge),
            (413, "<html><title>413 Request Entity Too Large</title>", TooLarge),
            (400, "<Error><Code>EntityTooLarge</Code></Error>", TooLarge),
            (400, "<Error><Code>KeyTooLongError</Code></Error>", WrongName),
            (414, "", WrongName),
            (
                400,
                r#"{"statusCode":"400","message":"headers must have required property 'authorization'","code":"InvalidRequest"}"#,
                Denied,
            ),
            (400, r#"{"statusCode":"423","code":"ResourceLocked"}"#, Busy),
            (544, r#"{"statusCode":"544","code":"DatabaseTimeout","message":"x"}"#, Busy),
            (429, r#"{"statusCode":"429","code":"SlowDown"}"#, Busy),
            (401, "", Denied),
            (400, "", Refused),
            // S3 and its like.
            (404, "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>m</Message></Error>", Missing),
            (404, "<Error><Code>NoSuchBucket</Code></Error>", NoBucket),
            (404, "<a><Error><Code>NoSuchBucket</Code></Error></a>", NoBucket),
            (404, "", Missing),
            (403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", Denied),
            (403, "", Denied),
            (301, "<Error><Code>PermanentRedirect</Code></Error>", Denied),
            (503, "<Error><Code>SlowDown</Code></Error>", Busy),
            (500, "", Busy),
            (501, "<Error><Code>NotImplemented</Code></Error>", Refused),
            (403, "<html><body>Attention required</body></html>", Busy),
            (404, "<html>nginx</html>", Missing),
        ] {
            let fault = fault(status, body);
            assert_eq!(fault.kind, expected, "{status} {body}: {fault}");
            assert_eq!(fault.pause, Some(Duration::from_secs(3)));
        }
    }

    #[test]
    fn a_stores_words_are_one_line_without_the_queries_of_urls() {
        let body =
            "<Error><Code>AccessDenied</Code><Message>at\nhttp://h/p?X-Amz-Signature=abc \u{1b}[2J</Message></Error>";
        assert_eq!(fault(403, body).to_string(), "the store answers 403: at http://h/p?… [2J");
        assert!(fault(403, &format!("{{\"message\":\"{}\"}}", "x".repeat(999))).to_string().len() < 350);
    }
}
