//! Rows whose whole numbers of 64 bits are texts, for readers that know no such numbers.
//!
//! Whoever reads JSON into JavaScript's numbers loses the last digits of a seed. Such a reader asks for
//! [`EXACT`] and gets the same rows with these columns as text; everybody else gets numbers.

use http::HeaderMap;
use http::header::ACCEPT;
use serde_json::Value;

use crate::state::ColumnHolds;

use super::snapshot::{Collection, member};

/// The media type of rows with whole numbers of 64 bits as text.
pub const EXACT: &str = "application/vnd.pixform.exact+json";

/// How whole numbers of 64 bits are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// As numbers.
    Json,
    /// As text.
    Exact,
}

impl Numbers {
    /// Reads what a client asks for: text where it names [`EXACT`], and names JSON with less weight or not at all.
    ///
    /// Source of the weights: <https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2>, read 2026-11-30.
    pub fn asked(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let (mut exact, mut json) = (0.0, 0.0);
        for range in accepted.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
            if name.eq_ignore_ascii_case(EXACT) {
                exact = weight;
            } else if name.eq_ignore_ascii_case("application/json") {
                json = weight;
            }
        }
        if exact > json { Self::Exact } else { Self::Json }
    }

    /// Returns the media type of rows.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Exact => EXACT,
        }
    }

    /// Appends a row to a text.
    pub fn write(self, row: &[u8], collection: &Collection, text: &mut Vec<u8>) {
        let members = match self {
            Self::Json => None,
            Self::Exact => serde_json::from_slice::<Members>(row).ok(),
        };
        let Some(Members(members)) = members else {
            text.extend_from_slice(row);
            return;
        };
        for (at, (name, value)) in members.into_iter().enumerate() {
            text.push(if at == 0 { b'{' } else { b',' });
            let big =
                collection.columns.iter().any(|column| column.name == name && column.holds == ColumnHolds::Bigint);
            let value = if big && value.is_number() { Value::String(value.to_string()) } else { value };
            member(text, &name, &value);
        }
        text.push(b'}');
    }
}

/// The members of a JSON object in the order in which they stand.
#[derive(Debug, Default)]
pub struct Members(pub Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collects;
        impl<'de> serde::de::Visitor<'de> for Collects {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collects)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn text_is_for_those_who_ask_for_it_above_numbers() {
        for (accepted, numbers) in [
            ("", Numbers::Json),
            ("*/*", Numbers::Json),
            ("application/json", Numbers::Json),
            ("application/vnd.pixform.exact+json", Numbers::Exact),
            ("Application/VND.pixform.exact+json;q=0.5, */*", Numbers::Exact),
            ("application/json, application/vnd.pixform.exact+json", Numbers::Json),
            ("application/json;q=0.9, application/vnd.pixform.exact+json", Numbers::Exact),
            ("application/vnd.pixform.exact+json;q=0", Numbers::Json),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accepted))]);
            assert_eq!(Numbers::asked(&headers), numbers, "{accepted}");
        }
    }
}
