//! The fake's own controls over HTTP, for shells and for other processes; they are neither logged nor hit by faults.
//!
//! ```text
//! GET    /fake/log                    requests, charges, most_in_a_minute, downloads_with_key, secrets
//! GET    /fake/charges?containing=X   the charges whose prompt contains X
//! PATCH  /fake/behaviour              any fields of `Behaviour`: {"rate": null, "latency": 300}
//! POST   /fake/faults                 {"when": {"next": 3}, "fault": {"submit": "lost_answer"}}
//! DELETE /fake/faults                 none any more
//! ```

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::script::{Fault, When};
use super::service::{Call, Service};

/// The body of a new fault.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    when: When,
    fault: Fault,
}

/// Answers a request for the controls; `None` for any other.
pub fn control(service: &Service, call: &Call) -> Option<Response> {
    let what = call.path.strip_prefix("/fake/")?;
    let answer = match (call.method.as_str(), what) {
        ("GET", "log") => Ok(log(service)),
        ("GET", "charges") => Ok(json!(service.charged(&call.asked("containing")))),
        ("PATCH", "behaviour") => behave(service, &call.body),
        ("POST", "faults") => fail(service, &call.body),
        ("DELETE", "faults") => {
            service.clear_faults();
            Ok(Value::Null)
        }
        _ => return Some((StatusCode::NOT_FOUND, "no such control\n").into_response()),
    };
    Some(match answer {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    })
}

fn log(service: &Service) -> Value {
    json!({
        "requests": service.requests(),
        "charges": service.charges(),
        "most_in_a_minute": service.most_in_a_minute(),
        "downloads_with_key": service.downloads_with_key(),
        "secrets": service.secrets(),
    })
}

fn behave(service: &Service, body: &[u8]) -> serde_json::Result<Value> {
    let changes: serde_json::Map<String, Value> = serde_json::from_slice(body)?;
    let mut answer = Ok(Value::Null);
    service.set(|behaviour| {
        answer = merged(behaviour, changes).map(|new| *behaviour = new).map(|()| json!(behaviour));
    });
    answer
}

fn merged(behaviour: &Behaviour, changes: serde_json::Map<String, Value>) -> serde_json::Result<Behaviour> {
    let mut fields = serde_json::to_value(behaviour)?;
    for (field, value) in changes {
        fields[field] = value;
    }
    serde_json::from_value(fields)
}

fn fail(service: &Service, body: &[u8]) -> serde_json::Result<Value> {
    let Rule { when, fault } = serde_json::from_slice(body)?;
    match when {
        When::Once => service.fault(fault),
        When::Next(times) => service.fault_next(times, fault),
        When::Prompt(text) => service.fault_for(text, fault),
        When::Always => service.fault_always(fault),
    }
    Ok(Value::Null)
}
