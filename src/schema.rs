//! JSON Schemas, which help people while they write YAML: the parts that every schema of ours is made of.
//!
//! A schema is made from the constants that a reader uses, so that the two cannot drift apart. Which fields there are
//! and what they mean is left to the rooms of the readers.

use serde_json::{Map, Value, json};

/// The dialect of all our schemas.
pub const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns a schema as it is written into a file.
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// Describes a map with exactly these fields; each is described by name.
pub fn object(fields: &[&str], required: &[&str], field: impl Fn(&str) -> Value) -> Value {
    let properties: Map<_, _> = fields.iter().map(|name| ((*name).to_owned(), field(name))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// Adds the words that an editor shows.
pub fn described(description: &str, mut schema: Value) -> Value {
    schema["description"] = json!(description);
    schema
}

/// Describes a whole number.
pub fn whole(description: &str, least: u64, most: u64) -> Value {
    described(description, json!({ "type": "integer", "minimum": least, "maximum": most }))
}

/// Ends a match over field names.
///
/// # Panics
/// Always: a reader got a field that its schema does not describe.
pub fn undescribed(name: &str) -> ! {
    unreachable!("the field `{name}` has no description in the schema")
}
