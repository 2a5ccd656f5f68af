//! Pictures behind signed links, as an object storage serves them.

use axum::body::Bytes;

use super::answer::{self, Outcome};
use super::ledger::Task;
use super::picture::{self, FileType, Motif, Picture};
use super::script::{Endpoint, Fault, OnDownload};
use super::service::{Call, Memory};

/// Where files are.
const FILES: &str = "/files/";
/// Where a redirect without an end leads; the rest of the path is how often it has been followed.
const LOOP: &str = "/files/loop/";

/// Tells whether a path is one of a picture.
pub fn is_file(path: &str) -> bool {
    path.starts_with(FILES)
}

/// Hands out a picture.
pub fn download(memory: &mut Memory, call: &Call) -> (Outcome, Option<Fault>) {
    if let Some(turn) = call.path.strip_prefix(LOOP) {
        let turn: u64 = turn.parse().unwrap_or(0);
        return (answer::of_redirect(&format!("{LOOP}{}", turn + 1)), None);
    }
    let Some((task_id, index)) = call.path.strip_prefix(FILES).and_then(named) else { return (no_such_key(), None) };
    let prompt = memory.ledger.prompt_of(&task_id);
    let fault = memory.script.draw(Endpoint::Download, &prompt, memory.behaviour.chaos);
    if call.headers.contains_key("authorization") {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query \
                       string parameter or the Authorization header should be specified";
        return (answer::of_xml(400, "InvalidArgument", message), fault);
    }
    let Some(task) = memory.ledger.tasks.get_mut(&task_id) else { return (no_such_key(), fault) };
    if index >= task.order.images {
        return (no_such_key(), fault);
    }
    match &fault {
        Some(Fault::Download(OnDownload::Expired)) => task.expired = true,
        Some(Fault::Download(OnDownload::ExpiredUntilPoll)) => task.signatures.clear(),
        _ => {}
    }
    if task.expired || !task.signatures.contains(&call.asked("X-Amz-Signature")) {
        return (answer::of_xml(403, "AccessDenied", "Request has expired"), fault);
    }
    (file(task, index, fault.as_ref()), fault)
}

/// Reads the name of a file: the task, and which of its pictures.
fn named(file: &str) -> Option<(String, u32)> {
    let (stem, _) = file.split_once('.')?;
    match stem.split_once('_') {
        None => Some((stem.to_owned(), 0)),
        Some((task_id, index)) => Some((task_id.to_owned(), index.parse().ok()?)),
    }
}

fn file(task: &mut Task, index: u32, fault: Option<&Fault>) -> Outcome {
    let file_type = task.file_type();
    let media_type = file_type.media_type();
    let whole = whole(task, index);
    let Some(Fault::Download(fault)) = fault else { return answer::of_file(media_type, whole) };
    match fault {
        // Answered before, for no signature is good any more.
        OnDownload::Expired | OnDownload::ExpiredUntilPoll => answer::of_file(media_type, whole),
        OnDownload::Truncated => answer::of_half(media_type, &whole),
        OnDownload::Halved => answer::of_file(media_type, whole.slice(..whole.len() / 2)),
        OnDownload::Html => answer::of_html(200, "Sign in to the network"),
        OnDownload::WrongSize => {
            let mut picture = picture(task, index);
            picture.width = (picture.width / 2).max(1);
            picture.height = (picture.height / 2).max(1);
            answer::of_file(media_type, picture::draw(&picture, Motif::Bars))
        }
        OnDownload::Flat => answer::of_file(media_type, picture::draw(&picture(task, index), Motif::Flat)),
        OnDownload::Bomb => answer::of_file(FileType::Png.media_type(), picture::bomb()),
        OnDownload::File(file) => answer::of_file(media_type, file.clone().into()),
        OnDownload::Redirect(url) => answer::of_redirect(url),
        OnDownload::EndlessRedirect => answer::of_redirect(&format!("{LOOP}0")),
        OnDownload::Drip(slow) => answer::of_drip(media_type, &whole, *slow),
        OnDownload::ServerError => answer::of_xml(500, "InternalError", "We encountered an internal error"),
        OnDownload::Reset => Outcome::Reset,
        OnDownload::TrailingGarbage => {
            answer::of_file(media_type, [whole.as_ref(), b"\r\n--and then some\0\xff"].concat().into())
        }
    }
}

/// Returns the right file, made on the first call.
fn whole(task: &mut Task, index: u32) -> Bytes {
    if let Some(file) = task.files.get(&index) {
        return file.clone();
    }
    let file = picture::draw(&picture(task, index), Motif::Bars);
    task.files.insert(index, file.clone());
    file
}

fn picture(task: &Task, index: u32) -> Picture<'_> {
    let order = &task.order;
    Picture {
        prompt: &order.prompt,
        seed: task.seed,
        index,
        width: order.width,
        height: order.height,
        file_type: order.file_type,
    }
}

fn no_such_key() -> Outcome {
    answer::of_xml(404, "NoSuchKey", "The specified key does not exist.")
}
