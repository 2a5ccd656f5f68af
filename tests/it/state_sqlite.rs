//! What only SQLite can get wrong: files, locks and crashes, tables that the product made, and a model of all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use pixform::asset::{ColumnType, MicroUsd, TableSpec};
use pixform::process::{Liveness, Process};
use pixform::record::Estimate;
use pixform::state::{
    Access, Caps, Commit, Intent, KnownState, Lease, Put, RUN_SILENT_SECONDS, Right, RunOrigin, Schema, State,
    StateError, TableProblem, TableSeen, open,
};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use serde_json::json;
use sha2::Digest as _;
use tempfile::TempDir;

use crate::state_contract::{
    Seen, alive, axes, call, collection, dead, ids, key, lease_of, moved, put, ready, recipe, record, scan, spec,
    values, write,
};
use crate::state_ledger::{again, history, paid};

/// Names the database that this test binary, started again, is to leave with a hot journal.
const DIE: &str = "PIXFORM_TEST_DIE_IN";

/// Opens a database in memory.
pub fn memory() -> BoxFuture<'static, Box<dyn State>> {
    async { open("sqlite::memory:", Access::Write).await.unwrap() }.boxed()
}

/// A folder for databases, which goes with this value.
pub struct Folder {
    dir: TempDir,
    made: AtomicUsize,
}

impl Folder {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), made: AtomicUsize::new(0) }
    }

    pub fn maker(self) -> impl Fn() -> BoxFuture<'static, Box<dyn State>> {
        move || {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            let path = self.dir.path().join(format!("made/{number}/state.db"));
            async move { open_at(&path, Access::Write).await.unwrap() }.boxed()
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }
}

async fn open_at(path: &Path, access: Access) -> Result<Box<dyn State>, StateError> {
    open(&format!("sqlite:{}", path.display()), access).await
}

async fn known(path: &Path) -> Result<KnownState, StateError> {
    open_at(path, Access::Read).await?.known().await
}

/// Everything in a folder that a write would change.
fn listing(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let of = |entry: fs::DirEntry| (fs::read(entry.path()).unwrap(), entry.metadata().unwrap().modified().unwrap());
    files.map(|entry| (entry.file_name().to_string_lossy().into_owned(), of(entry))).collect()
}

/// A database with one record and its row; every connection to it is closed.
async fn one_record(folder: &Folder) -> Lease {
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    lease
}

