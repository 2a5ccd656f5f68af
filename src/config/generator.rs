//! A generator as it is written in `pixform.yaml`, and settled.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::asset::{Cost, FieldMap, FieldName, FieldValue, GeneratorName, KindSpec, MicroUsd, OptionSpec, OptionType};
use crate::manifest::Placed;
use crate::yaml::{Fields, MapEntry, Mistakes, Node, Span};

use super::field_readers::{duration, listed, map, meant, money, scalar, text, truth, whole, word};
use super::settle_context::SettleContext;
use super::variables::check;
use super::{GeneratorSettings, RawText};

/// How many calls one generator may have in flight.
pub const CONCURRENCY_CEILING: u64 = 1_000;

/// How many images a minute one generator may be asked for.
pub const IMAGES_PER_MINUTE_CEILING: u64 = 1_000_000;

/// The shortest time in which anything can be answered.
const TIME_LEAST: Duration = Duration::from_millis(1);

/// A generator as it is written.
#[derive(Debug)]
pub struct GeneratorLine {
    kind: Option<Placed<String>>,
    /// What is said of it, where its kind is known.
    said: Option<KnownLine>,
}

/// A generator of a known kind, as it is written.
#[derive(Debug)]
struct KnownLine {
    kind: &'static KindSpec,
    checks_as: Option<Placed<String>>,
    price: Option<Placed<MicroUsd>>,
    base_url: Option<RawText>,
    api_key: Option<RawText>,
    concurrency: Option<u64>,
    images_per_minute: Option<u64>,
    min_interval: Option<Duration>,
    deadline: Option<Duration>,
    request_timeout: Option<Duration>,
    options: FieldMap,
}

