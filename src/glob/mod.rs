//! Key globs: `age/*/anime`. A `*` stays within one segment.
//!
//! Small and its own because `moved` needs what each `*` matched, which general glob libraries do not tell. Many globs are
//! asked at once by [`GlobIndex`].

use std::fmt;
use std::str::FromStr;

mod glob_index;

pub use glob_index::GlobIndex;

/// The text is no key glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key glob; write label values joined by `/`, with `*` for any text within one of them")]
pub struct GlobError(pub String);

/// A pattern of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyGlob(Box<str>);

impl FromStr for KeyGlob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-*".contains(&byte);
        let segment = |part: &str| !part.is_empty() && part.bytes().all(legal) && !part.contains("**");
        if text.len() <= 1_000 && text.split('/').all(segment) {
            Ok(Self(text.into()))
        } else {
            Err(GlobError(text.to_owned()))
        }
    }
}

impl fmt::Display for KeyGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyGlob {
    /// Returns the pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether the pattern is a plain key, without `*`.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Returns how many `*` the pattern has.
    pub fn stars(&self) -> usize {
        self.0.matches('*').count()
    }

    /// Tells whether a key matches.
    pub fn matches(&self, key: &str) -> bool {
        if self.is_exact() {
            return *self.0 == *key;
        }
        self.walk(key, |_| ()).is_some()
    }

    /// Returns what each `*` matched, in order; `None` where the key does not match. Earlier stars take as little as
    /// they can.
    pub fn captures<'k>(&self, key: &'k str) -> Option<Vec<&'k str>> {
        let mut captured = Vec::new();
        self.walk(key, |text| captured.push(text))?;
        Some(captured)
    }

    /// Goes through pattern and key side by side and tells what each `*` takes; `None` where they do not fit.
    fn walk<'k>(&self, key: &'k str, mut take: impl FnMut(&'k str)) -> Option<()> {
        let mut segments = key.split('/');
        for pattern in self.0.split('/') {
            segment(pattern, segments.next()?, &mut take)?;
        }
        segments.next().is_none().then_some(())
    }

    /// Returns the pattern with its stars replaced, in order.
    pub fn fill(&self, captured: &[&str]) -> String {
        let mut stars = captured.iter();
        let mut out = String::new();
        for (index, part) in self.0.split('*').enumerate() {
            if index > 0 {
                out.push_str(stars.next().copied().unwrap_or_default());
            }
            out.push_str(part);
        }
        out
    }
}

/// Matches one segment. What stands between two stars is looked for as early as it can be: whatever fits behind a later
/// place fits behind the earliest one, so nothing has to be tried twice.
fn segment<'k>(pattern: &str, text: &'k str, take: &mut impl FnMut(&'k str)) -> Option<()> {
    let Some((first, rest)) = pattern.split_once('*') else { return (pattern == text).then_some(()) };
    let mut text = text.strip_prefix(first)?;
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            take(text.strip_suffix(piece)?);
            break;
        }
        let at = text.find(piece)?;
        take(&text[..at]);
        text = &text[at + piece.len()..];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_segment() {
        for (glob, key, captured) in [
            ("age/*/anime", "age/70+/anime", Some(vec!["70+"])),
            ("age/*/anime", "age/70+/x/anime", None),
            ("*/*/*", "a/b/c", Some(vec!["a", "b", "c"])),
            ("a*b*c", "aXbYc", Some(vec!["X", "Y"])),
            ("a*b*c", "abbc", Some(vec!["", "b"])),
            ("*s", "20s", Some(vec!["20"])),
            ("age/70+/anime", "age/70+/anime", Some(vec![])),
            ("age", "age/x", None),
        ] {
            let parsed: KeyGlob = glob.parse().unwrap();
            assert_eq!(parsed.captures(key), captured, "{glob} {key}");
            assert_eq!(parsed.matches(key), captured.is_some(), "{glob} {key}");
            if let Some(captured) = captured {
                assert_eq!(parsed.fill(&captured), key);
            }
        }
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for text in ["", "/", "a//b", "a b", "**", "a/**", "a?b", "ä"] {
            assert!(text.parse::<KeyGlob>().is_err(), "{text}");
        }
    }

    /// The rule, tried place by place.
    fn tried<'k>(pattern: &str, text: &'k str, captured: &mut Vec<&'k str>) -> bool {
        let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
        let Some(rest) = text.strip_prefix(before) else { return false };
        let depth = captured.len();
        for length in 0..=rest.len() {
            captured.push(&rest[..length]);
            if tried(after, &rest[length..], captured) {
                return true;
            }
            captured.truncate(depth);
        }
        false
    }

    proptest::proptest! {
        #[test]
        fn earlier_stars_take_as_little_as_they_can(pattern in "[ab]{0,2}(\\*[ab]{1,2}){0,4}\\*?", text in "[ab]{1,12}") {
            let Ok(glob) = pattern.parse::<KeyGlob>() else { return Ok(()) };
            let mut captured = Vec::new();
            let expected = tried(&pattern, &text, &mut captured).then_some(captured);
            proptest::prop_assert_eq!(glob.captures(&text), expected);
        }
    }

    #[test]
    fn a_glob_of_many_stars_is_matched_in_one_go() {
        let glob: KeyGlob = format!("{}b", "*a".repeat(60)).parse().unwrap();
        assert!(!glob.matches(&"a".repeat(120)));
        assert!(glob.matches(&format!("{}b", "a".repeat(120))));
    }
}
