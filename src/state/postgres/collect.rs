//! Deleting what nothing refers to: what is unreferenced, the marks of gc, and the deletions that come of them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, TransactionKind, next};
use super::failure::PostgresFailure;
use super::record_reads::bytes;
use super::references::{NAMED_OBJECT, NAMED_ORIGINAL};
use super::runs::{self, DeadRuns};
use super::schema::{NOW, lock_ledger};
use super::sql::full_name;
use super::{Postgres, originals, references};
use crate::asset::{CollectionName, ObjectPath, TableName};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::record::Published;
use crate::state::call_lines::OPEN;
use crate::state::stored_form::{
    self, RUN_COLUMNS, call_is_free, has_references, is_abandoned, parsed, run_columns, signed, unsigned, worth,
};
use crate::state::{
    Claim, GarbagePort, IsAlive, LiveObject, Loose, LooseKind, Run, Schema, StateError, TextVisitor, Unreferenced,
};

#[async_trait]
impl GarbagePort for Postgres {
    async fn unreferenced(&self, liveness: IsAlive<'_>) -> Result<Unreferenced, StateError> {
        self.recall(TransactionKind::Read, "read what is unreferenced", |transaction, schema| async move {
            match has_references(schema) {
                true => unreferenced(&transaction, schema, liveness).await,
                false => Ok(Unreferenced::default()),
            }
        })
        .await
    }

    async fn published_tables(&self) -> Result<Vec<TableName>, StateError> {
        self.recall(TransactionKind::Statement, "read the names of tables", |transaction, schema| async move {
            match has_references(schema) {
                true => published_tables(&transaction).await,
                false => Ok(Vec::new()),
            }
        })
        .await
    }

    async fn texts(&self, table: &TableName, take: TextVisitor<'_>) -> Result<(), StateError> {
        let (transaction, _) = self.begin("read a table").await?;
        let told = async {
            texts(&transaction, table, take).await?;
            transaction.commit().await
        };
        told.await.map_err(|failure| self.database.told(failure, "read a table"))
    }

    async fn leased(&self) -> Result<Vec<CollectionName>, StateError> {
        self.recall(TransactionKind::Statement, "read the leases", |transaction, _| async move {
            leased(&transaction).await
        })
        .await
    }

    async fn working(&self, liveness: IsAlive<'_>) -> Result<Vec<Run>, StateError> {
        self.recall(TransactionKind::Read, "read the runs", |transaction, schema| async move {
            working(&transaction, schema, liveness).await
        })
        .await
    }

    async fn collected(&self, recipes: &[RecipeDigest]) -> Result<Vec<RecipeDigest>, StateError> {
        self.recall(TransactionKind::Statement, "read what was deleted", |transaction, schema| async move {
            match has_references(schema) {
                true => references::collected(&transaction, recipes).await,
                false => Ok(Vec::new()),
            }
        })
        .await
    }

    async fn mark(&self, run: &str, files: &[Loose]) -> Result<(), StateError> {
        self.change("mark files", |transaction, _| async move { mark(&transaction, run, files).await }).await
    }

    async fn unmark(&self, run: &str, liveness: IsAlive<'_>) -> Result<(), StateError> {
        self.change("lift marks", |transaction, _| async move { unmark(&transaction, run, liveness).await }).await
    }

    async fn sweep(&self, run: &str, files: &[Loose]) -> Result<Vec<ObjectPath>, StateError> {
        self.change("begin to delete files", |transaction, _| async move { sweep(&transaction, run, files).await })
            .await
    }

    async fn forget_deleted(&self, run: &str, paths: &[ObjectPath]) -> Result<(), StateError> {
        self.change("forget files", |transaction, _| async move { forget(&transaction, run, paths).await }).await
    }

    async fn rely_on_objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.change("rely on published files", |transaction, _| async move {
            references::rely(&transaction, wanted).await?;
            originals::objects(&transaction, wanted).await
        })
        .await
    }

    async fn claim(&self, paths: &[ObjectPath], liveness: IsAlive<'_>) -> Result<Vec<Claim>, StateError> {
        self.change(
            "rely on files",
            |transaction, _| async move { references::claim(&transaction, paths, liveness).await },
        )
        .await
    }
}

/// The tables whose lines are marked.
const TABLES: [&str; 2] = ["pixform.originals", "pixform.objects"];

