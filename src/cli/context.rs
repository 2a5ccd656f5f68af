//! What most commands begin with: settings, manifests, and the world they are about.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::asset::{Assets as _, Cost, GeneratorName, Heads, KindSpec, URL_BASE};
use crate::config::{self, Known, Outside, Settings};
use crate::files;
use crate::generator::{KINDS, PLACEHOLDER, kind};
use crate::manifest::{GeneratorRules, Manifest, Rules};
use crate::memory::Memory;
use crate::planner::{AllManifests, DeclaredManifest};
use crate::state::Access;
use crate::world::{Addresses, Generators, World};
use crate::yaml::{ManifestError, Span};

use super::{Failure, Global, ManifestArgs, Output, services, stores};

/// Largest manifest that is read, in bytes; larger ones are refused before they are read.
pub const MANIFEST_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The manifests of a command.
pub struct Loaded {
    /// Those that can be used, by collection name.
    pub declared: Vec<DeclaredManifest>,
    /// How many cannot; each was told of.
    pub broken: usize,
    /// Whether that is all there are.
    pub all: AllManifests,
}

/// Returns the process's own variables and files.
pub fn outside() -> Outside<'static> {
    Outside { variable: &variable, read_file: &config::read_file }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Settles the environment that the arguments mean.
pub fn settings(global: &Global, output: &Output) -> Result<Settings, Failure> {
    let settings = settle(global, output, &variable)?;
    warn_of_addresses(&settings, output);
    Ok(settings)
}

/// Settles the environment for a command that opens nothing: a variable that is missing is no mistake then.
pub fn settings_without_secrets(global: &Global, output: &Output) -> Result<Settings, Failure> {
    settle(global, output, &variable).or_else(|missing| {
        let anything = |name: &str| Some(variable(name).unwrap_or_else(|| "unset".to_owned()));
        settle(global, output, &anything).map_err(|_| missing)
    })
}

fn settle(global: &Global, output: &Output, variable: &dyn Fn(&str) -> Option<String>) -> Result<Settings, Failure> {
    let file = match &global.config {
        Some(file) => Some(file.clone()),
        None => config::find(Path::new(".")).map(|file| shown(&file)),
    };
    let mut settings = match file {
        Some(file) => {
            let source = config::read_file(&file).map_err(|source| Failure::Read { path: file.clone(), source })?;
            let outside = Outside { variable, read_file: &config::read_file };
            let kinds = KINDS.map(|kind| kind.name);
            let free: Vec<&str> =
                KINDS.into_iter().filter(|kind| kind.cost == Cost::Free).map(|kind| kind.name).collect();
            let known = Known { kinds: &kinds, free_kinds: &free, checks: &kinds };
            config::load(&source, &file, global.env.as_deref(), &known, &outside)?
        }
        None => {
            let settings = config::built_in(Path::new("."), global.env.as_deref())?;
            output.talk("no pixform.yaml here: using the built-in environment `local` (SQLite and files in .pixform, placeholder pictures)");
            settings
        }
    };
    if let (Some(_), Ok(here)) = (&global.config, std::env::current_dir()) {
        // A file that was taken from elsewhere says where things live; what is wanted is still here.
        settings.project = here;
    }
    for warning in &settings.warnings {
        output.warn(&warning.message, &warning.help, None);
    }
    Ok(settings)
}

/// Returns a path as people know it: relative to the working folder where it lies below it.
pub fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or_else(|| path.to_path_buf())
}

/// Returns what the environment allows.
pub fn rules(settings: &Settings) -> Result<Rules, Failure> {
    rules_with(settings, stores::url_base(settings)?.unwrap_or_default())
}

/// Returns the same for a command that opens nothing: where files are fetched may depend on a variable that is not set.
pub fn rules_without_secrets(settings: &Settings) -> Result<Rules, Failure> {
    let base = stores::url_base(settings).map(Option::unwrap_or_default);
    rules_with(settings, base.unwrap_or_else(|_| "https://unset/".to_owned()))
}

fn rules_with(settings: &Settings, url_base: String) -> Result<Rules, Failure> {
    // Only a placeholder stands in for another kind.
    let rules = |of: &'static KindSpec, checks: Option<&'static KindSpec>| match of.name == PLACEHOLDER.name {
        true => GeneratorRules { kind: of, checks: checks.unwrap_or(of) },
        false => GeneratorRules { kind: of, checks: of },
    };
    let mut generators: BTreeMap<GeneratorName, GeneratorRules> = settings
        .generators
        .iter()
        .map(|(name, generator)| {
            (name.clone(), rules(services::kind_of(generator), generator.checks_as.as_deref().and_then(kind)))
        })
        .collect();
    if settings.any_generator {
        let named = KINDS.into_iter().filter_map(|checks| Some((checks.name.parse().ok()?, checks)));
        generators.extend(named.map(|(name, checks)| (name, rules(PLACEHOLDER, Some(checks)))));
    }
    Ok(Rules {
        environment: settings.environment.clone(),
        generators,
        any_generator: settings.any_generator.then(|| rules(PLACEHOLDER, None)),
        images_max: settings.images_max,
        tables: settings.tables.clone(),
        url_base,
    })
}

/// Returns the manifests that a command means: those named, or those found.
pub fn paths(args: &ManifestArgs, settings: &Settings) -> Result<Vec<PathBuf>, Failure> {
    match args.manifests.as_slice() {
        [] => found(settings),
        named => Ok(named.to_vec()),
    }
}

/// Reads the manifests of a command; what is wrong with one is told at once and stops only its own collection.
pub fn manifests(args: &ManifestArgs, settings: &Settings, output: &Output) -> Result<Loaded, Failure> {
    manifests_with(args, settings, &rules(settings)?, output)
}

