//! The digests that decide what a change costs, and the one way in which they are made.
//!
//! A digest here is SHA-256 over a domain line and canonical JSON (RFC 8785). Every kind of digest has a type of its own,
//! so that a recipe's digest can never be compared with a picture's. The digests of whole values go through
//! [`canonical_digest`]; the hot path of planning writes the same bytes through [`CanonicalObject`], which a property
//! test holds against the library that defines them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// What a field of the manifest decides, and so what it costs to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changes {
    /// The recipe's digest: the picture is made again, or an original already paid for is taken.
    Recipe,
    /// The renditions' digest: the published forms are rendered again from the kept original, for nothing.
    Renditions,
    /// The row's digest: the published row gets new values, for nothing.
    Row,
    /// No digest: only what is remembered of the asset.
    Record,
}

/// Every field of a manifest that can differ between two plans, with what it changes; fields of a kind's own all change the
/// recipe, and stand in its table.
///
/// A template changes a digest through its rendered text (prompts) or through its text and the values it uses (paths and
/// columns), so labels and vars have no line of their own: they count where they are used.
pub const FIELDS: &[(&str, Changes)] = &[
    ("model", Changes::Recipe),
    ("prompt", Changes::Recipe),
    ("negative_prompt", Changes::Recipe),
    ("seed", Changes::Recipe),
    ("take", Changes::Recipe),
    ("width", Changes::Recipe),
    ("height", Changes::Recipe),
    ("renditions.format", Changes::Renditions),
    ("renditions.quality", Changes::Renditions),
    ("renditions.width", Changes::Renditions),
    ("renditions.height", Changes::Renditions),
    ("renditions.fit", Changes::Renditions),
    ("renditions.path", Changes::Renditions),
    ("publish.table", Changes::Row),
    ("publish.columns", Changes::Row),
    ("protect", Changes::Record),
    ("hold", Changes::Record),
];

/// The text was not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest; one is `sha256:` and 64 hex digits")]
pub struct DigestError(pub String);

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 bytes that were a digest before, as a database keeps them.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes, as a database keeps them.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the 64 lower-case hex digits without a prefix, as paths use them.
            pub fn hex(&self) -> String {
                hex::encode(self.0)
            }

            /// Returns the first 12 hex digits, for people.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..6])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "sha256:{}", hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                let digits = text.strip_prefix("sha256:").unwrap_or(text);
                let mut bytes = [0; 32];
                match hex::decode_to_slice(digits, &mut bytes) {
                    Ok(()) => Ok(Self(bytes)),
                    Err(_) => Err(DigestError(text.to_owned())),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

digests! {
    /// Over everything that decides the pixels.
    RecipeDigest,
    /// Over one published form: format, quality, resize, path template and the values that the path uses.
    RenditionDigest,
    /// Over all renditions of an asset, by name.
    RenditionsDigest,
    /// Over the inputs of a published row.
    RowDigest,
    /// Over the declared columns of a row as the database gave them back.
    SeenDigest,
    /// Over the bytes of a picture: plain SHA-256, without a domain.
    ContentDigest,
    /// Over the changes of a plan: the name of what was reviewed.
    PlanDigest,
}

/// The domain of [`RecipeDigest`].
pub const RECIPE_DOMAIN: &str = "pixform:recipe:v1";
/// The domain of [`RenditionDigest`] and [`RenditionsDigest`].
pub const RENDITION_DOMAIN: &str = "pixform:rendition:v1";
/// The domain of [`RowDigest`].
pub const ROW_DOMAIN: &str = "pixform:row:v1";
/// The domain of [`SeenDigest`].
pub const SEEN_DOMAIN: &str = "pixform:seen:v1";
/// The domain of [`PlanDigest`].
pub const PLAN_DOMAIN: &str = "pixform:plan:v1";
/// The domain of derived seeds.
pub const SEED_DOMAIN: &str = "pixform:seed:v1";

/// Returns SHA-256 of the domain, a line feed, and the bytes.
pub fn domain_digest(domain: &str, canonical: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    hasher.update(b"\n");
    hasher.update(canonical);
    hasher.finalize().into()
}

/// Returns the digest of a value's canonical JSON within a domain.
///
/// Integers above 2^53 lose digits in canonical JSON: write them as text.
pub fn canonical_digest<T: Serialize>(domain: &str, value: &T) -> [u8; 32] {
    domain_digest(domain, &canonical(value))
}

/// Returns a value's canonical JSON.
pub fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("digested values hold only text and finite numbers")
}

