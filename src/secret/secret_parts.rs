//! What of a text is secret: the password of a URL, `password=` of a database's settings, the leaves of a key in JSON.
//!
//! Texts are read by letters, not by their grammar: what cannot be parsed holds a password all the same.

use serde_json::Value;

use super::secret_name::is_secret_name;

/// Returns the parts of a key that are secret: of JSON its secret leaves, of a URL its password; else the whole.
pub fn of_key(text: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => {
            let mut parts = Vec::new();
            leaves(&value, &mut parts);
            parts
        }
        Ok(_) | Err(_) if text.contains("://") => of_url(text),
        Ok(_) | Err(_) => vec![without_kind(text).to_owned()],
    }
}

/// Beginnings that tell the kind of a key, and nothing of the key itself; their words are ours, too.
///
/// Source: <https://supabase.com/docs/guides/api/api-keys>, read 2026-11-24.
const PUBLIC_BEGINNINGS: [&str; 2] = ["sb_publishable_", "sb_secret_"];

/// Returns a key without what only tells its kind.
fn without_kind(key: &str) -> &str {
    let rest = PUBLIC_BEGINNINGS.into_iter().find_map(|beginning| key.strip_prefix(beginning));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(key)
}

/// Returns the parts of a URL, or of settings `name=value`, that are secret; none of a text that is neither.
pub fn of_url(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some((_, rest)) = text.split_once("://") {
        // An unescaped `/`, `?` or `#` of a password ends nothing: what counts is the last `@`.
        if let Some((user, _)) = rest.rsplit_once('@') {
            parts.push(user.split_once(':').map_or(user, |(_, password)| password).to_owned());
        }
    }
    let settings = text.split(['?', '&', ';', '#']).chain(text.split_whitespace());
    for (name, value) in settings.filter_map(|setting| setting.split_once('=')) {
        if is_secret_name(name.trim()) {
            parts.push(value.trim().trim_matches(['\'', '"']).to_owned());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn leaves(value: &Value, parts: &mut Vec<String>) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        match value {
            Value::String(text) if is_secret_name(name) => parts.push(text.clone()),
            other => leaves(other, parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_also_where_nothing_can_be_parsed() {
        for (text, expected) in [
            ("postgres://u:hunter2@h:5432/d?sslmode=require", vec!["hunter2"]),
            ("postgres://u:p#w/d?@x@h/d", vec!["p#w/d?@x"]),
            ("https://token@h/x", vec!["token"]),
            ("https://h/x?sig=abc&n=1", vec!["abc"]),
            ("host=h user=u password=SECRET1 dbname=d", vec!["SECRET1"]),
            ("host=h password='a b'", vec!["'a"]),
            ("sqlite:.pixform/state.db", vec![]),
            ("s3://bucket/prefix", vec![]),
        ] {
            let found = of_url(text);
            let found: Vec<&str> = found.iter().map(|part| part.trim_start_matches('\'')).collect();
            let expected: Vec<&str> = expected.iter().map(|part| part.trim_start_matches('\'')).collect();
            assert_eq!(found, expected, "{text}");
        }
        let key =
            r#"{"type":"service_account","private_key_id":"abcdef","private_key":"-----BEGIN","client_email":"x"}"#;
        assert_eq!(of_key(key), ["-----BEGIN", "abcdef"]);
        assert_eq!(of_key("sk_1"), ["sk_1"]);
        assert_eq!(of_key("sb_publishable_abc_def"), ["abc_def"]);
    }
}
