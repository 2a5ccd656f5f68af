//! Generators: services that make pictures, behind one small trait.
//!
//! One wire format a file. What a recipe may hold is checked offline by [`KindSpec::check`], so that a plan can refuse it
//! before money is spent. Which calls are made, when, and what is remembered of them, is left to `apply`: an adapter
//! makes exactly one request for each call of its functions, and says of every failure whether a repeat is safe.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Url;

use crate::asset::{FieldMap, KindSpec, Locality, MicroUsd, Recipe, Seed};
use crate::record::{Account, CallAttempt};
use crate::secret::SafeText;

pub mod http;
mod novita;
mod placeholder;
pub mod refusal;
mod trouble;
mod verdict;

pub use placeholder::Placeholder;
pub use trouble::{CallError, Retry, Trouble};
pub use verdict::{Meaning, Saying};

/// A kind of generator: everything that is known of it, and how one is opened.
pub struct Kind {
    /// What is known without calling it.
    pub spec: &'static KindSpec,
    /// Prepares to ask; nothing is sent.
    pub open: fn(&Opening<'_>) -> Result<Arc<dyn Generator>, OpeningError>,
}

/// Where and as whom a service is asked.
pub struct Opening<'o> {
    /// The service's address, where another than its own is configured.
    pub base_url: Option<String>,
    /// The key; empty where the kind has none.
    pub api_key: String,
    /// How long the answer to a request for a picture may take, where that is configured.
    pub request_timeout: Option<Duration>,
    /// What is configured of the kind's own options.
    pub options: &'o FieldMap,
}

impl Opening<'_> {
    /// Returns the address of a service, and how long its answer may take.
    fn service(&self, spec: &KindSpec) -> Result<(Url, Duration), OpeningError> {
        let (usual, time) = match spec.reach {
            Locality::Here => return Err(OpeningError::BaseUrl),
            Locality::Service { base_url, request_timeout, .. } => (base_url, request_timeout),
        };
        let base = Url::parse(self.base_url.as_deref().unwrap_or(usual)).map_err(|_| OpeningError::BaseUrl)?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(OpeningError::BaseUrl);
        }
        Ok((base, self.request_timeout.unwrap_or(time)))
    }
}

/// A service cannot be asked as it is configured; holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    /// The address is none.
    #[error("`base_url` is no http or https URL")]
    BaseUrl,
    /// The clients cannot be set up.
    #[error("{0}")]
    Client(String),
}

/// The kinds that a program knows, in the order in which messages list them.
#[derive(Clone, Copy)]
pub struct Kinds(pub &'static [&'static Kind]);

/// The kinds that pixform knows.
pub static KINDS: Kinds = Kinds(&[&placeholder::KIND, &novita::KIND]);

/// The kind that needs no service.
pub static PLACEHOLDER: &KindSpec = &placeholder::SPEC;

impl Default for Kinds {
    fn default() -> Self {
        KINDS
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|kind| kind.spec.name)).finish()
    }
}

impl Kinds {
    /// Returns what is known of each kind.
    pub fn specs(self) -> Vec<&'static KindSpec> {
        self.0.iter().map(|kind| kind.spec).collect()
    }

    /// Returns the kind of a name.
    pub fn named(self, name: &str) -> Option<&'static Kind> {
        self.0.iter().copied().find(|kind| kind.spec.name == name)
    }
}

/// What a service is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Order<'o> {
    /// Which request of which call it is: services that take an id are sent this one's.
    pub attempt: &'o CallAttempt,
    /// What the picture is made from.
    pub recipe: &'o Recipe,
}

/// What a generator answered with.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The image file.
    pub bytes: Bytes,
    /// The seed that the service says it used, where it says one.
    pub seed: Option<Seed>,
    /// What the service says that it charged, where it says so.
    pub cost: Option<MicroUsd>,
}

/// What came of asking for a picture.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The picture itself.
    Picture(Picture),
    /// It is being made: the service's id of the task, by which it can be asked for.
    Task(String),
    /// It is one of many that are made at some time: the service's id of the job, by which it can be asked for.
    Batch(String),
}

/// What came of looking for a call whose answer was lost.
#[derive(Debug, Clone)]
pub enum Found {
    /// It is being made, or is done: the service's id of the task.
    Task(String),
    /// The picture itself.
    Picture(Picture),
    /// The service would know of it, and does not.
    Absent,
    /// Nobody can tell.
    CannotTell,
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
        /// What the service says that it charged, where it says so.
        cost: Option<MicroUsd>,
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
    /// Asks for a picture: the one request that may be charged.
    async fn submit(&self, order: &Order<'_>) -> Result<Answer, GeneratorError>;

    /// Asks how a task stands; never charged.
    async fn poll(&self, task: &str) -> Result<Progress, GeneratorError>;

    /// Looks for a call whose answer was lost; never charged.
    async fn find(&self, lost: &CallAttempt) -> Result<Found, GeneratorError>;

    /// Returns the account whose pace its calls share, as the store of that id knows it; `None` where there is none.
    fn account(&self, store: &str) -> Option<Account>;

    /// Fetches a finished picture, at most `http::PICTURE_BYTES_MAX` bytes of it; never charged, and without the key.
    async fn download(&self, result: &ResultUrl) -> Result<Bytes, GeneratorError>;
}
