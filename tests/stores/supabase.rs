//! A stand-in for Supabase's Storage, written from what its open-source server was seen to answer: real statuses only in
//! bodies, no atomic create, a HEAD without a word, a narrow alphabet for keys, and a gateway before it that knows keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::response;
use md5::{Digest as _, Md5};
use pixform::secret::SecretText;
use pixform::storage::StoreOptions;
use serde_json::{Value, json};

use super::front::{Backend, Front};

/// A service key of the old kind, a JWT.
pub const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.never-to-be-shown";
/// A service key of the new kind, which only the gateway knows.
pub const SECRET: &str = "sb_secret_never-to-be-shown";

/// The public key of the old kind, a JWT: row level security shows it nothing.
pub const ANON: &str = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.never-to-be-shown";
/// The public key of the new kind.
pub const PUBLISHABLE: &str = "sb_publishable_never-to-be-shown";

/// How long the server looks before it writes: time enough for others.
const RACE: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Default)]
pub struct Bucket {
    pub public: bool,
    pub file_size_limit: Option<u64>,
    pub allowed_mime_types: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub content_type: String,
    pub cache_control: String,
}

/// What lies before the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Routes {
    /// Nothing, or a gateway: it answers with and without the path of the API.
    #[default]
    Any,
    /// The gateway of a project, which knows the path of the API and nothing else.
    Gateway,
}

#[derive(Default)]
pub struct Memory {
    /// When every file was written, as listings say it; nothing is now.
    pub written_at: Option<jiff::Timestamp>,
    pub routes: Routes,
    pub buckets: BTreeMap<String, Bucket>,
    pub objects: BTreeMap<(String, String), Object>,
    /// Most keys that one delete named.
    pub most_deleted: usize,
}

/// A running server.
pub struct Supabase {
    pub front: Front,
    memory: Arc<Mutex<Memory>>,
}

struct Server(Arc<Mutex<Memory>>);

impl Supabase {
    /// Starts one with a public bucket, `pictures`.
    pub fn start() -> Self {
        let fake = Self::empty();
        fake.memory().buckets.insert("pictures".to_owned(), Bucket { public: true, ..Bucket::default() });
        fake
    }

    /// Starts one without any bucket.
    pub fn empty() -> Self {
        let memory: Arc<Mutex<Memory>> = Arc::default();
        Self { front: Front::start(Server(Arc::clone(&memory))), memory }
    }

    pub fn settings(&self, prefix: &str) -> StoreOptions {
        let host = self.front.address().trim_start_matches("http://");
        StoreOptions {
            key: Some(SecretText::new(JWT.to_owned())),
            ..StoreOptions::of(format!("supabase://{host}/pictures/{prefix}"))
        }
    }

    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer = (u16, Value);

fn error(status: &str, error: &str, message: &str, code: &str) -> Answer {
    // The real status is in the body; HTTP says 400 whatever it is.
    (400, json!({ "statusCode": status, "error": error, "message": message, "code": code }))
}

fn no_bucket() -> Answer {
    error("404", "Bucket not found", "Bucket not found", "NoSuchBucket")
}

/// What row level security without a policy leaves of the answers.
fn shown_nothing(method: &str, path: &str) -> Answer {
    match (method, path.split('/').next().unwrap_or_default()) {
        ("GET", "bucket") => no_bucket(),
        ("POST", "object") if path.starts_with("object/list-v2/") => {
            (200, json!({ "hasNext": false, "folders": [], "objects": [] }))
        }
        ("GET", "object") => no_key(),
        _ => error("403", "Unauthorized", "new row violates row-level security policy", "AccessDenied"),
    }
}

fn no_key() -> Answer {
    error("404", "not_found", "Object not found", "NoSuchKey")
}

fn is_legal(key: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_/!.*'() &$=@;:+,?-".contains(&byte);
    !key.is_empty() && key.bytes().all(legal)
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(bytes)))
}

