//! The server: the rows that a product reads, the files of a `file:` storage, and pages to look at. It only reads.
//!
//! What is published is held in memory as of one moment (`snapshot`) and looked at again when it may have changed
//! (`fresh`), so an answer costs a look-up. Strangers talk to it: every length, time and number is bounded, every text is
//! escaped for where it goes. A plan is made through the engine, for that needs manifests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::state::{RowReader, StateError};
use crate::storage::PublicFiles;
use crate::world::World;

mod access;
mod answer;
mod api;
mod app;
mod body;
mod browse;
mod client;
mod cross;
mod exact;
mod files;
mod fresh;
mod fresh_plan;
mod host;
mod listen;
mod metrics;
mod mount;
mod openapi;
mod operations;
mod pages;
mod past;
mod picture;
mod problem;
mod query;
mod route;
mod served_plan;
mod snapshot;

pub use access::AccessEntry;
pub use host::HostName;
pub use listen::{Bound, bind};
pub use served_plan::ServedManifests;

/// How long an answer may be older than the database, in milliseconds, beside the time that reading it takes.
pub const STALE_MILLISECONDS: u64 = 1_000;

/// What is served, and how.
pub struct Served {
    /// State and storage.
    pub world: Arc<World>,
    /// In whose place rows are read.
    pub reader: RowReader,
    /// The files that rows point at, where they lie in a folder of this machine.
    pub files: PublicFiles,
    /// A folder that is mounted beside the pages.
    pub mounted: Option<PathBuf>,
    /// Hosts that requests may name beside this machine itself and the address that they come to.
    pub hosts: Vec<HostName>,
    /// Whose pages may read the API from a browser: origins, or `*`.
    pub origins: Vec<String>,
    /// How long a client may take for its request, and an answer to be made.
    pub patience: Duration,
    /// Tells what manifests would change; `None` where none are served.
    pub plans: Option<Arc<ServedManifests>>,
    /// Is told of every request; `None` where nobody listens.
    pub log: Option<AccessLog>,
}

/// Is told of a request once it is answered.
pub type AccessLog = Arc<dyn Fn(&AccessEntry<'_>) + Send + Sync>;

/// What can go wrong with the server itself.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Nobody can listen there.
    #[error("could not listen on `{address}`")]
    Listen {
        /// The address.
        address: String,
        /// The system's own words.
        #[source]
        source: std::io::Error,
    },
    /// What is published could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A folder that is to be mounted cannot be read.
    #[error("the folder `{path}` cannot be served", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's own words.
        #[source]
        source: std::io::Error,
    },
}
