//! Postgres beside SQLite, and beside what Postgres does alone: `cargo bench --bench postgres`, or with sizes of plans:
//! `cargo bench --bench postgres -- 100000 1000000`.
//!
//! Starts a server of its own, reached over loopback, as durable as Postgres is by itself, and ends it.

use std::time::{Duration, Instant};

use pixform::asset::Assets;
use pixform::manifest::Manifest;
use pixform::state::{Access, Commit, Put};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

#[expect(dead_code, reason = "other benches need more of it")]
mod manifests;
#[expect(dead_code, clippy::unwrap_used, reason = "it is the tests', which need more of it")]
#[path = "../tests/it/postgres.rs"]
mod postgres;
mod seed;
#[expect(dead_code, reason = "other benches need more of it")]
mod usage;

use manifests::{Shape, manifest, rules};
use postgres::{Durability, Server};
use seed::{SQLITE, lease, put, seed};
use usage::{RUNS, Usage, best};

/// Rows that are committed, as many at a time as an apply commits.
const ROWS: usize = 10_000;
const BATCH: usize = 500;

fn main() {
    let wanted: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if wanted.is_empty() { vec![42, 100_000] } else { wanted };
    let server = Server::start(Durability::Full);
    println!(
        "fastest of {RUNS} runs\n\n| work | SQLite | Postgres | times | memory |\n| --- | --- | --- | --- | --- |"
    );
    for size in sizes {
        plans(&server, size);
    }
    commits(&server);
}

/// Plans with nothing to do, with either state.
fn plans(server: &Server, size: usize) {
    let folders = [SQLITE.to_owned(), server.database()].map(|state| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        seed(folder.path(), size, &state);
        folder
    });
    let whole: &[&str] = &["plan"];
    let recorded: &[&str] = &["plan", "--no-refresh"];
    for arguments in if size <= 100_000 { vec![whole, recorded] } else { vec![recorded] } {
        let [sqlite, postgres] = [0, 1].map(|at| best(folders[at].path(), arguments));
        let times = postgres.wall.as_secs_f64() / sqlite.wall.as_secs_f64();
        let seconds = |usage: &Usage| usage.wall.as_secs_f64();
        println!(
            "| {}, {size} assets, nothing to do | {:.3} s | {:.3} s | {times:.2} | {} MB, {} MB |",
            arguments.join(" "),
            seconds(&sqlite),
            seconds(&postgres),
            sqlite.kilobytes / 1_000,
            postgres.kilobytes / 1_000
        );
    }
}

/// Records and rows as an apply commits them, beside one statement that upserts the same rows and does nothing else.
fn commits(server: &Server) {
    let source = manifest(ROWS, Shape::Matrix, (64, 64));
    let (manifest, heads) = Manifest::load("bench.yaml", &source, rules()).unwrap_or_else(|error| panic!("{error:?}"));
    let puts: Vec<Put> = (0..heads.all().len()).map(|number| put(&manifest.asset(number)).0).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let [mut ours, mut alone] = [Duration::MAX; 2];
    for _ in 0..RUNS {
        let url = server.database();
        ours = ours.min(runtime.block_on(committed(&url, &manifest, &puts)));
        alone = alone.min(runtime.block_on(upserted(&server.database(), &manifest, &puts)));
    }
    println!(
        "\n{ROWS} rows: committed with their records, {BATCH} at a time, {} ms; one UNNEST upsert of the rows alone {} ms; \
         {:.2} of its rate",
        ours.as_millis(),
        alone.as_millis(),
        alone.as_secs_f64() / ours.as_secs_f64()
    );
}

async fn committed(url: &str, manifest: &Manifest, puts: &[Put]) -> Duration {
    let state = pixform::state::open(url, Access::Write).await.expect("a state can be made");
    state.migrate().await.expect("a state can be migrated");
    let table = manifest.table().expect("the manifest publishes");
    state.ensure_table(table).await.expect("a table can be made");
    let lease = lease(&*state, manifest).await;
    let commits: Vec<Commit> =
        puts.chunks(BATCH).map(|puts| Commit { put: puts.to_vec(), ..Commit::default() }).collect();
    let begun = Instant::now();
    for commit in &commits {
        state.commit(&lease, Some(table), commit).await.expect("a commit succeeds");
    }
    begun.elapsed()
}

async fn upserted(url: &str, manifest: &Manifest, puts: &[Put]) -> Duration {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server answers");
    let connection = tokio::spawn(connection);
    let state = pixform::state::open(url, Access::Write).await.expect("a state can be made");
    state.migrate().await.expect("a state can be migrated");
    let table = manifest.table().expect("the manifest publishes");
    state.ensure_table(table).await.expect("a table can be made");
    let names: Vec<&str> =
        table.key.iter().chain(table.columns.iter().map(|(name, _)| name)).map(String::as_str).collect();
    let cells: Vec<Vec<Option<String>>> =
        (0..names.len()).map(|at| puts.iter().map(|put| cell(put, at, table.key.len())).collect()).collect();
    let begun = Instant::now();
    upsert(&client, &table.name.name, &names, table.key.len(), &cells).await;
    let took = begun.elapsed();
    drop(client);
    connection.await.expect("the connection ends").expect("the connection ends well");
    took
}

/// Returns one cell as text, as `unnest` takes it.
fn cell(put: &Put, at: usize, keys: usize) -> Option<String> {
    if at < keys {
        return put.record.key.as_str().split('/').nth(at).map(str::to_owned);
    }
    match &put.values.as_ref().expect("a row has values")[at - keys] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

async fn upsert(client: &Client, table: &str, names: &[&str], keys: usize, cells: &[Vec<Option<String>>]) {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let types =
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass($1)";
    let types = client.query_typed(types, &[(&table, Type::TEXT)]).await.expect("the catalogue can be read");
    let kind = |name: &str| types.iter().find(|row| row.get::<_, &str>(0) == name).map(|row| row.get::<_, String>(1));
    let picked: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| format!("w.c{at}::{}", kind(name).expect("the column is there")))
        .collect();
    let set: Vec<String> = quoted[keys..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let sql = format!(
        "INSERT INTO \"{table}\" ({}) SELECT {} FROM unnest({}) AS w ({}) ON CONFLICT ({}) DO UPDATE SET {}",
        quoted.join(", "),
        picked.join(", "),
        (1..=names.len()).map(|at| format!("${at}")).collect::<Vec<_>>().join(", "),
        (0..names.len()).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", "),
        quoted[..keys].join(", "),
        set.join(", ")
    );
    let params: Vec<(&(dyn ToSql + Sync), Type)> =
        cells.iter().map(|cells| (cells as &(dyn ToSql + Sync), Type::TEXT_ARRAY)).collect();
    client.execute_typed(&sql, &params).await.expect("the rows can be upserted");
}
