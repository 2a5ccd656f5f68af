//! `pixform.yaml` as it is written: every environment, read as far as that goes without knowing which is chosen.
//!
//! Field names and types are checked here, for all environments; what a value means is checked for the chosen one only.

use std::path::PathBuf;

use crate::asset::{GeneratorName, KindSpec, NAME_BYTES_MAX, TableName, is_identifier};
use crate::manifest::Placed;
use crate::memory::{MEMORY_MAX, MEMORY_MIN};
use crate::yaml::{Fields, MapEntry, Mistakes, Node};

use super::field_readers::{map, meant, money, size, text, whole, word};
use super::generator::{GeneratorLine, read_generators};
use super::store::{StorageLine, read_storage};
use super::store_url::{HOME, is_home};
use super::{GuardSettings, OnUnknown, RawText};

/// The fields of `pixform.yaml`.
pub const FIELDS: [&str; 4] = ["version", "default_environment", "env_file", "environments"];

/// The fields of an environment.
pub const ENVIRONMENT_FIELDS: [&str; 9] =
    ["env_file", "state", "storage", "generators", "guards", "limits", "publish", "on_unknown", "on_unknown_max"];

/// The fields of `guards`.
pub const GUARD_FIELDS: [&str; 3] = ["max_cost", "max_cost_month", "max_deletions"];

/// The fields of `limits`.
pub const LIMIT_FIELDS: [&str; 2] = ["images", "memory"];

/// The fields of `publish`.
pub const PUBLISH_FIELDS: [&str; 1] = ["tables"];

/// The values of `on_unknown`, with what they mean where `on_unknown_max` is not set.
pub const ON_UNKNOWN: [(&str, OnUnknown); 2] = [("ask", OnUnknown::Ask), ("retry", OnUnknown::Retry { times_max: 1 })];

/// How many images `limits.images` may allow in one collection.
pub const IMAGES_CEILING: u64 = 10_000_000;

/// How many deletions `guards.max_deletions` may allow.
pub const DELETIONS_CEILING: u64 = IMAGES_CEILING;

/// How often a call whose outcome is unknown may be repeated by itself.
pub const ON_UNKNOWN_CEILING: u64 = 10;

/// Most tables that `publish.tables` may list.
const TABLES_MAX: usize = 1_000;

/// The file as it is written.
#[derive(Debug)]
pub struct ConfigDocument {
    /// The environment that is meant where none is named.
    pub default_environment: Option<Placed<String>>,
    /// A file with variables for every environment.
    pub env_file: Option<Placed<PathBuf>>,
    /// The environments, in the order of the file.
    pub environments: Vec<EnvironmentLine>,
}

/// One environment as it is written.
#[derive(Debug)]
pub struct EnvironmentLine {
    /// Its name.
    pub name: Placed<String>,
    /// A file with variables for it.
    pub env_file: Option<Placed<PathBuf>>,
    /// Where records are kept.
    pub state: Option<RawText>,
    /// Where files are kept.
    pub storage: Option<StorageLine>,
    /// Its generators.
    pub generators: Vec<(Placed<GeneratorName>, GeneratorLine)>,
    /// What a plan may not exceed.
    pub guards: GuardSettings,
    /// Images one collection may have.
    pub images_max: Option<u64>,
    pub memory: Option<u64>,
    /// Tables that may be published to.
    pub tables: Option<Vec<TableName>>,
    /// What to do with a call whose outcome is unknown.
    pub on_unknown: OnUnknown,
}

/// Reads a document from a tree, collecting every mistake.
pub fn read(root: Node<'_>, kinds: &[&'static KindSpec], mistakes: &mut Mistakes) -> Option<ConfigDocument> {
    let what = "pixform.yaml";
    let mut fields = Fields::of(root, what, mistakes)?;
    read_version(&mut fields, mistakes);
    let default_environment = word(&mut fields, "default_environment", mistakes);
    let env_file = read_env_file(&mut fields, mistakes);
    let help = "write `local:` below it, and below that `state: sqlite:.pixform/state.db`";
    let environments = fields.require("environments", help, mistakes);
    fields.finish(what, &FIELDS, mistakes);
    let (key, node) = environments?;
    let mut environments = Vec::new();
    for MapEntry { key, value } in Fields::of(node, "`environments`", mistakes)?.rest() {
        let letter_first = key.text.starts_with(|first: char| first.is_ascii_alphabetic());
        if !letter_first || !is_identifier(&key.text.replace('-', "_")) {
            let message = format!("`{}` cannot be the name of an environment", key.text);
            let help = format!("use letters, digits, `-` and `_`, a letter first, at most {NAME_BYTES_MAX}");
            mistakes.add(key.span, message, help);
        }
        let name = Placed { span: key.span, value: key.text.into_owned() };
        environments.extend(read_environment(name, value, kinds, mistakes));
    }
    if environments.is_empty() && mistakes.is_empty() {
        mistakes.add(key.span, "`environments` names none", help);
    }
    Some(ConfigDocument { default_environment, env_file, environments })
}

