//! A storage in memory, for tests and rehearsals.
//!
//! It lives as long as the value does and is never shared: a second `memory:` is another, empty store.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::{FileVisitor, Needs, Overwrite, Remnant, Storage, StorageError, check_folder, different, too_large};
use crate::asset::ObjectPath;

/// Files by path.
#[derive(Default)]
pub(super) struct MemoryStorage {
    files: Mutex<BTreeMap<ObjectPath, Bytes>>,
}

impl MemoryStorage {
    fn files(&self) -> MutexGuard<'_, BTreeMap<ObjectPath, Bytes>> {
        self.files.lock().expect("nobody panics while holding the files")
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn describe(&self) -> String {
        "memory:".to_owned()
    }

    async fn list(&self, folder: &str, visitor: FileVisitor<'_>) -> Result<(), StorageError> {
        check_folder(folder)?;
        // Copied first: the visitor is a stranger, which may take long or ask this very store.
        let found: Vec<_> = self.files().iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect();
        for (path, bytes) in found {
            let below = path.as_str().strip_prefix(folder);
            if folder.is_empty() || below.is_some_and(|rest| rest.starts_with('/')) {
                visitor(path.as_str(), bytes);
            }
        }
        Ok(())
    }

    /// Finds nothing: no kill leaves anything in memory.
    async fn remnants(&self) -> Result<Vec<Remnant>, StorageError> {
        Ok(Vec::new())
    }

    async fn size(&self, path: &ObjectPath) -> Result<Option<u64>, StorageError> {
        Ok(self.files().get(path).map(|bytes| bytes.len() as u64))
    }

    async fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError> {
        match self.files().get(path) {
            None => Err(StorageError::Missing { path: path.to_string() }),
            Some(bytes) if bytes.len() as u64 > bytes_max => Err(too_large(path, bytes.len() as u64, bytes_max)),
            Some(bytes) => Ok(bytes.clone()),
        }
    }

    async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        _content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError> {
        let mut files = self.files();
        match (files.get(path), overwrite) {
            (Some(found), Overwrite::Never) if *found == bytes => Ok(()),
            (Some(found), Overwrite::Never) => Err(different(path, found.len() as u64, Some(found), &bytes)),
            (None, Overwrite::Never) | (_, Overwrite::Replace) => {
                files.insert(path.clone(), bytes);
                Ok(())
            }
        }
    }

    async fn delete(&self, paths: &[ObjectPath]) -> Result<(), StorageError> {
        let mut files = self.files();
        for path in paths {
            files.remove(path);
        }
        Ok(())
    }

    /// Does nothing: memory takes everything.
    async fn prepare(&self, _: &Needs) -> Result<(), StorageError> {
        Ok(())
    }

    /// Does nothing: memory outlives no power cut, and nobody expects it to.
    async fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
