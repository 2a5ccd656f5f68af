//! Questions after a task, and the result with a freshly signed link for each picture.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{self, Outcome};
use super::behaviour::{Behaviour, DebugInfo, FirstStatus, ImagesAt, Nsfw, SeedAnswer, Ttl};
use super::ledger::{Fate, Task};
use super::script::{Endpoint, Fault, OnPoll};
use super::service::{Call, Memory};

/// What a result says about the pictures.
enum Images {
    Linked,
    Twice,
    Empty,
    Missing,
}

/// Answers for a task.
pub fn poll(memory: &mut Memory, call: &Call, base_url: &str, now: Duration) -> (Outcome, Option<Fault>) {
    let task_id = call.asked("task_id");
    let prompt = memory.ledger.prompt_of(&task_id);
    let fault = memory.script.draw(Endpoint::Poll, &prompt, memory.behaviour.chaos);
    let task = memory.ledger.tasks.get_mut(&task_id);
    let images = match go_on(fault.as_ref(), task) {
        Ok(images) => images,
        Err(outcome) => return (outcome, fault),
    };
    if let Some(refusal) = memory.keyless(call) {
        return (refusal, fault);
    }
    let Some(task) = memory.ledger.tasks.get_mut(&task_id) else { return (task_not_found(), fault) };
    task.polls += 1;
    let status = status(task, &images, &memory.behaviour, now);
    let links = match (status, &images) {
        ("TASK_STATUS_SUCCEED", Images::Linked | Images::Twice) => {
            sign(task, &task_id, base_url, &mut memory.ledger.secrets)
        }
        _ => Vec::new(),
    };
    (answer::of_json(200, &result(task, &task_id, status, &images, &links, &memory.behaviour)), fault)
}

/// Returns what the result is to say about pictures, or the outcome that takes its place.
fn go_on(fault: Option<&Fault>, task: Option<&mut Task>) -> Result<Images, Outcome> {
    let Some(Fault::Poll(fault)) = fault else { return Ok(Images::Linked) };
    let fate = match fault {
        OnPoll::NeverEnds => Fate::Endless,
        OnPoll::Failed(reason) => Fate::Failed(reason.clone()),
        OnPoll::NoImages => return Ok(Images::Empty),
        OnPoll::Twice => return Ok(Images::Twice),
        OnPoll::MissingImages => return Ok(Images::Missing),
        OnPoll::GetResultFailed => {
            return Err(answer::of_error(500, "GET_RESULT_FAILED", "could not get the result of the task"));
        }
        OnPoll::BadGateway => return Err(answer::of_html(502, "502 Bad Gateway")),
        OnPoll::Reset => return Err(Outcome::Reset),
        OnPoll::NotFound => return Err(task_not_found()),
        OnPoll::Unauthorized => return Err(answer::of_error(401, "FAILED_TO_AUTH", "could not check the API key")),
        OnPoll::RateLimited(retry_after) => return Err(answer::of_rate_limit(*retry_after)),
        OnPoll::Stall => return Err(Outcome::Stall),
    };
    if let Some(task) = task {
        task.fate = fate;
    }
    Ok(Images::Linked)
}

fn status(task: &Task, images: &Images, behaviour: &Behaviour, now: Duration) -> &'static str {
    let age = now.saturating_sub(task.created);
    match (&task.fate, images) {
        _ if task.polls == 1 && matches!(behaviour.first_status, FirstStatus::Unknown) => "TASK_STATUS_FOO",
        (Fate::Failed(_), _) => "TASK_STATUS_FAILED",
        (Fate::Endless, _) => "TASK_STATUS_PROCESSING",
        (Fate::Good, Images::Empty | Images::Missing) => "TASK_STATUS_SUCCEED",
        (Fate::Good, Images::Linked | Images::Twice) if age < task.latency / 3 => "TASK_STATUS_QUEUED",
        (Fate::Good, Images::Linked | Images::Twice) if age < task.latency => "TASK_STATUS_PROCESSING",
        (Fate::Good, Images::Linked | Images::Twice) => "TASK_STATUS_SUCCEED",
    }
}

