//! From settings to a client of `object_store`, with the usual environment variables of its service below them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use reqwest::Url;
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue};

use super::super::endpoint::trimmed;
use super::super::store_health::Health;
use super::super::store_http::{AnswerMax, RetryLimit, StoreAnswer, StoreRequest, Wire};
use super::super::store_options::{BucketService, in_host};
use super::super::{Addressing, StorageError, StoreOptions};
use super::s3_listing::without_strange_keys;

/// The headers of an answer, handed through `object_store` to whoever wants to compare checksums.
#[derive(Debug, Clone)]
pub(super) struct CapturedHeaders(pub HeaderMap);

/// Speaks HTTP for `object_store`: with our bounds, our repeats and our errors.
#[derive(Clone)]
pub(super) struct StoreConnector(Arc<Wire>);

impl fmt::Debug for StoreConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HttpConnector for StoreConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for StoreConnector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let body = body.collect().await?.to_bytes();
        let bytes_max = parts.extensions.get::<AnswerMax>().copied();
        let lists = url.query_pairs().any(|(name, _)| name == "list-type");
        let patience = match parts.method == http::Method::PUT {
            true => RetryLimit::of_a_put(url.path()),
            false => parts.extensions.get::<RetryLimit>().copied().unwrap_or(RetryLimit::Usual),
        };
        let request = StoreRequest { method: parts.method, url, headers: parts.headers, body, bytes_max, patience };
        // Repeated below already, so whatever it is, `object_store` is not to repeat it.
        let answer = self.0.send(&request).await.map_err(|fault| HttpError::new(HttpErrorKind::Unknown, fault))?;
        let StoreAnswer { status, mut headers, body } = answer;
        let body = if lists { without_strange_keys(body) } else { body };
        // A store need not name a version, nor a length before it sends; `object_store` wants both all the same.
        headers.entry(ETAG).or_insert(HeaderValue::from_static("-"));
        headers.entry(CONTENT_LENGTH).or_insert(body.len().into());
        let mut response = http::Response::new(body.into());
        *response.status_mut() = status;
        response.extensions_mut().insert(CapturedHeaders(headers.clone()));
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Makes a client of a bucket; nothing is sent.
pub(super) fn build(
    settings: &StoreOptions,
    (service, bucket): (BucketService, &str),
    health: &Arc<Health>,
) -> Result<Arc<dyn ObjectStore>, StorageError> {
    let endpoint = settings.endpoint()?;
    let usual = Url::parse("https://s3.amazonaws.com").expect("it is a URL");
    let wire = Wire::new(endpoint.as_ref().unwrap_or(&usual), Arc::clone(health))?;
    let line = StoreConnector(Arc::new(wire));
    match service {
        BucketService::S3 => s3(settings, bucket, endpoint.as_ref(), line),
        BucketService::Google => google(settings, bucket, endpoint.as_ref(), line),
        BucketService::Azure => azure(settings, bucket, endpoint.as_ref(), line),
    }
    .map_err(|error| misfit(service, &error))
}

/// What cannot be used is told without values: one of them may be a key.
fn misfit(service: BucketService, error: &object_store::Error) -> StorageError {
    let said = error.to_string();
    let help = match service {
        BucketService::S3 => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both of them, or `access_key_id` and \
                        `secret_access_key` in pixform.yaml"
        }
        BucketService::Google => {
            "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, or `key` in \
                            pixform.yaml to its JSON"
        }
        BucketService::Azure => {
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or `account` and `key` in \
                           pixform.yaml"
        }
    };
    let what = match said.contains("Missing") || said.contains("must be specified") {
        true => "a part of the storage's credentials is missing",
        false => "the storage's settings or credentials cannot be used",
    };
    StorageError::Settings { what: what.to_owned(), help: help.to_owned() }
}

/// Requests are repeated by [`Wire`], which can wait for as long as the store wants.
fn never() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

type Built = object_store::Result<Arc<dyn ObjectStore>>;

fn s3(settings: &StoreOptions, bucket: &str, endpoint: Option<&Url>, line: StoreConnector) -> Built {
    let StoreOptions { region, access_key_id, secret_access_key, session_token, addressing, .. } = settings;
    let mut builder =
        AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(never()).with_http_connector(line);
    let in_host_name = match (endpoint, addressing) {
        (_, Addressing::Path) => false,
        (_, Addressing::Host) => true,
        (Some(_), Addressing::Usual) => false,
        // A certificate for `*.s3.amazonaws.com` does not cover a bucket with a dot.
        (None, Addressing::Usual) => !has_endpoint(&builder) && !bucket.contains('.'),
    };
    builder = builder.with_virtual_hosted_style_request(in_host_name);
    if let Some(endpoint) = endpoint {
        let address = if in_host_name { trimmed(&in_host(endpoint, bucket)) } else { trimmed(endpoint) };
        // Both, or the variable AWS_ENDPOINT_URL_S3 would win.
        builder = builder.with_endpoint(address.clone()).with_config(AmazonS3ConfigKey::S3Endpoint, address);
    }
    if let Some(region) = region.clone().or_else(|| std::env::var("AWS_REGION").ok()) {
        builder = builder.with_region(region);
    }
    if let (Some(id), Some(secret)) = (access_key_id, secret_access_key) {
        builder = builder.with_access_key_id(id.expose()).with_secret_access_key(secret.expose());
        // A token of the environment belongs to the keys of the environment.
        builder = builder.with_token(session_token.as_ref().map(|token| token.expose()).unwrap_or_default());
    }
    Ok(Arc::new(builder.build()?))
}

fn has_endpoint(builder: &AmazonS3Builder) -> bool {
    [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint]
        .iter()
        .any(|key| builder.get_config_value(key).is_some())
}

fn google(settings: &StoreOptions, bucket: &str, endpoint: Option<&Url>, line: StoreConnector) -> Built {
    let mut builder =
        GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(never()).with_http_connector(line);
    if let Some(key) = &settings.key {
        builder = builder.with_service_account_key(key.expose());
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_base_url(&trimmed(endpoint));
    }
    Ok(Arc::new(builder.build()?))
}

fn azure(settings: &StoreOptions, container: &str, endpoint: Option<&Url>, line: StoreConnector) -> Built {
    let mut builder =
        MicrosoftAzureBuilder::from_env().with_container_name(container).with_retry(never()).with_http_connector(line);
    if let Some(account) = &settings.account {
        builder = builder.with_account(account);
    }
    if let Some(key) = &settings.key {
        builder = builder.with_access_key(key.expose());
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(trimmed(endpoint)).with_allow_http(true);
    }
    Ok(Arc::new(builder.build()?))
}

/// Returns what a request can tell the line beneath it.
pub(super) fn with(bytes_max: Option<u64>, patience: RetryLimit) -> object_store::Extensions {
    let mut extensions = object_store::Extensions::new();
    extensions.insert(patience);
    if let Some(bytes_max) = bytes_max {
        extensions.insert(AnswerMax(bytes_max));
    }
    extensions
}

/// Makes a payload of one piece.
pub(super) fn payload(bytes: &Bytes) -> object_store::PutPayload {
    bytes.clone().into()
}
