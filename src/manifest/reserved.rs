//! Names that mean something already, in templates or in published tables.

use crate::asset::{Recipe, is_identifier};
use crate::template::RESERVED_WORDS;
use crate::yaml::{Mistakes, Span};

/// Names that labels, vars and renditions cannot have beyond [`Recipe::COLUMN_FIELDS`]: templates know them already.
pub const RESERVED: [&str; 7] = ["url", "path", "sha256", "bytes", "content_type", "digest", "ext"];

/// Tells whether a name means something in templates already.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || Recipe::COLUMN_FIELDS.contains(&name)
}

/// Names that a path template may use beyond labels and vars.
pub const PATH_NAMES: [&str; 3] = ["digest", "ext", "rendition"];

/// Names that key axes cannot have beyond [`RESERVED`]: the published table has columns of these names.
pub const RESERVED_FOR_KEYS: [&str; 2] = ["created_at", "updated_at"];

/// Columns that a manifest cannot declare: they are the table's own.
pub const RESERVED_FOR_COLUMNS: [&str; 3] = ["id", "created_at", "updated_at"];

/// Reports a label or var whose name cannot be used.
pub fn name_is_free(name: &str, span: Span, what: &str, mistakes: &mut Mistakes) -> bool {
    if !is_identifier(name) {
        let help = "use letters, digits and `_`, a letter first";
        mistakes.add(span, format!("`{name}` cannot be the name of a {what}"), help);
        return false;
    }
    if is_reserved(name) || RESERVED_WORDS.contains(&name) || name == "rendition" || name == "url_base" {
        let help = "choose another name: this one has a meaning in templates already";
        mistakes.add(span, format!("`{name}` cannot be the name of a {what}"), help);
        return false;
    }
    true
}
