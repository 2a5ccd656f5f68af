//! Scalars in JSON Schemas: what YAML may make of a text that is read as it is written.

/// What a scalar may be to YAML where the reader takes it as text.
pub const SCALAR: [&str; 3] = ["string", "number", "boolean"];

/// Adds null to the types that a value may have.
pub fn or_null<'t>(types: &[&'t str]) -> Vec<&'t str> {
    types.iter().copied().chain(["null"]).collect()
}
