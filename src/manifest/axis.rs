//! Axes as they are written: a label's name, its values, and what each value sets.

use std::collections::HashSet;

use crate::yaml::{Fields, MapEntry, Mistakes, Node, Scalar, ScalarNotation, Span, Text, Value};

use super::layer::{Layer, LayerId};
use super::reader::{LayerNodes, LayerReader};
use super::reserved::name_is_free;

/// The fields of an axis value or a cell.
pub const LAYER_FIELDS: [&str; 5] = ["vars", "with", "per_generator", "protect", "hold"];

/// One axis: a label's name and its values.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The label.
    pub name: Box<str>,
    /// The values, in the order of the document.
    pub values: Vec<AxisValue>,
}

/// One value of an axis, with what it sets.
#[derive(Debug, Clone)]
pub struct AxisValue {
    /// The value.
    pub text: Box<str>,
    /// Where it stands.
    pub span: Span,
    /// What it sets.
    pub layer: LayerId,
}

/// Reads a map of axes.
pub fn read_axes(node: Node<'_>, what: &str, reader: &mut LayerReader<'_>) -> Vec<Axis> {
    let Some(mut fields) = Fields::of(node, what, reader.mistakes) else { return Vec::new() };
    let mut axes = Vec::new();
    for MapEntry { key, value } in fields.rest() {
        let named = name_is_free(&key.text, key.span, "label", reader.mistakes);
        let values = read_axis(&key, value, reader);
        if named {
            axes.push(Axis { name: key.text.as_ref().into(), values });
        }
    }
    axes
}

/// An axis is a scalar, a list, or a map of value to `{ vars, with }`.
fn read_axis(key: &Text<'_>, node: Node<'_>, reader: &mut LayerReader<'_>) -> Vec<AxisValue> {
    let mistakes_before = reader.mistakes.len();
    let mut values: Vec<AxisValue> = Vec::new();
    let mut known: HashSet<Box<str>> = HashSet::new();
    let mut add = |text: &str, span: Span, layer: LayerId, mistakes: &mut Mistakes| {
        if !crate::asset::is_label_value(text) {
            let shown: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
            mistakes.add(span, format!("`{shown}` cannot be the value of a label"), crate::asset::VALUE_RULE);
        } else if !known.insert(text.into()) {
            mistakes.add(span, format!("the value `{text}` stands here twice"), "remove one of the two");
        } else {
            values.push(AxisValue { text: text.into(), span, layer });
        }
    };
    match node.value {
        // Nothing at all is an axis without values.
        Value::Scalar(ref scalar) if scalar.is_null() && source_text(node.span, reader.source).is_empty() => {}
        Value::Scalar(_) => {
            if let Some((span, scalar)) = label_value(node, reader.source, reader.mistakes) {
                add(&scalar.text, span, 0, reader.mistakes);
            }
        }
        Value::List(items) => {
            for item in items {
                if let Some((span, scalar)) = label_value(item, reader.source, reader.mistakes) {
                    add(&scalar.text, span, 0, reader.mistakes);
                }
            }
        }
        Value::Map(entries) => {
            for MapEntry { key, value } in entries {
                if is_null_key(&key, reader.source) {
                    told_null(key.span, reader.source, reader.mistakes);
                    continue;
                }
                let layer = read_vars_and_with(value, &format!("the value `{}`", key.text), reader);
                add(&key.text, key.span, layer, reader.mistakes);
            }
        }
    }
    if values.is_empty() && reader.mistakes.len() == mistakes_before {
        let help = format!("write `{0}: value`, `{0}: [a, b]`, or a map of values", key.text);
        reader.mistakes.add(key.span, format!("the axis `{}` has no values", key.text), help);
    }
    values
}

/// Reads the value of a label. Null without quotes is none: mostly what wrote the manifest had no value there, and
/// pictures called `null` would be bought.
pub fn label_value<'s>(node: Node<'s>, source: &str, mistakes: &mut Mistakes) -> Option<(Span, Scalar<'s>)> {
    if node.is_null() {
        told_null(node.span, source, mistakes);
        return None;
    }
    node.scalar("a label's value", mistakes)
}

/// Tells whether a key of a map is null without quotes.
fn is_null_key(key: &Text<'_>, source: &str) -> bool {
    let quoted = source_text(key.span, source).starts_with(['"', '\'']);
    let style = if quoted { ScalarNotation::Quoted } else { ScalarNotation::Plain };
    Scalar { text: key.text.clone(), style }.is_null()
}

fn source_text(span: Span, source: &str) -> &str {
    source.get(span.start as usize..span.end as usize).unwrap_or_default().trim()
}

fn told_null(span: Span, source: &str, mistakes: &mut Mistakes) {
    let (message, help) = match source_text(span, source) {
        "" => ("a label's value is missing here".to_owned(), "write one, or remove the entry".to_owned()),
        "~" => {
            ("`~` is nothing to YAML, and no value of a label".to_owned(), "write one, or remove the entry".to_owned())
        }
        word => (
            format!("`{word}` is nothing to YAML, and no value of a label"),
            format!("write \"{word}\" in quotes where the word is meant, or remove the entry"),
        ),
    };
    mistakes.add(span, message, help);
}

/// Reads `{ vars, with, per_generator, protect, hold }`; nothing at all is an empty layer.
pub fn read_vars_and_with(node: Node<'_>, what: &str, reader: &mut LayerReader<'_>) -> LayerId {
    if node.is_null() {
        return 0;
    }
    let Some(mut fields) = Fields::known(node, what, &LAYER_FIELDS, reader.mistakes) else { return 0 };
    let layer = layer_of(&mut fields, what, reader);
    fields.finish(what, &LAYER_FIELDS, reader.mistakes);
    reader.pool.layer(layer)
}

/// Takes the fields of a layer out of a map that may have others.
pub fn layer_of(fields: &mut Fields<'_>, what: &str, reader: &mut LayerReader<'_>) -> Layer {
    let vars = fields.take("vars").map(|(_, node)| node);
    let with = fields.take("with").map(|(_, node)| node);
    let per_generator = fields.take("per_generator").map(|(_, node)| node);
    let mut layer = reader.layer(LayerNodes { vars, with, per_generator }, what);
    for (name, flag) in [("protect", &mut layer.protect), ("hold", &mut layer.hold)] {
        let Some((_, node)) = fields.take(name) else { continue };
        let Some((span, scalar)) = node.scalar(&format!("`{name}`"), reader.mistakes) else { continue };
        match scalar.truth() {
            Ok(truth) => *flag = Some(truth),
            Err(words) => reader.mistakes.add(span, format!("`{name}` {words}"), "write it without quotes"),
        }
    }
    layer
}
