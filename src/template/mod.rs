//! Texts with holes: `{{ look }}, one adult person`.
//!
//! Templates are minijinja's: strict, without loaders, bounded (see `language.rs`). Nearly all of them only name values, so those are
//! filled in directly; a property test holds that short cut against minijinja. Which names there are is decided by
//! whoever renders.

use std::collections::BTreeMap;
use std::io;

use minijinja::ErrorKind;

mod literal_text;
mod template_language;

pub use literal_text::{literal, meant_braces};

use template_language::environment;

/// Longest rendered text, in bytes.
pub const RENDERED_BYTES_MAX: usize = 64 * 1024;
/// Longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// How many instructions one template may run.
const FUEL: u64 = 20_000;

/// Words that minijinja reads as part of its language; a label or var of this name could never be used.
pub const RESERVED_WORDS: [&str; 16] = [
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "loop", "self",
    "super",
];

/// A value that fills a hole.
#[derive(Debug, Clone, PartialEq)]
pub enum Filling {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(u64),
    /// A finite number.
    Number(f64),
    /// A field that is not set.
    Unset,
}

impl Filling {
    /// Returns the text that stands in the hole.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Integer(number) => number.to_string().into(),
            Self::Number(number) => crate::digest::canonical_number(*number).into(),
            Self::Unset => "".into(),
        }
    }

    /// Returns the value as a database takes it.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => serde_json::Value::from(text.as_str()),
            Self::Integer(number) => serde_json::Value::from(*number),
            Self::Number(number) => serde_json::Value::from(*number),
            Self::Unset => serde_json::Value::Null,
        }
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name has no value.
    #[error("`{0}` is not defined")]
    Undefined(String),
    /// The template itself is wrong.
    #[error("the template cannot be read: {0}")]
    Syntax(String),
    /// It cannot be rendered.
    #[error("the template cannot be rendered: {0}")]
    Rendering(String),
}

/// A template that was parsed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    source: Box<str>,
    names: Vec<Box<str>>,
    body: TemplateBody,
}

#[derive(Debug, Clone, PartialEq)]
enum TemplateBody {
    /// Text without holes.
    Literal,
    /// Text and names in turn, nothing else.
    Plain(Vec<TemplatePiece>),
    /// Whatever else minijinja can do.
    General,
}

#[derive(Debug, Clone, PartialEq)]
enum TemplatePiece {
    Text(Box<str>),
    Name(u16),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When minijinja cannot read it, or it is longer than [`TEMPLATE_BYTES_MAX`].
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::Syntax(format!("it is longer than {TEMPLATE_BYTES_MAX} bytes")));
        }
        if !source.contains('{') {
            return Ok(Self { source: source.into(), names: Vec::new(), body: TemplateBody::Literal });
        }
        if let Some((names, pieces)) = plain(source) {
            return Ok(Self { source: source.into(), names, body: TemplateBody::Plain(pieces) });
        }
        template_language::check(source).map_err(TemplateError::Syntax)?;
        let environment = environment();
        let template = environment.template_from_str(source).map_err(|error| TemplateError::Syntax(words(&error)))?;
        let mut names: Vec<Box<str>> =
            template.undeclared_variables(true).into_iter().map(String::into_boxed_str).collect();
        names.sort();
        Ok(Self { source: source.into(), names, body: TemplateBody::General })
    }

    /// Returns the text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the names that it uses, dotted ones too, in no particular order.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Returns the name, where the template is exactly one name and nothing else.
    pub fn only_name(&self) -> Option<&str> {
        match &self.body {
            TemplateBody::Plain(pieces) => match pieces.as_slice() {
                [TemplatePiece::Name(name)] => Some(&self.names[usize::from(*name)]),
                _ => None,
            },
            TemplateBody::Literal | TemplateBody::General => None,
        }
    }

    /// Appends the rendered text; `fill` appends the text of the n-th of [`Template::names`].
    ///
    /// # Errors
    /// With the first error of `fill`, and where minijinja cannot render what goes beyond names.
    pub fn render(
        &self,
        out: &mut String,
        fill: &mut dyn FnMut(usize, &mut String) -> Result<(), TemplateError>,
    ) -> Result<(), TemplateError> {
        match &self.body {
            TemplateBody::Literal => out.push_str(without_line_end(&self.source)),
            TemplateBody::Plain(pieces) => {
                for piece in pieces {
                    match piece {
                        TemplatePiece::Text(text) => out.push_str(text),
                        TemplatePiece::Name(name) => fill(usize::from(*name), out)?,
                    }
                    within_bounds(out)?;
                }
            }
            TemplateBody::General => {
                let mut values = BTreeMap::new();
                for (index, name) in self.names.iter().enumerate() {
                    let mut value = String::new();
                    fill(index, &mut value)?;
                    values.insert(name.to_string(), Filling::Text(value));
                }
                out.push_str(&self.general(&values)?);
            }
        }
        within_bounds(out)
    }

    /// Renders with values that keep their types.
    ///
    /// # Errors
    /// Where a name has no value, and where minijinja cannot render.
    pub fn render_with(&self, values: &BTreeMap<String, Filling>) -> Result<String, TemplateError> {
        let value = |name: &str| values.get(name).ok_or_else(|| TemplateError::Undefined(name.to_owned()));
        match &self.body {
            TemplateBody::Literal => Ok(without_line_end(&self.source).to_owned()),
            TemplateBody::Plain(pieces) => {
                let mut out = String::new();
                for piece in pieces {
                    match piece {
                        TemplatePiece::Text(text) => out.push_str(text),
                        TemplatePiece::Name(name) => out.push_str(&value(&self.names[usize::from(*name)])?.text()),
                    }
                    within_bounds(&out)?;
                }
                Ok(out)
            }
            TemplateBody::General => {
                let used: Result<BTreeMap<_, _>, _> =
                    self.names.iter().map(|name| Ok((name.to_string(), value(name)?.clone()))).collect();
                self.general(&used?)
            }
        }
    }

    fn general(&self, values: &BTreeMap<String, Filling>) -> Result<String, TemplateError> {
        let environment = environment();
        let context: BTreeMap<&str, minijinja::Value> = nested(values);
        let mut out = Bounded(Vec::new());
        environment
            .template_from_str(&self.source)
            .and_then(|template| template.render_captured_to(minijinja::Value::from(context), &mut out).map(drop))
            .map_err(|error| match (error.kind(), error.detail()) {
                (ErrorKind::UndefinedError, Some(detail)) => {
                    TemplateError::Undefined(detail.split('`').nth(1).unwrap_or("a name").to_owned())
                }
                (ErrorKind::WriteFailure, _) => too_long(),
                _ => TemplateError::Rendering(words(&error)),
            })?;
        Ok(String::from_utf8(out.0).expect("minijinja writes text"))
    }
}

