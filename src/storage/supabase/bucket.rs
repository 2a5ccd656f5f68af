//! A bucket of Supabase, as its Storage describes it: who may read it, and what it takes.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::store_fault::{StoreFault, StoreFaultKind};
use super::super::store_http::RetryLimit;
use super::super::{Needs, PutObstacle, Readers, RemoteStore, StorageError};
use super::SupabaseStorage;
use super::object_fields::number;

/// What a bucket says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    open: bool,
    bytes_max: Option<u64>,
    content_types: Option<Vec<String>>,
}

impl Bucket {
    pub(super) fn read(answer: &Value) -> Self {
        let types = answer["allowed_mime_types"].as_array().filter(|types| !types.is_empty());
        let texts = |types: &Vec<Value>| types.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Self {
            open: answer["public"].as_bool().unwrap_or_default(),
            bytes_max: number(&answer["file_size_limit"]).filter(|most| *most > 0),
            content_types: types.map(texts),
        }
    }

    /// Refuses a bucket that does not take what is going to be put, before that costs anything.
    pub(super) fn admits(&self, place: &RemoteStore, needs: &Needs) -> Result<(), StorageError> {
        let bucket = &place.bucket;
        if needs.readers == Readers::Everybody && !self.open {
            return Err(StorageError::NotAdmitted {
                bar: PutObstacle::Readers,
                what: format!(
                    "the bucket `{bucket}` is private, and rows would get its public URL, which nobody could fetch"
                ),
                help: "make the bucket public in the dashboard, or set `storage.public_url` to where its files are fetched",
            });
        }
        for (what, files) in [("published files", &needs.published), ("originals", &needs.originals)] {
            if let Some(refused) = files.content_types.iter().find(|content_type| !self.takes(content_type)) {
                return Err(StorageError::NotAdmitted {
                    bar: PutObstacle::Type,
                    what: format!("the bucket `{bucket}` takes no `{refused}`, as which {what} may be put"),
                    help: "add it to the bucket's allowed MIME types, or publish in a format that it takes; originals can \
                           have a store of their own: `storage.originals: { url: … }`",
                });
            }
            if let Some(most) = self.bytes_max.filter(|most| *most < files.bytes) {
                return Err(StorageError::NotAdmitted {
                    bar: PutObstacle::Size,
                    what: format!(
                        "the bucket `{bucket}` takes files of at most {most} bytes, and {what} may have about {} bytes",
                        files.bytes
                    ),
                    help: "raise the bucket's limit on file sizes",
                });
            }
        }
        Ok(())
    }

    fn takes(&self, content_type: &str) -> bool {
        self.content_types.as_ref().is_none_or(|types| {
            types.iter().any(|allowed| match allowed.strip_suffix("/*") {
                Some("*") => true,
                Some(kind) => content_type.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/')),
                None => allowed.eq_ignore_ascii_case(content_type),
            })
        })
    }
}

impl SupabaseStorage {
    pub(super) async fn bucket(&self) -> Result<Value, StoreFault> {
        let found = self.ask(Method::GET, self.route(&format!("bucket/{}", self.place.bucket)), None).await;
        // A bucket is what is asked for, so it is what is missing.
        found.map_err(|fault| match fault.kind {
            StoreFaultKind::Missing => StoreFault { kind: StoreFaultKind::NoBucket, ..fault },
            _ => fault,
        })
    }

    pub(super) async fn make_bucket(&self, needs: &Needs) -> Result<(), StoreFault> {
        let bucket = &self.place.bucket;
        // Nobody reads originals but pixform.
        let public = !needs.published.content_types.is_empty();
        let body = json!({ "id": bucket, "name": bucket, "public": public });
        match self.send(RetryLimit::Usual, (Method::POST, self.route("bucket")?), Some(body)).await {
            // Another run was faster.
            Err(fault) if fault.kind != StoreFaultKind::Exists => Err(fault),
            Ok(_) | Err(_) => {
                tracing::info!(bucket, public, "the bucket was made");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::super::FilesToPut;
    use super::*;

    fn verdict(bucket: Value, readers: Readers) -> String {
        let files = |types: &[&'static str], bytes| FilesToPut {
            content_types: BTreeSet::from_iter(types.iter().copied()),
            bytes,
        };
        let needs = Needs {
            published: files(&["image/jpeg"], 100),
            originals: files(&["image/png", "image/webp"], 1_000),
            readers,
        };
        let place = RemoteStore { root: "supabase://h/b".into(), bucket: "b".into(), check: "", make: "" };
        Bucket::read(&bucket).admits(&place, &needs).map_or_else(|error| error.to_string(), |()| "fine".into())
    }

    #[test]
    fn a_bucket_that_would_refuse_a_file_is_refused_first() {
        for (bucket, expected) in [
            (json!({ "public": true, "file_size_limit": null, "allowed_mime_types": null }), "fine"),
            (json!({ "public": true, "file_size_limit": 1_000, "allowed_mime_types": ["image/*"] }), "fine"),
            (json!({ "public": true, "file_size_limit": "1000", "allowed_mime_types": [] }), "fine"),
            (json!({ "public": true, "allowed_mime_types": ["image/JPEG", "image/png", "image/webp"] }), "fine"),
            (json!({ "public": true, "file_size_limit": 999 }), "at most 999 bytes"),
            (json!({ "public": true, "allowed_mime_types": ["image/jpeg", "image/png"] }), "takes no `image/webp`"),
            (json!({ "public": true, "allowed_mime_types": ["image/png"] }), "takes no `image/jpeg`"),
            (json!({ "public": true, "allowed_mime_types": ["imag/*"] }), "takes no `image/jpeg`"),
            (json!({ "public": false }), "is private"),
        ] {
            let told = verdict(bucket.clone(), Readers::Everybody);
            assert!(told.contains(expected), "{bucket}: {told}");
        }
        assert_eq!(verdict(json!({ "public": false }), Readers::Nobody), "fine");
    }
}
