//! Texts as YAML reads them back: in double quotes, with every letter escaped that YAML or a terminal would take amiss.

use std::fmt::Write as _;

/// Returns the text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            letter if is_plain(letter) => out.push(letter),
            letter => escape(&mut out, u32::from(letter)),
        }
    }
    out.push('"');
    out
}

/// Returns a name as it stands where YAML reads it as that, else in double quotes.
pub(super) fn plain_or_quoted(text: &str) -> String {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte);
    let nothing = matches!(text, "null" | "Null" | "NULL");
    let plain = text.bytes().all(legal) && text.starts_with(|first: char| first.is_ascii_alphanumeric()) && !nothing;
    if plain { text.to_owned() } else { quoted(text) }
}

fn escape(out: &mut String, code: u32) {
    let written = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    written.expect("a string takes everything");
}

/// Tells whether a letter stands for itself everywhere: no control, no line end of any kind, nothing invisible.
fn is_plain(letter: char) -> bool {
    match u32::from(letter) {
        0x20..=0x7e => true,
        0..=0x1f | 0x7f..=0xa0 | 0xad | 0x61c | 0x180e => false,
        0x200b..=0x200f | 0x2028..=0x202f | 0x2060..=0x206f | 0xfeff | 0xfff0..=0xffff => false,
        0xe000..=0xf8ff | 0xe0000..=0x0010_ffff => false,
        _ => true,
    }
}
