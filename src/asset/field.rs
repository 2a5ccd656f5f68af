//! Tables of fields: what a kind of generator declares of its recipes, as data.
//!
//! One line of a table is all that a plain field needs: reading it from YAML, checking it, its JSON Schema, the lists of
//! fields that people see and its place in reports are made from the table. What only code can tell of a recipe is left
//! to the kind's own check.

use std::borrow::Cow;

use super::{Complaint, FieldMap, FieldValue};

/// One setting of a recipe that a kind declares.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Its name in manifests and recipes: the vendor's own, where pixform has none.
    pub name: &'static str,
    /// What it holds.
    pub holds: FieldType,
    /// Whether a recipe can go without it.
    pub presence: Presence,
    /// What it decides, in one sentence.
    pub help: &'static str,
    /// How it is written, without its name: `30`.
    pub example: &'static str,
    /// Where its limits are told.
    pub source: Option<Citation>,
}

impl FieldSpec {
    /// Returns an example in words: of a text as it is quoted in messages.
    fn for_instance(&self) -> String {
        match self.holds {
            FieldType::Text | FieldType::Choice { .. } => format!("for instance `{}`", self.example),
            FieldType::Count { .. }
            | FieldType::Number { .. }
            | FieldType::Flag
            | FieldType::Object(_)
            | FieldType::List { .. } => {
                format!("for instance {}", self.example)
            }
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum FieldType {
    /// Any text but an empty one.
    Text,
    /// A whole number.
    Count {
        /// The least one.
        least: u32,
        /// The largest one; [`u32::MAX`] where there is none.
        most: u32,
    },
    /// A number that may have a fraction.
    Number {
        /// The least one.
        least: f64,
        /// The largest one; [`f64::MAX`] where there is none.
        most: f64,
    },
    /// Whether something is done; `false` is the same as nothing.
    Flag,
    /// One of several names.
    Choice {
        /// What each of them is, with its article: `a sampler`.
        what: &'static str,
        /// The names, in their exact spelling.
        names: &'static [&'static str],
    },
    /// Several parts.
    Object(&'static [FieldSpec]),
    /// A list of entries that have parts; an empty one is the same as nothing.
    List {
        /// The parts of each entry.
        parts: &'static [FieldSpec],
        /// The most entries.
        most: usize,
    },
}

impl FieldType {
    /// Returns the fields of which it is made; none where it is a single value.
    pub fn parts(self) -> &'static [FieldSpec] {
        match self {
            Self::Object(parts) | Self::List { parts, .. } => parts,
            Self::Text | Self::Count { .. } | Self::Number { .. } | Self::Flag | Self::Choice { .. } => &[],
        }
    }
}

/// Whether a recipe can go without a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It must be set.
    Required,
    /// It may be left out.
    Optional,
}

/// Where a fact about a service stands, and when it was read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Citation {
    /// The page.
    pub url: &'static str,
    /// The day, as `2026-11-22`.
    pub read: &'static str,
}

/// A largest number that bounds nothing: [`u32::MAX`] of a count, [`f64::MAX`] of a number.
const OPEN: f64 = u32::MAX as f64;

/// How alike two names must be for "did you mean", 0 to 1.
const LIKENESS_MIN: f64 = 0.6;

/// Checks values against a table; `title` is how people call the service. Nothing is reserved while all is well, for a
/// plan checks a million recipes.
pub fn check_fields(title: &str, specs: &[FieldSpec], values: &FieldMap, complaints: &mut Vec<Complaint>) {
    for spec in specs {
        match values.get(spec.name) {
            None if spec.presence == Presence::Required => complaints.push(Complaint {
                field: Cow::Borrowed(spec.name),
                message: format!("must be set for {title}"),
                help: Some(spec.for_instance()),
            }),
            None => {}
            Some(value) => Checking { title, spec, path: None }.check(value, complaints),
        }
    }
}

/// One value that is checked; the path is made only where something is wrong.
struct Checking<'c> {
    title: &'c str,
    spec: &'c FieldSpec,
    path: Option<&'c dyn Fn() -> String>,
}

