//! The answers that say yes: a task, and how it stands. Read leniently, for every copy of the documentation differs.
//!
//! Source: <https://novita.ai/docs/api-reference/model-apis-task-result>, read 2026-11-22.

use serde_json::Value;

use super::refusals::REFUSALS;
use crate::asset::Seed;
use crate::generator::http::{Reply, Whole, looks};
use crate::generator::trouble::{CallError, Trouble};
use crate::generator::{Progress, ResultUrl};
use crate::secret::{self, SafeText};

/// Longest task id that is taken, in bytes.
const TASK_BYTES_MAX: usize = 512;
/// Pictures of one task that are looked at; one was asked for.
const IMAGES_MAX: usize = 8;
/// From which confidence on, of 100, a picture counts as unsafe.
const CONFIDENCE_MIN: f64 = 50.0;

/// Reads the task of a submit that was answered with success: at the top, or in the old envelope.
pub fn task(reply: &Reply) -> Result<String, Box<CallError>> {
    let value = serde_json::from_slice::<Value>(&reply.body).ok();
    let found = value.as_ref().and_then(|value| {
        let inside = value.get("data").and_then(|data| data.get("task_id"));
        text(value.get("task_id")).or_else(|| text(inside))
    });
    if let Some(task) = found.filter(|task| task.len() <= TASK_BYTES_MAX && !task.chars().any(char::is_control)) {
        // An id is stored, and sent in queries, which are logged on the way.
        if secret::holds(&task) {
            let what = "Novita answered with a task that has a key in the place of its id, and was not kept";
            return Err(CallError::new(Trouble::Ambiguous, what));
        }
        return Ok(task);
    }
    let refused = value.as_ref().and_then(|value| value.get("code")?.as_i64()).is_some_and(|code| code != 0);
    if refused {
        return Err(REFUSALS.in_success(reply));
    }
    // A task may have been made, and charged, whose id we do not know.
    let what = match reply.whole {
        Whole::Yes => format!("Novita answered without a task, with {}", looks(&reply.body)),
        Whole::CutOff | Whole::TooLong => format!("Novita's answer was cut off after {} bytes", reply.body.len()),
    };
    Err(CallError::new(Trouble::Ambiguous, what))
}

/// Reads how a task stands.
pub fn progress(reply: &Reply) -> Result<Progress, Box<CallError>> {
    let value = match (reply.whole, serde_json::from_slice::<Value>(&reply.body)) {
        (Whole::Yes, Ok(value)) => value,
        (Whole::Yes, Err(_)) => {
            let what = format!("Novita answered with {}", looks(&reply.body));
            return Err(CallError::new(Trouble::Ambiguous, what));
        }
        (Whole::CutOff | Whole::TooLong, _) => {
            return Err(CallError::new(Trouble::Ambiguous, "Novita's answer was cut off"));
        }
    };
    let value = value.get("data").filter(|data| data.get("task").is_some()).unwrap_or(&value);
    let task = value.get("task");
    let status = task.and_then(|task| text(task.get("status"))).unwrap_or_default();
    match status.as_str() {
        "TASK_STATUS_SUCCEED" => {}
        "TASK_STATUS_FAILED" => {
            let reason = task.and_then(|task| text(task.get("reason"))).unwrap_or_default();
            let reason = if reason.is_empty() { "it gave no reason".into() } else { SafeText::of(&reason) };
            return Ok(Progress::Failed { meaning: REFUSALS.meaning(&reason), why: reason });
        }
        // Queued, processing, or a status that nobody documents: bounded by the deadline.
        _ => return Ok(Progress::Running),
    }
    let images = [Some(value), task].into_iter().flatten().filter_map(|from| from.get("images")?.as_array());
    let images: Vec<&Value> = images.flatten().take(IMAGES_MAX).collect();
    let (fine, flags): (Vec<_>, Vec<_>) =
        images.iter().map(|image| (*image, flagged(value, image))).partition(|(_, flag)| flag.is_none());
    if let (true, Some((_, Some(words)))) = (fine.is_empty(), flags.into_iter().next()) {
        return Ok(Progress::Flagged(words));
    }
    let url =
        |image: &Value| text(image.get("image_url")).or_else(|| text(image.get("url"))).or_else(|| text(Some(image)));
    let results: Vec<ResultUrl> = fine.into_iter().filter_map(|(image, _)| url(image).map(ResultUrl)).collect();
    Ok(if results.is_empty() { Progress::Empty } else { Progress::Done { results, seed: seed(value), cost: None } })
}

/// Reads the seed that was used: a decimal text or a number, of 63 bits, or nothing.
fn seed(value: &Value) -> Option<Seed> {
    let seed = value.get("extra")?.get("seed")?;
    let number = seed.as_u64().or_else(|| seed.as_str()?.trim().parse().ok())?;
    Seed::new(number)
}

/// Tells why a picture must not be published: its own detection found something, or the task's list says so.
///
/// The documentation gives `valid` and `confidence` without a threshold; clients take both together, and so do we.
fn flagged(value: &Value, image: &Value) -> Option<SafeText> {
    let words = "the detection of unsafe pictures flags it";
    let listed = value.get("extra").and_then(|extra| extra.get("has_nsfw_contents")).and_then(Value::as_array);
    if listed.is_some_and(|listed| listed.iter().any(|flag| flag.as_bool() == Some(true))) {
        return Some(words.into());
    }
    let result = image.get("nsfw_detection_result")?;
    let confidence = result.get("confidence").and_then(Value::as_f64);
    let found = result.get("valid")?.as_bool()? && confidence.is_none_or(|confidence| confidence >= CONFIDENCE_MIN);
    found.then(|| match confidence {
        Some(confidence) => format!("{words} (confidence {confidence:.0} of 100)").into(),
        None => words.into(),
    })
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
