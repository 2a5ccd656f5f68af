//! Waiting times: how long a service wants to be left alone, in whatever way it says so.
//!
//! Services say it in headers, in fields of a body and in words, and often in several places at once. The longest counts;
//! how long is waited at most is left to whoever waits.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::web;

/// Fields of a body that hold a waiting time: seconds, or a text with units.
const FIELDS: [&str; 4] = ["retry_after", "retry_after_seconds", "retryAfter", "retryDelay"];
/// Words of a message before a waiting time.
const WORDS: [&str; 3] = ["resets in ", "retry in ", "try again in "];
/// How deep a body is searched.
const DEPTH_MAX: u32 = 8;
/// From this number on, a header holds the second since 1970 at which the wait ends.
const EPOCH_FROM: f64 = 1e9;
/// The longest waiting time that is taken at its word, in seconds.
const SECONDS_MAX: f64 = 1e6;

/// What a service says about asking it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskAgain {
    /// Later, after so long where it says so.
    Later(Option<Duration>),
    /// Not at all.
    Never,
}

/// Reads what an answer that is no success says about asking again.
pub fn again(headers: &HeaderMap, body: &[u8]) -> AskAgain {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if text("x-should-retry") == Some("false") {
        return AskAgain::Never;
    }
    let milliseconds = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok());
    let reset = text("ratelimit-reset").and_then(|text| text.parse::<f64>().ok());
    let mut longest = [
        web::retry_after(headers),
        milliseconds.and_then(|milliseconds| seconds(milliseconds / 1e3)),
        reset.and_then(until),
        text("x-ratelimit-reset-requests").and_then(duration),
    ]
    .into_iter()
    .flatten()
    .max();
    if let Ok(body) = serde_json::from_slice(body) {
        search(&body, DEPTH_MAX, &mut longest);
    }
    AskAgain::Later(longest)
}

fn search(value: &Value, depth: u32, longest: &mut Option<Duration>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if FIELDS.contains(&name.as_str()) {
                    let told = value.as_f64().and_then(seconds).or_else(|| duration(value.as_str()?));
                    *longest = (*longest).max(told);
                }
                search(value, depth - 1, longest);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| search(value, depth - 1, longest)),
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            for words in WORDS {
                let told = text.split(words).skip(1).filter_map(in_words).max();
                *longest = (*longest).max(told);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Reads a waiting time at the beginning of a text: `~30s`, `37.5s.`, `20 seconds`.
fn in_words(text: &str) -> Option<Duration> {
    let text = text.trim_start_matches(['~', ' ']);
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | 'h' | 'm' | 's')).unwrap_or(text.len());
    let (told, rest) = text.split_at(end);
    let told = told.trim_end_matches('.');
    let unit = rest.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    match (told.parse::<f64>(), unit) {
        (Ok(number), "minute" | "minutes") => seconds(number * 60.0),
        (Ok(number), "hour" | "hours") => seconds(number * 3_600.0),
        (Ok(number), _) => seconds(number),
        // The `s` of `20 seconds` stands apart, that of `20seconds` was read with the number.
        (Err(_), _) => duration(told),
    }
}

/// Reads a time with units, `6m0s`, `1.5s`, `20ms`, or a plain number of seconds.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
    }
    let (mut rest, mut total) = (text, 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at(letters);
        let scale = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    seconds(total)
}

/// Reads the end of a wait: in so many seconds, or at that second since 1970.
fn until(number: f64) -> Option<Duration> {
    if number < EPOCH_FROM {
        return seconds(number);
    }
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(number).ok()?)?;
    end.duration_since(SystemTime::now()).ok().and_then(|wait| seconds(wait.as_secs_f64()))
}

fn seconds(number: f64) -> Option<Duration> {
    (number.is_finite() && number >= 0.0).then(|| Duration::from_secs_f64(number.min(SECONDS_MAX)))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn told(headers: &[(&'static str, &str)], body: &str) -> AskAgain {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        again(&headers.iter().map(pair).collect(), body.as_bytes())
    }

    #[test]
    fn every_way_to_say_it_is_understood() {
        for (headers, body, milliseconds) in [
            (&[("retry-after", "7")][..], "", 7_000),
            (&[("retry-after-ms", "1500")], "", 1_500),
            (&[("ratelimit-reset", "12")], "", 12_000),
            (&[("x-ratelimit-reset-requests", "6m0s")], "", 360_000),
            (&[("x-ratelimit-reset-requests", "20ms")], "", 20),
            (&[("x-ratelimit-reset-requests", "1h2m3.5s")], "", 3_723_500),
            (&[], r#"{"retry_after": 5}"#, 5_000),
            (&[], r#"{"error": {"metadata": {"retry_after_seconds": 2.5}}}"#, 2_500),
            (
                &[],
                r#"{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"37s"}]}}"#,
                37_000,
            ),
            (&[], r#"{"error":{"details":[{"retryDelay":"1.5s"}]}}"#, 1_500),
            (&[], r#"{"detail":"Request was throttled. Your rate limit resets in ~30s."}"#, 30_000),
            (&[], r#"{"error":{"message":"Please retry in 37.25s."}}"#, 37_250),
            (&[], r#"{"error":{"message":"Please try again in 20 seconds, or pay"}}"#, 20_000),
            (&[], r#"{"error":{"message":"Please try again in 2 minutes"}}"#, 120_000),
            // The longest counts.
            (&[("retry-after", "2"), ("retry-after-ms", "900")], r#"{"retry_after": 3, "a": "resets in 1s"}"#, 3_000),
        ] {
            let wanted = AskAgain::Later(Some(Duration::from_millis(milliseconds)));
            assert_eq!(told(headers, body), wanted, "{headers:?} {body}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for (headers, body) in [
            (&[][..], ""),
            (&[("retry-after", "soon")], "<html>try again in 5s"),
            (&[("retry-after-ms", "-3"), ("ratelimit-reset", "NaN")], r#"{"retry_after": null}"#),
            (&[("x-ratelimit-reset-requests", "6 m")], r#"{"retry_after": "in a while", "x": "resets in time"}"#),
        ] {
            assert_eq!(told(headers, body), AskAgain::Later(None), "{headers:?} {body}");
        }
    }

    #[test]
    fn a_service_that_says_no_more_is_not_asked_again() {
        assert_eq!(told(&[("x-should-retry", "false"), ("retry-after", "7")], ""), AskAgain::Never);
        assert_eq!(told(&[("x-should-retry", "true")], ""), AskAgain::Later(None));
    }

    #[test]
    fn a_reset_may_be_a_second_of_the_calendar() {
        let at = |ahead: u64| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            (now + Duration::from_secs(ahead)).as_secs().to_string()
        };
        let AskAgain::Later(Some(wait)) = told(&[("ratelimit-reset", &at(30))], "") else { panic!("no wait") };
        assert!((28..=31).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(told(&[("ratelimit-reset", "1000000000")], ""), AskAgain::Later(None));
    }
}