#[tokio::test]
async fn reading_creates_and_changes_nothing() {
    let folder = Folder::new();
    one_record(&folder).await;
    fs::set_permissions(folder.dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let before = (listing(folder.dir.path()), fs::metadata(folder.dir.path()).unwrap().modified().unwrap());
    let state = open_at(&folder.file(), Access::Read).await.unwrap();
    let (table, seen) = scan(&*state).await;
    assert_eq!((table, seen.heads.len(), seen.rows.len()), (TableSeen::Fits, 1, 1));
    assert_eq!(state.records(&collection("pictures"), &[key("a/x")]).await.unwrap().len(), 1);
    assert!(state.set_store("another").await.is_err());
    assert!(state.migrate().await.is_err());
    let after = (listing(folder.dir.path()), fs::metadata(folder.dir.path()).unwrap().modified().unwrap());
    assert!(before == after, "reading left the folder as it was");
    fs::set_permissions(folder.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_missing_file_or_folder_is_an_empty_state_and_stays_missing() {
    let folder = Folder::new();
    for path in [folder.file(), folder.dir.path().join("no/such/folder/state.db")] {
        assert_eq!(known(&path).await.unwrap().schema, Schema::Absent);
    }
    assert!(listing(folder.dir.path()).is_empty());
}

#[tokio::test]
async fn a_reader_sees_a_file_that_appears_later() {
    let folder = Folder::new();
    let reader = open_at(&folder.file(), Access::Read).await.unwrap();
    assert_eq!(reader.known().await.unwrap().schema, Schema::Absent);
    one_record(&folder).await;
    assert_eq!(reader.known().await.unwrap().collections[0].records, 1);
}

#[tokio::test]
async fn what_is_no_database_is_told_apart() {
    let folder = Folder::new();
    fs::write(folder.file(), "not a database, but long enough to look like one".repeat(40)).unwrap();
    for access in [Access::Read, Access::Write] {
        let answer = open_at(&folder.file(), access).await.map(drop);
        assert!(matches!(answer, Err(StateError::NotADatabase { .. })), "{answer:?}");
        let answer = open_at(folder.dir.path(), access).await.map(drop);
        assert!(matches!(answer, Err(StateError::Open { .. })), "{answer:?}");
        let answer = open_at(&folder.file().join("below"), access).await.map(drop);
        assert!(matches!(answer, Err(StateError::Open { .. })), "{answer:?}");
        let answer = open("sqlite:", access).await.map(drop);
        assert!(matches!(answer, Err(StateError::Open { .. })), "{answer:?}");
        let answer = open("redis://user:secret@host", access).await.map(drop);
        assert!(matches!(&answer, Err(StateError::Scheme { scheme }) if *scheme == Some("redis")), "{answer:?}");
    }
    fs::write(folder.file(), "").unwrap();
    assert_eq!(known(&folder.file()).await.unwrap().schema, Schema::Absent);
}

#[tokio::test]
async fn a_newer_schema_is_neither_read_nor_written() {
    let folder = Folder::new();
    one_record(&folder).await;
    let database = Connection::open(folder.file()).unwrap();
    database.execute("INSERT INTO pixform_migrations (version, sha256) VALUES (99, '')", []).unwrap();
    let newer = |answer| matches!(answer, Err(StateError::Newer { found: 99, known: 11 }));
    for access in [Access::Read, Access::Write] {
        let state = open_at(&folder.file(), access).await.unwrap();
        assert!(newer(state.known().await.map(drop)));
        assert!(newer(state.scan(&collection("pictures"), None, &mut Seen::default()).await.map(drop)));
    }
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    assert!(newer(state.migrate().await));
    assert!(newer(state.set_store("a-store").await));
}

#[tokio::test]
async fn a_migration_with_another_text_is_refused() {
    let folder = Folder::new();
    one_record(&folder).await;
    Connection::open(folder.file()).unwrap().execute("UPDATE pixform_migrations SET sha256 = 'other'", []).unwrap();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    assert!(matches!(state.migrate().await, Err(StateError::Altered { version: 1 })));
}

#[test]
fn many_may_migrate_at_once() {
    let folder = Folder::new();
    let path = folder.file();
    let migrate = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let state = open_at(&path, Access::Write).await.unwrap();
            state.migrate().await.unwrap();
            state.known().await.unwrap()
        })
    };
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(migrate)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|known| *known == found[0] && known.schema == Schema::Current));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_of_many_threads_is_no_matter() {
    let folder = Folder::new();
    one_record(&folder).await;
    let path = folder.file();
    let tasks: Vec<_> = (0..8)
        .map(|_| path.clone())
        .map(|path| tokio::spawn(async move { known(&path).await.unwrap().collections[0].records }))
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_reader_beside_a_living_writer_sees_the_last_commit() {
    let folder = Folder::new();
    one_record(&folder).await;
    let writer = Connection::open(folder.file()).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE pictures SET image_url = 'half done';").unwrap();
    assert!(folder.dir.path().join("state.db-journal").exists());
    let reader = open_at(&folder.file(), Access::Read).await.unwrap();
    let read = || async { reader.rows(&spec(), &[key("a/x")]).await.unwrap()[0].values[0].clone() };
    assert_eq!(read().await, values(1)[0]);
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(read().await, json!("half done"));
}

/// Does nothing unless it is started again by the next test: then it dies in the middle of a transaction.
#[test]
fn a_writer_dies_where_it_is_told_to() {
    let Ok(path) = std::env::var(DIE) else { return };
    let database = Connection::open(path).unwrap();
    // A cache of one page makes SQLite write to the file before the commit.
    database
        .execute_batch("PRAGMA cache_size = 1; BEGIN IMMEDIATE; UPDATE pictures SET image_url = 'half done';")
        .unwrap();
    std::process::abort();
}

#[tokio::test]
async fn what_a_dead_writer_left_behind_is_read_as_it_was_before() {
    let folder = Folder::new();
    let many: Vec<_> = (0..500).map(|number| format!("k{number}/x")).collect();
    {
        let state = open_at(&folder.file(), Access::Write).await.unwrap();
        let lease = ready(&*state).await;
        write(&*state, &lease, many.iter().zip(0..).map(|(at, number)| put(at, number)).collect(), &[]).await;
    }
    let whole = fs::read(folder.file()).unwrap();
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "state_sqlite::a_writer_dies_where_it_is_told_to"])
        .env(DIE, folder.file())
        .output()
        .unwrap();
    assert!(!died.status.success());
    let before = listing(folder.dir.path());
    assert_eq!(before.keys().collect::<Vec<_>>(), ["state.db", "state.db-journal"]);
    assert!(before["state.db"].0 != whole, "the transaction reached the file");

    let reader = open_at(&folder.file(), Access::Read).await.unwrap();
    for _ in 0..2 {
        let (table, seen) = scan(&*reader).await;
        assert_eq!((table, seen.heads.len(), seen.rows.len()), (TableSeen::Fits, 500, 500));
        assert!(seen.heads.iter().all(|head| head.row.unwrap().1 == seen.rows[&head.key]), "old values");
    }
    assert!(listing(folder.dir.path()) == before, "neither file was touched");

    let writer = open_at(&folder.file(), Access::Write).await.unwrap();
    assert_eq!(writer.known().await.unwrap().collections[0].records, 500);
    assert!(fs::read(folder.file()).unwrap() == whole, "the writer rolled it back");
    assert_eq!(reader.known().await.unwrap().collections[0].records, 500);
}

