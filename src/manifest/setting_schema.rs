//! The part of the JSON Schema that describes settings: what `defaults` and `with` hold, from the tables of kinds.
//!
//! Which generator makes an image is not known here, so a field may hold whatever any of the kinds lets it hold; the ranges
//! of each stand in the words.

use serde_json::{Value, json};

use crate::asset::{FieldSpec, FieldType, KindSpec, NAME_BYTES_MAX, Presence, Seed};
use crate::schema::{described, object, whole};

use super::own::{COUNT_MAX, ENTRIES_MAX, KnownFields, are_read_alike};
use super::scalar_schema::{SCALAR, or_null};

/// Describes `defaults` and `with`, where these are the kinds that there are.
pub fn settings(kinds: &[&'static KindSpec]) -> Value {
    let known = KnownFields::new(kinds.iter().copied());
    let mut settings = object(&known.for_people(), &[], |name| match core(name) {
        Some(schema) => schema,
        None => own(name, kinds),
    });
    settings["type"] = json!(["object", "null"]);
    settings
}

/// One field that every recipe may have; null takes it away.
fn core(field: &str) -> Option<Value> {
    let text = || json!({ "type": or_null(&SCALAR) });
    let count = || json!({ "type": ["integer", "null"], "minimum": 0, "maximum": COUNT_MAX });
    let (description, schema) = match field {
        "generator" => (
            "Who makes the picture: a name that the environment maps to a service.",
            json!({ "type": ["string", "null"], "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "maxLength": NAME_BYTES_MAX }),
        ),
        "model" => ("The model's name at the service.", text()),
        "prompt" => ("What the picture shows; labels and vars stand in it as `{{ name }}`.", text()),
        "negative_prompt" => ("What the picture must not show; labels and vars as in `prompt`.", text()),
        "seed" => ("Where the picture's randomness starts.", seed()),
        "take" => ("Another picture of the same seed: 1, 2, …; 0 is the first one.", count()),
        "width" => ("Width of the picture, in pixels; `hires_fix` may enlarge it.", count()),
        "height" => ("Height of the picture, in pixels; `hires_fix` may enlarge it.", count()),
        _ => return None,
    };
    Some(described(description, schema))
}

/// A field as a kind declares it, with what people call the kind.
type DeclaredField = (&'static str, &'static FieldSpec);

/// One field of kinds' own; null takes it away.
fn own(name: &str, kinds: &[&'static KindSpec]) -> Value {
    let specs: Vec<DeclaredField> = kinds.iter().filter_map(|kind| Some((kind.title, kind.field(name)?))).collect();
    let mut groups: Vec<Vec<DeclaredField>> = Vec::new();
    for (title, spec) in &specs {
        match groups.iter_mut().find(|group| are_read_alike(group[0].1, spec)) {
            Some(group) => group.push((title, spec)),
            None => groups.push(vec![(title, spec)]),
        }
    }
    let nullable = |group: &Vec<DeclaredField>| {
        let mut shape = shape(group);
        shape["type"] = match shape["type"].take() {
            Value::Array(mut types) => {
                types.push(json!("null"));
                Value::Array(types)
            }
            kind => json!([kind, "null"]),
        };
        shape
    };
    let mut shapes: Vec<Value> = groups.iter().map(nullable).collect();
    match &mut shapes[..] {
        [shape] => described(&words(&specs), shape.take()),
        _ => described(&words(&specs), json!({ "anyOf": shapes })),
    }
}

/// Says what a field decides, and how each kind limits it.
fn words(specs: &[DeclaredField]) -> String {
    let mut words = specs.last().map_or_else(String::new, |(_, spec)| spec.help.to_owned());
    for (title, spec) in specs {
        if let Some(limits) = limits(spec) {
            words.push_str(&format!(" {}{} takes {limits}.", title[..1].to_uppercase(), &title[1..]));
        }
    }
    words
}

/// Returns what a field is limited to, in words, where that says something.
fn limits(spec: &FieldSpec) -> Option<String> {
    match spec.holds {
        FieldType::Count { least, most } if u64::from(most) < COUNT_MAX => Some(format!("{least} to {most}")),
        FieldType::Number { least, most } if least > f64::MIN && most < f64::MAX => Some(format!("{least} to {most}")),
        FieldType::List { most, .. } if most < ENTRIES_MAX => Some(most.to_string()),
        FieldType::Choice { names, .. } if names.len() <= 5 => Some(names.join(", ")),
        FieldType::Text
        | FieldType::Count { .. }
        | FieldType::Number { .. }
        | FieldType::Flag
        | FieldType::Choice { .. }
        | FieldType::Object(_)
        | FieldType::List { .. } => None,
    }
}

/// Returns the shape of a value that all of these kinds read alike.
fn shape(specs: &[DeclaredField]) -> Value {
    match specs[0].1.holds {
        FieldType::Text | FieldType::Choice { .. } => json!({ "type": SCALAR }),
        FieldType::Count { .. } => json!({ "type": "integer", "minimum": 0, "maximum": COUNT_MAX }),
        FieldType::Number { .. } => json!({ "type": "number" }),
        FieldType::Flag => json!({ "type": "boolean" }),
        FieldType::Object(parts) => with_parts(parts, specs),
        FieldType::List { parts, .. } => {
            json!({ "type": "array", "maxItems": ENTRIES_MAX, "items": with_parts(parts, specs) })
        }
    }
}

fn with_parts(parts: &'static [FieldSpec], specs: &[DeclaredField]) -> Value {
    let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
    let required: Vec<&str> =
        parts.iter().filter(|part| part.presence == Presence::Required).map(|part| part.name).collect();
    object(&names, &required, |name| {
        let part = |(title, spec): &DeclaredField| {
            let part = spec.holds.parts().iter().find(|part| part.name == name);
            part.map(|part| (*title, part))
        };
        let declared: Vec<DeclaredField> = specs.iter().filter_map(part).collect();
        described(&words(&declared), shape(&declared))
    })
}

fn seed() -> Value {
    let number = whole("The seed itself.", 0, Seed::MAX);
    let derived = json!({ "description": "Derived from the image's key.", "const": "derived" });
    let from = json!({ "type": "array", "items": { "type": "string" } });
    let from =
        described("The labels that the seed is derived from: images that share their values share the seed.", from);
    let from = json!({
        "type": "object",
        "properties": { "derived": from },
        "required": ["derived"],
        "additionalProperties": false,
    });
    json!({ "anyOf": [number, derived, from, { "type": "null" }] })
}
