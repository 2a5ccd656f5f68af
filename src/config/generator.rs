//! A generator as it is written in `pixform.yaml`, and settled.

use std::time::Duration;

use crate::asset::{GeneratorName, MicroUsd};
use crate::manifest::Placed;
use crate::yaml::{Fields, MapEntry, Mistake, Mistakes, Node, Span};

use super::document::{duration, listed, map, meant, money, text, truth, whole, word};
use super::settle::Context;
use super::variables::check;
use super::{GeneratorSettings, Known, ModerationSettings, RawText};

/// The fields of a generator.
pub const GENERATOR_FIELDS: [&str; 15] = [
    "kind",
    "checks_as",
    "price",
    "base_url",
    "path",
    "result_path",
    "api_key",
    "concurrency",
    "images_per_minute",
    "min_interval",
    "deadline",
    "request_timeout",
    "enable_nsfw_detection",
    "nsfw_detection_level",
    "nsfw_detection_price",
];

/// How many calls one generator may have in flight.
pub const CONCURRENCY_CEILING: u64 = 1_000;

/// How many images a minute one generator may be asked for.
pub const IMAGES_PER_MINUTE_CEILING: u64 = 1_000_000;

/// The shortest time in which anything can be answered.
const TIME_LEAST: Duration = Duration::from_millis(1);

/// The strictest level of moderation.
pub const NSFW_LEVEL_CEILING: u64 = 2;

/// A generator as it is written.
#[derive(Debug)]
pub struct GeneratorLine {
    kind: Option<Placed<String>>,
    checks_as: Option<Placed<String>>,
    price: Option<Placed<MicroUsd>>,
    base_url: Option<RawText>,
    path: Option<Placed<String>>,
    result_path: Option<Placed<String>>,
    api_key: Option<RawText>,
    concurrency: Option<u64>,
    images_per_minute: Option<u64>,
    min_interval: Option<Duration>,
    deadline: Option<Duration>,
    request_timeout: Option<Duration>,
    moderation: Option<ModerationSettings>,
}

/// Reads the generators of an environment.
pub fn read_generators(
    fields: &mut Fields<'_>,
    mistakes: &mut Mistakes,
) -> Vec<(Placed<GeneratorName>, GeneratorLine)> {
    let Some(mut fields) = map(fields, "generators", mistakes) else { return Vec::new() };
    let mut generators = Vec::new();
    for MapEntry { key, value } in fields.rest() {
        let line = read_generator(&format!("the generator `{}`", key.text), value, mistakes);
        match key.text.parse::<GeneratorName>() {
            Ok(name) => generators.extend(line.map(|line| (Placed { span: key.span, value: name }, line))),
            Err(error) => mistakes.add(key.span, error.to_string(), "rename it, here and in the manifests"),
        }
    }
    generators
}

fn read_generator(what: &str, node: Node<'_>, mistakes: &mut Mistakes) -> Option<GeneratorLine> {
    let mut fields = Fields::of(node, what, mistakes)?;
    let line = GeneratorLine {
        kind: word(&mut fields, "kind", mistakes),
        checks_as: word(&mut fields, "checks_as", mistakes),
        price: money(&mut fields, "price", mistakes),
        base_url: text(&mut fields, "base_url", mistakes),
        path: read_path(&mut fields, "path", mistakes),
        result_path: read_path(&mut fields, "result_path", mistakes),
        api_key: text(&mut fields, "api_key", mistakes),
        concurrency: whole(&mut fields, "concurrency", 1, CONCURRENCY_CEILING, mistakes),
        images_per_minute: whole(&mut fields, "images_per_minute", 1, IMAGES_PER_MINUTE_CEILING, mistakes),
        min_interval: duration(&mut fields, "min_interval", Duration::ZERO, mistakes),
        deadline: duration(&mut fields, "deadline", TIME_LEAST, mistakes),
        request_timeout: duration(&mut fields, "request_timeout", TIME_LEAST, mistakes),
        moderation: read_moderation(&mut fields, mistakes),
    };
    fields.finish(what, &GENERATOR_FIELDS, mistakes);
    Some(line)
}

