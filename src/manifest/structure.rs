//! Settings that have parts, as they are written: `loras`, `embeddings`, `hires_fix`, `refiner`.
//!
//! Shapes and types are read here; which values a service takes is checked by its generator, whose complaints find the
//! place of each part here.

use crate::asset::{Embedding, HiresFix, Lora, Refiner};
use crate::yaml::{Fields, Mistakes, Node, Scalar, Span, Value};

use super::layer::COUNT_MAX;

/// The fields of an entry of `loras`.
pub const LORA_FIELDS: [&str; 2] = ["model_name", "strength"];
/// The fields of an entry of `embeddings`.
pub const EMBEDDING_FIELDS: [&str; 1] = ["model_name"];
/// The fields of `hires_fix`.
pub const HIRES_FIX_FIELDS: [&str; 4] = ["target_width", "target_height", "strength", "upscaler"];
/// The fields of `refiner`.
pub const REFINER_FIELDS: [&str; 1] = ["switch_at"];

/// Entries that `loras` or `embeddings` may have; a service's own limit is checked by its generator.
pub const ENTRIES_MAX: usize = 100;

const LORAS_HELP: &str = "write `loras: [{ model_name: style_42, strength: 0.6 }]`";
const EMBEDDINGS_HELP: &str = "write `embeddings: [{ model_name: style_42 }]`";
const HIRES_FIX_HELP: &str = "write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`";
const REFINER_HELP: &str = "write `refiner: { switch_at: 0.8 }`";

/// A setting that has parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Structure {
    /// The parts. Where one cannot be read something stands in for it, so that the others can be checked all the same.
    pub parts: Parts,
    places: Vec<(String, PartPlace)>,
}

/// The parts of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Parts {
    /// `loras`.
    Loras(Vec<Lora>),
    /// `embeddings`.
    Embeddings(Vec<Embedding>),
    /// `hires_fix`.
    HiresFix(HiresFix),
    /// `refiner`.
    Refiner(Refiner),
}

/// What is known of a part's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartPlace {
    /// It stands here.
    At(Span),
    /// It is missing or cannot be read, which was told.
    Broken,
    /// It is not set.
    Unset,
}

impl Structure {
    /// Returns where a part stands: `hires_fix.strength`, `loras[0].strength`.
    pub fn place(&self, part: &str) -> PartPlace {
        self.places.iter().find(|(path, _)| path == part).map_or(PartPlace::Unset, |(_, place)| *place)
    }
}

/// Reads one of the settings that have parts.
pub fn read_structure(name: &str, node: Node<'_>, mistakes: &mut Mistakes) -> Option<Structure> {
    let mut reader = Reader { places: Vec::new(), help: "", mistakes };
    let parts = match name {
        "loras" => {
            reader.help = LORAS_HELP;
            Parts::Loras(reader.entries(node, name, &LORA_FIELDS, Reader::lora)?)
        }
        "embeddings" => {
            reader.help = EMBEDDINGS_HELP;
            Parts::Embeddings(reader.entries(node, name, &EMBEDDING_FIELDS, Reader::embedding)?)
        }
        "hires_fix" => {
            reader.help = HIRES_FIX_HELP;
            Parts::HiresFix(reader.map(node, name, &HIRES_FIX_FIELDS, Reader::hires_fix)?)
        }
        _ => {
            reader.help = REFINER_HELP;
            Parts::Refiner(reader.map(node, name, &REFINER_FIELDS, Reader::refiner)?)
        }
    };
    Some(Structure { parts, places: reader.places })
}

/// Reads one setting.
struct Reader<'r> {
    places: Vec<(String, PartPlace)>,
    help: &'static str,
    mistakes: &'r mut Mistakes,
}

