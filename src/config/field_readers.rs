//! Readers of single values: money, lengths of time, amounts of memory, numbers; each told of at its place.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::asset::MicroUsd;
use crate::manifest::Placed;
use crate::yaml::{Fields, Mistakes, Scalar, Span, nearest};

use super::RawText;

/// The units of an amount of memory, with their bytes.
pub const MEMORY_UNITS: [(&str, u64); 2] = [("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024)];

/// The longest pause between two calls of one generator.
pub const INTERVAL_CEILING: Duration = Duration::from_secs(3_600);

/// Opens an inner map; nothing at all is none.
pub fn map<'s>(fields: &mut Fields<'s>, name: &str, mistakes: &mut Mistakes) -> Option<Fields<'s>> {
    let (_, node) = fields.take(name)?;
    if node.is_null() { None } else { Fields::of(node, &format!("`{name}`"), mistakes) }
}

pub fn scalar<'s>(fields: &mut Fields<'s>, name: &str, mistakes: &mut Mistakes) -> Option<(Span, Scalar<'s>)> {
    let (_, node) = fields.take(name)?;
    node.scalar(&format!("`{name}`"), mistakes)
}

/// Takes a text that may hold variables.
pub fn text(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<RawText> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    Some(RawText { span, text: scalar.text.into_owned() })
}

/// Takes a text that holds none.
pub fn word(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Placed<String>> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    Some(Placed { span, value: scalar.text.into_owned() })
}

pub fn whole(fields: &mut Fields<'_>, name: &str, least: u64, most: u64, mistakes: &mut Mistakes) -> Option<u64> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    let words = match scalar.integer(most) {
        Ok(number) if number >= least => return Some(number),
        Ok(number) => format!("must be at least {least}, is {number}"),
        Err(words) => words,
    };
    mistakes.add(span, format!("`{name}` {words}"), format!("write {least} to {most}"));
    None
}

pub fn truth(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<bool> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    scalar.truth().map_err(|words| mistakes.add(span, format!("`{name}` {words}"), "write it without quotes")).ok()
}

pub fn money(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Placed<MicroUsd>> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    match scalar.text.parse() {
        Ok(value) => Some(Placed { span, value }),
        Err(_) => {
            let help = "write US dollars with at most six decimals, as in `0.015`";
            mistakes.add(span, format!("`{name}` is no amount of money"), help);
            None
        }
    }
}

pub fn duration(fields: &mut Fields<'_>, name: &str, least: Duration, mistakes: &mut Mistakes) -> Option<Duration> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let read = units.iter().find_map(|(unit, milliseconds)| {
        let number = scalar.text.strip_suffix(unit)?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = if plain { number.parse().ok()? } else { return None };
        Some(Duration::from_millis(number.checked_mul(*milliseconds)?))
    });
    match read {
        Some(duration) if duration < least => {
            let help = format!("write at least `{}ms`", least.as_millis());
            mistakes.add(span, format!("`{name}` is too short: nothing can be done within it"), help);
        }
        Some(duration) if duration <= INTERVAL_CEILING => return Some(duration),
        Some(_) => {
            mistakes.add(span, format!("`{name}` must be at most an hour"), "write it as in `1500ms`, `2s`, `1m`")
        }
        None => mistakes.add(span, format!("`{name}` is no length of time"), "write it as in `1500ms`, `2s`, `1m`"),
    }
    None
}

/// Reads an amount of memory, in bytes.
pub fn size(fields: &mut Fields<'_>, name: &str, bounds: RangeInclusive<u64>, mistakes: &mut Mistakes) -> Option<u64> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    let read = MEMORY_UNITS.iter().find_map(|(unit, bytes)| {
        let number = scalar.text.strip_suffix(unit)?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if plain { number.parse::<u64>().ok()?.checked_mul(*bytes) } else { None }
    });
    let help = "write it as in `512MiB`, `2GiB`";
    match read {
        Some(bytes) if bounds.contains(&bytes) => return Some(bytes),
        Some(_) => {
            let [least, most] = [bounds.start(), bounds.end()].map(|bytes| bytes / MEMORY_UNITS[0].1);
            mistakes.add(span, format!("`{name}` must be from {least}MiB to {most}MiB"), help);
        }
        None => mistakes.add(span, format!("`{name}` is no amount of memory"), help),
    }
    None
}

/// What to do about a word that is none of those that are known; the verb introduces their list.
pub fn meant(word: &str, known: &[&str], verb: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{verb} {}", listed(known)),
    }
}

/// Lists names for a message: `` `a`, `b` or `c` ``.
pub fn listed(names: &[&str]) -> String {
    let mut text = String::new();
    for (number, name) in names.iter().enumerate() {
        text += match number {
            0 => "",
            _ if number + 1 == names.len() => " or ",
            _ => ", ",
        };
        text += &format!("`{name}`");
    }
    text
}
