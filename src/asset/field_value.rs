//! Values of a kind's own fields, as recipes hold them: read and written without the table that declared them.
//!
//! A stored recipe outlives the version of pixform that wrote it, so nothing here asks what a kind knows. Whether a value
//! is one that a kind takes is checked against its table where a manifest is read.

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};

use crate::digest::{canonical_number, canonical_text, write_canonical_text};

/// Largest whole number of a field: what canonical JSON writes without losing a digit.
pub const COUNT_CEILING: f64 = 9_007_199_254_740_992.0;

/// The name of a field of a recipe, or of a part of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(Cow<'static, str>);

impl FieldName {
    /// Takes the name of a table.
    pub const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FieldName {
    fn from(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }
}

impl Borrow<str> for FieldName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a field, in the shapes that JSON has.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// Text as it stands.
    Text(String),
    /// A number; finite.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Several values, in order.
    List(Vec<FieldValue>),
    /// Values with names.
    Object(FieldMap),
}

impl FieldValue {
    /// Returns the text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Flag(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Returns the number, where it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Flag(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Returns the values with names, where it has them.
    pub fn as_object(&self) -> Option<&FieldMap> {
        match self {
            Self::Object(object) => Some(object),
            Self::Text(_) | Self::Number(_) | Self::Flag(_) | Self::List(_) => None,
        }
    }

    /// Tells whether it says nothing: `false` and an empty list are what a field without a value is.
    pub fn is_unset(&self) -> bool {
        match self {
            Self::Flag(flag) => !flag,
            Self::List(list) => list.is_empty(),
            Self::Text(_) | Self::Number(_) | Self::Object(_) => false,
        }
    }

    /// Writes its canonical JSON to the end of the buffer.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_canonical_text(out, text),
            Self::Number(number) => out.extend_from_slice(canonical_number(*number).as_bytes()),
            Self::Flag(true) => out.extend_from_slice(b"true"),
            Self::Flag(false) => out.extend_from_slice(b"false"),
            Self::List(list) => {
                out.push(b'[');
                for (at, value) in list.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    value.write_canonical(out);
                }
                out.push(b']');
            }
            Self::Object(FieldMap(members)) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_canonical_text(out, name.as_str());
                    out.push(b':');
                    value.write_canonical(out);
                }
                out.push(b'}');
            }
        }
    }
}

impl fmt::Display for FieldValue {
    /// Writes it as people and columns see it; what has parts as canonical JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => f.write_str(&canonical_number(*number)),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(_) | Self::Object(_) => f.write_str(&canonical_text(self)),
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u32> for FieldValue {
    fn from(count: u32) -> Self {
        Self::Number(f64::from(count))
    }
}

impl From<i32> for FieldValue {
    fn from(number: i32) -> Self {
        Self::Number(f64::from(number))
    }
}

impl From<f64> for FieldValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for FieldValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<FieldMap> for FieldValue {
    fn from(object: FieldMap) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<FieldMap>> for FieldValue {
    fn from(objects: Vec<FieldMap>) -> Self {
        Self::List(objects.into_iter().map(Self::Object).collect())
    }
}

/// Values by name, in the order of their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FieldMap(Vec<(FieldName, FieldValue)>);

impl FieldMap {
    /// Returns one without a value.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets a value, or takes it away where it says nothing.
    pub fn set(&mut self, name: FieldName, value: impl Into<FieldValue>) {
        let value = value.into();
        let found = self.0.binary_search_by(|(known, _)| known.cmp(&name));
        match (found, value.is_unset()) {
            (Ok(at), false) => self.0[at].1 = value,
            (Ok(at), true) => drop(self.0.remove(at)),
            (Err(at), false) => self.0.insert(at, (name, value)),
            (Err(_), true) => {}
        }
    }

    /// Returns it with a value set, for building one in a row.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<FieldValue>) -> Self {
        self.set(FieldName::of(name), value);
        self
    }

    /// Returns the value of a name.
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok().map(|at| &self.0[at].1)
    }

