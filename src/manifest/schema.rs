//! The JSON Schema of a manifest, for editors: made from the constants that the reader uses.
//!
//! It knows fields, types, ranges and the letters of names. What needs more than one place of the manifest (templates,
//! keys, paths) is left to the reader, which also reads some things that YAML's types would forbid: a label value may
//! look like a number or a truth value, for it stays as it is written.

use serde_json::{Value, json};

use crate::asset::{Fit, Format, KindSpec, NAME_BYTES_MAX, Recipe, SQL_NAME_BYTES_MAX, URL_BASE, VALUE_BYTES_MAX};
use crate::schema::{DRAFT, described, object, undescribed};
use crate::template::RESERVED_WORDS;

use super::axis::LAYER_FIELDS;
use super::document::{FIELDS, MOVED_FIELDS};
use super::image::IMAGE_FIELDS;
use super::publish::{EDGE_MAX, PUBLISH_FIELDS, QUALITY_DEFAULT, RENDITION_FIELDS};
use super::reserved::{PATH_NAMES, RESERVED, RESERVED_FOR_COLUMNS, RESERVED_FOR_KEYS};
use super::scalar_schema::{SCALAR, or_null};
use super::setting_schema::settings;

/// Letters of a label value.
const VALUE: &str = "^[A-Za-z0-9._+-]+$";

/// Letters of a key glob.
const GLOB: &str = "^(?!.*\\*\\*)[A-Za-z0-9._+*-]+(/[A-Za-z0-9._+*-]+)*$";

/// Letters of a published column.
const COLUMN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";

/// Returns the JSON Schema (draft 2020-12) of a manifest.
pub fn schema(kinds: &[&'static KindSpec]) -> Value {
    let mut root = object(&FIELDS, &["version", "collection", "key", "images", "renditions"], top);
    root["$schema"] = json!(DRAFT);
    root["title"] = json!("pixform manifest");
    root["description"] = json!("One collection: the pictures that a product wants.");
    root["$defs"] = json!({
        "name": name(),
        "value": value(),
        "vars": vars(),
        "settings": settings(kinds),
        "per_generator": per_generator(),
        "per_generator": per_generator(),
        "axis": axis(),
        "axes": axes("axis"),
        "layer": object(&LAYER_FIELDS, &[], layer),
        "image": image(),
        "rendition": rendition(),
    });
    root
}

fn top(field: &str) -> Value {
    match field {
        "version" => json!({ "description": "The version of this format.", "const": 1 }),
        "collection" => json!({
            "description": "Its name, unique in an environment: lower-case letters, digits, `-`, `_`.",
            "type": "string",
            "pattern": "^[a-z][a-z0-9_-]*$",
            "maxLength": NAME_BYTES_MAX,
        }),
        "key" => json!({
            "description": "The labels that tell images apart, in the order in which they form a key.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": true,
            "items": { "$ref": "#/$defs/name", "not": { "enum": RESERVED_FOR_KEYS } },
        }),
        "vars" => refer("Texts that prompts, paths and columns of all images may use as `{{ name }}`.", "vars"),
        "defaults" => refer("What every image is made with, unless something later says otherwise.", "settings"),
        "per_generator" => refer("What one generator only is told, directly after `defaults`.", "per_generator"),
        "axes" => refer("Labels with their values that every matrix shares.", "axes"),
        "images" => json!({
            "description": "The images that are wanted: many by `matrix`, or one by `at`.",
            "type": "array",
            "items": { "$ref": "#/$defs/image" },
        }),
        "cells" => json!({
            "description": "The last word on single images, by key: `age/70+/anime`. `*` is any text within one label. \
                Each must match an image.",
            "type": ["object", "null"],
            "propertyNames": { "pattern": GLOB },
            "additionalProperties": { "anyOf": [{ "$ref": "#/$defs/layer" }, { "type": "null" }] },
        }),
        "moved" => json!({
            "description": "Images that got a new key: they keep their record, their seed and their row.",
            "type": ["array", "null"],
            "items": object(&MOVED_FIELDS, &MOVED_FIELDS, moved),
        }),
        "removed" => json!({
            "description": "Keys whose deletion is expected: they do not count against `max_deletions`.",
            "type": ["array", "null"],
            "items": { "type": SCALAR, "pattern": GLOB },
        }),
        "renditions" => json!({
            "description": "The published forms of each picture; `main`, and as many more as wanted.",
            "type": "object",
            "required": ["main"],
            "propertyNames": {
                "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                "maxLength": NAME_BYTES_MAX,
                "not": { "enum": Recipe::COLUMN_FIELDS.iter().chain(&RESERVED).collect::<Vec<_>>() },
            },
            "additionalProperties": { "$ref": "#/$defs/rendition" },
        }),
        "publish" => {
            let mut publish = object(&PUBLISH_FIELDS, &PUBLISH_FIELDS, publish);
            publish["type"] = json!(["object", "null"]);
            described("The table that the product reads.", publish)
        }
        field => undescribed(field),
    }
}

/// The name of a label or var.
fn name() -> Value {
    let names =
        Recipe::COLUMN_FIELDS.iter().chain(&RESERVED).chain(&RESERVED_WORDS).chain(&PATH_NAMES).chain([&URL_BASE]);
    let mut taken: Vec<&str> = names.copied().collect();
    taken.sort_unstable();
    taken.dedup();
    json!({
        "type": "string",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
        "maxLength": NAME_BYTES_MAX,
        "not": { "enum": taken },
    })
}

/// A label's value, which may look like a number or truth value to YAML.
fn value() -> Value {
    json!({
        "type": SCALAR,
        "pattern": VALUE,
        "maxLength": VALUE_BYTES_MAX,
        "not": { "enum": [".", ".."] },
    })
}

fn vars() -> Value {
    json!({
        "type": ["object", "null"],
        "propertyNames": { "$ref": "#/$defs/name" },
        "additionalProperties": {
            "description": "A text, which may use labels and other vars as `{{ name }}`; null takes the var away.",
            "type": or_null(&SCALAR),
        },
    })
}

/// Settings by the name of the generator that they are for, which they cannot change.
fn per_generator() -> Value {
    json!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "maxLength": NAME_BYTES_MAX },
        "additionalProperties": {
            "allOf": [{ "$ref": "#/$defs/settings" }, { "properties": { "generator": false } }],
        },
    })
}

