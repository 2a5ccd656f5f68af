//! The manifest as it is written: from a YAML tree to fields, layers and axes, with every mistake on the way.
//!
//! Nothing is multiplied or rendered here; names that need the other parts of the document are checked where those meet.

use crate::asset::CollectionName;
use crate::glob::KeyGlob;
use crate::yaml::{Fields, MapEntry, Mistakes, Node, Span};

use super::axis::{Axis, read_axes, read_vars_and_with};
use super::image::{Image, read_images};
use super::layer::LayerId;
use super::placed::{Placed, parsed};
use super::pool::Pool;
use super::publish::{PublishLine, RenditionLine, read_publish, read_renditions};
use super::reader::{LayerNodes, LayerReader};
use super::reserved::{RESERVED_FOR_KEYS, name_is_free};
use super::rules::Rules;

/// The fields of a manifest, in the order in which people write them.
pub const FIELDS: [&str; 13] = [
    "version",
    "collection",
    "key",
    "vars",
    "defaults",
    "per_generator",
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
pub enum KeyKnowledge {
    /// All of them.
    Known,
    /// A label or an image cannot be read: what seems to match nothing, or to be there twice, may be a consequence.
    Doubtful,
}

/// A manifest as it is written.
#[derive(Debug)]
pub struct ManifestDocument {
    /// The collection's name.
    pub name: Option<CollectionName>,
    /// The key axes.
    pub key: Vec<Placed<String>>,
    /// Whether the keys of all assets can be told from it.
    pub keys: KeyKnowledge,
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
pub fn read(root: Node<'_>, source: &str, rules: &Rules, mistakes: &mut Mistakes) -> Option<ManifestDocument> {
    let mut fields = Fields::known(root, "a manifest", &FIELDS, mistakes)?;
    let pool = Pool::new(rules.known_fields());
    let mut reader = LayerReader { source, rules, pool, mistakes };
    read_version(&mut fields, reader.mistakes);
    let help = "name what the pictures are, as in `collection: attribute-images`";
    let name = fields
        .require("collection", help, reader.mistakes)
        .and_then(|(_, node)| parsed(node, "`collection`", reader.mistakes))
        .map(|placed: Placed<CollectionName>| placed.value);
    let before = reader.mistakes.len();
    let key = read_key(&mut fields, reader.mistakes);
    let mut doubts = reader.mistakes.len() - before;
    let [vars, with, per_generator] =
        ["vars", "defaults", "per_generator"].map(|name| fields.take(name).map(|(_, node)| node));
    let defaults = reader.layer(LayerNodes { vars, with, per_generator }, "`defaults`");
    let defaults = reader.pool.layer(defaults);
    let before = reader.mistakes.len();
    let axes = match fields.take("axes") {
        Some((_, node)) => read_axes(node, "`axes`", &mut reader),
        None => Vec::new(),
    };
    let images = read_images(&mut fields, &mut reader);
    doubts += reader.mistakes.len() - before;
    let keys = if doubts == 0 { KeyKnowledge::Known } else { KeyKnowledge::Doubtful };
    let cells = read_cells(&mut fields, &mut reader);
    let LayerReader { pool, mistakes, .. } = reader;
    let moved =
        list(&mut fields, "moved", mistakes).into_iter().filter_map(|node| read_moved(node, mistakes)).collect();
    let removed = list(&mut fields, "removed", mistakes)
        .into_iter()
        .filter_map(|node| parsed(node, "an entry of `removed`", mistakes))
        .collect();
    let renditions = read_renditions(&mut fields, mistakes);
    let publish = fields.take("publish").and_then(|(_, node)| read_publish(node, mistakes));
    fields.finish("a manifest", &FIELDS, mistakes);
    Some(ManifestDocument { name, key, keys, defaults, axes, images, cells, moved, removed, renditions, publish, pool })
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

fn read_cells(fields: &mut Fields<'_>, reader: &mut LayerReader<'_>) -> Vec<(Placed<KeyGlob>, LayerId)> {
    let Some((_, node)) = fields.take("cells") else { return Vec::new() };
    if node.is_null() {
        return Vec::new();
    }
    let Some(mut fields) = Fields::of(node, "`cells`", reader.mistakes) else { return Vec::new() };
    let mut cells = Vec::new();
    for MapEntry { key, value } in fields.rest() {
        let layer = read_vars_and_with(value, &format!("the cell `{}`", key.text), reader);
        match key.text.parse() {
            Ok(glob) => cells.push((Placed { span: key.span, value: glob }, layer)),
            Err(error) => reader.mistakes.add(
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
