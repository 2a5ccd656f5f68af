//! The manifest as it is written: from a YAML tree to fields, layers and axes, with every mistake on the way.
//!
//! Nothing is multiplied or rendered here; names that need the other parts of the document are checked where those meet.

use crate::asset::{CollectionName, Recipe, is_identifier};
use crate::glob::KeyGlob;
use crate::template::{RESERVED_WORDS, Template};
use crate::yaml::{Fields, MapEntry, Mistakes, Node, Span};

use super::axis::{Axis, read_axes, read_vars_and_with};
use super::image::{Image, read_images};
use super::layer::{Layer, LayerId, read_layer};
use super::own::KnownFields;
use super::publish::{PublishLine, RenditionLine, read_publish, read_renditions};

/// The fields of a manifest, in the order in which people write them.
pub const FIELDS: [&str; 12] = [
    "version",
    "collection",
    "key",
    "vars",
    "defaults",
    "axes",
    "images",
    "cells",
    "moved",
    "removed",
    "renditions",
    "publish",
];

/// The fields of an entry of `moved`.
pub const MOVED_FIELDS: [&str; 2] = ["from", "to"];

/// Names that labels, vars and renditions cannot have beyond [`Recipe::COLUMN_FIELDS`]: templates know them already.
pub const RESERVED: [&str; 7] = ["url", "path", "sha256", "bytes", "content_type", "digest", "ext"];

/// Tells whether a name means something in templates already.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || Recipe::COLUMN_FIELDS.contains(&name)
}

/// Names that key axes cannot have beyond [`RESERVED`]: the published table has columns of these names.
pub const RESERVED_FOR_KEYS: [&str; 2] = ["created_at", "updated_at"];

/// Columns that a manifest cannot declare: they are the table's own.
pub const RESERVED_FOR_COLUMNS: [&str; 3] = ["id", "created_at", "updated_at"];

/// A text with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<T> {
    /// Where it stands.
    pub span: Span,
    /// What stands there.
    pub value: T,
}

/// Everything that layers refer to by number.
#[derive(Debug, Default)]
pub struct Pool {
    /// The names of all vars.
    pub vars: Vec<Box<str>>,
    /// All templates of vars and prompts.
    pub templates: Vec<Placed<Template>>,
    /// All layers; the first is empty.
    pub layers: Vec<Layer>,
    /// The fields that can be set.
    pub known: KnownFields,
    var_index: std::collections::HashMap<Box<str>, u16>,
}

impl Pool {
    /// Returns the number of a var, a new one where the name is new.
    pub fn var(&mut self, name: &str) -> Option<u16> {
        if let Some(index) = self.var_index.get(name) {
            return Some(*index);
        }
        let index = u16::try_from(self.vars.len()).ok()?;
        self.vars.push(name.into());
        self.var_index.insert(name.into(), index);
        Some(index)
    }

    /// Returns the number of a var that is known.
    pub fn known_var(&self, name: &str) -> Option<u16> {
        self.var_index.get(name).copied()
    }

    /// Keeps an empty text in the place of one that cannot be used.
    pub fn empty_text(&mut self, span: Span) -> Option<u32> {
        let value = Template::parse("").ok()?;
        self.templates.push(Placed { span, value });
        Some((self.templates.len() - 1) as u32)
    }

    /// Keeps a layer; an empty one is number 0.
    pub fn layer(&mut self, layer: Layer) -> LayerId {
        if layer == Layer::default() {
            return 0;
        }
        self.layers.push(layer);
        (self.layers.len() - 1) as LayerId
    }
}

/// One line of `moved`.
#[derive(Debug)]
pub struct MovedLine {
    /// Where it stands.
    pub span: Span,
    /// The other collection that `from` names, if any.
    pub from_collection: Option<CollectionName>,
    /// Keys of the past.
    pub from: KeyGlob,
    /// Declared keys.
    pub to: KeyGlob,
}

/// What is known of the keys of all assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// All of them.
    Known,
    /// A label or an image cannot be read: what seems to match nothing, or to be there twice, may be a consequence.
    Doubtful,
}

