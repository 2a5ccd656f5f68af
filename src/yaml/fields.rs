//! Reading a map's fields: each once, with a word for those that do not belong.

use super::{MapEntry, Mistakes, Node, Scalar, Span, Text, Value, nearest};

/// How many unknown fields of one map are compared with the known ones.
const STRANGE_MAX: usize = 100;

/// The fields of one map, taken one after the other; what is left over does not belong.
pub struct Fields<'s> {
    /// Where the map stands.
    pub span: Span,
    entries: Vec<MapEntry<'s>>,
}

impl<'s> Fields<'s> {
    /// Opens a map; anything else is a mistake that names what was expected.
    pub fn of(node: Node<'s>, what: &str, mistakes: &mut Mistakes) -> Option<Self> {
        match node.value {
            Value::Map(entries) => Some(Self { span: node.span, entries }),
            _ => {
                let message = format!("{what} must be a map, is {}", node.describe());
                mistakes.add(node.span, message, "write `name: value` lines, indented below it");
                None
            }
        }
    }

    /// Opens a map whose fields are known. A field that is misspelt is told of, and read as the one that was meant: one
    /// slip is one mistake, not one for each asset that lacks the field.
    pub fn known(node: Node<'s>, what: &str, known: &[&str], mistakes: &mut Mistakes) -> Option<Self> {
        let mut fields = Self::of(node, what, mistakes)?;
        let mut strange = 0;
        for index in 0..fields.entries.len() {
            if strange > STRANGE_MAX {
                break;
            }
            let name = fields.entries[index].key.text.as_ref();
            if known.contains(&name) {
                continue;
            }
            strange += 1;
            let Some(meant) = nearest(name, known.iter().copied()) else { continue };
            if fields.entries.iter().all(|entry| entry.key.text != meant) {
                let MapEntry { key, value } = &mut fields.entries[index];
                unknown_field(key, value, what, known, mistakes);
                key.text = meant.to_owned().into();
            }
        }
        Some(fields)
    }

    /// Takes a field; one that is missing is `None`.
    pub fn take(&mut self, name: &str) -> Option<(Text<'s>, Node<'s>)> {
        let at = self.entries.iter().position(|entry| entry.key.text == name)?;
        let MapEntry { key, value } = self.entries.remove(at);
        Some((key, value))
    }

    /// Takes a field that must be there.
    pub fn require(&mut self, name: &str, help: &str, mistakes: &mut Mistakes) -> Option<(Text<'s>, Node<'s>)> {
        let taken = self.take(name);
        if taken.is_none() {
            let start = self.span.start;
            mistakes.add(Span { start, end: start + 1 }, format!("`{name}` is missing"), help);
        }
        taken
    }

    /// Takes whatever is left.
    pub fn rest(&mut self) -> Vec<MapEntry<'s>> {
        std::mem::take(&mut self.entries)
    }

    /// Ends the reading: every field that is left over is a mistake, with the name that was probably meant.
    pub fn finish(self, what: &str, known: &[&str], mistakes: &mut Mistakes) {
        for MapEntry { key, value } in self.entries {
            if mistakes.is_full() {
                break;
            }
            // What is no name at all was told of already.
            if !(key.text.is_empty() && mistakes.begin_at(key.span.start)) {
                unknown_field(&key, &value, what, known, mistakes);
            }
        }
    }
}

/// Reports what a comma inside `{ }` made of an unquoted text: a key of several words without a value.
pub fn cut_by_comma(key: &Text<'_>, value: &Node<'_>, mistakes: &mut Mistakes) -> bool {
    // A key that has its colon ends before it; without one, key and nothing end together.
    let cut = value.is_null() && value.span.start == value.span.end && value.span.start == key.span.end;
    if cut {
        let message = format!("a comma inside `{{ }}` ends the text, so `{}` is read as a field of its own", key.text);
        mistakes.add(key.span, message, "put the text into double quotes");
    }
    cut
}

/// Reports a field that does not belong.
fn unknown_field(key: &Text<'_>, value: &Node<'_>, what: &str, known: &[&str], mistakes: &mut Mistakes) {
    if cut_by_comma(key, value, mistakes) {
        return;
    }
    let help = match nearest(&key.text, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "{what} has the fields {}",
            known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    mistakes.add(key.span, format!("{what} has no field `{}`", key.text), help);
}

impl<'s> Node<'s> {
    /// Returns the single value, or reports that it is none.
    pub fn scalar(self, what: &str, mistakes: &mut Mistakes) -> Option<(Span, Scalar<'s>)> {
        match self.value {
            Value::Scalar(scalar) if !scalar.is_null() => Some((self.span, scalar)),
            Value::Scalar(_) => {
                mistakes.add(self.span, format!("{what} is empty"), "write a value behind the colon");
                None
            }
            // What begins with `{{` was told of already.
            Value::Map(_) if mistakes.begin_at(self.span.start) => None,
            _ => {
                let message = format!("{what} must be a single value, is {}", self.describe());
                mistakes.add(self.span, message, "write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`");
                None
            }
        }
    }

    /// Returns the list's items, or reports that it is none.
    pub fn list(self, what: &str, mistakes: &mut Mistakes) -> Option<Vec<Node<'s>>> {
        match self.value {
            Value::List(items) => Some(items),
            _ => {
                let message = format!("{what} must be a list, is {}", self.describe());
                mistakes.add(self.span, message, "write `[a, b]`, or lines that begin with `- `");
                None
            }
        }
    }

    /// Tells whether nothing stands here.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }
}
