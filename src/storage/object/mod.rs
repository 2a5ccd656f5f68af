//! A storage in a bucket of S3, GCS, Azure, or of anything that speaks like one of them, through `object_store`.
//!
//! No request is conditional, since some stores ignore conditions and overwrite: what is there is looked at before a
//! write, and what was written is compared after it. That is enough, because two writers of one path write the same
//! bytes: a path holds their digest.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutOptions, PutResult,
};
use reqwest::Url;

use super::checksum::{ChecksumMatch, Checksums, StoredFile};
use super::mistaken_address::{self, Api, Mistaken};
use super::store_fault::{Speaker, StoreFault, StoreFaultKind, WRITE};
use super::store_health::Health;
use super::store_http::RetryLimit;
use super::store_options::{BucketService, Prefix};
use super::{
    FileVisitor, Needs, Overwrite, Remnant, RemoteStore, Storage, StorageError, StoreOptions, WRITES_MAX,
    cache_control, check_folder, too_large,
};
use crate::asset::ObjectPath;

mod client_build;
mod s3_listing;

use client_build::{CapturedHeaders, build, payload, with};

/// Files below a prefix of a bucket.
pub(super) struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    place: RemoteStore,
    prefix: Prefix,
    /// Where S3 is spoken, if an address was given.
    endpoint: Option<Url>,
    /// Cleared once an ETag was seen that looks like a digest of the bytes and is none, as with some encryptions.
    tags_are_sums: AtomicBool,
}

