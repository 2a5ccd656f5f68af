//! The storage: originals and published files, by path.
//!
//! One small trait, [`Storage`], with an adapter a kind of store, opened by URL. Files are written once under a path
//! that holds their digest, so nothing here needs locks. The marker says whose store it is. Two adapters put others
//! together: [`Divided`] keeps originals elsewhere, [`Moving`] reads what has not been copied from another store yet.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::asset::ObjectPath;
use crate::digest::ContentDigest;
use crate::secret::{self, SafeText};

mod checksum;
mod divided_storage;
mod durability;
mod endpoint;
mod failure_scope;
mod file_storage;
mod file_verification;
mod folder_walk;
mod listing_batch;
mod marker;
mod memory_storage;
mod mistaken_address;
mod moving_storage;
mod object;
mod public_files;
mod put_obstacle;
mod remnant;
mod store_fault;
mod store_health;
mod store_http;
mod store_options;
mod store_ownership;
mod stores;
mod supabase;
mod write_proof;

pub use divided_storage::Divided;
pub use file_verification::{Expected, FileFault, verify};
pub use marker::{MARKER_PATH, Marker, MarkerCreation, MarkerError, make_marker, read_marker, write_marker};
pub use moving_storage::{Moving, content_type_of};
pub use public_files::PublicFiles;
pub use put_obstacle::PutObstacle;
pub use remnant::{REMNANT_AGE, Remnant};
pub use store_health::{Condition, Health};
pub use store_options::{Addressing, MissingBucket, StoreOptions};
pub use store_ownership::{
    IDLE_SECONDS_MIN, StateRecords, StateView, StoreDecision, StoreRefusal, TakeStorage, decide,
};
pub use stores::{Opened, Stores};
pub use write_proof::probe;

use store_fault::RemoteStore;
use store_options::Location;
use write_proof::PROBE_PREFIX;

/// The folder of the originals, which may lie in a store of its own.
pub const ORIGINALS: &str = "originals";

/// How often a file is written whose bytes change on the way.
const WRITES_MAX: u32 = 3;

/// What can go wrong with a storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL names no kind of store we have.
    #[error(
        "{}; it knows `file:`, `s3:`, `gs:`, `az:`, `supabase:` and `memory:`",
        secret::unknown_scheme("storage", *.scheme)
    )]
    Scheme {
        /// The URL's scheme, where that is one for certain; all else may be a secret.
        scheme: Option<&'static str>,
    },
    /// The settings do not fit together.
    #[error("{what}")]
    Settings {
        /// What is wrong, without secrets.
        what: String,
        /// What to write instead.
        help: String,
    },
    /// The bucket is not there.
    #[error("the storage `{root}` has no bucket `{bucket}`")]
    NoBucket {
        /// The store's URL without secrets.
        root: String,
        /// The bucket.
        bucket: String,
        /// How to get one.
        help: String,
    },
    /// The store lets nobody in with these keys, or not for this.
    #[error("the storage `{root}` refuses to {action} `{path}`: {said}")]
    Denied {
        /// The store's URL without secrets.
        root: String,
        /// What was tried: `write`.
        action: &'static str,
        /// The path, or the folder.
        path: String,
        /// The store's own words.
        said: SafeText,
        /// What to check.
        help: &'static str,
    },
    /// The store takes no files such as these.
    #[error("{what}")]
    NotAdmitted {
        /// What is in the way.
        bar: PutObstacle,
        /// What it takes, and what it was to take.
        what: String,
        /// What to do.
        help: &'static str,
    },
    /// The store holds other bytes than were sent to it, however often.
    #[error("`{path}` arrived in the storage with other bytes than were sent")]
    Altered {
        /// The path.
        path: String,
    },
    /// The storage itself cannot be used.
    #[error("the storage `{root}` cannot be used")]
    Unusable {
        /// Its URL without secrets.
        root: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing under that path.
    #[error("`{path}` is not in the storage")]
    Missing {
        /// The path.
        path: String,
    },
    /// There is no room left.
    #[error("there is no space left in the storage for `{path}`")]
    Full {
        /// The path that did not fit.
        path: String,
        /// The store's own words.
        #[source]
        source: io::Error,
    },
    /// A path holds other bytes than those that were to be written.
    #[error(
        "`{path}` exists with other bytes: {found} of them{found_digest}, {offered}{offered_digest} were to be written"
    )]
    Different {
        /// The path.
        path: String,
        /// Size of what is there.
        found: u64,
        /// The beginning of its SHA-256 in brackets, where it was read.
        found_digest: String,
        /// Size of what was offered.
        offered: u64,
        /// The beginning of its SHA-256 in brackets, where the sizes do not tell the two apart.
        offered_digest: String,
    },
    /// The store refused.
    #[error("could not {action} `{path}`")]
    Io {
        /// What was tried: `write`.
        action: &'static str,
        /// The path.
        path: String,
        /// The store's own words.
        #[source]
        source: io::Error,
    },
}

