//! A real S3 server in this process: `s3s-fs`, with keys that it checks.

use std::process::{Child, Command, Stdio};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::response;
use http_body_util::BodyExt as _;
use pixform::secret::SecretText;
use pixform::storage::StoreOptions;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;

use super::front::{Backend, Front};

pub const KEY: &str = "AKIAPIXFORMTEST";
pub const SECRET: &str = "a-secret-that-must-never-be-shown";

/// A server with one bucket, `pictures`; both go with this value.
pub struct S3 {
    pub front: Front,
    pub folder: TempDir,
}

struct Server(S3Service);

/// Answers listings of one flat folder from memory: `s3s-fs` walks its folder anew for each page.
struct Listed {
    server: Server,
    names: Vec<String>,
}

impl S3 {
    pub fn start() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        std::fs::create_dir(folder.path().join("pictures")).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        Self { front: Front::start(Server(builder.build())), folder }
    }

    /// Starts a server whose bucket lists so many files in the folder `many`.
    pub fn start_with(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let names = (0..count).map(|number| format!("many/age-{number:06}-realistic-0123456789abcdef.jpg")).collect();
        Self { front: Front::start(Listed { server: Server(builder.build()), names }), folder }
    }

    /// Has its folder removed when this process ends, for one that is never dropped.
    pub fn sweep_at_the_end(&self) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", r#"cat >/dev/null; rm -rf "$1""#, "sh"]).arg(self.folder.path());
        command.stdin(Stdio::piped()).spawn().unwrap()
    }

    /// Returns how to reach a prefix of the bucket.
    pub fn settings(&self, prefix: &str) -> StoreOptions {
        settings(self.front.address(), prefix)
    }
}

/// Returns how to reach a prefix of the bucket `pictures` of any S3 server.
pub fn settings(address: &str, prefix: &str) -> StoreOptions {
    let secret = |text: &str| Some(SecretText::new(text.to_owned()));
    StoreOptions {
        endpoint: Some(address.to_owned()),
        region: Some("us-east-1".to_owned()),
        access_key_id: secret(KEY),
        secret_access_key: secret(SECRET),
        ..StoreOptions::of(format!("s3://pictures/{prefix}"))
    }
}

#[async_trait]
impl Backend for Server {
    async fn answer(&self, parts: Parts, body: Bytes) -> (response::Parts, Bytes) {
        let request = axum::http::Request::from_parts(parts, s3s::Body::from(body));
        let answer = self.0.call(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        (parts, body.collect().await.unwrap().to_bytes())
    }
}

#[async_trait]
impl Backend for Listed {
    async fn answer(&self, parts: Parts, body: Bytes) -> (response::Parts, Bytes) {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        if !query.contains("list-type=2") {
            return self.server.answer(parts, body).await;
        }
        let token = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "continuation-token");
        let start: usize = token.map_or(0, |(_, token)| token.parse().unwrap());
        let end = (start + 1_000).min(self.names.len());
        let mut page = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>");
        for name in &self.names[start..end] {
            page += &format!(
                "<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>&quot;5eb63bbbe01eeed093cb22bb8f5acdc3&quot;</ETag><Size>12345</Size></Contents>"
            );
        }
        if end < self.names.len() {
            page += &format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>");
        }
        page += "</ListBucketResult>";
        let (parts, ()) = axum::http::Response::builder().status(200).body(()).unwrap().into_parts();
        (parts, page.into())
    }
}
