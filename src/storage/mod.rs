//! The storage: originals and published files, by path.
//!
//! One small trait, [`Storage`], with an adapter a kind of store, opened by URL. Files are written once under a path
//! that holds their digest, so nothing here needs locks. The marker says whose store it is.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;

use crate::asset::ObjectPath;

mod durable;
mod file;
mod marker;
mod memory;
mod owner;
mod walk;

pub use marker::{MARKER_PATH, Made, Marker, MarkerError, make_marker, read_marker, write_marker};
pub use owner::{IDLE_SECONDS_MIN, StateRecords, StateView, StoreDecision, StoreRefusal, TakeStorage, decide};

/// What can go wrong with a storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL names no kind of store we have.
    #[error("`{scheme}` is no storage that pixform knows; write `file:FOLDER` or `memory:`")]
    Scheme {
        /// The URL's scheme; the rest may hold a secret.
        scheme: String,
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
    #[error("`{path}` exists with other bytes ({found} of them, {offered} were to be written)")]
    Different {
        /// The path.
        path: String,
        /// Size of what is there.
        found: u64,
        /// Size of what was offered.
        offered: u64,
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

    /// Makes everything put so far durable: after it, a power cut loses none of it.
    ///
    /// # Errors
    /// What the store says. Then nothing that was put since the last success may be called durable.
    async fn sync(&self) -> Result<(), StorageError>;
}

/// Opens the storage at a URL: `file:PATH` (relative to the working directory unless absolute, taken as written) or
/// `memory:` (a new, empty store, which lives as long as the value that is returned).
///
/// Opening looks at nothing and creates nothing.
///
/// # Errors
/// When the scheme is unknown, or the path is missing.
pub fn open(url: &str) -> Result<Box<dyn Storage>, StorageError> {
    match url.split_once(':') {
        Some(("file", path)) => match path.strip_prefix("//").unwrap_or(path) {
            "" => Err(StorageError::Unusable { root: url.to_owned(), source: complaint("a folder is missing") }),
            path => Ok(Box::new(file::FileStorage::new(path))),
        },
        Some(("memory", _)) => Ok(Box::new(memory::MemoryStorage::default())),
        _ => Err(StorageError::Scheme { scheme: url.split(':').next().unwrap_or_default().to_owned() }),
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
