//! Reading layers: what `vars`, `with` and `per_generator` set in one place.

use crate::asset::{GeneratorName, KindSpec, Recipe, Seed};
use crate::template::Template;
use crate::yaml::scalar::shown;
use crate::yaml::{Fields, MapEntry, Mistakes, Node, ScalarNotation, Span, Value, cut_by_comma, scalar};

use super::hints::template_help;
use super::layer::{Layer, SeedSetting, Setting, SettingLine};
use super::own::{COUNT_MAX, OwnField};
use super::placed::Placed;
use super::pool::Pool;
use super::reserved::name_is_free;
use super::rules::{GeneratorRules, Rules};

/// The maps that set something in one place, as they are written; each may be missing.
pub struct LayerNodes<'s> {
    /// `vars`.
    pub vars: Option<Node<'s>>,
    /// `with`, or `defaults`.
    pub with: Option<Node<'s>>,
    /// `per_generator`.
    pub per_generator: Option<Node<'s>>,
}

/// Reads one document: its text, what it refers to by number, and what is wrong with it.
pub struct LayerReader<'r> {
    /// The file's text.
    pub source: &'r str,
    /// What the environment allows.
    pub rules: &'r Rules,
    /// What was read so far.
    pub pool: Pool,
    /// What is wrong.
    pub mistakes: &'r mut Mistakes,
}

impl LayerReader<'_> {
    /// Reads what one place sets.
    pub fn layer(&mut self, nodes: LayerNodes<'_>, what: &str) -> Layer {
        let LayerNodes { vars, with, per_generator } = nodes;
        let mut layer = Layer::default();
        if let Some(mut fields) = self.map_of(vars, &format!("`vars` of {what}")) {
            for MapEntry { key, value } in fields.rest() {
                if cut_by_comma(&key, &value, self.mistakes) || !name_is_free(&key.text, key.span, "var", self.mistakes)
                {
                    continue;
                }
                let template = if value.is_null() {
                    None
                } else {
                    // A text that cannot be used was told of; an empty one in its place keeps its users from being told of too.
                    let span = value.span;
                    self.text(value, &key.text).or_else(|| self.pool.empty_text(span))
                };
                match self.pool.var(&key.text) {
                    Some(var) => layer.vars.push((var, template)),
                    None => {
                        self.mistakes.add(key.span, "more than 65,536 vars", "use labels and axes for what repeats")
                    }
                }
            }
        }
        if let Some(node) = with.filter(|node| !node.is_null()) {
            let known = self.pool.known.for_people();
            layer.with = self.settings(node, what, &known, &OwnReading::InEveryShape);
        }
        layer.per_generator = self.per_generator(per_generator, what);
        layer
    }

    /// Reads what holds for one generator only, by the names that the environment knows.
    fn per_generator(&mut self, node: Option<Node<'_>>, what: &str) -> Vec<(GeneratorName, Vec<SettingLine>)> {
        let Some(mut fields) = self.map_of(node, &format!("`per_generator` of {what}")) else { return Vec::new() };
        let mut all = Vec::new();
        for MapEntry { key, value } in fields.rest() {
            let name: GeneratorName = match key.text.parse() {
                Ok(name) => name,
                Err(error) => {
                    let help = "use a name that the environment lists under `generators`";
                    self.mistakes.add(key.span, error.to_string(), help);
                    continue;
                }
            };
            let Some(GeneratorRules { checks, .. }) = self.rules.generator(&name) else {
                // What only other environments have is none of this one's business.
                if !self.rules.elsewhere.contains(&name) {
                    self.unknown_generator(&name, key.span);
                }
                continue;
            };
            if value.is_null() {
                continue;
            }
            let core = Recipe::CORE_FIELDS.into_iter().filter(|name| *name != "generator");
            let known: Vec<&str> = core.chain(checks.fields.iter().map(|spec| spec.name)).collect();
            let what = format!("`per_generator` of `{name}`");
            let settings = self.settings(value, &what, &known, &OwnReading::As(checks));
            all.push((name, settings));
        }
        all
    }

    /// Tells of a generator that no environment has.
    fn unknown_generator(&mut self, name: &GeneratorName, span: Span) {
        let help = self.rules.generator_help(name, "");
        self.mistakes.add(span, format!("no environment has a generator `{name}`"), help);
    }

    fn settings(&mut self, node: Node<'_>, what: &str, known: &[&str], reading: &OwnReading) -> Vec<SettingLine> {
        let Some(mut fields) = Fields::known(node, what, known, self.mistakes) else { return Vec::new() };
        let mut settings = Vec::new();
        let names: Vec<&'static str> = self.pool.known.names().collect();
        for (number, name) in names.into_iter().enumerate().filter(|(_, name)| known.contains(name)) {
            let Some((_, node)) = fields.take(name) else { continue };
            let span = node.span;
            let value = if node.is_null() {
                None
            } else if number < Recipe::CORE_FIELDS.len() {
                Some(self.core(name, node).unwrap_or(Setting::Broken))
            } else {
                let field = match reading {
                    OwnReading::InEveryShape => OwnField::read(name, node, &self.pool.known, self.mistakes),
                    OwnReading::As(kind) => OwnField::read_as(kind, name, node, self.mistakes),
                };
                Some(Setting::Own(Box::new(field)))
            };
            settings.push((number as u16, Placed { span, value }));
        }
        fields.finish(what, known, self.mistakes);
        settings
    }

    fn map_of<'s>(&mut self, node: Option<Node<'s>>, what: &str) -> Option<Fields<'s>> {
        node.filter(|node| !node.is_null()).and_then(|node| Fields::of(node, what, self.mistakes))
    }

    /// Reads a field that every recipe may have.
    fn core(&mut self, name: &str, node: Node<'_>) -> Option<Setting> {
        match name {
            "prompt" | "negative_prompt" => self.text(node, name).map(Setting::Template),
            "seed" => read_seed(node, self.mistakes),
            _ => {
                let (span, scalar) = node.scalar(&format!("`{name}`"), self.mistakes)?;
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
                        self.mistakes.add(span, format!("`{name}` {words}"), help);
                    })
                    .ok()
            }
        }
    }

    /// Reads a text that is a template; a comment that cuts it off is a mistake.
    fn text(&mut self, node: Node<'_>, name: &str) -> Option<u32> {
        let Self { source, pool, mistakes, .. } = self;
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
}

/// How a field of kinds' own is read.
enum OwnReading {
    /// In each shape that a kind gives it.
    InEveryShape,
    /// As one kind has it.
    As(&'static KindSpec),
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
