//! A storage in a bucket of Supabase, through the REST API of its Storage, with a service key.
//!
//! That API has no atomic create and hides the real status of an error in its body (see `fault`). Existence is asked for
//! by `info`, never by HEAD, which answers a bare 400 for what is missing. What the wire looks like was seen on the
//! open-source server in August 2026.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::checksum::{ChecksumMatch, Checksums, StoredFile};
use super::endpoint::trimmed;
use super::mistaken_address::{self, Api, Mistaken};
use super::store_fault::{Speaker, StoreFault, StoreFaultKind, WRITE};
use super::store_health::Health;
use super::store_http::{AnswerMax, RetryLimit, StoreAnswer, StoreRequest, Wire};
use super::store_options::{Prefix, supabase_base};
use super::{
    FileVisitor, MARKER_PATH, MissingBucket, Needs, Overwrite, Remnant, RemoteStore, Storage, StorageError,
    StoreOptions, WRITES_MAX, cache_control, check_folder,
};
use crate::asset::ObjectPath;

mod bucket;
mod key_role;
mod object_fields;

use bucket::Bucket;
use key_role::{KeyRole, keys};
use object_fields::{bytes_of, number};

/// Files of one page of a listing: the most that the server gives.
const PAGE: usize = 1_000;
/// Pages of one listing at most: ten million files.
const PAGES_MAX: usize = 10_000;
/// Files that one request deletes: hosted servers take no more.
const DELETED_AT_ONCE: usize = 1_000;
/// Variables that hold the key where pixform.yaml has none.
const KEY_VARIABLES: [&str; 2] = ["SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY"];

/// Files below a prefix of a bucket.
pub(super) struct SupabaseStorage {
    wire: Wire,
    base: String,
    place: RemoteStore,
    prefix: Prefix,
    keys: HeaderMap,
    role: KeyRole,
    missing_bucket: MissingBucket,
    /// Whether the key was seen to see the bucket.
    sees: AtomicBool,
}

impl SupabaseStorage {
    /// Prepares a client; nothing is sent.
    pub(super) fn new(
        settings: &StoreOptions,
        (host, bucket, prefix): (&str, &str, Prefix),
        health: &Arc<Health>,
    ) -> Result<Self, StorageError> {
        let base = settings.endpoint()?.map_or_else(|| supabase_base(host), |url| trimmed(&url));
        let wrong = |what: String, help: &str| StorageError::Settings { what, help: help.to_owned() };
        let address = Url::parse(&base).map_err(|_| {
            wrong("the storage's host is none".to_owned(), "write it as in `supabase://PROJECT.supabase.co/BUCKET`")
        })?;
        let wire = Wire::new(&address, Arc::clone(health))?;
        let variable = || KEY_VARIABLES.iter().find_map(|name| std::env::var(name).ok().filter(|key| !key.is_empty()));
        let key = settings.key.as_ref().map(|key| key.expose().trim().to_owned()).or_else(variable);
        let key = key.filter(|key| !key.is_empty()).ok_or_else(|| {
            let what = "the storage has no `key`".to_owned();
            wrong(what, "set `key: \"${SUPABASE_SERVICE_ROLE_KEY}\"` beside its `url`: the project's service key")
        })?;
        let place = RemoteStore {
            root: format!("supabase://{host}/{bucket}{prefix}"),
            bucket: bucket.to_owned(),
            check: "check `storage.key`: it has to be the secret key (`sb_secret_…`) or the service_role key of this \
                    project, not the public one",
            make: "write `create_bucket: true` beside `storage.url` to have it made, or make it in the dashboard; with a \
                   key that may not see it (a public one) it is missing, too, and `endpoint` may lead elsewhere",
        };
        let keys = keys(&key).map_err(|what| wrong(what, "copy it again from the dashboard"))?;
        let (missing_bucket, role) = (settings.missing_bucket, KeyRole::of(&key));
        Ok(Self { wire, base, place, prefix, keys, role, missing_bucket, sees: AtomicBool::new(false) })
    }