/// Turns `thumb.url` into a `thumb` that has a `url`.
fn nested(values: &BTreeMap<String, Filling>) -> BTreeMap<&str, minijinja::Value> {
    let mut context = BTreeMap::new();
    let mut inner: BTreeMap<&str, BTreeMap<&str, minijinja::Value>> = BTreeMap::new();
    for (name, filling) in values {
        let value = match filling {
            Filling::Text(text) => minijinja::Value::from(text.as_str()),
            Filling::Integer(number) => minijinja::Value::from(*number),
            Filling::Number(number) => minijinja::Value::from(*number),
            Filling::Unset => minijinja::Value::from(()),
        };
        match name.split_once('.') {
            Some((outer, name)) => {
                inner.entry(outer).or_default().insert(name, value);
            }
            None => {
                context.insert(name.as_str(), value);
            }
        }
    }
    for (outer, values) in inner {
        context.entry(outer).or_insert_with(|| minijinja::Value::from(values));
    }
    context
}

/// Returns minijinja's own words without the name of the template, which says nothing here.
fn words(error: &minijinja::Error) -> String {
    match error.detail() {
        Some("unexpected end of input, expected end of variable block") => "`{{` is not closed by `}}`".to_owned(),
        Some(detail) if detail.ends_with(", expected end of variable block") => {
            "what stands between `{{` and `}}` is not a name, with filters behind it at most".to_owned()
        }
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

/// Takes rendered text as long as it stays within bounds.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends a rendering that has become too long, before it takes the memory.
fn within_bounds(out: &str) -> Result<(), TemplateError> {
    match out.len() > RENDERED_BYTES_MAX {
        true => Err(too_long()),
        false => Ok(()),
    }
}

fn too_long() -> TemplateError {
    TemplateError::Rendering(format!("the text is longer than {RENDERED_BYTES_MAX} bytes"))
}

/// minijinja drops one line end at the end of a template.
fn without_line_end(source: &str) -> &str {
    source.strip_suffix('\n').map_or(source, |rest| rest.strip_suffix('\r').unwrap_or(rest))
}

/// Parses a template that only names values; `None` for anything else.
fn plain(source: &str) -> Option<(Vec<Box<str>>, Vec<TemplatePiece>)> {
    let mut rest = without_line_end(source);
    let mut names: Vec<Box<str>> = Vec::new();
    let mut pieces = Vec::new();
    while let Some(open) = rest.find('{') {
        let after = &rest[open + 1..];
        if after.starts_with(['%', '#']) {
            return None;
        }
        if !after.starts_with('{') {
            push_text(&mut pieces, &rest[..=open]);
            rest = after;
            continue;
        }
        let inside = &after[1..];
        let close = inside.find("}}")?;
        let name = inside[..close].trim_matches([' ', '\t', '\n', '\r']);
        let legal = name.split('.').all(|part| crate::asset::is_identifier(part) && !RESERVED_WORDS.contains(&part));
        if !legal {
            return None;
        }
        push_text(&mut pieces, &rest[..open]);
        let index = names.iter().position(|known| **known == *name).unwrap_or_else(|| {
            names.push(name.into());
            names.len() - 1
        });
        pieces.push(TemplatePiece::Name(u16::try_from(index).ok()?));
        rest = &inside[close + 2..];
    }
    push_text(&mut pieces, rest);
    Some((names, pieces))
}

fn push_text(pieces: &mut Vec<TemplatePiece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(TemplatePiece::Text(before)) => *before = format!("{before}{text}").into_boxed_str(),
        _ => pieces.push(TemplatePiece::Text(text.into())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> BTreeMap<String, Filling> {
        BTreeMap::from([
            ("a".to_owned(), Filling::Text("A".to_owned())),
            ("b_1".to_owned(), Filling::Text("{{ a }}".to_owned())),
            ("thumb.url".to_owned(), Filling::Text("U".to_owned())),
            ("n".to_owned(), Filling::Integer(7)),
            ("x".to_owned(), Filling::Number(7.5)),
        ])
    }

    #[test]
    fn names_are_filled_in_and_nothing_is_rendered_twice() {
        let template = Template::parse("{{a}}, {{ b_1 }} { {{ thumb.url }} {{ n }} {{ x }}\n").unwrap();
        assert_eq!(template.render_with(&values()).unwrap(), "A, {{ a }} { U 7 7.5");
        assert_eq!(template.names(), ["a", "b_1", "thumb.url", "n", "x"].map(Box::from));
    }

    #[test]
    fn what_goes_beyond_names_is_minijinjas() {
        for (source, rendered) in [
            ("{{ a | lower }}", "a"),
            ("{% if n > 3 %}{{ a }}{% endif %}", "A"),
            ("{{ thumb.url | lower }}", "u"),
            ("{# nothing #}x", "x"),
            ("a * b {{ a | lower }}", "a * b a"),
        ] {
            assert_eq!(Template::parse(source).unwrap().render_with(&values()).as_deref(), Ok(rendered), "{source}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let render = |source: &str| Template::parse(source).and_then(|template| template.render_with(&values()));
        assert_eq!(render("{{ nope }}"), Err(TemplateError::Undefined("nope".into())));
        assert_eq!(render("{{ nope | lower }}"), Err(TemplateError::Undefined("nope".into())));
        assert!(matches!(render("{{ a"), Err(TemplateError::Syntax(_))));
        assert!(matches!(render("{{ a | uppr }}"), Err(TemplateError::Rendering(_) | TemplateError::Syntax(_))));
        assert!(matches!(render("{{ 'a' * 99999999999 }}"), Err(TemplateError::Syntax(_))));
    }

    #[test]
    fn a_column_that_is_one_name_is_seen() {
        assert_eq!(Template::parse("{{ seed }}").unwrap().only_name(), Some("seed"));
        assert_eq!(Template::parse("{{ seed }}\n").unwrap().only_name(), Some("seed"));
        assert_eq!(Template::parse("x{{ seed }}").unwrap().only_name(), None);
    }

    proptest! {
        #[test]
        fn the_short_cut_renders_what_minijinja_renders(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just("{{ a }}".to_owned()), Just("{{b_1}}".to_owned()), Just("{{\nthumb.url }}".to_owned()),
                    Just("{".to_owned()), Just("}".to_owned()), Just("\n".to_owned()), Just("\r\n".to_owned()),
                    Just("%}".to_owned()), Just("}}".to_owned()), Just("{{ true }}".to_owned()),
                    Just("{{- a }}".to_owned()), Just("{{ n }}".to_owned()), Just("{{ a.b }}".to_owned()), "[ a-zé#%]{0,5}",
                ], 0..8)
        ) {
            let source = pieces.concat();
            let values = values();
            let ours = Template::parse(&source).and_then(|template| template.render_with(&values));
            let general = Template { source: source.as_str().into(), names: Vec::new(), body: TemplateBody::General };
            let theirs = general.general(&values);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?} {:?}", source, ours, theirs);
            if let Ok(ours) = ours {
                prop_assert_eq!(ours, theirs.unwrap());
            }
        }

        #[test]
        fn no_text_makes_it_panic(source in "[{}% a*'|()0-9\\n-]{0,30}") {
            if let Ok(template) = Template::parse(&source) {
                let _ = template.render_with(&values());
            }
        }
    }
}
