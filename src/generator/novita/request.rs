//! The request: a recipe in Novita's words.
//!
//! Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

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
    nsfw_detection_level: Option<u32>,
}

/// What decides the pixels: every field of a recipe, for one that is not sent would be in the recipe and not in the
/// picture.
struct Request<'r>(&'r Recipe);

impl Serialize for Request<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Recipe {
            generator: _,
            model,
            prompt,
            negative_prompt,
            seed,
            // A generator with seeds has it in the seed.
            take: _,
            width,
            height,
            fields,
        } = self.0;
        let mut request = serializer.serialize_map(None)?;
        if let Some(model) = model {
            request.serialize_entry("model_name", model)?;
        }
        request.serialize_entry("prompt", prompt)?;
        if let Some(negative_prompt) = negative_prompt {
            request.serialize_entry("negative_prompt", negative_prompt)?;
        }
        request.serialize_entry("width", width)?;
        request.serialize_entry("height", height)?;
        // More than one would come back with one seed for all of them.
        request.serialize_entry("image_num", &1)?;
        if let Some(seed) = seed {
            request.serialize_entry("seed", &seed.get())?;
        }
        for (name, value) in fields.iter() {
            let name = match name.as_str() {
                "sampler" => "sampler_name",
                name => name,
            };
            request.serialize_entry(name, value)?;
        }
        request.end()
    }
}

impl<'r> Body<'r> {
    /// Writes a recipe in Novita's words.
    pub fn new(recipe: &'r Recipe, moderation: Option<Moderation>) -> Self {
        let extra = Extra {
            response_image_type: "png",
            enable_nsfw_detection: moderation.map(|_| true),
            nsfw_detection_level: moderation.map(|moderation| moderation.level),
        };
        Self { extra, request: Request(recipe) }
    }
}