/// Reads the generators of an environment.
pub fn read_generators(
    fields: &mut Fields<'_>,
    kinds: &[&'static KindSpec],
    mistakes: &mut Mistakes,
) -> Vec<(Placed<GeneratorName>, GeneratorLine)> {
    let Some(mut fields) = map(fields, "generators", mistakes) else { return Vec::new() };
    let mut generators = Vec::new();
    for MapEntry { key, value } in fields.rest() {
        let line = read_generator(&key.text, value, kinds, mistakes);
        match key.text.parse::<GeneratorName>() {
            Ok(name) => generators.extend(line.map(|line| (Placed { span: key.span, value: name }, line))),
            Err(error) => mistakes.add(key.span, error.to_string(), "rename it, here and in the manifests"),
        }
    }
    generators
}

/// Reads what the table of its kind lets be said of a generator: anything else is a mistake. Of an unknown kind nothing can
/// be told.
fn read_generator(
    name: &str,
    node: Node<'_>,
    kinds: &[&'static KindSpec],
    mistakes: &mut Mistakes,
) -> Option<GeneratorLine> {
    let mut fields = Fields::of(node, &format!("the generator `{name}`"), mistakes)?;
    let kind = word(&mut fields, "kind", mistakes);
    let known = kind.as_ref().and_then(|placed| kinds.iter().find(|kind| kind.name == placed.value));
    let Some(spec) = known else { return Some(GeneratorLine { kind, said: None }) };
    let names = spec.option_names();
    let has = |name: &str| names.contains(&name);
    let mut line = KnownLine {
        kind: spec,
        checks_as: None,
        price: None,
        base_url: None,
        api_key: None,
        concurrency: whole(&mut fields, "concurrency", 1, CONCURRENCY_CEILING, mistakes),
        images_per_minute: whole(&mut fields, "images_per_minute", 1, IMAGES_PER_MINUTE_CEILING, mistakes),
        min_interval: duration(&mut fields, "min_interval", Duration::ZERO, mistakes),
        deadline: duration(&mut fields, "deadline", TIME_LEAST, mistakes),
        request_timeout: None,
        options: read_options(&mut fields, spec.options, mistakes),
    };
    if has("checks_as") {
        line.checks_as = word(&mut fields, "checks_as", mistakes);
    }
    if has("price") {
        line.price = money(&mut fields, "price", mistakes);
    }
    if has("base_url") {
        line.base_url = text(&mut fields, "base_url", mistakes);
        line.api_key = text(&mut fields, "api_key", mistakes);
        line.request_timeout = duration(&mut fields, "request_timeout", TIME_LEAST, mistakes);
    }
    fields.finish(&format!("the generator `{name}` of kind `{}`", spec.name), &names, mistakes);
    Some(GeneratorLine { kind, said: Some(line) })
}

/// Reads the options that only one kind has.
fn read_options(fields: &mut Fields<'_>, specs: &[OptionSpec], mistakes: &mut Mistakes) -> FieldMap {
    let mut options = FieldMap::new();
    for spec in specs {
        let name = spec.name;
        let value: Option<FieldValue> = match spec.holds {
            OptionType::Text => word(fields, name, mistakes).map(|placed| placed.value.as_str().into()),
            OptionType::Path => read_path(fields, spec, mistakes).map(|path| path.as_str().into()),
            OptionType::Flag => truth(fields, name, mistakes).map(FieldValue::from),
            OptionType::Count { least, most } => {
                let count = whole(fields, name, least.into(), most.into(), mistakes);
                count.map(|count| FieldValue::from(count as u32))
            }
            OptionType::Number { least, most } => number(fields, name, least..=most, mistakes).map(FieldValue::from),
            OptionType::Choice(names) => word(fields, name, mistakes).and_then(|Placed { span, value }| {
                let known = names.contains(&value.as_str());
                if !known {
                    mistakes.add(span, format!("`{name}` cannot be `{value}`"), meant(&value, names, "write"));
                }
                known.then(|| value.as_str().into())
            }),
            OptionType::Money => money(fields, name, mistakes).map(|placed| placed.value.to_string().as_str().into()),
        };
        if let Some(value) = value {
            options.set(FieldName::of(name), value);
        }
    }
    options
}

/// Takes a path below the service's address.
fn read_path(fields: &mut Fields<'_>, spec: &OptionSpec, mistakes: &mut Mistakes) -> Option<String> {
    let path = word(fields, spec.name, mistakes)?;
    let fits = path.value.starts_with('/')
        && path.value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !fits {
        let help = format!("write it as in `{}: {}`; the host goes into `base_url`", spec.name, spec.example);
        mistakes.add(path.span, format!("`{}` is no path", spec.name), help);
    }
    fits.then_some(path.value)
}

/// Takes a number within bounds.
fn number(fields: &mut Fields<'_>, name: &str, bounds: RangeInclusive<f64>, mistakes: &mut Mistakes) -> Option<f64> {
    let (span, scalar) = scalar(fields, name, mistakes)?;
    let (least, most) = (bounds.start(), bounds.end());
    let words = match scalar.number() {
        Ok(number) if bounds.contains(&number) => return Some(number),
        Ok(number) => format!("must be from {least} to {most}, is {number}"),
        Err(words) => words,
    };
    mistakes.add(span, format!("`{name}` {words}"), format!("write {least} to {most}"));
    None
}

/// Settles one generator of the chosen environment.
pub fn settle_generator(
    name: Placed<GeneratorName>,
    line: GeneratorLine,
    context: &SettleContext<'_>,
    mistakes: &mut Mistakes,
) -> Option<(GeneratorName, GeneratorSettings)> {
    let kinds: Vec<&str> = context.kinds.iter().map(|kind| kind.name).collect();
    let GeneratorLine { kind, said } = line;
    let Some(Placed { span, value: kind }) = kind else {
        let message = format!("the generator `{}` has no `kind`", name.value);
        mistakes.add(name.span, message, format!("write `kind:` and one of {}", listed(&kinds)));
        return None;
    };
    let Some(said) = said else {
        let message = format!("`{kind}` is no kind of generator that this version of pixform knows");
        mistakes.add(span, message, meant(&kind, &kinds, "it knows"));
        return None;
    };
    let KnownLine {
        kind,
        checks_as,
        price,
        base_url,
        api_key,
        concurrency,
        images_per_minute,
        min_interval,
        deadline,
        request_timeout,
        options,
    } = said;
    for raw in [&base_url, &api_key].into_iter().flatten() {
        check(raw, context.source, mistakes);
    }
    let checks_as = checks_as.and_then(|Placed { span, value }| {
        let found = context.kinds.iter().copied().find(|kind| kind.name == value);
        if found.is_none() {
            let message = format!("there are no ranges of `{value}` to check by");
            mistakes.add(span, message, meant(&value, &kinds, "write"));
        }
        found
    });
    let price = settle_price(kind, span, price, mistakes);
    let settings = GeneratorSettings {
        kind,
        checks_as,
        price,
        base_url,
        api_key,
        concurrency,
        images_per_minute,
        min_interval,
        deadline,
        request_timeout,
        options,
    };
    Some((name.value, settings))
}

/// A paid kind needs a price: being free is a property of the kind, never of a price.
fn settle_price(
    kind: &KindSpec,
    kind_span: Span,
    price: Option<Placed<MicroUsd>>,
    mistakes: &mut Mistakes,
) -> Option<MicroUsd> {
    let KindSpec { name, cost, .. } = kind;
    let help = "write what one image costs in US dollars, as in `price: 0.015`";
    match price {
        Some(Placed { span, value: MicroUsd(0) }) => {
            mistakes.add(span, format!("`{name}` is paid, and its `price` is 0"), help);
            None
        }
        None if *cost == Cost::Paid => {
            mistakes.add(kind_span, format!("`{name}` is paid, and has no `price`"), help);
            None
        }
        price => price.map(|placed| placed.value),
    }
}
