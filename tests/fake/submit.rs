//! Orders: what is refused, what is charged, and what the client gets to know of it.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::json;

use super::answer::{self, Outcome};
use super::behaviour::Envelope;
use super::ledger::Charging;
use super::request::{self, Order, Refusal};
use super::script::{Endpoint, Fault, OnSubmit, RetryAfter};
use super::service::{Call, Memory};

/// What is done with an order.
enum Course {
    /// It is answered without being looked at.
    Answer(Outcome),
    /// It is checked and charged; then it ends like this.
    Charge(Ending),
}

/// What the client gets to know of a charge.
enum Ending {
    TaskId,
    Failure,
    Nothing,
    HalfATaskId,
    Silence,
}

/// Takes an order.
pub fn submit(memory: &mut Memory, call: &Call, now: Duration) -> (Outcome, Option<Fault>) {
    let prompt = request::prompt_of(&call.body);
    let fault = memory.script.draw(Endpoint::Submit, &prompt, memory.behaviour.chaos);
    let ending = match course(fault.as_ref(), &memory.behaviour.key) {
        Course::Answer(outcome) => return (outcome, fault),
        Course::Charge(ending) => ending,
    };
    let order = match admit(memory, call, now) {
        Ok(order) => order,
        Err(refusal) => return (refusal, fault),
    };
    let task_id = memory.ledger.charge(order, memory.behaviour.latency, now);
    let answer = match memory.behaviour.envelope {
        Envelope::Plain => json!({ "task_id": task_id }),
        Envelope::Legacy => json!({"code": 0, "msg": "", "data": { "task_id": task_id }}),
    };
    let outcome = match ending {
        Ending::TaskId => answer::of_json(200, &answer),
        Ending::Failure => create_task_failed(),
        Ending::Nothing => Outcome::Close,
        Ending::HalfATaskId => answer::of_half("application/json", &Bytes::from(answer.to_string())),
        Ending::Silence => Outcome::Stall,
    };
    (outcome, fault)
}

fn course(fault: Option<&Fault>, key: &str) -> Course {
    let Some(Fault::Submit(fault)) = fault else { return Course::Charge(Ending::TaskId) };
    Course::Answer(match fault {
        OnSubmit::CreateTaskFailed(Charging::Charged) => return Course::Charge(Ending::Failure),
        OnSubmit::LostAnswer => return Course::Charge(Ending::Nothing),
        OnSubmit::CutAnswer => return Course::Charge(Ending::HalfATaskId),
        OnSubmit::Stall(Charging::Charged) => return Course::Charge(Ending::Silence),
        OnSubmit::RateLimited(retry_after) => answer::of_rate_limit(*retry_after),
        OnSubmit::CreateTaskFailed(Charging::Free) => create_task_failed(),
        OnSubmit::PlainError => answer::of_text(500, "internal server error\n"),
        OnSubmit::BadGateway => answer::of_html(502, "502 Bad Gateway"),
        OnSubmit::Unavailable => answer::of_error(503, "SERVICE_NOT_AVAILABLE", "the service is overloaded"),
        OnSubmit::RouteNotFound => answer::of_text(404, "404 route not found\n"),
        OnSubmit::Refused { reason, message } => answer::of_error(400, reason, message),
        OnSubmit::Reset => Outcome::Reset,
        OnSubmit::Redirect(url) => answer::of_redirect(url),
        OnSubmit::HtmlAnswer => answer::of_html(200, "Welcome"),
        OnSubmit::Stall(Charging::Free) => Outcome::Stall,
        OnSubmit::EchoedKey => {
            let message = format!("could not read the request with `Authorization: Bearer {key}`");
            answer::of_error(400, "INVALID_REQUEST_BODY", &message)
        }
    })
}

fn admit(memory: &Memory, call: &Call, now: Duration) -> Result<Order, Outcome> {
    if let Some(refusal) = memory.keyless(call) {
        return Err(refusal);
    }
    let media_type = call.headers.get("content-type").map_or("", String::as_str);
    if !media_type.starts_with("application/json") {
        let message = format!("unregister Content-Type: {media_type}");
        return Err(answer::of_error(400, "INVALID_REQUEST_BODY", &message));
    }
    let order =
        request::parse(&call.body).map_err(|Refusal(reason, message)| answer::of_error(400, reason, &message))?;
    if !memory.ledger.has_room(order.images, memory.behaviour.rate, now) {
        return Err(answer::of_rate_limit(RetryAfter::Absent));
    }
    Ok(order)
}

fn create_task_failed() -> Outcome {
    answer::of_error(500, "CREATE_TASK_FAILED", "could not create the task")
}
