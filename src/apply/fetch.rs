//! Fetching: from a task to a picture that is the one asked for, or to a reason why there is none.
//!
//! Asking and fetching cost nothing, so everything that may pass is tried again until the picture's deadline. What comes
//! back is a stranger's: it is bounded, decoded as a whole and compared with what was asked for before anything else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};

use crate::asset::{Asset, Seed};
use crate::digest::ContentDigest;
use crate::generator::{Generator, GeneratorError, Picture, Progress, ResultUrl, Trouble};
use crate::imaging::{Decoded, ImagingError};

use super::Stage;
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
}

/// A picture that came, with what was found out about it.
pub struct Fetched<'f> {
    /// The picture.
    pub picture: Picture,
    /// The digest of its bytes.
    pub sha256: ContentDigest,
    /// The picture, decoded.
    pub decoded: Arc<Decoded>,
    /// The room that its pixels take, where room is bounded.
    pub room: Option<SemaphorePermit<'f>>,
}

/// What came of a task.
pub enum Came<'f> {
    /// The picture that was asked for.
    Picture(Fetched<'f>),
    /// A whole picture that is not the one asked for.
    Rejected {
        /// Why.
        why: String,
        /// The picture, where it may be kept for whoever takes it all the same.
        picture: Option<Fetched<'f>>,
    },
    /// The service failed at it.
    Failed(String),
    /// It can no longer be fetched.
    Lost(String),
    /// Nothing yet; the task stays as it is, and is asked for again by the next run.
    NotYet(String),
}

impl<'f> Came<'f> {
    /// Takes the room of the picture's pixels over.
    pub fn room(&mut self) -> Option<SemaphorePermit<'f>> {
        match self {
            Self::Picture(fetched) | Self::Rejected { picture: Some(fetched), .. } => fetched.room.take(),
            Self::Rejected { picture: None, .. } | Self::Failed(_) | Self::Lost(_) | Self::NotYet(_) => None,
        }
    }
}

/// What came of one attempt to fetch.
enum Attempt<'f> {
    Came(Came<'f>),
    /// Worth another attempt at the same address.
    Passing(GeneratorError),
    /// No whole picture.
    Miss(String),
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
}

