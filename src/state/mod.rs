//! The state: what is remembered between runs, and the product's own table beside it.
//!
//! One trait for each role, together [`State`], with an adapter a database, opened by URL. The contract stands at each function; one
//! suite in `tests/it` holds every adapter to it. What to remember is decided elsewhere: this room keeps it, whole or
//! not at all.
//!
//! # What has no column yet
//!
//! Each of these comes with a migration of its own, and has its place:
//! - A call that waits for a worker is a line of status `queued`, open as `intended` is, so the partial index on open lines is
//!   drawn anew with it. Its recipe stands beside it, `run` stays the run that ordered it, and `holder` goes to the worker.
//! - What a record's picture was made by, where that is not its recipe, is a column `made_by` of the wide half of a record,
//!   NULL for the recipe itself.
//! - The pictures that an original was made from are lines of a table of their own: original, position, role, SHA-256.
//! - A record without a row needs nothing: digests of the row that are NULL, no published files.

use std::fmt;

use crate::asset::{CollectionName, TableName};
use crate::process::{Liveness, Process};
use crate::secret::{self, SafeText};

mod acceptances;
mod admission;
mod budget;
mod call_lines;
mod collect;
mod column_form;
mod commit;
mod commit_before;
mod damages;
mod gathered_records;
mod kept_plans;
mod known_state;
mod lease;
mod ledger;
mod migrate;
mod open_state;
mod port;
mod postgres;
mod references;
mod row_readers;
mod row_rules;
mod shown;
mod sqlite;
mod stored_form;
mod survey;
mod table;

pub use self::acceptances::{Acceptance, Accepted, AcceptedColumn, NewAcceptance};
pub use self::collect::{Claim, LiveObject, Loose, LooseKind, TextVisitor, Unreferenced, Worth};
pub use self::commit::{AppliedMove, Commit, Put, RenameMemory, RowSeen, ScanVisitor, TableProblem, TableSeen};
pub use self::damages::Damage;
pub use self::gathered_records::{Records, records_of};
pub use self::kept_plans::KeptPlan;
pub use self::known_state::{KnownCollection, KnownState, Schema};
pub use self::lease::{
    ChangeSet, Holder, LEASE_SECONDS, Lease, LeaseAnswer, RUN_SILENT_SECONDS, Right, Run, RunOrigin,
};
pub use self::ledger::{CallFact, CallSeen, Caps, HistoryLine, HistoryQuery, HistoryRun, Intent};
pub use self::open_state::{is_unfinished, open, place, setup_sql, url_warnings};
pub use self::port::{AdminPort, FilePort, GarbagePort, LeasePort, LedgerPort, RecordPort, ShownPort, State};
pub use self::row_readers::{ColumnHolds, Nulls, ReaderWarning, Readership, RowReader, ShownColumn, Shows};
pub use self::row_rules::{Breach, RowAhead};
pub use self::shown::{Arrangement, ShownShape, ShownVisitor};
pub use self::survey::{Survey, SurveyColumn};

/// How a state is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For planning: nothing is created, migrated or written, and a missing database is an empty one.
    Read,
    /// For applying: the database is created when it is missing.
    Write,
}

/// Something odd about a URL that is no mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlWarning {
    /// What is odd, one sentence in lower case; holds nothing secret.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What can go wrong with a state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The URL names no back end we have.
    #[error("{}", secret::unknown_scheme("state", *.scheme))]
    Scheme {
        /// The URL's scheme, where that is one for certain; all else may be a password.
        scheme: Option<&'static str>,
    },
    /// The URL of a database server cannot be used. Its text may hold a password, and is never told.
    #[error("{problem}")]
    Address {
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// Rows cannot be read in the place of a role.
    #[error("{problem}")]
    Reader {
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A database server cannot be reached, or lets nobody in.
    #[error("the database `{server}` {what}")]
    Server {
        /// Host, port and database.
        server: String,
        /// What it does: `cannot be reached`.
        what: &'static str,
        /// What to do.
        help: String,
        /// The server's own words, or those of the way there.
        #[source]
        source: SafeText,
    },
    /// The role that is connected may not do that.
    #[error("the role in the URL of the state may not {action}")]
    Denied {
        /// What was tried: `read the records`.
        action: &'static str,
        /// The database's own words.
        #[source]
        source: SafeText,
    },
    /// The file is there and is something else.
    #[error("`{path}` is not a SQLite database")]
    NotADatabase {
        /// The file.
        path: String,
    },
    /// The file cannot be opened: it is a folder, may not be read, or lies below something that is no folder.
    #[error("the state `{path}` could not be opened")]
    Open {
        /// The file.
        path: String,
        /// The system's own words.
        #[source]
        source: SafeText,
    },
    /// The database was written by a newer pixform.
    #[error("the state has schema version {found}, this pixform knows versions up to {known}")]
    Newer {
        /// The version in the database.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The tables were made by a migration that is not the one we have under its number.
    #[error("migration {version} of the state is not the one that this pixform knows")]
    Altered {
        /// Its number.
        version: u32,
    },
    /// Another process holds the database for longer than we wait.
    #[error("the state is busy: another process has been writing to it for {seconds} seconds")]
    Busy {
        /// How long was waited.
        seconds: u64,
    },
    /// There is no room left where the database lies.
    #[error("there is no space left for the state")]
    Full {
        /// The database's own words.
        #[source]
        source: SafeText,
    },
    /// The lease is no longer ours: another run took it.
    #[error("the lease on `{collection}` was taken by another run")]
    Fenced {
        /// The collection.
        collection: CollectionName,
    },
    /// The run has ended, or was not heard of for so long that another one may have gone on with its calls.
    #[error("this run was not heard of for so long that another one may have gone on with its calls")]
    Silent,
    /// The published table cannot hold what is to be published.
    #[error("the table `{table}` cannot take the rows")]
    Table {
        /// The table.
        table: TableName,
        /// What is wrong with it.
        problems: Vec<TableProblem>,
    },
    /// The database does not take a row: it breaks a rule of the product's own.
    #[error("the database refuses the row")]
    Row {
        /// The database's own words.
        #[source]
        source: SafeText,
    },
    /// Something stored cannot be read back.
    #[error("the state holds something unreadable in {place}")]
    Unreadable {
        /// Which table and key.
        place: String,
        /// Why.
        #[source]
        source: SafeText,
    },
    /// The database refused.
    #[error("the state could not {action}")]
    Database {
        /// What was tried: `read the records`.
        action: &'static str,
        /// The database's own words.
        #[source]
        source: SafeText,
    },
}

impl StateError {
    /// Makes the failure of something stored that cannot be read back.
    fn unreadable(place: impl Into<String>, source: impl fmt::Display) -> Self {
        Self::Unreadable { place: place.into(), source: source.to_string().into() }
    }

    /// Makes the failure of an action for a reason of our own.
    fn refused(action: &'static str, reason: impl Into<SafeText>) -> Self {
        Self::Database { action, source: reason.into() }
    }
}

/// Tells whether a process is alive: [`Process::liveness`], except in tests.
pub type IsAlive<'f> = &'f (dyn for<'p> Fn(&'p Process) -> Liveness + Sync);
