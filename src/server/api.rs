//! The API: the collections, the rows of one, and one row.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use http::{StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use crate::render::terminal;

use super::answer::{CacheFor, CachedAnswer};
use super::exact::{EXACT, Numbers};
use super::openapi;
use super::problem::Problem;
use super::query::{PAGING, Query, pairs};
use super::snapshot::{Collection, Snapshot};

const JSON: &str = "application/json";

/// Answers a target below `/api`, from what was made before where it can.
///
/// # Errors
/// With what is wrong with the request.
pub fn answer(snapshot: &Snapshot, target: &Uri, numbers: Numbers) -> Result<Arc<CachedAnswer>, Problem> {
    let written = target.path_and_query().map_or("", |written| written.as_str());
    // A blank is in no target.
    let kept = match numbers {
        Numbers::Json => Cow::Borrowed(written),
        Numbers::Exact => Cow::Owned(format!("{written} {EXACT}")),
    };
    if let Some(answer) = snapshot.answer(&kept) {
        return Ok(answer);
    }
    let made = make(snapshot, target, numbers)?;
    let made = Arc::new(made);
    snapshot.keep(&kept, &made);
    Ok(made)
}

fn make(snapshot: &Snapshot, target: &Uri, numbers: Numbers) -> Result<CachedAnswer, Problem> {
    let (path, query) = (target.path(), target.query());
    let inside = path.strip_prefix("/api").unwrap_or(path).trim_start_matches('/');
    match inside.split_once('/') {
        None if inside.is_empty() => {
            without_query(query)?;
            Ok(collections(snapshot))
        }
        None if inside == "openapi.json" => {
            without_query(query)?;
            Ok(CachedAnswer::new(openapi::document(snapshot).to_string(), JSON, CacheFor::Ask))
        }
        None => rows(find(snapshot, inside)?, query, numbers),
        Some((name, key)) => {
            let collection = find(snapshot, name)?;
            without_query(query)?;
            row(collection, key, numbers)
        }
    }
}

fn without_query(query: Option<&str>) -> Result<(), Problem> {
    match pairs(query.unwrap_or_default()).next() {
        None => Ok(()),
        Some(_) => {
            let detail = "this takes no query; rows are filtered at `/api/COLLECTION?label=value`";
            Err(Problem::new(StatusCode::BAD_REQUEST, "unknown-label", detail))
        }
    }
}

/// Finds a collection by the name in an address.
///
/// # Errors
/// With the names that there are.
pub fn find<'s>(snapshot: &'s Snapshot, name: &str) -> Result<&'s Collection, Problem> {
    let name = percent_decode_str(name).decode_utf8_lossy();
    snapshot.collections.get(&*name).ok_or_else(|| {
        let names = snapshot.collections.keys().map(String::as_str);
        Problem::new(StatusCode::NOT_FOUND, "unknown-collection", format!("there is no collection `{}`", plain(&name)))
            .allowing(names)
    })
}

/// Reads a key as it stands in an address.
///
/// # Errors
/// With keys that there are.
pub fn key_of(collection: &Collection, key: &str) -> Result<String, Problem> {
    let key = percent_decode_str(key.trim_end_matches('/')).decode_utf8_lossy();
    match collection.find(&key) {
        Some(found) => Ok(found.key.to_owned()),
        None => {
            let detail = format!("`{}` has no picture `{}`", collection.name, plain(&key));
            let keys = collection.shown().map(|shown| shown.key);
            Err(Problem::new(StatusCode::NOT_FOUND, "unknown-key", detail).allowing(keys))
        }
    }
}

/// What a stranger wrote, short and with nothing invisible in it.
fn plain(text: &str) -> String {
    terminal(text).chars().take(80).collect()
}

fn collections(snapshot: &Snapshot) -> CachedAnswer {
    let one = |collection: &Collection| {
        let labels: Vec<_> =
            collection.labels.iter().map(|(name, values)| json!({ "name": name, "values": values })).collect();
        let columns: Vec<&str> = collection.columns.iter().map(|column| column.name.as_str()).collect();
        json!({
            "name": collection.name.as_str(),
            "key": collection.key,
            "labels": labels,
            "columns": columns,
            "rows": collection.shown().filter(|shown| shown.row.is_some()).count(),
            "url": format!("/api/{}", collection.name),
        })
    };
    let all: Vec<_> = snapshot.collections.values().map(one).collect();
    CachedAnswer::new(serde_json::Value::from(all).to_string(), JSON, CacheFor::Ask)
}

fn rows(collection: &Collection, query: Option<&str>, numbers: Numbers) -> Result<CachedAnswer, Problem> {
    let asked = Query::parse(query, collection)?;
    if asked.page != 1 {
        let detail = "pages of the API are asked for with `limit` and `cursor`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-paging", detail));
    }
    let mut shown = collection.shown();
    if let Some(cursor) = &asked.cursor
        && !shown.any(|shown| shown.key == cursor)
    {
        let detail = "the cursor names a picture that is not there any more: begin without it";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-paging", detail));
    }
    let mut wanted = shown.filter(|shown| asked.filter.takes(shown)).filter_map(|shown| Some((shown.key, shown.row?)));
    let (mut body, mut last) = (vec![b'['], "");
    for (key, row) in wanted.by_ref().take(asked.limit) {
        if body.len() > 1 {
            body.push(b',');
        }
        numbers.write(row, collection, &mut body);
        last = key;
    }
    body.push(b']');
    let answer = CachedAnswer::new(body, numbers.media_type(), CacheFor::Ask);
    Ok(match wanted.next() {
        None => answer,
        Some(_) => answer.with_next(&next(collection, query, &asked, last)),
    })
}

/// Returns the target of the next page: the same query, from another place on.
fn next(collection: &Collection, query: Option<&str>, asked: &Query, last: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut target = format!("/api/{}?", collection.name);
    for (name, value) in pairs(query.unwrap_or_default()).filter(|(name, _)| !PAGING.contains(&name.as_str())) {
        let _ = write!(target, "{}={}&", encoded(&name), encoded(&value));
    }
    let _ = write!(target, "limit={}&cursor={}", asked.limit, encoded(last));
    target
}

fn row(collection: &Collection, key: &str, numbers: Numbers) -> Result<CachedAnswer, Problem> {
    let key = key_of(collection, key)?;
    match collection.find(&key).and_then(|shown| shown.row) {
        Some(row) => {
            let mut body = Vec::with_capacity(row.len() + 16);
            numbers.write(row, collection, &mut body);
            Ok(CachedAnswer::new(body, numbers.media_type(), CacheFor::Ask))
        }
        None => {
            let detail = format!("the row of `{key}` is gone from the table: `pixform apply` puts it back");
            Err(Problem::new(StatusCode::NOT_FOUND, "unknown-key", detail))
        }
    }
}
