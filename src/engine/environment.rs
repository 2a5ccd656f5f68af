//! The environment: settings that are settled, and the world that they open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::asset::MicroUsd;
use crate::config::{self, OnUnknown, Outside, Settings};
use crate::generator::Kinds;
use crate::manifest::Rules;
use crate::memory::Memory;
use crate::state::Access;
use crate::storage::{Originals, Readers, Stores};
use crate::world::{Addresses, Generators, World};

use super::surroundings::{shown, variable};
use super::{EngineError, EngineEvent, EngineListener, open_generators, open_originals, store_settings};

/// Which environment is meant.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentChoice {
    /// The `pixform.yaml` to use; else the one of the working folder, or of one above.
    pub file: Option<PathBuf>,
    /// The environment's name; else the default one of that file, or its only one.
    pub name: Option<String>,
    /// The kinds of generators that there are; those of pixform unless others are registered.
    pub kinds: Kinds,
}

/// An environment, settled: what `pixform.yaml` says of it.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What it says.
    pub settings: Settings,
    /// The kinds of generators that there are.
    pub kinds: Kinds,
}

impl Environment {
    /// Settles an environment.
    ///
    /// # Errors
    /// When `pixform.yaml` cannot be read or has mistakes, or no environment is meant.
    pub fn settle(choice: &EnvironmentChoice, listener: &dyn EngineListener) -> Result<Self, EngineError> {
        let environment = settled(choice, &variable, listener)?;
        for warning in crate::state::url_warnings(environment.settings.state.expose()) {
            listener.hear(EngineEvent::Odd { message: &warning.message, help: &warning.help, place: None });
        }
        Ok(environment)
    }

    /// Settles an environment that is not going to be opened: a variable that is missing is no mistake then.
    ///
    /// # Errors
    /// As [`Environment::settle`].
    pub fn settle_closed(choice: &EnvironmentChoice, listener: &dyn EngineListener) -> Result<Self, EngineError> {
        settled(choice, &variable, listener).or_else(|missing| {
            let anything = |name: &str| Some(variable(name).unwrap_or_else(|| "unset".to_owned()));
            settled(choice, &anything, listener).map_err(|_| missing)
        })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.settings.environment
    }

    /// Returns what manifests may say.
    ///
    /// # Errors
    /// When it cannot be told where files are fetched.
    pub fn rules(&self) -> Result<Rules, EngineError> {
        Ok(open_generators::rules(&self.settings, self.kinds, self.url_base()?))
    }

    /// Returns the same for an environment that is not going to be opened: where files are fetched may depend on a variable
    /// that is not set.
    pub fn rules_closed(&self) -> Rules {
        open_generators::rules(
            &self.settings,
            self.kinds,
            self.url_base().unwrap_or_else(|_| "https://unset/".to_owned()),
        )
    }

    /// Returns the part of every file's URL before the path; empty where only the service knows it.
    ///
    /// # Errors
    /// When a variable is missing, or an address cannot be used.
    pub fn url_base(&self) -> Result<String, EngineError> {
        Ok(store_settings::url_base(&self.settings)?.unwrap_or_default())
    }

    /// Returns how the stores are opened.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn stores(&self) -> Result<Stores, EngineError> {
        store_settings::stores(&self.settings)
    }

    /// Returns who fetches published files from the store itself.
    pub fn readers(&self) -> Readers {
        store_settings::readers(&self.settings)
    }

    /// Tells whether originals lie where everybody can fetch what is published.
    ///
    /// # Errors
    /// When a variable is missing, or an address cannot be used.
    pub fn originals(&self) -> Result<Originals, EngineError> {
        open_originals::originals(&self.settings)
    }

    /// Returns what a new picture costs, by generator name: only paid generators have a price.
    pub fn prices(&self) -> BTreeMap<String, MicroUsd> {
        open_generators::prices(&self.settings)
    }

    /// Returns how often a call without an answer is repeated by itself.
    pub fn unknown_retries(&self) -> u32 {
        match self.settings.on_unknown {
            OnUnknown::Ask => 0,
            OnUnknown::Retry { times_max } => times_max,
        }
    }

    /// Opens it, without anybody who makes pictures.
    ///
    /// # Errors
    /// When state or storage cannot be opened.
    pub async fn open(&self, access: Access) -> Result<World, EngineError> {
        self.open_with(access, Generators::default()).await
    }

    /// Opens it with generators.
    ///
    /// # Errors
    /// When state or storage cannot be opened.
    pub async fn open_with(&self, access: Access, generators: Generators) -> Result<World, EngineError> {
        let settings = &self.settings;
        let addresses = Addresses { state: settings.state.expose(), storage: &self.stores()? };
        let mut world = World::open(&settings.environment, addresses, access, generators, self.url_base()?).await?;
        world.memory = Memory::new(settings.memory);
        Ok(world)
    }
}

fn settled(
    choice: &EnvironmentChoice,
    variable: &dyn Fn(&str) -> Option<String>,
    listener: &dyn EngineListener,
) -> Result<Environment, EngineError> {
    let file = choice.file.clone().or_else(|| config::find(Path::new(".")).map(|file| shown(&file)));
    let mut settings = match file {
        Some(file) => {
            let source = config::read_file(&file).map_err(|source| EngineError::Read { path: file.clone(), source })?;
            let outside = Outside { variable, read_file: &config::read_file };
            config::load(&source, &file, choice.name.as_deref(), &choice.kinds.specs(), &outside)?
        }
        None => {
            let settings = config::built_in(Path::new("."), choice.name.as_deref())?;
            listener.hear(EngineEvent::BuiltIn);
            settings
        }
    };
    if let (Some(_), Ok(here)) = (&choice.file, std::env::current_dir()) {
        // A file that was taken from elsewhere says where things live; what is wanted is still here.
        settings.project = here;
    }
    for warning in &settings.warnings {
        listener.hear(EngineEvent::Odd { message: &warning.message, help: &warning.help, place: None });
    }
    Ok(Environment { settings, kinds: choice.kinds })
}
