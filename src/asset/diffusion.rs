//! The parts of a recipe that diffusion services know beyond plain numbers: what is added to the model, and second passes.
//!
//! Names and shapes are those of Novita's request, so that a recipe reads like its documentation. Which values a service
//! takes is checked by its generator.

use serde::{Deserialize, Serialize};

use crate::digest::CanonicalObject;

/// A small model that is laid over the main one: a style, a person, a thing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Lora {
    /// Its name at the service, without a file extension.
    pub model_name: String,
    /// How much it counts; finite.
    pub strength: f64,
}

/// A textual inversion: a word that the model is taught.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Embedding {
    /// Its name at the service.
    pub model_name: String,
}

/// A second pass that enlarges the picture and draws it over, so that what comes back has the target's size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HiresFix {
    /// Width of what comes back, in pixels.
    pub target_width: u32,
    /// Height of what comes back, in pixels.
    pub target_height: u32,
    /// How much is drawn over; finite.
    pub strength: f64,
    /// The enlarger's name at the service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upscaler: Option<String>,
}

/// The last steps are made by SDXL's refiner model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refiner {
    /// The share of the steps after which it takes over; finite.
    pub switch_at: f64,
}

impl Lora {
    /// Writes its members and closes the object.
    pub(super) fn write_canonical(&self, mut object: CanonicalObject<'_>) {
        let Self { model_name, strength } = self;
        object.text("model_name", model_name);
        object.number("strength", *strength);
        object.close();
    }
}

impl Embedding {
    /// Writes its members and closes the object.
    pub(super) fn write_canonical(&self, mut object: CanonicalObject<'_>) {
        let Self { model_name } = self;
        object.text("model_name", model_name);
        object.close();
    }
}

impl HiresFix {
    /// Writes its members and closes the object.
    pub(super) fn write_canonical(&self, mut object: CanonicalObject<'_>) {
        let Self { target_width, target_height, strength, upscaler } = self;
        object.number("strength", *strength);
        object.integer("target_height", *target_height);
        object.integer("target_width", *target_width);
        if let Some(upscaler) = upscaler {
            object.text("upscaler", upscaler);
        }
        object.close();
    }
}

impl Refiner {
    /// Writes its members and closes the object.
    pub(super) fn write_canonical(&self, mut object: CanonicalObject<'_>) {
        let Self { switch_at } = self;
        object.number("switch_at", *switch_at);
        object.close();
    }
}
