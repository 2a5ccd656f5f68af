//! Entries of `images` as they are written: a matrix, or a single image.

use crate::yaml::{Fields, MapEntry, Mistakes, Node, Span, Value};

use super::axis::{Axis, label_value, layer_of, read_axes};
use super::layer::LayerId;
use super::placed::Placed;
use super::reader::LayerReader;

/// Most axes of one image, shared ones included.
pub const AXES_MAX: usize = 16;

/// The fields of an entry of `images`.
pub const IMAGE_FIELDS: [&str; 8] = ["matrix", "at", "exclude", "vars", "with", "per_generator", "protect", "hold"];

/// One entry of `images`.
#[derive(Debug)]
pub struct Image {
    /// Where it stands.
    pub span: Span,
    /// `at`, or `matrix`.
    pub form: ImageForm,
    /// The axes that it names itself; of one value each for `at`.
    pub axes: Vec<Axis>,
    /// Combinations that it leaves out.
    pub exclude: Vec<Exclusion>,
    /// What it sets.
    pub layer: LayerId,
}

/// How an entry of `images` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageForm {
    /// One image.
    At,
    /// The product of its axes and the shared ones.
    Matrix,
}

/// Labels and the values that together leave a combination out.
pub type Exclusion = Placed<Vec<(Placed<String>, Vec<Placed<String>>)>>;

/// Reads `images`.
pub fn read_images(fields: &mut Fields<'_>, reader: &mut LayerReader<'_>) -> Vec<Image> {
    let help = "list what is wanted: `- matrix: { … }` or `- at: { … }`";
    let Some((_, node)) = fields.require("images", help, reader.mistakes) else { return Vec::new() };
    let span = node.span;
    let Some(items) = node.list("`images`", reader.mistakes) else { return Vec::new() };
    if items.is_empty() {
        reader.mistakes.add(span, "`images` lists nothing", help);
    }
    items.into_iter().filter_map(|item| read_image(item, reader)).collect()
}

fn read_image(node: Node<'_>, reader: &mut LayerReader<'_>) -> Option<Image> {
    let what = "an entry of `images`";
    let span = node.span;
    let mistakes_before = reader.mistakes.len();
    let mut fields = Fields::known(node, what, &IMAGE_FIELDS, reader.mistakes)?;
    let (form, axes) = match (fields.take("matrix"), fields.take("at")) {
        (Some((_, node)), None) => (ImageForm::Matrix, read_axes(node, "`matrix`", reader)),
        (None, Some((_, node))) => (ImageForm::At, read_at(node, reader)),
        (Some((key, _)), Some(_)) => {
            reader.mistakes.add(key.span, "an entry has either `matrix` or `at`", "make two entries of it");
            return None;
        }
        (None, None) => {
            let start = span.start;
            fields.finish(what, &IMAGE_FIELDS, reader.mistakes);
            let help = "write `matrix:` for many images, or `at:` for one";
            reader.mistakes.add(Span { start, end: start + 1 }, "this entry says neither `matrix` nor `at`", help);
            return None;
        }
    };
    if axes.is_empty() && reader.mistakes.len() > mistakes_before {
        return None;
    }
    let exclude = match fields.take("exclude") {
        Some((key, _)) if form == ImageForm::At => {
            reader.mistakes.add(key.span, "`exclude` belongs to a matrix", "remove it: `at` is one image");
            Vec::new()
        }
        Some((_, node)) => read_exclude(node, reader.source, reader.mistakes),
        None => Vec::new(),
    };
    let layer = layer_of(&mut fields, what, reader);
    fields.finish(what, &IMAGE_FIELDS, reader.mistakes);
    Some(Image { span, form, axes, exclude, layer: reader.pool.layer(layer) })
}

fn read_at(node: Node<'_>, reader: &mut LayerReader<'_>) -> Vec<Axis> {
    let axes = read_axes(node, "`at`", reader);
    for axis in &axes {
        if let Some(second) = axis.values.get(1) {
            reader.mistakes.add(
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
