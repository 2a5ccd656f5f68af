//! Checksums that stores tell, against the bytes that were sent.

use bytes::Bytes;
use md5::{Digest as _, Md5};
use reqwest::header::HeaderMap;
use sha2::Sha256;

use super::{StorageError, different};
use crate::asset::ObjectPath;

/// Bytes whose digests are made where a store tells one.
pub(super) struct Checksums<'b>(&'b [u8]);

/// What lies at a path.
pub(super) struct StoredFile {
    pub bytes: u64,
    pub tag: Option<String>,
}

impl StoredFile {
    /// Compares it with what was to be put there; it is read where its size and its tag do not decide.
    ///
    /// # Errors
    /// [`StorageError::Different`] where it is something else.
    pub async fn compare(
        &self,
        path: &ObjectPath,
        bytes: &Bytes,
        read: impl Future<Output = Result<Bytes, StorageError>>,
    ) -> Result<(), StorageError> {
        if self.bytes != bytes.len() as u64 {
            return Err(different(path, self.bytes, None, bytes));
        }
        if Checksums::of(bytes).of_tag(self.tag.as_deref()) == ChecksumMatch::Same {
            return Ok(());
        }
        let there = read.await?;
        if there == *bytes { Ok(()) } else { Err(different(path, self.bytes, Some(&there), bytes)) }
    }
}

/// What a store's checksum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChecksumMatch {
    /// It has these bytes.
    Same,
    /// It has others.
    Differs,
    /// It says nothing that can be compared.
    Unknown,
}

impl<'b> Checksums<'b> {
    pub fn of(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Compares with the headers that are checksums by their name: S3's, Google's, Azure's.
    pub fn of_headers(&self, headers: &HeaderMap) -> ChecksumMatch {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(told) = text("x-amz-checksum-sha256") {
            // That of a file in parts ends in their number, and is a digest of digests.
            return if told.contains('-') {
                ChecksumMatch::Unknown
            } else {
                verdict(told == base64(&Sha256::digest(self.0)))
            };
        }
        let google =
            text("x-goog-hash").and_then(|told| told.split(',').find_map(|part| part.trim().strip_prefix("md5=")));
        match google.or_else(|| text("content-md5")) {
            Some(told) => verdict(told == base64(&Md5::digest(self.0))),
            None => ChecksumMatch::Unknown,
        }
    }

    /// Compares with an ETag, where that looks like the MD5 of the bytes, as it mostly is for a file put at once.
    pub fn of_tag(&self, tag: Option<&str>) -> ChecksumMatch {
        let tag = tag.map(|tag| tag.trim_start_matches("W/").trim_matches('"')).unwrap_or_default();
        match tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => verdict(tag.eq_ignore_ascii_case(&hex::encode(Md5::digest(self.0)))),
            false => ChecksumMatch::Unknown,
        }
    }
}

fn verdict(same: bool) -> ChecksumMatch {
    if same { ChecksumMatch::Same } else { ChecksumMatch::Differs }
}

/// Encodes bytes as the headers of stores do.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for place in 0..4_usize {
            match place <= chunk.len() {
                true => text.push(char::from(LETTERS[(number >> (18 - 6 * place) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const BYTES: &[u8] = b"hello world";

    #[test]
    fn what_a_store_tells_is_compared() {
        let sum = Checksums::of(BYTES);
        for (name, value, expected) in [
            ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=", ChecksumMatch::Same),
            ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzeA=", ChecksumMatch::Differs),
            ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=-2", ChecksumMatch::Unknown),
            ("x-goog-hash", "crc32c=yZRlqg==, md5=XrY7u+Ae7tCTyyK7j1rNww==", ChecksumMatch::Same),
            ("x-goog-hash", "crc32c=yZRlqg==", ChecksumMatch::Unknown),
            ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==", ChecksumMatch::Same),
            ("content-md5", "XrY7u+Ae7tCTyyK7j1rNwA==", ChecksumMatch::Differs),
            ("etag", "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"", ChecksumMatch::Unknown),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(sum.of_headers(&headers), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_tag_counts_only_where_it_looks_like_a_digest() {
        let sum = Checksums::of(BYTES);
        for (tag, expected) in [
            (Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\""), ChecksumMatch::Same),
            (Some("W/\"5EB63BBBE01EEED093CB22BB8F5ACDC3\""), ChecksumMatch::Same),
            (Some("5eb63bbbe01eeed093cb22bb8f5acdc4"), ChecksumMatch::Differs),
            (Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3-2\""), ChecksumMatch::Unknown),
            (Some("0x8D4BCC2E4835CD0"), ChecksumMatch::Unknown),
            (None, ChecksumMatch::Unknown),
        ] {
            assert_eq!(sum.of_tag(tag), expected, "{tag:?}");
        }
    }
}
