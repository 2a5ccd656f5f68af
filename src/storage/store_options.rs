//! Where a store is and how it is reached, as the environment says it; and the URL that rows get.
//!
//! Which credentials there are beyond these is left to the adapters, which know the usual variables of their service.

use std::fmt;

use url::Url;

use super::StorageError;
use super::endpoint::trimmed;
use super::mistaken_address::{self, Api, Mistaken};
use crate::asset::ObjectPath;
use crate::secret::{self, SecretText};

/// Where a store is and how it is reached.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// `file:FOLDER`, `memory:`, `s3://BUCKET/PREFIX`, `gs://…`, `az://CONTAINER/PREFIX`, `supabase://HOST/BUCKET/PREFIX`.
    pub url: String,
    /// The service's address, where it is not the usual one.
    pub endpoint: Option<String>,
    /// The service's region.
    pub region: Option<String>,
    /// The account, for `az:`.
    pub account: Option<String>,
    /// The key of a service that has one: Supabase's, the account key of Azure, the service account (JSON) of Google.
    pub key: Option<SecretText>,
    /// For `s3:`, the name of the key.
    pub access_key_id: Option<SecretText>,
    /// For `s3:`, the key.
    pub secret_access_key: Option<SecretText>,
    /// For `s3:`, what temporary keys come with.
    pub session_token: Option<SecretText>,
    /// For `s3:`, whether the bucket stands in the path or in the host's name.
    pub addressing: Addressing,
    /// Whether a missing bucket is made.
    pub missing_bucket: MissingBucket,
}

/// Where the bucket's name stands in the address of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// In the path where an endpoint is given, else in the host's name.
    #[default]
    Usual,
    /// In the path.
    Path,
    /// In the host's name.
    Host,
}

/// What becomes of a bucket that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingBucket {
    /// It is an error.
    #[default]
    Error,
    /// It is made, readable for everybody, before the first file is put.
    Make,
}

/// A kind of store, and what its URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    File(String),
    Memory,
    Bucket { service: BucketService, bucket: String, prefix: Prefix },
    Supabase { host: String, bucket: String, prefix: Prefix },
}

/// A service that keeps buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BucketService {
    S3,
    Google,
    Azure,
}

/// The folder of a bucket in which everything lies; the bucket itself where it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Prefix(Option<ObjectPath>);

impl BucketService {
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

impl Prefix {
    fn parse(text: &str) -> Option<Self> {
        match text.trim_matches('/') {
            "" => Some(Self(None)),
            text => text.parse().ok().map(|path| Self(Some(path))),
        }
    }

    /// Returns where a path lies in the bucket; `""` is the folder itself.
    pub fn join(&self, path: &str) -> String {
        match (&self.0, path) {
            (None, path) => path.to_owned(),
            (Some(prefix), "") => prefix.to_string(),
            (Some(prefix), path) => format!("{prefix}/{path}"),
        }
    }

    /// Returns the path of what lies at a place in the bucket; `None` where it lies outside of the folder.
    pub fn strip<'k>(&self, key: &'k str) -> Option<&'k str> {
        match &self.0 {
            None => Some(key),
            Some(prefix) => key.strip_prefix(prefix.as_str())?.strip_prefix('/'),
        }
    }

    /// Appends the folder to a URL that ends in `/`, so that it ends in `/` again.
    fn url(&self, base: &str) -> String {
        match &self.0 {
            None => base.to_owned(),
            Some(prefix) => format!("{}/", prefix.url(base)),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |prefix| write!(f, "/{prefix}"))
    }
}

