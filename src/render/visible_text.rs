//! Makes every character visible that a terminal would obey or hide.
//!
//! A prompt may hold terminal escapes and is legal all the same, so nothing is refused here. What is only odd to look at
//! (other scripts, emoji, combining marks) stays as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns the text with every control character, line break, direction mark and invisible character made visible.
///
/// The result is one line. ASCII control characters become their pictures (`␛`), all others `\u{202e}`.
pub fn terminal(text: &str) -> Cow<'_, str> {
    escape(text, |shown, character| match picture(character) {
        Some(picture) => shown.push(picture),
        None => write_infallibly(shown, format_args!("\\u{{{:x}}}", character as u32)),
    })
}

/// Returns JSON text in which the same characters are escaped, so that it parses to the same value.
///
/// Sound for finished JSON: outside of strings it holds none of these characters but line feeds, which stay.
pub(super) fn json(text: String) -> String {
    let escaped = escape(&text, |shown, character| match character {
        '\n' => shown.push('\n'),
        other => {
            for unit in other.encode_utf16(&mut [0; 2]) {
                write_infallibly(shown, format_args!("\\u{unit:04x}"));
            }
        }
    });
    match escaped {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => escaped,
    }
}

/// Copies the text and lets `replace` write something in the place of each unsafe character.
fn escape(text: &str, replace: impl Fn(&mut String, char)) -> Cow<'_, str> {
    // Nearly all text is plain ASCII, and is seen to be that much faster.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let Some(first) = text.find(is_unsafe) else { return Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for character in text[first..].chars() {
        if is_unsafe(character) {
            replace(&mut shown, character);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Tells whether a terminal would obey the character, or show nothing for it.
fn is_unsafe(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    // Everything invisible in Unicode 16: controls, marks of direction, joiners, fillers, separators, tags.
    matches!(u32::from(character),
        0x80..=0x9f | 0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// Returns the picture that Unicode has for an ASCII control character.
fn picture(character: char) -> Option<char> {
    match u32::from(character) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code),
        0x7f => Some('\u{2421}'),
        _ => None,
    }
}

/// Writes to a string, which cannot fail.
pub(super) fn write_infallibly(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_or_hide_is_visible() {
        for (text, shown) in [
            ("plain, \u{fc}nic\u{f6}de \u{1f642}", "plain, \u{fc}nic\u{f6}de \u{1f642}"),
            ("\u{1b}[31m", "\u{241b}[31m"),
            ("a\nb\r\tc\u{7f}", "a\u{240a}b\u{240d}\u{2409}c\u{2421}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}gpj\u{2066}", "\\u{202e}gpj\\u{2066}"),
            ("a\u{200b}b\u{2028}\u{feff}", "a\\u{200b}b\\u{2028}\\u{feff}"),
        ] {
            assert_eq!(terminal(text), shown);
        }
        assert!(matches!(terminal("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_means_the_same() {
        for text in ["\u{7f}\u{9b}\u{202e}\u{e0041} \u{1f642}\n\u{1b}", "plain"] {
            let value = serde_json::json!({ "text": text });
            let escaped = json(value.to_string());
            assert!(!escaped.chars().any(is_unsafe));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
        }
    }
}
