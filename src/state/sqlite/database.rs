//! The SQLite file itself: how it is opened, read and written, and what a reader does after a crash.
//!
//! A writer keeps one connection. A reader opens the file anew for each question, which costs a fraction of a
//! millisecond and means that it always sees what is there now: a file that has appeared, a journal that has gone.
//!
//! A writer that died in the middle of a transaction leaves a hot journal behind. Whoever reads next has to roll it
//! back first, and that writes. A reader must not, so it copies both files and rolls the copy back. The copy is whole
//! because the journal is compared after the database was copied: whoever had rolled it back in between would have
//! removed it, and as long as it stands unchanged, it holds every page that can differ.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tempfile::TempDir;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::failure::SqliteFailure;
use super::file::{is_there, journal_of, lock};
use super::file_watch::{Watch, data_version};
use crate::files;
use crate::state::{Access, StateError};

/// How long a lock that somebody else holds is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a reader looks again when a journal appears and vanishes under its eyes.
const LOOKS_MAX: usize = 5;

/// A SQLite database, opened one way or the other.
#[derive(Debug)]
pub(super) struct SqliteDatabase {
    path: PathBuf,
    patience: Duration,
    connections: Connections,
    watch: Watch,
}

#[derive(Debug)]
enum Connections {
    /// A writer's connection, kept for as long as the state is open.
    Kept(Mutex<Connection>),
    /// A reader's: opened for each question. The copy is the last one made of a database with a hot journal.
    Opened(Mutex<Option<Copy>>),
}

/// A rolled-back copy of a database that a dead writer left in the middle of a transaction.
#[derive(Debug)]
struct Copy {
    folder: TempDir,
    of: [FileStamp; 2],
}

/// What tells one state of a file from another without reading it.
type FileStamp = (u64, Option<SystemTime>);

impl SqliteDatabase {
    /// Opens the file, or a database in memory for the path `:memory:`.
    pub(super) fn open(path: &str, access: Access, patience: Duration) -> Result<Self, StateError> {
        let path = PathBuf::from(path);
        let connections = match access {
            Access::Write => keep(&path, patience).map(|connection| Connections::Kept(Mutex::new(connection))),
            Access::Read => Ok(Connections::Opened(Mutex::new(None))),
        };
        let connections = connections.map_err(|failure| failure.told("be opened", &path, patience))?;
        let database = Self { path, patience, connections, watch: Watch::default() };
        database.read("be opened", |_| Ok(()))?;
        Ok(database)
    }

    /// Runs a question in a transaction that sees one moment.
    pub(super) fn read<T>(
        &self,
        action: &'static str,
        ask: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
    ) -> Result<T, StateError> {
        let answer = off_the_runtime(|| match &self.connections {
            Connections::Kept(connection) => {
                let connection = lock(connection);
                let transaction = connection.unchecked_transaction()?;
                ask(&transaction)
            }
            Connections::Opened(copy) => ask(&self.reader(copy)?),
        });
        answer.map_err(|failure| failure.told(action, &self.path, self.patience))
    }

    /// Returns a text that differs once something was committed since.
    pub(super) fn version(&self, action: &'static str) -> Result<String, StateError> {
        let answer = off_the_runtime(|| match &self.connections {
            Connections::Kept(connection) => {
                let connection = lock(connection);
                Ok(format!("{}:{}", data_version(&connection)?, connection.total_changes()))
            }
            Connections::Opened(_) => self.watch.look(&self.path),
        });
        answer.map_err(|failure| failure.told(action, &self.path, self.patience))
    }

