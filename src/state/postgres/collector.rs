//! What collecting asks of a Postgres state: which question reads and which change writes.

use async_trait::async_trait;

use super::ask::{change, recall};
use super::database::transaction;
use super::schema::schema;
use super::{Postgres, collect, originals, references};
use crate::asset::{CollectionName, ObjectPath, TableName};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::record::Published;
use crate::state::stored::has_references;
use crate::state::{Claim, Collector, IsAlive, Loose, Run, Schema, StateError, TextVisitor, Unreferenced};

#[async_trait]
impl Collector for Postgres {
    async fn unreferenced(&self, liveness: IsAlive<'_>) -> Result<Unreferenced, StateError> {
        recall!(self, Read, "read what is unreferenced", |transaction, schema| async {
            match has_references(schema) {
                true => collect::unreferenced(&transaction, schema, liveness).await,
                false => Ok(Unreferenced::default()),
            }
        })
    }

    async fn published_tables(&self) -> Result<Vec<TableName>, StateError> {
        recall!(self, Statement, "read the names of tables", |transaction, schema| async {
            match has_references(schema) {
                true => collect::published_tables(&transaction).await,
                false => Ok(Vec::new()),
            }
        })
    }

    async fn texts(&self, table: &TableName, take: TextVisitor<'_>) -> Result<(), StateError> {
        let (transaction, _) = self.begin("read a table").await?;
        let told = async {
            collect::texts(&transaction, table, take).await?;
            transaction.commit().await
        };
        told.await.map_err(|failure| self.database.told(failure, "read a table"))
    }

    async fn leased(&self) -> Result<Vec<CollectionName>, StateError> {
        recall!(self, Statement, "read the leases", |transaction, _schema| collect::leased(&transaction))
    }

    async fn working(&self, liveness: IsAlive<'_>) -> Result<Vec<Run>, StateError> {
        recall!(self, Read, "read the runs", |transaction, schema| collect::working(&transaction, schema, liveness))
    }

    async fn collected(&self, recipes: &[RecipeDigest]) -> Result<Vec<RecipeDigest>, StateError> {
        recall!(self, Statement, "read what was deleted", |transaction, schema| async {
            match has_references(schema) {
                true => references::collected(&transaction, recipes).await,
                false => Ok(Vec::new()),
            }
        })
    }

    async fn condemn(&self, run: &str, files: &[Loose]) -> Result<(), StateError> {
        change!(self, "mark files", |transaction, _schema| collect::condemn(&transaction, run, files))
    }

    async fn pardon(&self, run: &str, liveness: IsAlive<'_>) -> Result<(), StateError> {
        change!(self, "lift marks", |transaction, _schema| collect::pardon(&transaction, run, liveness))
    }

    async fn doom(&self, run: &str, files: &[Loose]) -> Result<Vec<ObjectPath>, StateError> {
        change!(self, "begin to delete files", |transaction, _schema| collect::doom(&transaction, run, files))
    }

    async fn forget_deleted(&self, run: &str, paths: &[ObjectPath]) -> Result<(), StateError> {
        change!(self, "forget files", |transaction, _schema| collect::forget(&transaction, run, paths))
    }

    async fn rely_on_objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        change!(self, "rely on published files", |transaction, _schema| async {
            references::rely(&transaction, wanted).await?;
            originals::objects(&transaction, wanted).await
        })
    }

    async fn claim(&self, paths: &[ObjectPath], liveness: IsAlive<'_>) -> Result<Vec<Claim>, StateError> {
        change!(self, "rely on files", |transaction, _schema| references::claim(&transaction, paths, liveness))
    }
}
