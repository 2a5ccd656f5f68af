//! A second S3 server, of other people's making: `moto` for Python, which `tests/run` installs.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::response;
use pixform::storage::StoreOptions;
use pixform::web;

use super::front::{Backend, Front};

/// A running `moto` with one bucket, `pictures`.
pub struct Moto {
    pub front: Front,
    process: Child,
}

struct Far {
    address: String,
    client: reqwest::Client,
}

impl Moto {
    pub fn start() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/moto_server");
        let needs = "this test needs moto: run `tests/run`, or `python3 -m venv target/venv && target/venv/bin/pip install 'moto[server]'`";
        assert!(root.is_file(), "{needs}");
        // It ends when this process does, which closes the input of the shell between them.
        let script = r#""$1" -H 127.0.0.1 -p 0 & server=$!; cat >/dev/null; kill $server"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(root);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{needs}: {error}"));
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address =
            lines.find_map(|line| line.split_once("Running on ").map(|(_, address)| address.trim().to_owned()));
        let address = address.expect(needs);
        // It writes a line for each request, which somebody has to read.
        std::thread::spawn(move || lines.for_each(drop));
        let far = Far { client: client(&address), address };
        let moto = Self { front: Front::start(far), process };
        let made = std::thread::scope(|scope| {
            let url = format!("{}/pictures", moto.front.address());
            scope
                .spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(client(&url).put(url).send()).unwrap().status()
                })
                .join()
                .unwrap()
        });
        assert!(made.is_success(), "{made}");
        moto
    }

    pub fn settings(&self, prefix: &str) -> StoreOptions {
        super::s3::settings(self.front.address(), prefix)
    }
}

fn client(address: &str) -> reqwest::Client {
    web::client(&address.parse().unwrap(), || web::builder().no_proxy()).unwrap()
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[async_trait]
impl Backend for Far {
    async fn answer(&self, parts: Parts, body: Bytes) -> (response::Parts, Bytes) {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = self.client.request(parts.method, format!("{}{path}", self.address)).body(body);
        // The host is signed, so it stays the one that was asked.
        for (name, value) in &parts.headers {
            if name != "content-length" && name != "connection" {
                request = request.header(name, value);
            }
        }
        let answer: axum::http::Response<reqwest::Body> = request.send().await.unwrap().into();
        let (mut parts, body) = answer.into_parts();
        parts.headers.remove("transfer-encoding");
        parts.headers.remove("connection");
        (parts, http_body_util::BodyExt::collect(body).await.unwrap().to_bytes())
    }
}
