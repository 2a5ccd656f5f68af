//! Layers: what one place of a manifest sets, before the later ones have their word.

use crate::asset::{Complaint, GeneratorName, Recipe, Seed, is_identifier};
use crate::template::{Template, TemplateError};
use crate::yaml::scalar::shown;
use crate::yaml::{Fields, MapEntry, Mistakes, Node, ScalarNotation, Span, Value, cut_by_comma, nearest, scalar};

use super::document::{Placed, Pool, name_is_free};
use super::own::OwnField;

/// A layer's number in [`Pool::layers`]; 0 is the empty one.
pub type LayerId = u32;

/// Returns the number of a field that every recipe may have.
pub fn setting(name: &str) -> usize {
    Recipe::CORE_FIELDS.iter().position(|known| *known == name).expect("the name is one of the core's fields")
}

/// Largest width, height, number of steps or layers, or take; a service's own limits are checked by its generator.
pub const COUNT_MAX: u64 = 1_000_000;

/// The value of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// The number of a template: prompts.
    Template(u32),
    /// Text as it stands: model, generator.
    Text(Box<str>),
    /// A number: take, width, height.
    Count(u32),
    /// Where the seed comes from.
    Seed(SeedSetting),
    /// A field of a kind's own.
    Own(Box<OwnField>),
    /// Something that cannot be read and was told of; nothing else is said about the field.
    Broken,
}

/// Where a seed comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum SeedSetting {
    /// The number itself.
    Number(Seed),
    /// The asset's first key.
    Derived,
    /// The values of these labels.
    DerivedFrom(Vec<Box<str>>),
}

/// What one place sets; `None` as a value takes a field or var away.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer {
    /// Vars by number, with their templates.
    pub vars: Vec<(u16, Option<u32>)>,
    /// Fields by number, see [`super::own::KnownFields::names`].
    pub with: Vec<(u16, Placed<Option<Setting>>)>,
    /// Protection, where something is said of it.
    pub protect: Option<bool>,
    /// Holding, where something is said of it.
    pub hold: Option<bool>,
}

/// Reads `vars` and `with` (or `defaults`), either of which may be missing.
pub fn read_layer(
    vars: Option<Node<'_>>,
    with: Option<Node<'_>>,
    what: &str,
    source: &str,
    pool: &mut Pool,
    mistakes: &mut Mistakes,
) -> Layer {
    let mut layer = Layer::default();
    if let Some(mut fields) = map_of(vars, &format!("`vars` of {what}"), mistakes) {
        for MapEntry { key, value } in fields.rest() {
            if cut_by_comma(&key, &value, mistakes) || !name_is_free(&key.text, key.span, "var", mistakes) {
                continue;
            }
            let template = if value.is_null() {
                None
            } else {
                // A text that cannot be used was told of; an empty one in its place keeps its users from being told of too.
                let span = value.span;
                text(value, &key.text, source, pool, mistakes).or_else(|| pool.empty_text(span))
            };
            match pool.var(&key.text) {
                Some(var) => layer.vars.push((var, template)),
                None => mistakes.add(key.span, "more than 65,536 vars", "use labels and axes for what repeats"),
            }
        }
    }
    let known = pool.known.for_people();
    let with = with.filter(|node| !node.is_null());
    if let Some(mut fields) = with.and_then(|node| Fields::known(node, what, &known, mistakes)) {
        let names: Vec<&'static str> = pool.known.names().collect();
        for (number, name) in names.into_iter().enumerate() {
            let Some((_, node)) = fields.take(name) else { continue };
            let span = node.span;
            let value = match (node.is_null(), number < Recipe::CORE_FIELDS.len()) {
                (true, _) => None,
                (false, true) => Some(read_setting(name, node, source, pool, mistakes).unwrap_or(Setting::Broken)),
                (false, false) => Some(Setting::Own(Box::new(OwnField::read(name, node, &pool.known, mistakes)))),
            };
            layer.with.push((number as u16, Placed { span, value }));
        }
        fields.finish(what, &known, mistakes);
    }
    layer
}

fn map_of<'s>(node: Option<Node<'s>>, what: &str, mistakes: &mut Mistakes) -> Option<Fields<'s>> {
    node.filter(|node| !node.is_null()).and_then(|node| Fields::of(node, what, mistakes))
}

fn read_setting(name: &str, node: Node<'_>, source: &str, pool: &mut Pool, mistakes: &mut Mistakes) -> Option<Setting> {
    match name {
        "prompt" | "negative_prompt" => text(node, name, source, pool, mistakes).map(Setting::Template),
        "seed" => read_seed(node, mistakes),
        _ => {
            let (span, scalar) = node.scalar(&format!("`{name}`"), mistakes)?;
            let value = match name {
                "take" | "width" | "height" => scalar.integer(COUNT_MAX).map(|count| Setting::Count(count as u32)),
                "generator" => scalar
                    .text
                    .parse::<GeneratorName>()
                    .map(|name| Setting::Text(name.as_str().into()))
                    .map_err(|error| format!("cannot be {}: {}", shown(&scalar.text), error.rule)),
                _ => Ok(Setting::Text(scalar.text.as_ref().into())),
            };
            value
                .map_err(|words| {
                    let help = match name {
                        _ if words.starts_with("must be a number, is the text") => "remove the quotes",
                        "generator" => "use a name that the environment lists under `generators`",
                        "take" => "write digits only: `take: 1`",
                        _ => "write the number of pixels in digits only: `width: 512`, `height: 768`",
                    };
                    mistakes.add(span, format!("`{name}` {words}"), help);
                })
                .ok()
        }
    }
}

