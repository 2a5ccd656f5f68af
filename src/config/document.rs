//! `pixform.yaml` as it is written: every environment, read as far as that goes without knowing which is chosen.
//!
//! Field names and types are checked here, for all environments; what a value means is checked for the chosen one only.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::asset::{GeneratorName, KindSpec, MicroUsd, NAME_BYTES_MAX, TableName, is_identifier};
use crate::manifest::Placed;
use crate::memory::{MEMORY_MAX, MEMORY_MIN};
use crate::yaml::{Fields, MapEntry, Mistakes, Node, Scalar, Span, nearest};

use super::generator::{GeneratorLine, read_generators};
use super::settle::{HOME, is_home};
use super::store::{StorageLine, read_storage};
use super::{GuardSettings, OnUnknown, RawText};

/// The fields of `pixform.yaml`.
pub const FIELDS: [&str; 4] = ["version", "default_environment", "env_file", "environments"];

/// The fields of an environment.
pub const ENVIRONMENT_FIELDS: [&str; 9] =
    ["env_file", "state", "storage", "generators", "guards", "limits", "publish", "on_unknown", "on_unknown_max"];

/// The fields of `storage`.
pub const STORAGE_FIELDS: [&str; 13] = [
    "url",
    "public_url",
    "endpoint",
    "region",
    "account",
    "key",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "path_style",
    "create_bucket",
    "originals",
    "previous",
];

/// The fields of `originals`, and of `previous` where it is more than a URL.
pub const STORE_FIELDS: [&str; 10] = [
    "url",
    "endpoint",
    "region",
    "account",
    "key",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "path_style",
    "create_bucket",
];

/// The fields of `guards`.
pub const GUARD_FIELDS: [&str; 3] = ["max_cost", "max_cost_month", "max_deletions"];

/// The fields of `limits`.
pub const LIMIT_FIELDS: [&str; 2] = ["images", "memory"];

/// The fields of `publish`.
pub const PUBLISH_FIELDS: [&str; 1] = ["tables"];

/// The values of `on_unknown`, with what they mean where `on_unknown_max` is not set.
pub const ON_UNKNOWN: [(&str, OnUnknown); 2] = [("ask", OnUnknown::Ask), ("retry", OnUnknown::Retry { times_max: 1 })];

/// The units of an amount of memory, with their bytes.
pub const MEMORY_UNITS: [(&str, u64); 2] = [("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024)];

/// How many images `limits.images` may allow in one collection.
pub const IMAGES_CEILING: u64 = 10_000_000;

/// How many deletions `guards.max_deletions` may allow.
pub const DELETIONS_CEILING: u64 = IMAGES_CEILING;

/// The longest pause between two calls of one generator.
pub const INTERVAL_CEILING: Duration = Duration::from_secs(3_600);

/// How often a call whose outcome is unknown may be repeated by itself.
pub const ON_UNKNOWN_CEILING: u64 = 10;

/// Most tables that `publish.tables` may list.
const TABLES_MAX: usize = 1_000;

/// The file as it is written.
#[derive(Debug)]
pub struct Document {
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
pub fn read(root: Node<'_>, kinds: &[&'static KindSpec], mistakes: &mut Mistakes) -> Option<Document> {
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
    Some(Document { default_environment, env_file, environments })
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

/// Opens an inner map; nothing at all is none.
pub(super) fn map<'s>(fields: &mut Fields<'s>, name: &str, mistakes: &mut Mistakes) -> Option<Fields<'s>> {
    let (_, node) = fields.take(name)?;
    if node.is_null() { None } else { Fields::of(node, &format!("`{name}`"), mistakes) }
}

pub(super) fn scalar<'s>(fields: &mut Fields<'s>, name: &str, mistakes: &mut Mistakes) -> Option<(Span, Scalar<'s>)> {
    let (_, node) = fields.take(name)?;
    node.scalar(&format!("`{name}`"), mistakes)
}

