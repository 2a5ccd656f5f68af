//! `storage` as it is written in `pixform.yaml`, and settled: one store, or several that share the work.
//!
//! Only the URL that everything needs is filled in here. Addresses and keys are left to whoever opens the store: a manifest
//! can be checked without them.

use crate::yaml::{Fields, Mistakes, Node, Span, Value};

use super::field_readers::{text, truth};
use super::settle_context::SettleContext;
use super::store_url::{HOME, check_public_url, is_home, path_of, url};
use super::variables::{Variables, check};
use super::{RawText, StorageSettings, StoreAccess, StoreSettings};

/// The fields of `storage`.
pub const STORAGE_FIELDS: [&str; 13] = [
    "url",
    "public_url",
    "endpoint",
    "region",
    "account",
    "key",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "path_style",
    "create_bucket",
    "originals",
    "previous",
];

/// The fields of `originals`, and of `previous` where it is more than a URL.
pub const STORE_FIELDS: [&str; 10] = [
    "url",
    "endpoint",
    "region",
    "account",
    "key",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "path_style",
    "create_bucket",
];

/// What `originals` is written as in messages.
const ORIGINALS: &str = "`originals`";
/// What `previous` is written as in messages.
const PREVIOUS: &str = "`previous`";

/// `storage` as it is written.
#[derive(Debug)]
pub struct StorageLine {
    store: StoreLine,
    public_url: Option<RawText>,
    originals: Option<StoreLine>,
    previous: Option<StoreLine>,
}

/// One store as it is written.
#[derive(Debug)]
struct StoreLine {
    span: Span,
    url: Option<RawText>,
    access: StoreAccess,
    create_bucket: Option<bool>,
}

/// Reads `storage`.
pub(super) fn read_storage(node: Node<'_>, mistakes: &mut Mistakes) -> Option<StorageLine> {
    let what = "`storage`";
    let mut fields = Fields::of(node, what, mistakes)?;
    let line = StorageLine {
        store: read_store(&mut fields, mistakes),
        public_url: text(&mut fields, "public_url", mistakes),
        originals: fields.take("originals").and_then(|(_, node)| read_other(node, ORIGINALS, mistakes)),
        previous: fields.take("previous").and_then(|(_, node)| read_previous(node, mistakes)),
    };
    fields.finish(what, &STORAGE_FIELDS, mistakes);
    Some(line)
}

fn read_store(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> StoreLine {
    StoreLine {
        span: fields.span,
        url: text(fields, "url", mistakes),
        access: StoreAccess {
            endpoint: text(fields, "endpoint", mistakes),
            region: text(fields, "region", mistakes),
            account: text(fields, "account", mistakes),
            key: text(fields, "key", mistakes),
            access_key_id: text(fields, "access_key_id", mistakes),
            secret_access_key: text(fields, "secret_access_key", mistakes),
            session_token: text(fields, "session_token", mistakes),
            path_style: truth(fields, "path_style", mistakes),
        },
        create_bucket: truth(fields, "create_bucket", mistakes),
    }
}

fn read_other(node: Node<'_>, what: &str, mistakes: &mut Mistakes) -> Option<StoreLine> {
    if node.is_null() {
        return None;
    }
    let mut fields = Fields::of(node, what, mistakes)?;
    let line = read_store(&mut fields, mistakes);
    fields.finish(what, &STORE_FIELDS, mistakes);
    Some(line)
}

/// Reads `previous`: a URL, or a map where it needs more than that.
fn read_previous(node: Node<'_>, mistakes: &mut Mistakes) -> Option<StoreLine> {
    if node.is_null() {
        return None;
    }
    if !matches!(node.value, Value::Scalar(_)) {
        return read_other(node, PREVIOUS, mistakes);
    }
    let (span, scalar) = node.scalar(PREVIOUS, mistakes)?;
    let url = Some(RawText { span, text: scalar.text.into_owned() });
    Some(StoreLine { span, url, access: StoreAccess::default(), create_bucket: None })
}

/// Settles `storage`, collecting every mistake.
pub(super) fn settle_storage(
    line: StorageLine,
    variables: &mut Variables<'_>,
    context: &SettleContext<'_>,
    mistakes: &mut Mistakes,
) -> Option<StorageSettings> {
    let StorageLine { store, public_url, originals, previous } = line;
    let StoreLine { span, url: written, access, create_bucket } = store;
    let main = match written {
        Some(raw) => url(&raw, "file", context.root, variables, mistakes),
        None => {
            let span = Span { start: span.start, end: span.start + 1 };
            mistakes.add(span, "`url` is missing", "say where files are kept, as in `url: \"file:.pixform/storage\"`");
            None
        }
    };
    let public_url = public_url.and_then(|raw| {
        let text = variables.expand(&raw, mistakes)?;
        // Empty is not set, so that `${PUBLIC_URL:-}` can leave it out.
        if text.expose().is_empty() {
            return None;
        }
        if let Err(words) = check_public_url(text.expose()) {
            let help = "write it as in `https://cdn.example.com/assets`, or `/files` for the product's own host";
            mistakes.add(raw.span, format!("`public_url` {words}"), help);
        }
        Some(text.expose().to_owned())
    });
    access.check(context, mistakes);
    let create_bucket = create_bucket.unwrap_or_default();
    let originals = originals.and_then(|line| settle_other(line, ORIGINALS, context, mistakes));
    let previous = previous.and_then(|line| settle_other(line, PREVIOUS, context, mistakes));
    Some(StorageSettings { url: main?, public_url, access, create_bucket, originals, previous })
}

fn settle_other(
    line: StoreLine,
    what: &str,
    context: &SettleContext<'_>,
    mistakes: &mut Mistakes,
) -> Option<StoreSettings> {
    let StoreLine { span, url, access, create_bucket } = line;
    let Some(url) = url else {
        let span = Span { start: span.start, end: span.start + 1 };
        let help = "say where that store is, as in `url: \"s3://BUCKET/PREFIX\"`";
        mistakes.add(span, format!("{what} has no `url`"), help);
        return None;
    };
    check(&url, context.source, mistakes);
    if path_of(&url.text, "file").is_some_and(is_home) {
        mistakes.add(url.span, HOME.0, HOME.1);
        return None;
    }
    access.check(context, mistakes);
    Some(StoreSettings { url, access, create_bucket })
}

impl StoreAccess {
    /// Reports what is wrong with variables that are filled in later.
    fn check(&self, context: &SettleContext<'_>, mistakes: &mut Mistakes) {
        let Self { endpoint, region, account, key, access_key_id, secret_access_key, session_token, path_style: _ } =
            self;
        let texts = [endpoint, region, account, key, access_key_id, secret_access_key, session_token];
        for raw in texts.into_iter().flatten() {
            check(raw, context.source, mistakes);
        }
        if let (Some(one), None) | (None, Some(one)) = (access_key_id, secret_access_key) {
            let help = "write both, or leave both to the environment variables of AWS";
            mistakes.add(one.span, "`access_key_id` and `secret_access_key` belong together", help);
        }
    }
}
