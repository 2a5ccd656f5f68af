//! What a SQLite state does for itself: its tables, its store, and a look at any table.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::failure::SqliteFailure;
use super::record_reads::text;
use super::rows::unsigned;
use super::{Sqlite, schema, survey, table};
use crate::asset::{TableName, TableSpec};
use crate::state::stored_form::{from_json, parsed};
use crate::state::{AdminPort, KnownCollection, KnownState, Schema, StateError, Survey};

#[async_trait]
impl AdminPort for Sqlite {
    async fn known(&self) -> Result<KnownState, StateError> {
        self.read("read what it knows", known)
    }

    async fn version(&self) -> Result<String, StateError> {
        self.database.version("tell whether it changed")
    }

    async fn migrate(&self) -> Result<(), StateError> {
        self.write("create its tables", schema::migrate)
    }

    async fn ensure_table(&self, table: &TableSpec) -> Result<(), StateError> {
        self.write("create the published table", |transaction| {
            table::ensure(transaction, schema::schema(transaction)?, table)
        })
    }

    async fn set_store(&self, store: &str) -> Result<(), StateError> {
        self.write("remember its store", |transaction| schema::set_store(transaction, store))
    }

    async fn survey(&self, table: &TableName, rows_max: u64) -> Result<Option<Survey>, StateError> {
        self.read("read a table", |connection, _| survey::survey(connection, table, rows_max))
    }
}

/// Tells what the state knows.
fn known(connection: &Connection, schema: Schema) -> Result<KnownState, SqliteFailure> {
    if schema == Schema::Absent {
        return Ok(KnownState { schema, id: None, store: None, collections: Vec::new() });
    }
    let meta = |name: &str| {
        connection.query_row("SELECT value FROM pixform_meta WHERE name = ?1", [name], |row| row.get(0)).optional()
    };
    let (id, store) = (meta("state")?, meta("store")?);
    let mut statement =
        connection.prepare("SELECT name, key_axes, table_name, records FROM pixform_collections ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut collections = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let place = || format!("the collection `{name}`");
        collections.push(KnownCollection {
            name: parsed(&name, place)?,
            key: from_json(text(row, 1)?, place)?,
            table: row.get::<_, Option<String>>(2)?.map(|table| parsed(&table, place)).transpose()?,
            records: unsigned(row, 3)?,
        });
    }
    Ok(KnownState { schema, id, store, collections })
}
