//! Recipes: everything that decides the pixels, and where seeds come from.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::digest::{
    CanonicalObject, RECIPE_DOMAIN, RecipeDigest, SEED_DOMAIN, canonical_number, canonical_text, domain_digest,
};

use super::{Embedding, HiresFix, Lora, Refiner};

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

/// Everything that decides the pixels.
///
/// An empty list and `false` are what a field without a value is: writing them changes nothing.
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
    /// The sampler's name at the service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sampler: Option<String>,
    /// The scheduler's name at the service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scheduler: Option<String>,
    /// Sampling steps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub steps: Option<u32>,
    /// How closely the prompt is followed; finite.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guidance_scale: Option<f64>,
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
    /// The name of the VAE at the service, in the place of the model's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sd_vae: Option<String>,
    /// Small models laid over the main one, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub loras: Vec<Lora>,
    /// Textual inversions, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub embeddings: Vec<Embedding>,
    /// A second pass that enlarges the picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hires_fix: Option<HiresFix>,
    /// The last steps by another model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refiner: Option<Refiner>,
    /// How many of the last layers of the text encoder are left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clip_skip: Option<u32>,
    /// Whether the background is left transparent.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub enable_transparent_background: bool,
    /// Whether faces are drawn over by a model of their own.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub restore_faces: bool,
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
            sampler: None,
            scheduler: None,
            steps: None,
            guidance_scale: None,
            seed: None,
            take: None,
            width,
            height,
            sd_vae: None,
            loras: Vec::new(),
            embeddings: Vec::new(),
            hires_fix: None,
            refiner: None,
            clip_skip: None,
            enable_transparent_background: false,
            restore_faces: false,
        }
    }

    /// Returns width and height of the picture that comes back: the target of `hires_fix` where that is set.
    pub fn picture_size(&self) -> (u32, u32) {
        match &self.hires_fix {
            Some(HiresFix { target_width, target_height, .. }) => (*target_width, *target_height),
            None => (self.width, self.height),
        }
    }

    /// Writes the canonical JSON of the set fields to the end of the buffer; the seed as text.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        let Self {
            generator,
            model,
            prompt,
            negative_prompt,
            sampler,
            scheduler,
            steps,
            guidance_scale,
            seed,
            take,
            width,
            height,
            sd_vae,
            loras,
            embeddings,
            hires_fix,
            refiner,
            clip_skip,
            enable_transparent_background,
            restore_faces,
        } = self;
        let mut object = CanonicalObject::open(out);
        write_count(&mut object, "clip_skip", *clip_skip);
        if !embeddings.is_empty() {
            let mut list = object.list("embeddings");
            embeddings.iter().for_each(|embedding| embedding.write_canonical(list.object()));
            list.close();
        }
        if *enable_transparent_background {
            object.raw("enable_transparent_background", b"true");
        }
        object.text("generator", generator);
        if let Some(scale) = guidance_scale {
            object.number("guidance_scale", *scale);
        }
        object.integer("height", *height);
        if let Some(hires_fix) = hires_fix {
            hires_fix.write_canonical(object.object("hires_fix"));
        }
        if !loras.is_empty() {
            let mut list = object.list("loras");
            loras.iter().for_each(|lora| lora.write_canonical(list.object()));
            list.close();
        }
        write_text(&mut object, "model", model.as_deref());
        write_text(&mut object, "negative_prompt", negative_prompt.as_deref());
        object.text("prompt", prompt);
        if let Some(refiner) = refiner {
            refiner.write_canonical(object.object("refiner"));
        }
        if *restore_faces {
            object.raw("restore_faces", b"true");
        }
        write_text(&mut object, "sampler", sampler.as_deref());
        write_text(&mut object, "scheduler", scheduler.as_deref());
        write_text(&mut object, "sd_vae", sd_vae.as_deref());
        if let Some(seed) = seed {
            object.text("seed", &seed.to_string());
        }
        write_count(&mut object, "steps", *steps);
        write_count(&mut object, "take", *take);
        object.integer("width", *width);
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
            "sampler" => self.sampler.clone(),
            "scheduler" => self.scheduler.clone(),
            "steps" => self.steps.map(|steps| steps.to_string()),
            "guidance_scale" => self.guidance_scale.map(canonical_number),
            "seed" => self.seed.map(|seed| seed.to_string()),
            "take" => self.take.map(|take| take.to_string()),
            "width" => Some(self.width.to_string()),
            "height" => Some(self.height.to_string()),
            "sd_vae" => self.sd_vae.clone(),
            "loras" => (!self.loras.is_empty()).then(|| canonical_text(&self.loras)),
            "embeddings" => (!self.embeddings.is_empty()).then(|| canonical_text(&self.embeddings)),
            "hires_fix" => self.hires_fix.as_ref().map(canonical_text),
            "refiner" => self.refiner.as_ref().map(canonical_text),
            "clip_skip" => self.clip_skip.map(|layers| layers.to_string()),
            "enable_transparent_background" => self.enable_transparent_background.then(|| true.to_string()),
            "restore_faces" => self.restore_faces.then(|| true.to_string()),
            _ => None,
        }
    }

    /// The names of all fields, in the order in which people read them.
    pub const FIELDS: [&str; 20] = [
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
        "sd_vae",
        "loras",
        "embeddings",
        "hires_fix",
        "refiner",
        "clip_skip",
        "enable_transparent_background",
        "restore_faces",
    ];

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