    /// Puts a fault into the words of the room; where something else than a Storage answers, the address is what is wrong.
    fn failure(&self, action: &'static str, path: &str, fault: &StoreFault) -> StorageError {
        let is_missing = matches!(fault.kind, StoreFaultKind::Missing | StoreFaultKind::NoBucket);
        match Url::parse(&self.base) {
            Ok(base) if is_missing && fault.speaker == Speaker::Anybody => {
                let Mistaken { what, help } = mistaken_address::unknown_there(&base, Api::Supabase);
                StorageError::Settings { what: format!("`{}` {what}", crate::web::bare(&base)), help }
            }
            Ok(_) | Err(_) => self.place.failure(action, path, fault),
        }
    }

    /// Makes sure that nothing is there where nothing was shown: to a key that may not look, row level security shows a
    /// bucket without files, and no bucket.
    async fn sees_nothing(&self, action: &'static str, path: &str) -> Result<(), StorageError> {
        if self.sees.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.bucket().await {
            Ok(_) => {
                self.sees.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(fault) if fault.kind == StoreFaultKind::NoBucket && fault.speaker == Speaker::Store => {
                match self.role.limited() {
                    Some(said) => {
                        let fault = StoreFault::of(StoreFaultKind::Denied, said);
                        Err(self.place.failure(action, path, &fault))
                    }
                    None if self.is_not_made_yet(&fault) => Ok(()),
                    None => Err(self.failure(action, path, &fault)),
                }
            }
            Err(fault) => Err(self.failure(action, path, &fault)),
        }
    }

    /// Returns the address of something below the base; each segment is encoded, for `+` and `=` are legal in names.
    fn url(&self, route: &str, path: &str) -> Result<Url, StoreFault> {
        let path = self.prefix.join(path).parse::<ObjectPath>().map(|path| path.url("/"));
        self.route(&format!("{route}/{}{}", self.place.bucket, path.unwrap_or_default()))
    }

    /// Returns the address of something that names no file.
    fn route(&self, route: &str) -> Result<Url, StoreFault> {
        let url = Url::parse(&format!("{}/{route}", self.base));
        url.map_err(|error| StoreFault::of(StoreFaultKind::Refused, error.to_string()))
    }

    async fn send(
        &self,
        patience: RetryLimit,
        (method, url): (Method, Url),
        body: Option<Value>,
    ) -> Result<StoreAnswer, StoreFault> {
        let mut headers = self.keys.clone();
        let body = body.map(|body| body.to_string());
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = body.unwrap_or_default().into();
        self.wire.send(&StoreRequest { method, url, headers, body, bytes_max: None, patience }).await
    }

    async fn ask(
        &self,
        method: Method,
        url: Result<Url, StoreFault>,
        body: Option<Value>,
    ) -> Result<Value, StoreFault> {
        self.ask_with(RetryLimit::Usual, method, url, body).await
    }

    async fn ask_with(
        &self,
        patience: RetryLimit,
        method: Method,
        url: Result<Url, StoreFault>,
        body: Option<Value>,
    ) -> Result<Value, StoreFault> {
        let answer = self.send(patience, (method, url?), body).await?;
        serde_json::from_slice(&answer.body).map_err(|_| {
            StoreFault::of(
                StoreFaultKind::Refused,
                "the answer is no JSON: is `endpoint` the address of a Supabase Storage?".to_owned(),
            )
        })
    }

    /// A bucket that is going to be made is empty until then.
    fn is_not_made_yet(&self, fault: &StoreFault) -> bool {
        fault.kind == StoreFaultKind::NoBucket && self.missing_bucket == MissingBucket::Make
    }

    async fn look(&self, path: &ObjectPath, patience: RetryLimit) -> Result<Option<StoredFile>, StorageError> {
        match self.ask_with(patience, Method::GET, self.url("object/info", path.as_str()), None).await {
            Ok(info) => {
                let metadata = &info["metadata"];
                let bytes = number(&info["size"]).or_else(|| number(&metadata["size"]));
                let bytes = bytes.or_else(|| number(&metadata["contentLength"])).unwrap_or_default();
                let tag = info["etag"].as_str().or_else(|| metadata["eTag"].as_str());
                Ok(Some(StoredFile { bytes, tag: tag.map(str::to_owned) }))
            }
            Err(fault) if fault.kind == StoreFaultKind::Missing || self.is_not_made_yet(&fault) => Ok(None),
            Err(fault) => Err(self.failure("look at", path.as_str(), &fault)),
        }
    }

    async fn post(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        content_type: &str,
        upsert: &'static str,
    ) -> Result<(), StoreFault> {
        let mut headers = self.keys.clone();
        let content_type = HeaderValue::from_str(content_type);
        headers.insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control(path)));
        headers.insert(HeaderName::from_static("x-upsert"), HeaderValue::from_static(upsert));
        let url = self.url("object", path.as_str())?;
        let patience = RetryLimit::of_a_put(path.as_str());
        let request = StoreRequest { method: Method::POST, url, headers, body: bytes, bytes_max: None, patience };
        self.wire.send(&request).await.map(|_| ())
    }

    async fn read(&self, path: &ObjectPath, bytes_max: u64, patience: RetryLimit) -> Result<Bytes, StorageError> {
        let failure = |fault: StoreFault| match self.is_not_made_yet(&fault) {
            true => StorageError::Missing { path: path.to_string() },
            false => self.failure("read", path.as_str(), &fault),
        };
        let url = self.url("object", path.as_str()).map_err(failure)?;
        let (headers, bytes_max) = (self.keys.clone(), Some(AnswerMax(bytes_max)));
        let request = StoreRequest { method: Method::GET, url, headers, body: Bytes::new(), bytes_max, patience };
        let answer = match self.wire.send(&request).await.map_err(failure) {
            // Everything that is planned begins with the marker.
            Err(error @ StorageError::Missing { .. }) if path.as_str() == MARKER_PATH => {
                self.sees_nothing("read", path.as_str()).await?;
                return Err(error);
            }
            answer => answer?,
        };
        let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok());
        if Checksums::of(&answer.body).of_tag(tag) != ChecksumMatch::Differs {
            return Ok(answer.body);
        }
        // Either the bytes changed on their way, or the tag is no digest. Who knows the digest decides.
        tracing::info!(%path, "what came does not fit its ETag: read again");
        self.wire.send(&request).await.map(|answer| answer.body).map_err(failure)
    }

    /// Makes sure that what was put arrived as it was sent.
    async fn arrived(&self, path: &ObjectPath, bytes: &Bytes, sum: &Checksums<'_>) -> Result<bool, StorageError> {
        let patience = RetryLimit::of_a_put(path.as_str());
        let Some(found) = self.look(path, patience).await? else { return Ok(false) };
        if found.bytes != bytes.len() as u64 {
            return Ok(false);
        }
        match sum.of_tag(found.tag.as_deref()) {
            ChecksumMatch::Same | ChecksumMatch::Unknown => Ok(true),
            // A tag that looks like a digest need not be one.
            ChecksumMatch::Differs => Ok(self.read(path, found.bytes, patience).await? == *bytes),
        }
    }

    async fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Value, StoreFault> {
        let mut body = json!({ "prefix": prefix, "limit": PAGE, "with_delimiter": false });
        if let Some(cursor) = cursor {
            body["cursor"] = cursor.into();
        }
        self.ask(Method::POST, self.route(&format!("object/list-v2/{}", self.place.bucket)), Some(body)).await
    }

    /// Calls the visitor with every file below a folder, as the server describes it.
    async fn each(&self, folder: &str, visitor: &mut (dyn FnMut(&str, &Value) + Send)) -> Result<(), StorageError> {
        check_folder(folder)?;
        let prefix = match self.prefix.join(folder) {
            root if root.is_empty() => root,
            folder => format!("{folder}/"),
        };
        let failure = |fault: &StoreFault| self.failure("list", folder, fault);
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = match self.page(&prefix, cursor.as_deref()).await {
                Ok(page) => page,
                Err(fault) if self.is_not_made_yet(&fault) => return Ok(()),
                Err(fault) => return Err(failure(&fault)),
            };
            for object in page["objects"].as_array().into_iter().flatten() {
                let names = [&object["name"], &object["key"]].into_iter().filter_map(Value::as_str);
                let name = names
                    .into_iter()
                    .find_map(|name| name.starts_with(&prefix).then(|| self.prefix.strip(name)).flatten());
                if let Some(path) = name.filter(|path| !path.is_empty() && !path.ends_with('/')) {
                    visitor(path, object);
                }
            }
            let next = page["nextCursor"].as_str().map(str::to_owned);
            let shown = page["objects"].as_array().is_some_and(|objects| !objects.is_empty());
            match next.filter(|_| page["hasNext"].as_bool() == Some(true)) {
                None if cursor.is_none() && !shown => return self.sees_nothing("list", folder).await,
                None => return Ok(()),
                // A server that leads in a circle would be listed for ever.
                same if same == cursor => break,
                next => cursor = next,
            }
        }
        Err(failure(&StoreFault::of(StoreFaultKind::Refused, "the listing does not end".to_owned())))
    }
}

