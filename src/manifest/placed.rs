//! Values with their place in the file.

use crate::yaml::{Mistakes, Node, Span};

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<T> {
    /// Where it stands.
    pub span: Span,
    /// What stands there.
    pub value: T,
}

/// Reads a single value through a type's own parsing door.
pub fn parsed<T>(node: Node<'_>, what: &str, mistakes: &mut Mistakes) -> Option<Placed<T>>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let (span, scalar) = node.scalar(what, mistakes)?;
    match scalar.text.parse() {
        Ok(value) => Some(Placed { span, value }),
        Err(error) => {
            mistakes.add(span, error.to_string(), format!("change the value of {what}"));
            None
        }
    }
}
