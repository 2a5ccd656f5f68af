//! What goes wrong inside the SQLite adapter, and how it is told to the rest of the program.
//!
//! Inside, `?` is enough; which words the user gets is decided once, where a transaction ends.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::secret::SafeText;
use crate::state::StateError;

/// A failure before it was given the words for the user.
#[derive(Debug)]
pub(super) enum SqliteFailure {
    /// SQLite's own.
    Sqlite(rusqlite::Error),
    /// The file system's.
    File(io::Error),
    /// One with its words already.
    State(StateError),
}

impl From<rusqlite::Error> for SqliteFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<io::Error> for SqliteFailure {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<StateError> for SqliteFailure {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl SqliteFailure {
    /// Tells whether a reader found the journal of a writer that died, which it may not roll back itself.
    ///
    /// Source: `sqlite3PagerSharedLock` in the bundled SQLite 3.54.1, read 2026-11-22.
    pub(super) fn is_hot_journal(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
    }

    /// Tells whether somebody else holds a lock.
    pub(super) fn is_busy(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Returns the words for the user.
    pub(super) fn told(self, action: &'static str, path: &Path, patience: Duration) -> StateError {
        let path = || path.display().to_string();
        let error = match self {
            Self::State(error) => return error,
            Self::File(error) if error.kind() == io::ErrorKind::StorageFull => {
                return StateError::Full { source: SafeText::error(&error) };
            }
            Self::File(error) => return StateError::Open { path: path(), source: SafeText::error(&error) },
            Self::Sqlite(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StateError::Busy { seconds: patience.as_secs() }
            }
            Some(ErrorCode::DiskFull) => StateError::Full { source: SafeText::error(&error) },
            Some(ErrorCode::DatabaseCorrupt) => {
                StateError::Unreadable { place: format!("`{}`", path()), source: SafeText::error(&error) }
            }
            Some(ErrorCode::NotADatabase) => StateError::NotADatabase { path: path() },
            Some(ErrorCode::CannotOpen) => StateError::Open { path: path(), source: SafeText::error(&error) },
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) if action == super::COMMIT => {
                StateError::Row { source: SafeText::error(&error) }
            }
            _ => StateError::Database { action, source: SafeText::error(&error) },
        }
    }
}
