//! Exposed originals: whether whoever can fetch what is published can fetch the originals as well.
//!
//! It is told from what is configured, on every kind of store: what a server does beyond that nobody can know.

use crate::config::{RawText, Settings, StoreSettings};
use crate::storage::Originals;

use super::surroundings::outside;
use super::{EngineError, store_settings};

/// Folders that web servers and frameworks serve to everybody.
const SERVED_FOLDERS: [&str; 8] = ["public", "public_html", "static", "www", "wwwroot", "htdocs", "webroot", "dist"];

/// Tells whether originals lie where everybody can fetch what is published.
///
/// # Errors
/// When a variable is missing, or an address cannot be used.
pub fn originals(settings: &Settings) -> Result<Originals, EngineError> {
    let storage = &settings.storage;
    if storage.url.scheme() == Some("memory") || !is_published(settings)? {
        return Ok(Originals::Private);
    }
    let Some(StoreSettings { url, access, .. }) = &storage.originals else { return Ok(Originals::Open) };
    let url = settings.expand_url(url, &outside())?;
    // An address of its own is another service, whatever the bucket is called there.
    let elsewhere =
        access.endpoint.is_some() && text(settings, &access.endpoint)? != text(settings, &storage.access.endpoint)?;
    Ok(match url.expose() {
        "" => Originals::Open,
        own if !elsewhere && is_within(own, storage.url.expose()) => Originals::Open,
        own if is_served_folder(own, settings) => Originals::Open,
        _ => Originals::Private,
    })
}

/// Tells whether what lies in the main store is fetched by everybody, from the store itself or by way of the product.
fn is_published(settings: &Settings) -> Result<bool, EngineError> {
    let storage = &settings.storage;
    let from_store =
        || Ok::<_, EngineError>(store_settings::url_base(settings)?.is_some_and(|base| base.starts_with("http")));
    Ok(storage.public_url.is_some() || is_served_folder(storage.url.expose(), settings) || from_store()?)
}

/// Tells whether a folder lies where a product's own server serves what it finds.
fn is_served_folder(url: &str, settings: &Settings) -> bool {
    let Some(folder) = url.strip_prefix("file:") else { return false };
    let root = settings.root.to_string_lossy();
    // What the project itself lies in says nothing about the product.
    let inside = folder.strip_prefix(&*root).unwrap_or(folder);
    let segments = || inside.split('/').filter(|segment| !segment.is_empty() && *segment != "..");
    // Servers do not hand out what is hidden.
    segments().any(|segment| SERVED_FOLDERS.contains(&segment.to_ascii_lowercase().as_str()))
        && !segments().any(|segment| segment.starts_with('.'))
}

/// Tells whether a store lies in the bucket, or in the folder, of another.
fn is_within(url: &str, other: &str) -> bool {
    let (Some((scheme, rest)), Some((other_scheme, other_rest))) = (url.split_once(':'), other.split_once(':')) else {
        return false;
    };
    if scheme != other_scheme {
        return false;
    }
    let below = |place: &str, above: &str| {
        let above = above.trim_end_matches('/');
        place.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match scheme {
        "file" => below(rest, other_rest),
        // Whoever may read a bucket may mostly read all of it.
        "supabase" => bucket(rest, 2) == bucket(other_rest, 2),
        _ => bucket(rest, 1) == bucket(other_rest, 1),
    }
}

/// Returns the segments of a URL that name its bucket.
fn bucket(rest: &str, segments: usize) -> Vec<&str> {
    rest.trim_start_matches('/').split('/').take(segments).collect()
}

fn text(settings: &Settings, raw: &Option<RawText>) -> Result<Option<String>, EngineError> {
    let Some(raw) = raw else { return Ok(None) };
    Ok(Some(settings.expand(raw, &outside())?.expose().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_within_another_is_told_by_bucket_or_folder() {
        for (own, main, within) in [
            ("s3://pictures/kept", "s3://pictures/shop", true),
            ("s3://private/kept", "s3://pictures/shop", false),
            ("gs://pictures", "s3://pictures", false),
            ("supabase://h/a/x", "supabase://h/a", true),
            ("supabase://h/b", "supabase://h/a", false),
            ("file:/srv/site/public/originals", "file:/srv/site/public", true),
            ("file:/srv/site/publicity", "file:/srv/site/public", false),
            ("file:/srv/kept", "file:/srv/site/public", false),
        ] {
            assert_eq!(is_within(own, main), within, "{own} in {main}");
        }
    }
}
