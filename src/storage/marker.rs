//! The marker: a small file in the storage that names the store, the state that owns it, and the owner's last run.
//!
//! It lies beside the originals, so whoever can reach these can see whose they are, even without a database. What its
//! content means for a run is decided by [`decide`](super::decide).

use std::io;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::{Overwrite, Storage, StorageError};
use crate::asset::ObjectPath;

/// Where the marker lies.
pub const MARKER_PATH: &str = "originals/.pixform-store";

/// The format that is written, and the only one that is read.
const VERSION: u64 = 1;
/// How every marker of that format begins.
const BEGINNING: &[u8] = b"{\"version\":";
/// Largest marker that is read.
const BYTES_MAX: u64 = 16 * 1_024;
/// Longest id, in bytes.
const ID_BYTES_MAX: usize = 100;
/// Longest note, in characters.
const NOTE_CHARS_MAX: usize = 200;

/// Whose store it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The store's id: letters, digits, `-` and `_`, at most 100.
    pub store: String,
    /// The id of the state that owns the store, made like the store's.
    pub owner: String,
    /// What tells people which state that is, if anything: a host, an environment. Cut at 200 characters.
    pub owner_note: Option<String>,
    /// When the owner last ran, in seconds since 1970.
    pub last_run: i64,
    /// Whether its users were told that everybody can read the originals.
    pub told_open: bool,
    /// Whether a published file was fetched as its visitors do.
    pub visited: bool,
}

/// What can go wrong with a marker.
#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    /// The file is no JSON object.
    #[error("`originals/.pixform-store` is not a marker: it holds no JSON object")]
    Shape,
    /// It is the beginning of a marker, or nothing at all: a write of it did not come to its end.
    #[error("`originals/.pixform-store` is cut off")]
    CutOff,
    /// It was written by a later pixform, or by none.
    #[error("`originals/.pixform-store` has the version {found}, this pixform reads version 1")]
    Version {
        /// The version in the file, or what stands there instead.
        found: String,
    },
    /// A field is missing or unusable.
    #[error("`originals/.pixform-store` has no usable `{field}`: {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The marker as it is written; the order of fields is the order in the file.
#[derive(Serialize)]
struct MarkerFile<'m> {
    version: u64,
    store: &'m str,
    owner: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_note: Option<&'m str>,
    last_run: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    told_open: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    visited: bool,
}

impl Marker {
    /// Returns the file's content: one line of JSON.
    pub fn to_json(&self) -> String {
        let Self { store, owner, owner_note, last_run, told_open, visited } = self;
        let owner_note = owner_note.as_deref();
        let written = MarkerFile {
            version: VERSION,
            store,
            owner,
            owner_note,
            last_run: *last_run,
            told_open: *told_open,
            visited: *visited,
        };
        serde_json::to_string(&written).expect("text and a number are always JSON") + "\n"
    }

    /// Reads a file's content. Fields that it does not know are left out.
    ///
    /// # Errors
    /// Says what is wrong with the first wrong field.
    pub fn parse(content: &[u8]) -> Result<Self, MarkerError> {
        let content: Value = serde_json::from_slice(content).map_err(|error| match error.is_eof() {
            true if content.starts_with(BEGINNING) || BEGINNING.starts_with(content) => MarkerError::CutOff,
            _ => MarkerError::Shape,
        })?;
        let Value::Object(fields) = content else { return Err(MarkerError::Shape) };
        match fields.get("version") {
            Some(Value::Number(version)) if version.as_u64() == Some(VERSION) => {}
            Some(Value::Number(version)) => return Err(MarkerError::Version { found: version.to_string() }),
            Some(_) | None => {
                return Err(MarkerError::Field { field: "version", rule: "it is the number 1" });
            }
        }
        let id = |field| match fields.get(field) {
            Some(Value::String(text)) if is_id(text) => Ok(text.clone()),
            Some(_) | None => {
                Err(MarkerError::Field { field, rule: "it is letters, digits, `-` and `_`, at most 100 of them" })
            }
        };
        let last_run = fields.get("last_run").and_then(Value::as_i64);
        let last_run = last_run.filter(|seconds| *seconds >= 0);
        let last_run = last_run.ok_or(MarkerError::Field { field: "last_run", rule: "it is seconds since 1970" })?;
        let owner_note = fields.get("owner_note").and_then(Value::as_str).map(readable).filter(|note| !note.is_empty());
        let is_set = |field| fields.get(field).and_then(Value::as_bool).unwrap_or_default();
        let (told_open, visited) = (is_set("told_open"), is_set("visited"));
        Ok(Self { store: id("store")?, owner: id("owner")?, owner_note, last_run, told_open, visited })
    }
}