impl Reader<'_> {
    fn lora(&mut self, path: &str, fields: &mut Fields<'_>) -> Lora {
        Lora {
            model_name: self.required(path, "model_name", fields, text),
            strength: self.required(path, "strength", fields, number),
        }
    }

    fn embedding(&mut self, path: &str, fields: &mut Fields<'_>) -> Embedding {
        Embedding { model_name: self.required(path, "model_name", fields, text) }
    }

    fn hires_fix(&mut self, path: &str, fields: &mut Fields<'_>) -> HiresFix {
        let upscaler = fields.take("upscaler").filter(|(_, node)| !node.is_null());
        HiresFix {
            target_width: self.required(path, "target_width", fields, count),
            target_height: self.required(path, "target_height", fields, count),
            strength: self.required(path, "strength", fields, number),
            upscaler: upscaler.and_then(|(_, node)| self.scalar(format!("{path}.upscaler"), node, text)),
        }
    }

    fn refiner(&mut self, path: &str, fields: &mut Fields<'_>) -> Refiner {
        Refiner { switch_at: self.required(path, "switch_at", fields, number) }
    }

    /// Reads a list of maps; an entry that is no map has only broken parts.
    fn entries<T: Default>(
        &mut self,
        node: Node<'_>,
        name: &str,
        known: &[&str],
        read: fn(&mut Self, &str, &mut Fields<'_>) -> T,
    ) -> Option<Vec<T>> {
        let span = node.span;
        let Value::List(items) = node.value else {
            self.misshapen(&node, name, "a list");
            return None;
        };
        if items.len() > ENTRIES_MAX {
            let message = format!("`{name}` must have at most {ENTRIES_MAX} entries, has {}", items.len());
            self.mistakes.add(span, message, "take some of them out");
            return None;
        }
        let entry = |(index, item)| {
            let path = format!("{name}[{index}]");
            self.map(item, &path, known, read).unwrap_or_else(|| {
                self.places.extend(known.iter().map(|part| (format!("{path}.{part}"), PartPlace::Broken)));
                T::default()
            })
        };
        Some(items.into_iter().enumerate().map(entry).collect())
    }

    fn map<T>(
        &mut self,
        node: Node<'_>,
        path: &str,
        known: &[&str],
        read: fn(&mut Self, &str, &mut Fields<'_>) -> T,
    ) -> Option<T> {
        // What begins with `{{` was told of already.
        if !matches!(node.value, Value::Map(_)) || self.mistakes.begin_at(node.span.start) {
            self.misshapen(&node, path, "a map");
            return None;
        }
        let what = format!("`{path}`");
        let mut fields = Fields::known(node, &what, known, self.mistakes)?;
        let value = read(self, path, &mut fields);
        fields.finish(&what, known, self.mistakes);
        Some(value)
    }

    fn misshapen(&mut self, node: &Node<'_>, path: &str, wanted: &str) {
        if !self.mistakes.begin_at(node.span.start) {
            self.mistakes.add(node.span, format!("`{path}` must be {wanted}, is {}", node.describe()), self.help);
        }
    }

    fn required<T: Default>(
        &mut self,
        path: &str,
        name: &str,
        fields: &mut Fields<'_>,
        read: fn(&Scalar<'_>) -> Result<T, String>,
    ) -> T {
        let part = format!("{path}.{name}");
        let Some((_, node)) = fields.take(name) else {
            let start = fields.span.start;
            self.mistakes.add(Span { start, end: start + 1 }, format!("`{part}` is missing"), self.help);
            self.places.push((part, PartPlace::Broken));
            return T::default();
        };
        self.scalar(part, node, read).unwrap_or_default()
    }

    fn scalar<T>(&mut self, part: String, node: Node<'_>, read: fn(&Scalar<'_>) -> Result<T, String>) -> Option<T> {
        let value = node.scalar(&format!("`{part}`"), self.mistakes).and_then(|(span, scalar)| match read(&scalar) {
            Ok(value) => Some((span, value)),
            Err(words) => {
                let quoted = words.starts_with("must be a number, is the text");
                let help = if quoted { "remove the quotes" } else { self.help };
                self.mistakes.add(span, format!("`{part}` {words}"), help);
                None
            }
        });
        let place = value.as_ref().map_or(PartPlace::Broken, |(span, _)| PartPlace::At(*span));
        self.places.push((part, place));
        value.map(|(_, value)| value)
    }
}

fn text(scalar: &Scalar<'_>) -> Result<String, String> {
    Ok(scalar.text.as_ref().to_owned())
}

fn count(scalar: &Scalar<'_>) -> Result<u32, String> {
    scalar.integer(COUNT_MAX).map(|count| count as u32)
}

fn number(scalar: &Scalar<'_>) -> Result<f64, String> {
    scalar.number()
}