/// What to do when a path is taken already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// The same bytes are a success, others are [`StorageError::Different`]. Of two writers at once one wins.
    Never,
    /// Other bytes are replaced: the plan said repair, or the file is the marker.
    Replace,
}

/// Takes what a listing finds, one file at a time: its path and its size in bytes.
pub type FileVisitor<'v> = &'v mut (dyn FnMut(&str, u64) + Send);

/// What pixform needs of a store.
///
/// A path is a file or a folder of other paths, never both: whether a store keeps `a` and `a/b` side by side differs.
/// A future that is dropped may still do its work: a put is then whole or absent.
#[async_trait]
pub trait Storage: Send + Sync {
    /// Returns where the files lie, for people: a URL without secrets.
    fn describe(&self) -> String;

    /// Calls the visitor with path and size in bytes of every file below a folder (`""` is all), in no particular order.
    /// A folder or root that does not exist is empty. Temporary files of writes in flight are not listed. A name that
    /// no [`ObjectPath`] can have may be listed or not.
    ///
    /// # Errors
    /// [`StorageError::Io`] where `folder` is no legal path; else what the store says.
    async fn list(&self, folder: &str, visitor: FileVisitor<'_>) -> Result<(), StorageError>;

    /// Returns what killed runs left, wherever it lies and at least [`REMNANT_AGE`] old, in no particular order.
    ///
    /// # Errors
    /// What the store says.
    async fn remnants(&self) -> Result<Vec<Remnant>, StorageError>;

    /// Returns a file's size in bytes, or `None` where there is none. Asks the store itself, never a listing.
    ///
    /// # Errors
    /// What the store says.
    async fn size(&self, path: &ObjectPath) -> Result<Option<u64>, StorageError>;

    /// Reads a file of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// [`StorageError::Missing`] where there is none, [`StorageError::Io`] of the kind
    /// [`FileTooLarge`](io::ErrorKind::FileTooLarge) where it is larger.
    async fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError>;

    /// Writes a file whole: a reader sees all of it or nothing, at every instant. Durable only after [`Storage::sync`]:
    /// a power cut before it may leave nothing, or a file cut short, which [`Overwrite::Never`] then calls different.
    ///
    /// # Errors
    /// [`StorageError::Different`], [`StorageError::Full`], [`StorageError::Unusable`]; else what the store says.
    async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError>;

    /// Deletes files; one that is not there counts as deleted. Meant for files that nothing refers to.
    ///
    /// # Errors
    /// What the store says; some of the files may be gone then.
    async fn delete(&self, paths: &[ObjectPath]) -> Result<(), StorageError>;

    /// Makes sure that the store is there and takes files such as these, without putting any; makes a missing bucket
    /// where the settings say so.
    ///
    /// # Errors
    /// [`StorageError::NoBucket`], [`StorageError::Denied`], [`StorageError::NotAdmitted`]; else what the store says.
    async fn prepare(&self, needs: &Needs) -> Result<(), StorageError>;

    /// Makes everything put so far durable: after it, a power cut loses none of it.
    ///
    /// # Errors
    /// What the store says. Then nothing that was put since the last success may be called durable.
    async fn sync(&self) -> Result<(), StorageError>;
}

/// What a store is to take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// What is published.
    pub published: FilesToPut,
    /// What is kept to publish from.
    pub originals: FilesToPut,
    /// Who fetches what is published from the store's own address.
    pub readers: Readers,
}

