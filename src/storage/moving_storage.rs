//! A store that is being moved into: what has not been copied yet is read from the one before.
//!
//! Nothing is ever written to the store before. The marker is never read from it here: whose store that was is asked by
//! whoever wants to know.

use std::collections::HashSet;

use async_trait::async_trait;
use bytes::Bytes;

use super::{FileVisitor, MARKER_PATH, Needs, Overwrite, Remnant, Storage, StorageError};
use crate::asset::{Format, ObjectPath};

/// A store, and the one that was used before it.
pub struct Moving {
    now: Box<dyn Storage>,
    before: Box<dyn Storage>,
}

impl Moving {
    /// Puts two stores together.
    pub fn new(now: Box<dyn Storage>, before: Box<dyn Storage>) -> Self {
        Self { now, before }
    }

    /// Returns the store that is moved into.
    pub fn now(&self) -> &dyn Storage {
        &*self.now
    }

    /// Returns the store that is left.
    pub fn before(&self) -> &dyn Storage {
        &*self.before
    }
}

/// Returns the type of a file of ours by its name.
pub fn content_type_of(path: &ObjectPath) -> &'static str {
    let ending = path.as_str().rsplit('.').next().unwrap_or_default();
    match Format::ALL.into_iter().find(|format| format.extension() == ending) {
        Some(format) => format.content_type(),
        None if ending == "jpeg" => Format::Jpeg.content_type(),
        None => match ending {
            "gif" => "image/gif",
            "bmp" => "image/bmp",
            "tiff" => "image/tiff",
            "heic" => "image/heic",
            "jxl" => "image/jxl",
            _ => "application/octet-stream",
        },
    }
}

#[async_trait]
impl Storage for Moving {
    fn describe(&self) -> String {
        format!("{}, before in {}", self.now.describe(), self.before.describe())
    }

    async fn list(&self, folder: &str, visitor: FileVisitor<'_>) -> Result<(), StorageError> {
        let (mut copied, mut left): (HashSet<Box<str>>, Vec<(Box<str>, u64)>) = Default::default();
        // Both at once: neither waits for the other.
        let now = async {
            self.now
                .list(folder, &mut |path, bytes| {
                    copied.insert(path.into());
                    visitor(path, bytes);
                })
                .await
        };
        let before = async {
            self.before
                .list(folder, &mut |path, bytes| {
                    if path != MARKER_PATH {
                        left.push((path.into(), bytes));
                    }
                })
                .await
        };
        let (now, before) = futures::future::join(now, before).await;
        now?;
        before?;
        for (path, bytes) in left.iter().filter(|(path, _)| !copied.contains(path)) {
            visitor(path, *bytes);
        }
        Ok(())
    }

    async fn remnants(&self) -> Result<Vec<Remnant>, StorageError> {
        self.now.remnants().await
    }

    async fn size(&self, path: &ObjectPath) -> Result<Option<u64>, StorageError> {
        match self.now.size(path).await? {
            None if path.as_str() != MARKER_PATH => self.before.size(path).await,
            size => Ok(size),
        }
    }

    async fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError> {
        match self.now.get(path, bytes_max).await {
            Err(StorageError::Missing { .. }) if path.as_str() != MARKER_PATH => self.before.get(path, bytes_max).await,
            result => result,
        }
    }

    async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError> {
        self.now.put(path, bytes, content_type, overwrite).await
    }

    async fn delete(&self, paths: &[ObjectPath]) -> Result<(), StorageError> {
        self.now.delete(paths).await
    }

    async fn prepare(&self, needs: &Needs) -> Result<(), StorageError> {
        self.now.prepare(needs).await
    }

    async fn sync(&self) -> Result<(), StorageError> {
        self.now.sync().await
    }
}
