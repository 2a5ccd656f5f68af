//! Entries of `images` as they are written: a matrix, or a single image.

use crate::yaml::{Fields, MapEntry, Mistakes, Node, Span, Value};

use super::axis::{Axis, label_value, layer_of, read_axes};
use super::document::{Placed, Pool};
use super::layer::LayerId;

/// Most axes of one image, shared ones included.
pub const AXES_MAX: usize = 16;

/// The fields of an entry of `images`.
pub const IMAGE_FIELDS: [&str; 7] = ["matrix", "at", "exclude", "vars", "with", "protect", "hold"];

/// One entry of `images`.
#[derive(Debug)]
pub struct Image {
    /// Where it stands.
    pub span: Span,
    /// `at`, or `matrix`.
    pub form: Form,
    /// The axes that it names itself; of one value each for `at`.
    pub axes: Vec<Axis>,
    /// Combinations that it leaves out.
    pub exclude: Vec<Exclusion>,
    /// What it sets.
    pub layer: LayerId,
}

/// How an entry of `images` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One image.
    At,
    /// The product of its axes and the shared ones.
    Matrix,
}

/// Labels and the values that together leave a combination out.
pub type Exclusion = Placed<Vec<(Placed<String>, Vec<Placed<String>>)>>;

/// Reads `images`.
pub fn read_images(fields: &mut Fields<'_>, source: &str, pool: &mut Pool, mistakes: &mut Mistakes) -> Vec<Image> {
    let help = "list what is wanted: `- matrix: { … }` or `- at: { … }`";
    let Some((_, node)) = fields.require("images", help, mistakes) else { return Vec::new() };
    let span = node.span;
    let Some(items) = node.list("`images`", mistakes) else { return Vec::new() };
    if items.is_empty() {
        mistakes.add(span, "`images` lists nothing", help);
    }
    items.into_iter().filter_map(|item| read_image(item, source, pool, mistakes)).collect()
}

fn read_image(node: Node<'_>, source: &str, pool: &mut Pool, mistakes: &mut Mistakes) -> Option<Image> {
    let what = "an entry of `images`";
    let span = node.span;
    let mistakes_before = mistakes.len();
    let mut fields = Fields::known(node, what, &IMAGE_FIELDS, mistakes)?;
    let (form, axes) = match (fields.take("matrix"), fields.take("at")) {
        (Some((_, node)), None) => (Form::Matrix, read_axes(node, "`matrix`", source, pool, mistakes)),
        (None, Some((_, node))) => (Form::At, read_at(node, source, pool, mistakes)),
        (Some((key, _)), Some(_)) => {
            mistakes.add(key.span, "an entry has either `matrix` or `at`", "make two entries of it");
            return None;
        }
        (None, None) => {
            let start = span.start;
            fields.finish(what, &IMAGE_FIELDS, mistakes);
            let help = "write `matrix:` for many images, or `at:` for one";
            mistakes.add(Span { start, end: start + 1 }, "this entry says neither `matrix` nor `at`", help);
            return None;
        }
    };
    if axes.is_empty() && mistakes.len() > mistakes_before {
        return None;
    }
    let exclude = match fields.take("exclude") {
        Some((key, _)) if form == Form::At => {
            mistakes.add(key.span, "`exclude` belongs to a matrix", "remove it: `at` is one image");
            Vec::new()
        }
        Some((_, node)) => read_exclude(node, source, mistakes),
        None => Vec::new(),
    };
    let layer = layer_of(&mut fields, what, source, pool, mistakes);
    fields.finish(what, &IMAGE_FIELDS, mistakes);
    Some(Image { span, form, axes, exclude, layer: pool.layer(layer) })
}

fn read_at(node: Node<'_>, source: &str, pool: &mut Pool, mistakes: &mut Mistakes) -> Vec<Axis> {
    let axes = read_axes(node, "`at`", source, pool, mistakes);
    for axis in &axes {
        if let Some(second) = axis.values.get(1) {
            mistakes.add(
                second.span,
                format!("`at` is one image, and `{}` has {} values", axis.name, axis.values.len()),
                "use `matrix` for several",
            );
        }
    }
    axes
}

fn read_exclude(node: Node<'_>, source: &str, mistakes: &mut Mistakes) -> Vec<Exclusion> {
    let mut exclusions = Vec::new();
    for item in node.list("`exclude`", mistakes).unwrap_or_default() {
        let span = item.span;
        let Some(mut fields) = Fields::of(item, "an entry of `exclude`", mistakes) else { continue };
        let mut labels = Vec::new();
        for MapEntry { key, value } in fields.rest() {
            let items = match value.value {
                Value::List(items) => items,
                other => vec![Node { span: value.span, value: other }],
            };
            let values = items
                .into_iter()
                .filter_map(|item| label_value(item, source, mistakes))
                .map(|(span, scalar)| Placed { span, value: scalar.text.into_owned() })
                .collect();
            labels.push((Placed { span: key.span, value: key.text.into_owned() }, values));
        }
        exclusions.push(Placed { span, value: labels });
    }
    exclusions
}