/// Takes a path below the service's address.
fn read_path(fields: &mut Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Placed<String>> {
    let path = word(fields, name, mistakes)?;
    let fits = path.value.starts_with('/')
        && path.value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !fits {
        let help = format!("write it as in `{name}: /v3/async/txt2img`; the host goes into `base_url`");
        mistakes.add(path.span, format!("`{name}` is no path"), help);
    }
    fits.then_some(path)
}

fn read_moderation(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<ModerationSettings> {
    let enabled = truth(fields, "enable_nsfw_detection", mistakes);
    let level = whole(fields, "nsfw_detection_level", 0, NSFW_LEVEL_CEILING, mistakes);
    let price = money(fields, "nsfw_detection_price", mistakes);
    (enabled == Some(true))
        .then(|| ModerationSettings { level: level.unwrap_or_default() as u8, price: price.map(|price| price.value) })
}

/// Settles one generator of the chosen environment.
pub fn settle_generator(
    name: Placed<GeneratorName>,
    line: GeneratorLine,
    context: &Context<'_>,
    warnings: &mut Vec<Mistake>,
    mistakes: &mut Mistakes,
) -> Option<(GeneratorName, GeneratorSettings)> {
    let GeneratorLine {
        kind,
        checks_as,
        price,
        base_url,
        path,
        result_path,
        api_key,
        concurrency,
        images_per_minute,
        min_interval,
        deadline,
        request_timeout,
        moderation,
    } = line;
    let known = context.known;
    for raw in [&base_url, &api_key].into_iter().flatten() {
        check(raw, context.source, mistakes);
    }
    if let Some(Placed { span, value }) = &checks_as
        && !known.checks.contains(&value.as_str())
    {
        let message = format!("there are no ranges of `{value}` to check by");
        mistakes.add(*span, message, meant(value, known.checks, "write"));
    }
    let Some(Placed { span, value: kind }) = kind else {
        let message = format!("the generator `{}` has no `kind`", name.value);
        mistakes.add(name.span, message, format!("write `kind:` and one of {}", listed(known.kinds)));
        return None;
    };
    if !known.kinds.contains(&kind.as_str()) {
        let message = format!("`{kind}` is no kind of generator that this version of pixform knows");
        let help = meant(&kind, known.kinds, "it knows");
        mistakes.add(span, message, help);
        return None;
    }
    let price = settle_price(&kind, span, price, known, warnings, mistakes);
    let settings = GeneratorSettings {
        kind,
        checks_as: checks_as.map(|placed| placed.value),
        price,
        base_url,
        path: path.map(|placed| placed.value),
        result_path: result_path.map(|placed| placed.value),
        api_key,
        concurrency,
        images_per_minute,
        min_interval,
        deadline,
        request_timeout,
        moderation,
    };
    Some((name.value, settings))
}

/// A paid kind needs a price, and a free one has none: being free is a property of the kind.
fn settle_price(
    kind: &str,
    kind_span: Span,
    price: Option<Placed<MicroUsd>>,
    known: &Known<'_>,
    warnings: &mut Vec<Mistake>,
    mistakes: &mut Mistakes,
) -> Option<MicroUsd> {
    let free = known.free_kinds.contains(&kind);
    let help = "write what one image costs in US dollars, as in `price: 0.015`";
    match price {
        Some(Placed { span, .. }) if free => {
            let message = format!("`{kind}` is free, so its `price` has no meaning");
            warnings.push(Mistake { span, message, help: "remove `price`".to_owned() });
            None
        }
        Some(Placed { span, value: MicroUsd(0) }) => {
            mistakes.add(span, format!("`{kind}` is paid, and its `price` is 0"), help);
            None
        }
        None if !free => {
            mistakes.add(kind_span, format!("`{kind}` is paid, and has no `price`"), help);
            None
        }
        price => price.map(|placed| placed.value),
    }
}