impl Checking<'_> {
    fn check(&self, value: &FieldValue, complaints: &mut Vec<Complaint>) {
        match (self.spec.holds, value) {
            (FieldType::Text, FieldValue::Text(text)) if text.is_empty() => {
                let help = Some(format!("write a name as {} lists it", self.title));
                complaints.push(self.complaint("must not be empty".to_owned(), help));
            }
            (FieldType::Text, FieldValue::Text(_)) | (FieldType::Flag, FieldValue::Flag(_)) => {}
            (FieldType::Count { least, most }, FieldValue::Number(number)) => {
                self.range((f64::from(least), f64::from(most)), *number, complaints);
            }
            (FieldType::Number { least, most }, FieldValue::Number(number)) => {
                self.range((least, most), *number, complaints);
            }
            (FieldType::Choice { what, names }, FieldValue::Text(offered)) => {
                if !names.contains(&offered.as_str()) {
                    let message = format!("must be {what} of {}, is `{offered}`", self.title);
                    complaints.push(self.complaint(message, Some(name_help(offered, names))));
                }
            }
            (FieldType::Object(parts), FieldValue::Object(object)) => self.parts(None, parts, object, complaints),
            (FieldType::List { parts, most }, FieldValue::List(list)) => {
                if list.len() > most {
                    let message = format!("must have at most {most} entries, has {}", list.len());
                    complaints.push(self.complaint(message, Some(format!("keep the {most} that matter most"))));
                }
                for (at, entry) in list.iter().take(most).enumerate() {
                    if let Some(entry) = entry.as_object() {
                        self.parts(Some(at), parts, entry, complaints);
                    }
                }
            }
            (_, found) => {
                let message = format!("cannot be `{found}`");
                complaints.push(self.complaint(message, Some(self.spec.for_instance())));
            }
        }
    }

    fn parts(&self, entry: Option<usize>, parts: &[FieldSpec], object: &FieldMap, complaints: &mut Vec<Complaint>) {
        for spec in parts {
            let path = || match entry {
                Some(at) => format!("{}[{at}].{}", self.path(), spec.name),
                None => format!("{}.{}", self.path(), spec.name),
            };
            match object.get(spec.name) {
                None if spec.presence == Presence::Required => complaints.push(Complaint {
                    field: Cow::Owned(path()),
                    message: format!("must be set for {}", self.title),
                    help: Some(spec.for_instance()),
                }),
                None => {}
                Some(value) => Checking { title: self.title, spec, path: Some(&path) }.check(value, complaints),
            }
        }
    }

    fn range(&self, (least, most): (f64, f64), number: f64, complaints: &mut Vec<Complaint>) {
        if (least..=most).contains(&number) {
            return;
        }
        let (bounds, help) = match most >= OPEN {
            true => {
                let bounds = match least == 0.0 {
                    true => "must not be negative".to_owned(),
                    false => format!("must be at least {least}"),
                };
                let FieldSpec { name, example, .. } = self.spec;
                (bounds, format!("write a number from {least} on, as in `{name}: {example}`"))
            }
            false => (format!("must be from {least} to {most}"), format!("write a number from {least} to {most}")),
        };
        complaints.push(self.complaint(format!("{bounds}, is {number}"), Some(help)));
    }

    fn path(&self) -> String {
        self.path.map_or_else(|| self.spec.name.to_owned(), |path| path())
    }

    fn complaint(&self, message: String, help: Option<String>) -> Complaint {
        let field = match self.path {
            Some(path) => Cow::Owned(path()),
            None => Cow::Borrowed(self.spec.name),
        };
        Complaint { field, message, help }
    }
}

/// Names the nearest of the known names, or all of them where none is near.
fn name_help(offered: &str, known: &[&str]) -> String {
    // Case and signs count for nothing: `dpmpp_2m_karras` and `Euler A` are what other services call theirs.
    let bare = |name: &str| {
        let name = name.to_lowercase().replace("dpmpp", "dpm++");
        name.replace(|c: char| !c.is_alphanumeric() && c != '+', "")
    };
    let offered = bare(offered);
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(&offered, &bare(name));
    let near = known.iter().map(|name| (likeness(name), name)).max_by(|(one, _), (other, _)| one.total_cmp(other));
    match near {
        Some((likeness, name)) if likeness >= LIKENESS_MIN => format!("did you mean `{name}`?"),
        _ => format!("use one of `{}`", known.join("`, `")),
    }
}