/// Reads the storage's marker, if it has one.
///
/// # Errors
/// When the storage fails, or what lies there is no marker.
pub async fn read_marker(storage: &dyn Storage) -> Result<Option<Marker>, MarkerError> {
    match storage.get(&marker_path(), BYTES_MAX).await {
        Ok(content) => Marker::parse(&content).map(Some),
        Err(StorageError::Missing { .. }) => Ok(None),
        Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::FileTooLarge => Err(MarkerError::Shape),
        Err(error) => Err(error.into()),
    }
}

/// Writes the storage's marker over the one that is there, and makes it durable.
///
/// # Errors
/// When the storage fails, or the marker could not be read again, which would lock its owner out.
pub async fn write_marker(storage: &dyn Storage, marker: &Marker) -> Result<(), MarkerError> {
    let content = marker.to_json();
    Marker::parse(content.as_bytes())?;
    put_marker(storage, Bytes::from(content), Overwrite::Replace).await?;
    Ok(storage.sync().await?)
}

/// Puts the marker: as JSON, or, where a bucket takes pictures only, under the type that originals have.
async fn put_marker(storage: &dyn Storage, content: Bytes, overwrite: Overwrite) -> Result<(), StorageError> {
    match storage.put(&marker_path(), content.clone(), "application/json", overwrite).await {
        Err(StorageError::NotAdmitted { .. }) => storage.put(&marker_path(), content, "image/png", overwrite).await,
        result => result,
    }
}

/// What came of making a marker where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerCreation {
    /// It is ours.
    First,
    /// Another run was faster: its marker is there.
    TooLate,
}

/// Writes the storage's first marker; of two runs at once one does.
///
/// # Errors
/// When the storage fails.
pub async fn make_marker(storage: &dyn Storage, marker: &Marker) -> Result<MarkerCreation, MarkerError> {
    match put_marker(storage, Bytes::from(marker.to_json()), Overwrite::Never).await {
        Ok(()) => {
            storage.sync().await?;
            // Some stores let both of two writers succeed: the one that is there is the one that counts.
            let there = read_marker(storage).await?;
            Ok(if there.is_some_and(|there| there.store != marker.store) {
                MarkerCreation::TooLate
            } else {
                MarkerCreation::First
            })
        }
        Err(StorageError::Different { .. }) => Ok(MarkerCreation::TooLate),
        Err(error) => Err(error.into()),
    }
}

fn marker_path() -> ObjectPath {
    MARKER_PATH.parse().expect("the constant is a legal path")
}

fn is_id(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(legal)
}

