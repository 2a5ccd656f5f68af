//! What has been written to a folder of files and is not yet sure to survive a power cut.
//!
//! Syncing each file as it is written would cost a first apply of 100,000 files its ten minutes, so it is put off until
//! somebody commits to them. A few paths are synced one by one; when there are many, the whole file system is synced at
//! once, which needs no list. So memory is bounded however much is written in between.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fs::File;
use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::folder_walk::{WalkEntry, walk};

/// Paths that are synced one by one, folders included; a paid picture with its renditions has about ten.
const PATHS_MAX: usize = 64;

/// Keeps account of what has to be synced.
#[derive(Default)]
pub(super) struct Durability {
    pending: Mutex<Pending>,
    /// Held throughout a sync: one that finds nothing left to do may not overtake one that is still at it.
    syncing: Mutex<Option<LostWriteBack>>,
}

#[derive(Default)]
struct Pending {
    extent: Extent,
    /// One open folder for each file system that was written to, by its device number: there may be mounts in the root.
    devices: BTreeMap<u64, File>,
}

enum Extent {
    Few(BTreeSet<PathBuf>),
    Many,
}

impl Default for Extent {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

/// A failed write-back. The kernel tells of it once and forgets it (fsync(2)), so we remember: whoever syncs again must
/// not hear that all is well.
struct LostWriteBack {
    path: PathBuf,
    kind: io::ErrorKind,
    words: String,
}

enum FlushError {
    /// Nothing is known to be lost; syncing again may succeed.
    Unreachable(PathBuf, io::Error),
    /// What was written may be gone.
    Lost(PathBuf, io::Error),
}

impl Durability {
    /// Notes a file that has its final name, and its folder, which has a new entry.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub(super) fn note_file(&self, file: &Path, folder: &Path, device: u64) -> io::Result<()> {
        let mut pending = self.pending();
        if let Entry::Vacant(vacant) = pending.devices.entry(device) {
            vacant.insert(File::open(folder)?);
        }
        pending.extent.add(file);
        pending.extent.add(folder);
        Ok(())
    }

    /// Forgets a file that was deleted: there is nothing left of it to sync but that its folder lost it.
    pub(super) fn forget_file(&self, file: &Path) {
        if let Extent::Few(paths) = &mut self.pending().extent {
            paths.remove(file);
        }
    }

    /// Notes a folder that has, or may have, a new folder in it. It is synced together with the files noted later.
    pub(super) fn note_folder(&self, folder: &Path) {
        self.pending().extent.add(folder);
    }

    /// Makes all that was noted so far durable.
    ///
    /// # Errors
    /// With the path that could not be synced. Everything stays noted, and a failed write-back fails every later sync.
    pub(super) fn sync(&self, root: &Path) -> Result<(), (PathBuf, io::Error)> {
        let mut lost = self.syncing.lock().expect("nobody panics while syncing");
        if let Some(LostWriteBack { path, kind, words }) = &*lost {
            return Err((path.clone(), io::Error::new(*kind, words.clone())));
        }
        let taken = mem::take(&mut *self.pending());
        let Err(error) = taken.flush(root) else { return Ok(()) };
        self.pending().merge(taken);
        match error {
            FlushError::Unreachable(path, source) => Err((path, source)),
            FlushError::Lost(path, source) => {
                *lost = Some(LostWriteBack { path: path.clone(), kind: source.kind(), words: source.to_string() });
                Err((path, source))
            }
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().expect("nobody panics while holding the account")
    }
}

impl Pending {
    fn merge(&mut self, other: Self) {
        let Self { extent, devices } = other;
        self.devices.extend(devices);
        match extent {
            Extent::Few(paths) => paths.iter().for_each(|path| self.extent.add(path)),
            Extent::Many => self.extent = Extent::Many,
        }
    }

    fn flush(&self, root: &Path) -> Result<(), FlushError> {
        match &self.extent {
            Extent::Few(paths) => paths.iter().try_for_each(|path| flush_path(path)),
            Extent::Many => self.devices.values().try_for_each(|device| match flush_device(device) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => flush_tree(root),
                result => result.map_err(|error| FlushError::Lost(root.to_owned(), error)),
            }),
        }
    }
}

