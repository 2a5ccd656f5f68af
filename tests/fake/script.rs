//! What goes wrong, and when: faults by script, and faults at random.
//!
//! A fault belongs to one of the three endpoints. Rules are tried in the order in which they were given; chaos is asked
//! only when no rule fits.

use serde::{Deserialize, Serialize};

use super::behaviour::Chaos;
use super::ledger::Charging;

/// Something that goes wrong once.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// While a task is ordered.
    Submit(OnSubmit),
    /// While a task is asked after.
    Poll(OnPoll),
    /// While a picture is fetched.
    Download(OnDownload),
}

/// What goes wrong while a task is ordered. Nothing is charged unless the text says so; what is charged is first checked
/// like any other order, and refused like any other.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSubmit {
    /// 429 `RATE_LIMIT_EXCEEDED`, whatever the rate.
    RateLimited(RetryAfter),
    /// 500 `CREATE_TASK_FAILED`.
    CreateTaskFailed(Charging),
    /// 500 with a line of plain text.
    PlainError,
    /// 502 with a page of HTML.
    BadGateway,
    /// 503 `SERVICE_NOT_AVAILABLE`.
    Unavailable,
    /// 404 with a line of plain text, as from a gateway that knows no such route.
    RouteNotFound,
    /// 400 with a reason and a message.
    Refused { reason: String, message: String },
    /// The connection is reset (TCP RST) without an answer.
    Reset,
    /// Charged; then the connection is closed (TCP FIN) without an answer.
    LostAnswer,
    /// Charged; 200 whose JSON stops in the middle, with the connection.
    CutAnswer,
    /// 302 to this URL.
    Redirect(String),
    /// 200 with a page of HTML.
    HtmlAnswer,
    /// No answer, ever.
    Stall(Charging),
    /// 400 `INVALID_REQUEST_BODY` whose message repeats the API key.
    EchoedKey,
}

/// What goes wrong while a task is asked after.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnPoll {
    /// The task of this request stays `PROCESSING` until the faults are cleared.
    NeverEnds,
    /// The task of this request has failed for this reason, for good.
    Failed(String),
    /// Success with an empty list of images, this time.
    NoImages,
    /// Success without a list of images, this time.
    MissingImages,
    /// Success with every picture listed twice, this time.
    Twice,
    /// 500 `GET_RESULT_FAILED`.
    GetResultFailed,
    /// 502 with a page of HTML.
    BadGateway,
    /// The connection is reset (TCP RST) without an answer.
    Reset,
    /// 404 `TASK_NOT_FOUND`, although there is one.
    NotFound,
    /// 401 `FAILED_TO_AUTH`.
    Unauthorized,
    /// 429 `RATE_LIMIT_EXCEEDED`.
    RateLimited(RetryAfter),
    /// No answer, ever.
    Stall,
}

/// What goes wrong while a picture is fetched.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDownload {
    /// 403 with XML, from now on for every link of this task.
    Expired,
    /// 403 with XML for every link handed out so far; the next poll hands out one that works.
    ExpiredUntilPoll,
    /// The full `Content-Length` and half of the bytes, then the connection is closed.
    Truncated,
    /// Half of the file, as if it were all of it.
    Halved,
    /// 200 with a page of HTML.
    Html,
    /// A picture of half the width and height.
    WrongSize,
    /// A picture of one colour.
    Flat,
    /// This very file, whatever was asked for.
    File(Vec<u8>),
    /// A few bytes of PNG whose header tells of 60000 x 60000 pixels.
    Bomb,
    /// 302 to this URL.
    Redirect(String),
    /// 302 to a place that answers with a 302 to the next one, without end.
    EndlessRedirect,
    /// So many bytes one by one, 100 ms apart, then the rest at once.
    Drip(u32),
    /// 500 with XML.
    ServerError,
    /// The connection is reset (TCP RST) without an answer.
    Reset,
    /// The picture, and some bytes after its end.
    TrailingGarbage,
}

/// The `Retry-After` of a 429.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// No such header.
    Absent,
    /// So many seconds.
    Seconds(u64),
    /// An HTTP date so many seconds from now.
    DateIn(u64),
}

