//! The state in a Postgres database: our own tables in the schema `pixform`, the published ones where the product wants
//! them.
//!
//! The files below do the work, each for a role of the port. It works behind poolers of every kind: statements have no
//! names, nothing outlives a transaction. A connection or a server that breaks is waited for, and the transaction done
//! again; what may be done twice is said at each change.

use std::sync::Arc;

use self::address::ServerAddress;
use self::database::{PostgresDatabase, Transaction, TransactionKind};
use self::failure::PostgresFailure;
use self::known_shapes::Shapes;
use self::schema::schema;
use super::{Access, Schema, StateError, UrlWarning};

mod acceptances;
mod address;
mod admin;
mod adopted_files;
mod call_facts;
mod collect;
mod columns;
mod commit;
mod damages;
mod database;
mod definition;
mod failure;
mod history;
mod kept_plans;
mod known_shapes;
mod lease;
mod ledger;
mod originals;
mod readers;
mod record_reads;
mod records;
mod references;
mod rights;
mod row_rules;
mod row_sight;
mod rows;
mod runs;
mod schema;
mod setup;
mod shown;
mod sql;
mod survey;
mod table;
mod tls_proof;

pub(super) use setup::setup;

/// What a commit is called in messages.
const COMMIT: &str = "write records and rows";

/// A state in a Postgres database.
pub(super) struct Postgres {
    database: PostgresDatabase,
    shapes: Shapes,
}

/// Returns host, port and database of a URL, for people.
pub(super) fn place(url: &str) -> Option<String> {
    ServerAddress::parse(url).ok().map(|address| address.place)
}

/// Returns what of a URL was left out, and what is weak about it.
pub(super) fn warnings(url: &str) -> Vec<UrlWarning> {
    ServerAddress::parse(url).map(|address| address.warnings).unwrap_or_default()
}

impl Postgres {
    /// Sets the way to the server up; it is gone only when something is asked.
    pub(super) fn open(url: &str, access: Access) -> Result<Self, StateError> {
        Ok(Self { database: PostgresDatabase::new(url, access)?, shapes: Shapes::default() })
    }

    /// Asks for what only our own tables hold: nothing, where they are absent.
    async fn recall<T: Default, Work>(
        &self,
        kind: TransactionKind,
        action: &'static str,
        ask: impl Fn(Arc<Transaction>, Schema) -> Work,
    ) -> Result<T, StateError>
    where
        Work: Future<Output = Result<T, PostgresFailure>>,
    {
        let ask = &ask;
        let asked = |transaction: Arc<Transaction>| async move {
            match schema(&self.database, &transaction).await? {
                Schema::Absent => Ok(T::default()),
                schema @ (Schema::Older(_) | Schema::Current) => ask(transaction, schema).await,
            }
        };
        self.database.run(kind, action, asked).await
    }

    /// Changes something; a schema newer than ours is not to be written to.
    async fn change<T, Work>(
        &self,
        action: &'static str,
        change: impl Fn(Arc<Transaction>, Schema) -> Work,
    ) -> Result<T, StateError>
    where
        Work: Future<Output = Result<T, PostgresFailure>>,
    {
        let change = &change;
        let changed = |transaction: Arc<Transaction>| async move {
            let schema = schema(&self.database, &transaction).await?;
            change(transaction, schema).await
        };
        self.database.run(TransactionKind::Write, action, changed).await
    }

    /// Begins to stream. What somebody was given cannot be taken back, so only this beginning is tried again.
    async fn begin(&self, action: &'static str) -> Result<(Transaction, Schema), StateError> {
        let begun = |transaction: Arc<Transaction>| async move {
            let schema = schema(&self.database, &transaction).await?;
            Ok((self.database.begin(TransactionKind::Read).await?, schema))
        };
        self.database.run(TransactionKind::Statement, action, begun).await
    }
}