/// Returns every file that no record refers to.
pub(super) async fn unreferenced(
    transaction: &Transaction,
    schema: Schema,
    liveness: IsAlive<'_>,
) -> Result<Unreferenced, PostgresFailure> {
    let free = call_is_free(schema);
    let now = transaction.query_typed_one(&format!("SELECT {NOW}"), &[]).await?.try_get(0)?;
    let place = || "what is unreferenced".to_owned();
    let mut files = Vec::new();
    let sql = format!(
        "SELECT o.path, o.bytes, o.unreferenced_at, o.sha256, o.published,
           EXISTS (SELECT FROM pixform.calls AS c WHERE c.recipe = o.recipe AND c.status IN ({OPEN})),
           EXISTS (SELECT FROM pixform.calls AS c WHERE c.recipe = o.recipe AND {free})
         FROM pixform.originals AS o WHERE o.unreferenced_at IS NOT NULL AND NOT {NAMED_ORIGINAL}"
    );
    for row in transaction.query_typed(&sql, &[]).await? {
        let sha256 = ContentDigest::from_bytes(bytes(&row, 3, place)?);
        let worth = worth(row.try_get(5)?, row.try_get(4)?, row.try_get(6)?);
        let kind = LooseKind::Original { sha256, worth };
        files.push(loose(&row, kind)?);
    }
    let sql = format!(
        "SELECT o.path, max(o.unreferenced_at), max(o.published), (array_agg(o.original))[1] FROM pixform.objects AS o
         WHERE o.unreferenced_at IS NOT NULL AND NOT {NAMED_OBJECT} AND NOT EXISTS
           (SELECT FROM pixform.objects AS p WHERE p.path = o.path AND p.unreferenced_at IS NULL)
         GROUP BY o.path"
    );
    for row in transaction.query_typed(&sql, &[]).await? {
        let original = ContentDigest::from_bytes(bytes(&row, 3, place)?);
        let (path, since) = (parsed::<ObjectPath>(row.try_get(0)?, place)?, row.try_get(1)?);
        let found = stored_form::published(row.try_get(2)?, || format!("what was published at `{path}`"))?;
        files.extend(found.into_iter().map(|found| {
            let kind = LooseKind::Object { sha256: found.sha256, original };
            Loose { path: path.clone(), bytes: found.bytes, since, kind }
        }));
    }
    let mut live = Vec::new();
    let sql = "SELECT p.path, p.published FROM pixform.objects AS p WHERE p.unreferenced_at IS NULL AND p.original IN
                 (SELECT o.original FROM pixform.objects AS o WHERE o.unreferenced_at IS NOT NULL)";
    for row in transaction.query_typed(sql, &[]).await? {
        let path: ObjectPath = parsed(row.try_get(0)?, place)?;
        let found = stored_form::published(row.try_get(1)?, || format!("what is published at `{path}`"))?;
        live.extend(found.into_iter().map(|found| LiveObject { sha256: found.sha256, path: path.clone() }));
    }
    let deletions = transaction.query_typed("SELECT path, bytes, created_at, run FROM pixform.deletions", &[]).await?;
    let names: BTreeSet<&str> = deletions.iter().map(|row| row.try_get(3)).collect::<Result<_, _>>()?;
    let dead_runs = DeadRuns::look(transaction, names, liveness).await?;
    for row in &deletions {
        let run: String = row.try_get(3)?;
        if is_abandoned(&run, dead_runs.has(&run)) {
            files.push(loose(row, LooseKind::Leftover { run })?);
        }
    }
    Ok(Unreferenced { now, files, live })
}

/// Reads a file from a row that begins with path, bytes and the time.
fn loose(row: &Row, kind: LooseKind) -> Result<Loose, PostgresFailure> {
    let path = parsed(row.try_get(0)?, || "what is unreferenced".to_owned())?;
    Ok(Loose { path, bytes: unsigned(row.try_get(1)?), since: row.try_get(2)?, kind })
}

/// Returns every table that was ever published to.
pub(super) async fn published_tables(transaction: &Transaction) -> Result<Vec<TableName>, PostgresFailure> {
    let found = transaction.query_typed("SELECT name FROM pixform.published_tables", &[]).await?;
    let name = |row: &Row| Ok(parsed(row.try_get(0)?, || "the names of the published tables".to_owned())?);
    found.iter().map(name).collect()
}

