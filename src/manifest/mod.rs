//! Manifests: from the text of one file to its assets.
//!
//! The steps are files: `document` reads what is written, `matrix` multiplies the axes, `resolve` layers, renders and
//! digests. Every mistake of a manifest is found in one go, with its place. Where things live, what they cost and
//! what is there already is left to others; what the environment allows arrives as [`Rules`].

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::asset::{Asset, Assets, CollectionName, Heads, Place};
use crate::glob::KeyGlob;
use crate::yaml::{LineIndex, ManifestError, Mistake, Mistakes, Span, YamlLimits, parse_with};

mod axis;
mod block;
mod check;
mod document;
mod exclude;
mod hints;
mod image;
mod layer;
mod matrix;
mod own;
mod pick;
mod placed;
mod pool;
mod publish;
mod reader;
mod recipe;
mod reserved;
mod resolve;
mod row_plan;
mod rules;
mod scalar_schema;
mod schema;
mod scratch;
mod setting_schema;
#[cfg(test)]
mod tests;
mod worker;
mod write;

pub use document::FIELDS;
pub use own::{COUNT_MAX, ENTRIES_MAX, KnownFields};
pub use pick::{Pick, PickError, Picked, pick};
pub use placed::Placed;
pub use publish::{EDGE_MAX, RENDITION_FIELDS};
pub use reserved::{RESERVED, RESERVED_FOR_COLUMNS, RESERVED_FOR_KEYS};
pub use rules::{GeneratorRules, Rules};
pub use schema::schema;
pub use write::{SKETCH_FIELDS, Sketch, SketchField, SketchRow, needed_fields, sketch_text, write};

use block::{AssetSlot, Block};
use document::{KeyKnowledge, MovedLine};
use matrix::Cells;
use pool::Pool;
use publish::RenditionLine;

/// Images one collection may have unless the environment raises it; catches a typo in `matrix` before it costs money.
pub const IMAGES_MAX: usize = 10_000;

/// One collection, read and multiplied; its assets are resolved on demand.
pub struct Manifest {
    /// The collection's name.
    pub name: CollectionName,
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The file's text.
    pub source: Arc<str>,
    /// The key axes.
    pub key: Vec<String>,
    /// Renames, the most exact line first.
    pub moved: Vec<Moved>,
    /// Deletions that are expected.
    pub removed: Vec<KeyGlob>,
    /// What is odd but no mistake.
    pub warnings: Vec<Mistake>,
    pool: Pool,
    defaults: layer::LayerId,
    blocks: Vec<Block>,
    slots: Vec<AssetSlot>,
    cells: Cells,
    renditions: Vec<RenditionLine>,
    row: Option<row_plan::RowPlan>,
    rules: Rules,
    /// The base that a key named by `moved` takes when it has no record.
    moved_bases: BTreeMap<String, String>,
    lines: OnceLock<LineIndex>,
}

/// One line of `moved`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The collection that the keys come from; this one mostly.
    pub from_collection: CollectionName,
    /// Keys of the past.
    pub from: KeyGlob,
    /// Declared keys.
    pub to: KeyGlob,
    /// Where it stands.
    pub place: Place,
}

/// LineIndex of `moved` that are followed one after the other.
pub const MOVED_CHAIN_MAX: usize = 32;

impl Moved {
    /// Returns how exact the line is; the least is the most exact.
    pub fn exactness(&self) -> (usize, std::cmp::Reverse<usize>) {
        let stars = self.from.stars();
        (stars, std::cmp::Reverse(self.from.as_str().len() - stars))
    }

    /// Returns where the line leads a key; `None` where it is not about it.
    pub fn fill(&self, key: &str) -> Option<String> {
        Some(self.to.fill(&self.from.captures(key)?))
    }

    /// Returns the key that the line leads to this one; `None` where it leads elsewhere.
    pub fn from_of(&self, key: &str) -> Option<String> {
        Some(self.from.fill(&self.to.captures(key)?))
    }
}

