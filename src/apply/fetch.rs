//! Fetching: from a task to a picture that is the one asked for, or to a reason why there is none.
//!
//! Asking and fetching cost nothing, so everything that may pass is tried again until the picture's deadline. What comes
//! back is a stranger's: it is bounded, decoded as a whole and compared with what was asked for before anything else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};

use crate::asset::{Asset, MicroUsd, Seed};
use crate::digest::ContentDigest;
use crate::generator::{Generator, GeneratorError, Meaning, Picture, Progress, ResultUrl, Trouble};
use crate::imaging::{FileFormat, Header, ImagingError};
use crate::memory::{Held, Memory};

use super::Stage;
use super::finishing::finishing_units;
use super::pacing::{Pacing, backoff, poll_pause};
use super::stop::{Go, Stop};

/// How often something may come that is no whole picture before it counts as lost.
const MISSES_MAX: u32 = 5;
/// For how long a task may be unknown to the service that has just made it.
const GRACE: Duration = Duration::from_secs(15);

/// What is needed to fetch one picture.
pub struct Fetch<'f, 'r> {
    /// Who makes it.
    pub generator: &'f Arc<dyn Generator>,
    /// How fast it may be asked.
    pub pacing: &'f Pacing,
    /// How far the run may still go.
    pub stop: &'f Stop,
    /// Room for pictures that are decoded and not live yet.
    pub room: &'r Semaphore,
    /// What pictures may take.
    pub memory: &'f Memory,
    /// Leaves the service alone: how long it asked for, and how long it gets.
    pub pause: &'f (dyn Fn(Option<Duration>, Duration) + Sync),
}

/// A picture's file as it came, whatever it is.
pub struct Arrived {
    /// The file.
    pub picture: Picture,
    /// The digest of its bytes.
    pub sha256: ContentDigest,
    /// Its format.
    pub format: FileFormat,
    /// Its size in pixels, 0 x 0 where nobody can tell.
    pub size: (u32, u32),
}

/// A picture that came, with what was found out about it.
pub struct Fetched<'f> {
    /// Its file.
    pub file: Arrived,
    /// The picture, decoded.
    pub decoded: Held,
    /// Its place among those that are being finished, where these are bounded.
    pub room: Option<SemaphorePermit<'f>>,
}

/// What came of a task.
pub enum Came<'f> {
    /// The picture that was asked for.
    Picture(Fetched<'f>),
    /// A picture that is not the one asked for, or cannot be used.
    Rejected {
        /// Why.
        why: String,
        /// Its file; `None` where the service does not hand it out.
        file: Option<Arrived>,
    },
    /// The service failed at it.
    Failed {
        /// In its words.
        why: String,
        /// What that says about asking for the same again.
        meaning: Meaning,
    },
    /// It can no longer be fetched.
    Lost(String),
    /// Nothing yet; the task stays as it is, and is asked for again by the next run.
    NotYet(String),
}

impl<'f> Came<'f> {
    /// Gives a picture its place among those that are being finished.
    pub fn with_room(self, permit: SemaphorePermit<'f>) -> Self {
        match self {
            Self::Picture(fetched) => Self::Picture(Fetched { room: Some(permit), ..fetched }),
            other @ (Self::Rejected { .. } | Self::Failed { .. } | Self::Lost(_) | Self::NotYet(_)) => other,
        }
    }

    /// Takes the picture's place among those that are being finished over.
    pub fn room(&mut self) -> Option<SemaphorePermit<'f>> {
        match self {
            Self::Picture(fetched) => fetched.room.take(),
            Self::Rejected { .. } | Self::Failed { .. } | Self::Lost(_) | Self::NotYet(_) => None,
        }
    }
}

/// What a file turned out to be.
enum Looked {
    /// The picture that was asked for.
    Asked(Arrived, Held),
    /// A picture that is not the one asked for, or that nothing here can decode.
    Other(String, Arrived),
    /// It begins like a picture and is broken: it may come whole the next time.
    Broken(String, Arrived),
    /// No picture at all.
    Nothing(String),
}

/// What came of one attempt to fetch, the best last.
enum Attempt<'f> {
    /// No whole picture; the file is kept where it begins like one.
    Miss(String, Option<Arrived>),
    Came(Came<'f>),
    /// Worth another attempt at the same address.
    Passing(GeneratorError),
}

impl Attempt<'_> {
    /// Returns how much is to be hoped for, of several pictures of one task.
    fn hope(&self) -> u8 {
        match self {
            Self::Miss(_, None) => 0,
            Self::Miss(_, Some(_)) => 1,
            Self::Came(Came::Rejected { file: Some(file), .. }) if file.format.is_read() => 3,
            Self::Came(_) => 2,
            Self::Passing(_) => 4,
        }
    }
}

/// What a service says of a task that is done.
struct Finished {
    /// Where its pictures lie.
    results: Vec<ResultUrl>,
    /// The seed that it used.
    seed: Option<Seed>,
    /// What it charged.
    cost: Option<MicroUsd>,
}

