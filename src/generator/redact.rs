//! Redaction: takes keys and signed URLs out of what a service says, before anybody sees it.
//!
//! A service's words are a stranger's: they may repeat the key, or hold a signed URL, whose query is a credential.

use serde_json::Value;

/// Longest text of a service that is repeated, in characters.
const SAID_MAX: usize = 300;
/// Bytes of a body that is no JSON from which a text is taken.
const LOGGED_MAX: usize = 64 * 1024;
/// Shortest key that is looked for: a shorter one would be found in every other word.
const KEY_MIN: usize = 6;

/// Takes secrets out of texts.
#[derive(Clone, Default)]
pub struct Redactor {
    key: Option<String>,
}

impl Redactor {
    /// Remembers the key that must not be shown.
    pub fn new(key: Option<&str>) -> Self {
        Self { key: key.filter(|key| key.len() >= KEY_MIN).map(str::to_owned) }
    }

    /// Returns a text without the key, without the queries of its URLs, and without control characters.
    pub fn text(&self, text: &str) -> String {
        let text = match &self.key {
            Some(key) => text.replace(key.as_str(), "***"),
            None => text.to_owned(),
        };
        let mut out = String::with_capacity(text.len());
        for word in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',')) {
            out.push_str(&without_query(word));
        }
        out.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    /// Returns what a service said, in one line of bounded length.
    pub fn said(&self, text: &str) -> String {
        let text = self.text(text);
        let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((at, _)) = words.char_indices().nth(SAID_MAX) {
            words.truncate(at);
            words.push('…');
        }
        words
    }

    /// Returns a body as it may be logged.
    pub fn body(&self, bytes: &[u8]) -> String {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(mut value) => {
                self.value(&mut value);
                value.to_string()
            }
            Err(_) => self.said(&String::from_utf8_lossy(&bytes[..bytes.len().min(LOGGED_MAX)])),
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Cuts the query, and a user name with its password, out of a word that holds a URL.
fn without_query(word: &str) -> String {
    let signed = ["X-Amz-", "Signature=", "sig=", "token="].iter().any(|mark| word.contains(mark));
    let Some(scheme) = word.find("://") else {
        // A piece of a URL, cut off somewhere, still must not show its signature.
        return match word.find('?').filter(|_| signed) {
            Some(query) => format!("{}?…", &word[..query]),
            None if signed => "…".to_owned(),
            None => word.to_owned(),
        };
    };
    let (start, rest) = word.split_at(scheme + 3);
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',')).unwrap_or(rest.len());
    let (url, tail) = rest.split_at(end);
    let host_end = url.find(['/', '?', '#']).unwrap_or(url.len());
    let from = url[..host_end].rfind('@').map_or(0, |at| at + 1);
    let url = &url[from..];
    match url.find(['?', '#']) {
        Some(query) => format!("{start}{}?…{tail}", &url[..query]),
        None => format!("{start}{url}{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_key_nor_signature_is_left() {
        let redactor = Redactor::new(Some("sk_secret_key"));
        for (text, clean) in [
            ("invalid key sk_secret_key", "invalid key ***"),
            ("see https://a.example/x.png?X-Amz-Signature=abc now", "see https://a.example/x.png?… now"),
            ("see <https://a.example/x.png?sig=abc>", "see <https://a.example/x.png?…>"),
            ("https://u:p@a.example/x", "https://a.example/x"),
            ("x.png?X-Amz-Signature=abc", "x.png?…"),
            ("&X-Amz-Signature=abc", "…"),
            ("what is this? nothing", "what is this? nothing"),
            ("\u{1b}[31mred\u{7}", " [31mred "),
        ] {
            assert_eq!(redactor.text(text), clean, "{text}");
        }
    }

    #[test]
    fn a_body_keeps_its_shape() {
        let redactor = Redactor::new(Some("sk_secret_key"));
        let body = br#"{"images":[{"image_url":"https://a/b.png?sig=1","n":3}],"key":"sk_secret_key"}"#;
        assert_eq!(redactor.body(body), r#"{"images":[{"image_url":"https://a/b.png?…","n":3}],"key":"***"}"#);
        assert_eq!(redactor.body(b"<html> no </html>"), "<html> no </html>");
        assert_eq!(redactor.said(&"a".repeat(1_000)).chars().count(), SAID_MAX + 1);
    }
}