#[async_trait]
impl Storage for SupabaseStorage {
    fn describe(&self) -> String {
        self.place.root.clone()
    }

    async fn list(&self, folder: &str, visitor: FileVisitor<'_>) -> Result<(), StorageError> {
        self.each(folder, &mut |path, object| visitor(path, bytes_of(object))).await
    }

    async fn remnants(&self) -> Result<Vec<Remnant>, StorageError> {
        let mut remnants = Vec::new();
        self.each("", &mut |path, object| {
            // One whose time is not told may be of this minute.
            let times = ["updated_at", "created_at"].iter().filter_map(|time| object[*time].as_str());
            let changed = times.filter_map(|time| time.parse::<jiff::Timestamp>().ok()).max();
            remnants.extend(changed.and_then(|at| Remnant::of(path, bytes_of(object), at.as_millisecond())));
        })
        .await?;
        Ok(remnants)
    }

    async fn size(&self, path: &ObjectPath) -> Result<Option<u64>, StorageError> {
        Ok(self.look(path, RetryLimit::Usual).await?.map(|found| found.bytes))
    }

    async fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError> {
        self.read(path, bytes_max, RetryLimit::Usual).await
    }

    async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError> {
        let sum = Checksums::of(&bytes);
        let mut upsert = match overwrite {
            Overwrite::Never => "false",
            Overwrite::Replace => "true",
        };
        for _ in 0..WRITES_MAX {
            match self.post(path, bytes.clone(), content_type, upsert).await {
                Ok(()) => {}
                Err(fault) if fault.kind == StoreFaultKind::Exists && overwrite == Overwrite::Never => {
                    let patience = RetryLimit::of_a_put(path.as_str());
                    let found = self.look(path, patience).await?;
                    let found = found.ok_or_else(|| StorageError::Missing { path: path.to_string() })?;
                    return found.compare(path, &bytes, self.read(path, found.bytes, patience)).await;
                }
                Err(fault) => return Err(self.failure(WRITE, path.as_str(), &fault)),
            }
            if self.arrived(path, &bytes, &sum).await? {
                return Ok(());
            }
            // What lies there now is what this very call wrote.
            upsert = "true";
            tracing::info!(%path, "what arrived is not what was sent: written again");
        }
        Err(StorageError::Altered { path: path.to_string() })
    }