/// Lets the product make its table, and returns what is wrong with it.
async fn problems_of(table: &str) -> Vec<TableProblem> {
    let folder = Folder::new();
    let database = Connection::open(folder.file()).unwrap();
    database.execute_batch(table).unwrap();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    state.migrate().await.unwrap();
    let seen = state.scan(&collection("pictures"), Some(&spec()), &mut Seen::default()).await.unwrap();
    let TableSeen::Unfit(problems) = seen else {
        state.ensure_table(&spec()).await.unwrap();
        assert_eq!(seen, TableSeen::Fits);
        return Vec::new();
    };
    assert!(state.rows(&spec(), &[key("a/x")]).await.unwrap().is_empty());
    assert!(matches!(state.ensure_table(&spec()).await, Err(StateError::Table { .. })));
    for problem in &problems {
        database.execute_batch(&problem.mend).unwrap();
    }
    state.ensure_table(&spec()).await.unwrap();
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    problems
}

fn told(problems: &[TableProblem]) -> String {
    problems.iter().map(|problem| format!("{}\n  {}\n", problem.message, problem.mend)).collect()
}

#[tokio::test]
async fn a_table_of_the_product_that_takes_our_rows_fits() {
    for table in [
        "CREATE TABLE pictures (category TEXT, style TEXT, image_url TEXT, seed INTEGER, scale REAL, width INTEGER,
         PRIMARY KEY (style, category))",
        "CREATE TABLE Pictures (id TEXT DEFAULT (hex(randomblob(8))), Category VARCHAR(50), style, image_url CLOB,
         seed BIGINT, scale NUMERIC, width REAL, extra TEXT NOT NULL DEFAULT 'x'); CREATE UNIQUE INDEX i ON
         pictures (category, style)",
        "CREATE TABLE pictures (id INTEGER PRIMARY KEY NOT NULL, category TEXT, style TEXT, image_url ANY, seed INT,
         scale REAL, width INT, UNIQUE (category, style)) STRICT",
        "CREATE TABLE pictures (category TEXT, style TEXT, image_url TEXT, seed INTEGER, scale REAL, width INTEGER,
         PRIMARY KEY (category, style)) WITHOUT ROWID",
    ] {
        assert_eq!(problems_of(table).await, []);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_told_with_the_sql_that_mends_it() {
    let problems = problems_of(
        "CREATE TABLE pictures (category TEXT, image_url INTEGER, seed REAL, scale REAL, owner TEXT NOT NULL)",
    );
    insta::assert_snapshot!(told(&problems.await), @r#"
    column `style` is missing
      ALTER TABLE "pictures" ADD COLUMN "style" TEXT NOT NULL DEFAULT '';
    column `image_url` has the type INTEGER, which does not keep text as it is
      ALTER TABLE "pictures" RENAME COLUMN "image_url" TO "image_url_old"; ALTER TABLE "pictures" ADD COLUMN "image_url" TEXT; UPDATE "pictures" SET "image_url" = "image_url_old";
    column `seed` has the type REAL, which does not keep integers of 64 bits
      ALTER TABLE "pictures" RENAME COLUMN "seed" TO "seed_old"; ALTER TABLE "pictures" ADD COLUMN "seed" INTEGER; UPDATE "pictures" SET "seed" = "seed_old";
    column `width` is missing
      ALTER TABLE "pictures" ADD COLUMN "width" INTEGER;
    no unique index covers exactly the key columns `category`, `style`
      CREATE UNIQUE INDEX "pictures_category_style_key" ON "pictures" ("category", "style");
    column `owner` must be set in every row and is not among the declared columns
      ALTER TABLE "pictures" ADD COLUMN "owner_new" TEXT; UPDATE "pictures" SET "owner_new" = "owner"; ALTER TABLE "pictures" DROP COLUMN "owner"; ALTER TABLE "pictures" RENAME COLUMN "owner_new" TO "owner";
    "#);
    let problems = problems_of(
        "CREATE TABLE pictures (category TEXT, style TEXT, image_url TEXT, seed INTEGER, scale REAL,
         width INTEGER GENERATED ALWAYS AS (512)); CREATE UNIQUE INDEX i ON pictures (category, style) WHERE seed > 0;
         CREATE UNIQUE INDEX j ON pictures (category)",
    );
    insta::assert_snapshot!(told(&problems.await), @r#"
    column `width` is generated and cannot be written
      ALTER TABLE "pictures" RENAME COLUMN "width" TO "width_old"; ALTER TABLE "pictures" ADD COLUMN "width" INTEGER; UPDATE "pictures" SET "width" = "width_old";
    no unique index covers exactly the key columns `category`, `style`
      CREATE UNIQUE INDEX "pictures_category_style_key" ON "pictures" ("category", "style");
    "#);
}

#[tokio::test]
async fn a_view_is_no_table() {
    let folder = Folder::new();
    Connection::open(folder.file()).unwrap().execute_batch("CREATE VIEW pictures AS SELECT 1 AS category").unwrap();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    state.migrate().await.unwrap();
    let Err(StateError::Table { problems, .. }) = state.ensure_table(&spec()).await else { panic!("it is a view") };
    assert_eq!(problems[0].message, "`pictures` is a view, not a table; publish to another table");
}

#[tokio::test]
async fn a_table_cannot_be_one_of_ours() {
    let state = memory().await;
    state.migrate().await.unwrap();
    let ours = TableSpec { name: "\"PIXFORM_records\"".parse().unwrap(), ..spec() };
    assert!(matches!(state.ensure_table(&ours).await, Err(StateError::Table { .. })));
}

#[tokio::test]
async fn names_with_quotes_stay_names() {
    let folder = Folder::new();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    let lease = ready(&*state).await;
    let odd = TableSpec {
        name: "\"Odd; drop table pictures --\"".parse().unwrap(),
        key: axes(),
        columns: vec![("select \"x\" ' ;".to_owned(), ColumnType::Text), ("value".to_owned(), ColumnType::Text)],
    };
    state.ensure_table(&odd).await.unwrap();
    let put = Put { values: Some(vec![json!("'; drop table pictures; --"), json!("v")]), ..put("a/x", 1) };
    state.commit(&lease, Some(&odd), &Commit { put: vec![put.clone()], ..Commit::default() }).await.unwrap();
    assert_eq!(state.rows(&odd, &[key("a/x")]).await.unwrap()[0].values, put.values.unwrap());
    let (table, _) = scan(&*state).await;
    assert_eq!(table, TableSeen::Fits);
}

#[tokio::test]
async fn only_a_change_touches_updated_at_and_only_in_our_tables() {
    let folder = Folder::new();
    let lease = one_record(&folder).await;
    let database = Connection::open(folder.file()).unwrap();
    let old = "2001-01-01T00:00:00.000Z";
    let times = || -> (String, String) {
        let sql = "SELECT created_at, updated_at FROM pictures";
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    assert!(times().0.ends_with('Z') && times().0.len() == old.len());
    database.execute("UPDATE pictures SET created_at = ?1, updated_at = ?1", [old]).unwrap();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    assert_eq!(times(), (old.to_owned(), old.to_owned()));
    write(&*state, &lease, vec![put("a/x", 2)], &[]).await;
    assert_eq!(times().0, old);
    assert_ne!(times().1, old);
    database.execute("DELETE FROM pixform_tables", []).unwrap();
    database.execute("UPDATE pictures SET updated_at = ?1", [old]).unwrap();
    database.execute_batch("ALTER TABLE pictures DROP COLUMN created_at").unwrap();
    // The same without NOT NULL, as a product would have it.
    database
        .execute_batch(
            "ALTER TABLE pictures RENAME COLUMN updated_at TO u; ALTER TABLE pictures ADD updated_at TEXT;
             UPDATE pictures SET updated_at = u; ALTER TABLE pictures DROP COLUMN u",
        )
        .unwrap();
    write(&*state, &lease, vec![put("a/x", 3)], &[]).await;
    let after: String = database.query_row("SELECT updated_at FROM pictures", [], |row| row.get(0)).unwrap();
    assert_eq!(after, old);
}

#[tokio::test]
async fn a_row_of_somebody_else_is_merged_and_keeps_its_id() {
    let folder = Folder::new();
    let lease = one_record(&folder).await;
    let database = Connection::open(folder.file()).unwrap();
    let insert = "INSERT INTO pictures (id, category, style, created_at, updated_at) VALUES (?1, ?2, 'x', '', '')";
    database.execute(insert, ("70", "b")).unwrap();
    database.execute(insert, ("80", "c")).unwrap();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    write(&*state, &lease, vec![put("b/x", 2), Put { values: Some(values(3)), ..moved("a/x", "c/x", 3) }], &[]).await;
    let found = ids(&*state, &["a/x", "b/x", "c/x"]).await;
    assert_eq!(found, [("b/x", "70"), ("c/x", "80")].map(|(at, id)| (at.to_owned(), id.to_owned())).into());
}

#[tokio::test]
async fn rows_that_refer_to_ours_follow_a_swap() {
    let folder = Folder::new();
    let lease = one_record(&folder).await;
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    write(&*state, &lease, vec![put("b/x", 2)], &[]).await;
    let database = Connection::open(folder.file()).unwrap();
    database
        .execute_batch(
            "CREATE TABLE uses (category, style, FOREIGN KEY (category, style) REFERENCES pictures (category, style));
             INSERT INTO uses VALUES ('a', 'x')",
        )
        .unwrap();
    write(&*state, &lease, vec![moved("a/x", "b/x", 1), moved("b/x", "a/x", 2)], &[]).await;
    let refused = state.commit(&lease, Some(&spec()), &Commit { delete: vec![key("a/x")], ..Commit::default() }).await;
    assert!(matches!(refused, Err(StateError::Row { .. })), "{refused:?}");
    assert_eq!(ids(&*state, &["a/x"]).await.len(), 1);
}

#[tokio::test]
async fn an_expired_lease_is_taken_and_a_damaged_record_is_told() {
    let folder = Folder::new();
    one_record(&folder).await;
    let database = Connection::open(folder.file()).unwrap();
    database.execute("UPDATE pixform_leases SET expires = unixepoch() - 1", []).unwrap();
    database.execute("UPDATE pixform_record_details SET labels = '{'", []).unwrap();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    assert_eq!(lease_of(&*state, "pictures", "run-2").await.fence, 2);
    let answer = state.records(&collection("pictures"), &[key("a/x")]).await;
    let Err(StateError::Unreadable { place, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(place, "the record `pictures:a/x`");
}

/// A database of the first version, with a run that has a lease, a ledger of three lines, and an original.
fn first_version(file: &Path) {
    let first = include_str!("../../migrations/sqlite/0001_state.sql");
    let Process { host, boot, namespace, pid, started } = Process::current();
    let database = Connection::open(file).unwrap();
    database.execute_batch(first).unwrap();
    database
        .execute_batch(
            "CREATE TABLE pixform_migrations (version INTEGER NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL,
               applied_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))) STRICT",
        )
        .unwrap();
    let sum = hex::encode(sha2::Sha256::digest(first));
    database.execute("INSERT INTO pixform_migrations (version, sha256) VALUES (1, ?1)", [sum]).unwrap();
    database
        .execute(
            "INSERT INTO pixform_runs (id, command, host, boot, namespace, pid, started)
             VALUES ('run-1', 'apply', ?1, ?2, ?3, ?4, ?5)",
            params![host, boot, namespace, pid, started as i64],
        )
        .unwrap();
    database
        .execute_batch("INSERT INTO pixform_leases VALUES ('pictures', 7, 'run-1', unixepoch(), unixepoch() + 60)")
        .unwrap();
    for (number, id, generator, price, status) in [
        (1, "c1", "novita", 15_000, "intended"),
        (2, "c2", "placeholder", 0, "received"),
        (1, "c0", "novita", 15_000, "failed"),
    ] {
        let recipe = recipe(number);
        database
            .execute(
                "INSERT INTO pixform_calls (id, run, collection, key, recipe, generator, price, status, reason)
                 VALUES (?1, 'run-1', 'pictures', 'a/x', ?2, ?3, ?4, ?5, 'why')",
                params![id, recipe.as_bytes(), generator, price, status],
            )
            .unwrap();
    }
}

#[tokio::test]
async fn the_first_version_is_read_as_it_is_and_upgraded_with_all_it_holds() {
    let folder = Folder::new();
    first_version(&folder.file());
    let before = listing(folder.dir.path());
    let reader = open_at(&folder.file(), Access::Read).await.unwrap();
    assert_eq!(reader.known().await.unwrap().schema, Schema::Older(1));
    let (old_lines, old_calls) = (history(&*reader).await, reader.calls(&[recipe(1)], &dead).await.unwrap());
    let told: Vec<_> = old_lines.iter().map(|line| (line.call.id.as_str(), line.call.service.as_str())).collect();
    assert_eq!(told, [("c2", "placeholder"), ("c1", "novita"), ("c0", "novita")]);
    let free: Vec<_> = old_lines.iter().map(|line| line.call.estimate).collect();
    let paid_before = Estimate::Paid(MicroUsd(15_000));
    assert_eq!(free, [Estimate::Free, paid_before, paid_before]);
    let told: Vec<_> = old_calls.iter().map(|seen| (seen.call.id.as_str(), seen.abandoned)).collect();
    assert_eq!(told, [("c0", false), ("c1", true)]);
    let run_of_old = old_lines[0].run.clone().unwrap();
    assert_eq!((run_of_old.process, run_of_old.origin), (Process::current(), RunOrigin::default()));
    let holder = reader.holder(&collection("pictures")).await.unwrap().unwrap();
    assert_eq!((holder.run.id.as_str(), holder.run.origin), ("run-1", RunOrigin::default()));
    assert!(listing(folder.dir.path()) == before, "reading upgrades nothing");

    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    state.migrate().await.unwrap();
    assert_eq!(state.known().await.unwrap().schema, Schema::Current);
    assert_eq!((history(&*state).await, history(&*reader).await), (old_lines.clone(), old_lines));
    assert_eq!(state.calls(&[recipe(1)], &dead).await.unwrap(), old_calls);
    let lease = lease_of(&*state, "other", "run-2").await;
    let asked = [paid("c3", 1), call("c4", 2)];
    assert_eq!(
        state.intend(Right::Lease(&lease), &asked, Caps::default(), &alive).await.unwrap(),
        [Intent::Elsewhere, Intent::Elsewhere]
    );
    let taken = state.intend(Right::Lease(&lease), &asked, Caps::default(), &dead).await.unwrap();
    assert_eq!(taken, [Intent::Undecided, again("c2", 2)]);
    let broken = state.break_lease(&collection("pictures")).await.unwrap();
    assert_eq!(broken.map(|holder| holder.run.id), Some("run-1".to_owned()));
}

#[tokio::test]
async fn a_lease_in_a_state_of_the_first_version_can_be_broken() {
    let folder = Folder::new();
    first_version(&folder.file());
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    assert!(state.break_lease(&collection("pictures")).await.unwrap().is_some());
    assert_eq!(state.holder(&collection("pictures")).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_that_cannot_be_looked_at_is_dead_once_it_is_silent() {
    let folder = Folder::new();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    let lease = ready(&*state).await;
    state.intend(Right::Lease(&lease), &[paid("c1", 1)], Caps::default(), &alive).await.unwrap();
    let other = lease_of(&*state, "other", "run-2").await;
    let asked = [paid("c2", 1)];
    let unknown = |_: &Process| Liveness::Unknown;
    let database = Connection::open(folder.file()).unwrap();
    let heard_ago = |seconds: i64| {
        let sql = "UPDATE pixform_runs SET heartbeat_at = (unixepoch() - ?1) * 1000 WHERE id = 'run-1'";
        database.execute(sql, [seconds]).unwrap();
    };
    heard_ago(RUN_SILENT_SECONDS - 60);
    assert_eq!(
        state.intend(Right::Lease(&other), &asked, Caps::default(), &unknown).await.unwrap(),
        [Intent::Elsewhere]
    );
    assert!(!history(&*state).await[0].run.as_ref().unwrap().ended);
    heard_ago(RUN_SILENT_SECONDS + 60);
    assert_eq!(
        state.intend(Right::Lease(&other), &asked, Caps::default(), &alive).await.unwrap(),
        [Intent::Elsewhere],
        "it can be looked at"
    );
    assert!(history(&*state).await[0].run.as_ref().unwrap().ended);
    state.renew(std::slice::from_ref(&lease)).await.unwrap();
    assert_eq!(
        state.intend(Right::Lease(&other), &asked, Caps::default(), &unknown).await.unwrap(),
        [Intent::Elsewhere],
        "it was heard again"
    );
    heard_ago(RUN_SILENT_SECONDS + 60);
    database.execute("UPDATE pixform_calls SET holder = 'nobody'", []).unwrap();
    assert_eq!(
        state.intend(Right::Lease(&other), &asked, Caps::default(), &dead).await.unwrap(),
        [Intent::Elsewhere],
        "nobody knows the run"
    );
    database.execute("UPDATE pixform_calls SET holder = run", []).unwrap();
    assert_eq!(state.doubt(&unknown).await.unwrap(), 1);
    assert_eq!(
        state.intend(Right::Lease(&other), &asked, Caps::default(), &unknown).await.unwrap(),
        [Intent::Undecided]
    );
}

#[tokio::test]
async fn a_line_that_cannot_be_read_is_told() {
    let folder = Folder::new();
    let state = open_at(&folder.file(), Access::Write).await.unwrap();
    let lease = ready(&*state).await;
    state.intend(Right::Lease(&lease), &[paid("c1", 1)], Caps::default(), &alive).await.unwrap();
    Connection::open(folder.file()).unwrap().execute("UPDATE pixform_calls SET status = 'odd'", []).unwrap();
    let answer = state.calls(&[recipe(1)], &alive).await;
    let Err(StateError::Unreadable { place, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(place, "the ledger line `c1`");
}

/// One thing that happens to the database.
#[derive(Debug, Clone)]
enum Event {
    /// Records move along the pairs, then some keys are put and some deleted, all in one commit.
    Commit { moves: Vec<(usize, usize, WithValues)>, puts: Vec<(usize, WithValues)>, deletes: Vec<usize> },
    /// Somebody inserts or edits a row by hand.
    Edit(usize),
    /// Somebody deletes a row by hand.
    Drop(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WithValues {
    Yes,
    No,
}

/// The keys that the events speak of, by number.
const KEYS: [&str; 5] = ["a/x", "b/x", "c/x", "a/y", "b/y"];

fn events() -> impl Strategy<Value = Vec<Event>> {
    let values = || prop_oneof![Just(WithValues::Yes), Just(WithValues::No)];
    let at = || 0..KEYS.len();
    let commit = (
        prop::collection::vec((at(), at(), values()), 0..4),
        prop::collection::vec((at(), values()), 0..4),
        prop::collection::vec(at(), 0..3),
    );
    let commit = commit.prop_map(|(moves, puts, deletes)| Event::Commit { moves, puts, deletes });
    prop::collection::vec(
        prop_oneof![5 => commit, 1 => at().prop_map(Event::Edit), 1 => at().prop_map(Event::Drop)],
        1..14,
    )
}

/// What the state should hold, kept in the simplest way.
#[derive(Debug, Default)]
struct Model {
    /// Take and the row's id by key.
    records: BTreeMap<&'static str, (u32, String)>,
    /// Id and number of the values by key.
    rows: BTreeMap<&'static str, (String, u32)>,
    next: u32,
}

/// The id of a row that the model has not seen yet.
const NEW: &str = "new";

impl Model {
    /// Keeps of a commit what makes sense now, so that every commit is a legal one.
    fn legal(&mut self, event: &Event) -> Option<Commit> {
        let Event::Commit { moves, puts, deletes } = event else { return None };
        let mut commit = Commit::default();
        let (mut from, mut to) = (BTreeSet::new(), BTreeSet::new());
        for (source, target, with) in moves {
            let (source, target) = (KEYS[*source], KEYS[*target]);
            if source != target && self.records.contains_key(source) && from.insert(source) {
                if to.insert(target) {
                    let number = self.number();
                    let values = (*with == WithValues::Yes).then(|| values(number));
                    commit.put.push(Put { values, ..moved(source, target, number) });
                } else {
                    from.remove(source);
                }
            }
        }
        let leaves = |at: &str| from.contains(at) || !self.records.contains_key(at);
        let stays: BTreeSet<_> = to.iter().filter(|at| !leaves(at)).copied().collect();
        commit.delete.extend(stays.iter().map(|at| key(at)));
        for (at, with) in puts {
            if to.insert(KEYS[*at]) {
                let number = self.number();
                let is_new = !self.records.contains_key(KEYS[*at]) || from.contains(KEYS[*at]);
                let values = (*with == WithValues::Yes || is_new).then(|| values(number));
                commit.put.push(Put { values, ..put(KEYS[*at], number) });
            }
        }
        let put = to;
        commit.delete.extend(deletes.iter().map(|at| KEYS[*at]).filter(|at| !put.contains(at)).map(key));
        Some(commit)
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn commit(&mut self, commit: &Commit) {
        let name = |at: &pixform::asset::AssetKey| *KEYS.iter().find(|name| **name == at.as_str()).unwrap();
        let source = |put: &Put| put.moved_from.as_ref().map(|(_, from)| name(from));
        let from: BTreeSet<_> = commit.put.iter().filter_map(source).collect();
        let old = self.records.clone();
        let mut travelling = BTreeMap::new();
        for put in &commit.put {
            if let Some(row) = source(put).and_then(|from| self.rows.remove(from)) {
                travelling.insert(name(&put.record.key), row);
            }
        }
        for at in commit.delete.iter().map(name).filter(|at| !from.contains(at)) {
            if self.records.contains_key(at) {
                self.rows.remove(at);
            }
        }
        self.records.retain(|at, _| !from.contains(at) && !commit.delete.iter().any(|deleted| deleted.as_str() == *at));
        for (at, row) in travelling {
            self.rows.entry(at).or_insert(row);
        }
        for put in &commit.put {
            let at = name(&put.record.key);
            let known = old.get(source(put).unwrap_or(at)).map(|(_, id)| id.clone());
            let id = if put.values.is_some() {
                let row = self.rows.entry(at).or_insert((NEW.to_owned(), 0));
                row.1 = put.record.take;
                row.0.clone()
            } else {
                known.unwrap()
            };
            self.records.insert(at, (put.record.take, id));
        }
    }

    /// Compares, and learns the ids of new rows, which must be ids that no row had before.
    async fn compare(&mut self, state: &dyn State, used: &mut BTreeSet<String>) {
        let keys: Vec<_> = KEYS.iter().map(|at| key(at)).collect();
        let (mut rows, mut records) = (BTreeMap::new(), BTreeMap::new());
        for row in state.rows(&spec(), &keys).await.unwrap() {
            let at = *KEYS.iter().find(|at| **at == row.key.as_str()).unwrap();
            let id = row.id.unwrap();
            if self.rows.get(at).is_some_and(|(id, _)| id == NEW) {
                assert!(used.insert(id.clone()), "the id {id} was used before");
                self.rows.get_mut(at).unwrap().0.clone_from(&id);
                if let Some(record) = self.records.get_mut(at).filter(|(_, id)| id == NEW) {
                    record.1.clone_from(&id);
                }
            }
            assert_eq!(row.values, values(self.rows[at].1));
            rows.insert(at, (id, self.rows[at].1));
        }
        for found in state.records(&collection("pictures"), &keys).await.unwrap() {
            let at = *KEYS.iter().find(|at| **at == found.key.as_str()).unwrap();
            assert_eq!(found.published, record(at, found.take).published);
            records.insert(at, (found.take, found.row.unwrap().id.unwrap()));
        }
        assert_eq!((&records, &rows), (&self.records, &self.rows));
        let (_, seen) = scan(state).await;
        assert!(seen.heads.iter().map(|head| head.key.as_str()).eq(self.records.keys().copied()));
        assert!(seen.rows.keys().map(String::as_str).eq(self.rows.keys().copied()));
        let counted = state.known().await.unwrap().collections[0].records;
        assert_eq!(counted, self.records.len() as u64);
    }
}

fn by_hand(database: &Connection, model: &mut Model, event: &Event) {
    let parts = |at: &usize| KEYS[*at].split_once('/').unwrap();
    match event {
        Event::Commit { .. } => {}
        Event::Drop(at) => {
            database.execute("DELETE FROM pictures WHERE category = ?1 AND style = ?2", parts(at)).unwrap();
            model.rows.remove(KEYS[*at]);
        }
        Event::Edit(at) => {
            let number = model.number();
            let values = values(number);
            let (category, style) = parts(at);
            let edit = "INSERT INTO pictures (category, style, image_url, seed, scale, width, created_at, updated_at)
                        VALUES (?1, ?2, ?3, ?4, 7.5, 512, '', '')
                        ON CONFLICT (category, style) DO UPDATE SET image_url = ?3, seed = ?4";
            database.execute(edit, (category, style, values[0].as_str(), values[1].as_i64())).unwrap();
            model.rows.entry(KEYS[*at]).or_insert((NEW.to_owned(), 0)).1 = number;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_committed_the_state_holds_what_a_simple_model_holds(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = Folder::new();
            let state = open_at(&folder.file(), Access::Write).await.unwrap();
            let lease = ready(&*state).await;
            let database = Connection::open(folder.file()).unwrap();
            database.pragma_update(None, "synchronous", "OFF").unwrap();
            let (mut model, mut used) = (Model::default(), BTreeSet::new());
            for event in &events {
                by_hand(&database, &mut model, event);
                if let Some(commit) = model.legal(event) {
                    state.commit(&lease, Some(&spec()), &commit).await.unwrap();
                    model.commit(&commit);
                }
                model.compare(&*state, &mut used).await;
            }
        });
    }
}
