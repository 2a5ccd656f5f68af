//! The services that make pictures, as the environment configures them; and what they cost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::asset::{GeneratorName, KindSpec, Locality, MicroUsd, Pace};
use crate::config::{GeneratorSettings, RawText, Settings};
use crate::generator::{Kinds, Opening, PLACEHOLDER, Placeholder};
use crate::manifest::{GeneratorRules, Rules};
use crate::plan::Plan;
use crate::world::{Generators, Service};

use super::EngineError;
use super::surroundings::outside;

/// Returns what manifests may say: what the kinds of their generators take, and where files are fetched.
pub fn rules(settings: &Settings, kinds: Kinds, url_base: String) -> Rules {
    let rules = |kind: &'static KindSpec, checks_as: Option<&'static KindSpec>| GeneratorRules {
        kind,
        checks: checks_as.unwrap_or(kind),
    };
    let named = settings.generators.iter();
    let mut generators: BTreeMap<GeneratorName, GeneratorRules> =
        named.map(|(name, generator)| (name.clone(), rules(generator.kind, generator.checks_as))).collect();
    if settings.any_generator {
        let named = kinds.specs().into_iter().filter_map(|checks| Some((checks.name.parse().ok()?, checks)));
        generators.extend(named.map(|(name, checks)| (name, rules(PLACEHOLDER, Some(checks)))));
    }
    Rules {
        environment: settings.environment.clone(),
        generators,
        any_generator: settings.any_generator.then(|| rules(PLACEHOLDER, None)),
        elsewhere: settings.elsewhere.clone(),
        images_max: settings.images_max,
        tables: settings.tables.clone(),
        url_base,
    }
}

/// Returns what a new picture costs, by generator name: only paid generators have a price.
pub fn prices(settings: &Settings) -> BTreeMap<String, MicroUsd> {
    let price = |(name, generator): (&GeneratorName, &GeneratorSettings)| {
        let surcharge = (generator.kind.surcharge)(&generator.options);
        Some((name.to_string(), MicroUsd(generator.price?.0 + surcharge.0)))
    };
    settings.generators.iter().filter_map(price).collect()
}

/// Sets up the services that a plan needs, and reads their keys, which nothing else needs.
///
/// # Errors
/// When one of them is not configured as it has to be.
pub fn needed(settings: &Settings, kinds: Kinds, plan: &Plan) -> Result<Generators, EngineError> {
    // A run that buys nothing needs no key, except for what is paid for already.
    let buys = plan.cap != Some(MicroUsd(0));
    let carried_out = plan.changes().filter(|(_, change)| buys || change.price == MicroUsd(0));
    let names: BTreeSet<&GeneratorName> = carried_out.filter_map(|(_, change)| change.generator.as_ref()).collect();
    let mut named = BTreeMap::new();
    for name in names {
        if let Some(generator) = settings.generators.get(name) {
            named.insert(name.clone(), service(settings, kinds, name, generator)?);
        }
    }
    Ok(Generators { named, any: settings.any_generator.then(placeholder) })
}

fn placeholder() -> Service {
    Service { generator: Arc::new(Placeholder), cost: PLACEHOLDER.cost, pace: PLACEHOLDER.pace }
}

fn service(
    settings: &Settings,
    kinds: Kinds,
    name: &GeneratorName,
    generator: &GeneratorSettings,
) -> Result<Service, EngineError> {
    let kind = kinds.named(generator.kind.name).expect("the configuration holds only kinds that it was told of");
    let expand = |raw: &RawText| settings.expand(raw, &outside()).map(|text| text.expose().to_owned());
    let opening = Opening {
        base_url: generator.base_url.as_ref().map(expand).transpose()?,
        api_key: key(settings, name, generator)?,
        request_timeout: generator.request_timeout,
        options: &generator.options,
    };
    let opened = (kind.open)(&opening).map_err(|error| {
        EngineError::unfit(format!("the generator `{name}` cannot be used: {error}"), "correct it in pixform.yaml")
    })?;
    let usual = kind.spec.pace;
    let pace = Pace {
        concurrency: generator.concurrency.map_or(usual.concurrency, |most| most as usize),
        images_per_minute: generator.images_per_minute.or(usual.images_per_minute),
        min_interval: generator.min_interval.unwrap_or(usual.min_interval),
        deadline: generator.deadline.unwrap_or(usual.deadline),
    };
    Ok(Service { generator: opened, cost: kind.spec.cost, pace })
}

/// Reads the key of a service; what is made here has none.
fn key(settings: &Settings, name: &GeneratorName, generator: &GeneratorSettings) -> Result<String, EngineError> {
    let variable = match generator.kind.reach {
        Locality::Here => return Ok(String::new()),
        Locality::Service { key_variable, .. } => key_variable,
    };
    let Some(key) = &generator.api_key else {
        let message = format!("the generator `{name}` has no `api_key`");
        return Err(EngineError::unfit(
            message,
            format!("write `api_key: \"${{{variable}}}\"` where it is configured"),
        ));
    };
    let key = settings.expand(key, &outside())?.expose().to_owned();
    if key.trim().is_empty() {
        let message = format!("the `api_key` of the generator `{name}` is empty");
        return Err(EngineError::unfit(message, "set the variable that it names"));
    }
    Ok(key)
}