/// How far it has come with one picture.
struct Course {
    begun: Instant,
    deadline: Instant,
    /// Times that no whole picture came.
    misses: u32,
    /// Troubles since the last answer that was none.
    troubles: u32,
    /// The last of them, in words.
    last: Option<String>,
    /// The last file that began like a picture and was none.
    broken: Option<Arrived>,
}

impl<'r> Fetch<'_, 'r> {
    /// Waits until a task is done, and fetches its picture.
    pub async fn picture(&self, asset: &Asset, task: &str, tell: &(dyn Fn(Stage) + Sync)) -> Came<'r> {
        let begun = Instant::now();
        let deadline = begun + self.pacing.pace().deadline;
        let mut course = Course { begun, deadline, misses: 0, troubles: 0, last: None, broken: None };
        tell(Stage::Making);
        loop {
            let pause = poll_pause(begun.elapsed()).max(delay(course.troubles));
            if let Some(why) = self.wait(pause, &course).await {
                return Came::NotYet(why);
            }
            let polled = tokio::select! {
                polled = self.generator.poll(task) => polled,
                why = self.over(&course) => return Came::NotYet(why),
            };
            let came = match polled {
                Ok(Progress::Running) => course.passed(),
                Ok(Progress::Failed { why, meaning }) => Some(Came::Failed { why: why.into(), meaning }),
                Ok(Progress::Flagged(why)) => Some(Came::Rejected { why: why.into(), file: None }),
                Ok(Progress::Empty) => course.missed("the task is done, and has no picture".to_owned(), None),
                Ok(Progress::Done { results, seed, cost }) => {
                    tell(Stage::Fetching);
                    self.download(asset, &Finished { results, seed, cost }, &mut course).await
                }
                Err(error) => self.trouble(&error, &mut course),
            };
            if let Some(came) = came {
                return came;
            }
        }
    }

    /// Tells what trouble with a poll comes to; nothing where it may pass.
    fn trouble(&self, error: &GeneratorError, course: &mut Course) -> Option<Came<'r>> {
        let message = error.to_string();
        tracing::info!("a poll failed: {message}");
        match error.trouble() {
            Trouble::Busy(asked) => (self.pause)(asked, asked.unwrap_or_else(|| backoff(1))),
            Trouble::Unreachable | Trouble::Ambiguous | Trouble::Broken => {}
            Trouble::Gone if course.begun.elapsed() < GRACE => {}
            Trouble::Gone => return Some(Came::Lost(message)),
            Trouble::Judged => return Some(Came::Failed { why: message, meaning: Meaning::Verdict }),
            Trouble::Refused | Trouble::NoModel => return Some(Came::NotYet(message)),
            Trouble::Closed => {
                self.pacing.close();
                return Some(Came::NotYet(message));
            }
        }
        course.troubled(message);
        None
    }

    /// Fetches a picture, twice where it has to; nothing where a fresh address is needed.
    async fn download(&self, asset: &Asset, finished: &Finished, course: &mut Course) -> Option<Came<'r>> {
        course.passed();
        let mut missed_here = false;
        loop {
            let attempt = tokio::select! {
                attempt = self.attempts(asset, finished) => attempt,
                why = self.over(course) => return Some(Came::NotYet(why)),
            };
            let mut pause = Duration::ZERO;
            match attempt {
                Attempt::Came(came) => return Some(came),
                Attempt::Passing(error) => {
                    if let Trouble::Busy(Some(asked)) = error.trouble() {
                        pause = asked;
                        (self.pause)(Some(asked), asked);
                    }
                    course.troubled(error.to_string());
                }
                Attempt::Miss(why, file) => {
                    tracing::info!("what was fetched is no whole picture: {why}");
                    // The address may have run out: the next poll brings a fresh one.
                    match course.missed(why, file) {
                        None if !missed_here => missed_here = true,
                        came => return came,
                    }
                }
            }
            if let Some(why) = self.wait(pause.max(delay(course.troubles)), course).await {
                return Some(Came::NotYet(why));
            }
        }
    }

    /// Fetches the pictures of a task, one after another, until one is the picture asked for; else the best of them.
    async fn attempts(&self, asset: &Asset, finished: &Finished) -> Attempt<'r> {
        let mut best = Attempt::Miss("the task is done, and has no picture".to_owned(), None);
        for (number, result) in finished.results.iter().enumerate() {
            let attempt = self.attempt(asset, result, finished).await;
            if matches!(attempt, Attempt::Came(Came::Picture(_))) {
                return attempt;
            }
            if number == 0 || attempt.hope() > best.hope() {
                best = attempt;
            }
        }
        best
    }

    async fn attempt(&self, asset: &Asset, result: &ResultUrl, finished: &Finished) -> Attempt<'r> {
        let bytes = match self.generator.download(result).await {
            Ok(bytes) => bytes,
            Err(error) => {
                return match error.trouble() {
                    Trouble::Busy(_) | Trouble::Unreachable | Trouble::Ambiguous => Attempt::Passing(error),
                    Trouble::Gone
                    | Trouble::Broken
                    | Trouble::Refused
                    | Trouble::NoModel
                    | Trouble::Judged
                    | Trouble::Closed => Attempt::Miss(error.to_string(), None),
                };
            }
        };
        // Before it is decoded: pixels take many times the room of a file.
        let room = self.room.acquire_many(finishing_units(asset)).await.ok();
        let picture = Picture { bytes, seed: finished.seed, cost: finished.cost };
        match inspected(self.memory, picture, asset).await {
            Looked::Asked(file, decoded) => Attempt::Came(Came::Picture(Fetched { file, decoded, room })),
            Looked::Other(why, file) => Attempt::Came(Came::Rejected { why, file: Some(file) }),
            Looked::Broken(why, file) => Attempt::Miss(why, Some(file)),
            Looked::Nothing(why) => Attempt::Miss(why, None),
        }
    }

    /// Waits, unless the deadline or the run's end comes first: then says which.
    async fn wait(&self, pause: Duration, course: &Course) -> Option<String> {
        let wait = async {
            sleep(pause).await;
            self.pacing.pause_over().await;
        };
        tokio::select! {
            () = wait => None,
            why = self.over(course) => Some(why),
        }
    }

    /// Waits for the deadline or the run's end, and says which came.
    async fn over(&self, course: &Course) -> String {
        let why = tokio::select! {
            () = sleep_until(course.deadline) => {
                match self.pacing.pace().deadline.as_secs() {
                    1 => "it was not done within 1 second".to_owned(),
                    seconds => format!("it was not done within {seconds} seconds"),
                }
            }
            () = self.stop.reached(Go::Leave) => "the time of the run was up".to_owned(),
        };
        match &course.last {
            Some(last) => format!("{why} ({last})"),
            None => why,
        }
    }
}

