//! Manifests: found, read, and loaded; what is wrong with one stops only its own collection.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::asset::{Assets as _, Heads, URL_BASE};
use crate::config::{self, Settings};
use crate::files;
use crate::manifest::{Manifest, Rules};
use crate::planner::{AllManifests, DeclaredManifest};
use crate::yaml::{ManifestError, Span};

use super::environment::Environment;
use super::surroundings::shown;
use super::{EngineError, EngineEvent, EngineListener};

/// Largest manifest that is read, in bytes; larger ones are refused before they are read.
pub const MANIFEST_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Manifests that were read.
pub struct LoadedManifests {
    /// Those that can be used, by collection name.
    pub declared: Vec<DeclaredManifest>,
    /// How many cannot; the listener was told of each.
    pub broken: usize,
    /// Whether that is all there are.
    pub all: AllManifests,
}

/// Returns the manifests that are meant: those named, or those found.
///
/// # Errors
/// When none is named, and none found.
pub fn manifest_paths(named: &[PathBuf], environment: &Environment) -> Result<Vec<PathBuf>, EngineError> {
    match named {
        [] => found(&environment.settings),
        named => Ok(named.to_vec()),
    }
}

/// Reads the manifests that are meant; what is wrong with one is told at once and stops only its own collection.
///
/// # Errors
/// When none is named, and none found.
pub fn load_manifests(
    named: &[PathBuf],
    environment: &Environment,
    listener: &dyn EngineListener,
) -> Result<LoadedManifests, EngineError> {
    load(named, environment, &environment.rules()?, listener)
}

/// Does the same for an environment that is not going to be opened.
///
/// # Errors
/// As [`load_manifests`].
pub fn load_manifests_closed(
    named: &[PathBuf],
    environment: &Environment,
    listener: &dyn EngineListener,
) -> Result<LoadedManifests, EngineError> {
    load(named, environment, &environment.rules_closed(), listener)
}

fn load(
    named: &[PathBuf],
    environment: &Environment,
    rules: &Rules,
    listener: &dyn EngineListener,
) -> Result<LoadedManifests, EngineError> {
    let paths = manifest_paths(named, environment)?;
    let mut all = if named.is_empty() { AllManifests::Read } else { AllManifests::Some };
    let mut loaded: BTreeMap<String, Vec<DeclaredManifest>> = BTreeMap::new();
    let mut broken = 0;
    for path in paths {
        let result = read_manifest(&path).and_then(|source| {
            let file = path.display().to_string();
            let loaded = Manifest::load(&file, &source, rules.clone()).map_err(EngineError::from)?;
            if rules.url_base.is_empty() {
                with_url(&loaded.0, &loaded.1)?
            }
            Ok(loaded)
        });
        match result {
            Ok((manifest, heads)) => {
                for warning in &manifest.warnings {
                    let place = manifest.place(warning.span);
                    listener.hear(EngineEvent::Odd {
                        message: &warning.message,
                        help: &warning.help,
                        place: Some(&place),
                    });
                }
                loaded.entry(manifest.name.to_string()).or_default().push(DeclaredManifest { manifest, heads });
            }
            Err(error) => {
                broken += 1;
                listener.hear(EngineEvent::ManifestBroken(error));
            }
        }
    }
    let mut declared = Vec::new();
    for (name, mut same) in loaded {
        if let ([first, second, ..], count) = (same.as_slice(), same.len()) {
            let error = declared_twice(&name, &first.manifest, &second.manifest).into();
            listener.hear(EngineEvent::ManifestBroken(error));
            broken += count;
        } else {
            declared.append(&mut same);
        }
    }
    if broken > 0 {
        all = AllManifests::Some;
    }
    Ok(LoadedManifests { declared, broken, all })
}

/// Refuses columns with a URL where nobody knows under which URL the files are fetched.
fn with_url(manifest: &Manifest, heads: &Heads) -> Result<(), EngineError> {
    let first = (!heads.all().is_empty()).then(|| manifest.asset(0));
    let Some(row) = first.and_then(|asset| asset.row) else { return Ok(()) };
    if !row.inputs.contains_key(URL_BASE) {
        return Ok(());
    }
    let message = format!(
        "a column of `{}` holds a URL, and where the storage's files are fetched cannot be told from pixform.yaml",
        manifest.name
    );
    let help = "write `public_url: https://…` below `storage`; for `s3:` its `region` or `endpoint` and for `az:` its \
                `account` tell it too, where everybody may read the bucket";
    Err(EngineError::unfit(message, help))
}

