//! The state in a Postgres database: our own tables in the schema `pixform`, the published ones where the product wants
//! them.
//!
//! This file only says which question reads and which change writes; the rooms below do the work. It works behind poolers
//! of every kind: statements have no names, nothing outlives a transaction. A connection or a server that breaks is waited
//! for, and the transaction done again; what may be done twice is said at each change.

use self::address::Address;
use self::database::{Database, transaction};
use self::failure::Failure;
use self::schema::schema;
use self::shapes::Shapes;
use super::{Access, Schema, StateError, UrlWarning};

mod accepted;
mod address;
mod adopted;
mod ahead;
mod ask;
mod collect;
mod collector;
mod columns;
mod commit;
mod damages;
mod database;
mod failure;
mod history;
mod lease;
mod ledger;
mod originals;
mod plans;
mod port;
mod proof;
mod read;
mod readers;
mod records;
mod references;
mod rights;
mod rows;
mod runs;
mod schema;
mod settle;
mod setup;
mod shapes;
mod shown;
mod sight;
mod survey;
mod table;

pub(super) use setup::setup;

/// What a commit is called in messages.
const COMMIT: &str = "write records and rows";

/// A state in a Postgres database.
pub(super) struct Postgres {
    database: Database,
    shapes: Shapes,
}

/// Returns host, port and database of a URL, for people.
pub(super) fn place(url: &str) -> Option<String> {
    Address::parse(url).ok().map(|address| address.place)
}

/// Returns what of a URL was left out, and what is weak about it.
pub(super) fn warnings(url: &str) -> Vec<UrlWarning> {
    Address::parse(url).map(|address| address.warnings).unwrap_or_default()
}

impl Postgres {
    /// Sets the way to the server up; it is gone only when something is asked.
    pub(super) fn open(url: &str, access: Access) -> Result<Self, StateError> {
        Ok(Self { database: Database::new(url, access)?, shapes: Shapes::default() })
    }

    /// Begins to stream. What somebody was given cannot be taken back, so only this beginning is tried again.
    async fn begin(&self, action: &'static str) -> Result<(database::Transaction, Schema), StateError> {
        transaction!(self.database, Statement, action, |transaction| async {
            let schema = schema(&self.database, &transaction).await?;
            Ok::<_, Failure>((self.database.begin(database::Kind::Read).await?, schema))
        }
        .await)
    }
}