fn axis() -> Value {
    json!({
        "description": "The values of a label: one, a list, or a map of value to what it sets.",
        "anyOf": [
            { "$ref": "#/$defs/value" },
            { "type": "array", "minItems": 1, "uniqueItems": true, "items": { "$ref": "#/$defs/value" } },
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": { "$ref": "#/$defs/value" },
                "additionalProperties": { "anyOf": [{ "$ref": "#/$defs/layer" }, { "type": "null" }] },
            },
        ],
    })
}

/// A map of labels, whose values are what is named.
fn axes(value: &str) -> Value {
    json!({
        "type": "object",
        "propertyNames": { "$ref": "#/$defs/name" },
        "additionalProperties": { "$ref": format!("#/$defs/{value}") },
    })
}

fn layer(field: &str) -> Value {
    match field {
        "vars" => refer("Texts, for these images only.", "vars"),
        "with" => refer("Settings, for these images only.", "settings"),
        "per_generator" => refer("What one generator only is told, directly after `with`.", "per_generator"),
        "protect" => described(
            "Whether the published picture may be neither replaced nor deleted; false lifts an earlier protection.",
            json!({ "type": "boolean" }),
        ),
        "hold" => {
            described("Whether the published picture is kept whatever the recipe says.", json!({ "type": "boolean" }))
        }
        field => undescribed(field),
    }
}

fn image() -> Value {
    let mut image = object(&IMAGE_FIELDS, &[], image_field);
    image["oneOf"] = json!([{ "required": ["matrix"] }, { "required": ["at"] }]);
    image["dependentRequired"] = json!({ "exclude": ["matrix"] });
    image
}

