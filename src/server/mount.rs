//! A folder of static files beside the pages: a product's own page that uses the API.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::asset::ObjectPath;
use crate::files;

use super::Served;
use super::answer::CacheFor;
use super::body::{self, AnswerBody};
use super::files::{content_type, decoded, send};
use super::problem::Problem;

/// Where the folder is mounted.
pub const MOUNTED_AT: &str = "/create-character";

/// Answers a path below [`MOUNTED_AT`]; a folder's page is its `index.html`.
///
/// # Errors
/// Where there is nothing.
pub async fn answer(
    served: &Arc<Served>,
    path: &str,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such file");
    let Some(root) = served.mounted.clone() else { return Err(nothing()) };
    let Some(inside) = path.strip_prefix('/') else {
        // Relative links begin at the folder, which ends in a slash.
        let mut response = Response::new(body::empty());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("/create-character/"));
        return Ok(response);
    };
    let inside = decoded(inside).ok_or_else(nothing)?;
    let name = if inside.is_empty() || inside.ends_with('/') { format!("{inside}index.html") } else { inside };
    let path: ObjectPath = name.parse().map_err(|_| nothing())?;
    if path.as_str().split('/').any(|segment| segment.starts_with('.')) {
        return Err(nothing());
    }
    let wanted = root.join(path.as_str());
    let opened = tokio::task::spawn_blocking(move || opened(&root, &wanted)).await;
    let (file, found) = opened.ok().flatten().ok_or_else(nothing)?;
    let mut response = send(file, &found, method, asked).await?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path.as_str())));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CacheFor::Ask.words()));
    Ok(response)
}

/// Opens a file that lies below the root, also after every link was followed.
fn opened(root: &Path, wanted: &Path) -> Option<(std::fs::File, std::fs::Metadata)> {
    let root: PathBuf = root.canonicalize().ok()?;
    let wanted = wanted.canonicalize().ok()?;
    if !wanted.starts_with(&root) {
        return None;
    }
    let file = files::open(&wanted).ok()?;
    let found = file.metadata().ok()?;
    found.is_file().then_some((file, found))
}