fn read_seed(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Setting> {
    let help = "write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`";
    if let Value::Map(_) = &node.value {
        let mut fields = Fields::known(node, "`seed`", &["derived"], mistakes)?;
        let labels = fields.require("derived", help, mistakes);
        fields.finish("`seed`", &["derived"], mistakes);
        let (_, labels) = labels?;
        let span = labels.span;
        let labels = labels.list("`derived`", mistakes)?;
        let names = labels.into_iter().filter_map(|item| item.scalar("a label's name", mistakes));
        let names: Vec<Box<str>> = names.map(|(_, scalar)| scalar.text.as_ref().into()).collect();
        if names.is_empty() && !mistakes.begin_at(span.start) {
            mistakes.add(span, "`derived` names no label, so that all images would get the same seed", help);
            return None;
        }
        return Some(Setting::Seed(SeedSetting::DerivedFrom(names)));
    }
    let (span, scalar) = node.scalar("`seed`", mistakes)?;
    if scalar.text == "derived" {
        return Some(Setting::Seed(SeedSetting::Derived));
    }
    match scalar.integer(Seed::MAX) {
        Ok(number) => Seed::new(number).map(|seed| Setting::Seed(SeedSetting::Number(seed))),
        Err(words) => {
            mistakes.add(span, format!("`seed` {words}"), help);
            None
        }
    }
}

/// Reads a text that is a template; a comment that cuts it off is a mistake.
fn text(node: Node<'_>, name: &str, source: &str, pool: &mut Pool, mistakes: &mut Mistakes) -> Option<u32> {
    if let Value::Map(entries) = &node.value {
        let start = node.span.start;
        if mistakes.begin_at(start) {
            return None;
        }
        if source.get(start as usize..).is_some_and(|rest| rest.starts_with("{{")) {
            mistakes.add(
                Span { start, end: start + 2 },
                "a text that begins with `{{` needs quotes: to YAML it is a map",
                "write \"{{ name }} …\" in double quotes, or put the text below `>-`",
            );
            return None;
        }
        let keys = entries.len();
        mistakes.add(
            node.span,
            format!("`{name}` must be a text, is a map of {keys}"),
            "put the text into double quotes",
        );
        return None;
    }
    let (span, value) = node.scalar(&format!("`{name}`"), mistakes)?;
    if value.style == ScalarNotation::Plain && scalar::comment_behind(source, span) {
        mistakes.add(
            Span { start: span.end, end: span.end + 2 },
            format!("` #` cuts the text of `{name}` off here: the rest of the line is a comment to YAML"),
            "put the text into double quotes, or the comment on a line of its own",
        );
        return None;
    }
    match Template::parse(&value.text) {
        Ok(template) => {
            pool.templates.push(Placed { span, value: template });
            Some((pool.templates.len() - 1) as u32)
        }
        Err(error) => {
            mistakes.add(span, format!("`{name}`: {error}"), template_help(&error));
            None
        }
    }
}

/// What to do about a template that cannot be used.
pub fn template_help(error: &TemplateError) -> String {
    match error {
        TemplateError::Undefined(_) => "declare it under `vars`, or as an axis".to_owned(),
        TemplateError::Syntax(_) | TemplateError::Rendering(_) => {
            "write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition".to_owned()
        }
    }
}

/// What to do about a name that nothing defines.
pub fn undefined_help<'k>(name: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if name.contains('.') => {
            "only renditions have parts, as in `main.url` or `thumb.path`: declare the rendition, or check its name"
                .to_owned()
        }
        None if !is_identifier(name) => "a name is letters, digits and `_`, a letter first".to_owned(),
        None => {
            let names: Vec<String> = known.into_iter().take(20).map(|name| format!("`{name}`")).collect();
            format!("declare it under `vars`; known here are {}", names.join(", "))
        }
    }
}

/// What to do about a value that an axis does not have.
pub fn value_help<'k>(value: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(value, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let values: Vec<String> = known.into_iter().take(20).map(|value| format!("`{value}`")).collect();
            format!("it has {}", values.join(", "))
        }
    }
}

/// Words for a complaint of a generator.
pub fn complaint_words(complaint: &Complaint) -> (String, String) {
    let help = complaint.help.clone().unwrap_or_else(|| format!("change `{}`", complaint.field));
    (format!("`{}` {}", complaint.field, complaint.message), help)
}
