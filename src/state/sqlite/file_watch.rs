//! Whether the file changed: asked of one connection that stays open and idle, which costs a fraction of reading it.
//!
//! SQLite counts for each connection what others have committed (`data_version`). A file that was replaced, and one whose
//! last writer died in the middle of a transaction, are told by what the file system says of them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failure::SqliteFailure;
use super::file::{is_there, journal_of, lock};

/// A connection that only tells whether others have committed something.
#[derive(Debug, Default)]
pub(super) struct Watch {
    idle: Mutex<Option<IdleConnection>>,
}

#[derive(Debug)]
struct IdleConnection {
    connection: Connection,
    /// Device and number of the file that it was opened on.
    file: (u64, u64),
    /// Which connection this is: each counts from anew.
    number: u64,
    /// What it said last.
    said: String,
}

/// Returns how often others have committed, as this connection counts.
pub(super) fn data_version(connection: &Connection) -> Result<i64, SqliteFailure> {
    Ok(connection.query_row("PRAGMA data_version", [], |row| row.get(0))?)
}

impl Watch {
    /// Returns a text that differs once something was committed to the file, or the file is another one.
    pub(super) fn look(&self, path: &Path) -> Result<String, SqliteFailure> {
        if !is_there(path)? {
            *lock(&self.idle) = None;
            return Ok("absent".to_owned());
        }
        let found = fs::metadata(path)?;
        let file = (found.dev(), found.ino());
        let mut idle = lock(&self.idle);
        let mut open = match idle.take() {
            Some(open) if open.file == file => open,
            _ => IdleConnection::open(path, file)?,
        };
        match data_version(&open.connection) {
            Ok(count) => open.said = format!("{}:{count}", open.number),
            // Somebody is committing at this moment: what was said last still holds.
            Err(failure) if failure.is_busy() => {}
            // Whoever reads has to make a copy, as long as nobody has rolled this back.
            Err(failure) if failure.is_hot_journal() => return Ok(hot(path)),
            Err(failure) => return Err(failure),
        }
        let said = open.said.clone();
        *idle = Some(open);
        Ok(said)
    }
}

impl IdleConnection {
    fn open(path: &Path, file: (u64, u64)) -> Result<Self, SqliteFailure> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(Self { connection, file, number: NUMBER.fetch_add(1, Ordering::Relaxed), said: "busy".to_owned() })
    }
}

/// Tells a file with a journal that is to be rolled back from itself at another time.
fn hot(path: &Path) -> String {
    let stamp = |path: &Path| fs::metadata(path).map(|found| (found.ino(), found.len(), found.modified().ok())).ok();
    format!("journal:{:?}:{:?}", stamp(path), stamp(&journal_of(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_of_another_connection_and_another_file_are_told_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let watch = Watch::default();
        assert_eq!(watch.look(&path).unwrap(), "absent");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (c)").unwrap();
        let first = watch.look(&path).unwrap();
        assert_eq!(watch.look(&path).unwrap(), first);
        writer.execute_batch("BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)").unwrap();
        assert_eq!(watch.look(&path).unwrap(), first, "nothing is committed yet");
        writer.execute_batch("COMMIT").unwrap();
        let second = watch.look(&path).unwrap();
        assert_ne!(second, first);
        fs::copy(&path, folder.path().join("other")).unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert_ne!(watch.look(&path).unwrap(), second);
    }
}