fn write_text(object: &mut CanonicalObject<'_>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        object.text(name, value);
    }
}

fn write_count(object: &mut CanonicalObject<'_>, name: &str, value: Option<u32>) {
    if let Some(value) = value {
        object.integer(name, value);
    }
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
    fn the_fields_of_columns_are_the_first_ones() {
        assert_eq!(Recipe::FIELDS[..Recipe::COLUMN_FIELDS.len()], Recipe::COLUMN_FIELDS);
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
        let recipe = Recipe {
            loras: vec![Lora { model_name: "a".into(), strength: 1.0 }],
            hires_fix: Some(HiresFix { target_width: 1024, target_height: 1536, strength: 0.5, upscaler: None }),
            clip_skip: Some(2),
            restore_faces: true,
            ..Recipe::new("novita", "a kite", 512, 768)
        };
        let told = |name| recipe.field(name);
        assert_eq!(told("loras").unwrap(), r#"[{"model_name":"a","strength":1}]"#);
        assert_eq!(told("hires_fix").unwrap(), r#"{"strength":0.5,"target_height":1536,"target_width":1024}"#);
        assert_eq!((told("clip_skip").as_deref(), told("restore_faces").as_deref()), (Some("2"), Some("true")));
        let unset = ["sd_vae", "embeddings", "refiner", "enable_transparent_background"];
        assert_eq!(unset.map(told), [const { None }; 4]);
        assert_eq!(recipe.picture_size(), (1024, 1536));
        assert_eq!(Recipe { hires_fix: None, ..recipe }.picture_size(), (512, 768));
    }

    fn texts() -> impl Strategy<Value = [Option<String>; 5]> {
        std::array::from_fn(|_| any::<Option<String>>())
    }

    fn counts() -> impl Strategy<Value = [Option<u32>; 3]> {
        std::array::from_fn(|_| any::<Option<u32>>())
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![Just(0.0), Just(1.0), 0.0..1.0, any::<f64>().prop_filter("finite", |number| number.is_finite())]
    }

    fn hires_fix() -> impl Strategy<Value = HiresFix> {
        (any::<[u32; 2]>(), number(), any::<Option<String>>()).prop_map(
            |([target_width, target_height], strength, upscaler)| HiresFix {
                target_width,
                target_height,
                strength,
                upscaler,
            },
        )
    }

    fn recipe() -> impl Strategy<Value = Recipe> {
        let plain = (any::<[String; 2]>(), texts(), counts(), any::<[u32; 2]>(), any::<[bool; 2]>());
        let numbers = (prop::option::of(number()), prop::option::of(0..=Seed::MAX), prop::option::of(number()));
        let lora = (any::<String>(), number()).prop_map(|(model_name, strength)| Lora { model_name, strength });
        let embedding = any::<String>().prop_map(|model_name| Embedding { model_name });
        let lists = (prop::collection::vec(lora, 0..4), prop::collection::vec(embedding, 0..4));
        (plain, numbers, lists, prop::option::of(hires_fix())).prop_map(|(plain, numbers, lists, hires_fix)| {
            let ([generator, prompt], texts, [steps, take, clip_skip], [width, height], flags) = plain;
            let [model, negative_prompt, sampler, scheduler, sd_vae] = texts;
            let [enable_transparent_background, restore_faces] = flags;
            let (guidance_scale, seed, switch_at) = numbers;
            let (loras, embeddings) = lists;
            Recipe {
                generator,
                model,
                prompt,
                negative_prompt,
                sampler,
                scheduler,
                steps,
                guidance_scale,
                seed: seed.and_then(Seed::new),
                take,
                width,
                height,
                sd_vae,
                loras,
                embeddings,
                hires_fix,
                refiner: switch_at.map(|switch_at| Refiner { switch_at }),
                clip_skip,
                enable_transparent_background,
                restore_faces,
            }
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
