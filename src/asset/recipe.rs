//! Recipes: everything that decides the pixels, and where seeds come from.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::digest::{CanonicalObject, RECIPE_DOMAIN, RecipeDigest, SEED_DOMAIN, domain_digest};

use super::{FieldMap, FieldName, FieldValue};

/// What a generator starts its noise from: 0..=2^63-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(u64);

impl Seed {
    /// Largest seed: what a signed 64-bit column holds.
    pub const MAX: u64 = i64::MAX as u64;

    /// Takes a number of at most [`Seed::MAX`].
    pub fn new(number: u64) -> Option<Self> {
        (number <= Self::MAX).then_some(Self(number))
    }

    /// Reads a seed as a database writes one: a whole number, also of a column with a fraction (`42`, `42.00`).
    pub fn written(text: &str) -> Option<Self> {
        let text = text.trim();
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
            Some(_) => return None,
            None => text,
        };
        whole.parse().ok().and_then(Self::new)
    }

    /// Returns the number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a seed is made from, together with the take.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedBase {
    /// A number in the manifest.
    Number(u64),
    /// The asset's first key, which it keeps when it is moved.
    Key(String),
    /// Named axes and their values: `category=age,value=70+`.
    Axes(String),
}

impl SeedBase {
    /// Returns the seed of a take: take 0 of a number is the number, any other is SHA-256 of base and take, folded to
    /// 1..=2147483647, which is legal at every generator that takes a seed (reference: providers, section 9.3).
    pub fn seed(&self, take: u32) -> Seed {
        let text = match self {
            Self::Number(number) if take == 0 => return Seed(*number),
            Self::Number(number) => format!("number {number}\n{take}"),
            Self::Key(key) => format!("key {key}\n{take}"),
            Self::Axes(axes) => format!("axes {axes}\n{take}"),
        };
        let digest = domain_digest(SEED_DOMAIN, text.as_bytes());
        let mut eight = [0; 8];
        eight.copy_from_slice(&digest[..8]);
        Seed(u64::from_be_bytes(eight) % 2_147_483_647 + 1)
    }
}

/// Everything that decides the pixels: what every recipe has, and the fields of the kind that makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The kind of generator: `novita`, `placeholder`; so that a placeholder is never mistaken for the real picture.
    pub generator: String,
    /// The model's name at the service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// The prompt, normalised.
    pub prompt: String,
    /// The negative prompt, normalised.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub negative_prompt: Option<String>,
    /// The seed; absent for a generator without seeds.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "seed_text")]
    pub seed: Option<Seed>,
    /// The take, for a generator without seeds only; 0 is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub take: Option<u32>,
    /// Width of the picture, in pixels; where `hires_fix` is set, of the picture that it enlarges.
    pub width: u32,
    /// Height of the picture, in pixels; where `hires_fix` is set, of the picture that it enlarges.
    pub height: u32,
    /// The kind's own fields, those that are set.
    #[serde(flatten)]
    pub fields: FieldMap,
}

/// A seed is written as text: JSON numbers lose digits above 2^53.
mod seed_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Seed;

    #[expect(clippy::ref_option, reason = "serde's `with` hands out `&Option`")]
    pub fn serialize<S: Serializer>(seed: &Option<Seed>, serializer: S) -> Result<S::Ok, S::Error> {
        match seed {
            Some(seed) => serializer.collect_str(seed),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seed>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let number = text.parse().map_err(D::Error::custom)?;
        Seed::new(number).map(Some).ok_or_else(|| D::Error::custom("a seed is at most 9223372036854775807"))
    }
}

impl Recipe {
    /// Makes a recipe in which nothing is set but what every recipe has.
    pub fn new(generator: &str, prompt: &str, width: u32, height: u32) -> Self {
        Self {
            generator: generator.to_owned(),
            model: None,
            prompt: prompt.to_owned(),
            negative_prompt: None,
            seed: None,
            take: None,
            width,
            height,
            fields: FieldMap::new(),
        }
    }

