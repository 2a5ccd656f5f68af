//! Recipes: everything that decides the pixels, and where seeds come from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{CanonicalObject, RECIPE_DOMAIN, RecipeDigest, SEED_DOMAIN, canonical_number, domain_digest};

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
    /// Width of the original, in pixels.
    pub width: u32,
    /// Height of the original, in pixels.
    pub height: u32,
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
        } = self;
        let mut object = CanonicalObject::open(out);
        object.text("generator", generator);
        if let Some(scale) = guidance_scale {
            object.raw("guidance_scale", canonical_number(*scale).as_bytes());
        }
        object.integer("height", *height);
        if let Some(model) = model {
            object.text("model", model);
        }
        if let Some(negative_prompt) = negative_prompt {
            object.text("negative_prompt", negative_prompt);
        }
        object.text("prompt", prompt);
        if let Some(sampler) = sampler {
            object.text("sampler", sampler);
        }
        if let Some(scheduler) = scheduler {
            object.text("scheduler", scheduler);
        }
        if let Some(seed) = seed {
            object.text("seed", &seed.to_string());
        }
        if let Some(steps) = steps {
            object.integer("steps", *steps);
        }
        if let Some(take) = take {
            object.integer("take", *take);
        }
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

    /// Returns the named field as text, as people and columns see it; `None` where it is not set.
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
            _ => None,
        }
    }

    /// The names of all fields, in the order in which people read them.
    pub const FIELDS: [&str; 12] = [
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

#[cfg(test)]
mod tests {
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
}
