//! The built-in generator: paints a labelled picture, free, offline and always the same.
//!
//! What the picture looks like is decided in `imaging`; here it only becomes a generator.

use std::panic;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::trouble::{CallError, Trouble};
use super::{Answer, Found, Generator, GeneratorError, Kind, Order, Picture, Progress, ResultUrl};
use crate::asset::{
    Cost, FieldSpec, FieldType, KindSpec, Locality, MicroUsd, NegativePrompt, Pace, Presence, Seed, Seeds, SizeRule,
};
use crate::imaging;
use crate::record::{Account, CallAttempt};

/// The lengths that a side may have, in pixels.
const SIDE: std::ops::RangeInclusive<u32> = 1..=8192;

/// Paints placeholders.
#[derive(Debug, Clone, Copy, Default)]
pub struct Placeholder;

#[async_trait]
impl Generator for Placeholder {
    async fn submit(&self, order: &Order<'_>) -> Result<Answer, GeneratorError> {
        let seed = order.recipe.seed;
        let recipe = order.recipe.clone();
        // A large picture takes a second, in which nothing else must stand still.
        let painting = tokio::task::spawn_blocking(move || imaging::paint(&recipe));
        let painted = painting.await.unwrap_or_else(|crash| panic::resume_unwind(crash.into_panic()));
        Ok(Answer::Picture(Picture { bytes: painted?.into(), seed, cost: None }))
    }

    async fn poll(&self, _task: &str) -> Result<Progress, GeneratorError> {
        Err(no_tasks())
    }

    async fn find(&self, _lost: &CallAttempt) -> Result<Found, GeneratorError> {
        Ok(Found::CannotTell)
    }

    fn account(&self, _store: &str) -> Option<Account> {
        None
    }

    async fn download(&self, _result: &ResultUrl) -> Result<Bytes, GeneratorError> {
        Err(no_tasks())
    }
}

fn no_tasks() -> GeneratorError {
    CallError::new(Trouble::Gone, "the placeholder answers at once: it has no tasks").into()
}

/// The placeholder.
pub(super) static KIND: Kind = Kind { spec: &SPEC, open: |_| Ok(Arc::new(Placeholder)) };

/// Everything that is known of the placeholder: it takes what diffusion services know, in ranges as wide as can be.
pub(super) static SPEC: KindSpec = KindSpec {
    name: "placeholder",
    title: "the placeholder",
    cost: Cost::Free,
    reach: Locality::Here,
    options: &[],
    surcharge: |_| MicroUsd(0),
    fields: &FIELDS,
    lacks: &[],
    model: None,
    prompt_chars_max: usize::MAX,
    negative_prompt: NegativePrompt::Taken,
    seeds: Seeds::UpTo(Seed::MAX),
    sizes: SizeRule::Exact(SIDE),
    pace: Pace {
        concurrency: 8,
        images_per_minute: None,
        min_interval: Duration::ZERO,
        deadline: Duration::from_secs(10 * 60),
    },
    check: |_, _| {},
};

/// Any count from 1 on.
const COUNT: FieldType = FieldType::Count { least: 1, most: u32::MAX };
/// A share of the whole: how much is drawn over, or when another model takes over.
const SHARE: FieldType = FieldType::Number { least: 0.0, most: 1.0 };
/// Any number.
const NUMBER: FieldType = FieldType::Number { least: f64::MIN, most: f64::MAX };

static FIELDS: [FieldSpec; 12] = [
    field("sampler", FieldType::Text, "The sampler's name at the service.", "DPM++ 2M Karras"),
    field("scheduler", FieldType::Text, "The scheduler's name at the service.", "karras"),
    field("steps", COUNT, "Sampling steps.", "30"),
    field(
        "guidance_scale",
        FieldType::Number { least: 0.0, most: f64::MAX },
        "How closely the prompt is followed, as in 7.5.",
        "7.5",
    ),
    field(
        "sd_vae",
        FieldType::Text,
        "The name of the VAE at the service, in the place of the model's own.",
        "vae.safetensors",
    ),
    field(
        "loras",
        FieldType::List { parts: &LORA, most: 100 },
        "Small models laid over the main one, in this order.",
        "[{ model_name: style_42, strength: 0.6 }]",
    ),
    field(
        "embeddings",
        FieldType::List { parts: &EMBEDDING, most: 100 },
        "Textual inversions, in this order.",
        "[{ model_name: style_42 }]",
    ),
    field(
        "hires_fix",
        FieldType::Object(&HIRES_FIX),
        "A second pass that enlarges the picture to the target and draws it over.",
        "{ target_width: 1024, target_height: 1536, strength: 0.5 }",
    ),
    field(
        "refiner",
        FieldType::Object(&REFINER),
        "The last steps are made by SDXL's refiner model.",
        "{ switch_at: 0.8 }",
    ),
    field("clip_skip", COUNT, "How many of the last layers of the text encoder are left out.", "2"),
    field("enable_transparent_background", FieldType::Flag, "Whether the background is left transparent.", "true"),
    field("restore_faces", FieldType::Flag, "Whether faces are drawn over by a model of their own.", "true"),
];

static LORA: [FieldSpec; 2] = [
    part("model_name", FieldType::Text, "Its name at the service.", "style_42"),
    part("strength", NUMBER, "How much it counts.", "0.6"),
];

