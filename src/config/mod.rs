//! `pixform.yaml`: where things live, who makes the pictures, and what that may cost.
//!
//! The file names environments; one of them is chosen and becomes [`Settings`]. The others are only looked at for field
//! names and types, so that production can be prepared while local is in use. Variables are filled in where planning
//! needs them (state, storage); what only paid work needs stays a [`RawText`] until [`Settings::expand`]. Opening what
//! the URLs name, and whether their schemes are known, is left to the rooms that open them; so is what a kind of
//! generator needs beyond a price.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::asset::{FieldMap, GeneratorName, KindSpec, MicroUsd, TableName};
use crate::manifest::{IMAGES_MAX, Placed};
use crate::yaml::{ManifestError, Mistake, Mistakes, YamlLimits, parse};

mod document;
mod field_readers;
mod generator;
mod schema;
mod settle;
mod settle_context;
mod store;
mod store_url;
#[cfg(test)]
mod tests;
mod variables;
mod veil;

pub use crate::secret::SecretText;
pub use document::{
    DELETIONS_CEILING, ENVIRONMENT_FIELDS, FIELDS, GUARD_FIELDS, IMAGES_CEILING, LIMIT_FIELDS, ON_UNKNOWN_CEILING,
    PUBLISH_FIELDS,
};
pub use field_readers::INTERVAL_CEILING;
pub use generator::{CONCURRENCY_CEILING, IMAGES_PER_MINUTE_CEILING};
pub use schema::schema;
pub use store::{STORAGE_FIELDS, STORE_FIELDS};
pub use store_url::is_home;
pub use variables::{EXPANDED_BYTES_MAX, FILE_BYTES_MAX, Outside, RawText, read_file};

use variables::Variables;

/// The file's name, in the folder where its relative paths start.
pub const FILE_NAME: &str = "pixform.yaml";

/// The environment that is built in.
pub const BUILT_IN: &str = "local";

/// The environment could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be used.
    #[error(transparent)]
    Mistakes(#[from] ManifestError),
    /// The environment that was asked for does not exist.
    #[error("{file} has no environment `{name}`; {way_out}")]
    NoSuchEnvironment {
        /// The file as the user named it.
        file: String,
        /// What was asked for.
        name: String,
        /// What to do.
        way_out: String,
    },
    /// There are several environments, and none was asked for.
    #[error("{file} has several environments and no `default_environment`; choose one with `--env`: {names}")]
    NoneChosen {
        /// The file as the user named it.
        file: String,
        /// The environments, quoted.
        names: String,
    },
    /// Only the built-in environment exists, and another was asked for.
    #[error(
        "there is no pixform.yaml here or above, and without it the only environment is `local`, not `{name}`; \
         write one with `pixform init`"
    )]
    NoFile {
        /// What was asked for.
        name: String,
    },
    /// The folder where relative paths start has no usable name.
    #[error("the folder of `{path}` cannot be used: its full name must be known, and be UTF-8")]
    Folder {
        /// The file or folder that was named.
        path: PathBuf,
    },
}

/// One environment, settled.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name.
    pub environment: String,
    /// `pixform.yaml`; `None` for the built-in environment.
    pub file: Option<PathBuf>,
    /// Where relative paths start, absolute.
    pub root: PathBuf,
    /// Where manifests are looked for, absolute: the same, unless whoever named the file says otherwise.
    pub project: PathBuf,
    /// The state's URL; the path of `sqlite:` is absolute.
    pub state: SecretText,
    /// Where files lie.
    pub storage: StorageSettings,
    /// Generators by the name that manifests use.
    pub generators: BTreeMap<GeneratorName, GeneratorSettings>,
    /// Whether every other name means a placeholder, which checks as the kind of that name where there is one.
    pub any_generator: bool,
    /// Generators that only other environments have.
    pub elsewhere: BTreeSet<GeneratorName>,
    /// What a plan may not exceed.
    pub guards: GuardSettings,
    /// Images one collection may have.
    pub images_max: usize,
    /// The memory that the pictures of a run may take together, in bytes.
    pub memory: u64,
    /// Tables that manifests may publish to; `None` for any legal one.
    pub tables: Option<Vec<TableName>>,
    /// What to do with a paid call whose outcome is unknown.
    pub on_unknown: OnUnknown,
    /// What is odd but no mistake.
    pub warnings: Vec<Mistake>,
    origin: Origin,
}

