//! The words of a stranger, fit to be shown: without secrets and control characters, and of bounded length.

use std::error::Error;
use std::fmt;
use std::ops::Deref;

use serde_json::{Map, Value};

use super::credential::without_credentials;
use super::known_secrets::without_secrets;

/// Longest text of a stranger that is repeated, in characters.
const SAID_MAX: usize = 300;
/// Longest message in which such texts stand, in characters.
const MESSAGE_MAX: usize = 1_000;
/// Bytes of a foreign text that are looked at.
const LOOKED_AT: usize = 64 * 1024;
/// Longest body that is logged, in characters.
const BODY_MAX: usize = 16 * 1024;

/// Words of a stranger, or a message in which they stand: one line, without secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SafeText(String);

/// Prepares for taking secrets out of texts, so that it takes no time where time counts: between a turn at a service and
/// its request.
pub fn prepare() {
    // All that is made when it is first needed is needed for this.
    drop(SafeText::of("https://example.com/?token=none"));
}

impl SafeText {
    /// Takes a text from outside.
    pub fn of(text: &str) -> Self {
        Self::within(text, SAID_MAX)
    }

    /// Takes the beginning of a body, to say what it is.
    pub fn long(bytes: &[u8]) -> Self {
        Self::within(&String::from_utf8_lossy(&bytes[..bytes.len().min(2 * LOOKED_AT)]), BODY_MAX)
    }

    /// Takes what an error and its sources say.
    pub fn error(error: &dyn Error) -> Self {
        Self::within(&chain(error), MESSAGE_MAX)
    }

    /// Takes a body, for the log: JSON keeps its shape.
    pub fn body(bytes: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => Self(cut(redacted(value, &|text| clean(text).into_owned()).to_string(), BODY_MAX)),
            Err(_) => Self::of(&String::from_utf8_lossy(&bytes[..bytes.len().min(2 * LOOKED_AT)])),
        }
    }

    fn within(text: &str, characters_max: usize) -> Self {
        // Redacted before it is cut: half a key is a secret, too.
        Self(cut(clean(text).split_whitespace().collect::<Vec<_>>().join(" "), characters_max))
    }
}

/// A message of ours is looked through as well: whatever was put into it came from outside.
impl From<String> for SafeText {
    fn from(message: String) -> Self {
        Self::within(&message, MESSAGE_MAX)
    }
}

impl From<&str> for SafeText {
    fn from(message: &str) -> Self {
        Self::within(message, MESSAGE_MAX)
    }
}

impl From<SafeText> for String {
    fn from(said: SafeText) -> Self {
        said.0
    }
}

impl Deref for SafeText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error for SafeText {}

/// Joins an error and its sources into one line: what was tried, then why it failed.
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Some libraries repeat their cause's words, with or without a prefix of their own.
        let said = words.rsplit(": ").next().unwrap_or_default();
        if !words.contains(&text) && !text.ends_with(said) {
            words = format!("{words}: {text}");
        }
        source = cause.source();
    }
    words
}

/// Returns a text of bounded length without secrets and control characters.
fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    let whole = text.len() <= LOOKED_AT;
    let text = &text[..text.floor_char_boundary(LOOKED_AT)];
    let known = without_secrets(text);
    let mut clean = without_credentials(&known);
    if !whole {
        // The piece of a secret that the bound left is too short to be known.
        clean.truncate(clean.rfind(char::is_whitespace).unwrap_or(clean.floor_char_boundary(LOOKED_AT / 2)));
        clean.push('…');
    }
    clean.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn cut(mut text: String, characters_max: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(characters_max) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// Redacts the texts and names of a value; what stands under the name of a secret is one.
fn redacted(value: Value, clean: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => clean(&text).into(),
        Value::Array(values) => values.into_iter().map(|value| redacted(value, clean)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = match value {
                    Value::String(_) if super::is_secret_name(&name) => super::MASK.into(),
                    value => redacted(value, clean),
                };
                (clean(&name), value)
            };
            Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_key_nor_escape_is_left_and_the_length_is_bounded() {
        super::super::remember("sk-said-secret-key-1");
        assert_eq!(&*SafeText::of("invalid key sk-said-secret-key-1\nno"), "invalid key *** no");
        assert_eq!(&*SafeText::of("\u{1b}[31mred\u{7}"), "[31mred");
        assert_eq!(SafeText::of(&"a".repeat(1_000_000)).chars().count(), SAID_MAX + 1);
        assert_eq!(SafeText::from("a ".repeat(100_000)).chars().count(), MESSAGE_MAX + 1);
        for padding in LOOKED_AT - 40..LOOKED_AT + 40 {
            let text = format!("{}sk-said-secret-key-1", "a".repeat(padding));
            assert!(!SafeText::body(text.as_bytes()).contains("sk-"), "{padding}");
        }
    }

    #[test]
    fn a_body_keeps_its_shape_and_hides_names_too() {
        super::super::remember("sk-said-secret-key-2");
        let body =
            br#"{"images":[{"image_url":"https://a/b.png?sig=1","n":3}],"sk-said-secret-key-2":"x","token":"y"}"#;
        let shown = r#"{"***":"***","images":[{"image_url":"https://a/b.png?…","n":3}],"token":"***"}"#;
        assert_eq!(&*SafeText::body(body), shown);
        assert_eq!(&*SafeText::body(b"<html> no </html>"), "<html> no </html>");
        assert!(SafeText::body(format!("[\"{}\"]", "b ".repeat(500_000)).as_bytes()).len() < BODY_MAX + 10);
    }
}
