//! The request: a recipe in Novita's words.
//!
//! Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.

use std::ops::Not;

use serde::Serialize;

use super::Moderation;
use crate::asset::{Embedding, HiresFix, Lora, Recipe, Refiner};

/// The body of a submit.
#[derive(Serialize)]
pub struct Body<'r> {
    extra: Extra,
    request: Request<'r>,
}

/// What does not decide the pixels. Moderation belongs here: in `request` it is silently ignored.
#[derive(Serialize)]
struct Extra {
    response_image_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_nsfw_detection: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nsfw_detection_level: Option<u8>,
}

#[derive(Serialize)]
struct Request<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model_name: Option<&'r str>,
    prompt: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    negative_prompt: Option<&'r str>,
    width: u32,
    height: u32,
    image_num: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guidance_scale: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampler_name: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sd_vae: Option<&'r str>,
    #[serde(skip_serializing_if = "<[Lora]>::is_empty")]
    loras: &'r [Lora],
    #[serde(skip_serializing_if = "<[Embedding]>::is_empty")]
    embeddings: &'r [Embedding],
    #[serde(skip_serializing_if = "Option::is_none")]
    hires_fix: Option<&'r HiresFix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refiner: Option<&'r Refiner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clip_skip: Option<u32>,
    #[serde(skip_serializing_if = "Not::not")]
    enable_transparent_background: bool,
    #[serde(skip_serializing_if = "Not::not")]
    restore_faces: bool,
}

impl<'r> Body<'r> {
    /// Writes a recipe in Novita's words.
    pub fn new(recipe: &'r Recipe, moderation: Option<Moderation>) -> Self {
        // Every field: one that is not sent would be in the recipe and not in the picture.
        let Recipe {
            generator: _,
            model,
            prompt,
            negative_prompt,
            sampler,
            // Novita has none: the sampler's name says it.
            scheduler: _,
            steps,
            guidance_scale,
            seed,
            // A generator with seeds has it in the seed.
            take: _,
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
        } = recipe;
        let request = Request {
            model_name: model.as_deref(),
            prompt,
            negative_prompt: negative_prompt.as_deref(),
            width: *width,
            height: *height,
            // More than one would come back with one seed for all of them.
            image_num: 1,
            steps: *steps,
            guidance_scale: *guidance_scale,
            sampler_name: sampler.as_deref(),
            seed: seed.map(|seed| seed.get()),
            sd_vae: sd_vae.as_deref(),
            loras,
            embeddings,
            hires_fix: hires_fix.as_ref(),
            refiner: refiner.as_ref(),
            clip_skip: *clip_skip,
            enable_transparent_background: *enable_transparent_background,
            restore_faces: *restore_faces,
        };
        let extra = Extra {
            response_image_type: "png",
            enable_nsfw_detection: moderation.map(|_| true),
            nsfw_detection_level: moderation.map(|moderation| moderation.level),
        };
        Self { extra, request }
    }
}
