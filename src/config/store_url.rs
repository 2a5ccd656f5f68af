//! URLs of states and stores as they are written in `pixform.yaml`: variables filled in, paths made absolute.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::yaml::Mistakes;

use super::variables::Variables;
use super::{RawText, SecretText};

/// Fills the variables of a URL in, and makes its path absolute where it has this scheme.
pub fn url(
    raw: &RawText,
    scheme: &str,
    root: &Path,
    variables: &mut Variables<'_>,
    mistakes: &mut Mistakes,
) -> Option<SecretText> {
    let text = variables.expand(raw, mistakes)?;
    if text.expose().is_empty() {
        mistakes.add(raw.span, "this URL is empty", format!("write it as in `{scheme}:FOLDER/NAME`"));
        return None;
    }
    if path_of(text.expose(), scheme).is_some_and(is_home)
        || certificate(text.expose()).is_some_and(|(_, path)| is_home(&path))
    {
        mistakes.add(raw.span, HOME.0, HOME.1);
        return None;
    }
    Some(SecretText::new(rooted(text.expose(), scheme, root)))
}

/// Makes the path of a URL absolute where the URL has this scheme; `sqlite::memory:` and other schemes stay.
pub fn rooted(url: &str, scheme: &str, root: &Path) -> String {
    let Some(path) = path_of(url, scheme) else { return url.to_owned() };
    if path.is_empty() || path.starts_with(':') {
        return url.to_owned();
    }
    format!("{scheme}:{}", root.join(path).display())
}

/// Returns the path in a URL of this scheme.
pub fn path_of<'u>(url: &'u str, scheme: &str) -> Option<&'u str> {
    let path = url.strip_prefix(scheme)?.strip_prefix(':')?;
    Some(path.strip_prefix("//").unwrap_or(path))
}

/// What is wrong with a path in somebody's home folder, and what to write: a folder called `~` would be made without a
/// word, and read by nobody who looks for it at home.
pub const HOME: (&str, &str) = (
    "`~` is no home folder here: only a shell reads it so",
    "write the whole path; in a URL, and only there, `${HOME}/…` stands for it",
);

/// Tells whether a path is meant to begin at somebody's home folder.
pub fn is_home(path: &str) -> bool {
    path == "~" || (path.starts_with('~') && path.contains('/'))
}

/// The parameter of a database's URL that names a file.
const CERTIFICATE: &str = "sslrootcert=";

/// What a path's letters become in a parameter of a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Makes the path of the authority's certificate in a database server's URL absolute; `system` names none.
pub fn certificate_rooted(url: &str, root: &Path) -> String {
    let Some((place, path)) = certificate(url) else { return url.to_owned() };
    if path.is_empty() || path == "system" {
        return url.to_owned();
    }
    let full = root.join(&*path).display().to_string();
    format!("{}{}{}", &url[..place.start], utf8_percent_encode(&full, ENCODED), &url[place.end..])
}

/// Finds the path of the authority's certificate in a database server's URL.
fn certificate(url: &str) -> Option<(Range<usize>, Cow<'_, str>)> {
    let query = url.starts_with("postgres").then(|| url.find('?')).flatten()?;
    let start = query + url[query..].find(CERTIFICATE)? + CERTIFICATE.len();
    if !matches!(url.as_bytes()[start - CERTIFICATE.len() - 1], b'?' | b'&') {
        return None;
    }
    let end = url[start..].find('&').map_or(url.len(), |length| start + length);
    Some((start..end, percent_decode_str(&url[start..end]).decode_utf8_lossy()))
}

/// Says what is wrong with the URL under which files are fetched; a path is appended to it, and all readers see it.
pub fn check_public_url(text: &str) -> Result<(), &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds a blank or a letter that is not ASCII: percent-encode it");
    }
    if text.contains(['?', '#']) {
        return Err("holds a `?` or `#`: paths are appended to it");
    }
    if text.starts_with('/') && !text.starts_with("//") {
        return Ok(());
    }
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => Err("is no http or https URL, and no path"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err("holds a user name or password, which everybody would see")
        }
        Ok(_) => Ok(()),
        Err(_) => Err("is no http or https URL, and no path"),
    }
}