    /// Returns it with a field of its kind set, for building one in a row.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<FieldValue>) -> Self {
        self.fields.set(FieldName::of(name), value);
        self
    }

    /// Returns width and height of the picture that comes back: the target of `hires_fix` where that is set.
    pub fn picture_size(&self) -> (u32, u32) {
        let target = self.fields.object("hires_fix");
        let target = target.and_then(|target| Some((target.count("target_width")?, target.count("target_height")?)));
        target.unwrap_or((self.width, self.height))
    }

    /// Tells whether a background without colour is asked for.
    pub fn is_transparent(&self) -> bool {
        self.fields.flag(Self::TRANSPARENT)
    }

    /// The flag that asks for a background without colour.
    pub const TRANSPARENT: &'static str = "enable_transparent_background";

    /// Writes the canonical JSON of the set fields, ascending, to the end of the buffer; the seed as text.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        let Self { generator, model, prompt, negative_prompt, seed, take, width, height, fields } = self;
        let seed = seed.map(|seed| seed.to_string());
        let core: [(&str, Option<CoreValue<'_>>); 8] = [
            ("generator", Some(CoreValue::Text(generator))),
            ("height", Some(CoreValue::Count(*height))),
            ("model", model.as_deref().map(CoreValue::Text)),
            ("negative_prompt", negative_prompt.as_deref().map(CoreValue::Text)),
            ("prompt", Some(CoreValue::Text(prompt))),
            ("seed", seed.as_deref().map(CoreValue::Text)),
            ("take", take.map(CoreValue::Count)),
            ("width", Some(CoreValue::Count(*width))),
        ];
        let mut object = CanonicalObject::open(out);
        let mut own = fields.iter().peekable();
        for (name, value) in core {
            while let Some((field, value)) = own.next_if(|(field, _)| field.as_str() < name) {
                object.member(field.as_str(), |out| value.write_canonical(out));
            }
            match value {
                Some(CoreValue::Text(text)) => object.text(name, text),
                Some(CoreValue::Count(count)) => object.integer(name, count),
                None => {}
            }
        }
        for (field, value) in own {
            object.member(field.as_str(), |out| value.write_canonical(out));
        }
        object.close();
    }

    /// Returns the recipe's digest.
    pub fn digest(&self) -> RecipeDigest {
        self.digest_with(&mut Vec::with_capacity(1_024))
    }

    /// Returns the recipe's digest, with a buffer that is reused.
    pub fn digest_with(&self, buffer: &mut Vec<u8>) -> RecipeDigest {
        buffer.clear();
        self.write_canonical(buffer);
        RecipeDigest::from_bytes(domain_digest(RECIPE_DOMAIN, buffer))
    }

    /// Returns the named field as text, as people and columns see it; what has parts as canonical JSON; `None` where it
    /// is not set.
    pub fn field(&self, name: &str) -> Option<String> {
        match name {
            "generator" => Some(self.generator.clone()),
            "model" => self.model.clone(),
            "prompt" => Some(self.prompt.clone()),
            "negative_prompt" => self.negative_prompt.clone(),
            "seed" => self.seed.map(|seed| seed.to_string()),
            "take" => self.take.map(|take| take.to_string()),
            "width" => Some(self.width.to_string()),
            "height" => Some(self.height.to_string()),
            name => self.fields.get(name).map(FieldValue::to_string),
        }
    }

    /// The fields that every recipe may have, whoever makes it: no kind can declare one of these names.
    pub const CORE_FIELDS: [&str; 8] =
        ["generator", "model", "prompt", "negative_prompt", "seed", "take", "width", "height"];

    /// The fields that columns may use, whose names are therefore reserved in templates. Fields that came later are not
    /// among them: a label or var that has such a name keeps its meaning.
    pub const COLUMN_FIELDS: [&str; 12] = [
        "generator",
        "model",
        "prompt",
        "negative_prompt",
        "sampler",
        "scheduler",
        "steps",
        "guidance_scale",
        "seed",
        "take",
        "width",
        "height",
    ];

    /// Returns the names of the fields that are set, in the order in which people read them.
    pub fn names(&self) -> Vec<FieldName> {
        Self::names_of(&[self])
    }

    /// Returns the names of the fields that any of several recipes has, in the order in which people read them: those
    /// that columns may use, then the others by name.
    pub fn names_of(recipes: &[&Self]) -> Vec<FieldName> {
        let set = |name: &&str| {
            let core = Self::CORE_FIELDS.contains(name);
            recipes.iter().any(|recipe| match core {
                true => recipe.field(name).is_some(),
                false => recipe.fields.get(name).is_some(),
            })
        };
        let first = Self::COLUMN_FIELDS.iter().copied().filter(set).map(FieldName::of);
        let own = recipes.iter().flat_map(|recipe| recipe.fields.iter().map(|(name, _)| name.clone()));
        let own: BTreeSet<FieldName> = own.filter(|name| !Self::COLUMN_FIELDS.contains(&name.as_str())).collect();
        first.chain(own).collect()
    }
}