impl Manifest {
    /// Reads a manifest and resolves the heads of all its assets.
    ///
    /// # Errors
    /// With every mistake in it.
    pub fn load(file: &str, source: &str, rules: Rules) -> Result<(Self, Heads), ManifestError> {
        let file: Arc<str> = file.into();
        let source: Arc<str> = source.into();
        let mut mistakes = Mistakes::default();
        let root = parse_with(&file, &source, YamlLimits::MANIFEST, &mut mistakes)?;
        let parsed = mistakes.is_empty();
        let mut document = document::read(root, &source, &rules, &mut mistakes);
        if let Some(document) = document.as_mut().filter(|_| !parsed) {
            document.keys = KeyKnowledge::Doubtful;
        }
        let keys = document.as_ref().map_or(KeyKnowledge::Doubtful, |document| document.keys);
        let manifest = document.and_then(|document| build(document, &file, &source, rules, &mut mistakes));
        let heads = manifest.as_ref().map(|manifest| manifest.resolve_all(&mut mistakes));
        match (manifest, heads) {
            (Some(mut manifest), Some(heads)) => {
                if keys == KeyKnowledge::Known {
                    manifest.check_against_keys(&heads, &mut mistakes);
                }
                manifest.warnings = manifest.unused_vars();
                manifest.warnings.extend(manifest.lost_transparency());
                mistakes.or((manifest, heads), &file, &source)
            }
            _ => {
                let message = "the manifest cannot be used";
                Err(mistakes.or((), &file, &source).err().unwrap_or_else(|| {
                    ManifestError::one(&file, &source, Span::default(), message, "check its fields")
                }))
            }
        }
    }

    /// Returns how many assets it declares.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// Returns the place of a stretch of the source.
    pub fn place(&self, span: Span) -> Place {
        let lines = self.lines.get_or_init(|| LineIndex::of(&self.source));
        let (line, column) = lines.locate(&self.source, span.start);
        Place { file: Arc::clone(&self.file), line, column }
    }

    /// Returns the folders that its published files lie in, each once.
    pub fn folders(&self) -> Vec<String> {
        let first = |line: &RenditionLine| line.path.value.source().split('/').next().unwrap_or_default().to_owned();
        let folders: std::collections::BTreeSet<String> = self.renditions.iter().map(first).collect();
        folders.into_iter().collect()
    }

    /// Returns the table that it publishes to.
    pub fn table(&self) -> Option<&crate::asset::TableSpec> {
        self.row.as_ref().map(|row| &row.shape.table)
    }
}

impl Assets for Manifest {
    fn asset(&self, index: usize) -> Asset {
        self.resolve_asset(index)
    }
}

fn build(
    document: document::ManifestDocument,
    file: &Arc<str>,
    source: &Arc<str>,
    rules: Rules,
    mistakes: &mut Mistakes,
) -> Option<Manifest> {
    let document::ManifestDocument {
        name,
        key,
        keys,
        defaults,
        axes,
        images,
        cells,
        moved,
        removed,
        renditions,
        publish,
        pool,
    } = document;
    check::shared_names(&axes, &images, &renditions, &pool, mistakes);
    let mistakes_before = mistakes.len();
    let (blocks, slots) = matrix::expand(images, &axes, &key, rules.images_max, mistakes);
    let expanded = keys == KeyKnowledge::Known && mistakes.len() == mistakes_before;
    if slots.is_empty() && mistakes.is_empty() {
        mistakes.add(Span { start: 0, end: 1 }, "the manifest declares no image", "add an entry to `images`");
    }
    let row = publish.and_then(|publish| check::row(publish, &key, &renditions, &rules, mistakes));
    check::paths(&renditions, mistakes);
    let name = name?;
    let lines = LineIndex::of(source);
    let mut moved: Vec<_> = moved
        .into_iter()
        .map(|MovedLine { span, from_collection, from, to }| {
            let (line, column) = lines.locate(source, span.start);
            let place = Place { file: Arc::clone(file), line, column };
            (span, Moved { from_collection: from_collection.unwrap_or_else(|| name.clone()), from, to, place })
        })
        .collect();
    moved.sort_by_key(|(_, line)| line.exactness());
    // What matches nothing is told only where all keys are known: a broken axis would make every cell look idle.
    let mut unmatched = Mistakes::default();
    let moved_bases = check::moved_bases(&name, &moved, (&blocks, &slots), &mut unmatched);
    check::removed(&removed, &blocks, &slots, &mut unmatched);
    let lines_of_cells = cells;
    let cells = Cells::new(&lines_of_cells);
    check::cells(&lines_of_cells, &cells, (&blocks, &slots), &mut unmatched);
    if expanded {
        mistakes.extend(unmatched);
    }
    Some(Manifest {
        name,
        file: Arc::clone(file),
        source: Arc::clone(source),
        key: key.into_iter().map(|name| name.value).collect(),
        moved: moved.into_iter().map(|(_, line)| line).collect(),
        removed: removed.into_iter().map(|glob| glob.value).collect(),
        warnings: Vec::new(),
        pool,
        defaults,
        blocks,
        slots,
        cells,
        renditions,
        row,
        rules,
        moved_bases,
        lines: OnceLock::from(lines),
    })
}