#[async_trait]
impl Backend for Server {
    async fn answer(&self, parts: Parts, body: Bytes) -> (response::Parts, Bytes) {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8().unwrap().into_owned();
        if self.memory().routes == Routes::Gateway && !path.starts_with("/storage/v1/") {
            let body = json!({ "message": "no Route matched with those values" }).to_string();
            let answer = axum::http::Response::builder().status(404).header("content-type", "application/json");
            return (answer.body(()).unwrap().into_parts().0, body.into());
        }
        let path = path.strip_prefix("/storage/v1").unwrap_or(&path).trim_start_matches('/').to_owned();
        let whole = |status: u16, headers: &[(&str, &str)], body: Bytes| {
            let mut answer = axum::http::Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(*name, *value);
            }
            (answer.body(()).unwrap().into_parts().0, body)
        };
        let said =
            |(status, value): Answer| whole(status, &[("content-type", "application/json")], value.to_string().into());
        let found = |object: &Object| {
            let (etag, cache) = (etag(&object.bytes), object.cache_control.as_str());
            let headers = [("content-type", object.content_type.as_str()), ("etag", &etag), ("cache-control", cache)];
            whole(200, &headers, object.bytes.clone())
        };
        if let Some(public) = path.strip_prefix("object/public/") {
            let (bucket, key) = public.split_once('/').unwrap_or((public, ""));
            let memory = self.memory();
            let open = memory.buckets.get(bucket).is_some_and(|bucket| bucket.public);
            let object = memory.objects.get(&(bucket.to_owned(), key.to_owned())).filter(|_| open);
            return object.map_or_else(|| said(no_key()), found);
        }
        match (header("apikey"), header("authorization")) {
            (SECRET, "") => {}
            (ANON | PUBLISHABLE, _) => return said(shown_nothing(parts.method.as_str(), &path)),
            (_, authorization) if authorization == format!("Bearer {JWT}") => {}
            ("", "") => {
                let message = "headers must have required property 'authorization'";
                return said(error("400", "Error", message, "InvalidRequest"));
            }
            _ => return said(error("403", "Unauthorized", "Invalid Compact JWS", "AccessDenied")),
        }
        let mut segments = path.splitn(3, '/');
        let (first, second, third) = (
            segments.next().unwrap_or_default(),
            segments.next().unwrap_or_default(),
            segments.next().unwrap_or_default(),
        );
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        match (parts.method.as_str(), first, second, third) {
            ("POST", "bucket", "", "") => said(self.make_bucket(&json)),
            ("GET", "bucket", name, "") => said(self.bucket(name)),
            ("GET", "object", "info", rest) => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                said(self.info(bucket, key))
            }
            ("POST", "object", "list-v2", bucket) => said(self.list(bucket, &json)),
            ("DELETE", "object", bucket, "") => said(self.delete(bucket, &json)),
            ("GET" | "HEAD", "object", bucket, key) => {
                let memory = self.memory();
                match memory.objects.get(&(bucket.to_owned(), key.to_owned())) {
                    Some(object) => found(object),
                    None if parts.method == "HEAD" => whole(400, &[], Bytes::new()),
                    None if !memory.buckets.contains_key(bucket) => said(no_bucket()),
                    None => said(no_key()),
                }
            }
            ("POST" | "PUT", "object", bucket, key) => {
                let cache = match header("cache-control") {
                    "" => "no-cache",
                    cache => cache,
                };
                let object = Object {
                    bytes: body.clone(),
                    content_type: header("content-type").to_owned(),
                    cache_control: cache.to_owned(),
                };
                let replace = parts.method == "PUT" || header("x-upsert") == "true";
                said(self.upload(bucket, key, object, replace).await)
            }
            _ => said((404, json!({ "message": "Route not found", "error": "Not Found", "statusCode": "404" }))),
        }
    }
}

impl Server {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_bucket(&self, asked: &Value) -> Answer {
        let name = asked["name"].as_str().unwrap_or_default().to_owned();
        let public = asked["public"].as_bool().unwrap_or_default();
        let mut memory = self.memory();
        if memory.buckets.contains_key(&name) {
            return error("409", "Duplicate", "The resource already exists", "BucketAlreadyExists");
        }
        memory.buckets.insert(name.clone(), Bucket { public, ..Bucket::default() });
        (200, json!({ "name": name }))
    }