/// Returns a new link for each picture; the old ones stay good.
fn sign(task: &mut Task, task_id: &str, base_url: &str, secrets: &mut Vec<String>) -> Vec<String> {
    let ending = task.file_type().ending();
    let mut link = |index| {
        let signature = format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..));
        let number = if index == 0 { String::new() } else { format!("_{index}") };
        let url = format!(
            "{base_url}/files/{task_id}{number}.{ending}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600\
             &X-Amz-Signature={signature}"
        );
        task.signatures.push(signature.clone());
        secrets.push(signature);
        url
    };
    (0..task.order.images).map(&mut link).collect()
}

fn result(task: &Task, task_id: &str, status: &str, images: &Images, links: &[String], behaviour: &Behaviour) -> Value {
    let reason = if let Fate::Failed(reason) = &task.fate { reason.as_str() } else { "" };
    let mut result = json!({
        "task": {
            "task_id": task_id, "task_type": "TXT_TO_IMG", "status": status, "reason": reason,
            "eta": 0, "progress_percent": 0,
        },
        "videos": [],
        "audios": [],
    });
    if let Some(extra) = extra(task, behaviour) {
        result["extra"] = extra;
    }
    let times = if matches!(images, Images::Twice) { 2 } else { 1 };
    let list = links.iter().flat_map(|link| vec![image(task, link, behaviour); times]).collect();
    match (images, behaviour.images) {
        (Images::Missing, _) => {}
        (Images::Linked | Images::Twice | Images::Empty, ImagesAt::Top) => result["images"] = list,
        (Images::Linked | Images::Twice | Images::Empty, ImagesAt::Task) => result["task"]["images"] = list,
    }
    result
}

fn extra(task: &Task, behaviour: &Behaviour) -> Option<Value> {
    let debug = |text: String| match behaviour.debug_info {
        DebugInfo::Filled => text,
        DebugInfo::Empty => String::new(),
    };
    let seed = match behaviour.seed {
        SeedAnswer::NoExtra => return None,
        SeedAnswer::NoSeed => None,
        SeedAnswer::Text => Some(json!(task.seed.to_string())),
        SeedAnswer::Number => Some(json!(task.seed)),
        SeedAnswer::Other(other) => Some(json!(other.to_string())),
        SeedAnswer::OtherNumber(other) => Some(json!(other)),
    };
    let mut extra = json!({
        "enable_nsfw_detection": task.order.nsfw_detection,
        "debug_info": {
            "request_info": debug(json!({"seeds": [task.seed], "num_images_per_prompt": task.order.images}).to_string()),
            "submit_time_ms": debug(task.created.as_millis().to_string()),
            "execute_time_ms": debug((task.created + task.latency / 3).as_millis().to_string()),
            "complete_time_ms": debug((task.created + task.latency).as_millis().to_string()),
        },
    });
    if let Some(seed) = seed {
        extra["seed"] = seed;
    }
    Some(extra)
}

fn image(task: &Task, link: &str, behaviour: &Behaviour) -> Value {
    let ttl = match behaviour.ttl {
        Ttl::Text => json!("3600"),
        Ttl::Number => json!(3600),
        Ttl::Zero => json!("0"),
    };
    let nsfw = match behaviour.nsfw {
        Nsfw::Empty => json!({}),
        Nsfw::Flagged if task.order.nsfw_detection => json!({"valid": true, "confidence": 97}),
        Nsfw::Flagged | Nsfw::Null => Value::Null,
    };
    json!({
        "image_url": link, "image_url_ttl": ttl, "image_type": task.file_type().ending(), "nsfw_detection_result": nsfw,
    })
}

fn task_not_found() -> Outcome {
    answer::of_error(404, "TASK_NOT_FOUND", "the task was not found")
}