/// Points at the name in the second of two manifests that declare one collection.
fn declared_twice(name: &str, first: &Manifest, second: &Manifest) -> ManifestError {
    let lines = second.source.split_inclusive('\n').scan(0, |start, line| {
        let begin = *start;
        *start += line.len();
        Some((begin, line))
    });
    let place = lines.filter(|(_, line)| line.starts_with("collection:")).find_map(|(begin, line)| {
        let start = (begin + line.find(name)?) as u32;
        Some(Span { start, end: start + name.len() as u32 })
    });
    let message = format!("the collection `{name}` is declared in {} already", first.file);
    let help = "rename one of them: a collection's name is unique in an environment";
    ManifestError::one(&second.file, &second.source, place.unwrap_or_default(), &message, help)
}

/// Finds the manifests: where the project is, or else beside the `pixform.yaml` that was named.
fn found(settings: &Settings) -> Result<Vec<PathBuf>, EngineError> {
    match found_in(&settings.project) {
        Err(EngineError::NoManifest { looked }) if settings.project != settings.root => {
            found_in(&settings.root).map_err(|_| EngineError::NoManifest { looked })
        }
        found => found,
    }
}

/// Finds the manifests of a folder: every YAML file of its `manifests/`, or its own with a top-level `collection:`.
///
/// # Errors
/// When there is none.
pub fn found_in(root: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let folder = root.join("manifests");
    let (folder, every) = match folder.is_dir() {
        true => (folder, true),
        false => (root.to_path_buf(), false),
    };
    let entries = std::fs::read_dir(&folder).map_err(|source| EngineError::Read { path: shown(&folder), source })?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_manifest_name))
        // What is no file is told of when it is read: its manifest must not vanish without a word.
        .filter(|path| !path.is_dir())
        .map(|path| shown(&path))
        .filter(|path| every || names_a_collection(path))
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(EngineError::NoManifest { looked: format!("{}/", shown(&folder).display()) });
    }
    Ok(paths)
}

/// Tells whether a file of this name can be a manifest that nobody named: YAML, and not hidden, as `*.yaml` in a shell.
/// Editors and systems leave files such as `.#a.yaml` and `._a.yaml` beside those that people write.
pub fn is_manifest_name(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.starts_with('.') && name != config::FILE_NAME
}

fn names_a_collection(path: &Path) -> bool {
    read_manifest(path).is_ok_and(|source| source.lines().any(|line| line.starts_with("collection:")))
}

/// Reads a manifest: bounded, and as UTF-8.
///
/// # Errors
/// When it cannot be read, is too large, or is no UTF-8.
pub fn read_manifest(path: &Path) -> Result<String, EngineError> {
    let failure = |source| EngineError::Read { path: path.to_path_buf(), source };
    check_link(path)?;
    let file = files::open(path).map_err(failure)?;
    let mut bytes = Vec::new();
    file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failure)?;
    let name: Arc<str> = path.display().to_string().into();
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        let message = format!("the manifest has more than {} MiB", MANIFEST_BYTES_MAX >> 20);
        let source: Arc<str> = String::from_utf8_lossy(&bytes[..200]).into_owned().into();
        let help = "split it into several collections";
        return Err(ManifestError::one(&name, &source, Span::default(), &message, help).into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let source: Arc<str> = String::from_utf8_lossy(error.as_bytes()).into_owned().into();
        let span = Span { start: at as u32, end: at as u32 + 1 };
        let help = "save the file as UTF-8";
        ManifestError::one(&name, &source, span, "the manifest is not UTF-8 from here on", help).into()
    })
}

/// Refuses a link of the project that leads out of it, or to a hidden file: what it leads to is shown around a mistake, and
/// a branch from elsewhere could have a file of keys shown so. A path that was named outside of the project is followed.
fn check_link(path: &Path) -> Result<(), EngineError> {
    let (Ok(folder), Ok(real)) = (std::env::current_dir(), path.canonicalize()) else { return Ok(()) };
    let full = folder.join(path);
    let named_outside = !full.starts_with(&folder) || path.components().any(|part| part == Component::ParentDir);
    let Ok(folder) = folder.canonicalize() else { return Ok(()) };
    let has = |name: &str| folder.ancestors().find(|folder| folder.join(name).exists());
    let project = has(".git").or_else(|| has(config::FILE_NAME)).unwrap_or(&folder);
    let hidden = |inside: &Path| inside.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
    let stays = real.strip_prefix(project).is_ok_and(|inside| !hidden(inside) || real == full);
    if named_outside || stays {
        return Ok(());
    }
    let message = format!("`{}` is a link that leads out of the project, or to a hidden file", path.display());
    Err(EngineError::unfit(message, "put the manifest itself there, or name it by its own path"))
}
