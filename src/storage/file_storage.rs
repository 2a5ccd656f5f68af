//! A storage in a folder of the file system.
//!
//! A file is written under a hidden name beside its place and then renamed, so readers see all of it or nothing, and a
//! killed writer leaves only a hidden file that nobody lists. Symbolic links inside the root are neither listed, read
//! nor written through; the root itself may be one. That guards against what lies there, not against somebody who swaps
//! folders for links while we write: who may write to the root is trusted.

use std::collections::HashSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::Access;
use tokio::sync::mpsc;
use tokio::task;

use super::durability::Durability;
use super::folder_walk::{TEMPORARY_PREFIX, WalkEntry, present, walk};
use super::listing_batch::ListingBatch;
use super::remnant::below;
use super::{
    FileVisitor, Needs, Overwrite, Remnant, Storage, StorageError, check_folder, complaint, different, too_large,
};
use crate::asset::ObjectPath;
use crate::files;

/// Folders remembered as made, so that not every put asks again; originals have a folder each.
const FOLDERS_KNOWN_MAX: usize = 4_096;
/// Files that a listing hands over at once, from the thread that reads folders.
const BATCH_FILES: usize = 1_000;
/// Batches that may wait for the visitor.
const BATCHES_WAITING_MAX: usize = 4;
/// What published files and originals may be read by, before the umask: a web server reads them, too.
const FILE_MODE: u32 = 0o644;

/// Files below a root folder.
pub(super) struct FileStorage {
    folder: Arc<Folder>,
}

struct Folder {
    root: PathBuf,
    known: Mutex<HashSet<String>>,
    durability: Durability,
}

impl FileStorage {
    /// Takes the root, which need not exist.
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        let (known, durability) = (Mutex::default(), Durability::default());
        Self { folder: Arc::new(Folder { root: root.into(), known, durability }) }
    }

    /// Opens a file for reading, following no link; `None` where there is none. Blocks.
    pub(super) fn open(&self, path: &ObjectPath) -> Result<Option<(File, Metadata)>, StorageError> {
        let failure = |error| self.folder.failure("read", path.as_str(), Access::EXEC_OK, error);
        if self.folder.look(path.as_str()).map_err(failure)?.is_none_or(|found| !found.is_file()) {
            return Ok(None);
        }
        let Some(file) = present(files::open(&self.folder.absolute(path.as_str()))).map_err(failure)? else {
            return Ok(None);
        };
        let found = file.metadata().map_err(failure)?;
        Ok(found.is_file().then_some((file, found)))
    }

    /// Does work on the file system on a thread that may wait for it.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let folder = Arc::clone(&self.folder);
        match task::spawn_blocking(move || work(&folder)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(cause) => panic::resume_unwind(cause),
                Err(error) => Err(self.folder.unusable(io::Error::other(error))),
            },
        }
    }
}

#[async_trait]
impl Storage for FileStorage {
    fn describe(&self) -> String {
        self.folder.describe()
    }

    async fn list(&self, folder: &str, visitor: FileVisitor<'_>) -> Result<(), StorageError> {
        check_folder(folder)?;
        let folder = folder.to_owned();
        let (sender, mut receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        let walking = self.on_disk(move |root| root.list(&folder, &sender));
        let visiting = async {
            while let Some(batch) = receiver.recv().await {
                batch.visit(visitor);
            }
        };
        let (walked, ()) = tokio::join!(walking, visiting);
        walked
    }

    async fn remnants(&self) -> Result<Vec<Remnant>, StorageError> {
        let failed = |root: &Folder, path: &str, error| root.failure("list", path, Access::READ_OK, error);
        self.on_disk(move |root| below(&root.root).map_err(|(path, error)| failed(root, &path, error))).await
    }

    async fn size(&self, path: &ObjectPath) -> Result<Option<u64>, StorageError> {
        let path = path.clone();
        self.on_disk(move |root| match root.look(path.as_str()) {
            Ok(found) => Ok(found.filter(Metadata::is_file).map(|metadata| metadata.len())),
            Err(error) => Err(root.failure("look at", path.as_str(), Access::EXEC_OK, error)),
        })
        .await
    }

    async fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError> {
        let path = path.clone();
        self.on_disk(move |root| root.get(&path, bytes_max)).await
    }

    async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        _content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError> {
        let path = path.clone();
        self.on_disk(move |root| root.put(&path, &bytes, overwrite)).await
    }

    async fn delete(&self, paths: &[ObjectPath]) -> Result<(), StorageError> {
        let paths = paths.to_vec();
        self.on_disk(move |root| paths.iter().try_for_each(|path| root.delete(path))).await
    }

    /// Does nothing: what is wrong with a folder is told by the first file that is put.
    async fn prepare(&self, _: &Needs) -> Result<(), StorageError> {
        Ok(())
    }

    async fn sync(&self) -> Result<(), StorageError> {
        self.on_disk(Folder::sync).await
    }
}

/// How an attempt to write ended, short of an error.
enum PutOutcome {
    Done,
    Different { found: u64 },
}

impl Folder {
    fn describe(&self) -> String {
        format!("file:{}", self.root.display())
    }

