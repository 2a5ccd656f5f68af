//! Deleting what nothing refers to: what is unreferenced, the marks of gc, and the deletions that come of them.

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::SqliteFailure;
use super::record_reads::{bytes, text};
use super::references::{NAMED_OBJECT, NAMED_ORIGINAL};
use super::rows::{KEYS_MAX, unsigned};
use super::runs::{self, RunLiveness};
use super::schema::NOW;
use super::{Sqlite, originals, references};
use crate::asset::{CollectionName, ObjectPath, TableName};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::record::Published;
use crate::state::call_lines::OPEN;
use crate::state::stored_form::{
    self, call_is_free, has_references, is_abandoned, json, parsed, run_columns, signed, worth,
};
use crate::state::table::quoted;
use crate::state::{
    Claim, GarbagePort, IsAlive, LiveObject, Loose, LooseKind, Run, Schema, StateError, TextVisitor, Unreferenced,
};

#[async_trait]
impl GarbagePort for Sqlite {
    async fn unreferenced(&self, liveness: IsAlive<'_>) -> Result<Unreferenced, StateError> {
        self.recall("read what is unreferenced", |connection, schema| match has_references(schema) {
            true => unreferenced(connection, schema, liveness),
            false => Ok(Unreferenced::default()),
        })
    }

    async fn published_tables(&self) -> Result<Vec<TableName>, StateError> {
        self.recall("read the names of tables", |connection, schema| match has_references(schema) {
            true => published_tables(connection),
            false => Ok(Vec::new()),
        })
    }

    async fn texts(&self, table: &TableName, take: TextVisitor<'_>) -> Result<(), StateError> {
        self.read("read a table", |connection, _| texts(connection, table, take))
    }

    async fn leased(&self) -> Result<Vec<CollectionName>, StateError> {
        self.recall("read the leases", |connection, _| leased(connection))
    }

    async fn working(&self, liveness: IsAlive<'_>) -> Result<Vec<Run>, StateError> {
        self.recall("read the runs", |connection, schema| working(connection, schema, liveness))
    }

    async fn collected(&self, recipes: &[RecipeDigest]) -> Result<Vec<RecipeDigest>, StateError> {
        self.recall("read what was deleted", |connection, schema| match has_references(schema) {
            true => references::collected(connection, recipes),
            false => Ok(Vec::new()),
        })
    }

    async fn mark(&self, run: &str, files: &[Loose]) -> Result<(), StateError> {
        self.write("mark files", |transaction| mark(transaction, run, files))
    }

    async fn unmark(&self, run: &str, liveness: IsAlive<'_>) -> Result<(), StateError> {
        self.write("lift marks", |transaction| unmark(transaction, run, liveness))
    }

    async fn sweep(&self, run: &str, files: &[Loose]) -> Result<Vec<ObjectPath>, StateError> {
        self.write("begin to delete files", |transaction| sweep(transaction, run, files))
    }

