//! The recipe of one asset: fields decided, prompts rendered and normalised, the generator's own rules applied.

use crate::asset::{AssetKey, Complaint, FieldMap, GeneratorName, KindSpec, Recipe, SeedBase, SeedFrom, normalise};
use crate::template::{TemplateError, meant_braces};
use crate::yaml::{Mistake, Span};

use super::hints::{complaint_words, template_help, undefined_help};
use super::layer::{SeedSetting, Setting, setting};
use super::own::{FieldReading, PartPlace};
use super::rules::GeneratorRules;
use super::scratch::{DEPTH_MAX, RenderFailure, RenderFault};
use super::worker::Decided;
use super::worker::Worker;

enum Prompt {
    Unset,
    Broken,
    Text(String),
}

impl<'m> Worker<'m> {
    /// Decides the fields of the recipe.
    pub(super) fn decide(&mut self, key: &AssetKey) -> Option<Decided> {
        let before = self.mistakes.len();
        let generator: Option<GeneratorName> =
            self.text_setting("generator").map(|name| name.parse().expect("the document checked the name"));
        let rules = generator.as_ref().and_then(|generator| self.generator_rules(generator));
        let prompt = self.prompt("prompt");
        let negative_prompt = self.prompt("negative_prompt");
        let [width, height] = ["width", "height"].map(|field| self.count(field));
        for (field, missing, help) in [
            ("generator", generator.is_none(), "name one, as in `generator: novita`"),
            ("prompt", matches!(prompt, Prompt::Unset), "say what the picture shows, under `defaults` or `with`"),
            ("width", width.is_none(), "give it in pixels, as in `width: 512`"),
            ("height", height.is_none(), "give it in pixels, as in `height: 768`"),
        ] {
            if missing {
                self.missing(field, key, help);
            }
        }
        let seed_from = self.seed(key);
        let (Some(generator), Some(rules)) = (generator, rules) else { return None };
        let seed_from = seed_from?;
        if let (Some((Setting::Seed(SeedSetting::Number(_)), span)), false) =
            (self.core("seed"), rules.checks.takes_seeds())
        {
            let message = format!("{} takes no seeds", rules.checks.title);
            self.mistakes.add(
                span,
                message,
                "leave it out, or write `seed: derived`, which is not sent; `take: 1` asks for another picture",
            );
        }
        let (seed, take) = if rules.kind.takes_seeds() {
            (Some(seed_from.base.seed(seed_from.take)), None)
        } else {
            (None, Some(seed_from.take).filter(|take| *take > 0))
        };
        // What is missing or broken was told of; the rest of the recipe is checked all the same.
        let doubtful = [
            ("prompt", !matches!(prompt, Prompt::Text(_))),
            ("negative_prompt", matches!(negative_prompt, Prompt::Broken)),
            ("width", width.is_none()),
            ("height", height.is_none()),
        ];
        let prompt = match prompt {
            Prompt::Text(text) => text,
            Prompt::Unset | Prompt::Broken => String::new(),
        };
        let negative_prompt = match negative_prompt {
            Prompt::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        };
        let recipe = Recipe {
            generator: rules.kind.name.to_owned(),
            model: self.text_setting("model").map(str::to_owned),
            prompt,
            negative_prompt,
            seed,
            take,
            width: width.unwrap_or_default(),
            height: height.unwrap_or_default(),
            fields: self.own_fields(rules.checks),
        };
        for complaint in rules.checks.check(&recipe) {
            if !doubtful.contains(&(&complaint.field, true)) {
                self.complain(&complaint, rules.checks, key);
            }
        }
        (self.mistakes.len() == before && doubtful.iter().all(|(_, doubtful)| !doubtful)).then_some(Decided {
            generator,
            recipe,
            seed_from,
        })
    }

    /// Returns the fields of a kind's own; one that it does not have is a mistake.
    fn own_fields(&mut self, kind: &'static KindSpec) -> FieldMap {
        let mut values = FieldMap::new();
        for number in Recipe::CORE_FIELDS.len()..self.scratch.fields.len() {
            let Some((Setting::Own(field), span)) = self.scratch.fields[number] else { continue };
            match field.reading(kind) {
                Some(FieldReading::Value(value, _)) => values.set(field.name.clone(), value.clone()),
                Some(FieldReading::Broken(mistakes)) => {
                    for Mistake { span, message, help } in mistakes {
                        self.mistakes.add(*span, message.as_str(), help.as_str());
                    }
                }
                None => {
                    let name = field.name.as_str();
                    let help = match kind.lacks.iter().find(|(lacked, _)| *lacked == name) {
                        Some((_, help)) => (*help).to_owned(),
                        None => {
                            let own: Vec<String> = kind.fields.iter().map(|spec| format!("`{}`", spec.name)).collect();
                            format!(
                                "beside what every recipe has it has {}; `{name}: null` leaves it out",
                                own.join(", ")
                            )
                        }
                    };
                    self.mistakes.add(span, format!("{} has no field `{name}`", kind.title), help);
                }
            }
        }
        values
    }