/// Where files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// The storage's URL; the path of `file:` is absolute.
    pub url: SecretText,
    /// Under which URL the files are fetched, as written: an http(s) URL, or a path on the product's own host.
    pub public_url: Option<String>,
    /// How it is reached.
    pub access: StoreAccess,
    /// Whether a missing bucket is to be made.
    pub create_bucket: bool,
    /// Where originals lie, if elsewhere.
    pub originals: Option<StoreSettings>,
    /// The store that was used before.
    pub previous: Option<StoreSettings>,
}

/// How a store is reached; filled in by whoever opens it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreAccess {
    /// The service's address.
    pub endpoint: Option<RawText>,
    /// The service's region.
    pub region: Option<RawText>,
    /// The account, where a service has accounts.
    pub account: Option<RawText>,
    /// The service's key.
    pub key: Option<RawText>,
    /// The name of a key, where it has one.
    pub access_key_id: Option<RawText>,
    /// The key that goes with the name.
    pub secret_access_key: Option<RawText>,
    /// What temporary keys come with.
    pub session_token: Option<RawText>,
    /// Whether the bucket stands in the path of an address.
    pub path_style: Option<bool>,
}

/// Another store beside the main one. What it does not say it shares with that, where both are of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Its URL.
    pub url: RawText,
    /// How it is reached.
    pub access: StoreAccess,
    /// Whether a missing bucket is to be made.
    pub create_bucket: Option<bool>,
}

/// A service that makes pictures.
#[derive(Debug, Clone)]
pub struct GeneratorSettings {
    /// Its kind.
    pub kind: &'static KindSpec,
    /// The kind by whose table recipes are checked, where another one is borrowed.
    pub checks_as: Option<&'static KindSpec>,
    /// What one image costs; set for every kind that is paid, never for one that is free.
    pub price: Option<MicroUsd>,
    /// The service's address.
    pub base_url: Option<RawText>,
    /// The service's key.
    pub api_key: Option<RawText>,
    /// Most calls in flight.
    pub concurrency: Option<u64>,
    /// Most images a minute.
    pub images_per_minute: Option<u64>,
    /// The least pause between two calls.
    pub min_interval: Option<Duration>,
    /// How long one picture is waited for.
    pub deadline: Option<Duration>,
    /// How long the answer to a request for a picture may take.
    pub request_timeout: Option<Duration>,
    /// What the kind's own options say.
    pub options: FieldMap,
}

/// What a plan may not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GuardSettings {
    /// The cap on the cost of one plan.
    pub max_cost: Option<MicroUsd>,
    /// What all runs together may cost in a calendar month.
    pub max_cost_month: Option<MicroUsd>,
    /// Deletions that need not be listed under `removed`.
    pub max_deletions: Option<u64>,
}

/// What to do with a paid call whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnknown {
    /// It waits for a decision.
    Ask,
    /// It is sent again.
    Retry {
        /// At most so often.
        times_max: u32,
    },
}

/// The text that settings came from; messages about values that are filled in later point into it.
#[derive(Clone)]
struct Origin {
    file: Arc<str>,
    source: Arc<str>,
    env_files: Vec<Placed<PathBuf>>,
}

impl fmt::Debug for Origin {
    /// Leaves the text out: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, source: _, env_files } = self;
        f.debug_struct("Origin").field("file", file).field("env_files", env_files).finish_non_exhaustive()
    }
}

/// Looks for `pixform.yaml` in a folder and above it.
pub fn find(start: &Path) -> Option<PathBuf> {
    let start = std::path::absolute(start).ok()?;
    // Whatever bears the name is meant, but for a folder: what cannot be read must not be passed over for another one.
    start
        .ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|file| file.symlink_metadata().is_ok() && !file.is_dir())
}