    async fn forget_deleted(&self, run: &str, paths: &[ObjectPath]) -> Result<(), StateError> {
        self.write("forget files", |transaction| forget(transaction, run, paths))
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

/// The tables whose lines are marked.
const TABLES: [&str; 2] = ["pixform_originals", "pixform_objects"];

/// Returns every file that no record refers to.
pub(super) fn unreferenced(
    connection: &Connection,
    schema: Schema,
    liveness: IsAlive<'_>,
) -> Result<Unreferenced, SqliteFailure> {
    let free = call_is_free(schema);
    let now = connection.query_row(&format!("SELECT {NOW}"), [], |row| row.get(0))?;
    let mut files = Vec::new();
    let place = || "what is unreferenced".to_owned();
    let mut statement = connection.prepare(&format!(
        "SELECT o.path, o.bytes, o.unreferenced_at, o.sha256, o.published,
           EXISTS (SELECT 1 FROM pixform_calls AS c WHERE c.recipe = o.recipe AND c.status IN ({OPEN})),
           EXISTS (SELECT 1 FROM pixform_calls AS c WHERE c.recipe = o.recipe AND {free})
         FROM pixform_originals AS o WHERE o.unreferenced_at IS NOT NULL AND NOT {NAMED_ORIGINAL}"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let sha256 = ContentDigest::from_bytes(bytes(row, 3)?);
        let worth = worth(row.get(5)?, row.get(4)?, row.get(6)?);
        files.push(Loose {
            path: parsed(text(row, 0)?, place)?,
            bytes: unsigned(row, 1)?,
            since: row.get(2)?,
            kind: LooseKind::Original { sha256, worth },
        });
    }
    let mut statement = connection.prepare(&format!(
        "SELECT o.path, max(o.unreferenced_at), o.published, o.original FROM pixform_objects AS o
         WHERE o.unreferenced_at IS NOT NULL AND NOT {NAMED_OBJECT} AND NOT EXISTS
           (SELECT 1 FROM pixform_objects AS p WHERE p.path = o.path AND p.unreferenced_at IS NULL)
         GROUP BY o.path"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let original = ContentDigest::from_bytes(bytes(row, 3)?);
        let (path, since) = (parsed::<ObjectPath>(text(row, 0)?, place)?, row.get(1)?);
        let found = stored_form::published(text(row, 2)?, || format!("what was published at `{path}`"))?;
        files.extend(found.into_iter().map(|found| {
            let kind = LooseKind::Object { sha256: found.sha256, original };
            Loose { path: path.clone(), bytes: found.bytes, since, kind }
        }));
    }
    let mut live = Vec::new();
    let mut statement = connection.prepare(
        "SELECT p.path, p.published FROM pixform_objects AS p WHERE p.unreferenced_at IS NULL AND p.original IN
           (SELECT o.original FROM pixform_objects AS o WHERE o.unreferenced_at IS NOT NULL)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let path: ObjectPath = parsed(text(row, 0)?, place)?;
        let found = stored_form::published(text(row, 1)?, || format!("what is published at `{path}`"))?;
        live.extend(found.into_iter().map(|found| LiveObject { sha256: found.sha256, path: path.clone() }));
    }
    let mut run_liveness = RunLiveness::new(connection, liveness);
    let mut statement = connection.prepare("SELECT path, bytes, created_at, run FROM pixform_deletions")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let run: String = row.get(3)?;
        if is_abandoned(&run, run_liveness.is_dead(&run)?) {
            let (path, since) = (parsed(text(row, 0)?, place)?, row.get(2)?);
            files.push(Loose { path, bytes: unsigned(row, 1)?, since, kind: LooseKind::Leftover { run } });
        }
    }
    Ok(Unreferenced { now, files, live })
}

/// Returns every table that was ever published to.
pub(super) fn published_tables(connection: &Connection) -> Result<Vec<TableName>, SqliteFailure> {
    let mut statement = connection.prepare("SELECT name FROM pixform_published_tables")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let names = names.iter().map(|name| parsed(name, || "the names of the published tables".to_owned()));
    Ok(names.collect::<Result<_, _>>()?)
}

/// Streams the text of every cell of a table.
pub(super) fn texts(connection: &Connection, table: &TableName, take: TextVisitor<'_>) -> Result<(), SqliteFailure> {
    let find = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
    let found = connection.query_row(find, [&table.name], |row| row.get::<_, String>(0)).optional()?;
    let Some(name) = found else { return Ok(()) };
    let mut statement = connection.prepare(&format!("SELECT * FROM {}", quoted(&name)))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for at in 0..columns {
            if let ValueRef::Text(text) | ValueRef::Blob(text) = row.get_ref(at)? {
                take(&String::from_utf8_lossy(text));
            }
        }
    }
    Ok(())
}

/// Returns the collections that a run ever had the lease on.
pub(super) fn leased(connection: &Connection) -> Result<Vec<CollectionName>, SqliteFailure> {
    let mut statement = connection.prepare("SELECT collection FROM pixform_leases ORDER BY collection")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names.iter().map(|name| parsed(name, || "the leases".to_owned())).collect::<Result<_, _>>()?)
}

/// Returns the runs that did not end and are not dead, but for those of gc.
pub(super) fn working(
    connection: &Connection,
    schema: Schema,
    liveness: IsAlive<'_>,
) -> Result<Vec<Run>, SqliteFailure> {
    let mut statement = connection.prepare(&format!(
        "SELECT {}, r.id FROM pixform_runs AS r WHERE r.finished_at IS NULL AND r.command <> 'gc'",
        run_columns(schema)
    ))?;
    let mut run_liveness = RunLiveness::new(connection, liveness);
    let (mut rows, mut working) = (statement.query([])?, Vec::new());
    while let Some(row) = rows.next()? {
        let id: String = row.get(stored_form::RUN_COLUMNS)?;
        if !run_liveness.is_dead(&id)? {
            let (command, process, origin) = (runs::command(row, 0)?, runs::process(row, 0)?, runs::origin(row, 0)?);
            working.push(Run { id, command, process, origin });
        }
    }
    Ok(working)
}

/// Marks files for a run of gc.
pub(super) fn mark(transaction: &Transaction<'_>, run: &str, files: &[Loose]) -> Result<(), SqliteFailure> {
    for table in TABLES {
        let mut mark = transaction.prepare(&format!(
            "UPDATE {table} SET condemned_by = ?1 WHERE path = ?2 AND unreferenced_at <= ?3 AND condemned_by IS NULL"
        ))?;
        for Loose { path, since, kind, .. } in files {
            let table_of = match kind {
                LooseKind::Original { .. } => TABLES[0],
                LooseKind::Object { .. } => TABLES[1],
                LooseKind::Leftover { .. } => continue,
            };
            if table == table_of {
                mark.execute(params![run, path.as_str(), since])?;
            }
        }
    }
    Ok(())
}

/// Lifts the marks of a run, and those of all runs that are dead.
pub(super) fn unmark(transaction: &Transaction<'_>, run: &str, liveness: IsAlive<'_>) -> Result<(), SqliteFailure> {
    let mut run_liveness = RunLiveness::new(transaction, liveness);
    for table in TABLES {
        let sql = format!(
            "SELECT DISTINCT condemned_by FROM {table} WHERE unreferenced_at IS NOT NULL AND condemned_by IS NOT NULL"
        );
        let runs: Vec<String> =
            transaction.prepare(&sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for marked in runs {
            if marked == run || run_liveness.is_dead(&marked)? {
                let lift = format!(
                    "UPDATE {table} SET condemned_by = NULL WHERE unreferenced_at IS NOT NULL AND condemned_by = ?1"
                );
                transaction.execute(&lift, [marked])?;
            }
        }
    }
    Ok(())
}

/// Makes deletions of what still bears the mark of a run.
pub(super) fn sweep(
    transaction: &Transaction<'_>,
    run: &str,
    files: &[Loose],
) -> Result<Vec<ObjectPath>, SqliteFailure> {
    let begin = "INSERT INTO pixform_deletions (path, run, recipe, bytes)";
    let mut original = transaction.prepare(&format!(
        "{begin} SELECT o.path, ?1, o.recipe, ?3 FROM pixform_originals AS o
         WHERE o.path = ?2 AND o.condemned_by = ?1 AND o.unreferenced_at IS NOT NULL AND NOT {NAMED_ORIGINAL}
           AND NOT EXISTS (SELECT 1 FROM pixform_calls AS c WHERE c.recipe = o.recipe AND c.status IN ({OPEN}))"
    ))?;
    let mut object = transaction.prepare(&format!(
        "{begin} SELECT o.path, ?1, NULL, ?3 FROM pixform_objects AS o WHERE o.path = ?2 GROUP BY o.path
         HAVING min(o.condemned_by IS ?1 AND o.unreferenced_at IS NOT NULL AND NOT {NAMED_OBJECT})"
    ))?;
    let mut leftover = transaction.prepare("UPDATE pixform_deletions SET run = ?1 WHERE path = ?2 AND run = ?3")?;
    let mut gone = Vec::new();
    for table in TABLES {
        gone.push(transaction.prepare(&format!("DELETE FROM {table} WHERE path = ?1"))?);
    }
    for Loose { path, bytes, since: _, kind } in files {
        let at = path.as_str();
        let (taken, lines) = match kind {
            LooseKind::Original { .. } => (original.execute(params![run, at, signed(*bytes)])?, Some(0)),
            LooseKind::Object { .. } => (object.execute(params![run, at, signed(*bytes)])?, Some(1)),
            LooseKind::Leftover { run: before } => (leftover.execute([run, at, before])?, None),
        };
        if let (1.., Some(lines)) = (taken, lines) {
            gone[lines].execute([at])?;
        }
    }
    let paths = json(&files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>());
    let mut statement = transaction
        .prepare("SELECT path FROM pixform_deletions WHERE run = ?1 AND path IN (SELECT value FROM json_each(?2))")?;
    let (mut rows, mut swept) = (statement.query([run, &paths])?, Vec::new());
    while let Some(row) = rows.next()? {
        swept.push(parsed(text(row, 0)?, || "the deletions".to_owned())?);
    }
    Ok(swept)
}

/// Forgets deletions that are done.
pub(super) fn forget(transaction: &Transaction<'_>, run: &str, paths: &[ObjectPath]) -> Result<(), SqliteFailure> {
    let done = "run = ?1 AND path IN (SELECT value FROM json_each(?2))";
    for chunk in paths.chunks(KEYS_MAX) {
        let chunk = json(&chunk.iter().map(ObjectPath::as_str).collect::<Vec<_>>());
        transaction.execute(
            &format!(
                "INSERT OR IGNORE INTO pixform_collected (recipe)
                 SELECT recipe FROM pixform_deletions AS x WHERE {done} AND recipe IS NOT NULL AND NOT EXISTS
                   (SELECT 1 FROM pixform_originals AS o WHERE o.recipe = x.recipe AND o.current = 1)"
            ),
            [run, &chunk],
        )?;
        transaction.execute(&format!("DELETE FROM pixform_deletions WHERE {done}"), [run, &chunk])?;
    }
    Ok(())
}
