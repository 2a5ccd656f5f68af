//! The access log: one line of JSON a request, without anything that a stranger could hide a secret in.
//!
//! Of a query only labels and paging are told: their values are made of few letters, and no product keeps secrets there.

use std::net::IpAddr;

use serde::Serialize;

use super::query::{PAGING, pairs};
use super::snapshot::Snapshot;

/// Most that is told of a path or a query.
const TEXT_MAX: usize = 300;

/// One request, answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccessEntry<'a> {
    /// When it was answered, RFC 3339 in UTC to the millisecond.
    pub time: String,
    /// Who asked.
    pub client: IpAddr,
    /// The method.
    pub method: &'a str,
    /// The path, as it was asked for.
    pub path: String,
    /// Labels and paging of the query.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// The status.
    pub status: u16,
    /// The length of the body, where it was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Until the answer began, in microseconds.
    pub micros: u64,
}

/// Returns what may be told of a path.
pub fn path(path: &str) -> String {
    path.chars().filter(|letter| !letter.is_control()).take(TEXT_MAX).collect()
}

/// Returns what may be told of a query: labels of any collection, and paging.
pub fn query(query: Option<&str>, snapshot: Option<&Snapshot>) -> String {
    let is_label = |name: &str| {
        let collections = snapshot.into_iter().flat_map(|snapshot| snapshot.collections.values());
        collections.flat_map(|collection| &collection.labels).any(|(label, _)| label == name)
    };
    let told = pairs(query.unwrap_or_default())
        .filter(|(name, value)| {
            let legal = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-/".contains(&byte));
            legal && (PAGING.contains(&name.as_str()) || is_label(name))
        })
        .map(|(name, value)| format!("{name}={value}"));
    told.collect::<Vec<_>>().join("&").chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_label_is_not_told() {
        assert_eq!(query(Some("token=secret&limit=5&cursor=a/b&limit=x%0Ay"), None), "limit=5&cursor=a/b");
        assert_eq!(path("/a\u{1b}[1m"), "/a[1m");
    }
}
