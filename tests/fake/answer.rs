//! The answers as they look on the wire, right and wrong ones; who gets which is decided elsewhere.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::{Value, json};

use super::script::RetryAfter;

/// Between two bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(100);

/// What a request comes to.
pub enum Outcome {
    /// An answer.
    Answer(Box<Response>),
    /// The connection is closed without an answer.
    Close,
    /// The connection is reset without an answer.
    Reset,
    /// Nothing happens.
    Stall,
}

/// Returns an answer of JSON.
pub fn of_json(status: u16, value: &Value) -> Outcome {
    Outcome::Answer(Box::new(of_type(status, "application/json", value.to_string())))
}

/// Returns an error as the service words it.
pub fn of_error(status: u16, reason: &str, message: &str) -> Outcome {
    of_json(status, &json!({"code": status, "reason": reason, "message": message, "metadata": {}}))
}

/// Returns the answer to those who ask too much.
pub fn of_rate_limit(retry_after: RetryAfter) -> Outcome {
    let value = json!({"code": 429, "reason": "RATE_LIMIT_EXCEEDED", "message": "rate limit exceeded", "metadata": {}});
    let mut response = of_type(429, "application/json", value.to_string());
    let wait = match retry_after {
        RetryAfter::Absent => return Outcome::Answer(Box::new(response)),
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::DateIn(seconds) => httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds)),
    };
    let wait = HeaderValue::from_str(&wait).expect("digits and dates are plain ASCII");
    response.headers_mut().insert(header::RETRY_AFTER, wait);
    Outcome::Answer(Box::new(response))
}

/// Returns an answer of plain text, as a proxy in front of the service words it.
pub fn of_text(status: u16, text: &'static str) -> Outcome {
    Outcome::Answer(Box::new(of_type(status, "text/plain; charset=utf-8", text)))
}

/// Returns an answer of HTML, as a gateway in front of the service words it.
pub fn of_html(status: u16, title: &str) -> Outcome {
    let page = format!("<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n");
    Outcome::Answer(Box::new(of_type(status, "text/html", page)))
}

/// Returns an error as the object storage behind the links words it.
pub fn of_xml(status: u16, code: &str, message: &str) -> Outcome {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Outcome::Answer(Box::new(of_type(status, "application/xml", xml)))
}

/// Returns an answer of a file.
pub fn of_file(media_type: &'static str, bytes: Bytes) -> Outcome {
    Outcome::Answer(Box::new(of_type(200, media_type, bytes)))
}

/// Returns a 302; a URL that no header can hold is a 500.
pub fn of_redirect(url: &str) -> Outcome {
    let mut response = of_type(302, "text/plain", "");
    match HeaderValue::from_str(url) {
        Ok(url) => drop(response.headers_mut().insert(header::LOCATION, url)),
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    Outcome::Answer(Box::new(response))
}

/// Returns a 200 that promises all bytes, sends half of them, and closes the connection.
pub fn of_half(media_type: &'static str, bytes: &Bytes) -> Outcome {
    let half = bytes.slice(..bytes.len() / 2);
    let body = stream::unfold(0_u8, move |step| {
        let half = half.clone();
        async move {
            match step {
                0 => Some((Ok(half), 1)),
                1 => {
                    // The server flushes when it has to wait; an error at once would take the first half with it.
                    tokio::task::yield_now().await;
                    Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), 2))
                }
                _ => None,
            }
        }
    });
    Outcome::Answer(Box::new(with_length(of_type(200, media_type, Body::from_stream(body)), bytes.len())))
}

/// Returns a 200 whose first `slow` bytes come one by one, 100 ms apart.
pub fn of_drip(media_type: &'static str, bytes: &Bytes, slow: u32) -> Outcome {
    let slow = usize::try_from(slow).unwrap_or(usize::MAX);
    let length = bytes.len();
    let body = stream::unfold((bytes.clone(), 0), move |(mut rest, sent)| async move {
        if rest.is_empty() {
            return None;
        }
        let next = if sent < slow {
            tokio::time::sleep(DRIP).await;
            rest.split_to(1)
        } else {
            std::mem::take(&mut rest)
        };
        Some((Ok::<_, Infallible>(next), (rest, sent.saturating_add(1))))
    });
    Outcome::Answer(Box::new(with_length(of_type(200, media_type, Body::from_stream(body)), length)))
}

fn of_type(status: u16, media_type: &'static str, body: impl Into<Body>) -> Response {
    let status = StatusCode::from_u16(status).expect("the fake's statuses are real ones");
    (status, [(header::CONTENT_TYPE, media_type)], body.into()).into_response()
}

fn with_length(mut response: Response, length: usize) -> Response {
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}
