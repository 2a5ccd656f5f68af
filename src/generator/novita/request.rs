//! The request: a recipe in Novita's words.
//!
//! Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.

use serde::Serialize;

use super::Moderation;
use crate::asset::Recipe;

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
}

impl<'r> Body<'r> {
    /// Writes a recipe in Novita's words.
    pub fn new(recipe: &'r Recipe, moderation: Option<Moderation>) -> Self {
        let request = Request {
            model_name: recipe.model.as_deref(),
            prompt: &recipe.prompt,
            negative_prompt: recipe.negative_prompt.as_deref(),
            width: recipe.width,
            height: recipe.height,
            // More than one would come back with one seed for all of them.
            image_num: 1,
            steps: recipe.steps,
            guidance_scale: recipe.guidance_scale,
            sampler_name: recipe.sampler.as_deref(),
            seed: recipe.seed.map(|seed| seed.get()),
        };
        let extra = Extra {
            response_image_type: "png",
            enable_nsfw_detection: moderation.map(|_| true),
            nsfw_detection_level: moderation.map(|moderation| moderation.level),
        };
        Self { extra, request }
    }
}
