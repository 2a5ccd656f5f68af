//! From the chosen environment as it is written to [`Settings`]: variables filled in, paths made absolute, kinds known.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::asset::{GeneratorName, KindSpec};
use crate::manifest::{IMAGES_MAX, Placed};
use crate::memory::MEMORY_DEFAULT;
use crate::yaml::Mistakes;

use super::document::{Document, EnvironmentLine, listed, meant};
use super::generator::settle_generator;
use super::store::settle_storage;
use super::variables::Variables;
use super::{ConfigError, Origin, Outside, RawText, SecretText, Settings};

/// What settling needs beyond the environment itself.
pub struct Context<'c> {
    /// Where relative paths start.
    pub root: &'c Path,
    /// The file's text.
    pub source: &'c str,
    /// The kinds of generators that the program knows.
    pub kinds: &'c [&'static KindSpec],
    /// Where variables come from.
    pub outside: &'c Outside<'c>,
}

/// The environment that is meant.
pub struct Chosen {
    /// As it is written.
    pub line: EnvironmentLine,
    /// The generators of the others.
    pub elsewhere: BTreeSet<GeneratorName>,
    /// The files that supply its variables, its own first.
    pub env_files: Vec<Placed<PathBuf>>,
}

/// Picks the environment that is meant; a mistake that hides it makes it none.
pub fn choose(
    document: Document,
    asked: Option<&str>,
    file: &Arc<str>,
    root: &Path,
    mistakes: &mut Mistakes,
) -> Result<Option<Chosen>, ConfigError> {
    let Document { default_environment, env_file, mut environments } = document;
    let names: Vec<&str> = environments.iter().map(|line| line.name.value.as_str()).collect();
    if let Some(Placed { span, value }) = &default_environment
        && !names.contains(&value.as_str())
    {
        mistakes.add(*span, format!("there is no environment `{value}`"), meant(value, &names, "name"));
    }
    let asked = asked.filter(|name| !name.is_empty());
    let index = match (asked, &default_environment) {
        (Some(name), _) => names.iter().position(|known| *known == name),
        (None, Some(default)) => names.iter().position(|known| *known == default.value),
        (None, None) if names.len() == 1 => Some(0),
        (None, None) => None,
    };
    let file = file.to_string();
    match (index, asked) {
        (Some(index), _) => {
            let mut line = environments.swap_remove(index);
            let files = line.env_file.take().into_iter().chain(env_file);
            let env_files = files.map(|Placed { span, value }| Placed { span, value: root.join(value) }).collect();
            let others = environments.iter().flat_map(|line| &line.generators);
            let elsewhere = others.map(|(name, _)| name.value.clone()).collect();
            Ok(Some(Chosen { line, elsewhere, env_files }))
        }
        // The mistakes of the file come first: the environment may be missing because it cannot be read.
        (None, _) if !mistakes.is_empty() => Ok(None),
        (None, Some(name)) => {
            Err(ConfigError::NoSuchEnvironment { file, name: name.to_owned(), way_out: meant(name, &names, "choose") })
        }
        (None, None) => Err(ConfigError::NoneChosen { file, names: listed(&names) }),
    }
}

/// Settles the chosen environment, collecting every mistake.
pub fn settle(
    line: EnvironmentLine,
    env_files: &[Placed<PathBuf>],
    context: &Context<'_>,
    mistakes: &mut Mistakes,
) -> Option<Settings> {
    let EnvironmentLine {
        name,
        env_file: _,
        state,
        storage,
        generators,
        guards,
        images_max,
        memory,
        tables,
        on_unknown,
    } = line;
    let Context { root, source, kinds: _, outside } = context;
    let mut variables = Variables::new(outside, source, env_files);
    let state = match state {
        Some(raw) => url(&raw, "sqlite", root, &mut variables, mistakes)
            .map(|url| SecretText::new(certificate_rooted(url.expose(), root))),
        None => {
            let help = "say where records are kept, as in `state: sqlite:.pixform/state.db`";
            mistakes.add(name.span, format!("the environment `{}` has no `state`", name.value), help);
            None
        }
    };
    let storage = match storage {
        Some(line) => settle_storage(line, &mut variables, context, mistakes),
        None => {
            let help = "say where files are kept, as in `storage: { url: \"file:.pixform/storage\" }`";
            mistakes.add(name.span, format!("the environment `{}` has no `storage`", name.value), help);
            None
        }
    };
    let generators =
        generators.into_iter().filter_map(|(name, line)| settle_generator(name, line, context, mistakes)).collect();
    Some(Settings {
        environment: name.value,
        file: None,
        root: root.to_path_buf(),
        project: root.to_path_buf(),
        state: state?,
        storage: storage?,
        generators,
        any_generator: false,
        elsewhere: BTreeSet::new(),
        guards,
        images_max: images_max.map_or(IMAGES_MAX, |images| images as usize),
        memory: memory.unwrap_or(MEMORY_DEFAULT),
        tables,
        on_unknown,
        warnings: Vec::new(),
        origin: Origin { file: "".into(), source: "".into(), env_files: Vec::new() },
    })
}

/// Fills the variables of a URL in, and makes its path absolute where it has this scheme.
pub(super) fn url(
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
pub(super) fn path_of<'u>(url: &'u str, scheme: &str) -> Option<&'u str> {
    let path = url.strip_prefix(scheme)?.strip_prefix(':')?;
    Some(path.strip_prefix("//").unwrap_or(path))
}

/// What is wrong with a path in somebody's home folder, and what to write: a folder called `~` would be made without a
/// word, and read by nobody who looks for it at home.
pub(super) const HOME: (&str, &str) = (
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
fn certificate_rooted(url: &str, root: &Path) -> String {
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
pub(super) fn check_public_url(text: &str) -> Result<(), &'static str> {
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