    fn bucket(&self, name: &str) -> Answer {
        match self.memory().buckets.get(name) {
            None => no_bucket(),
            Some(Bucket { public, file_size_limit, allowed_mime_types }) => (
                200,
                json!({ "id": name, "name": name, "public": public, "file_size_limit": file_size_limit,
                        "allowed_mime_types": allowed_mime_types }),
            ),
        }
    }

    fn info(&self, bucket: &str, key: &str) -> Answer {
        let memory = self.memory();
        match memory.objects.get(&(bucket.to_owned(), key.to_owned())) {
            None if !memory.buckets.contains_key(bucket) => no_bucket(),
            None => no_key(),
            Some(object) => (
                200,
                json!({ "name": key, "size": object.bytes.len(), "content_type": object.content_type,
                        "cache_control": object.cache_control, "etag": etag(&object.bytes) }),
            ),
        }
    }

    fn list(&self, bucket: &str, asked: &Value) -> Answer {
        let prefix = asked["prefix"].as_str().unwrap_or_default();
        let limit = asked["limit"].as_u64().unwrap_or(100).min(1_000) as usize;
        let after = asked["cursor"].as_str().map(|cursor| String::from_utf8(hex::decode(cursor).unwrap()).unwrap());
        let memory = self.memory();
        if !memory.buckets.contains_key(bucket) {
            return no_bucket();
        }
        let keys = memory.objects.iter().filter(|((of, key), _)| of == bucket && key.starts_with(prefix));
        let mut keys = keys.filter(|((_, key), _)| after.as_ref().is_none_or(|after| key > after));
        let page: Vec<_> = keys.by_ref().take(limit).collect();
        let more = keys.next().is_some();
        let last = page.last().map(|((_, key), _)| key.clone());
        let objects: Vec<Value> = page
            .into_iter()
            .map(|((_, key), object)| {
                let at = memory.written_at.unwrap_or_else(jiff::Timestamp::now).to_string();
                json!({ "name": key, "id": "an-id", "created_at": at, "updated_at": at, "metadata": { "size": object.bytes.len(), "mimetype": object.content_type } })
            })
            .collect();
        let cursor = last.filter(|_| more).map(hex::encode);
        (200, json!({ "hasNext": more, "nextCursor": cursor, "folders": [], "objects": objects }))
    }

    fn delete(&self, bucket: &str, asked: &Value) -> Answer {
        let mut memory = self.memory();
        let keys: Vec<String> =
            asked["prefixes"].as_array().into_iter().flatten().map(|key| key.as_str().unwrap().to_owned()).collect();
        memory.most_deleted = memory.most_deleted.max(keys.len());
        if keys.len() > 1_000 {
            return error("400", "Error", "body/prefixes must NOT have more than 1000 items", "InvalidRequest");
        }
        let gone: Vec<Value> = keys
            .into_iter()
            .filter(|key| memory.objects.remove(&(bucket.to_owned(), key.clone())).is_some())
            .map(|key| json!({ "name": key }))
            .collect();
        (200, Value::Array(gone))
    }

    async fn upload(&self, bucket: &str, key: &str, object: Object, replace: bool) -> Answer {
        let place = (bucket.to_owned(), key.to_owned());
        {
            let memory = self.memory();
            let Some(Bucket { file_size_limit, allowed_mime_types, .. }) = memory.buckets.get(bucket) else {
                return no_bucket();
            };
            if !is_legal(key) {
                return error("400", "InvalidKey", "Invalid key", "InvalidKey");
            }
            if allowed_mime_types.as_ref().is_some_and(|types| !types.contains(&object.content_type)) {
                return error("415", "invalid_mime_type", "mime type is not supported", "InvalidMimeType");
            }
            if file_size_limit.is_some_and(|most| object.bytes.len() as u64 > most) {
                return error(
                    "413",
                    "Payload too large",
                    "The object exceeded the maximum allowed size",
                    "EntityTooLarge",
                );
            }
            if !replace && memory.objects.contains_key(&place) {
                return error("409", "Duplicate", "The resource already exists", "KeyAlreadyExists");
            }
        }
        // What another request does in between is overwritten without a word.
        tokio::time::sleep(RACE).await;
        self.memory().objects.insert(place, object);
        (200, json!({ "Key": format!("{bucket}/{key}"), "Id": "an-id" }))
    }
}
