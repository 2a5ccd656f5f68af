//! The services that make pictures, as the environment configures them; and what they cost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::asset::{Cost, GeneratorName, KindSpec, MicroUsd, Pace};
use crate::config::{self, ConfigError, GeneratorSettings, Known, ModerationSettings, Outside, RawText, Settings};
use crate::generator::{
    Generator, KINDS, Moderation, NSFW_DETECTION_PRICE, Novita, NovitaSettings, PLACEHOLDER, Placeholder, kind,
};
use crate::manifest::{GeneratorRules, Rules};
use crate::plan::Plan;
use crate::world::{Generators, Service};

use super::EngineError;
use super::surroundings::outside;

/// Settles an environment of a `pixform.yaml`, in which generators are of the kinds that there are.
///
/// # Errors
/// As [`config::load`].
pub fn settings(
    source: &str,
    file: &Path,
    environment: Option<&str>,
    outside: &Outside<'_>,
) -> Result<Settings, ConfigError> {
    let kinds = KINDS.map(|kind| kind.name);
    let free: Vec<&str> = KINDS.into_iter().filter(|kind| kind.cost == Cost::Free).map(|kind| kind.name).collect();
    let known = Known { kinds: &kinds, free_kinds: &free, checks: &kinds };
    config::load(source, file, environment, &known, outside)
}

/// Returns what manifests may say: what the kinds of their generators take, and where files are fetched.
pub fn rules(settings: &Settings, url_base: String) -> Rules {
    // Only a placeholder stands in for another kind.
    let rules = |of: &'static KindSpec, checks: Option<&'static KindSpec>| match of.name == PLACEHOLDER.name {
        true => GeneratorRules { kind: of, checks: checks.unwrap_or(of) },
        false => GeneratorRules { kind: of, checks: of },
    };
    let mut generators: BTreeMap<GeneratorName, GeneratorRules> = settings
        .generators
        .iter()
        .map(|(name, generator)| {
            (name.clone(), rules(kind_of(generator), generator.checks_as.as_deref().and_then(kind)))
        })
        .collect();
    if settings.any_generator {
        let named = KINDS.into_iter().filter_map(|checks| Some((checks.name.parse().ok()?, checks)));
        generators.extend(named.map(|(name, checks)| (name, rules(PLACEHOLDER, Some(checks)))));
    }
    Rules {
        environment: settings.environment.clone(),
        generators,
        any_generator: settings.any_generator.then(|| rules(PLACEHOLDER, None)),
        images_max: settings.images_max,
        tables: settings.tables.clone(),
        url_base,
    }
}

/// Returns a generator's kind.
pub fn kind_of(generator: &GeneratorSettings) -> &'static KindSpec {
    kind(&generator.kind).expect("the configuration holds only kinds that it was told of")
}

/// Returns what a new picture costs, by generator name: only paid generators have a price.
pub fn prices(settings: &Settings) -> BTreeMap<String, MicroUsd> {
    let price = |(name, generator): (&GeneratorName, &GeneratorSettings)| {
        let looking = generator.moderation.map(|moderation| moderation.price.unwrap_or(NSFW_DETECTION_PRICE));
        let price = generator.price?.0 + looking.unwrap_or_default().0;
        Some((name.to_string(), MicroUsd(price)))
    };
    settings.generators.iter().filter_map(price).collect()
}

/// Sets up the services that a plan needs, and reads their keys, which nothing else needs.
///
/// # Errors
/// When one of them is not configured as it has to be.
pub fn needed(settings: &Settings, plan: &Plan) -> Result<Generators, EngineError> {
    // A run that buys nothing needs no key, except for what is paid for already.
    let buys = plan.cap != Some(MicroUsd(0));
    let carried_out = plan.changes().filter(|(_, change)| buys || change.price == MicroUsd(0));
    let names: BTreeSet<&GeneratorName> = carried_out.filter_map(|(_, change)| change.generator.as_ref()).collect();
    let mut named = BTreeMap::new();
    for name in names {
        if let Some(generator) = settings.generators.get(name) {
            named.insert(name.clone(), service(settings, name, generator)?);
        }
    }
    Ok(Generators { named, any: settings.any_generator.then(placeholder) })
}

fn placeholder() -> Service {
    Service { generator: Arc::new(Placeholder), cost: PLACEHOLDER.cost, pace: PLACEHOLDER.pace }
}

fn service(settings: &Settings, name: &GeneratorName, generator: &GeneratorSettings) -> Result<Service, EngineError> {
    let kind = kind_of(generator);
    if kind.name == PLACEHOLDER.name {
        return Ok(placeholder());
    }
    let service: Arc<dyn Generator> = Arc::new(novita(settings, name, generator)?);
    let usual = kind.pace;
    let pace = Pace {
        concurrency: generator.concurrency.map_or(usual.concurrency, |most| most as usize),
        images_per_minute: generator.images_per_minute.or(usual.images_per_minute),
        min_interval: generator.min_interval.unwrap_or(usual.min_interval),
        deadline: generator.deadline.unwrap_or(usual.deadline),
    };
    Ok(Service { generator: service, cost: kind.cost, pace })
}

fn novita(settings: &Settings, name: &GeneratorName, generator: &GeneratorSettings) -> Result<Novita, EngineError> {
    let expand = |raw: &RawText| settings.expand(raw, &outside()).map(|text| text.expose().to_owned());
    let Some(key) = &generator.api_key else {
        let message = format!("the generator `{name}` has no `api_key`");
        return Err(EngineError::unfit(message, "write `api_key: \"${NOVITA_API_KEY}\"` where it is configured"));
    };
    let key = expand(key)?;
    if key.trim().is_empty() {
        let message = format!("the `api_key` of the generator `{name}` is empty");
        return Err(EngineError::unfit(message, "set the variable that it names"));
    }
    let moderation = generator.moderation.map(|ModerationSettings { level, price: _ }| Moderation { level });
    let settings = NovitaSettings {
        base_url: generator.base_url.as_ref().map(expand).transpose()?,
        api_key: key,
        path: generator.path.clone(),
        result_path: generator.result_path.clone(),
        moderation,
        request_time: generator.request_timeout,
    };
    Novita::new(settings).map_err(|error| {
        EngineError::unfit(format!("the generator `{name}` cannot be used: {error}"), "correct it in pixform.yaml")
    })
}