/// A manifest as it is written.
#[derive(Debug)]
pub struct Document {
    /// The collection's name.
    pub name: Option<CollectionName>,
    /// The key axes.
    pub key: Vec<Placed<String>>,
    /// Whether the keys of all assets can be told from it.
    pub keys: Keys,
    /// `vars` and `defaults`.
    pub defaults: LayerId,
    /// The axes shared by every matrix.
    pub axes: Vec<Axis>,
    /// What is wanted.
    pub images: Vec<Image>,
    /// The last word on single assets.
    pub cells: Vec<(Placed<KeyGlob>, LayerId)>,
    /// Renames.
    pub moved: Vec<MovedLine>,
    /// Deletions that are expected.
    pub removed: Vec<Placed<KeyGlob>>,
    /// The published forms.
    pub renditions: Vec<RenditionLine>,
    /// The published table.
    pub publish: Option<PublishLine>,
    /// What the numbers in all that stand for.
    pub pool: Pool,
}

/// Reads a document from a tree, collecting every mistake.
pub fn read(root: Node<'_>, source: &str, known: KnownFields, mistakes: &mut Mistakes) -> Option<Document> {
    let mut fields = Fields::known(root, "a manifest", &FIELDS, mistakes)?;
    let mut pool = Pool { layers: vec![Layer::default()], known, ..Pool::default() };
    read_version(&mut fields, mistakes);
    let help = "name what the pictures are, as in `collection: attribute-images`";
    let name = fields
        .require("collection", help, mistakes)
        .and_then(|(_, node)| parsed(node, "`collection`", mistakes))
        .map(|placed: Placed<CollectionName>| placed.value);
    let before = mistakes.len();
    let key = read_key(&mut fields, mistakes);
    let mut doubts = mistakes.len() - before;
    let vars = fields.take("vars").map(|(_, node)| node);
    let with = fields.take("defaults").map(|(_, node)| node);
    let defaults = read_layer(vars, with, "`defaults`", source, &mut pool, mistakes);
    let defaults = pool.layer(defaults);
    let before = mistakes.len();
    let axes = match fields.take("axes") {
        Some((_, node)) => read_axes(node, "`axes`", source, &mut pool, mistakes),
        None => Vec::new(),
    };
    let images = read_images(&mut fields, source, &mut pool, mistakes);
    doubts += mistakes.len() - before;
    let keys = if doubts == 0 { Keys::Known } else { Keys::Doubtful };
    let cells = read_cells(&mut fields, source, &mut pool, mistakes);
    let moved =
        list(&mut fields, "moved", mistakes).into_iter().filter_map(|node| read_moved(node, mistakes)).collect();
    let removed = list(&mut fields, "removed", mistakes)
        .into_iter()
        .filter_map(|node| parsed(node, "an entry of `removed`", mistakes))
        .collect();
    let renditions = read_renditions(&mut fields, mistakes);
    let publish = fields.take("publish").and_then(|(_, node)| read_publish(node, mistakes));
    fields.finish("a manifest", &FIELDS, mistakes);
    Some(Document { name, key, keys, defaults, axes, images, cells, moved, removed, renditions, publish, pool })
}

fn read_version(fields: &mut Fields<'_>, mistakes: &mut Mistakes) {
    let Some((_, node)) = fields.require("version", "begin the file with `version: 1`", mistakes) else { return };
    let span = node.span;
    let Some((_, scalar)) = node.scalar("`version`", mistakes) else { return };
    match scalar.integer(1) {
        Ok(1) => {}
        Err(words) if words.starts_with("must be a number, is the text") => {
            mistakes.add(span, format!("`version` {words}"), "remove the quotes");
        }
        Ok(_) | Err(_) => mistakes.add(
            span,
            format!("version `{}` is not known", scalar.text),
            "write `version: 1`, or use a newer pixform",
        ),
    }
}