impl<'r> Fetch<'_, 'r> {
    /// Waits until a task is done, and fetches its picture.
    pub async fn picture(&self, asset: &Asset, task: &str, tell: &(dyn Fn(Stage) + Sync)) -> Came<'r> {
        let begun = Instant::now();
        let deadline = begun + self.pacing.pace().deadline;
        let mut course = Course { begun, deadline, misses: 0, troubles: 0, last: None };
        tell(Stage::Making);
        loop {
            let pause = poll_pause(begun.elapsed()).max(delay(course.troubles));
            if let Some(why) = self.pause(pause, &course).await {
                return Came::NotYet(why);
            }
            let polled = tokio::select! {
                polled = self.generator.poll(task) => polled,
                why = self.over(&course) => return Came::NotYet(why),
            };
            let came = match polled {
                Ok(Progress::Running) => course.passed(),
                Ok(Progress::Failed(why)) => Some(Came::Failed(why)),
                Ok(Progress::Flagged(why)) => Some(Came::Rejected { why, picture: None }),
                Ok(Progress::Empty) => course.missed("the task is done, and has no picture".to_owned()),
                Ok(Progress::Done { result, seed }) => {
                    tell(Stage::Fetching);
                    self.download(asset, &result, seed, &mut course).await
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
            Trouble::Busy(pause) => self.pacing.pause(pause.unwrap_or(backoff(1))),
            Trouble::Unreachable | Trouble::Ambiguous | Trouble::Broken => {}
            Trouble::Gone if course.begun.elapsed() < GRACE => {}
            Trouble::Gone => return Some(Came::Lost(message)),
            Trouble::Refused => return Some(Came::NotYet(message)),
            Trouble::Closed => {
                self.pacing.close();
                return Some(Came::NotYet(message));
            }
        }
        course.troubled(message);
        None
    }

    /// Fetches a picture, twice where it has to; nothing where a fresh address is needed.
    async fn download(
        &self,
        asset: &Asset,
        result: &ResultUrl,
        seed: Option<Seed>,
        course: &mut Course,
    ) -> Option<Came<'r>> {
        course.passed();
        let mut missed_here = false;
        loop {
            let attempt = tokio::select! {
                attempt = self.attempt(asset, result, seed) => attempt,
                why = self.over(course) => return Some(Came::NotYet(why)),
            };
            let mut pause = Duration::ZERO;
            match attempt {
                Attempt::Came(came) => return Some(came),
                Attempt::Passing(error) => {
                    if let Trouble::Busy(Some(asked)) = error.trouble() {
                        pause = asked;
                    }
                    course.troubled(error.to_string());
                }
                Attempt::Miss(why) => {
                    tracing::info!("what was fetched is no whole picture: {why}");
                    // The address may have run out: the next poll brings a fresh one.
                    match course.missed(why) {
                        None if !missed_here => missed_here = true,
                        came => return came,
                    }
                }
            }
            if let Some(why) = self.pause(pause.max(delay(course.troubles)), course).await {
                return Some(Came::NotYet(why));
            }
        }
    }

    async fn attempt(&self, asset: &Asset, result: &ResultUrl, seed: Option<Seed>) -> Attempt<'r> {
        let bytes = match self.generator.download(result).await {
            Ok(bytes) => bytes,
            Err(error) => {
                return match error.trouble() {
                    Trouble::Busy(_) | Trouble::Unreachable | Trouble::Ambiguous => Attempt::Passing(error),
                    Trouble::Gone | Trouble::Broken | Trouble::Refused | Trouble::Closed => {
                        Attempt::Miss(error.to_string())
                    }
                };
            }
        };
        // Before it is decoded: pixels take many times the room of a file.
        let room = self.room.acquire().await.ok();
        match look(Picture { bytes, seed }, asset).await {
            Came::Lost(why) => Attempt::Miss(why),
            Came::Picture(fetched) => Attempt::Came(Came::Picture(Fetched { room, ..fetched })),
            Came::Rejected { why, picture } => {
                let picture = picture.map(|fetched| Fetched { room, ..fetched });
                Attempt::Came(Came::Rejected { why, picture })
            }
            came => Attempt::Came(came),
        }
    }

    /// Waits, unless the deadline or the run's end comes first: then says which.
    async fn pause(&self, pause: Duration, course: &Course) -> Option<String> {
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

    /// Counts that no whole picture came; the last time it is lost.
    fn missed<'f>(&mut self, why: String) -> Option<Came<'f>> {
        self.misses += 1;
        if self.misses >= MISSES_MAX {
            return Some(Came::Lost(why));
        }
        // Longer each time: a picture that is paid for is not given up within seconds.
        self.troubles = self.misses + 1;
        self.last = Some(why);
        None
    }
}

/// Looks at a picture; [`Came::Lost`] where it is no whole one.
pub async fn look(picture: Picture, asset: &Asset) -> Came<'static> {
    let (width, height) = asset.recipe.picture_size();
    let looked = tokio::task::spawn_blocking(move || {
        let decoded = Decoded::new(&picture.bytes).map(Arc::new);
        let sha256 = ContentDigest::of(&picture.bytes);
        (picture, sha256, decoded)
    });
    let Ok((picture, sha256, decoded)) = looked.await else {
        return Came::Rejected { why: "it makes the decoder crash".to_owned(), picture: None };
    };
    let decoded = match decoded {
        Ok(decoded) => decoded,
        // A file that claims more than is decoded is whole for all we know, and will be the same next time.
        Err(error @ (ImagingError::TooLarge { .. } | ImagingError::TooLong { .. })) => {
            return Came::Rejected { why: error.to_string(), picture: None };
        }
        Err(error) => return Came::Lost(error.to_string()),
    };
    match decoded.verify(width, height) {
        Ok(_) => Came::Picture(Fetched { picture, sha256, decoded, room: None }),
        Err(error) => {
            Came::Rejected { why: error.to_string(), picture: Some(Fetched { picture, sha256, decoded, room: None }) }
        }
    }
}

fn delay(troubles: u32) -> Duration {
    if troubles == 0 { Duration::ZERO } else { backoff(troubles - 1) }
}