/// Keeps of a stranger's note what a message can hold. Losing some of it harms nobody, refusing it would.
fn readable(note: &str) -> String {
    note.chars().filter(|c| !c.is_control()).take(NOTE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{StoreOptions, open};

    fn marker() -> Marker {
        let last_run = 1_700_000_000;
        Marker {
            store: "s-1".into(),
            owner: "o_1".into(),
            owner_note: None,
            last_run,
            told_open: false,
            visited: false,
        }
    }

    #[test]
    fn a_marker_is_one_line_that_parses_back() {
        insta::assert_snapshot!(marker().to_json(), @r#"{"version":1,"store":"s-1","owner":"o_1","last_run":1700000000}"#);
        let noted = Marker { owner_note: Some("production on build-7".into()), ..marker() };
        insta::assert_snapshot!(noted.to_json(), @r#"{"version":1,"store":"s-1","owner":"o_1","owner_note":"production on build-7","last_run":1700000000}"#);
        for marker in [marker(), noted] {
            assert_eq!(Marker::parse(marker.to_json().as_bytes()).unwrap(), marker);
        }
    }

    #[test]
    fn what_is_no_marker_is_told_in_our_words() {
        let told = |content: &str| Marker::parse(content.as_bytes()).unwrap_err().to_string();
        insta::assert_snapshot!(told(""), @"`originals/.pixform-store` is cut off");
        insta::assert_snapshot!(told("[1]"), @"`originals/.pixform-store` is not a marker: it holds no JSON object");
        insta::assert_snapshot!(told("{}"), @"`originals/.pixform-store` has no usable `version`: it is the number 1");
        insta::assert_snapshot!(
            told(r#"{"version":2}"#), @"`originals/.pixform-store` has the version 2, this pixform reads version 1");
        insta::assert_snapshot!(
            told(r#"{"version":1,"last_run":-1}"#), @"`originals/.pixform-store` has no usable `last_run`: it is seconds since 1970");
        insta::assert_snapshot!(
            told(r#"{"version":1,"last_run":1,"store":"a b"}"#), @"`originals/.pixform-store` has no usable `store`: it is letters, digits, `-` and `_`, at most 100 of them");
        insta::assert_snapshot!(
            told(r#"{"version":1,"last_run":1,"store":"a","owner":""}"#), @"`originals/.pixform-store` has no usable `owner`: it is letters, digits, `-` and `_`, at most 100 of them");
    }

    #[test]
    fn a_note_loses_what_could_harm_a_terminal() {
        let written = Marker { owner_note: Some(format!("a\u{1b}[31m{}", "x".repeat(500))), ..marker() };
        let note = Marker::parse(written.to_json().as_bytes()).unwrap().owner_note.unwrap();
        assert!(note.starts_with("a[31mx") && note.len() == NOTE_CHARS_MAX, "{note}");
    }

    #[test]
    fn a_marker_that_is_cut_off_is_told_from_what_is_none() {
        let whole = marker().to_json();
        for end in 0..whole.len() - 1 {
            assert!(matches!(Marker::parse(&whole.as_bytes()[..end]), Err(MarkerError::CutOff)), "{end}");
        }
        for other in ["[1", "<html", "{\"a\":", "{\"versions\":"] {
            assert!(matches!(Marker::parse(other.as_bytes()), Err(MarkerError::Shape)), "{other}");
        }
    }

    #[tokio::test]
    async fn a_marker_is_read_as_it_was_last_written() {
        let storage = open(&StoreOptions::of("memory:")).unwrap();
        assert_eq!(read_marker(&*storage).await.unwrap(), None);
        for last_run in [1, 2] {
            let marker = Marker { last_run, ..marker() };
            write_marker(&*storage, &marker).await.unwrap();
            assert_eq!(read_marker(&*storage).await.unwrap(), Some(marker));
        }
    }

    #[tokio::test]
    async fn of_two_first_markers_one_stays() {
        let storage = open(&StoreOptions::of("memory:")).unwrap();
        assert_eq!(make_marker(&*storage, &marker()).await.unwrap(), MarkerCreation::First);
        let other = Marker { store: "s-2".into(), ..marker() };
        assert_eq!(make_marker(&*storage, &other).await.unwrap(), MarkerCreation::TooLate);
        assert_eq!(read_marker(&*storage).await.unwrap(), Some(marker()));
    }

    #[tokio::test]
    async fn a_marker_that_could_not_be_read_is_not_written() {
        let storage = open(&StoreOptions::of("memory:")).unwrap();
        let error = write_marker(&*storage, &Marker { store: String::new(), ..marker() }).await.unwrap_err();
        assert!(matches!(error, MarkerError::Field { field: "store", .. }), "{error}");
        assert_eq!(read_marker(&*storage).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_huge_file_in_its_place_is_no_marker() {
        let storage = open(&StoreOptions::of("memory:")).unwrap();
        let huge = Bytes::from(vec![b' '; BYTES_MAX as usize + 1]);
        storage.put(&marker_path(), huge, "", Overwrite::Never).await.unwrap();
        assert!(matches!(read_marker(&*storage).await.unwrap_err(), MarkerError::Shape));
    }
}