    fn list(&self, folder: &str, sender: &mpsc::Sender<ListingBatch>) -> Result<(), StorageError> {
        let failure = |path: &str, error| self.failure("list", path, Access::READ_OK | Access::EXEC_OK, error);
        if !self.look(folder).map_err(|error| failure(folder, error))?.is_some_and(|found| found.is_dir()) {
            return Ok(());
        }
        let mut batch = ListingBatch::default();
        let walked = walk(&self.root, folder, &mut |found| {
            let WalkEntry::File(path, bytes) = found else { return Ok(ControlFlow::Continue(())) };
            batch.paths.push_str(path);
            batch.files.push((batch.paths.len(), bytes));
            if batch.files.len() < BATCH_FILES {
                return Ok(ControlFlow::Continue(()));
            }
            // Nobody listens any more when the future was dropped.
            let sent = sender.blocking_send(std::mem::take(&mut batch));
            Ok(if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        walked.map_err(|(path, error)| failure(&path, error))?;
        let _ = sender.blocking_send(batch);
        Ok(())
    }

    fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError> {
        let failure = |error| self.failure("read", path.as_str(), Access::EXEC_OK, error);
        let missing = || StorageError::Missing { path: path.to_string() };
        let found = self.look(path.as_str()).map_err(failure)?.filter(Metadata::is_file);
        let found = found.ok_or_else(missing)?.len();
        if found > bytes_max {
            return Err(too_large(path, found, bytes_max));
        }
        let file = present(files::open(&self.absolute(path.as_str()))).map_err(failure)?.ok_or_else(missing)?;
        let mut bytes = Vec::with_capacity(usize::try_from(found).unwrap_or_default());
        // It may have been replaced by a larger one meanwhile.
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failure)?;
        match bytes.len() as u64 {
            found if found > bytes_max => Err(too_large(path, found, bytes_max)),
            _ => Ok(bytes.into()),
        }
    }

    fn put(&self, path: &ObjectPath, bytes: &[u8], overwrite: Overwrite) -> Result<(), StorageError> {
        let mut placed = self.place(path.as_str(), bytes, overwrite);
        if placed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            // Somebody removed a folder that we made or saw. Once is no reason to fail.
            self.known().clear();
            placed = self.place(path.as_str(), bytes, overwrite);
        }
        match placed {
            Ok(PutOutcome::Done) => Ok(()),
            Ok(PutOutcome::Different { found }) => {
                let there = (found == bytes.len() as u64)
                    .then(|| files::read(&self.absolute(path.as_str()), bytes.len() as u64).ok())
                    .flatten();
                Err(different(path, found, there.as_deref(), bytes))
            }
            Err(error) => Err(self.failure("write", path.as_str(), Access::WRITE_OK | Access::EXEC_OK, error)),
        }
    }

    /// Removes a file, never what a link leads to; folders stay.
    fn delete(&self, path: &ObjectPath) -> Result<(), StorageError> {
        let failure = |error| self.failure("delete", path.as_str(), Access::WRITE_OK | Access::EXEC_OK, error);
        match self.look(path.as_str()).map_err(failure)?.filter(Metadata::is_file) {
            Some(_) => {
                let file = self.absolute(path.as_str());
                present(fs::remove_file(&file)).map_err(failure)?;
                self.durability.forget_file(&file);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), StorageError> {
        let Err((path, error)) = self.durability.sync(&self.root) else { return Ok(()) };
        let path = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
        Err(match error.kind() {
            io::ErrorKind::NotFound => StorageError::Missing { path },
            _ => self.failure("sync", &path, Access::EXEC_OK, error),
        })
    }

    /// Writes beside the place, then gives it the name.
    fn place(&self, path: &str, bytes: &[u8], overwrite: Overwrite) -> io::Result<PutOutcome> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.starts_with(TEMPORARY_PREFIX) {
            return Err(complaint("names of unfinished files begin so, and are never listed"));
        }
        let (folder, target) = (self.make_folder(parent)?, self.absolute(path));
        if overwrite == Overwrite::Never
            && let Some(placed) = self.compare(&target, &folder, bytes)?
        {
            return Ok(placed);
        }
        // With our own way of opening, since tempfile's default mode is 0600 and its errors hold the random name.
        let open = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path);
        let mut temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).make_in(&folder, open)?;
        temporary.as_file_mut().write_all(bytes)?;
        let device = temporary.as_file().metadata()?.dev();
        let persisted = match overwrite {
            Overwrite::Never => temporary.persist_noclobber(&target),
            Overwrite::Replace => temporary.persist(&target),
        };
        match persisted {
            Ok(_) => {}
            // Another writer was faster.
            Err(error) if overwrite == Overwrite::Never && error.error.kind() == io::ErrorKind::AlreadyExists => {
                return self.compare(&target, &folder, bytes)?.ok_or(error.error);
            }
            Err(error) => return Err(error.error),
        }
        self.durability.note_file(&target, &folder, device)?;
        Ok(PutOutcome::Done)
    }

