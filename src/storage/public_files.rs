//! Published files for whoever serves them: opened in a folder of this machine, and only what was published.
//!
//! The folder may be a stranger's target: a path is legal letters below the root, links are not followed, originals and
//! hidden files are nobody's business.

use std::fs::{File, Metadata};

use super::file_storage::FileStorage;
use super::store_options::Location;
use super::{ORIGINALS, Storage as _, StorageError, Stores};
use crate::asset::ObjectPath;

/// The published files of an environment that lie in folders of this machine.
#[derive(Default)]
pub struct PublicFiles {
    folders: Vec<FileStorage>,
}

impl PublicFiles {
    /// Takes the stores that are folders: the one in use, and the one before.
    ///
    /// # Errors
    /// When a URL cannot be read.
    pub fn of(stores: &Stores) -> Result<Self, StorageError> {
        let mut folders = Vec::new();
        for settings in [Some(&stores.main), stores.previous.as_ref()].into_iter().flatten() {
            if let Location::File(path) = settings.location()? {
                folders.push(FileStorage::new(path));
            }
        }
        Ok(Self { folders })
    }

    /// Tells whether there is any folder.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// Opens a published file, whole and without following a link; `None` where there is none, or where it is none.
    /// Blocks.
    ///
    /// # Errors
    /// When a file that is there cannot be opened.
    pub fn open(&self, path: &ObjectPath) -> Result<Option<(File, Metadata)>, StorageError> {
        let hidden = path.as_str().split('/').any(|segment| segment.starts_with('.'));
        let first = path.as_str().split('/').next().unwrap_or_default();
        if hidden || first.eq_ignore_ascii_case(ORIGINALS) {
            return Ok(None);
        }
        for folder in &self.folders {
            if let Some(found) = folder.open(path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Returns the folders, for people.
    pub fn describe(&self) -> Vec<String> {
        self.folders.iter().map(FileStorage::describe).collect()
    }
}