/// Takes a text that may hold variables.
pub(super) fn text(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<RawText> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    Some(RawText { span, text: scalar.text.into_owned() })
}

/// Takes a text that holds none.
pub(super) fn word(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Placed<String>> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    Some(Placed { span, value: scalar.text.into_owned() })
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

pub(super) fn whole(
    fields: &mut Fields<'_>,
    name: &str,
    least: u64,
    most: u64,
    mistakes: &mut Mistakes,
) -> Option<u64> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    let words = match scalar.integer(most) {
        Ok(number) if number >= least => return Some(number),
        Ok(number) => format!("must be at least {least}, is {number}"),
        Err(words) => words,
    };
    mistakes.add(span, format!("`{name}` {words}"), format!("write {least} to {most}"));
    None
}

pub(super) fn truth(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<bool> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    scalar.truth().map_err(|words| mistakes.add(span, format!("`{name}` {words}"), "write it without quotes")).ok()
}

pub(super) fn money(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Placed<MicroUsd>> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    match scalar.text.parse() {
        Ok(value) => Some(Placed { span, value }),
        Err(_) => {
            let help = "write US dollars with at most six decimals, as in `0.015`";
            mistakes.add(span, format!("`{name}` is no amount of money"), help);
            None
        }
    }
}

pub(super) fn duration(
    fields: &mut Fields<'_>,
    name: &str,
    least: Duration,
    mistakes: &mut Mistakes,
) -> Option<Duration> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let read = units.iter().find_map(|(unit, milliseconds)| {
        let number = scalar.text.strip_suffix(unit)?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = if plain { number.parse().ok()? } else { return None };
        Some(Duration::from_millis(number.checked_mul(*milliseconds)?))
    });
    match read {
        Some(duration) if duration < least => {
            let help = format!("write at least `{}ms`", least.as_millis());
            mistakes.add(span, format!("`{name}` is too short: nothing can be done within it"), help);
        }
        Some(duration) if duration <= INTERVAL_CEILING => return Some(duration),
        Some(_) => {
            mistakes.add(span, format!("`{name}` must be at most an hour"), "write it as in `1500ms`, `2s`, `1m`")
        }
        None => mistakes.add(span, format!("`{name}` is no length of time"), "write it as in `1500ms`, `2s`, `1m`"),
    }
    None
}

/// Reads an amount of memory, in bytes.
pub(super) fn size(
    fields: &mut Fields<'_>,
    name: &str,
    bounds: RangeInclusive<u64>,
    mistakes: &mut Mistakes,
) -> Option<u64> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    let read = MEMORY_UNITS.iter().find_map(|(unit, bytes)| {
        let number = scalar.text.strip_suffix(unit)?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if plain { number.parse::<u64>().ok()?.checked_mul(*bytes) } else { None }
    });
    let help = "write it as in `512MiB`, `2GiB`";
    match read {
        Some(bytes) if bounds.contains(&bytes) => return Some(bytes),
        Some(_) => {
            let [least, most] = [bounds.start(), bounds.end()].map(|bytes| bytes / MEMORY_UNITS[0].1);
            mistakes.add(span, format!("`{name}` must be from {least}MiB to {most}MiB"), help);
        }
        None => mistakes.add(span, format!("`{name}` is no amount of memory"), help),
    }
    None
}

/// What to do about a word that is none of those that are known; the verb introduces their list.
pub fn meant(word: &str, known: &[&str], verb: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{verb} {}", listed(known)),
    }
}

/// Lists names for a message: `` `a`, `b` or `c` ``.
pub fn listed(names: &[&str]) -> String {
    let mut text = String::new();
    for (number, name) in names.iter().enumerate() {
        text += match number {
            0 => "",
            _ if number + 1 == names.len() => " or ",
            _ => ", ",
        };
        text += &format!("`{name}`");
    }
    text
}