/// Settles one environment of a `pixform.yaml`: the one asked for, else the default one, else the only one.
///
/// # Errors
/// With every mistake of the file, or where no environment is meant.
pub fn load(
    source: &str,
    file: &Path,
    environment: Option<&str>,
    kinds: &[&'static KindSpec],
    outside: &Outside<'_>,
) -> Result<Settings, ConfigError> {
    read(source, file, environment, kinds, outside).map_err(veil::veiled_failure)
}

fn read(
    source: &str,
    file: &Path,
    environment: Option<&str>,
    kinds: &[&'static KindSpec],
    outside: &Outside<'_>,
) -> Result<Settings, ConfigError> {
    let root = full_name(file)?.parent().map(Path::to_path_buf).unwrap_or_default();
    let name: Arc<str> = file.display().to_string().into();
    let source: Arc<str> = source.into();
    let tree = parse(&name, &source, YamlLimits::CONFIG)?;
    let mut mistakes = Mistakes::default();
    let document = document::read(tree, kinds, &mut mistakes);
    let Some(document) = document else {
        let error = mistakes.or((), &name, &source).err();
        return Err(error.expect("a document is only refused with a mistake").into());
    };
    let chosen = settle::choose(document, environment, &name, &root, &mut mistakes)?;
    let context = settle_context::SettleContext { root: &root, source: &source, kinds, outside };
    let settled = chosen.and_then(|settle::Chosen { line, elsewhere, env_files }| {
        let settled = settle::settle(line, &env_files, &context, &mut mistakes);
        settled.map(|settled| (settled, elsewhere, env_files))
    });
    let settled = mistakes.or(settled, &name, &source)?;
    let (mut settings, elsewhere, env_files) = settled.expect("an environment is only refused with a mistake");
    settings.file = Some(file.to_path_buf());
    settings.elsewhere = elsewhere;
    settings.elsewhere.retain(|name| !settings.generators.contains_key(name));
    settings.origin = Origin { file: name, source, env_files };
    Ok(settings)
}

/// Returns the environment that is there without a `pixform.yaml`: SQLite and files below a folder, placeholders only.
///
/// # Errors
/// Where another environment is asked for.
pub fn built_in(folder: &Path, environment: Option<&str>) -> Result<Settings, ConfigError> {
    match environment {
        Some(name) if !name.is_empty() && name != BUILT_IN => {
            return Err(ConfigError::NoFile { name: name.to_owned() });
        }
        Some(_) | None => {}
    }
    let root = full_name(folder)?;
    Ok(Settings {
        environment: BUILT_IN.to_owned(),
        file: None,
        state: SecretText::new(store_url::rooted("sqlite:.pixform/state.db", "sqlite", &root)),
        storage: StorageSettings {
            url: SecretText::new(store_url::rooted("file:.pixform/storage", "file", &root)),
            public_url: None,
            access: StoreAccess::default(),
            create_bucket: false,
            originals: None,
            previous: None,
        },
        project: root.clone(),
        root,
        generators: BTreeMap::new(),
        any_generator: true,
        elsewhere: BTreeSet::new(),
        guards: GuardSettings::default(),
        images_max: IMAGES_MAX,
        memory: crate::memory::MEMORY_DEFAULT,
        tables: None,
        on_unknown: OnUnknown::Ask,
        warnings: Vec::new(),
        origin: Origin { file: "".into(), source: "".into(), env_files: Vec::new() },
    })
}

impl Settings {
    /// Returns the part of every URL before the path, ending in `/`; `None` where only the store knows it.
    pub fn url_base(&self) -> Option<String> {
        match (&self.storage.public_url, self.storage.url.scheme()) {
            (Some(url), _) => Some(format!("{}/", url.trim_end_matches('/'))),
            (None, Some("file" | "memory")) => Some("/files/".to_owned()),
            (None, _) => None,
        }
    }

    /// Fills the variables of a store's URL in; the path of `file:` becomes absolute.
    ///
    /// # Errors
    /// As [`Settings::expand`].
    pub fn expand_url(&self, raw: &RawText, outside: &Outside<'_>) -> Result<SecretText, ConfigError> {
        let url = self.expand(raw, outside)?;
        if store_url::path_of(url.expose(), "file").is_some_and(store_url::is_home) {
            let (message, help) = store_url::HOME;
            let Origin { file, source, env_files: _ } = &self.origin;
            return Err(ManifestError::one(file, source, raw.span, message, help).into());
        }
        Ok(SecretText::new(store_url::rooted(url.expose(), "file", &self.root)))
    }

    /// Fills the variables of a text in, now that it is needed.
    ///
    /// # Errors
    /// With every variable that is missing, at its place in the file.
    pub fn expand(&self, raw: &RawText, outside: &Outside<'_>) -> Result<SecretText, ConfigError> {
        let Origin { file, source, env_files } = &self.origin;
        let mut mistakes = Mistakes::default();
        let text = Variables::new(outside, source, env_files).expand(raw, &mut mistakes);
        let text = mistakes.or(text, file, source).map_err(veil::veiled_error)?;
        Ok(text.expect("a text is only refused with a mistake"))
    }

    /// Returns the file's text, into which the warnings point, with what may be secret in it covered.
    pub fn source(&self) -> Arc<str> {
        veil::veiled(&self.origin.source)
    }
}

/// Returns the full name of a file or folder that is named relative to the working folder.
fn full_name(path: &Path) -> Result<PathBuf, ConfigError> {
    let full = std::path::absolute(path).ok().filter(|full| full.to_str().is_some());
    full.ok_or_else(|| ConfigError::Folder { path: path.to_path_buf() })
}
