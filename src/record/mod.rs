//! Records: what is remembered of an asset, an original, a published file and a paid call.
//!
//! The shapes that a state keeps and a plan compares. How they are kept is left to `state`.

use std::collections::BTreeMap;

use crate::asset::{AssetKey, Labels, ObjectPath, PathPattern, Recipe, Rendition, Seed, SeedBase};
use crate::digest::{ContentDigest, RecipeDigest, RenditionsDigest, RowDigest, SeenDigest};
use crate::template::Filling;

mod call;
mod document;

pub use call::{Account, Call, CallAttempt, CallCharge, CallStatus, Decision, Estimate, FAILED_MAX, NewCall, Sender};
pub use document::{StoredCause, StoredError, published_from_json, published_to_json};

/// One published form as it lies in the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// How it was made.
    pub rendition: Rendition,
    /// Where it lies.
    pub path: ObjectPath,
    /// The digest of its bytes.
    pub sha256: ContentDigest,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The version of the renderer that made it.
    pub renderer: u16,
}

/// The picture that a generator made for a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The recipe.
    pub recipe: RecipeDigest,
    /// The digest of its bytes.
    pub sha256: ContentDigest,
    /// Where it lies, below the storage root.
    pub path: ObjectPath,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its width in pixels; width and height are 0 of a rejected file that nobody can read.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The seed that the service says it used, where it says one.
    pub seed: Option<Seed>,
}

impl Original {
    /// Returns the ending of its file.
    pub fn extension(&self) -> &str {
        self.path.as_str().rsplit('.').next().unwrap_or_default()
    }
}

/// All that is remembered of one asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its key.
    pub key: AssetKey,
    /// The key it was first made under; a derived seed stays with it.
    pub first_key: AssetKey,
    /// Its labels, those beyond the key too.
    pub labels: Labels,
    /// The recipe of the published picture.
    pub recipe: Recipe,
    /// What the recipe's seed was made from.
    pub base: SeedBase,
    /// Which take of the base the seed is.
    pub take: u32,
    /// The rendered vars that the prompts use, to tell an edit in the words of the manifest.
    pub vars: BTreeMap<String, String>,
    /// The original that is published.
    pub original: ContentDigest,
    /// The published forms, by name.
    pub published: Vec<Published>,
    /// The digest of the row's inputs, and the inputs; `None` where nothing is published to a table.
    pub row: Option<RecordedRow>,
    /// Refuses deletion and replacement.
    pub protect: bool,
    /// Keeps the published picture whatever the manifest says.
    pub hold: bool,
}

/// What is remembered of an asset's row.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRow {
    /// The digest of the inputs.
    pub digest: RowDigest,
    /// The digest of the row as the database gave it back.
    pub seen: SeenDigest,
    /// The row's own id, as text, where the table has one.
    pub id: Option<String>,
    /// Column templates and the values they used, by name; to tell what changed.
    pub inputs: BTreeMap<String, String>,
}

impl Record {
    /// Returns the digest over all renditions.
    pub fn renditions_digest(&self) -> RenditionsDigest {
        crate::asset::renditions_digest(
            self.published.iter().map(|published| (&published.rendition.name, &published.rendition.digest)),
        )
    }
}

/// The narrow part of a record, as planning streams it.
#[derive(Debug, Clone, Copy)]
pub struct RecordHead<'r> {
    /// The key's text.
    pub key: &'r str,
    /// The recipe's digest.
    pub recipe: RecipeDigest,
    /// The renditions' digest.
    pub renditions: RenditionsDigest,
    /// The row's digests: of the inputs, and as it came back.
    pub row: Option<(RowDigest, SeenDigest)>,
    /// Whether it is protected.
    pub protect: bool,
    /// Whether it is held.
    pub hold: bool,
    /// The labels beyond the key, as canonical JSON; empty where there are none.
    pub extra_labels: &'r str,
    /// One line for each published file: its size in bytes, a space, its path.
    pub objects: &'r str,
}

impl<'r> RecordHead<'r> {
    /// Returns size and path of each published file.
    pub fn objects(&self) -> impl Iterator<Item = (u64, &'r str)> {
        self.objects.lines().filter_map(|line| {
            let (bytes, path) = line.split_once(' ')?;
            Some((bytes.parse().ok()?, path))
        })
    }
}

/// Returns the text that [`RecordHead::objects`] reads.
pub fn objects_text(published: &[Published]) -> String {
    published.iter().map(|file| format!("{} {}", file.bytes, file.path)).collect::<Vec<_>>().join("\n")
}

/// Returns what columns may use of published files: `url`, `width`, … of `main`, and `thumb.url`, … of all.
pub fn outputs(published: &[Published], url_base: &str) -> BTreeMap<String, Filling> {
    let mut outputs = BTreeMap::new();
    for file in published {
        let fields = [
            ("url", Filling::Text(file.path.url(url_base))),
            ("path", Filling::Text(file.path.to_string())),
            ("sha256", Filling::Text(file.sha256.hex())),
            ("digest", Filling::Text(file.sha256.hex()[..PathPattern::DIGEST_DIGITS].to_owned())),
            ("bytes", Filling::Integer(file.bytes)),
            ("width", Filling::Integer(u64::from(file.width))),
            ("height", Filling::Integer(u64::from(file.height))),
            ("content_type", Filling::Text(file.rendition.encoding.format.content_type().to_owned())),
        ];
        let name = file.rendition.name.as_str();
        for (field, filling) in fields {
            if name == "main" {
                outputs.insert(field.to_owned(), filling.clone());
            }
            outputs.insert(format!("{name}.{field}"), filling);
        }
    }
    outputs
}

/// Returns the labels beyond the key as [`RecordHead::extra_labels`] holds them.
pub fn extra_labels(labels: &Labels, key_axes: &[String]) -> String {
    let extra: BTreeMap<_, _> = labels.iter().filter(|(name, _)| !key_axes.contains(name)).collect();
    if extra.is_empty() {
        return String::new();
    }
    serde_json_canonicalizer::to_string(&extra).expect("text is canonical JSON")
}