/// Some files that are to be put.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilesToPut {
    /// Their types: `image/png`.
    pub content_types: BTreeSet<&'static str>,
    /// The size that the largest of them can be expected to have, in bytes.
    pub bytes: u64,
}

/// Who can read the originals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Originals {
    /// Everybody who can read what is published.
    Open,
    /// Nobody but us, as far as is known.
    Private,
}

/// Who fetches published files from the store's own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Readers {
    /// Nobody: they are fetched from elsewhere, or not at all.
    #[default]
    Nobody,
    /// Everybody, without a key.
    Everybody,
}

/// Opens a storage; for `file:PATH` the path is taken as written, relative to the working directory unless absolute, and
/// `memory:` is a new, empty store, which lives as long as the value that is returned.
///
/// Opening looks at nothing and creates nothing.
///
/// # Errors
/// When the scheme is unknown, a part of the URL is missing, or credentials are incomplete.
pub fn open(settings: &StoreOptions) -> Result<Box<dyn Storage>, StorageError> {
    open_watched(settings, &Health::of_a_question())
}

/// Opens a storage likewise, whose health is seen by whoever has this one.
///
/// # Errors
/// As [`open`].
pub fn open_watched(settings: &StoreOptions, health: &Arc<Health>) -> Result<Box<dyn Storage>, StorageError> {
    settings.remember();
    let location = settings.location()?;
    if settings.missing_bucket == MissingBucket::Make && !matches!(location, Location::Supabase { .. }) {
        let what = "`create_bucket` is for `supabase:` only".to_owned();
        let help = "remove it, and make the bucket at the service".to_owned();
        return Err(StorageError::Settings { what, help });
    }
    Ok(match location {
        Location::File(path) if path.is_empty() => {
            return Err(StorageError::Unusable { root: "file:".to_owned(), source: complaint("a folder is missing") });
        }
        Location::File(path) => Box::new(file_storage::FileStorage::new(path)),
        Location::Memory => Box::new(memory_storage::MemoryStorage::default()),
        Location::Bucket { service, bucket, prefix } => {
            Box::new(object::ObjectStorage::new(settings, (service, &bucket, prefix), health)?)
        }
        Location::Supabase { host, bucket, prefix } => {
            Box::new(supabase::SupabaseStorage::new(settings, (&host, &bucket, prefix), health)?)
        }
    })
}

/// Returns how long a file may be kept by whoever fetched it: for ever, since its path holds its digest; unless it is
/// the marker, which changes, or a probe, which goes.
fn cache_control(path: &ObjectPath) -> &'static str {
    match is_of_the_moment(path.as_str()) {
        true => "no-store",
        false => "public, max-age=31536000, immutable",
    }
}

/// Tells whether a path, or an address that ends in one, is that of the marker or of a probe: neither is a file of a run.
fn is_of_the_moment(path: &str) -> bool {
    path.ends_with(MARKER_PATH) || path.contains(PROBE_PREFIX)
}

/// Tells that a path is taken by other bytes: by their sizes, and by digests where what is there was read.
fn different(path: &ObjectPath, found: u64, there: Option<&[u8]>, offered: &[u8]) -> StorageError {
    let short = |bytes: &[u8]| format!(" (sha256 {}…)", ContentDigest::of(bytes).short());
    StorageError::Different {
        path: path.to_string(),
        found,
        found_digest: there.map(short).unwrap_or_default(),
        offered: offered.len() as u64,
        offered_digest: there.map(|_| short(offered)).unwrap_or_default(),
    }
}

/// Refuses a folder to list that lies outside the storage or could hold no file.
fn check_folder(folder: &str) -> Result<(), StorageError> {
    match folder.parse::<ObjectPath>() {
        Ok(_) => Ok(()),
        Err(_) if folder.is_empty() => Ok(()),
        Err(error) => Err(StorageError::Io {
            action: "list",
            path: folder.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidInput, error),
        }),
    }
}

/// Refuses to read a file that is larger than the caller can take.
fn too_large(path: &ObjectPath, found: u64, bytes_max: u64) -> StorageError {
    let words = format!("it holds {found} bytes, at most {bytes_max} are read");
    let source = io::Error::new(io::ErrorKind::FileTooLarge, words);
    StorageError::Io { action: "read", path: path.to_string(), source }
}

/// Makes an error of our own words.
fn complaint(words: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, words)
}
