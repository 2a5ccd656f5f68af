//! One field of one cell set in a text, by inserting a few words or replacing one.
//!
//! Every insertion goes behind something that is written already, so that no comment loses what it stands above. `None`
//! where the text has an alias, a tag or a complex key in the way: what is not understood is not edited.

use std::sync::Arc;

use crate::yaml::{Node, ScalarNotation, Span, Value, YamlLimits, parse};

/// Returns the text in which the cell of a key sets a field.
pub fn set(text: &str, key: &str, field: &str, value: &str) -> Option<String> {
    let source: Arc<str> = text.into();
    let root = parse(&"".into(), &source, YamlLimits::MANIFEST).ok()?;
    let pair = format!("{field}: {value}");
    let with = format!("with: {{ {pair} }}");
    let entry = format!("{}: {{ {with} }}", key_text(key));
    let EditPlace::Node(name, cells) = place_in(&root, "cells", form(&root, text))? else {
        return (form(&root, text) == EditForm::Block).then(|| appended(text, &entry));
    };
    let EditPlace::Node(name, cell) = (match form(cells, text) {
        EditForm::Empty => return filled(text, name, cells, &below(text, &entry)),
        form => place_in(cells, key, form)?,
    }) else {
        return added(text, cells, &entry);
    };
    let EditPlace::Node(name, layer) = (match form(cell, text) {
        EditForm::Empty => return filled(text, name, cell, &format!(" {{ {with} }}")),
        form => place_in(cell, "with", form)?,
    }) else {
        return added(text, cell, &with);
    };
    let EditPlace::Node(_, old) = (match form(layer, text) {
        EditForm::Empty => return filled(text, name, layer, &format!(" {{ {pair} }}")),
        form => place_in(layer, field, form)?,
    }) else {
        return added(text, layer, &pair);
    };
    match &old.value {
        Value::Scalar(scalar) if scalar.style != ScalarNotation::Block && old.span.start < old.span.end => {
            Some(replaced(text, old.span, value))
        }
        Value::Scalar(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// Returns a key as it is written in a map.
pub fn key_text(key: &str) -> String {
    let plain = key.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    if plain { key.to_owned() } else { format!("\"{key}\"") }
}

/// Returns fields as they are written between braces.
pub fn pairs(fields: &[(&'static str, String)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(field, value)| format!("{field}: {value}")).collect();
    pairs.join(", ")
}

/// Finds the value of a key in a map.
pub fn find<'n, 's>(node: &'n Node<'s>, name: &str) -> Option<&'n Node<'s>> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key.text == name).map(|entry| &entry.value)
}

/// How a node is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EditForm {
    /// Nothing, or a null.
    Empty,
    /// A map between braces.
    Flow,
    /// A map on lines of its own.
    Block,
    /// Anything else.
    Other,
}

/// Where a key of a map stands.
enum EditPlace<'n, 's> {
    /// Nowhere.
    Absent,
    /// There: the key, and its value.
    Node(Span, &'n Node<'s>),
}

fn form(node: &Node<'_>, text: &str) -> EditForm {
    let first = text.get(node.span.start as usize..).and_then(|rest| rest.chars().next());
    match (&node.value, first) {
        // An alias has the place of its name and the children of what it names.
        (_, Some('*')) => EditForm::Other,
        (Value::Scalar(scalar), _) if scalar.is_null() => EditForm::Empty,
        (Value::Map(_), Some('{')) => EditForm::Flow,
        (Value::Map(_), _) => EditForm::Block,
        (Value::Scalar(_) | Value::List(_), _) => EditForm::Other,
    }
}

/// Tells whether a key is written in the map itself, and not brought in from elsewhere.
fn is_own(map: &Node<'_>, key: Span) -> bool {
    (map.span.start..=map.span.end).contains(&key.start)
}

/// Finds a key in a map; `None` where it is none that is edited.
fn place_in<'n, 's>(map: &'n Node<'s>, name: &str, form: EditForm) -> Option<EditPlace<'n, 's>> {
    let Value::Map(entries) = &map.value else { return None };
    if form == EditForm::Other {
        return None;
    }
    let own = entries.iter().find(|entry| entry.key.text == name && is_own(map, entry.key.span));
    Some(own.map_or(EditPlace::Absent, |entry| EditPlace::Node(entry.key.span, &entry.value)))
}

/// Puts `cells` with one entry behind everything else.
fn appended(text: &str, entry: &str) -> String {
    let end = line_end(text, text.find('\n').unwrap_or_default());
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    format!("{text}{gap}{end}cells:{end}  {entry}{end}")
}

/// Returns an entry on a line of its own, below the key of an empty map.
fn below(text: &str, entry: &str) -> String {
    format!("{}  {entry}", line_end(text, text.find('\n').unwrap_or_default()))
}

/// Gives a key whose value is empty a value, which begins with a blank or on the next line.
fn filled(text: &str, key: Span, node: &Node<'_>, value: &str) -> Option<String> {
    if node.span.start < node.span.end {
        // A null that is written takes one line; braces fit there whatever is around them.
        let braces = value.trim_start();
        let braces = if braces.starts_with('{') { braces.to_owned() } else { format!("{{ {braces} }}") };
        return Some(replaced(text, node.span, &braces));
    }
    let colon = key.end as usize + text.get(key.end as usize..)?.find(':')? + 1;
    let at = if value.starts_with(' ') { colon } else { line_stop(text, colon) };
    Some(inserted(text, at, value))
}

/// Adds an entry to a map that has braces, or lines of its own.
fn added(text: &str, map: &Node<'_>, entry: &str) -> Option<String> {
    let Value::Map(entries) = &map.value else { return None };
    let own = || entries.iter().filter(|entry| is_own(map, entry.key.span));
    let last = own().max_by_key(|entry| entry.key.span.start);
    match (form(map, text), last) {
        (EditForm::Flow, None) => {
            let end = map.span.end as usize;
            // What `<<` brings in has no place here; with it the braces are not empty.
            let inside = text.get(map.span.start as usize + 1..end.checked_sub(1)?)?;
            inside.trim().is_empty().then(|| replaced(text, map.span, &format!("{{ {entry} }}")))
        }
        (EditForm::Flow, Some(last)) => {
            let at = tail(&last.value, last.key.span, text);
            Some(inserted(text, at, &format!(", {entry}")))
        }
        (EditForm::Block, Some(last)) => {
            let start = last.key.span.start as usize;
            let line = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
            let indent = text.get(line..start)?;
            let at = line_stop(text, tail(&last.value, last.key.span, text));
            let spaces = indent.bytes().all(|byte| byte == b' ');
            spaces.then(|| inserted(text, at, &format!("{}{indent}{entry}", line_end(text, at))))
        }
        (EditForm::Empty | EditForm::Other, _) | (EditForm::Block, None) => None,
    }
}

/// Returns where a value's last word ends; that of an empty one behind the colon of its key.
fn tail(node: &Node<'_>, key: Span, text: &str) -> usize {
    let children: Vec<(Span, &Node<'_>)> = match (form(node, text), &node.value) {
        (EditForm::Block, Value::Map(entries)) => entries.iter().map(|entry| (entry.key.span, &entry.value)).collect(),
        // A list in brackets ends like a map in braces: with itself.
        (EditForm::Other, Value::List(items)) if !text[node.span.start as usize..].starts_with(['[', '*']) => {
            items.iter().map(|item| (item.span, item)).collect()
        }
        _ => Vec::new(),
    };
    let last = children.into_iter().filter(|(key, _)| is_own(node, *key)).max_by_key(|(key, _)| key.start);
    match last {
        Some((key, value)) => tail(value, key, text),
        None => {
            let end = (node.span.end as usize).max(key.end as usize);
            // The end of a text on several lines stands behind its last line break.
            text.get(..end).map_or(end, |before| before.trim_end().len())
        }
    }
}

/// Returns where the line ends that a byte stands in, in front of its line break.
fn line_stop(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.find('\n').map_or(text.len(), |found| at + found);
    if text[..end].ends_with('\r') && end > at { end - 1 } else { end }
}

/// Returns the line break that the text has at a place; a line feed where it has none there.
fn line_end(text: &str, at: usize) -> &'static str {
    let before = text.get(..=at).unwrap_or(text);
    let rest = text.get(at..).unwrap_or_default();
    let crlf = rest.starts_with("\r\n") || (rest.starts_with('\n') && before.ends_with("\r\n"));
    let none_here = !rest.starts_with(['\r', '\n']) && text.contains("\r\n");
    if crlf || none_here { "\r\n" } else { "\n" }
}

fn inserted(text: &str, at: usize, words: &str) -> String {
    format!("{}{words}{}", &text[..at], &text[at..])
}

fn replaced(text: &str, span: Span, words: &str) -> String {
    format!("{}{words}{}", &text[..span.start as usize], &text[span.end as usize..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: Option<&str>) {
        assert_eq!(set(before, "k/a", "take", "2").as_deref(), after, "{before}");
    }

    #[test]
    fn an_entry_comes_last_and_comments_stay_where_they_are() {
        for (before, after) in [
            ("a: 1 # one\n", "a: 1 # one\n\ncells:\n  k/a: { with: { take: 2 } }\n"),
            ("a: 1", "a: 1\n\ncells:\n  k/a: { with: { take: 2 } }\n"),
            ("a: 1\r\nb: 2\r\n", "a: 1\r\nb: 2\r\n\r\ncells:\r\n  k/a: { with: { take: 2 } }\r\n"),
            ("a: 1\r\nb: 2", "a: 1\r\nb: 2\r\n\r\ncells:\r\n  k/a: { with: { take: 2 } }\r\n"),
            ("cells:\nb: 2\n", "cells:\n  k/a: { with: { take: 2 } }\nb: 2\n"),
            ("cells: # none\nb: 2\n", "cells: # none\n  k/a: { with: { take: 2 } }\nb: 2\n"),
            ("cells: ~ # none\n", "cells: { k/a: { with: { take: 2 } } } # none\n"),
            ("cells: {}\n", "cells: { k/a: { with: { take: 2 } } }\n"),
            ("cells: { x: { hold: true } } # c\n", "cells: { x: { hold: true }, k/a: { with: { take: 2 } } } # c\n"),
            (
                "cells: {\n  x: { hold: true }, # c\n}\n",
                "cells: {\n  x: { hold: true }, k/a: { with: { take: 2 } }, # c\n}\n",
            ),
            (
                "cells:\n  # first\n  x: { hold: true } # keep\n\n  # last\nb: 2\n",
                "cells:\n  # first\n  x: { hold: true } # keep\n  k/a: { with: { take: 2 } }\n\n  # last\nb: 2\n",
            ),
            (
                "cells:\r\n    \"*/b\": { hold: true }\r\nb: 2\r\n",
                "cells:\r\n    \"*/b\": { hold: true }\r\n    k/a: { with: { take: 2 } }\r\nb: 2\r\n",
            ),
            (
                "cells:\n  x:\n    vars:\n      look: |\n        one\n        two\n\nb: 2\n",
                "cells:\n  x:\n    vars:\n      look: |\n        one\n        two\n  k/a: { with: { take: 2 } }\n\nb: 2\n",
            ),
            (
                "cells:\n  x: { hold: true }\n  y: &y { hold: true }\n  z: *y",
                "cells:\n  x: { hold: true }\n  y: &y { hold: true }\n  z: *y\n  k/a: { with: { take: 2 } }",
            ),
        ] {
            check(before, Some(after));
        }
    }

    #[test]
    fn an_entry_that_is_there_is_edited_in_its_own_style() {
        for (before, after) in [
            ("cells:\n  k/a:\nb: 2\n", "cells:\n  k/a: { with: { take: 2 } }\nb: 2\n"),
            ("cells:\n  k/a: {} # c\n", "cells:\n  k/a: { with: { take: 2 } } # c\n"),
            ("cells:\n  \"k/a\": { protect: true }\n", "cells:\n  \"k/a\": { protect: true, with: { take: 2 } }\n"),
            (
                "cells:\n  'k/a': { with: { seed: 5 }, protect: true }\n",
                "cells:\n  'k/a': { with: { seed: 5, take: 2 }, protect: true }\n",
            ),
            ("cells: { k/a: { with: { take: 1 } } } # c\n", "cells: { k/a: { with: { take: 2 } } } # c\n"),
            ("cells:\n  k/a: { with: { take: null } }\n", "cells:\n  k/a: { with: { take: 2 } }\n"),
            ("cells:\n  k/a: { with: } # c\n", "cells:\n  k/a: { with: { take: 2 } } # c\n"),
            (
                "cells:\n  k/a:\n    # why\n    with:\n      seed: 5 # five\n    hold: true\n\n# r\nb: 2\n",
                "cells:\n  k/a:\n    # why\n    with:\n      seed: 5 # five\n      take: 2\n    hold: true\n\n# r\nb: 2\n",
            ),
            (
                "cells:\n  k/a:\n    hold: true   # yes\n  x: { hold: true }\n",
                "cells:\n  k/a:\n    hold: true   # yes\n    with: { take: 2 }\n  x: { hold: true }\n",
            ),
            (
                "cells:\n  k/a:\n    with:\n      take: 1\t# one\n      seed: 5\n",
                "cells:\n  k/a:\n    with:\n      take: 2\t# one\n      seed: 5\n",
            ),
            ("cells:\n  k/a: &k { with: { take: 1 } }\n", "cells:\n  k/a: &k { with: { take: 2 } }\n"),
        ] {
            check(before, Some(after));
        }
    }

    #[test]
    fn what_is_not_understood_is_not_edited() {
        for text in [
            "{ a: 1 }\n",
            "x: &x { hold: true }\ncells:\n  k/a: *x\n",
            "x: &x { a: { hold: true } }\ncells: *x\n",
            "x: &x { take: 1 }\ncells:\n  k/a: { with: *x }\n",
            "x: &x { take: 1 }\ncells:\n  k/a: { with: { <<: *x } }\n",
            "cells:\n  k/a: [1]\n",
            "cells: text\n",
            "cells:\n  k/a: { with: { take: [1] } }\n",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_key_is_quoted_where_yaml_needs_it() {
        for (key, text) in [("70+/a", "70+/a"), ("_x", "_x"), ("-/a", "\"-/a\""), (".5", "\".5\""), ("+1", "\"+1\"")] {
            assert_eq!(key_text(key), text);
        }
    }
}
