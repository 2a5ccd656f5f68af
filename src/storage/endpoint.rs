//! Addresses of services, as requests begin with them.

use url::Url;

/// Returns a URL without a slash at its end.
pub(super) fn trimmed(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