/// Streams the text of every row of a table, which holds that of every cell.
pub(super) async fn texts(
    transaction: &Transaction,
    table: &TableName,
    take: TextVisitor<'_>,
) -> Result<(), PostgresFailure> {
    let name = full_name(table);
    let there = "SELECT to_regclass($1) IS NOT NULL";
    if !transaction.query_typed_one(there, &[(&name, Type::TEXT)]).await?.try_get::<_, bool>(0)? {
        return Ok(());
    }
    let none: [Param<'_>; 0] = [];
    let mut rows =
        std::pin::pin!(transaction.query_typed_raw(&format!("SELECT t::text FROM {name} AS t"), none).await?);
    while let Some(row) = next(&mut rows).await? {
        take(row.try_get(0)?);
    }
    Ok(())
}

/// Returns the collections that a run ever had the lease on.
pub(super) async fn leased(transaction: &Transaction) -> Result<Vec<CollectionName>, PostgresFailure> {
    let found = transaction.query_typed("SELECT collection FROM pixform.leases ORDER BY collection", &[]).await?;
    found.iter().map(|row| Ok(parsed(row.try_get(0)?, || "the leases".to_owned())?)).collect()
}

/// Returns the runs that did not end and are not dead, but for those of gc.
pub(super) async fn working(
    transaction: &Transaction,
    schema: Schema,
    liveness: IsAlive<'_>,
) -> Result<Vec<Run>, PostgresFailure> {
    let sql = format!(
        "SELECT {}, r.id FROM pixform.runs AS r WHERE r.finished_at IS NULL AND r.command <> 'gc'",
        run_columns(schema)
    );
    let found = transaction.query_typed(&sql, &[]).await?;
    let ids: BTreeSet<&str> = found.iter().map(|row| row.try_get(RUN_COLUMNS)).collect::<Result<_, _>>()?;
    let dead_runs = DeadRuns::look(transaction, ids, liveness).await?;
    let mut working = Vec::new();
    for row in &found {
        let id: String = row.try_get(RUN_COLUMNS)?;
        if !dead_runs.has(&id) {
            let (command, process, origin) = runs::read(row, 0)?;
            working.push(Run { id, command, process, origin });
        }
    }
    Ok(working)
}

/// Marks files for a run of gc.
pub(super) async fn mark(transaction: &Transaction, run: &str, files: &[Loose]) -> Result<(), PostgresFailure> {
    lock_ledger(transaction).await?;
    for (number, table) in TABLES.into_iter().enumerate() {
        let files = files.iter().filter(|file| table_of(file) == Some(number));
        let (paths, times): (Vec<&str>, Vec<i64>) = files.map(|file| (file.path.as_str(), file.since)).unzip();
        let sql = format!(
            "UPDATE {table} AS o SET condemned_by = $1 FROM unnest($2, $3) AS w (path, since)
             WHERE o.path = w.path AND o.unreferenced_at <= w.since AND o.condemned_by IS NULL"
        );
        let params: [Param<'_>; 3] = [(&run, Type::TEXT), (&paths, Type::TEXT_ARRAY), (&times, Type::INT8_ARRAY)];
        transaction.execute_typed(&sql, &params).await?;
    }
    Ok(())
}

/// Returns which table a file has its line in; a leftover has none.
fn table_of(file: &Loose) -> Option<usize> {
    match file.kind {
        LooseKind::Original { .. } => Some(0),
        LooseKind::Object { .. } => Some(1),
        LooseKind::Leftover { .. } => None,
    }
}

/// Lifts the marks of a run, and those of all runs that are dead.
pub(super) async fn unmark(transaction: &Transaction, run: &str, liveness: IsAlive<'_>) -> Result<(), PostgresFailure> {
    lock_ledger(transaction).await?;
    for table in TABLES {
        let marked = "unreferenced_at IS NOT NULL AND condemned_by IS NOT NULL";
        let sql = format!("SELECT DISTINCT condemned_by FROM {table} WHERE {marked}");
        let found = transaction.query_typed(&sql, &[]).await?;
        let runs: BTreeSet<&str> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let dead_runs = DeadRuns::look(transaction, runs.clone(), liveness).await?;
        let lifted: Vec<&str> = runs.into_iter().filter(|marked| *marked == run || dead_runs.has(marked)).collect();
        if !lifted.is_empty() {
            let sql = format!("UPDATE {table} SET condemned_by = NULL WHERE {marked} AND condemned_by = ANY($1)");
            transaction.execute_typed(&sql, &[(&lifted, Type::TEXT_ARRAY)]).await?;
        }
    }
    Ok(())
}

/// Makes deletions of what still bears the mark of a run.
pub(super) async fn sweep(
    transaction: &Transaction,
    run: &str,
    files: &[Loose],
) -> Result<Vec<ObjectPath>, PostgresFailure> {
    lock_ledger(transaction).await?;
    let originals = format!(
        "INSERT INTO pixform.deletions (path, run, recipe, bytes)
         SELECT o.path, $1, o.recipe, w.bytes FROM unnest($2, $3) AS w (path, bytes)
         JOIN pixform.originals AS o ON o.path = w.path
         WHERE o.condemned_by = $1 AND o.unreferenced_at IS NOT NULL AND NOT {NAMED_ORIGINAL}
           AND NOT EXISTS (SELECT FROM pixform.calls AS c WHERE c.recipe = o.recipe AND c.status IN ({OPEN}))"
    );
    let objects = format!(
        "INSERT INTO pixform.deletions (path, run, bytes)
         SELECT o.path, $1, max(w.bytes) FROM unnest($2, $3) AS w (path, bytes)
         JOIN pixform.objects AS o ON o.path = w.path GROUP BY o.path
         HAVING bool_and(o.condemned_by IS NOT DISTINCT FROM $1 AND o.unreferenced_at IS NOT NULL AND NOT {NAMED_OBJECT})"
    );
    for (number, begin) in [originals, objects].iter().enumerate() {
        let files = files.iter().filter(|file| table_of(file) == Some(number));
        let (paths, sizes): (Vec<&str>, Vec<i64>) = files.map(|file| (file.path.as_str(), signed(file.bytes))).unzip();
        if paths.is_empty() {
            continue;
        }
        let params: [Param<'_>; 3] = [(&run, Type::TEXT), (&paths, Type::TEXT_ARRAY), (&sizes, Type::INT8_ARRAY)];
        let taken = transaction.query_typed(&format!("{begin} RETURNING path"), &params).await?;
        let taken: Vec<&str> = taken.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let gone = format!("DELETE FROM {} WHERE path = ANY($1)", TABLES[number]);
        transaction.execute_typed(&gone, &[(&taken, Type::TEXT_ARRAY)]).await?;
    }
    let leftovers = files.iter().filter_map(|file| match &file.kind {
        LooseKind::Leftover { run } => Some((file.path.as_str(), run.as_str())),
        LooseKind::Original { .. } | LooseKind::Object { .. } => None,
    });
    let (paths, before): (Vec<&str>, Vec<&str>) = leftovers.unzip();
    if !paths.is_empty() {
        let sql = "UPDATE pixform.deletions AS x SET run = $1 FROM unnest($2, $3) AS w (path, run)
                   WHERE x.path = w.path AND x.run = w.run";
        let params: [Param<'_>; 3] = [(&run, Type::TEXT), (&paths, Type::TEXT_ARRAY), (&before, Type::TEXT_ARRAY)];
        transaction.execute_typed(sql, &params).await?;
    }
    // Those of an attempt whose answer was lost are among them.
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let sql = "SELECT path FROM pixform.deletions WHERE run = $1 AND path = ANY($2)";
    let swept = transaction.query_typed(sql, &[(&run, Type::TEXT), (&paths, Type::TEXT_ARRAY)]).await?;
    swept.iter().map(|row| Ok(parsed(row.try_get(0)?, || "the deletions".to_owned())?)).collect()
}

/// Forgets deletions that are done.
pub(super) async fn forget(transaction: &Transaction, run: &str, paths: &[ObjectPath]) -> Result<(), PostgresFailure> {
    lock_ledger(transaction).await?;
    let paths: Vec<&str> = paths.iter().map(ObjectPath::as_str).collect();
    let params: [Param<'_>; 2] = [(&run, Type::TEXT), (&paths, Type::TEXT_ARRAY)];
    let remember = "INSERT INTO pixform.collected (recipe)
                    SELECT DISTINCT x.recipe FROM pixform.deletions AS x
                    WHERE x.run = $1 AND x.path = ANY($2) AND x.recipe IS NOT NULL AND NOT EXISTS
                      (SELECT FROM pixform.originals AS o WHERE o.recipe = x.recipe AND o.current)
                    ON CONFLICT DO NOTHING";
    transaction.execute_typed(remember, &params).await?;
    let forget = "DELETE FROM pixform.deletions WHERE run = $1 AND path = ANY($2)";
    transaction.execute_typed(forget, &params).await?;
    Ok(())
}