    async fn delete(&self, paths: &[ObjectPath]) -> Result<(), StorageError> {
        for chunk in paths.chunks(DELETED_AT_ONCE) {
            let names: Vec<String> = chunk.iter().map(|path| self.prefix.join(path.as_str())).collect();
            let url = self.route(&format!("object/{}", self.place.bucket));
            let body = Some(json!({ "prefixes": names }));
            let deleted = async { self.send(RetryLimit::Usual, (Method::DELETE, url?), body).await }.await;
            let first = chunk.first().map(ObjectPath::as_str).unwrap_or_default();
            match deleted {
                Ok(_) => {}
                Err(fault) if fault.kind == StoreFaultKind::Missing => {}
                Err(fault) => return Err(self.failure("delete", first, &fault)),
            }
        }
        Ok(())
    }

    async fn prepare(&self, needs: &Needs) -> Result<(), StorageError> {
        let failure = |fault: StoreFault| self.failure("look at", &self.place.bucket, &fault);
        let found = match self.bucket().await {
            Err(fault) if self.is_not_made_yet(&fault) => {
                self.make_bucket(needs).await.map_err(failure)?;
                self.bucket().await
            }
            found => found,
        };
        Bucket::read(&found.map_err(failure)?).admits(&self.place, needs)
    }

    /// Does nothing: what the store has taken is durable.
    async fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