    /// Runs changes in a transaction that nobody else writes beside, and makes them last.
    pub(super) fn write<T>(
        &self,
        action: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, SqliteFailure>,
    ) -> Result<T, StateError> {
        let answer = off_the_runtime(|| {
            let Connections::Kept(connection) = &self.connections else {
                return Err(SqliteFailure::from(StateError::refused(action, "it was opened for reading only")));
            };
            let mut connection = lock(connection);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = change(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        });
        answer.map_err(|failure| failure.told(action, &self.path, self.patience))
    }

    /// Opens the file for one question and begins the transaction in which it is asked.
    fn reader(&self, copy: &Mutex<Option<Copy>>) -> Result<Connection, SqliteFailure> {
        for _ in 0..LOOKS_MAX {
            if !is_there(&self.path)? {
                return Ok(Connection::open_in_memory()?);
            }
            match begin_reading(&self.path, self.patience) {
                Err(failure) if failure.is_hot_journal() => {}
                answer => return answer,
            }
            let mut copy = lock(copy);
            if let Some(file) = current(&mut copy, &self.path)? {
                return begin_reading(&file, self.patience);
            }
        }
        Err(StateError::Busy { seconds: self.patience.as_secs() }.into())
    }
}

/// Runs what blocks without holding up other tasks, where the runtime can do that.
fn off_the_runtime<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Opens a writer's connection, creating what is missing.
fn keep(path: &Path, patience: Duration) -> Result<Connection, SqliteFailure> {
    if !is_there(path)?
        && let Some(folder) = path.parent()
    {
        fs::create_dir_all(folder)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    // Not WAL: a database in WAL mode cannot be read in a read-only folder.
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn begin_reading(path: &Path, patience: Duration) -> Result<Connection, SqliteFailure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    // The transaction begins with its first question. It ends when the connection is closed.
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    Ok(connection)
}

/// Returns the file of a copy of the database as it is now; `None` when the journal has gone meanwhile.
fn current(copy: &mut Option<Copy>, path: &Path) -> Result<Option<PathBuf>, SqliteFailure> {
    let path = fs::canonicalize(path)?;
    let journal = journal_of(&path);
    let Some(of) = stamps(&path, &journal)? else { return Ok(None) };
    let folder = match copy.take() {
        Some(copy) if copy.of == of => copy.folder,
        _ => match rolled_back(&path, &journal)? {
            Some(folder) => folder,
            None => return Ok(None),
        },
    };
    let file = copied(&folder);
    *copy = Some(Copy { folder, of });
    Ok(Some(file))
}

fn copied(folder: &TempDir) -> PathBuf {
    folder.path().join("state.db")
}

fn stamps(path: &Path, journal: &Path) -> Result<Option<[FileStamp; 2]>, SqliteFailure> {
    let stamp = |path: &Path| fs::metadata(path).map(|found| (found.len(), found.modified().ok()));
    Ok(unless_gone(stamp(journal))?.zip(unless_gone(stamp(path))?).map(|(journal, path)| [journal, path]))
}

fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies database and journal into a private folder and rolls the copy back there.
fn rolled_back(path: &Path, journal: &Path) -> Result<Option<TempDir>, SqliteFailure> {
    let folder = tempfile::Builder::new().prefix("pixform-").tempdir()?;
    let file = copied(&folder);
    let copy = |from: &Path, to: &Path| io::copy(&mut files::open(from)?, &mut File::create(to)?);
    if unless_gone(copy(journal, &journal_of(&file)))?.is_none() || unless_gone(copy(path, &file))?.is_none() {
        return Ok(None);
    }
    if unless_gone(are_equal(journal, &journal_of(&file)))? != Some(Comparison::Equal) {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch("SELECT count(*) FROM sqlite_schema;")?;
    Ok(Some(folder))
}

#[derive(Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Different,
}

fn are_equal(one: &Path, other: &Path) -> io::Result<Comparison> {
    let (mut one, mut other) = (files::open(one)?, files::open(other)?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        one.by_ref().take(1 << 16).read_to_end(&mut left)?;
        other.by_ref().take(1 << 16).read_to_end(&mut right)?;
        if left != right {
            return Ok(Comparison::Different);
        }
        if left.is_empty() {
            return Ok(Comparison::Equal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::MEMORY;
    use super::*;

    #[test]
    fn somebody_elses_lock_is_waited_for_and_then_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let (path, patience) = (path.to_str().unwrap(), Duration::from_millis(20));
        let writer = SqliteDatabase::open(path, Access::Write, patience).unwrap();
        let reader = SqliteDatabase::open(path, Access::Read, patience).unwrap();
        let other = Connection::open(path).unwrap();
        other.execute_batch("CREATE TABLE t (c); BEGIN EXCLUSIVE").unwrap();
        assert!(matches!(writer.write("write", |_| Ok(())), Err(StateError::Busy { seconds: 0 })));
        assert!(matches!(
            writer.read("read", |db| Ok(db.execute_batch("SELECT 1 FROM sqlite_schema")?)),
            Err(StateError::Busy { .. })
        ));
        assert!(matches!(reader.read("read", |_| Ok(())), Err(StateError::Busy { .. })));
        other.execute_batch("COMMIT").unwrap();
        writer.write("write", |_| Ok(())).unwrap();
        reader.read("read", |_| Ok(())).unwrap();
    }

    #[test]
    fn a_full_database_is_told_and_leaves_what_was_there() {
        let database = SqliteDatabase::open(MEMORY, Access::Write, PATIENCE).unwrap();
        let answer = database.write("write", |db| {
            db.execute_batch("PRAGMA max_page_count = 2; CREATE TABLE t (c); INSERT INTO t VALUES (zeroblob(100000))")?;
            Ok(())
        });
        assert!(matches!(answer, Err(StateError::Full { .. })), "{answer:?}");
        database.read("read", |db| Ok(db.execute_batch("SELECT 1 FROM sqlite_schema")?)).unwrap();
    }

    #[test]
    fn a_panic_in_a_change_rolls_it_back_and_leaves_the_database_usable() {
        let database = SqliteDatabase::open(MEMORY, Access::Write, PATIENCE).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            database.write::<()>("write", |db| {
                db.execute_batch("CREATE TABLE t (c)")?;
                panic!("on purpose")
            })
        }));
        assert!(panicked.is_err());
        database.write("write", |db| Ok(db.execute_batch("CREATE TABLE t (c)")?)).unwrap();
    }
}
