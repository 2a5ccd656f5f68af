//! From the chosen environment as it is written to [`Settings`]: variables filled in, paths made absolute, kinds known.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::asset::GeneratorName;
use crate::manifest::{IMAGES_MAX, Placed};
use crate::memory::MEMORY_DEFAULT;
use crate::yaml::Mistakes;

use super::document::{ConfigDocument, EnvironmentLine};
use super::field_readers::{listed, meant};
use super::generator::settle_generator;
use super::settle_context::SettleContext;
use super::store::settle_storage;
use super::store_url::{certificate_rooted, url};
use super::variables::Variables;
use super::{ConfigError, Origin, SecretText, Settings};

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
    document: ConfigDocument,
    asked: Option<&str>,
    file: &Arc<str>,
    root: &Path,
    mistakes: &mut Mistakes,
) -> Result<Option<Chosen>, ConfigError> {
    let ConfigDocument { default_environment, env_file, mut environments } = document;
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
    context: &SettleContext<'_>,
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
    let SettleContext { root, source, kinds: _, outside } = context;
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
