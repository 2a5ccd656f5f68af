//! The secrets that this process knows, and where a text repeats one of them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use super::secret_forms::forms;
use super::secret_name::is_secret_name;
use super::{MASK, secret_parts};

/// Secrets that are remembered at most: a service that hands out tokens must not fill the memory.
const SECRETS_MAX: usize = 2_000;
/// The largest secret that is remembered whole, in bytes.
const SECRET_BYTES_MAX: usize = 16 * 1024;
/// So many letters of a secret beside each other give it away: texts are cut and wrapped.
const PIECE: usize = 10;
/// The same in what we say ourselves, where words of ours may stand in a password as well.
const PIECE_OF_OURS: usize = 16;
/// A shorter secret is looked for as a whole word only: it would be found in every other one.
const WORD_MIN: usize = 6;
/// A shorter secret is none.
const SECRET_MIN: usize = 3;

static KNOWN: RwLock<KnownSecrets> = RwLock::new(KnownSecrets { texts: BTreeSet::new(), sieves: None });

struct KnownSecrets {
    texts: BTreeSet<String>,
    /// Made of the texts when they are first needed.
    sieves: Option<Arc<Sieves>>,
}

struct Sieves {
    foreign: Sieve,
    ours: Sieve,
}

/// Remembers a key: from now on it is taken out of every foreign text.
pub fn remember(key: &str) {
    add(secret_parts::of_key(key));
}

/// Remembers what is secret in the URL of a database or store, and nothing of one that holds no secret.
pub fn remember_parts(url: &str) {
    add(secret_parts::of_url(url));
}

/// Remembers the variables of this process that are secret by their names, or by a password in a URL.
pub fn remember_environment() {
    for (name, value) in std::env::vars_os() {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        match is_secret_name(name) && !matches!(name, "PWD" | "OLDPWD") {
            // A variable may name the file that holds the secret.
            true if value.starts_with('/') && Path::new(value).exists() => {}
            true => remember(value),
            false => remember_parts(value),
        }
    }
}

/// Tells whether a text holds a secret, whole or in part, in any form.
pub fn holds(text: &str) -> bool {
    sieves().is_some_and(|sieves| !sieves.foreign.spans(text).is_empty())
}

/// Takes every known secret out of a foreign text.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    match sieves() {
        Some(sieves) => masked(text, sieves.foreign.spans(text)),
        None => Cow::Borrowed(text),
    }
}

/// Takes secrets out of what we say ourselves, where a name that came from outside may stand in it: only those that are no
/// word of ours for certain.
pub fn shade(text: &str) -> Cow<'_, str> {
    match sieves() {
        Some(sieves) => masked(text, sieves.ours.spans(text)),
        None => Cow::Borrowed(text),
    }
}

