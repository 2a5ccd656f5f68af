//! Two stores as one: originals in one of them, what is published in the other.
//!
//! Originals are nobody's but ours, so their bucket can be private while visitors read the other. The marker lies with
//! them: it says whose originals these are.

use async_trait::async_trait;
use bytes::Bytes;

use super::{FileVisitor, FilesToPut, Needs, ORIGINALS, Overwrite, Readers, Remnant, Storage, StorageError};
use crate::asset::ObjectPath;

/// A store for what is published and one for the originals.
pub struct Divided {
    published: Box<dyn Storage>,
    originals: Box<dyn Storage>,
}

impl Divided {
    /// Puts two stores together.
    pub fn new(published: Box<dyn Storage>, originals: Box<dyn Storage>) -> Self {
        Self { published, originals }
    }

    /// Returns the store that a path or a folder lies in.
    fn of(&self, path: &str) -> &dyn Storage {
        if is_original(path) { &*self.originals } else { &*self.published }
    }
}

fn is_original(path: &str) -> bool {
    path.strip_prefix(ORIGINALS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[async_trait]
impl Storage for Divided {
    fn describe(&self) -> String {
        format!("{}, originals in {}", self.published.describe(), self.originals.describe())
    }

    async fn list(&self, folder: &str, visitor: FileVisitor<'_>) -> Result<(), StorageError> {
        if !folder.is_empty() {
            return self.of(folder).list(folder, visitor).await;
        }
        // Originals that lie in the wrong store are not seen there: nobody would find them by their path.
        self.published
            .list(folder, &mut |path, bytes| {
                if !is_original(path) {
                    visitor(path, bytes);
                }
            })
            .await?;
        self.originals.list(ORIGINALS, visitor).await
    }

    async fn remnants(&self) -> Result<Vec<Remnant>, StorageError> {
        let mut remnants = self.published.remnants().await?;
        remnants.retain(|remnant| !remnant.path.is_original());
        let originals = self.originals.remnants().await?;
        remnants.extend(originals.into_iter().filter(|remnant| remnant.path.is_original()));
        Ok(remnants)
    }

    async fn size(&self, path: &ObjectPath) -> Result<Option<u64>, StorageError> {
        self.of(path.as_str()).size(path).await
    }

    async fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError> {
        self.of(path.as_str()).get(path, bytes_max).await
    }

    async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError> {
        self.of(path.as_str()).put(path, bytes, content_type, overwrite).await
    }

    async fn delete(&self, paths: &[ObjectPath]) -> Result<(), StorageError> {
        let (originals, published): (Vec<ObjectPath>, Vec<ObjectPath>) =
            paths.iter().cloned().partition(|path| path.is_original());
        self.published.delete(&published).await?;
        self.originals.delete(&originals).await
    }

    async fn prepare(&self, needs: &Needs) -> Result<(), StorageError> {
        let Needs { published, originals, readers } = needs;
        let none = FilesToPut::default;
        let public = Needs { published: published.clone(), originals: none(), readers: *readers };
        let kept = Needs { published: none(), originals: originals.clone(), readers: Readers::Nobody };
        self.published.prepare(&public).await?;
        self.originals.prepare(&kept).await
    }

    async fn sync(&self) -> Result<(), StorageError> {
        self.published.sync().await?;
        self.originals.sync().await
    }
}
