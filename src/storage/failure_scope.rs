//! Blame: what a file that was not taken says about the files after it.

use std::io::ErrorKind;

use super::store_fault::StoreFault;
use super::{PutObstacle, StorageError};

impl StorageError {
    /// Tells whether every other file would meet the same, until somebody mends the settings or the place.
    pub fn meets_every_file(&self) -> bool {
        match self {
            Self::Scheme { .. }
            | Self::Settings { .. }
            | Self::NoBucket { .. }
            | Self::Denied { .. }
            | Self::Unusable { .. }
            | Self::Full { .. } => true,
            Self::NotAdmitted { .. }
            | Self::Altered { .. }
            | Self::Missing { .. }
            | Self::Different { .. }
            | Self::Io { .. } => false,
        }
    }

    /// Tells, of a put, whether it is the store that failed, and not this one file that it does not take: its size, its type,
    /// its name, its place. What nobody can tell is the store's, since it is money that would be lost.
    pub fn is_of_the_store(&self) -> bool {
        match self {
            Self::NotAdmitted { .. } | Self::Different { .. } => false,
            Self::Io { source, .. } => match source.get_ref().and_then(|inner| inner.downcast_ref::<StoreFault>()) {
                Some(fault) => fault.is_of_the_store(),
                None => !is_of_the_file(source.kind()),
            },
            Self::Altered { .. } | Self::Missing { .. } => true,
            _ => self.meets_every_file(),
        }
    }

    /// Returns what is in the way of a file, and of others like it, that the store does not take.
    pub fn bar(&self) -> Option<PutObstacle> {
        match self {
            Self::NotAdmitted { bar, .. } => Some(*bar),
            Self::Io { source, .. } if source.kind() == ErrorKind::FileTooLarge => Some(PutObstacle::Size),
            _ => None,
        }
    }

    /// Tells whether the same may be granted later, without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        let fault = source.get_ref().and_then(|inner| inner.downcast_ref::<StoreFault>());
        fault.is_some_and(StoreFault::may_pass)
    }
}

/// Tells whether an error of a file system is about the name or the size of one file.
fn is_of_the_file(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::store_fault::StoreFaultKind;
    use super::*;

    fn written(source: io::Error) -> StorageError {
        StorageError::Io { action: "write", path: "a/b".to_owned(), source }
    }

    #[test]
    fn what_is_not_about_one_file_is_about_the_store() {
        let met = |kind| written(io::Error::other(StoreFault::of(kind, "no")));
        for (error, of_the_store) in [
            (met(StoreFaultKind::Busy), true),
            (met(StoreFaultKind::Broken), true),
            (met(StoreFaultKind::Refused), true),
            (met(StoreFaultKind::Exists), false),
            (met(StoreFaultKind::AnswerTooLarge), false),
            (written(io::Error::other("input/output error")), true),
            (written(ErrorKind::InvalidFilename.into()), false),
            (written(ErrorKind::IsADirectory.into()), false),
            (StorageError::Altered { path: "a".to_owned() }, true),
            (StorageError::Full { path: "a".to_owned(), source: ErrorKind::StorageFull.into() }, true),
            (StorageError::NotAdmitted { bar: PutObstacle::Size, what: "large".to_owned(), help: "" }, false),
        ] {
            assert_eq!(error.is_of_the_store(), of_the_store, "{error:?}");
        }
        assert!(met(StoreFaultKind::Busy).may_pass() && !met(StoreFaultKind::Refused).may_pass());
    }
}