fn add(parts: Vec<String>) {
    let parts = parts.into_iter().map(|part| part.trim().to_owned());
    let parts: Vec<String> =
        parts.filter(|part| (SECRET_MIN..=SECRET_BYTES_MAX).contains(&part.len()) && !is_plain(part)).collect();
    if parts.iter().all(|part| KNOWN.read().unwrap_or_else(PoisonError::into_inner).texts.contains(part)) {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for part in parts {
        if known.texts.len() < SECRETS_MAX && known.texts.insert(part) {
            known.sieves = None;
        }
    }
}

/// Tells whether a value is a switch or a number that stands where a secret could.
fn is_plain(text: &str) -> bool {
    matches!(text, "true" | "false" | "yes" | "none" | "null") || text.starts_with("${")
}

fn sieves() -> Option<Arc<Sieves>> {
    {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if known.texts.is_empty() || known.sieves.is_some() {
            return known.sieves.clone();
        }
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let sieves = Arc::new(Sieves {
        foreign: Sieve::new(known.texts.iter().map(String::as_str), PIECE),
        ours: Sieve::new(known.texts.iter().map(String::as_str).filter(|text| is_strong(text)), PIECE_OF_OURS),
    });
    known.sieves = Some(Arc::clone(&sieves));
    Some(sieves)
}

/// Tells whether nobody would say this by chance.
fn is_strong(text: &str) -> bool {
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().any(test);
    text.len() >= 8 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

fn masked(text: &str, spans: Vec<Range<usize>>) -> Cow<'_, str> {
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for Range { start, end } in spans {
        // A secret may begin or end within a letter of several bytes.
        let (start, end) = (text.floor_char_boundary(start).max(at), text.ceil_char_boundary(end));
        out.push_str(&text[at..start]);
        out.push_str(MASK);
        at = end.max(at);
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// Finds secrets, and pieces of them.
struct Sieve {
    width: usize,
    /// Every piece of so many bytes of every form.
    pieces: HashSet<Box<[u8]>>,
    /// Which beginnings pieces have: nearly all of a text is passed over by one look at this.
    beginnings: Box<[u64]>,
    /// Forms that are shorter than a piece.
    short: Vec<String>,
}

impl Sieve {
    fn new<'s>(secrets: impl Iterator<Item = &'s str>, width: usize) -> Self {
        let mut sieve = Self { width, pieces: HashSet::new(), beginnings: vec![0; 1 << 10].into(), short: Vec::new() };
        for secret in secrets {
            for form in forms(secret) {
                if form.len() < width {
                    // Of a short secret a form may be shorter still, and stand anywhere.
                    if form.len() >= WORD_MIN || form == secret.to_ascii_lowercase() {
                        sieve.short.push(form);
                    }
                    continue;
                }
                for piece in form.as_bytes().windows(width) {
                    let slot = slot(piece);
                    sieve.beginnings[slot / 64] |= 1 << (slot % 64);
                    if !sieve.pieces.contains(piece) {
                        sieve.pieces.insert(piece.into());
                    }
                }
            }
        }
        sieve
    }

    /// Returns where secrets stand, in order and apart from each other.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let text = text.to_ascii_lowercase();
        let mut spans: Vec<Range<usize>> = Vec::new();
        if !self.pieces.is_empty() {
            for (at, piece) in text.as_bytes().windows(self.width).enumerate() {
                let slot = slot(piece);
                if self.beginnings[slot / 64] & (1 << (slot % 64)) != 0 && self.pieces.contains(piece) {
                    spans.push(at..at + self.width);
                }
            }
        }
        for form in &self.short {
            let found = text.match_indices(form.as_str()).map(|(at, _)| at..at + form.len());
            spans.extend(found.filter(|span| form.len() >= WORD_MIN || is_word(&text, span)));
        }
        spans.sort_by_key(|span| span.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for span in spans {
            match apart.last_mut().filter(|last| span.start <= last.end) {
                Some(last) => last.end = last.end.max(span.end),
                None => apart.push(span),
            }
        }
        apart
    }
}

/// Returns a number below 65,536 for the beginning of a piece.
fn slot(piece: &[u8]) -> usize {
    let beginning = piece.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    (beginning.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

fn is_word(text: &str, span: &Range<usize>) -> bool {
    let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    !inside(span.start.checked_sub(1).and_then(|at| bytes.get(at))) && !inside(bytes.get(span.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(secrets: &[&str], text: &str) -> String {
        let sieve = Sieve::new(secrets.iter().copied(), PIECE);
        masked(text, sieve.spans(text)).into_owned()
    }

    #[test]
    fn a_secret_is_taken_out_whole_cut_wrapped_and_encoded() {
        let key = "sb_secret_0123456789abcdef";
        for text in [
            key.to_owned(),
            key.to_uppercase(),
            key[..14].to_owned(),
            key[8..].to_owned(),
            hex::encode(key),
            format!("{}\n{}", &key[..13], &key[13..]),
        ] {
            let told = check(&[key], &format!("the key {text} is wrong"));
            assert!(told.starts_with("the key ***") && told.ends_with("*** is wrong"), "{told}");
        }
        assert_eq!(check(&[key], "the secret is wrong"), "the secret is wrong");
    }

    #[test]
    fn a_short_secret_is_a_word_and_a_shorter_one_is_none() {
        assert_eq!(check(&["abcd"], "abcd abcde (abcd)"), "*** abcde (***)");
        assert_eq!(check(&["hunter2"], "xhunter2x"), "x***x");
        assert_eq!(check(&["päßwörd"], "äpäßwördö"), "ä***ö");
        assert_eq!(check(&[], "nothing"), "nothing");
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in
            ["api_key", "AWS_SECRET_ACCESS_KEY", "X-Amz-Signature", "PGPASSWORD", "apikey", "sig", "GITHUB_TOKEN"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["region", "bucket", "url", "keys_at_once", "author", "passes"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