/// Which requests of its endpoint a fault hits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The next one.
    Once,
    /// The next so many.
    Next(u32),
    /// Every one whose prompt (for polls and downloads: whose task's prompt) contains this text.
    Prompt(String),
    /// Every one until the faults are cleared.
    Always,
}

impl From<OnSubmit> for Fault {
    fn from(fault: OnSubmit) -> Self {
        Self::Submit(fault)
    }
}

impl From<OnPoll> for Fault {
    fn from(fault: OnPoll) -> Self {
        Self::Poll(fault)
    }
}

impl From<OnDownload> for Fault {
    fn from(fault: OnDownload) -> Self {
        Self::Download(fault)
    }
}

/// The three endpoints that have faults.
#[derive(Clone, Copy, PartialEq)]
pub enum Endpoint {
    /// Orders.
    Submit,
    /// Questions.
    Poll,
    /// Pictures.
    Download,
}

/// The rules that still hold, and the state of the chaos.
#[derive(Default)]
pub struct Script {
    rules: Vec<(When, Fault)>,
    chaos: Option<(u64, fastrand::Rng)>,
}

impl Script {
    /// Adds a rule behind all others.
    pub fn add(&mut self, when: When, fault: Fault) {
        self.rules.push((when, fault));
    }

    /// Forgets all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Returns the fault for a request, and uses it up.
    pub fn draw(&mut self, endpoint: Endpoint, prompt: &str, chaos: Option<Chaos>) -> Option<Fault> {
        let fits = |(when, fault): &(When, Fault)| {
            endpoint_of(fault) == endpoint
                && match when {
                    When::Once | When::Always => true,
                    When::Next(left) => *left > 0,
                    When::Prompt(text) => prompt.contains(text),
                }
        };
        let Some(at) = self.rules.iter().position(fits) else { return self.draw_at_random(endpoint, chaos?) };
        match &mut self.rules[at].0 {
            When::Once => return Some(self.rules.remove(at).1),
            When::Next(left) => *left -= 1,
            When::Prompt(_) | When::Always => {}
        }
        Some(self.rules[at].1.clone())
    }

    fn draw_at_random(&mut self, endpoint: Endpoint, chaos: Chaos) -> Option<Fault> {
        let Chaos { seed, rate } = chaos;
        if self.chaos.as_ref().is_none_or(|(started, _)| *started != seed) {
            self.chaos = Some((seed, fastrand::Rng::with_seed(seed)));
        }
        let (_, rng) = self.chaos.as_mut()?;
        if rng.f64() >= rate {
            return None;
        }
        Some(match endpoint {
            Endpoint::Submit => chaos_of_submit(rng.u32(..7)).into(),
            Endpoint::Poll => chaos_of_poll(rng.u32(..10)).into(),
            Endpoint::Download => chaos_of_download(rng.u32(..4)).into(),
        })
    }
}

fn endpoint_of(fault: &Fault) -> Endpoint {
    match fault {
        Fault::Submit(_) => Endpoint::Submit,
        Fault::Poll(_) => Endpoint::Poll,
        Fault::Download(_) => Endpoint::Download,
    }
}

fn chaos_of_submit(die: u32) -> OnSubmit {
    match die {
        0 => OnSubmit::RateLimited(RetryAfter::Absent),
        1 => OnSubmit::CreateTaskFailed(Charging::Free),
        2 => OnSubmit::CreateTaskFailed(Charging::Charged),
        3 => OnSubmit::BadGateway,
        4 => OnSubmit::Reset,
        5 => OnSubmit::LostAnswer,
        _ => OnSubmit::CutAnswer,
    }
}

/// A failed task costs a whole new one, so it is the rare one.
fn chaos_of_poll(die: u32) -> OnPoll {
    match die {
        0 => OnPoll::Failed("out of memory on the worker".to_owned()),
        1..=3 => OnPoll::GetResultFailed,
        4..=6 => OnPoll::BadGateway,
        _ => OnPoll::Reset,
    }
}

fn chaos_of_download(die: u32) -> OnDownload {
    match die {
        0 => OnDownload::ExpiredUntilPoll,
        1 => OnDownload::Truncated,
        2 => OnDownload::Html,
        _ => OnDownload::Reset,
    }
}