/// Does the same for a command that opens nothing.
pub fn manifests_without_secrets(args: &ManifestArgs, settings: &Settings, output: &Output) -> Result<Loaded, Failure> {
    manifests_with(args, settings, &rules_without_secrets(settings)?, output)
}

fn manifests_with(args: &ManifestArgs, settings: &Settings, rules: &Rules, output: &Output) -> Result<Loaded, Failure> {
    let paths = paths(args, settings)?;
    let mut all = if args.manifests.is_empty() { AllManifests::Read } else { AllManifests::Some };
    let mut loaded: BTreeMap<String, Vec<DeclaredManifest>> = BTreeMap::new();
    let mut broken = 0;
    for path in paths {
        let result = read(&path).and_then(|source| {
            let file = path.display().to_string();
            let loaded = Manifest::load(&file, &source, rules.clone()).map_err(Failure::from)?;
            if rules.url_base.is_empty() {
                with_url(&loaded.0, &loaded.1)?
            }
            Ok(loaded)
        });
        match result {
            Ok((manifest, heads)) => {
                for warning in &manifest.warnings {
                    output.warn(&warning.message, &warning.help, Some(&manifest.place(warning.span)));
                }
                loaded.entry(manifest.name.to_string()).or_default().push(DeclaredManifest { manifest, heads });
            }
            Err(failure) => {
                broken += 1;
                output.report(&failure);
            }
        }
    }
    let mut declared = Vec::new();
    for (name, mut same) in loaded {
        if let ([first, second, ..], count) = (same.as_slice(), same.len()) {
            output.report(&declared_twice(&name, &first.manifest, &second.manifest).into());
            broken += count;
        } else {
            declared.append(&mut same);
        }
    }
    if broken > 0 {
        all = AllManifests::Some;
    }
    Ok(Loaded { declared, broken, all })
}

/// Refuses columns with a URL where nobody knows under which URL the files are fetched.
fn with_url(manifest: &Manifest, heads: &Heads) -> Result<(), Failure> {
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
    Err(Failure::usage(message, help))
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
fn found(settings: &Settings) -> Result<Vec<PathBuf>, Failure> {
    match found_in(&settings.project) {
        Err(Failure::NoManifest { looked }) if settings.project != settings.root => {
            found_in(&settings.root).map_err(|_| Failure::NoManifest { looked })
        }
        found => found,
    }
}

/// Finds the manifests of a folder: every YAML file of its `manifests/`, or its own with a top-level `collection:`.
pub fn found_in(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = root.join("manifests");
    let (folder, every) = match folder.is_dir() {
        true => (folder, true),
        false => (root.to_path_buf(), false),
    };
    let entries = std::fs::read_dir(&folder).map_err(|source| Failure::Read { path: shown(&folder), source })?;
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
        return Err(Failure::NoManifest { looked: format!("{}/", shown(&folder).display()) });
    }
    Ok(paths)
}

/// Tells whether a file of this name can be a manifest that nobody named: YAML, and not hidden, as `*.yaml` in a shell.
/// Editors and systems leave files such as `.#a.yaml` and `._a.yaml` beside those that people write.
pub fn is_manifest_name(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.starts_with('.') && name != config::FILE_NAME
}

fn names_a_collection(path: &Path) -> bool {
    read(path).is_ok_and(|source| source.lines().any(|line| line.starts_with("collection:")))
}

/// Reads a manifest: bounded, and as UTF-8.
pub fn read(path: &Path) -> Result<String, Failure> {
    let failure = |source| Failure::Read { path: path.to_path_buf(), source };
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
fn check_link(path: &Path) -> Result<(), Failure> {
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
    Err(Failure::usage(message, "put the manifest itself there, or name it by its own path"))
}

/// Opens the environment, without anybody who makes pictures.
pub async fn world(settings: &Settings, access: Access) -> Result<World, Failure> {
    world_with(settings, access, Generators::default()).await
}

/// Tells what is odd about where things live.
fn warn_of_addresses(settings: &Settings, output: &Output) {
    for warning in crate::state::url_warnings(settings.state.expose()) {
        output.warn(&warning.message, &warning.help, None);
    }
}

/// Opens the environment with services that make pictures.
pub async fn world_with(settings: &Settings, access: Access, generators: Generators) -> Result<World, Failure> {
    let addresses = Addresses { state: settings.state.expose(), storage: &stores::stores(settings)? };
    let url_base = stores::url_base(settings)?.unwrap_or_default();
    let mut world = World::open(&settings.environment, addresses, access, generators, url_base).await?;
    world.memory = Memory::new(settings.memory);
    Ok(world)
}

/// Returns seconds since 1970.
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map(|elapsed| elapsed.as_secs() as i64).unwrap_or_default()
}

/// Returns the time as RFC 3339 text in UTC, to the second.
pub fn timestamp() -> String {
    jiff::Timestamp::from_second(now()).map(|time| time.to_string()).unwrap_or_default()
}

/// Returns where the database is, for people; a server's address may hold a password and is not told.
pub fn describe_state(settings: &Settings) -> String {
    let place = crate::state::place(settings.state.expose());
    match (settings.state.scheme(), place) {
        (Some("sqlite"), Some(path)) => shown(Path::new(&path)).display().to_string(),
        (_, Some(place)) => format!("Postgres at {place}"),
        (scheme, None) => scheme.unwrap_or("the state").to_owned(),
    }
}

/// Returns where the pictures are, for people.
pub fn describe_storage(settings: &Settings, world: &World) -> String {
    match settings.storage.url.expose().strip_prefix("file:") {
        Some(path) => shown(Path::new(path)).display().to_string(),
        None => world.storage.describe(),
    }
}