impl Course {
    fn passed<'f>(&mut self) -> Option<Came<'f>> {
        (self.troubles, self.last) = (0, None);
        None
    }

    fn troubled(&mut self, why: String) {
        self.troubles += 1;
        self.last = Some(why);
    }

    /// Counts that no whole picture came; the last time it is lost, unless there is a file that is at least part of one.
    fn missed<'f>(&mut self, why: String, file: Option<Arrived>) -> Option<Came<'f>> {
        self.misses += 1;
        self.broken = file.or(self.broken.take());
        if self.misses >= MISSES_MAX {
            return Some(match self.broken.take() {
                Some(file) => Came::Rejected { why, file: Some(file) },
                None => Came::Lost(why),
            });
        }
        // Longer each time: a picture that is paid for is not given up within seconds.
        self.troubles = self.misses + 1;
        self.last = Some(why);
        None
    }
}

/// Looks at a picture that came with the answer, and cannot be fetched again; [`Came::Lost`] where it is none.
pub async fn look<'f>(memory: &Memory, picture: Picture, asset: &Asset) -> Came<'f> {
    match inspected(memory, picture, asset).await {
        Looked::Asked(file, decoded) => Came::Picture(Fetched { file, decoded, room: None }),
        Looked::Other(why, file) | Looked::Broken(why, file) => Came::Rejected { why, file: Some(file) },
        Looked::Nothing(why) => Came::Lost(why),
    }
}

/// Finds out what a file is: by its header first, and by its pixels where that is as it should be.
async fn inspected(memory: &Memory, picture: Picture, asset: &Asset) -> Looked {
    let verified = memory.verify(&picture.bytes, asset.recipe.picture_size()).await;
    let bytes = picture.bytes.clone();
    let looked = tokio::task::spawn_blocking(move || (ContentDigest::of(&bytes), size(&bytes))).await;
    let (sha256, size) = match looked {
        Ok(looked) => looked,
        Err(_) => (ContentDigest::of(&picture.bytes), (0, 0)),
    };
    let Some(format) = FileFormat::of(&picture.bytes) else {
        let why = verified.err().map(|error| error.to_string());
        return Looked::Nothing(why.unwrap_or_default());
    };
    let file = Arrived { picture, sha256, format, size };
    match verified {
        Ok(decoded) => Looked::Asked(file, decoded),
        // What it says of its size is as broken as the rest.
        Err(error @ (ImagingError::Broken(_) | ImagingError::NoImage { .. } | ImagingError::Crashed)) => {
            Looked::Broken(error.to_string(), Arrived { size: (0, 0), ..file })
        }
        // What nothing here can decode is whole for all we know, and will be the same next time.
        Err(error) => Looked::Other(error.to_string(), file),
    }
}

/// Returns the size that a picture's header says, 0 x 0 where nobody can tell.
fn size(bytes: &[u8]) -> (u32, u32) {
    match Header::read(bytes) {
        Ok(header) => (header.facts().width, header.facts().height),
        Err(ImagingError::TooLarge { width, height }) => (width, height),
        Err(_) => (0, 0),
    }
}

fn delay(troubles: u32) -> Duration {
    if troubles == 0 { Duration::ZERO } else { backoff(troubles - 1) }
}
