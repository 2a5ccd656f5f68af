//! `renditions` and `publish`: what is made of an original, and which row tells of it.

use crate::asset::{Encoding, Fit, Format, RenditionName, Resize, SQL_NAME_BYTES_MAX, TableName, is_column_name};

use crate::template::{RESERVED_WORDS, Template};
use crate::yaml::{Fields, MapEntry, Mistakes, Node, Span, nearest};

use super::hints::template_help;
use super::placed::{Placed, parsed};
use super::reserved::{RESERVED_FOR_COLUMNS, is_reserved};

/// The fields of a rendition.
pub const RENDITION_FIELDS: [&str; 6] = ["format", "quality", "width", "height", "fit", "path"];

/// The fields of `publish`.
pub const PUBLISH_FIELDS: [&str; 2] = ["table", "columns"];

/// Quality of a lossy rendition that names none.
pub const QUALITY_DEFAULT: u8 = 90;

/// Longest edge of a rendition, in pixels.
pub const EDGE_MAX: u32 = 8192;

/// One rendition as it is written.
#[derive(Debug)]
pub struct RenditionLine {
    /// Its name.
    pub name: Placed<RenditionName>,
    /// How it is made.
    pub encoding: Encoding,
    /// Where it goes.
    pub path: Placed<Template>,
    /// Where its fields stand, by name.
    pub places: Vec<(&'static str, Span)>,
}

/// `publish` as it is written.
#[derive(Debug)]
pub struct PublishLine {
    /// The table.
    pub table: Placed<TableName>,
    /// The declared columns.
    pub columns: Vec<(Placed<String>, Placed<Template>)>,
}

/// Reads `renditions`, which must have a `main`.
pub fn read_renditions(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Vec<RenditionLine> {
    let help = "write `main: { format: jpeg, path: \"pictures/{{ value }}-{{ digest }}.{{ ext }}\" }` below it";
    let Some((key, node)) = fields.require("renditions", help, mistakes) else { return Vec::new() };
    let Some(mut fields) = Fields::of(node, "`renditions`", mistakes) else { return Vec::new() };
    let mut has_main = false;
    let mut lines = Vec::new();
    for MapEntry { key, value } in fields.rest() {
        has_main |= key.text == "main";
        let name = match key.text.parse::<RenditionName>() {
            Ok(name) if !is_reserved(name.as_str()) && !RESERVED_WORDS.contains(&name.as_str()) => name,
            Ok(_) => {
                mistakes.add(
                    key.span,
                    format!("a rendition cannot be called `{}`", key.text),
                    "this name has a meaning in templates already",
                );
                continue;
            }
            Err(error) => {
                mistakes.add(key.span, error.to_string(), "rename it");
                continue;
            }
        };
        if let Some(line) = read_rendition(Placed { span: key.span, value: name }, value, mistakes) {
            lines.push(line);
        }
    }
    if !has_main {
        mistakes.add(key.span, "`renditions` has no `main`", help);
    }
    lines
}

fn read_rendition(name: Placed<RenditionName>, node: Node<'_>, mistakes: &mut Mistakes) -> Option<RenditionLine> {
    let what = format!("the rendition `{}`", name.value);
    let mut fields = Fields::known(node, &what, &RENDITION_FIELDS, mistakes)?;
    let mut places = Vec::new();
    let format = take("format", &mut fields, &mut places);
    let quality = take("quality", &mut fields, &mut places).and_then(|node| bounded(node, "quality", 100, mistakes));
    let width = take("width", &mut fields, &mut places).and_then(|node| bounded(node, "width", EDGE_MAX, mistakes));
    let height = take("height", &mut fields, &mut places).and_then(|node| bounded(node, "height", EDGE_MAX, mistakes));
    let fit = take("fit", &mut fields, &mut places);
    let path = take("path", &mut fields, &mut places);
    let start = Span { start: fields.span.start, end: fields.span.start + 1 };
    fields.finish(&what, &RENDITION_FIELDS, mistakes);
    let format = match format {
        Some(node) => word(node, "format", &Format::ALL.map(|format| (format.name(), format)), mistakes),
        None => {
            mistakes.add(start, "`format` is missing", "write `format: jpeg`, `png`, `webp` or `avif`");
            None
        }
    };
    let fit_span = fit.as_ref().map(|node| node.span);
    let fit = fit.map(|node| word(node, "fit", &[("cover", Fit::Cover), ("contain", Fit::Contain)], mistakes));
    let resize = match (width, height) {
        (Some(width), Some(height)) => {
            Resize::Box { width: width.value, height: height.value, fit: fit.flatten().unwrap_or(Fit::Cover) }
        }
        (width, height) => {
            if let Some(span) = fit_span {
                mistakes.add(
                    span,
                    "`fit` needs both `width` and `height`",
                    "with one of them the proportions are kept",
                );
            }
            match (width, height) {
                (Some(width), _) => Resize::Width(width.value),
                (None, Some(height)) => Resize::Height(height.value),
                (None, None) => Resize::Keep,
            }
        }
    };
    let quality = match (format, quality) {
        (Some(Format::Png), Some(quality)) => {
            mistakes.add(quality.span, "PNG has no `quality`: it is lossless", "remove it, or use `webp`");
            None
        }
        (Some(Format::Png), None) => None,
        (_, quality) => Some(quality.map_or(QUALITY_DEFAULT, |quality| quality.value as u8)),
    };
    let path = match path {
        Some(node) => template(node, "path", mistakes),
        None => {
            let help = "write `path: \"pictures/{{ value }}-{{ digest }}.{{ ext }}\"`";
            mistakes.add(start, "`path` is missing", help);
            None
        }
    };
    Some(RenditionLine { name, encoding: Encoding { format: format?, quality, resize }, path: path?, places })
}

/// Takes a field that is not empty, and keeps its place.
fn take<'s>(field: &'static str, fields: &mut Fields<'s>, places: &mut Vec<(&'static str, Span)>) -> Option<Node<'s>> {
    let (_, node) = fields.take(field)?;
    places.push((field, node.span));
    Some(node).filter(|node| !node.is_null())
}

