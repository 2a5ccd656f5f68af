//! Answers at random: whatever comes, a call is never told to be safe to repeat when a task may have been made.

use bolero::check;
use bytes::Bytes;
use reqwest::StatusCode;

use super::answer;
use super::refusals::REFUSALS;
use crate::generator::http::{AskAgain, Reply, Whole};
use crate::generator::trouble::Trouble;

/// What answers are made of.
const WORDS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "0",
    "-1",
    "9223372036854775807",
    "1e400",
    "\"task_id\":\"t1\"",
    "\"task_id\":7",
    "\"data\":{",
    "\"task\":{",
    "\"status\":\"TASK_STATUS_SUCCEED\"",
    "\"status\":\"TASK_STATUS_FAILED\"",
    "\"status\":\"TASK_STATUS_QUEUED\"",
    "\"reason\":\"NSFW\"",
    "\"images\":[{",
    "\"image_url\":\"https://h/a.png\"",
    "\"image_url\":1",
    "\"nsfw_detection_result\":{\"valid\":true,\"confidence\":99}",
    "\"extra\":{",
    "\"seed\":\"12\"",
    "\"seed\":-3",
    "\"has_nsfw_contents\":[true]",
    "\"code\":429",
    "\"code\":0",
    "\"message\":\"balance not enough\"",
    "\"reason\":\"INVALID_KEY\"",
    "\"error\":{",
    "<html>",
    "\u{1b}[31m",
    "ä",
    "\0",
    "\\ud800",
    " ",
];

fn reply(bytes: &[u8]) -> Reply {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let statuses = [200, 201, 400, 401, 402, 403, 404, 408, 422, 429, 500, 502, 503, 504];
    let body: String = rest.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]).collect();
    Reply {
        status: StatusCode::from_u16(statuses[usize::from(*first) % statuses.len()]).unwrap(),
        again: AskAgain::Later(None),
        body: Bytes::from(body),
        pictures: Vec::new(),
        whole: [Whole::Yes, Whole::CutOff, Whole::TooLong][usize::from(*first) % 3],
        location: None,
    }
}

#[test]
fn any_answer_is_understood_or_in_doubt() {
    check!().for_each(|bytes: &[u8]| {
        let reply = reply(bytes);
        let _ = (answer::progress(&reply), REFUSALS.submit(&reply), REFUSALS.poll(&reply));
        let Err(error) = answer::task(&reply) else { return };
        let no_envelope = !String::from_utf8_lossy(&reply.body).contains("\"code\"");
        if no_envelope {
            assert!(error.trouble == Trouble::Ambiguous, "a task may have been made: {error:?}");
        }
    });
}
