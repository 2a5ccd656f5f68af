//! Fields of a kind's own, read as its table declares them.
//!
//! Which generator makes an image is settled over all layers, later than a layer is read. So a field is read in each of the
//! shapes that the environment's kinds give it, mostly one, and what is wrong in one shape of several is told only where an
//! image of such a kind meets it.

use crate::asset::{FieldMap, FieldName, FieldSpec, FieldType, FieldValue, KindSpec, Presence, Recipe};
use crate::yaml::{Fields, Mistake, Mistakes, Node, Scalar, Span, Value};

/// Largest width, height, number of steps or layers, or take; a service's own limits are checked by its table.
pub const COUNT_MAX: u64 = 1_000_000;

/// Entries that a list may have; a service's own limit is checked by its table.
pub const ENTRIES_MAX: usize = 100;

/// The kinds that a manifest may meet, and the names of all their fields.
#[derive(Debug, Default, Clone)]
pub struct KnownFields {
    kinds: Vec<&'static KindSpec>,
    own: Vec<&'static str>,
}

impl KnownFields {
    /// Collects the fields of kinds.
    pub fn new(kinds: impl IntoIterator<Item = &'static KindSpec>) -> Self {
        let mut known = Self::default();
        for kind in kinds {
            if known.kinds.iter().any(|other| std::ptr::eq(*other, kind)) {
                continue;
            }
            known.kinds.push(kind);
            for spec in kind.fields {
                if !known.own.contains(&spec.name) {
                    known.own.push(spec.name);
                }
            }
        }
        known
    }

    /// Returns the names of all fields: those of every recipe, then those of kinds; a field's number is its place here.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        Recipe::CORE_FIELDS.into_iter().chain(self.own.iter().copied())
    }

    /// Returns the number of a field.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.names().position(|known| known == name)
    }

    /// Returns how many fields there are.
    pub fn count(&self) -> usize {
        Recipe::CORE_FIELDS.len() + self.own.len()
    }

    /// Returns the names in the order in which people read them.
    pub fn for_people(&self) -> Vec<&'static str> {
        let first = Recipe::COLUMN_FIELDS.into_iter().filter(|name| self.number(name).is_some());
        let rest = self.own.iter().copied().filter(|name| !Recipe::COLUMN_FIELDS.contains(name));
        first.chain(rest).collect()
    }

    /// Returns the different shapes that kinds give a field, each with all kinds that give it this one.
    fn shapes(&self, name: &str) -> Vec<(&'static FieldSpec, Vec<&'static KindSpec>)> {
        let mut shapes: Vec<(&'static FieldSpec, Vec<&'static KindSpec>)> = Vec::new();
        for kind in &self.kinds {
            let Some(spec) = kind.field(name) else { continue };
            match shapes.iter_mut().find(|(known, _)| are_read_alike(known, spec)) {
                Some((_, kinds)) => kinds.push(kind),
                None => shapes.push((spec, vec![kind])),
            }
        }
        shapes
    }
}

/// Tells whether two fields are read in the same way; their limits may differ.
pub(super) fn are_read_alike(one: &FieldSpec, other: &FieldSpec) -> bool {
    let parts_alike = |one: &[FieldSpec], other: &[FieldSpec]| {
        one.len() == other.len()
            && one.iter().zip(other).all(|(one, other)| {
                (one.name, one.presence) == (other.name, other.presence) && are_read_alike(one, other)
            })
    };
    match (one.holds, other.holds) {
        (FieldType::Text | FieldType::Choice { .. }, FieldType::Text | FieldType::Choice { .. })
        | (FieldType::Count { .. }, FieldType::Count { .. })
        | (FieldType::Number { .. }, FieldType::Number { .. })
        | (FieldType::Flag, FieldType::Flag) => true,
        (FieldType::Object(one), FieldType::Object(other)) => parts_alike(one, other),
        (FieldType::List { parts: one, .. }, FieldType::List { parts: other, .. }) => parts_alike(one, other),
        (
            FieldType::Text
            | FieldType::Choice { .. }
            | FieldType::Count { .. }
            | FieldType::Number { .. }
            | FieldType::Flag
            | FieldType::Object(_)
            | FieldType::List { .. },
            _,
        ) => false,
    }
}