impl fmt::Debug for StoreOptions {
    /// Leaves everything out: an address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl StoreOptions {
    /// Makes settings of nothing but a URL.
    pub fn of(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Remembers every key, so that no store repeats one.
    pub(super) fn remember(&self) {
        let Self { url, endpoint, key, access_key_id, secret_access_key, session_token, .. } = self;
        let keys = [key, access_key_id, secret_access_key, session_token];
        keys.into_iter().flatten().for_each(|key| secret::remember(key.expose()));
        [Some(url), endpoint.as_ref()].into_iter().flatten().for_each(|url| secret::remember_parts(url));
    }

    /// Reads the URL.
    pub(super) fn location(&self) -> Result<Location, StorageError> {
        let (scheme, rest) = self.url.split_once(':').unwrap_or((&self.url, ""));
        let service = match scheme {
            "file" => return Ok(Location::File(rest.strip_prefix("//").unwrap_or(rest).to_owned())),
            "memory" => return Ok(Location::Memory),
            "s3" => Some(BucketService::S3),
            "gs" => Some(BucketService::Google),
            "az" => Some(BucketService::Azure),
            "supabase" => None,
            _ => return Err(StorageError::Scheme { scheme: secret::known_scheme(&self.url) }),
        };
        let wrong = |what: &str| StorageError::Settings {
            what: format!("the storage's `{scheme}:` URL {what}"),
            help: match service {
                Some(service) => {
                    format!("write it as in `{}://BUCKET/PREFIX`, the prefix as you like", service.scheme())
                }
                None => {
                    "write it as in `supabase://PROJECT.supabase.co/BUCKET/PREFIX`, the prefix as you like".to_owned()
                }
            },
        };
        let rest = rest.strip_prefix("//").ok_or_else(|| wrong("has no `//`"))?;
        if rest.contains(['@', '?', '#']) {
            return Err(wrong("holds an `@`, `?` or `#`: keys are not written there"));
        }
        if rest.starts_with("http:") || rest.starts_with("https:") {
            return Err(wrong("has a second scheme behind its own"));
        }
        let (host, rest) = match service {
            Some(_) => ("", rest),
            None => {
                rest.split_once('/').filter(|(host, _)| !host.is_empty()).ok_or_else(|| wrong("names no bucket"))?
            }
        };
        let (bucket, prefix_text) = rest.split_once('/').unwrap_or((rest, ""));
        let legal = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if bucket.is_empty() || bucket.len() > 100 || !legal(bucket) || bucket.starts_with('.') {
            return Err(wrong("names no bucket"));
        }
        let prefix = Prefix::parse(prefix_text).ok_or_else(|| wrong("has a prefix that no folder can have"))?;
        if service.is_none()
            && let Some(Mistaken { what, help }) = mistaken_address::supabase_url(host, bucket, prefix_text)
        {
            return Err(StorageError::Settings { what: format!("the storage's `{scheme}:` URL {what}"), help });
        }
        let bucket = bucket.to_owned();
        Ok(match service {
            Some(service) => Location::Bucket { service, bucket, prefix },
            None => Location::Supabase { host: host.to_owned(), bucket, prefix },
        })
    }

    /// Returns the endpoint as a URL.
    pub(super) fn endpoint(&self) -> Result<Option<Url>, StorageError> {
        let Some(endpoint) = &self.endpoint else { return Ok(None) };
        let refused =
            |what: &str, help| StorageError::Settings { what: format!("the storage's `endpoint` {what}"), help };
        let url = address(endpoint).map_err(|what| {
            let help = "write it as in `endpoint: https://s3.example.com`; keys have fields of their own";
            refused(what, help.to_owned())
        })?;
        let api = match self.url.split(':').next() {
            Some("supabase") => Some(Api::Supabase),
            Some("s3") => Some(Api::S3),
            Some(_) | None => None,
        };
        match api.and_then(|api| mistaken_address::endpoint(&url, api)) {
            Some(Mistaken { what, help }) => Err(refused(&what, help)),
            None => Ok(Some(url)),
        }
    }

    /// Returns the part of every file's URL before the path, ending in `/`, where the store itself serves files to
    /// everybody who may read the bucket; `None` where that cannot be told from these settings alone.
    ///
    /// # Errors
    /// When the URL or the endpoint cannot be used.
    pub fn url_base(&self) -> Result<Option<String>, StorageError> {
        let endpoint = self.endpoint()?;
        Ok(match self.location()? {
            Location::File(_) | Location::Memory => Some("/files/".to_owned()),
            Location::Supabase { host, bucket, prefix } => {
                let base = endpoint.map_or_else(|| supabase_base(&host), |endpoint| trimmed(&endpoint));
                Some(prefix.url(&format!("{base}/object/public/{bucket}/")))
            }
            Location::Bucket { service, bucket, prefix } => {
                let base = self.bucket_base(service, &bucket, endpoint.as_ref());
                base.map(|base| prefix.url(&format!("{base}/")))
            }
        })
    }

    fn bucket_base(&self, service: BucketService, bucket: &str, endpoint: Option<&Url>) -> Option<String> {
        match (service, endpoint) {
            (BucketService::S3, None) => {
                let region = self.region.as_ref()?;
                let in_path = bucket.contains('.') || self.addressing == Addressing::Path;
                Some(match in_path {
                    true => format!("https://s3.{region}.amazonaws.com/{bucket}"),
                    false => format!("https://{bucket}.s3.{region}.amazonaws.com"),
                })
            }
            (BucketService::S3, Some(endpoint)) if self.addressing == Addressing::Host => {
                Some(trimmed(&in_host(endpoint, bucket)))
            }
            // The S3 protocol of Supabase answers to signed requests only; everybody reads at another address.
            (BucketService::S3, Some(endpoint)) => match trimmed(endpoint).strip_suffix("/storage/v1/s3") {
                Some(project) => Some(format!(
                    "{}/storage/v1/object/public/{bucket}",
                    project.replace(".storage.supabase.", ".supabase.")
                )),
                None => Some(format!("{}/{bucket}", trimmed(endpoint))),
            },
            (BucketService::Google, None) => Some(format!("https://storage.googleapis.com/{bucket}")),
            (BucketService::Azure, None) => {
                let account = self.account.as_ref()?;
                Some(format!("https://{account}.blob.core.windows.net/{bucket}"))
            }
            (BucketService::Google | BucketService::Azure, Some(endpoint)) => {
                Some(format!("{}/{bucket}", trimmed(endpoint)))
            }
        }
    }
}

/// Returns where Supabase's Storage answers: behind the gateway of the project.
pub(super) fn supabase_base(host: &str) -> String {
    let local = Url::parse(&format!("http://{host}")).is_ok_and(|url| crate::web::is_local(&url));
    format!("{}://{host}/storage/v1", if local { "http" } else { "https" })
}

/// Puts a bucket's name before the host of an endpoint.
pub(super) fn in_host(endpoint: &Url, bucket: &str) -> Url {
    let mut url = endpoint.clone();
    let host = format!("{bucket}.{}", endpoint.host_str().unwrap_or_default());
    // A host that is a number takes no name before it: then the endpoint stays, and the first request tells.
    let _ = url.set_host(Some(&host));
    url
}

/// Reads an address of a service; says what is wrong with it without repeating it.
fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no URL")?;
    match url.scheme() {
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err("holds a user name or password")
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => Err("holds a `?` or `#`"),
        "http" | "https" => Ok(url),
        "postgres" | "postgresql" => Err("is the URL of a database, which belongs into `state`"),
        _ => Err("is no http or https URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(settings: StoreOptions) -> String {
        settings.url_base().map_or_else(|error| error.to_string(), |base| base.unwrap_or_else(|| "-".to_owned()))
    }

    #[test]
    fn the_url_of_rows_is_that_of_the_store_where_it_is_certain() {
        let with = |url: &str, endpoint: Option<&str>| StoreOptions {
            endpoint: endpoint.map(str::to_owned),
            ..StoreOptions::of(url)
        };
        let region = StoreOptions { region: Some("eu-central-1".to_owned()), ..StoreOptions::of("s3://shop/a+b") };
        let path = StoreOptions { addressing: Addressing::Path, ..region.clone() };
        let host = StoreOptions { addressing: Addressing::Host, ..with("s3://shop/p", Some("https://s3.example.com")) };
        let account = StoreOptions { account: Some("acme".to_owned()), ..StoreOptions::of("az://shop/p") };
        for (settings, expected) in [
            (StoreOptions::of("file:a"), "/files/"),
            (StoreOptions::of("s3://shop/p"), "-"),
            (region, "https://shop.s3.eu-central-1.amazonaws.com/a%2Bb/"),
            (path, "https://s3.eu-central-1.amazonaws.com/shop/a%2Bb/"),
            (host, "https://shop.s3.example.com/p/"),
            (with("s3://shop", Some("http://127.0.0.1:9000/")), "http://127.0.0.1:9000/shop/"),
            (
                with("s3://shop/p", Some("https://x.supabase.co/storage/v1/s3")),
                "https://x.supabase.co/storage/v1/object/public/shop/p/",
            ),
            (
                with("s3://shop/p", Some("https://x.storage.supabase.co/storage/v1/s3")),
                "https://x.supabase.co/storage/v1/object/public/shop/p/",
            ),
            (StoreOptions::of("gs://shop/p"), "https://storage.googleapis.com/shop/p/"),
            (StoreOptions::of("az://shop/p"), "-"),
            (account, "https://acme.blob.core.windows.net/shop/p/"),
            (
                StoreOptions::of("supabase://x.supabase.co/shop/p/q"),
                "https://x.supabase.co/storage/v1/object/public/shop/p/q/",
            ),
            (
                StoreOptions::of("supabase://127.0.0.1:54321/shop"),
                "http://127.0.0.1:54321/storage/v1/object/public/shop/",
            ),
            (with("supabase://x/shop", Some("http://127.0.0.1:5000")), "http://127.0.0.1:5000/object/public/shop/"),
        ] {
            assert_eq!(base(settings.clone()), expected, "{}", settings.url);
        }
    }

    #[test]
    fn a_url_that_names_no_bucket_is_refused_without_its_secrets() {
        for wrong in [
            "s3:",
            "s3://",
            "s3:bucket",
            "s3:///p",
            "gs://",
            "az:///p",
            "supabase://",
            "supabase://host",
            "supabase:///b",
            "supabase://https://x.supabase.co/b",
            "s3://key:secret@bucket/p",
            "s3://b/../c",
            "s3://b/a//c",
            "s3://b/ü",
            "s3://b?secret",
            "supabase://h/b/./c",
        ] {
            let error = StoreOptions::of(wrong).location().unwrap_err();
            assert!(matches!(error, StorageError::Settings { .. }), "{wrong}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_and_nothing_more() {
        for wrong in ["", "host", "ftp://h", "https://u:secret@h", "https://h?x=secret"] {
            let settings = StoreOptions { endpoint: Some(wrong.to_owned()), ..StoreOptions::of("s3://b") };
            assert!(!settings.url_base().unwrap_err().to_string().contains("secret"), "{wrong}");
        }
    }
}
