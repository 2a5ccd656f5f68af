//! The part of the JSON Schema that describes settings: what `defaults` and `with` hold.
//!
//! Ranges are those that hold for every service; those of Novita stand in the words.

use serde_json::{Value, json};

use crate::asset::{NAME_BYTES_MAX, Seed};
use crate::schema::{described, object, undescribed, whole};

use super::layer::{COUNT_MAX, SETTINGS};
use super::schema::{SCALAR, or_null};
use super::structure::{EMBEDDING_FIELDS, ENTRIES_MAX, HIRES_FIX_FIELDS, LORA_FIELDS, REFINER_FIELDS};

/// Describes `defaults` and `with`.
pub fn settings() -> Value {
    let mut settings = object(&SETTINGS, &[], setting);
    settings["type"] = json!(["object", "null"]);
    settings
}

/// One field of `defaults` or `with`; null takes it away.
fn setting(field: &str) -> Value {
    let text = || json!({ "type": or_null(&SCALAR) });
    let count = || json!({ "type": ["integer", "null"], "minimum": 0, "maximum": COUNT_MAX });
    let flag = || json!({ "type": ["boolean", "null"] });
    let (description, schema) = match field {
        "generator" => (
            "Who makes the picture: a name that the environment maps to a service.",
            json!({ "type": ["string", "null"], "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "maxLength": NAME_BYTES_MAX }),
        ),
        "model" => ("The model's name at the service.", text()),
        "prompt" => ("What the picture shows; labels and vars stand in it as `{{ name }}`.", text()),
        "negative_prompt" => ("What the picture must not show; labels and vars as in `prompt`.", text()),
        "sampler" => ("The sampler's name at the service.", text()),
        "scheduler" => ("The scheduler's name at the service.", text()),
        "steps" => ("Sampling steps; the service has its own limits.", count()),
        "guidance_scale" => ("How closely the prompt is followed, as in 7.5.", json!({ "type": ["number", "null"] })),
        "seed" => ("Where the picture's randomness starts.", seed()),
        "take" => ("Another picture of the same seed: 1, 2, …; 0 is the first one.", count()),
        "width" => ("Width of the picture, in pixels; `hires_fix` may enlarge it.", count()),
        "height" => ("Height of the picture, in pixels; `hires_fix` may enlarge it.", count()),
        "sd_vae" => ("The name of the VAE at the service, in the place of the model's own.", text()),
        "loras" => ("Small models laid over the main one, in this order; Novita takes 5.", list(&LORA_FIELDS, lora)),
        "embeddings" => ("Textual inversions, in this order; Novita takes 5.", list(&EMBEDDING_FIELDS, embedding)),
        "hires_fix" => (
            "A second pass that enlarges the picture to the target and draws it over.",
            nullable(object(&HIRES_FIX_FIELDS, &["target_width", "target_height", "strength"], hires_fix)),
        ),
        "refiner" => (
            "The last steps are made by SDXL's refiner model.",
            nullable(object(&REFINER_FIELDS, &REFINER_FIELDS, refiner)),
        ),
        "clip_skip" => ("How many of the last layers of the text encoder are left out; Novita takes 1 to 12.", count()),
        "enable_transparent_background" => {
            ("Whether the background is left transparent; Novita does it with SDXL models.", flag())
        }
        "restore_faces" => ("Whether faces are drawn over by a model of their own.", flag()),
        field => undescribed(field),
    };
    described(description, schema)
}

fn seed() -> Value {
    let number = whole("The seed itself.", 0, Seed::MAX);
    let derived = json!({ "description": "Derived from the image's key.", "const": "derived" });
    let from = json!({ "type": "array", "items": { "type": "string" } });
    let from =
        described("The labels that the seed is derived from: images that share their values share the seed.", from);
    let from = json!({
        "type": "object",
        "properties": { "derived": from },
        "required": ["derived"],
        "additionalProperties": false,
    });
    json!({ "anyOf": [number, derived, from, { "type": "null" }] })
}

/// A list of maps whose fields must all be there.
fn list(fields: &[&str], field: fn(&str) -> Value) -> Value {
    json!({ "type": ["array", "null"], "maxItems": ENTRIES_MAX, "items": object(fields, fields, field) })
}

fn nullable(mut object: Value) -> Value {
    object["type"] = json!(["object", "null"]);
    object
}

fn lora(field: &str) -> Value {
    match field {
        "model_name" => described("Its name at the service, without `.safetensors`.", json!({ "type": SCALAR })),
        "strength" => described("How much it counts; Novita takes 0 to 1.", json!({ "type": "number" })),
        field => undescribed(field),
    }
}

fn embedding(field: &str) -> Value {
    match field {
        "model_name" => described("Its name at the service.", json!({ "type": SCALAR })),
        field => undescribed(field),
    }
}

fn hires_fix(field: &str) -> Value {
    let pixels = |description| whole(description, 0, COUNT_MAX);
    match field {
        "target_width" => pixels("Width of what comes back, in pixels; Novita takes 128 to 4096."),
        "target_height" => pixels("Height of what comes back, in pixels; Novita takes 128 to 4096."),
        "strength" => described("How much is drawn over; Novita takes 0 to 1.", json!({ "type": "number" })),
        "upscaler" => described(
            "The enlarger's name at the service; Novita has RealESRGAN_x4plus_anime_6B, RealESRNet_x4plus and Latent.",
            json!({ "type": or_null(&SCALAR) }),
        ),
        field => undescribed(field),
    }
}

fn refiner(field: &str) -> Value {
    match field {
        "switch_at" => described(
            "The share of the steps after which it takes over; Novita takes 0 to 1.",
            json!({ "type": "number" }),
        ),
        field => undescribed(field),
    }
}