impl ContentDigest {
    /// Returns the digest of a picture's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// Writes one object of canonical JSON straight into a buffer.
///
/// Names must be ASCII and come in ascending order; a debug build checks it.
pub struct CanonicalObject<'b> {
    out: &'b mut Vec<u8>,
    last: Option<String>,
    first: bool,
}

impl<'b> CanonicalObject<'b> {
    /// Opens an object at the end of the buffer.
    pub fn open(out: &'b mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, last: None, first: true }
    }

    /// Writes a member whose value is text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        write_canonical_text(self.out, value);
    }

    /// Writes a member whose value is an integer of at most 2^53.
    pub fn integer(&mut self, name: &str, value: u32) {
        self.name(name);
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    /// Writes a member whose value is a finite number.
    pub fn number(&mut self, name: &str, value: f64) {
        self.raw(name, canonical_number(value).as_bytes());
    }

    /// Writes a member whose value is canonical JSON already.
    pub fn raw(&mut self, name: &str, canonical: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(canonical);
    }

    /// Opens a member that is an object itself.
    pub fn object(&mut self, name: &str) -> CanonicalObject<'_> {
        self.name(name);
        CanonicalObject::open(self.out)
    }

    /// Writes a member whose value writes its canonical JSON itself.
    pub fn member(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        write(self.out);
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if cfg!(debug_assertions) {
            let last = self.last.replace(name.to_owned());
            assert!(last.is_none_or(|last| last.as_str() < name), "canonical members ascend, `{name}` does not");
        }
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        write_canonical_text(self.out, name);
        self.out.push(b':');
    }
}

/// Returns a finite number as canonical JSON writes it.
pub fn canonical_number(number: f64) -> String {
    canonical_text(&number)
}

/// Returns a value's canonical JSON as text; its numbers must be finite.
pub fn canonical_text<T: Serialize>(value: &T) -> String {
    serde_json_canonicalizer::to_string(value).expect("text and finite numbers have a canonical form")
}

/// Writes text as canonical JSON has it to the end of the buffer.
pub fn write_canonical_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(&mut *out, text).expect("a buffer takes every text");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_digest_parses_back_from_its_text() {
        let digest = ContentDigest::of(b"picture");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.hex().parse(), Ok(digest));
        assert!("sha256:12".parse::<ContentDigest>().is_err());
    }

    #[test]
    fn a_domain_is_part_of_the_digest() {
        assert_ne!(canonical_digest(RECIPE_DOMAIN, &1), canonical_digest(ROW_DOMAIN, &1));
    }

    proptest! {
        #[test]
        fn the_fast_writer_writes_what_the_canonicalizer_writes(
            texts in prop::collection::btree_map("[a-z_]{1,9}", any::<String>(), 0..6),
            numbers in prop::collection::btree_map("[a-z_]{1,9}", any::<u32>(), 0..6),
            fractions in prop::collection::vec(-1e300..1e300, 0..4),
        ) {
            let mut fast = Vec::new();
            let mut object = CanonicalObject::open(&mut fast);
            let mut inner = object.object("a");
            for (name, text) in &texts {
                inner.text(name, text);
            }
            inner.close();
            let mut inner = object.object("b");
            for (name, number) in &numbers {
                inner.integer(name, *number);
            }
            inner.close();
            object.member("c", |out| {
                out.push(b'[');
                for (at, fraction) in fractions.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b"," } else { b"" });
                    let mut inner = CanonicalObject::open(out);
                    inner.number("x", *fraction);
                    inner.close();
                }
                out.push(b']');
            });
            object.close();
            let slow = serde_json_canonicalizer::to_vec(&BTreeMap::from([
                ("a", serde_json::json!(texts)),
                ("b", serde_json::json!(numbers)),
                ("c", fractions.iter().map(|fraction| serde_json::json!({ "x": fraction })).collect()),
            ])).unwrap();
            prop_assert_eq!(fast, slow);
        }
    }
}
