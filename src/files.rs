//! The one door through which files of the user are read and written: files only, within bounds, and never a wait.
//!
//! A FIFO that stands in the place of a file would be waited for until somebody writes into it, a device such as
//! `/dev/zero` has no end, and opening some does something. So a file is opened without waiting, and what was opened (not
//! its name, under which something else may lie by now) says what it is.

use std::fmt;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// What stands in the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFile {
    /// A FIFO.
    Fifo,
    /// A device, of characters or blocks.
    Device,
    /// A socket.
    Socket,
    /// A folder.
    Folder,
}

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fifo => "it is a FIFO (a named pipe), not a file",
            Self::Device => "it is a device, not a file",
            Self::Socket => "it is a socket, not a file",
            Self::Folder => "it is a folder, not a file",
        })
    }
}

impl std::error::Error for NoFile {}

impl From<NoFile> for io::Error {
    fn from(found: NoFile) -> Self {
        match found {
            NoFile::Folder => io::Error::new(ErrorKind::IsADirectory, found),
            NoFile::Fifo | NoFile::Device | NoFile::Socket => io::Error::new(ErrorKind::InvalidInput, found),
        }
    }
}

/// Opens a file for reading.
///
/// # Errors
/// What the system says; [`NoFile`] where something else stands there.
pub fn open(path: &Path) -> io::Result<File> {
    opened(path, OpenOptions::new().read(true))
}

/// Reads a file of at most so many bytes.
///
/// # Errors
/// As [`open`]; [`FileTooLarge`](ErrorKind::FileTooLarge) beyond that size.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Reads a text of at most so many bytes.
///
/// # Errors
/// As [`read`]; [`InvalidData`](ErrorKind::InvalidData) where it is no UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read(path, bytes_max)?).map_err(|_| ErrorKind::InvalidData.into())
}

/// Writes a file, which is made where it is missing.
///
/// # Errors
/// As [`open`].
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file = opened(path, OpenOptions::new().write(true).create(true).truncate(false))?;
    // Emptied only now that it is known to be a file.
    file.set_len(0)?;
    file.write_all(bytes.as_ref())
}

/// Refuses what is no file where a library is going to open it by its name; what is missing is none of its concern.
///
/// # Errors
/// [`NoFile`], and what the system says.
pub fn check(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) => regular(found.file_type()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn opened(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    match how.custom_flags(flags.bits().cast_signed()).open(path) {
        Ok(file) => {
            regular(file.metadata()?.file_type())?;
            Ok(file)
        }
        // A socket cannot be opened, nor a FIFO that nobody reads, and what the system says of that tells nobody anything.
        Err(error) => {
            if let Ok(found) = std::fs::metadata(path) {
                regular(found.file_type())?;
            }
            Err(error)
        }
    }
}

fn regular(found: FileType) -> io::Result<()> {
    let found = if found.is_file() {
        return Ok(());
    } else if found.is_fifo() {
        NoFile::Fifo
    } else if found.is_socket() {
        NoFile::Socket
    } else if found.is_dir() {
        NoFile::Folder
    } else {
        NoFile::Device
    };
    Err(found.into())
}

/// Tells whether a file holds exactly these bytes.
pub fn holds(mut file: File, mut bytes: &[u8]) -> io::Result<bool> {
    let mut buffer = [0; 16 * 1_024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(bytes.is_empty()),
            Ok(count) => match bytes.strip_prefix(&buffer[..count]) {
                Some(rest) => bytes = rest,
                None => return Ok(false),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T>(result: io::Result<T>) -> String {
        result.map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    }

    #[test]
    fn only_files_are_read_and_written_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for (path, words) in [
            (at("fifo"), "it is a FIFO (a named pipe), not a file"),
            (at("socket"), "it is a socket, not a file"),
            (at("folder"), "it is a folder, not a file"),
            ("/dev/zero".into(), "it is a device, not a file"),
        ] {
            assert_eq!(told(read(&path, 10)), words);
            assert_eq!(told(write(&path, b"x")), words);
            assert_eq!(told(check(&path)), words);
        }
        assert_eq!(told(check(&at("missing"))), "fine");
        write(&at("file"), b"0123456789").unwrap();
        assert_eq!(read(&at("file"), 10).unwrap(), b"0123456789");
        assert_eq!(read(&at("file"), 9).unwrap_err().kind(), ErrorKind::FileTooLarge);
        write(&at("file"), b"short").unwrap();
        assert_eq!(read_text(&at("file"), 10).unwrap(), "short");
    }
}