    /// Compares with what lies at a place already, if anything does. The same bytes are ours from now on: another run
    /// may have written them and died before it made them durable.
    fn compare(&self, target: &Path, folder: &Path, bytes: &[u8]) -> io::Result<Option<PutOutcome>> {
        let Some(metadata) = present(fs::symlink_metadata(target))? else { return Ok(None) };
        if !metadata.is_file() {
            return Err(complaint("a folder, a symbolic link or a device is in its place"));
        }
        let found = metadata.len();
        if found != bytes.len() as u64 {
            return Ok(Some(PutOutcome::Different { found }));
        }
        let Some(file) = present(files::open(target))? else { return Ok(None) };
        if !files::holds(file, bytes)? {
            return Ok(Some(PutOutcome::Different { found }));
        }
        self.durability.note_file(target, folder, metadata.dev())?;
        Ok(Some(PutOutcome::Done))
    }

    /// Makes a folder below the root, and the root, where they are missing.
    fn make_folder(&self, folder: &str) -> io::Result<PathBuf> {
        let absolute = self.absolute(folder);
        if self.known().contains(folder) {
            return Ok(absolute);
        }
        if folder.is_empty() {
            self.make_root()?;
        } else {
            let parent = self.make_folder(folder.rsplit_once('/').map_or("", |(parent, _)| parent))?;
            match fs::create_dir(&absolute) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !fs::symlink_metadata(&absolute)?.is_dir() {
                        return Err(complaint("a file or a symbolic link is in the place of its folder"));
                    }
                }
                Err(error) => return Err(error),
            }
            // Also when it was there: another run may have made it and died before it made it durable.
            self.durability.note_folder(&parent);
        }
        // Known only after it is noted, or another thread could put a file into it and sync without it.
        let mut known = self.known();
        if known.len() >= FOLDERS_KNOWN_MAX {
            known.clear();
        }
        known.insert(folder.to_owned());
        Ok(absolute)
    }

    fn make_root(&self) -> io::Result<()> {
        match present(fs::metadata(&self.root))? {
            Some(found) if found.is_dir() => return Ok(()),
            Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
            None => {}
        }
        let ancestors = self.root.ancestors().filter(|path| !path.as_os_str().is_empty());
        let missing: Vec<&Path> = ancestors.take_while(|path| !path.exists()).collect();
        fs::create_dir_all(&self.root)?;
        for made in missing {
            let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
            self.durability.note_folder(parent.unwrap_or(Path::new(".")));
        }
        Ok(())
    }

    /// Looks at what lies at a path, without following any link; `""` is the root.
    fn look(&self, path: &str) -> io::Result<Option<Metadata>> {
        let Some(root) = present(fs::metadata(&self.root))? else { return Ok(None) };
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let mut found = root;
        for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]).filter(|end| *end > 0) {
            if !found.is_dir() {
                return Ok(None);
            }
            match present(fs::symlink_metadata(self.absolute(&path[..end])))? {
                Some(metadata) => found = metadata,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// Puts an error into our words: where the root cannot be used at all, no single path is to blame.
    fn failure(&self, action: &'static str, path: &str, needed: Access, source: io::Error) -> StorageError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full { path, source },
            _ if !self.root.is_dir() || rustix::fs::access(&self.root, needed).is_err() => self.unusable(source),
            _ => StorageError::Io { action, path, source },
        }
    }

    fn unusable(&self, source: io::Error) -> StorageError {
        StorageError::Unusable { root: self.describe(), source }
    }

    fn absolute(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    fn known(&self) -> MutexGuard<'_, HashSet<String>> {
        self.known.lock().expect("nobody panics while holding the folders")
    }
}
