//! The server beside a bare axum handler that returns the same bytes: `cargo bench --bench serve`.
//!
//! Each is a process of its own; the load comes from here, over loopback, in turns. Ends by itself.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[expect(dead_code, clippy::unwrap_used, reason = "it is the tests', which need more of it")]
#[path = "../tests/it/postgres.rs"]
mod postgres;

use postgres::{Durability, Server};

/// Clients at once.
const CLIENTS: usize = 16;
/// How long one turn takes.
const TURN: Duration = Duration::from_secs(3);
/// Turns of each; the best counts, for the machine does other things too.
const TURNS: usize = 4;
/// The question of a product: seven rows.
const TARGET: &str = "/api/attribute-images?category=age&style=realistic";
/// The argument that makes this process the bare handler.
const BARE: &str = "--bare";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(BARE) {
        let body = arguments.next().expect("the bytes to return are in a file");
        return runtime.block_on(bare(Path::new(&body)));
    }
    println!("{CLIENTS} clients, best of {TURNS} turns of {} s\n", TURN.as_secs());
    println!("| work | bare axum | pixform | ratio | p99 bare | p99 pixform |\n| --- | --- | --- | --- | --- | --- |");
    let server = Server::start(Durability::None);
    for (name, state) in [("SQLite", "sqlite:.pixform/state.db".to_owned()), ("Postgres", server.database())] {
        runtime.block_on(compare(name, &state));
    }
}

/// Serves one answer: what could not be done with less.
async fn bare(body: &Path) {
    let body: bytes::Bytes = std::fs::read(body).expect("the file can be read").into();
    let handler = move |asked: HeaderMap| {
        let body = body.clone();
        async move {
            match asked.get(header::IF_NONE_MATCH) {
                Some(tag) => (StatusCode::NOT_MODIFIED, [(header::ETAG, tag.clone())], bytes::Bytes::new()),
                None => (StatusCode::OK, [(header::CONTENT_TYPE, "application/json".parse().expect("a type"))], body),
            }
        }
    };
    let router = Router::new().route("/api/attribute-images", get(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    eprintln!("listening on http://{}/", listener.local_addr().expect("it has an address"));
    axum::serve(listener, router).await.expect("it serves");
}

async fn compare(name: &str, state: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir(folder.path().join("manifests")).expect("a folder can be made");
    let manifest = "manifests/attribute-images.yaml";
    std::fs::copy(root.join(manifest), folder.path().join(manifest)).expect("the manifest is there");
    let config = format!(
        "version: 1\nenvironments:\n  local:\n    state: \"{state}\"\n    storage: {{ url: \"file:.pixform/storage\" }}\n    \
         generators: {{ novita: {{ kind: placeholder, checks_as: novita }} }}\n"
    );
    std::fs::write(folder.path().join("pixform.yaml"), config).expect("a file can be written");
    let pixform = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixform"));
        command.args(arguments).current_dir(folder.path()).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let applied = pixform(&["apply", "--yes"]).stderr(Stdio::null()).status().expect("pixform runs");
    assert!(applied.success(), "the pictures could not be applied");
    let served = Process::start(pixform(&["serve", "--listen", "127.0.0.1:0"]));
    let (head, body) = ask(&served.address, TARGET).await;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("the answer has a tag").to_owned();
    let file = folder.path().join("body");
    std::fs::write(&file, &body).expect("a file can be written");
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.arg(BARE).arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
    let bare = Process::start(command);
    let rows = format!("7 rows, {} bytes, {name}", body.len());
    for (work, header) in [(rows, String::new()), (format!("304, {name}"), format!("if-none-match: {tag}\r\n"))] {
        let request = format!("GET {TARGET} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n");
        let (mut theirs, mut ours) = (Turn::default(), Turn::default());
        for _ in 0..TURNS {
            theirs = theirs.better(turn(&bare.address, &request).await);
            ours = ours.better(turn(&served.address, &request).await);
        }
        let ratio = ours.rate / theirs.rate;
        println!(
            "| {work} | {:.0} /s | {:.0} /s | {ratio:.2} | {} µs | {} µs |",
            theirs.rate, ours.rate, theirs.p99, ours.p99
        );
    }
    let grid = turn(&served.address, "GET /attribute-images HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    println!("| a page of 42 pictures, {name} | | {:.0} /s | | | {} µs |", grid.rate, grid.p99);
}

/// A server, which ends with this value.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut lines = lines.map_while(Result::ok);
        let line = lines.find(|line| line.starts_with("listening on ")).expect("it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: line.split('/').nth(2).expect("it tells its address").to_owned() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came of one turn.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    /// Answers a second.
    rate: f64,
    /// How long the slowest answer but one in a hundred took, in microseconds.
    p99: u128,
}

impl Turn {
    fn better(self, other: Self) -> Self {
        if other.rate > self.rate { other } else { self }
    }
}

/// Asks from all clients, each as soon as it has its answer.
async fn turn(address: &str, request: &str) -> Turn {
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (address, request) = (address.to_owned(), request.to_owned());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(&address).await.expect("it takes connections");
                stream.set_nodelay(true).expect("it is a socket");
                let (mut took, mut buffer) = (Vec::with_capacity(100_000), Vec::with_capacity(64 * 1024));
                while begun.elapsed() < TURN {
                    let asked = Instant::now();
                    stream.write_all(request.as_bytes()).await.expect("it reads");
                    answer(&mut stream, &mut buffer).await;
                    took.push(asked.elapsed().as_micros());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for client in clients {
        took.extend(client.await.expect("a client does not fail"));
    }
    took.sort_unstable();
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    Turn { rate, p99: took[took.len() * 99 / 100] }
}

/// Reads one answer; returns where its head ends.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> usize {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.expect("it answers");
        assert!(read > 0, "it hung up");
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse::<usize>().expect("a length is a number"));
        let is_empty = head.starts_with("http/1.1 304");
        if buffer.len() >= end + 4 + if is_empty { 0 } else { length } {
            return end;
        }
    }
}

async fn ask(address: &str, target: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("it takes connections");
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut buffer = Vec::new();
    let end = answer(&mut stream, &mut buffer).await;
    (String::from_utf8_lossy(&buffer[..end]).into_owned(), buffer[end + 4..].to_vec())
}
