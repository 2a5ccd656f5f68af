//! Pointers: columns that say where a published picture lies.
//!
//! A URL is compared decoded: `70+` and `70%2B` are the same file.

use serde_json::Value;

use crate::asset::{ObjectPath, RowShape};

/// The rendition that columns name without its name.
const MAIN: &str = "main";

/// A column that says where a published file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer<'s> {
    /// The column's number in the table.
    pub column: usize,
    /// The rendition that it is about.
    pub rendition: &'s str,
    kind: PointerKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PointerKind {
    Url,
    Path,
}

/// What a column points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointerTarget {
    /// Nothing: it is null or empty.
    Nothing,
    /// A file of the storage.
    File(ObjectPath),
    /// Something that is no file of the storage, as text.
    Elsewhere(String),
}

/// Returns the columns that are exactly the URL or the path of a rendition.
pub fn pointers(shape: &RowShape) -> Vec<Pointer<'_>> {
    let mut pointers = Vec::new();
    for (column, template) in shape.columns.iter().enumerate() {
        let Some(name) = template.only_name() else { continue };
        let (rendition, field) = name.split_once('.').unwrap_or((MAIN, name));
        match field {
            "url" => pointers.push(Pointer { column, rendition, kind: PointerKind::Url }),
            "path" => pointers.push(Pointer { column, rendition, kind: PointerKind::Path }),
            _ => {}
        }
    }
    pointers
}

impl Pointer<'_> {
    /// Returns what a value of the column points at.
    pub fn target(&self, value: &Value, url_base: &str) -> PointerTarget {
        let text = match value {
            Value::Null => return PointerTarget::Nothing,
            Value::String(text) if text.trim().is_empty() => return PointerTarget::Nothing,
            Value::String(text) => text,
            other => return PointerTarget::Elsewhere(other.to_string()),
        };
        let path = match self.kind {
            PointerKind::Url => ObjectPath::of_url(text, url_base),
            PointerKind::Path => ObjectPath::of_url(text, ""),
        };
        match path.filter(|path| !path.is_original()) {
            Some(path) => PointerTarget::File(path),
            None => PointerTarget::Elsewhere(text.clone()),
        }
    }
}
