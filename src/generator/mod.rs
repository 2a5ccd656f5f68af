//! Generators: services that make pictures, behind one small trait.
//!
//! One wire format a file. What a recipe may hold is checked offline by [`KindSpec::check`], so that a plan can refuse it
//! before money is spent. Which calls are made, when, and what is remembered of them, is left to `apply`: an adapter
//! makes exactly one request for each call of its functions, and says of every failure whether a repeat is safe.

use async_trait::async_trait;
use bytes::Bytes;

use crate::asset::{KindSpec, Recipe, Seed};
use crate::secret::SafeText;

pub mod http;
mod novita;
mod placeholder;
pub mod refusal;
mod trouble;
mod verdict;

pub use novita::{Moderation, NSFW_DETECTION_PRICE, Novita, NovitaSettings, SettingsError};
pub use placeholder::Placeholder;
pub use trouble::{CallError, Retry, Trouble};
pub use verdict::{Meaning, Saying};

/// The kinds of generator that this program knows, in the order in which messages list them.
pub static KINDS: [&KindSpec; 2] = [&placeholder::SPEC, &novita::SPEC];

/// The kind that needs no service.
pub static PLACEHOLDER: &KindSpec = &placeholder::SPEC;

/// Returns the kind of a name.
pub fn kind(name: &str) -> Option<&'static KindSpec> {
    KINDS.into_iter().find(|kind| kind.name == name)
}

/// What a generator answered with.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The image file.
    pub bytes: Bytes,
    /// The seed that the service says it used, where it says one.
    pub seed: Option<Seed>,
}

/// What came of asking for a picture.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The picture itself.
    Picture(Picture),
    /// It is being made: the service's id of the task, by which it can be asked for.
    Task(String),
}

/// Where a finished picture can be fetched: a secret, for whoever knows it can.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultUrl(pub(in crate::generator) String);

impl std::fmt::Debug for ResultUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It waits, runs, or has a status that we do not know.
    Running,
    /// The picture can be fetched.
    Done {
        /// From where: the pictures of the task, in its order, one at least.
        results: Vec<ResultUrl>,
        /// The seed that the service says it used, where it says one.
        seed: Option<Seed>,
    },
    /// It is said to be done, and there is no picture.
    Empty,
    /// It failed.
    Failed {
        /// In the service's words.
        why: SafeText,
        /// What that says about asking for the same again.
        meaning: Meaning,
    },
    /// The service's moderation flags the picture: it must not be published.
    Flagged(SafeText),
}

/// What can go wrong with a generator.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The picture could not be made here.
    #[error("the placeholder could not be painted")]
    Painting(#[from] crate::imaging::ImagingError),
    /// The service could not be asked, said no, or cannot be understood.
    #[error(transparent)]
    Call(#[from] Box<CallError>),
}

impl GeneratorError {
    /// Returns what kind of trouble it is.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Painting(_) => Trouble::Refused,
            Self::Call(error) => error.trouble,
        }
    }
}

/// What pixform needs of a service.
///
/// Each function makes one request at most, and none of them repeats it by itself.
#[async_trait]
pub trait Generator: Send + Sync {
    /// Asks for the picture of a recipe: the one request that may be charged.
    async fn submit(&self, recipe: &Recipe) -> Result<Answer, GeneratorError>;

    /// Asks how a task stands; never charged.
    async fn poll(&self, task: &str) -> Result<Progress, GeneratorError>;

    /// Fetches a finished picture, at most `http::PICTURE_BYTES_MAX` bytes of it; never charged, and without the key.
    async fn download(&self, result: &ResultUrl) -> Result<Bytes, GeneratorError>;
}