/// The value of a field that every recipe may have.
enum CoreValue<'r> {
    Text(&'r str),
    Count(u32),
}

/// Returns a prompt as it is digested and sent: NFC, runs of white space as one space, trimmed.
pub fn normalise(text: String) -> String {
    let text = if text.is_ascii() { text } else { text.nfc().collect() };
    let tidy = !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && !text.contains("  ")
        && !text.chars().any(|c| c != ' ' && c.is_whitespace());
    if tidy {
        return text;
    }
    let mut words = text.split_whitespace();
    let mut out = String::with_capacity(text.len());
    if let Some(first) = words.next() {
        out.push_str(first);
    }
    for word in words {
        out.push(' ');
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_derived_seed_is_legal_at_every_generator() {
        for take in 0..1_000 {
            let seed = SeedBase::Key("age/70+/anime".into()).seed(take).get();
            assert!((1..=2_147_483_647).contains(&seed));
        }
        assert_eq!(SeedBase::Number(Seed::MAX).seed(0).get(), Seed::MAX);
        assert_ne!(SeedBase::Number(7).seed(1).get(), 7);
        assert_ne!(SeedBase::Key("a".into()).seed(0), SeedBase::Axes("a".into()).seed(0));
    }

    #[test]
    fn a_seed_is_read_as_a_database_writes_it() {
        for (text, seed) in [
            ("42", Some(42)),
            (" 42.00 ", Some(42)),
            ("9223372036854775807", Some(Seed::MAX)),
            ("9223372036854775807.0", Some(Seed::MAX)),
            ("9223372036854775808", None),
            ("42.5", None),
            ("-1", None),
            ("random", None),
            ("", None),
        ] {
            assert_eq!(Seed::written(text).map(Seed::get), seed, "{text:?}");
        }
    }

    #[test]
    fn a_recipe_that_was_recorded_before_a_field_was_there_is_read() {
        let old = r#"{"generator":"novita","prompt":"a kite","width":512,"height":768}"#;
        let recipe: Recipe = serde_json::from_str(old).unwrap();
        assert_eq!(recipe, Recipe::new("novita", "a kite", 512, 768));
        assert_eq!(serde_json::to_string(&recipe).unwrap(), old);
    }

    #[test]
    fn what_has_parts_is_told_as_canonical_json() {
        let lora = FieldMap::new().with("model_name", "a").with("strength", 1.0);
        let target = FieldMap::new().with("target_width", 1024).with("target_height", 1536).with("strength", 0.5);
        let recipe = Recipe::new("novita", "a kite", 512, 768)
            .with("loras", vec![lora])
            .with("hires_fix", target)
            .with("clip_skip", 2_u32)
            .with("restore_faces", true);
        let told = |name| recipe.field(name);
        assert_eq!(told("loras").unwrap(), r#"[{"model_name":"a","strength":1}]"#);
        assert_eq!(told("hires_fix").unwrap(), r#"{"strength":0.5,"target_height":1536,"target_width":1024}"#);
        assert_eq!((told("clip_skip").as_deref(), told("restore_faces").as_deref()), (Some("2"), Some("true")));
        let unset = ["sd_vae", "embeddings", "refiner", "enable_transparent_background"];
        assert_eq!(unset.map(told), [const { None }; 4]);
        assert_eq!(recipe.picture_size(), (1024, 1536));
        assert_eq!(Recipe { fields: FieldMap::new(), ..recipe }.picture_size(), (512, 768));
    }

    #[test]
    fn fields_are_named_in_the_order_in_which_people_read_them() {
        let one = Recipe { model: Some("m".into()), ..Recipe::new("novita", "a kite", 512, 768) }.with("steps", 30);
        let other = Recipe::new("novita", "a kite", 512, 768).with("clip_skip", 2).with("sampler", "Euler a");
        let names: Vec<String> = Recipe::names_of(&[&one, &other]).iter().map(FieldName::to_string).collect();
        assert_eq!(names, ["generator", "model", "prompt", "sampler", "steps", "width", "height", "clip_skip"]);
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![Just(0.0), Just(1.0), 0.0..1.0, any::<f64>().prop_filter("finite", |number| number.is_finite())]
    }

    fn value() -> impl Strategy<Value = FieldValue> {
        let leaf = prop_oneof![
            any::<String>().prop_map(FieldValue::Text),
            number().prop_map(FieldValue::Number),
            any::<u32>().prop_map(FieldValue::from),
            Just(FieldValue::Flag(true)),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(FieldValue::List),
                field_map(inner, 1).prop_map(FieldValue::Object),
            ]
        })
    }

    fn field_map<V: Strategy<Value = FieldValue>>(value: V, least: usize) -> impl Strategy<Value = FieldMap> {
        prop::collection::btree_map("[a-z_]{1,12}", value, least..5).prop_map(|values| {
            let mut fields = FieldMap::new();
            for (name, value) in values {
                fields.keep(FieldName::from(name.as_str()), value);
            }
            fields
        })
    }

    fn recipe() -> impl Strategy<Value = Recipe> {
        let texts = (any::<[String; 2]>(), any::<[Option<String>; 2]>());
        let numbers = (prop::option::of(0..=Seed::MAX), any::<Option<u32>>(), any::<[u32; 2]>());
        let own = field_map(value(), 0).prop_map(|fields| {
            let own = fields.iter().filter(|(name, _)| !Recipe::CORE_FIELDS.contains(&name.as_str()));
            let mut kept = FieldMap::new();
            own.for_each(|(name, value)| kept.keep(name.clone(), value.clone()));
            kept
        });
        (texts, numbers, own).prop_map(|((all, some), (seed, take, [width, height]), fields)| {
            let ([generator, prompt], [model, negative_prompt]) = (all, some);
            let seed = seed.and_then(Seed::new);
            Recipe { generator, model, prompt, negative_prompt, seed, take, width, height, fields }
        })
    }

    proptest! {
        #[test]
        fn a_recipe_is_digested_as_the_canonicalizer_writes_it_and_read_back_as_it_was(recipe in recipe()) {
            let mut fast = Vec::new();
            recipe.write_canonical(&mut fast);
            let slow = serde_json_canonicalizer::to_vec(&recipe).unwrap();
            prop_assert_eq!(String::from_utf8(fast).unwrap(), String::from_utf8(slow).unwrap());
            let read: Recipe = serde_json::from_str(&serde_json::to_string(&recipe).unwrap()).unwrap();
            prop_assert_eq!(read.digest(), recipe.digest());
            prop_assert_eq!(read, recipe);
        }
    }
}