/// A field of a kind's own, read in each shape that it has.
#[derive(Debug, Clone)]
pub struct OwnField {
    /// Its name.
    pub name: FieldName,
    readings: Box<[(Vec<&'static KindSpec>, FieldReading)]>,
}

impl PartialEq for OwnField {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.readings.iter().map(|(_, one)| one).eq(other.readings.iter().map(|(_, it)| it))
    }
}

/// A field as a kind reads it.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldReading {
    /// Its value, with the places of its parts.
    Value(FieldValue, Vec<(String, PartPlace)>),
    /// It cannot be read; what is told where an image meets it, unless all of it was told already.
    Broken(Vec<Mistake>),
}

/// What is known of a part's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartPlace {
    /// It stands here.
    At(Span),
    /// It is missing or cannot be read, which was told.
    Broken,
    /// It is not set.
    Unset,
}

impl FieldReading {
    /// Returns where a part stands: `hires_fix.strength`, `loras[0].strength`.
    pub fn place(&self, part: &str) -> PartPlace {
        match self {
            Self::Value(_, places) => {
                places.iter().find(|(path, _)| path == part).map_or(PartPlace::Unset, |(_, place)| *place)
            }
            Self::Broken(_) => PartPlace::Broken,
        }
    }
}

impl OwnField {
    /// Reads a field. Where it has one shape only, what is wrong is told at once; of several it is told at once where none
    /// of them can be read.
    pub fn read(name: &'static str, node: Node<'_>, known: &KnownFields, mistakes: &mut Mistakes) -> Self {
        let shapes = known.shapes(name);
        let readings: Vec<_> = match shapes.len() {
            0 | 1 => shapes.into_iter().map(|(spec, kinds)| (kinds, read(spec, node.clone(), mistakes))).collect(),
            _ => {
                let mut told = Vec::new();
                let mut readings: Vec<_> = shapes
                    .into_iter()
                    .map(|(spec, kinds)| {
                        let mut found = Mistakes::default();
                        let reading = read(spec, node.clone(), &mut found);
                        let found = found.into_vec();
                        told = found.clone();
                        match found.is_empty() {
                            true => (kinds, reading),
                            false => (kinds, FieldReading::Broken(found)),
                        }
                    })
                    .collect();
                if readings.iter().all(|(_, reading)| matches!(reading, FieldReading::Broken(_))) {
                    for Mistake { span, message, help } in told {
                        mistakes.add(span, message, help);
                    }
                    readings.iter_mut().for_each(|(_, reading)| *reading = FieldReading::Broken(Vec::new()));
                }
                readings
            }
        };
        Self { name: FieldName::of(name), readings: readings.into() }
    }

    /// Reads a field of one kind.
    pub fn read_as(kind: &'static KindSpec, name: &'static str, node: Node<'_>, mistakes: &mut Mistakes) -> Self {
        let spec = kind.field(name);
        let readings = spec.into_iter().map(|spec| (vec![kind], read(spec, node.clone(), mistakes))).collect();
        Self { name: FieldName::of(name), readings }
    }

    /// Tells whether some kind reads it as `true`.
    pub fn is_on(&self) -> bool {
        self.readings.iter().any(|(_, reading)| matches!(reading, FieldReading::Value(FieldValue::Flag(true), _)))
    }

    /// Returns the field as a kind reads it; `None` where the kind has no such field.
    pub fn reading(&self, kind: &'static KindSpec) -> Option<&FieldReading> {
        let mut readings = self.readings.iter();
        readings.find(|(kinds, _)| kinds.iter().any(|known| std::ptr::eq(*known, kind))).map(|(_, reading)| reading)
    }
}

fn read(spec: &'static FieldSpec, node: Node<'_>, mistakes: &mut Mistakes) -> FieldReading {
    let mut reader =
        OwnReader { places: Vec::new(), help: format!("write `{}: {}`", spec.name, spec.example), mistakes };
    match reader.value(spec, spec.name.to_owned(), node) {
        Some(value) => FieldReading::Value(value, reader.places),
        None => FieldReading::Broken(Vec::new()),
    }
}

/// Reads one field.
struct OwnReader<'r> {
    places: Vec<(String, PartPlace)>,
    help: String,
    mistakes: &'r mut Mistakes,
}