fn image_field(field: &str) -> Value {
    match field {
        "matrix" => refer("Labels with their values: one image for each combination with those of `axes`.", "axes"),
        "at" => {
            let one = json!([
                { "$ref": "#/$defs/value" },
                { "type": "array", "minItems": 1, "maxItems": 1 },
                { "type": "object", "minProperties": 1, "maxProperties": 1 },
            ]);
            let mut at = axes("axis");
            at["additionalProperties"]["anyOf"] = one;
            described("The labels of one image.", at)
        }
        "exclude" => exclude(),
        field => layer(field),
    }
}

fn exclude() -> Value {
    let types = [&SCALAR[..], &["array"]].concat();
    json!({
        "description": "Combinations that are not wanted: `{ value: 18-19, style: anime }`; a list names several.",
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": { "type": types, "items": { "type": SCALAR } },
        },
    })
}

fn moved(field: &str) -> Value {
    match field {
        "from" => described(
            "The old key, or a pattern of keys; `old-name:*/*` names another collection.",
            json!({ "type": SCALAR }),
        ),
        "to" => {
            described("The new key; its n-th `*` is the n-th of `from`.", json!({ "type": SCALAR, "pattern": GLOB }))
        }
        field => undescribed(field),
    }
}

fn rendition() -> Value {
    let mut rendition = object(&RENDITION_FIELDS, &["format", "path"], rendition_field);
    let png = json!({ "properties": { "format": { "const": Format::Png.name() } }, "required": ["format"] });
    let fitted = json!({ "properties": { "fit": { "type": "string" } }, "required": ["fit"] });
    rendition["allOf"] = json!([
        { "if": png, "then": { "properties": { "quality": { "type": "null" } } } },
        { "if": fitted, "then": { "required": ["width", "height"] } },
    ]);
    rendition
}

fn rendition_field(field: &str) -> Value {
    let edge = || json!({ "type": ["integer", "null"], "minimum": 1, "maximum": EDGE_MAX });
    match field {
        "format" => json!({ "description": "The file format.", "enum": Format::ALL.map(Format::name) }),
        "quality" => json!({
            "description": format!("Quality of a lossy format, 1 to 100; {QUALITY_DEFAULT} unless set. PNG has none."),
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 100,
        }),
        "width" => described("Width in pixels; without `height` the proportions are kept.", edge()),
        "height" => described("Height in pixels; without `width` the proportions are kept.", edge()),
        "fit" => json!({
            "description": "Where both edges are given: `cover` crops what stands out, `contain` leaves nothing out. \
                `cover` unless set.",
            "enum": [Fit::Cover.name(), Fit::Contain.name(), null],
        }),
        "path" => described(
            "Where the file goes: a folder that is plain text, then labels, vars, `{{ digest }}` (needed), \
             `{{ ext }}`, `{{ rendition }}`.",
            json!({ "type": "string", "pattern": "^[^{/]+/" }),
        ),
        field => undescribed(field),
    }
}

fn publish(field: &str) -> Value {
    match field {
        "table" => described(
            "The table: `name` or `schema.name`. It is made when it is missing, and never altered.",
            json!({ "type": "string" }),
        ),
        "columns" => json!({
            "description": "What a row says, by column: each is named as it is, capitals and spaces too. `{{ url }}`, `{{ thumb.url }}`, `{{ path }}`, `{{ sha256 }}`, \
                `{{ bytes }}`, `{{ width }}`, `{{ height }}`, `{{ content_type }}`, labels, vars, the recipe's fields.",
            "type": "object",
            "propertyNames": { "pattern": COLUMN, "maxLength": SQL_NAME_BYTES_MAX, "not": { "enum": RESERVED_FOR_COLUMNS } },
            "additionalProperties": { "type": SCALAR },
        }),
        field => undescribed(field),
    }
}

/// Points to a definition, with words of its own.
fn refer(description: &str, definition: &str) -> Value {
    described(description, json!({ "$ref": format!("#/$defs/{definition}") }))
}
