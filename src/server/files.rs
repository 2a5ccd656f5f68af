//! Files over HTTP: published pictures for ever, those of a mounted folder as long as they are asked about; both with
//! ranges.
//!
//! A file is read in pieces while it is sent, so a large one and a slow client cost no memory. Source of the rules for
//! ranges: <https://www.rfc-editor.org/rfc/rfc9110#section-14>, read 2026-11-25.

use std::fs::{File, Metadata};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt;

use bytes::Bytes;
use futures::stream;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use percent_encoding::percent_decode_str;

use crate::asset::ObjectPath;

use super::Served;
use super::answer::CacheFor;
use super::body::{self, AnswerBody};
use super::problem::Problem;

/// Up to this size a file is read whole at once.
const WHOLE_MAX: u64 = 256 * 1024;
/// A piece of a larger one.
const PIECE: usize = 64 * 1024;

/// A file is shown and never runs: not even a drawing with a script in it.
const STILL: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// A part of a file: from its first byte to the one after its last.
type ByteRange = (u64, u64);

/// Answers a path below `/files/`.
///
/// # Errors
/// Where there is nothing, whatever the reason.
pub async fn published(
    served: &std::sync::Arc<Served>,
    path: &str,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such file");
    // Decoded once and then a legal path or nothing: letters that mean something to a file system are in none.
    let path: ObjectPath = decoded(path).and_then(|path| path.parse().ok()).ok_or_else(nothing)?;
    let (served, wanted) = (std::sync::Arc::clone(served), path.clone());
    let opened = tokio::task::spawn_blocking(move || served.files.open(&wanted)).await;
    let (file, found) = opened.ok().and_then(Result::ok).flatten().ok_or_else(nothing)?;
    let mut response = send(file, &found, method, asked).await?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path.as_str())));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CacheFor::Forever.words()));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(STILL));
    Ok(response)
}

/// Decodes a path once; `None` where it is no text.
pub fn decoded(path: &str) -> Option<String> {
    percent_decode_str(path).decode_utf8().ok().map(|path| path.into_owned())
}

/// Sends a file, or the part of it that was asked for.
///
/// # Errors
/// [`StatusCode::RANGE_NOT_SATISFIABLE`] for a part that it does not have.
pub async fn send(
    file: File,
    found: &Metadata,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let length = found.len();
    let tag = format!("\"{:x}-{:x}-{:x}\"", length, found.mtime(), found.mtime_nsec());
    let tag = HeaderValue::try_from(tag).expect("hex digits are a tag");
    let knows = |tags: &HeaderValue| {
        tags.to_str().is_ok_and(|tags| {
            tags.split(',').any(|one| {
                let one = one.trim();
                one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
            })
        })
    };
    let mut response = Response::new(body::empty());
    let headers = response.headers_mut();
    headers.insert(ETAG, tag.clone());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if asked.get(IF_NONE_MATCH).is_some_and(knows) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let still_valid = asked.get(IF_RANGE).is_none_or(|known| *known == tag);
    let range = asked.get(RANGE).filter(|_| still_valid).and_then(|range| range.to_str().ok());
    let part = match range.map(|range| part(range, length)) {
        None | Some(AskedRange::Whole) => (0, length),
        Some(AskedRange::ByteRange(part)) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {}-{}/{length}", part.0, part.1 - 1);
            let range = HeaderValue::try_from(range).expect("numbers are a header");
            response.headers_mut().insert(CONTENT_RANGE, range);
            part
        }
        Some(AskedRange::Outside) => {
            let detail = format!("the file has {length} bytes");
            return Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad-request", detail));
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(part.1 - part.0));
    if method != Method::HEAD {
        *response.body_mut() = body(file, part).await;
    }
    Ok(response)
}

/// What a header `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum AskedRange {
    /// All of it: it asks for nothing that is understood, or for several parts, which nobody needs of a picture.
    Whole,
    ByteRange(ByteRange),
    Outside,
}

fn part(range: &str, length: u64) -> AskedRange {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return AskedRange::Whole;
    };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(end)) if start <= end => (start, end.saturating_add(1).min(length)),
        (Some(start), None) if last.is_empty() => (start, length),
        (None, Some(count)) if first.is_empty() => (length.saturating_sub(count), length),
        _ => return AskedRange::Whole,
    };
    if start < end { AskedRange::ByteRange((start, end)) } else { AskedRange::Outside }
}

async fn body(mut file: File, (start, end): ByteRange) -> AnswerBody {
    let length = end - start;
    if length <= WHOLE_MAX {
        let read = tokio::task::spawn_blocking(move || piece(&mut file, start, length as usize)).await;
        return match read {
            Ok(Ok(bytes)) if bytes.len() as u64 == length => body::whole(bytes),
            // A body that ends early is noticed; one that is too short is not.
            _ => body::pieces(stream::once(async { Err(std::io::Error::other("cut short")) })),
        };
    }
    let pieces = stream::try_unfold((file, start), move |(mut file, at)| async move {
        let wanted = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        if wanted == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let bytes = piece(&mut file, at, wanted)?;
            Ok::<_, std::io::Error>((file, bytes))
        });
        let (file, bytes) = read.await.map_err(std::io::Error::other)??;
        if bytes.is_empty() {
            return Err(std::io::Error::other("cut short"));
        }
        let next = at + bytes.len() as u64;
        Ok(Some((bytes, (file, next))))
    });
    body::pieces(pieces)
}

fn piece(file: &mut File, at: u64, length: usize) -> std::io::Result<Bytes> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Returns the type of a file by its name.
pub fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("avif") => "image/avif",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_part_of_the_file_or_nothing_at_all() {
        for (range, expected) in [
            ("bytes=0-0", AskedRange::ByteRange((0, 1))),
            ("bytes=2-", AskedRange::ByteRange((2, 10))),
            ("bytes=-3", AskedRange::ByteRange((7, 10))),
            ("bytes=-99", AskedRange::ByteRange((0, 10))),
            ("bytes=5-99999999999999999999", AskedRange::Whole),
            ("bytes=5-18446744073709551615", AskedRange::ByteRange((5, 10))),
            ("bytes=10-", AskedRange::Outside),
            ("bytes=-0", AskedRange::Outside),
            ("bytes=3-2", AskedRange::Whole),
            ("bytes=0-1,3-4", AskedRange::Whole),
            ("bytes=+1-2", AskedRange::Whole),
            ("lines=0-1", AskedRange::Whole),
            ("bytes=-", AskedRange::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
