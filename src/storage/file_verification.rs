//! Verifying: files are read and their bytes compared with a digest, several at once and none of them kept.

use futures::{StreamExt, stream};

use super::{Storage, StorageError};
use crate::asset::ObjectPath;
use crate::digest::ContentDigest;

/// Files that are read at once: each is held whole while its digest is made.
const AT_ONCE: usize = 4;

/// A file, and what its bytes should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its path.
    pub path: ObjectPath,
    /// The digest of its bytes.
    pub sha256: ContentDigest,
    /// How many bytes there may be; more are other ones.
    pub bytes_max: u64,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// It is gone.
    Gone,
    /// It holds other bytes.
    OtherBytes,
}

/// Reads files; returns those that are not as expected. `read` hears of each that was read.
///
/// # Errors
/// When the store cannot be asked: then nothing is known of any file.
pub async fn verify(
    storage: &dyn Storage,
    files: Vec<Expected>,
    mut read: impl FnMut(),
) -> Result<Vec<(Expected, FileFault)>, StorageError> {
    let looked = stream::iter(files).map(|file| async move {
        let fault = look(storage, &file).await?;
        Ok::<_, StorageError>(fault.map(|fault| (file, fault)))
    });
    let (mut looked, mut faults) = (looked.buffer_unordered(AT_ONCE), Vec::new());
    while let Some(found) = looked.next().await {
        faults.extend(found?);
        read();
    }
    Ok(faults)
}

async fn look(storage: &dyn Storage, file: &Expected) -> Result<Option<FileFault>, StorageError> {
    match storage.get(&file.path, file.bytes_max).await {
        Ok(bytes) => {
            let expected = file.sha256;
            let hashed = tokio::task::spawn_blocking(move || ContentDigest::of(&bytes) == expected).await;
            Ok((!hashed.unwrap_or_default()).then_some(FileFault::OtherBytes))
        }
        Err(StorageError::Missing { .. }) => Ok(Some(FileFault::Gone)),
        Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::FileTooLarge => {
            Ok(Some(FileFault::OtherBytes))
        }
        Err(error) => Err(error),
    }
}