fn read_version(fields: &mut Fields<'_>, mistakes: &mut Mistakes) {
    let Some((_, node)) = fields.require("version", "begin the file with `version: 1`", mistakes) else { return };
    let Some((span, scalar)) = node.scalar("`version`", mistakes) else { return };
    if scalar.integer(1) != Ok(1) {
        let message = format!("version `{}` is not known", scalar.text);
        mistakes.add(span, message, "write `version: 1`, or use a newer pixform");
    }
}

fn read_environment(
    name: Placed<String>,
    node: Node<'_>,
    kinds: &[&'static KindSpec],
    mistakes: &mut Mistakes,
) -> Option<EnvironmentLine> {
    let what = format!("the environment `{}`", name.value);
    let mut fields = Fields::of(node, &what, mistakes)?;
    let env_file = read_env_file(&mut fields, mistakes);
    let state = text(&mut fields, "state", mistakes);
    let storage = fields.take("storage").and_then(|(_, node)| read_storage(node, mistakes));
    let generators = read_generators(&mut fields, kinds, mistakes);
    let mut guards = GuardSettings::default();
    if let Some(mut inner) = map(&mut fields, "guards", mistakes) {
        guards.max_cost = money(&mut inner, "max_cost", mistakes).map(|placed| placed.value);
        guards.max_cost_month = money(&mut inner, "max_cost_month", mistakes).map(|placed| placed.value);
        guards.max_deletions = whole(&mut inner, "max_deletions", 0, DELETIONS_CEILING, mistakes);
        inner.finish("`guards`", &GUARD_FIELDS, mistakes);
    }
    let (mut images_max, mut memory) = (None, None);
    if let Some(mut inner) = map(&mut fields, "limits", mistakes) {
        images_max = whole(&mut inner, "images", 1, IMAGES_CEILING, mistakes);
        memory = size(&mut inner, "memory", MEMORY_MIN..=MEMORY_MAX, mistakes);
        inner.finish("`limits`", &LIMIT_FIELDS, mistakes);
    }
    let mut tables = None;
    if let Some(mut inner) = map(&mut fields, "publish", mistakes) {
        tables = read_tables(&mut inner, mistakes);
        inner.finish("`publish`", &PUBLISH_FIELDS, mistakes);
    }
    let on_unknown = read_on_unknown(&mut fields, mistakes);
    fields.finish(&what, &ENVIRONMENT_FIELDS, mistakes);
    Some(EnvironmentLine { name, env_file, state, storage, generators, guards, images_max, memory, tables, on_unknown })
}

fn read_tables(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Vec<TableName>> {
    let (key, node) = fields.take("tables")?;
    let items = node.list("`tables`", mistakes)?;
    if items.len() > TABLES_MAX {
        mistakes.add(key.span, format!("`tables` lists more than {TABLES_MAX} tables"), "leave it out to allow any");
    }
    let mut tables = Vec::new();
    for item in items {
        let Some((span, scalar)) = item.scalar("a table's name", mistakes) else { continue };
        match scalar.text.parse::<TableName>() {
            Ok(table) => tables.push(table),
            Err(error) => mistakes.add(span, error.to_string(), "name a table that manifests may publish to"),
        }
    }
    Some(tables)
}

fn read_on_unknown(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> OnUnknown {
    let chosen = word(fields, "on_unknown", mistakes);
    let (_, asked) = ON_UNKNOWN[0];
    let what = match &chosen {
        None => asked,
        Some(chosen) => ON_UNKNOWN.iter().find(|(name, _)| *name == chosen.value).map_or_else(
            || {
                let help = meant(&chosen.value, &ON_UNKNOWN.map(|(name, _)| name), "write");
                mistakes.add(chosen.span, format!("`{}` is no way to treat unknown calls", chosen.value), help);
                asked
            },
            |(_, what)| *what,
        ),
    };
    let times = whole(fields, "on_unknown_max", 1, ON_UNKNOWN_CEILING, mistakes);
    match (what, times) {
        (OnUnknown::Retry { .. }, Some(times)) => OnUnknown::Retry { times_max: times as u32 },
        (what, _) => what,
    }
}

fn read_env_file(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Placed<PathBuf>> {
    let Placed { span, value } = word(fields, "env_file", mistakes)?;
    if value.is_empty() {
        mistakes.add(span, "`env_file` is empty", "name a file, as in `env_file: .env.local`");
    } else if is_home(&value) {
        mistakes.add(span, HOME.0, HOME.1);
    }
    Some(Placed { span, value: value.into() })
}