impl OwnReader<'_> {
    fn value(&mut self, spec: &'static FieldSpec, path: String, node: Node<'_>) -> Option<FieldValue> {
        match spec.holds {
            FieldType::Text | FieldType::Choice { .. } => {
                self.scalar(spec, path, node, |scalar| Ok((&*scalar.text).into()))
            }
            FieldType::Count { .. } => {
                self.scalar(spec, path, node, |scalar| scalar.integer(COUNT_MAX).map(|count| (count as u32).into()))
            }
            FieldType::Number { .. } => self.scalar(spec, path, node, |scalar| scalar.number().map(FieldValue::from)),
            FieldType::Flag => self.scalar(spec, path, node, |scalar| scalar.truth().map(FieldValue::from)),
            FieldType::Object(parts) => self.object(parts, &path, node).map(FieldValue::from),
            FieldType::List { parts, .. } => self.entries(parts, &path, node).map(FieldValue::from),
        }
    }

    /// Reads a list of maps; an entry that is no map has only broken parts.
    fn entries(&mut self, parts: &'static [FieldSpec], name: &str, node: Node<'_>) -> Option<Vec<FieldMap>> {
        let span = node.span;
        let Value::List(items) = node.value else {
            self.misshapen(&node, name, "a list");
            return None;
        };
        if items.len() > ENTRIES_MAX {
            let message = format!("`{name}` must have at most {ENTRIES_MAX} entries, has {}", items.len());
            self.mistakes.add(span, message, "take some of them out");
            return None;
        }
        let entry = |(index, item)| {
            let path = format!("{name}[{index}]");
            self.object(parts, &path, item).unwrap_or_else(|| {
                self.places.extend(parts.iter().map(|part| (format!("{path}.{}", part.name), PartPlace::Broken)));
                FieldMap::new()
            })
        };
        Some(items.into_iter().enumerate().map(entry).collect())
    }

    fn object(&mut self, parts: &'static [FieldSpec], path: &str, node: Node<'_>) -> Option<FieldMap> {
        // What begins with `{{` was told of already.
        if !matches!(node.value, Value::Map(_)) || self.mistakes.begin_at(node.span.start) {
            self.misshapen(&node, path, "a map");
            return None;
        }
        let what = format!("`{path}`");
        let known: Vec<&str> = parts.iter().map(|part| part.name).collect();
        let mut fields = Fields::known(node, &what, &known, self.mistakes)?;
        let mut object = FieldMap::new();
        for spec in parts {
            let part = format!("{path}.{}", spec.name);
            match fields.take(spec.name).filter(|(_, node)| spec.presence == Presence::Required || !node.is_null()) {
                Some((_, node)) => {
                    if let Some(value) = self.value(spec, part, node) {
                        object.set(FieldName::of(spec.name), value);
                    }
                }
                None if spec.presence == Presence::Optional => {}
                None => {
                    let start = fields.span.start;
                    let message = format!("`{part}` is missing");
                    self.mistakes.add(Span { start, end: start + 1 }, message, self.help.as_str());
                    self.places.push((part, PartPlace::Broken));
                }
            }
        }
        fields.finish(&what, &known, self.mistakes);
        Some(object)
    }

    fn misshapen(&mut self, node: &Node<'_>, path: &str, wanted: &str) {
        if !self.mistakes.begin_at(node.span.start) {
            let message = format!("`{path}` must be {wanted}, is {}", node.describe());
            self.mistakes.add(node.span, message, self.help.as_str());
        }
    }

    fn scalar(
        &mut self,
        spec: &FieldSpec,
        path: String,
        node: Node<'_>,
        read: fn(&Scalar<'_>) -> Result<FieldValue, String>,
    ) -> Option<FieldValue> {
        let is_part = path != spec.name;
        let value = node.scalar(&format!("`{path}`"), self.mistakes).and_then(|(span, scalar)| match read(&scalar) {
            Ok(value) => Some((span, value)),
            Err(words) => {
                let help = match spec.holds {
                    _ if words.starts_with("must be a number, is the text") => "remove the quotes".to_owned(),
                    _ if is_part => self.help.clone(),
                    FieldType::Flag => "write it without quotes".to_owned(),
                    FieldType::Number { .. } => {
                        format!("write digits, with a point for a fraction: `{}: {}`", spec.name, spec.example)
                    }
                    FieldType::Text
                    | FieldType::Count { .. }
                    | FieldType::Choice { .. }
                    | FieldType::Object(_)
                    | FieldType::List { .. } => {
                        format!("write digits only: `{}: {}`", spec.name, spec.example)
                    }
                };
                self.mistakes.add(span, format!("`{path}` {words}"), help);
                None
            }
        });
        let place = value.as_ref().map_or(PartPlace::Broken, |(span, _)| PartPlace::At(*span));
        self.places.push((path, place));
        value.map(|(_, value)| value)
    }
}
