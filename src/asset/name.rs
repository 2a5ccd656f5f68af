//! Names, keys, paths, and places in a manifest: text that was checked once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;

/// The text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {rule}")]
pub struct NameError {
    /// What was offered.
    pub text: String,
    /// What it should have been.
    pub kind: &'static str,
    /// What such a name may look like.
    pub rule: &'static str,
}

/// Longest name of a collection, label, generator or rendition, in bytes.
pub const NAME_BYTES_MAX: usize = 100;
/// Longest label value, in bytes; with the digest and the folder it has to fit into a file name of 255.
pub const VALUE_BYTES_MAX: usize = 100;

/// What label values may be made of, as messages say it.
pub const VALUE_RULE: &str = "use letters, digits and `. _ + -`, at most 100 of them";

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $legal:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let legal: fn(&str) -> bool = $legal;
                if legal(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { text: text.to_owned(), kind: $kind, rule: $rule })
                }
            }
        }
    )*};
}

names! {
    /// Names a collection; unique in an environment.
    CollectionName, "collection name", "use lower-case letters, digits, `-` and `_`, a letter first, at most 100", is_collection;
    /// The values of an asset's key axes, joined by `/`: `age/70+/anime`.
    AssetKey, "key", "label values joined by `/`", is_key;
    /// A name that the environment maps to a real service.
    GeneratorName, "generator name", "use letters, digits, `-` and `_`, a letter first, at most 100", is_identifier_with_dashes;
    /// Names one published form of an original: `main`, `thumb`.
    RenditionName, "rendition name", "use letters, digits and `_`, a letter first, at most 100", is_identifier;
    /// Where a published file lies, below the storage root.
    ObjectPath, "path", "use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all", is_path;
}

/// Tells whether the text can name a label, a var or a rendition: `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= NAME_BYTES_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Tells whether the text can be a label's value.
pub fn is_label_value(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= VALUE_BYTES_MAX
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte))
}

fn is_identifier_with_dashes(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && is_identifier(&text.replace('-', "_"))
}

fn is_collection(text: &str) -> bool {
    is_identifier_with_dashes(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_key(text: &str) -> bool {
    text.split('/').all(is_label_value)
}

fn is_path(text: &str) -> bool {
    text.len() <= 900
        && text.split('/').all(|segment| {
            !segment.is_empty()
                && segment.len() <= 255
                && segment != "."
                && segment != ".."
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+=@,()!".contains(&byte))
        })
}

impl AssetKey {
    /// Joins label values that were checked one by one.
    pub fn join<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut key = String::with_capacity(32);
        for value in values {
            if !key.is_empty() {
                key.push('/');
            }
            key.push_str(value);
        }
        Self(key.into_boxed_str())
    }
}

/// What a path's letters become in a URL: all but the unreserved ones are encoded, for `+` is a blank to some servers.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

impl ObjectPath {
    /// Tells whether it lies in the folder of originals, which are no published files.
    pub fn is_original(&self) -> bool {
        self.0.starts_with("originals/")
    }

    /// Returns the URL under which the file is fetched: the base, which ends in `/`, and the percent-encoded path.
    pub fn url(&self, base: &str) -> String {
        format!("{base}{}", utf8_percent_encode(&self.0, ENCODED))
    }

    /// Returns the path of the file that a URL names, however it is percent-encoded; query and fragment do not count.
    /// `None` where it lies outside of the base, or under a path that is not legal.
    pub fn of_url(url: &str, base: &str) -> Option<Self> {
        let bare = url.split(['?', '#']).next().unwrap_or_default();
        let decoded = percent_decode_str(bare).decode_utf8().ok()?;
        let base = percent_decode_str(base).decode_utf8().ok()?;
        decoded.strip_prefix(&*base)?.parse().ok()
    }
}

/// Labels by name; a key axis and its value, mostly.
pub type Labels = BTreeMap<String, String>;

/// A value was out of a generator's range, or a name it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The recipe's field, or one part of it: `steps`, `hires_fix.strength`, `loras[0].strength`.
    pub field: Cow<'static, str>,
    /// What is wrong, in lower case: `must be from 1 to 100, is 0`.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
}

/// Where something stands in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The manifest's path as the user gave it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_and_uses_legal_letters() {
        for good in ["a/b.png", "attribute-images/age-70+-anime-0123.jpg", "a/(1)!.png"] {
            assert!(good.parse::<ObjectPath>().is_ok(), "{good}");
        }
        for wrong in ["", "/a", "a//b", "../a", "a/./b", "a/ü.png", "a b", "a\u{1}", "a/%20"] {
            assert!(wrong.parse::<ObjectPath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_carries_every_letter_that_a_path_can_have() {
        for (base, path, url) in [
            ("https://cdn.example.com/a/", "p/age-70+-anime.jpg", "https://cdn.example.com/a/p/age-70%2B-anime.jpg"),
            ("/files/", "p/._-+=@,()!/0.png", "/files/p/._-%2B%3D%40%2C%28%29%21/0.png"),
        ] {
            let path: ObjectPath = path.parse().unwrap();
            assert_eq!(path.url(base), url);
            assert_eq!(ObjectPath::of_url(url, base), Some(path));
        }
    }

    #[test]
    fn a_url_is_read_however_it_is_encoded() {
        let base = "https://cdn.example.com/my%20shop/";
        for (url, path) in [
            ("https://cdn.example.com/my%20shop/p/70+.jpg", Some("p/70+.jpg")),
            ("https://cdn.example.com/my shop/p/70%2b.jpg?v=3#top", Some("p/70+.jpg")),
            ("https://cdn.example.com/my%20shop/p%2F70%2B.jpg", Some("p/70+.jpg")),
            ("https://cdn.example.com/my%20shop/", None),
            ("https://cdn.example.com/other/p/70+.jpg", None),
            ("https://cdn.example.com/my%20shop/%2e%2e/70+.jpg", None),
            ("https://cdn.example.com/my%20shop/a b.jpg", None),
            ("https://cdn.example.com/my%20shop/%ff.jpg", None),
            ("", None),
        ] {
            assert_eq!(ObjectPath::of_url(url, base).as_ref().map(ObjectPath::as_str), path, "{url}");
        }
    }
}