static EMBEDDING: [FieldSpec; 1] = [part("model_name", FieldType::Text, "Its name at the service.", "style_42")];

static HIRES_FIX: [FieldSpec; 4] = [
    part("target_width", PAINTED, "Width of what comes back, in pixels.", "1024"),
    part("target_height", PAINTED, "Height of what comes back, in pixels.", "1536"),
    part("strength", SHARE, "How much is drawn over.", "0.5"),
    field("upscaler", FieldType::Text, "The enlarger's name at the service.", "Latent"),
];

static REFINER: [FieldSpec; 1] = [part("switch_at", SHARE, "The share of the steps after which it takes over.", "0.8")];

/// A side that can be painted, in pixels.
const PAINTED: FieldType = FieldType::Count { least: *SIDE.start(), most: *SIDE.end() };

const fn field(name: &'static str, holds: FieldType, help: &'static str, example: &'static str) -> FieldSpec {
    FieldSpec { name, holds, presence: Presence::Optional, help, example, source: None }
}

const fn part(name: &'static str, holds: FieldType, help: &'static str, example: &'static str) -> FieldSpec {
    FieldSpec { name, holds, presence: Presence::Required, help, example, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::{Complaint, FieldMap, Recipe};

    fn check(recipe: &Recipe) -> Vec<Complaint> {
        SPEC.check(recipe)
    }

    async fn submit(recipe: &Recipe) -> Result<Answer, GeneratorError> {
        let attempt = CallAttempt { call: "a-call".to_owned(), number: 1 };
        Placeholder.submit(&Order { attempt: &attempt, recipe }).await
    }

    fn recipe(width: u32, height: u32) -> Recipe {
        Recipe { seed: crate::asset::Seed::new(7), ..Recipe::new("placeholder", "a red kite", width, height) }
    }

    #[test]
    fn what_no_service_takes_is_told_here_too() {
        let hires_fix = FieldMap::new().with("target_width", 80).with("target_height", 80).with("strength", 1.5);
        let senseless = Recipe { prompt: String::new(), ..recipe(40, 60) }
            .with("steps", 0)
            .with("guidance_scale", -0.5)
            .with("hires_fix", hires_fix)
            .with("refiner", FieldMap::new().with("switch_at", -1));
        let told: Vec<_> = check(&senseless).into_iter().map(|it| format!("{} {}", it.field, it.message)).collect();
        assert_eq!(
            told,
            [
                "prompt must not be empty",
                "steps must be at least 1, is 0",
                "guidance_scale must not be negative, is -0.5",
                "hires_fix.strength must be from 0 to 1, is 1.5",
                "refiner.switch_at must be from 0 to 1, is -1",
            ]
        );
        for scale in [f64::NAN, f64::INFINITY] {
            assert_eq!(check(&recipe(40, 60).with("guidance_scale", scale)).len(), 1);
        }
        for (steps, scale) in [(1, 0.0), (1_000, 100.0)] {
            assert_eq!(check(&recipe(40, 60).with("steps", steps).with("guidance_scale", scale)), []);
        }
    }

    #[test]
    fn only_the_size_has_an_upper_end() {
        for (width, height) in [(1, 1), (8192, 8192), (1, 8192)] {
            assert_eq!(check(&recipe(width, height)), []);
        }
        let messages: Vec<_> = check(&recipe(0, 8193)).into_iter().map(|it| (it.field, it.message)).collect();
        assert_eq!(
            messages,
            [
                ("width".into(), "must be from 1 to 8192, is 0".to_owned()),
                ("height".into(), "must be from 1 to 8192, is 8193".to_owned())
            ]
        );
    }

    #[tokio::test]
    async fn the_picture_has_the_size_of_the_real_one() {
        let hires_fix = |target_width: u32, target_height: u32| {
            let target = FieldMap::new().with("target_width", target_width).with("target_height", target_height);
            target.with("strength", 0.5)
        };
        let enlarged = recipe(40, 60).with("hires_fix", hires_fix(80, 120));
        let Answer::Picture(picture) = submit(&enlarged).await.unwrap() else { panic!("no picture") };
        assert!(imaging::verify(&picture.bytes, 80, 120).is_ok());
        let fields: Vec<_> = check(&recipe(40, 60).with("hires_fix", hires_fix(0, 8193)))
            .into_iter()
            .map(|it| (it.field, it.message))
            .collect();
        assert_eq!(
            fields,
            [
                ("hires_fix.target_width".into(), "must be from 1 to 8192, is 0".to_owned()),
                ("hires_fix.target_height".into(), "must be from 1 to 8192, is 8193".to_owned())
            ]
        );
    }

    #[tokio::test]
    async fn the_picture_is_the_one_asked_for_and_names_the_recipes_seed() {
        let recipe = recipe(40, 60);
        let Answer::Picture(picture) = submit(&recipe).await.unwrap() else { panic!("no picture") };
        assert_eq!(picture.seed, recipe.seed);
        assert!(imaging::verify(&picture.bytes, 40, 60).is_ok());
        assert_eq!(picture.bytes, imaging::paint(&recipe).unwrap());
    }

    #[tokio::test]
    async fn a_recipe_that_was_not_checked_is_an_error_and_no_crash() {
        for (width, height) in [(0, 0), (u32::MAX, u32::MAX)] {
            assert!(submit(&recipe(width, height)).await.is_err());
        }
    }
}