/// Reads `publish`.
pub fn read_publish(node: Node<'_>, mistakes: &mut Mistakes) -> Option<PublishLine> {
    if node.is_null() {
        return None;
    }
    let mut fields = Fields::known(node, "`publish`", &PUBLISH_FIELDS, mistakes)?;
    let table = fields.require("table", "name the table, as in `table: attribute_images`", mistakes);
    let columns = fields.require("columns", "write `image_url: \"{{ url }}\"` below it", mistakes);
    fields.finish("`publish`", &PUBLISH_FIELDS, mistakes);
    let table = table.and_then(|(_, node)| parsed(node, "`table`", mistakes));
    let mut fields = columns.and_then(|(_, node)| Fields::of(node, "`columns`", mistakes))?;
    let mut columns = Vec::new();
    for MapEntry { key, value } in fields.rest() {
        if let Some(help) = column_help(&key.text) {
            mistakes.add(key.span, format!("`{}` cannot be a published column", key.text), help);
            continue;
        }
        if let Some(template) = template(value, &key.text, mistakes) {
            columns.push((Placed { span: key.span, value: key.text.into_owned() }, template));
        }
    }
    Some(PublishLine { table: table?, columns })
}

/// Says what is wrong with the name of a column; `None` where nothing is.
fn column_help(name: &str) -> Option<String> {
    if RESERVED_FOR_COLUMNS.contains(&name) {
        return Some("`id`, `created_at` and `updated_at` are the table's own".to_owned());
    }
    (!is_column_name(name)).then(|| {
        format!("write the column's name as it is, without quotes of its own: at most {SQL_NAME_BYTES_MAX} bytes, on one line")
    })
}

fn template(node: Node<'_>, what: &str, mistakes: &mut Mistakes) -> Option<Placed<Template>> {
    let (span, scalar) = node.scalar(&format!("`{what}`"), mistakes)?;
    match Template::parse(&scalar.text) {
        Ok(value) => Some(Placed { span, value }),
        Err(error) => {
            mistakes.add(span, format!("`{what}`: {error}"), template_help(&error));
            None
        }
    }
}

fn bounded(node: Node<'_>, field: &str, max: u32, mistakes: &mut Mistakes) -> Option<Placed<u32>> {
    let (span, scalar) = node.scalar(&format!("`{field}`"), mistakes)?;
    match scalar.integer(u64::from(max)) {
        Ok(0) => mistakes.add(span, format!("`{field}` must be at least 1, is 0"), format!("write 1 to {max}")),
        Ok(value) => return Some(Placed { span, value: value as u32 }),
        Err(words) => mistakes.add(span, format!("`{field}` {words}"), format!("write 1 to {max}")),
    }
    None
}

fn word<T: Copy>(node: Node<'_>, field: &str, known: &[(&str, T)], mistakes: &mut Mistakes) -> Option<T> {
    let (span, scalar) = node.scalar(&format!("`{field}`"), mistakes)?;
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == scalar.text) {
        return Some(*value);
    }
    let names = || known.iter().map(|(name, _)| *name);
    let help = match nearest(&scalar.text, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    mistakes.add(span, format!("`{}` is no {field}", scalar.text), help);
    None
}
