//! Fields of a file as the Storage tells of it: in a listing, and by itself.

use serde_json::Value;

/// Reads a file's size from what a listing says of it.
pub(super) fn bytes_of(object: &Value) -> u64 {
    number(&object["metadata"]["size"]).unwrap_or_default()
}

/// Reads a number that may be written as a text.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
