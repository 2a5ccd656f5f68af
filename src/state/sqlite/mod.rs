//! The state in a SQLite file, with the published table beside our own, which are named `pixform_*`.
//!
//! The files below do the work, each for a role of the port. SQLite is called directly, because an answer takes less time
//! than handing the question to another thread.

use rusqlite::{Connection, Transaction};

use self::database::{PATIENCE, SqliteDatabase};
use self::failure::SqliteFailure;
use super::{Access, Schema, StateError};

mod acceptances;
mod admin;
mod adopted_files;
mod collect;
mod commit;
mod damages;
mod database;
mod failure;
mod file;
mod file_watch;
mod history;
mod kept_plans;
mod lease;
mod ledger;
mod originals;
mod record_reads;
mod references;
mod row_rules;
mod rows;
mod runs;
mod schema;
mod shown;
mod survey;
mod table;

/// What a commit is called in messages.
const COMMIT: &str = "write records and rows";

/// Tells whether a journal lies beside the file: that of a writer at work, or of one that died.
pub(super) fn is_unfinished(path: &str) -> bool {
    file::journal_of(std::path::Path::new(path)).exists()
}

/// A state in a SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    database: SqliteDatabase,
}

impl Sqlite {
    /// Opens the file; `:memory:` is a database of its own that ends with this value.
    pub(super) fn open(path: &str, access: Access) -> Result<Self, StateError> {
        Ok(Self { database: SqliteDatabase::open(path, access, PATIENCE)? })
    }

    fn read<T>(
        &self,
        action: &'static str,
        ask: impl FnOnce(&Connection, Schema) -> Result<T, SqliteFailure>,
    ) -> Result<T, StateError> {
        self.database.read(action, |connection| ask(connection, schema::schema(connection)?))
    }

    /// Asks for what only our own tables hold: nothing, where they are absent.
    fn recall<T: Default>(
        &self,
        action: &'static str,
        ask: impl FnOnce(&Connection, Schema) -> Result<T, SqliteFailure>,
    ) -> Result<T, StateError> {
        self.read(action, |connection, schema| match schema {
            Schema::Absent => Ok(T::default()),
            Schema::Older(_) | Schema::Current => ask(connection, schema),
        })
    }

    fn write<T>(
        &self,
        action: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, SqliteFailure>,
    ) -> Result<T, StateError> {
        self.database.write(action, |transaction| {
            // A schema newer than ours is not to be written to.
            schema::schema(transaction)?;
            change(transaction)
        })
    }
}
