//! What collecting asks of a SQLite state: which question reads and which change writes.

use async_trait::async_trait;

use super::{Sqlite, collect, originals, references};
use crate::asset::{CollectionName, ObjectPath, TableName};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::record::Published;
use crate::state::stored::has_references;
use crate::state::{Claim, Collector, IsAlive, Loose, Run, StateError, TextVisitor, Unreferenced};

#[async_trait]
impl Collector for Sqlite {
    async fn unreferenced(&self, liveness: IsAlive<'_>) -> Result<Unreferenced, StateError> {
        self.recall("read what is unreferenced", |connection, schema| match has_references(schema) {
            true => collect::unreferenced(connection, schema, liveness),
            false => Ok(Unreferenced::default()),
        })
    }

    async fn published_tables(&self) -> Result<Vec<TableName>, StateError> {
        self.recall("read the names of tables", |connection, schema| match has_references(schema) {
            true => collect::published_tables(connection),
            false => Ok(Vec::new()),
        })
    }

    async fn texts(&self, table: &TableName, take: TextVisitor<'_>) -> Result<(), StateError> {
        self.read("read a table", |connection, _| collect::texts(connection, table, take))
    }

    async fn leased(&self) -> Result<Vec<CollectionName>, StateError> {
        self.recall("read the leases", |connection, _| collect::leased(connection))
    }

    async fn working(&self, liveness: IsAlive<'_>) -> Result<Vec<Run>, StateError> {
        self.recall("read the runs", |connection, schema| collect::working(connection, schema, liveness))
    }

    async fn collected(&self, recipes: &[RecipeDigest]) -> Result<Vec<RecipeDigest>, StateError> {
        self.recall("read what was deleted", |connection, schema| match has_references(schema) {
            true => references::collected(connection, recipes),
            false => Ok(Vec::new()),
        })
    }

    async fn condemn(&self, run: &str, files: &[Loose]) -> Result<(), StateError> {
        self.write("mark files", |transaction| collect::condemn(transaction, run, files))
    }

    async fn pardon(&self, run: &str, liveness: IsAlive<'_>) -> Result<(), StateError> {
        self.write("lift marks", |transaction| collect::pardon(transaction, run, liveness))
    }

    async fn doom(&self, run: &str, files: &[Loose]) -> Result<Vec<ObjectPath>, StateError> {
        self.write("begin to delete files", |transaction| collect::doom(transaction, run, files))
    }

    async fn forget_deleted(&self, run: &str, paths: &[ObjectPath]) -> Result<(), StateError> {
        self.write("forget files", |transaction| collect::forget(transaction, run, paths))
    }

    async fn rely_on_objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.write("rely on published files", |transaction| {
            references::rely(transaction, wanted)?;
            originals::objects(transaction, wanted)
        })
    }

    async fn claim(&self, paths: &[ObjectPath], liveness: IsAlive<'_>) -> Result<Vec<Claim>, StateError> {
        self.write("rely on files", |transaction| references::claim(transaction, paths, liveness))
    }
}
