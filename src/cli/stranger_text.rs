//! Texts of the environment that are kept with a run: cut, and without what could do harm.

use url::Url;

/// How long an actor or a commit may be, in characters; what is longer is cut.
pub const TEXT_MAX: usize = 200;
/// How long an address may be, in bytes; a longer one is left out, for half an address is none.
pub const URL_MAX: usize = 1_000;

/// Returns a text without control characters, cut where it is too long; `None` where nothing is left.
pub fn text(value: &str) -> Option<String> {
    let kept: String = value.chars().filter(|character| !character.is_control()).collect();
    let cut: String = kept.trim().chars().take(TEXT_MAX).collect();
    Some(cut).filter(|text| !text.is_empty())
}

/// Returns an address without user, query and fragment, each of which may hold a secret.
pub fn address(value: &str) -> Option<String> {
    let mut url = Url::parse(value.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.to_string()).filter(|url| url.len() <= URL_MAX)
}