impl ObjectStorage {
    /// Prepares a client; nothing is sent.
    pub(super) fn new(
        settings: &StoreOptions,
        (service, bucket, prefix): (BucketService, &str, Prefix),
        health: &Arc<Health>,
    ) -> Result<Self, StorageError> {
        let store = build(settings, (service, bucket), health)?;
        let scheme = service.scheme();
        let at = settings.endpoint()?.map(|url| format!(" at {}", crate::web::bare(&url))).unwrap_or_default();
        let check = match service {
            BucketService::S3 => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or `access_key_id` and `secret_access_key` in \
                 pixform.yaml), `region`, the clock of this machine, and that the key may list the bucket and get, put and delete its objects"
            }
            BucketService::Google => {
                "check GOOGLE_APPLICATION_CREDENTIALS (or `key` in pixform.yaml), and that the account has the role \
                 Storage Object User on the bucket"
            }
            BucketService::Azure => {
                "check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or `account` and `key` in \
                 pixform.yaml), and that they may read, write, list and delete"
            }
        };
        let place = RemoteStore {
            root: format!("{scheme}://{bucket}{prefix}{at}"),
            bucket: bucket.to_owned(),
            check,
            make: "make it at the service, or correct `storage.url` and `endpoint` in pixform.yaml",
        };
        let endpoint = settings.endpoint()?.filter(|_| service == BucketService::S3);
        Ok(Self { store, place, prefix, endpoint, tags_are_sums: AtomicBool::new(true) })
    }

    fn at(&self, path: &str) -> Path {
        // An object path has no part that `object_store` refuses.
        Path::parse(self.prefix.join(path)).unwrap_or_default()
    }

    /// Puts an error into our words: our own line beneath `object_store` tells what is wrong.
    fn failure(&self, action: &'static str, path: &str, error: &object_store::Error) -> StorageError {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(fault) = inner.downcast_ref::<StoreFault>() {
                return match &self.endpoint {
                    // A store without a bucket says so to who lists it: this is none.
                    Some(endpoint)
                        if action == "list"
                            && fault.kind == StoreFaultKind::Missing
                            && fault.speaker == Speaker::Anybody =>
                    {
                        let Mistaken { what, help } = mistaken_address::unknown_there(endpoint, Api::S3);
                        StorageError::Settings { what: format!("`{}` {what}", crate::web::bare(endpoint)), help }
                    }
                    Some(_) | None => self.place.failure(action, path, fault),
                };
            }
            source = inner.source();
        }
        self.place.failure(action, path, &StoreFault::of(StoreFaultKind::Refused, crate::web::words(error)))
    }

    async fn look(&self, path: &ObjectPath, patience: RetryLimit) -> Result<Option<StoredFile>, StorageError> {
        let options = GetOptions { head: true, extensions: with(None, patience), ..GetOptions::default() };
        match self.store.get_opts(&self.at(path.as_str()), options).await.map(|found| found.meta) {
            Ok(ObjectMeta { size: bytes, e_tag: tag, .. }) => Ok(Some(StoredFile { bytes, tag })),
            Err(error) => match self.failure("look at", path.as_str(), &error) {
                StorageError::Missing { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn read(
        &self,
        path: &ObjectPath,
        bytes_max: u64,
        patience: RetryLimit,
    ) -> Result<(Bytes, Option<String>), StorageError> {
        let failure = |error: object_store::Error| self.failure("read", path.as_str(), &error);
        let options = GetOptions { extensions: with(Some(bytes_max), patience), ..GetOptions::default() };
        let found: GetResult = self.store.get_opts(&self.at(path.as_str()), options).await.map_err(failure)?;
        let (size, tag) = (found.meta.size, found.meta.e_tag.clone());
        if size > bytes_max {
            return Err(too_large(path, size, bytes_max));
        }
        let bytes = found.bytes().await.map_err(failure)?;
        Ok((bytes, tag))
    }

    /// Tells whether a tag contradicts bytes that came with it.
    fn contradicts(&self, tag: Option<&str>, sum: &Checksums) -> bool {
        self.tags_are_sums.load(Ordering::Relaxed) && sum.of_tag(tag) == ChecksumMatch::Differs
    }

    /// Makes sure that what was put arrived as it was sent: by the store's digest where it tells one, by its size and
    /// its tag where not.
    async fn arrived(
        &self,
        path: &ObjectPath,
        bytes: &Bytes,
        sum: &Checksums<'_>,
        put: &PutResult,
    ) -> Result<bool, StorageError> {
        let told =
            put.extensions.get::<CapturedHeaders>().map_or(ChecksumMatch::Unknown, |seen| sum.of_headers(&seen.0));
        let by_tag = if self.tags_are_sums.load(Ordering::Relaxed) {
            sum.of_tag(put.e_tag.as_deref())
        } else {
            ChecksumMatch::Unknown
        };
        match (told, by_tag) {
            (ChecksumMatch::Same, _) | (ChecksumMatch::Unknown, ChecksumMatch::Same) => Ok(true),
            (ChecksumMatch::Differs, _) => Ok(false),
            (ChecksumMatch::Unknown, ChecksumMatch::Differs) => {
                let (there, _) = self.read(path, bytes.len() as u64, RetryLimit::of_a_put(path.as_str())).await?;
                let arrived = there == *bytes;
                if arrived {
                    self.tags_are_sums.store(false, Ordering::Relaxed);
                }
                Ok(arrived)
            }
            (ChecksumMatch::Unknown, ChecksumMatch::Unknown) => {
                let found = self.look(path, RetryLimit::of_a_put(path.as_str())).await?;
                let tag = put.e_tag.as_deref().filter(|tag| *tag != "-");
                Ok(found.is_some_and(|found| {
                    found.bytes == bytes.len() as u64
                        && (tag.is_none() || found.tag.is_none() || found.tag.as_deref() == tag)
                }))
            }
        }
    }
}

#[async_trait]
impl Storage for ObjectStorage {
    fn describe(&self) -> String {
        self.place.root.clone()
    }

    async fn list(&self, folder: &str, visitor: FileVisitor<'_>) -> Result<(), StorageError> {
        check_folder(folder)?;
        let at = self.at(folder);
        let mut found = self.store.list(Some(&at));
        while let Some(next) = found.next().await {
            let ObjectMeta { location, size, .. } = next.map_err(|error| self.failure("list", folder, &error))?;
            let Some(path) = self.prefix.strip(location.as_ref()) else { continue };
            // The mark that some consoles make for a folder is no file in it.
            let below = folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            if below {
                visitor(path, size);
            }
        }
        Ok(())
    }

    async fn remnants(&self) -> Result<Vec<Remnant>, StorageError> {
        let at = self.at("");
        let mut found = self.store.list(Some(&at));
        let mut remnants = Vec::new();
        while let Some(next) = found.next().await {
            let ObjectMeta { location, size, last_modified, .. } =
                next.map_err(|error| self.failure("list", "", &error))?;
            let Some(path) = self.prefix.strip(location.as_ref()) else { continue };
            remnants.extend(Remnant::of(path, size, last_modified.timestamp_millis()));
        }
        Ok(remnants)
    }

    async fn size(&self, path: &ObjectPath) -> Result<Option<u64>, StorageError> {
        Ok(self.look(path, RetryLimit::Usual).await?.map(|found| found.bytes))
    }

    async fn get(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StorageError> {
        let (bytes, tag) = self.read(path, bytes_max, RetryLimit::Usual).await?;
        if !self.contradicts(tag.as_deref(), &Checksums::of(&bytes)) {
            return Ok(bytes);
        }
        // Either the bytes changed on their way, or the tag is no digest. Who knows the digest decides.
        tracing::info!(%path, "what came does not fit its ETag: read again");
        let (bytes, _) = self.read(path, bytes_max, RetryLimit::Usual).await?;
        Ok(bytes)
    }

    async fn put(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        content_type: &str,
        overwrite: Overwrite,
    ) -> Result<(), StorageError> {
        let sum = Checksums::of(&bytes);
        let patience = RetryLimit::of_a_put(path.as_str());
        if overwrite == Overwrite::Never
            && let Some(found) = self.look(path, patience).await?
        {
            let there = async { Ok(self.read(path, found.bytes, patience).await?.0) };
            return found.compare(path, &bytes, there).await;
        }
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, content_type.to_owned()),
            (Attribute::CacheControl, cache_control(path).to_owned()),
        ]);
        for _ in 0..WRITES_MAX {
            let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
            let put = self.store.put_opts(&self.at(path.as_str()), payload(&bytes), options).await;
            let put = put.map_err(|error| self.failure(WRITE, path.as_str(), &error))?;
            if self.arrived(path, &bytes, &sum, &put).await? {
                return Ok(());
            }
            tracing::info!(%path, "what arrived is not what was sent: written again");
        }
        Err(StorageError::Altered { path: path.to_string() })
    }

    async fn delete(&self, paths: &[ObjectPath]) -> Result<(), StorageError> {
        let places: Vec<Path> = paths.iter().map(|path| self.at(path.as_str())).collect();
        let first = paths.first().map(ObjectPath::as_str).unwrap_or_default();
        let gone = |result: object_store::Result<Path>| match result {
            Ok(_) => Ok(()),
            Err(error) => match self.failure("delete", first, &error) {
                StorageError::Missing { .. } => Ok(()),
                error => Err(error),
            },
        };
        match places.as_slice() {
            // By itself: not every store can delete many at once.
            [place] => gone(self.store.delete(place).await.map(|()| place.clone())),
            _ => {
                let mut deleted = self.store.delete_stream(stream::iter(places.into_iter().map(Ok)).boxed());
                while let Some(result) = deleted.next().await {
                    gone(result)?;
                }
                Ok(())
            }
        }
    }

    /// Asks for one page of the listing: a bucket that is missing or closed says so here.
    async fn prepare(&self, _: &Needs) -> Result<(), StorageError> {
        let at = self.at("originals/.pixform-probe");
        let listed = self.store.list(Some(&at)).try_next().await;
        listed.map(|_| ()).map_err(|error| self.failure("list", "", &error))
    }

    /// Does nothing: what a bucket has taken is durable.
    async fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
