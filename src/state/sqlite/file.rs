//! The file of a database, and the journal beside it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::failure::SqliteFailure;
use crate::files;

/// The path that names a database in memory.
pub(super) const MEMORY: &str = ":memory:";

/// A panic elsewhere leaves the connection usable: its transaction was rolled back on the way out.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells whether there is a file; a folder or FIFO in its place is an error, a missing folder above it is not.
pub(super) fn is_there(path: &Path) -> Result<bool, SqliteFailure> {
    if path.as_os_str() == MEMORY {
        return Ok(false);
    }
    if path.as_os_str().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty").into());
    }
    files::check(path)?;
    Ok(path.try_exists()?)
}

/// Returns where the journal of a database lies.
pub(super) fn journal_of(path: &Path) -> PathBuf {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    journal.into()
}