fn read_key(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Vec<Placed<String>> {
    let help = "name the labels that tell images apart, as in `key: [category, value, style]`";
    let Some((_, node)) = fields.require("key", help, mistakes) else { return Vec::new() };
    let span = node.span;
    let Some(items) = node.list("`key`", mistakes) else { return Vec::new() };
    if items.is_empty() {
        mistakes.add(span, "`key` names no label", help);
    }
    let mut key: Vec<Placed<String>> = Vec::new();
    for item in items {
        let Some((span, scalar)) = item.scalar("a label's name", mistakes) else { continue };
        let name = scalar.text.into_owned();
        if RESERVED_FOR_KEYS.contains(&name.as_str()) {
            mistakes.add(
                span,
                format!("a key label cannot be called `{name}`"),
                "the published table has a column of that name",
            );
        }
        if key.iter().any(|known| known.value == name) {
            mistakes.add(span, format!("`{name}` stands in `key` twice"), "remove one of the two");
        } else if name_is_free(&name, span, "label", mistakes) {
            key.push(Placed { span, value: name });
        }
    }
    key
}

/// Reports a label or var whose name cannot be used.
pub fn name_is_free(name: &str, span: Span, what: &str, mistakes: &mut Mistakes) -> bool {
    if !is_identifier(name) {
        let help = "use letters, digits and `_`, a letter first";
        mistakes.add(span, format!("`{name}` cannot be the name of a {what}"), help);
        return false;
    }
    if is_reserved(name) || RESERVED_WORDS.contains(&name) || name == "rendition" || name == "url_base" {
        let help = "choose another name: this one has a meaning in templates already";
        mistakes.add(span, format!("`{name}` cannot be the name of a {what}"), help);
        return false;
    }
    true
}

fn read_cells(
    fields: &mut Fields<'_>,
    source: &str,
    pool: &mut Pool,
    mistakes: &mut Mistakes,
) -> Vec<(Placed<KeyGlob>, LayerId)> {
    let Some((_, node)) = fields.take("cells") else { return Vec::new() };
    if node.is_null() {
        return Vec::new();
    }
    let Some(mut fields) = Fields::of(node, "`cells`", mistakes) else { return Vec::new() };
    let mut cells = Vec::new();
    for MapEntry { key, value } in fields.rest() {
        let layer = read_vars_and_with(value, &format!("the cell `{}`", key.text), source, pool, mistakes);
        match key.text.parse() {
            Ok(glob) => cells.push((Placed { span: key.span, value: glob }, layer)),
            Err(error) => mistakes.add(
                key.span,
                format!("{error}"),
                "write it as in `age/*/anime`, in quotes if it begins with `*`",
            ),
        }
    }
    cells
}

fn read_moved(node: Node<'_>, mistakes: &mut Mistakes) -> Option<MovedLine> {
    let span = node.span;
    let what = "an entry of `moved`";
    let mut fields = Fields::known(node, what, &MOVED_FIELDS, mistakes)?;
    let help = "write `{ from: age/teen/*, to: age/18-19/* }`";
    let from = fields.require("from", help, mistakes);
    let to = fields.require("to", help, mistakes);
    fields.finish(what, &MOVED_FIELDS, mistakes);
    let (from_span, from) = from?.1.scalar("`from`", mistakes)?;
    let to: Placed<KeyGlob> = parsed(to?.1, "`to`", mistakes)?;
    let (collection, glob) = match from.text.split_once(':') {
        Some((collection, glob)) => (Some(collection), glob),
        None => (None, &*from.text),
    };
    let from_collection = match collection.map(str::parse::<CollectionName>).transpose() {
        Ok(name) => name,
        Err(error) => {
            mistakes.add(from_span, error.to_string(), help);
            return None;
        }
    };
    match glob.parse::<KeyGlob>() {
        Ok(from) if from.stars() == to.value.stars() => Some(MovedLine { span, from_collection, from, to: to.value }),
        Ok(_) => {
            mistakes.add(
                span,
                "`from` and `to` have different numbers of `*`",
                "the n-th `*` of `to` is the n-th of `from`",
            );
            None
        }
        Err(error) => {
            mistakes.add(from_span, error.to_string(), help);
            None
        }
    }
}

fn list<'s>(fields: &mut Fields<'s>, name: &str, mistakes: &mut Mistakes) -> Vec<Node<'s>> {
    match fields.take(name) {
        Some((_, node)) if node.is_null() => Vec::new(),
        Some((_, node)) => node.list(&format!("`{name}`"), mistakes).unwrap_or_default(),
        None => Vec::new(),
    }
}

/// Reads a single value through a type's own parsing door.
pub fn parsed<T>(node: Node<'_>, what: &str, mistakes: &mut Mistakes) -> Option<Placed<T>>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let (span, scalar) = node.scalar(what, mistakes)?;
    match scalar.text.parse() {
        Ok(value) => Some(Placed { span, value }),
        Err(error) => {
            mistakes.add(span, error.to_string(), format!("change the value of {what}"));
            None
        }
    }
}