impl Extent {
    fn add(&mut self, path: &Path) {
        match self {
            Self::Few(paths) if paths.contains(path) => {}
            Self::Few(paths) if paths.len() < PATHS_MAX => {
                paths.insert(path.to_owned());
            }
            Self::Few(_) => *self = Self::Many,
            Self::Many => {}
        }
    }
}

/// Syncs one file or folder, through a handle of its own: fsync covers the file, whoever wrote it.
fn flush_path(path: &Path) -> Result<(), FlushError> {
    let unreachable = |error| FlushError::Unreachable(path.to_owned(), error);
    let file = File::open(path).map_err(unreachable)?;
    let is_folder = file.metadata().map_err(unreachable)?.is_dir();
    match file.sync_all() {
        // Some network file systems know no fsync of a folder; they have nothing to sync there.
        Err(error) if is_folder && error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result.map_err(|error| FlushError::Lost(path.to_owned(), error)),
    }
}

/// Syncs the whole file system of an open folder. Reports failed write-backs since Linux 5.8 (syncfs(2)).
#[cfg(target_os = "linux")]
fn flush_device(folder: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

/// Says that there is no such call here.
#[cfg(not(target_os = "linux"))]
fn flush_device(_folder: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Syncs every file and folder below the root, one by one: slow, and right where nothing faster is known.
fn flush_tree(root: &Path) -> Result<(), FlushError> {
    let mut failure = None;
    let walked = walk(root, "", &mut |found| {
        let (WalkEntry::Folder(path) | WalkEntry::File(path, _)) = found else { return Ok(ControlFlow::Continue(())) };
        Ok(match flush_path(&root.join(path)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })
    });
    match (failure, walked) {
        (Some(error), _) => Err(error),
        (None, walked) => walked.map_err(|(folder, error)| FlushError::Unreachable(root.join(folder), error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn note(durability: &Durability, file: &Path) {
        let folder = file.parent().unwrap();
        durability.note_file(file, folder, fs::metadata(folder).unwrap().dev()).unwrap();
    }

    fn is_many(durability: &Durability) -> bool {
        matches!(durability.pending().extent, Extent::Many)
    }

    #[test]
    fn many_files_take_no_more_memory_than_a_few() {
        let root = tempfile::tempdir().unwrap();
        let durability = Durability::default();
        for number in 0..PATHS_MAX - 1 {
            note(&durability, &root.path().join(number.to_string()));
        }
        assert!(!is_many(&durability), "as many as the limit, with the folder");
        note(&durability, &root.path().join("another"));
        assert!(is_many(&durability));
        durability.sync(root.path()).unwrap();
        assert!(!is_many(&durability), "a sync starts the account anew");
        assert!(durability.pending().devices.is_empty());
    }

    #[test]
    fn a_file_that_vanished_fails_the_sync_until_it_is_back() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        let durability = Durability::default();
        note(&durability, &file);
        for _ in 0..2 {
            let (path, error) = durability.sync(root.path()).unwrap_err();
            assert_eq!((path, error.kind()), (file.clone(), io::ErrorKind::NotFound));
        }
        fs::write(&file, b"bytes").unwrap();
        durability.sync(root.path()).unwrap();
    }

    #[test]
    fn a_failed_write_back_is_never_forgotten() {
        let durability = Durability::default();
        // A file that can be opened and not be synced.
        let file = Path::new("/proc/self/status");
        note(&durability, file);
        let root = tempfile::tempdir().unwrap();
        let first = durability.sync(root.path()).unwrap_err();
        durability.pending().extent = Extent::default();
        let second = durability.sync(root.path()).unwrap_err();
        assert_eq!(first.1.kind(), io::ErrorKind::InvalidInput);
        assert_eq!((first.0, first.1.to_string()), (second.0, second.1.to_string()));
    }

    #[test]
    fn a_whole_tree_can_be_synced_path_by_path() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/file"), b"bytes").unwrap();
        assert!(flush_tree(root.path()).is_ok());
    }
}
