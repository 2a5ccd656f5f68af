//! What a Postgres state does for itself: its tables, its store, and a look at any table.

use async_trait::async_trait;

use super::database::{Transaction, TransactionKind};
use super::failure::PostgresFailure;
use super::{Postgres, schema, survey, table};
use crate::asset::{TableName, TableSpec};
use crate::state::stored_form::{from_json, parsed, unsigned};
use crate::state::{AdminPort, KnownCollection, KnownState, Schema, StateError, Survey};

#[async_trait]
impl AdminPort for Postgres {
    async fn known(&self) -> Result<KnownState, StateError> {
        self.database
            .run(TransactionKind::Read, "read what it knows", |transaction| async move {
                let schema = schema(&self.database, &transaction).await?;
                known(&transaction, schema).await
            })
            .await
    }

    async fn version(&self) -> Result<String, StateError> {
        self.database
            .run(TransactionKind::Statement, "tell whether it changed", |transaction| async move {
                version(&transaction).await
            })
            .await
    }

    async fn migrate(&self) -> Result<(), StateError> {
        let migrated = self
            .database
            .run(TransactionKind::Read, "read its tables", |transaction| async move {
                schema::is_migrated(&self.database, &transaction).await
            })
            .await;
        if migrated? {
            return Ok(());
        }
        self.database
            .run(TransactionKind::Write, "create its tables", |transaction| async move {
                schema::migrate(&transaction).await
            })
            .await
    }

    async fn ensure_table(&self, table: &TableSpec) -> Result<(), StateError> {
        self.change(
            "create the published table",
            |transaction, _| async move { table::ensure(&transaction, table).await },
        )
        .await
    }

    async fn set_store(&self, store: &str) -> Result<(), StateError> {
        self.change("remember its store", |transaction, _| async move { schema::set_store(&transaction, store).await })
            .await
    }

    async fn survey(&self, table: &TableName, rows_max: u64) -> Result<Option<Survey>, StateError> {
        self.database
            .run(TransactionKind::Read, "read a table", |transaction| async move {
                survey::survey(&transaction, table, rows_max).await
            })
            .await
    }
}

/// Tells what the state knows.
async fn known(transaction: &Transaction, schema: Schema) -> Result<KnownState, PostgresFailure> {
    if schema == Schema::Absent {
        return Ok(KnownState { schema, id: None, store: None, collections: Vec::new() });
    }
    let meta = transaction.query_typed("SELECT name, value FROM pixform.meta", &[]).await?;
    let named = |wanted: &str| {
        let row = meta.iter().find(|row| row.get::<_, &str>(0) == wanted);
        row.map(|row| row.get::<_, String>(1))
    };
    let sql = "SELECT name, key_axes, table_name, records FROM pixform.collections ORDER BY name";
    let mut collections = Vec::new();
    for row in transaction.query_typed(sql, &[]).await? {
        let name: &str = row.try_get(0)?;
        let place = || format!("the collection `{name}`");
        collections.push(KnownCollection {
            name: parsed(name, place)?,
            key: from_json(row.try_get(1)?, place)?,
            table: row.try_get::<_, Option<&str>>(2)?.map(|table| parsed(table, place)).transpose()?,
            records: unsigned(row.try_get(3)?),
        });
    }
    Ok(KnownState { schema, id: named("state"), store: named("store"), collections })
}

/// Returns a text that differs once any transaction of the server has ended since.
async fn version(transaction: &Transaction) -> Result<String, PostgresFailure> {
    Ok(transaction.query_typed_one("SELECT pg_current_snapshot()::text", &[]).await?.try_get(0)?)
}
