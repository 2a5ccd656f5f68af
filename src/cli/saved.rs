//! Files that people edit, written whole: beside other runs of pixform, and beside an editor that saves meanwhile.
//!
//! Runs keep one another out by a lock on the folder, which leaves no file behind and ends with its process. Editors know
//! nothing of it, so what a file is replaced with changes places with what was there, in one step, and that is looked at:
//! nothing that somebody else saved is lost, and nothing is called done that is not there.

use std::fs::{File, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::apply::crash_point;
use crate::engine::MANIFEST_BYTES_MAX;
use crate::files;

use super::Failure;

/// For how long another run is waited for; what it does takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked whether it is done.
const ASKED_EVERY: Duration = Duration::from_millis(10);
/// The rights of a new file, less what the process masks.
const NEW_FILE_MODE: u32 = 0o666;

/// The folder of a file, in which no other run of pixform replaces anything for as long as this value lives.
pub struct Locked {
    folder: PathBuf,
    /// `None` where the file system has no locks on folders.
    _lock: Option<File>,
}

impl Locked {
    /// Locks the folder in which a file really lies; another run is waited for.
    ///
    /// # Errors
    /// When the file is not there, or another run stands still in that folder.
    pub fn folder_of(path: &Path) -> Result<Self, Failure> {
        let failure = |source| Failure::write(path, source);
        let real = path.canonicalize().map_err(failure)?;
        let folder = real.parent().unwrap_or(Path::new("/")).to_path_buf();
        let opened = File::open(&folder).map_err(failure)?;
        let begun = Instant::now();
        loop {
            match opened.try_lock() {
                Ok(()) => return Ok(Self { folder, _lock: Some(opened) }),
                // A file system that locks no folders has files compared all the same.
                Err(TryLockError::Error(_)) => return Ok(Self { folder, _lock: None }),
                Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => {
                    let message = format!("`{}` was left as it is: another run is writing beside it", path.display());
                    return Err(Failure::usage(message, "wait for it, or end it, and run this again"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(ASKED_EVERY),
            }
        }
    }

    /// Replaces a file in one step, whatever happens on the way, if it still says what it said before; a link stays a
    /// link, and rights stay what they were.
    ///
    /// # Errors
    /// When the file was saved by somebody else meanwhile, or cannot be written.
    pub fn replace(&self, path: &Path, before: &str, after: &str) -> Result<(), Failure> {
        let failure = |source| Failure::write(path, source);
        let real = path.canonicalize().map_err(failure)?;
        if real.parent() != Some(&self.folder) {
            return Err(changed(path));
        }
        let mut file = NamedTempFile::new_in(&self.folder).map_err(failure)?;
        file.write_all(after.as_bytes()).map_err(failure)?;
        let rights = std::fs::metadata(&real).map_err(failure)?.permissions();
        if rights.readonly() {
            // A new file in its place would not ask for the right to write into it.
            return Err(failure(ErrorKind::PermissionDenied.into()));
        }
        file.as_file().set_permissions(rights).map_err(failure)?;
        file.as_file().sync_all().map_err(failure)?;
        if files::read(&real, MANIFEST_BYTES_MAX).map_err(failure)? != before.as_bytes() {
            return Err(changed(path));
        }
        crash_point("manifest-compared");
        match exchange(file.path(), &real) {
            Ok(()) => {
                // The old file lies at the other name now. It is what an editor saved last, if that was not what was read.
                if files::read(file.path(), MANIFEST_BYTES_MAX).map_err(failure)? != before.as_bytes() {
                    exchange(file.path(), &real).map_err(|errno| failure(errno.into()))?;
                    return Err(changed(path));
                }
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                file.persist(&real).map_err(|error| failure(error.error))?;
            }
            Err(errno) => return Err(failure(errno.into())),
        }
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failure)
    }
}

/// Writes a file that is not there, whole or not at all; one that is there stays as it is.
///
/// # Errors
/// When it cannot be written.
pub fn create(path: &Path, text: &str) -> Result<Created, Failure> {
    let failure = |source| Failure::write(path, source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failure)?;
    let mut builder = tempfile::Builder::new();
    let mut file = builder.permissions(Permissions::from_mode(NEW_FILE_MODE)).tempfile_in(folder).map_err(failure)?;
    file.write_all(text.as_bytes()).map_err(failure)?;
    file.as_file().sync_all().map_err(failure)?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Ok(Created::There),
        Err(error) => return Err(failure(error.error)),
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failure)?;
    Ok(Created::Written)
}

/// What became of a file that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    Written,
    /// A file of this name was there before, and stays.
    There,
}

fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

fn changed(path: &Path) -> Failure {
    let help = "somebody saved it in between: look at it, and run this again";
    Failure::usage(format!("`{}` was left as it is: it has changed", path.display()), help)
}