    /// Tells of a generator's complaint where the field stands, or the part of it.
    fn complain(&mut self, complaint: &Complaint, kind: &'static KindSpec, key: &AssetKey) {
        let (message, help) = complaint_words(complaint);
        let name = complaint.field.split(['.', '[']).next().unwrap_or_default();
        match self.field(name) {
            Some((Setting::Broken, _)) => {}
            Some((Setting::Own(field), span)) => {
                match field.reading(kind).map_or(PartPlace::Unset, |reading| reading.place(&complaint.field)) {
                    PartPlace::At(part) => self.mistakes.add(part, message, help),
                    PartPlace::Broken => {}
                    PartPlace::Unset => self.mistakes.add(span, message, help),
                }
            }
            Some((_, span)) => self.mistakes.add(span, message, help),
            None => self.mistakes.add(self.block_span(), message, format!("{help}; `{key}` needs it")),
        }
    }

    fn generator_rules(&mut self, name: &GeneratorName) -> Option<GeneratorRules> {
        let rules = &self.manifest.rules;
        if let Some(known) = rules.generator(name) {
            return Some(known);
        }
        let help = rules.generator_help(name, "; add it under `generators`");
        let span = self.core("generator").map_or(self.block_span(), |(_, span)| span);
        self.mistakes.add(span, format!("the environment `{}` has no generator `{name}`", rules.environment), help);
        None
    }

    /// Returns what is set of a field, a kind's own or not.
    fn field(&self, name: &str) -> Option<(&'m Setting, Span)> {
        self.scratch.fields[self.manifest.pool.known.number(name)?]
    }

    /// Returns what is set of a field that every recipe may have.
    fn core(&self, name: &str) -> Option<(&'m Setting, Span)> {
        self.scratch.fields[setting(name)]
    }

    fn text_setting(&self, name: &str) -> Option<&'m str> {
        match self.core(name) {
            Some((Setting::Text(text), _)) => Some(text),
            _ => None,
        }
    }

    fn count(&self, name: &str) -> Option<u32> {
        match self.core(name) {
            Some((Setting::Count(count), _)) => Some(*count),
            _ => None,
        }
    }

    pub(super) fn block_span(&self) -> Span {
        let start = self.scratch.block.span.start;
        Span { start, end: start + 1 }
    }

    fn missing(&mut self, field: &str, key: &AssetKey, help: &str) {
        if self.core(field).is_none() {
            self.mistakes.add(self.block_span(), format!("`{field}` is not set"), format!("{help}; `{key}` needs it"));
        }
    }

    fn prompt(&mut self, name: &str) -> Prompt {
        let (template, span) = match self.core(name) {
            Some((Setting::Template(template), span)) => (template, span),
            Some(_) => return Prompt::Broken,
            None => return Prompt::Unset,
        };
        let mut text = String::with_capacity(400);
        if let Err(failure) = self.scratch.render(*template, &mut text) {
            self.fail(failure);
            return Prompt::Broken;
        }
        let text = normalise(text);
        let braces = text.matches("{{").count();
        if braces > 0 && braces > meant_braces(self.manifest.pool.templates[*template as usize].value.source()) {
            let help = "a var holds braces as text, or a quote is missing: where braces are meant, write `{{ '{{' }}`";
            self.mistakes.add(span, format!("`{name}` still holds `{{{{` after rendering"), help);
            return Prompt::Broken;
        }
        Prompt::Text(text)
    }

    pub(super) fn fail(&mut self, RenderFailure { span, error }: RenderFailure) {
        let source = &self.manifest.source;
        match error {
            RenderFault::Template(TemplateError::Undefined(name)) => {
                let help = undefined_help(&name, self.scratch.known_names());
                self.mistakes.add(span.narrow(source, &name), format!("`{name}` is not defined here"), help);
            }
            RenderFault::Template(error) => self.mistakes.add(span, error.to_string(), template_help(&error)),
            RenderFault::TooDeep => {
                let message = format!("vars that use vars, more than {DEPTH_MAX} deep");
                self.mistakes.add(span, message, "write some of the texts out");
            }
            RenderFault::Cycle(mut names) => {
                // Every asset may enter the circle elsewhere: told from the same var, it counts once.
                names.pop();
                let least = names.iter().enumerate().min_by_key(|(_, name)| (*name).clone()).map_or(0, |(at, _)| at);
                names.rotate_left(least);
                let span = self.scratch.var_span(&names[0]).unwrap_or(span);
                names.push(names[0].clone());
                let message = format!("vars that use one another in a circle: {}", names.join(" → "));
                self.mistakes.add(span, message, "take one of them out of the other's text");
            }
        }
    }

    fn seed(&mut self, key: &AssetKey) -> Option<SeedFrom> {
        let take = self.count("take").unwrap_or_default();
        let base = match self.core("seed") {
            Some((Setting::Seed(SeedSetting::Number(seed)), _)) => SeedBase::Number(seed.get()),
            Some((Setting::Seed(SeedSetting::DerivedFrom(names)), span)) => {
                let mut base = String::new();
                for name in names {
                    let Some(value) = self.scratch.label(name) else {
                        let help = undefined_help(name, self.scratch.block.axes.iter().map(|axis| &*axis.name));
                        let span = span.narrow(&self.manifest.source, name);
                        self.mistakes.add(span, format!("there is no label `{name}` to derive a seed from"), help);
                        return None;
                    };
                    let comma = if base.is_empty() { "" } else { "," };
                    base.push_str(&format!("{comma}{name}={}", value.text));
                }
                SeedBase::Axes(base)
            }
            _ => {
                let first = self.manifest.moved_bases.get(key.as_str());
                SeedBase::Key(first.map_or(key.as_str(), String::as_str).to_owned())
            }
        };
        Some(SeedFrom { base, take })
    }
}