    /// Returns the text of a name, where it has one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(FieldValue::as_text)
    }

    /// Returns the number of a name, where it has one.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(FieldValue::as_number)
    }

    /// Returns the number of a name as a whole one, where it is one that fits.
    pub fn count(&self, name: &str) -> Option<u32> {
        let number = self.number(name)?;
        (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
    }

    /// Returns the values of a name that has values with names of its own.
    pub fn object(&self, name: &str) -> Option<&Self> {
        self.get(name).and_then(FieldValue::as_object)
    }

    /// Returns the values of a name that has a list; none where it has not.
    pub fn list(&self, name: &str) -> &[FieldValue] {
        match self.get(name) {
            Some(FieldValue::List(list)) => list,
            Some(FieldValue::Text(_) | FieldValue::Number(_) | FieldValue::Flag(_) | FieldValue::Object(_)) | None => {
                &[]
            }
        }
    }

    /// Tells whether a name is set to yes.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(FieldValue::Flag(true)))
    }

    /// Returns names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&FieldName, &FieldValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Tells whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            // A whole number is written as one: readers of older versions expect no fraction.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < COUNT_CEILING => {
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(list) => list.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for FieldMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name.as_str(), value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = FieldValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true, false, a list or an object")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FieldValue, E> {
                Ok(FieldValue::Text(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<FieldValue, E> {
                Ok(FieldValue::Text(text))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<FieldValue, E> {
                Ok(FieldValue::Flag(flag))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<FieldValue, E> {
                Ok(FieldValue::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<FieldValue, E> {
                Ok(FieldValue::Number(number as f64))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<FieldValue, E> {
                Ok(FieldValue::Number(number as f64))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<FieldValue, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = items.next_element()? {
                    list.push(value);
                }
                Ok(FieldValue::List(list))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, entries: A) -> Result<FieldValue, A::Error> {
                MapVisitor.visit_map(entries).map(FieldValue::Object)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

struct MapVisitor;

impl<'de> de::Visitor<'de> for MapVisitor {
    type Value = FieldMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<FieldMap, A::Error> {
        let mut object = FieldMap::new();
        while let Some((name, value)) = entries.next_entry::<String, FieldValue>()? {
            object.keep(FieldName(Cow::Owned(name)), value);
        }
        Ok(object)
    }
}

impl<'de> Deserialize<'de> for FieldMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor)
    }
}

impl FieldMap {
    /// Sets a value as it is, also one that says nothing: what was stored stays what it was.
    pub(super) fn keep(&mut self, name: FieldName, value: FieldValue) {
        match self.0.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_not_held() {
        let mut fields =
            FieldMap::new().with("steps", 30_u32).with("restore_faces", false).with("loras", Vec::<FieldMap>::new());
        assert_eq!(fields, FieldMap::new().with("steps", 30_u32));
        fields.set(FieldName::of("restore_faces"), true);
        fields.set(FieldName::of("restore_faces"), false);
        assert_eq!(fields.iter().count(), 1);
        assert_eq!((fields.count("steps"), fields.text("steps"), fields.number("sampler")), (Some(30), None, None));
    }

    #[test]
    fn a_value_is_told_and_written_canonically() {
        let lora = FieldMap::new().with("strength", 1.0).with("model_name", "a\"b");
        for (value, told, canonical) in [
            (FieldValue::from("Euler a"), "Euler a", r#""Euler a""#),
            (FieldValue::from(7.5), "7.5", "7.5"),
            (FieldValue::from(1.0), "1", "1"),
            (FieldValue::from(true), "true", "true"),
            (
                FieldValue::from(vec![lora]),
                r#"[{"model_name":"a\"b","strength":1}]"#,
                r#"[{"model_name":"a\"b","strength":1}]"#,
            ),
        ] {
            let mut out = Vec::new();
            value.write_canonical(&mut out);
            assert_eq!((value.to_string().as_str(), String::from_utf8(out).unwrap().as_str()), (told, canonical));
            let read: FieldValue = serde_json::from_str(canonical).unwrap();
            assert_eq!(read, value);
        }
    }

    #[test]
    fn a_whole_number_is_stored_without_a_fraction() {
        assert_eq!(serde_json::to_string(&FieldValue::from(30.0)).unwrap(), "30");
        assert_eq!(serde_json::to_string(&FieldValue::from(0.1)).unwrap(), "0.1");
        assert_eq!(serde_json::to_string(&FieldValue::from(1e300)).unwrap(), "1e+300");
    }
}
