//! What is a credential by its looks, whoever's it is: headers that carry keys, tokens, signed URLs, passwords.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::MASK;

/// One kind of credential: what stands before it is kept.
struct CredentialPattern {
    pattern: Regex,
    is_meant: fn(&str) -> bool,
}

/// In this order: what a header holds is taken whole, before its parts are.
static LOOKS: LazyLock<Vec<CredentialPattern>> = LazyLock::new(|| {
    let look = |pattern: &str| CredentialPattern { pattern: compiled(pattern), is_meant: |_| true };
    vec![
        look(r"(?is)-----BEGIN [A-Z ]*PRIVATE KEY(?P<secret>.*?)(?:-----END|$)"),
        // The value of such a header is a secret whatever it looks like: as far as its quotes go, or its line.
        look(&format!(
            r#"(?i)\b{HEADERS}(?:\\*["'\]]|&quot;|&#34;|%22)*\s*(?:=>|[:=>]|%3a|%3d|,)\s*\[?\\*"(?P<secret>[^"\\]*)"#
        )),
        look(&format!(
            r#"(?i)\b{HEADERS}(?:\\*["'\]]|&quot;|&#34;|%22)*\s*(?:=>|[:=>]|%3a|%3d|,)\s*\[?\\*'(?P<secret>[^'\\]*)"#
        )),
        look(&format!(
            r#"(?i)\b{HEADERS}(?:\\*["'\]]|&quot;|&#34;|%22)*\s*(?:=>|[:=>]|%3a|%3d)\s*(?:&quot;|&#34;)*(?P<secret>[^\s"'\[*<\\][^\r\n<]*)"#
        )),
        CredentialPattern {
            pattern: compiled(
                r"(?i)\b(?:bearer|basic|digest|sharedkey|aws4-hmac-sha256)(?:\s|%20|\+)+(?P<secret>[\w.~+/=:,%-]{6,})",
            ),
            is_meant: is_no_word,
        },
        look(r"(?P<secret>\beyJ[\w-]{6,}(?:\.[\w-]*){0,2})"),
        look(r"(?P<secret>\b(?:sk|pk|rk|sb_secret|r8|hf|gh[opsu]|github_pat|glpat|xox[abps]|whsec)[-_][\w-]{8,})"),
        look(r"(?P<secret>\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bAIza[\w-]{20,})"),
        look(
            r#"(?i)\b(?:x-(?:amz|goog)-[\w-]+|\w*signature|sig|\w*token|\w*api_?key|\w*password|passwd|\w*secret|credential)\s?=\s?(?P<secret>'[^']*'|"[^"]*"|[^\s&;"'<>,*]+)"#,
        ),
        look(r#"(?i)[\w.%+-]:(?P<secret>[^\s:@/"'<>*]+)@[\w\[]"#),
    ]
});

/// Headers that carry a key.
const HEADERS: &str = r"(?:(?:proxy[-_])?authorization|api[-_]?key|x[-_](?:[a-z0-9]+[-_])*(?:api[-_]?key|key|token|secret|signature|auth)|(?:set[-_])?cookie)";

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that is written here can be read")
}

/// Tells a token from a word of a sentence, as in "basic authentication".
fn is_no_word(text: &str) -> bool {
    text.contains(|letter: char| !letter.is_ascii_lowercase())
}

/// Takes credentials and the queries of URLs out of a text.
pub fn without_credentials(text: &str) -> String {
    let mut text = without_queries(text);
    for CredentialPattern { pattern, is_meant } in LOOKS.iter() {
        let replaced = pattern.replace_all(&text, |found: &Captures<'_>| {
            let (whole, secret) = (&found[0], found.name("secret").map_or(0..0, |secret| secret.range()));
            let start = found.get(0).map_or(0, |whole| whole.start());
            match is_meant(&text[secret.clone()]) && !secret.is_empty() {
                true => format!("{}{MASK}{}", &whole[..secret.start - start], &whole[secret.end - start..]),
                false => whole.to_owned(),
            }
        });
        if let Cow::Owned(replaced) = replaced {
            text = replaced;
        }
    }
    text
}

fn ends_word(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | ',')
}

fn without_queries(text: &str) -> String {
    text.split_inclusive(ends_word).map(without_query).collect()
}

/// Cuts the query, and a user name with its password, out of a word that holds a URL.
fn without_query(word: &str) -> Cow<'_, str> {
    let Some(scheme) = word.find("://") else {
        // A piece of a URL, cut off somewhere, still must not show its signature.
        let signed = ["X-Amz-", "Signature=", "sig=", "token="].iter().any(|mark| word.contains(mark));
        return match word.find('?').filter(|_| signed) {
            Some(query) => format!("{}?…", &word[..query]).into(),
            None if signed => "…".into(),
            None => word.into(),
        };
    };
    let (start, rest) = word.split_at(scheme + 3);
    let url = &rest[..rest.find(ends_word).unwrap_or(rest.len())];
    // A bracket that stands behind the URL is the sentence's.
    let (url, tail) = rest.split_at(url.trim_end_matches(')').len());
    let host_end = url.find(['/', '?', '#']).unwrap_or(url.len());
    let from = url[..host_end].rfind('@').map_or(0, |at| at + 1);
    let url = &url[from..];
    match url.find(['?', '#']) {
        Some(query) => format!("{start}{}?…{tail}", &url[..query]).into(),
        None => format!("{start}{url}{tail}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_looks() {
        for (text, clean) in [
            ("see https://a.example/x.png?X-Amz-Signature=abc now", "see https://a.example/x.png?… now"),
            ("see <https://a.example/x.png?sig=abc>", "see <https://a.example/x.png?…>"),
            ("(it leads to https://a.example/x?sig=abc)", "(it leads to https://a.example/x?…)"),
            ("https://u:p@a.example/x", "https://a.example/x"),
            ("x.png?X-Amz-Signature=abc", "x.png?…"),
            ("&X-Amz-Signature=abc", "…"),
            ("what is this? nothing", "what is this? nothing"),
            ("Authorization: Bearer abc def\nAccept: x", "Authorization: ***\nAccept: x"),
            ("authorization: short", "authorization: ***"),
            ("<Authorization>short</Authorization>", "<Authorization>***</Authorization>"),
            (r#"{"apikey":"short","n":1}"#, r#"{"apikey":"***","n":1}"#),
            (r#"{\"x-api-key\": \"short\"}"#, r#"{\"x-api-key\": \"***\"}"#),
            ("{'Cookie': ['a=b; c=d']}", "{'Cookie': ['***']}"),
            (r#"["authorization","Bearer abc"]"#, r#"["authorization","***"]"#),
            ("X-Amz-Security-Token=abc", "…"),
            ("a bearer x1y2z3a4 is no bearer authentication", "a bearer *** is no bearer authentication"),
            ("the token eyJhbGciOiJI.eyJzdWIi.abc-_ is old", "the token *** is old"),
            ("invalid sk_live_0123456789", "invalid ***"),
            ("dial postgres:p4ss@db:5432", "dial postgres:***@db:5432"),
            ("host=h password='a b' user=u", "host=h password=*** user=u"),
            (
                "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----",
                "-----BEGIN PRIVATE KEY***-----END PRIVATE KEY-----",
            ),
            (
                "headers must have required property 'authorization'",
                "headers must have required property 'authorization'",
            ),
            ("MISSING_API_KEY: no key", "MISSING_API_KEY: no key"),
            ("at 2026-11-30T10:00:00Z by me@example.com", "at 2026-11-30T10:00:00Z by me@example.com"),
        ] {
            assert_eq!(without_credentials(text), clean, "{text}");
        }
    }
}
