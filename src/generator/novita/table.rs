//! Novita's rules for text to image, as far as they can be told without calling it.
//!
//! A recipe that Novita would refuse, or silently change, is refused by the plan, before anything is paid.

use std::time::Duration;

use crate::asset::{
    Citation, Complaint, Cost, FieldMap, FieldSpec, FieldType, KindSpec, Locality, MicroUsd, NegativePrompt,
    OptionSpec, OptionType, Pace, Presence, Recipe, Seeds, SizeRule,
};

/// The page about text to image.
const TEXT_TO_IMAGE: Option<Citation> =
    Some(Citation { url: "https://novita.ai/docs/api-reference/model-apis-txt2img", read: "2026-11-22" });

/// The page about image to image.
const IMAGE_TO_IMAGE: Option<Citation> =
    Some(Citation { url: "https://novita.ai/docs/api-reference/model-apis-img2img", read: "2026-11-22" });

/// The sampler names, in their exact spelling.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const SAMPLERS: [&str; 20] = [
    "Euler a",
    "Euler",
    "LMS",
    "Heun",
    "DPM2",
    "DPM2 a",
    "DPM++ 2S a",
    "DPM++ 2M",
    "DPM++ SDE",
    "DPM fast",
    "DPM adaptive",
    "LMS Karras",
    "DPM2 Karras",
    "DPM2 a Karras",
    "DPM++ 2S a Karras",
    "DPM++ 2M Karras",
    "DPM++ SDE Karras",
    "DDIM",
    "PLMS",
    "UniPC",
];

/// The names of upscalers, in their exact spelling.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const UPSCALERS: [&str; 3] = ["RealESRGAN_x4plus_anime_6B", "RealESRNet_x4plus", "Latent"];

/// A LoRA is named without this.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const LORA_EXTENSION: &str = ".safetensors";

/// Everything that is known of Novita's text to image.
///
/// Sources: lengths, sides and seeds <https://novita.ai/docs/api-reference/model-apis-txt2img>; the pace
/// <https://novita.ai/docs/guides/model-apis-rate-limits>; both read 2026-11-22. No page names the largest seed (and -1
/// means a random one): this is the one of Novita's Flux endpoint, and clients of this one are known to send it.
pub(in crate::generator) static SPEC: KindSpec = KindSpec {
    name: "novita",
    title: "Novita",
    cost: Cost::Paid,
    reach: Locality::Service {
        base_url: "https://api.novita.ai",
        key_variable: "NOVITA_API_KEY",
        request_timeout: Duration::from_secs(90),
    },
    options: &OPTIONS,
    surcharge,
    fields: &FIELDS,
    lacks: &[("scheduler", "Novita has no schedulers; the sampler's name says it, as in `DPM++ 2M Karras`")],
    model: Some("name the model as Novita lists it"),
    prompt_chars_max: 1024,
    negative_prompt: NegativePrompt::Taken,
    seeds: Seeds::UpTo(4_294_967_295),
    sizes: SizeRule::Exact(128..=2048),
    pace: Pace {
        concurrency: 4,
        images_per_minute: Some(20),
        min_interval: Duration::ZERO,
        deadline: Duration::from_secs(10 * 60),
    },
    check: check_loras,
};

/// What moderation costs for each picture unless another price is configured.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const NSFW_DETECTION_PRICE: MicroUsd = MicroUsd(1_500);

static OPTIONS: [OptionSpec; 5] = [
    OptionSpec {
        name: "path",
        holds: OptionType::Path,
        help: "Where pictures are asked for, below the address.",
        example: "/v3/async/txt2img",
    },
    OptionSpec {
        name: "result_path",
        holds: OptionType::Path,
        help: "Where tasks are asked for, below the address.",
        example: "/v3/async/task-result",
    },
    OptionSpec {
        name: "enable_nsfw_detection",
        holds: OptionType::Flag,
        help: "Whether the service looks for unsafe pictures, which are then not published.",
        example: "true",
    },
    OptionSpec {
        name: "nsfw_detection_level",
        holds: OptionType::Count { least: 0, most: 2 },
        help: "How strictly it looks: 0 is the mildest.",
        example: "1",
    },
    OptionSpec {
        name: "nsfw_detection_price",
        holds: OptionType::Money,
        help: "What looking costs for each image, in US dollars; 0.0015 unless set.",
        example: "0.0015",
    },
];

/// Returns what moderation adds to the price of a picture.
fn surcharge(options: &FieldMap) -> MicroUsd {
    if !options.flag("enable_nsfw_detection") {
        return MicroUsd(0);
    }
    let configured = options.text("nsfw_detection_price").and_then(|text| text.parse().ok());
    configured.unwrap_or(NSFW_DETECTION_PRICE)
}

static FIELDS: [FieldSpec; 11] = [
    FieldSpec {
        name: "sampler",
        holds: FieldType::Choice { what: "a sampler", names: &SAMPLERS },
        presence: Presence::Required,
        help: "The sampler's name at the service.",
        example: "DPM++ 2M Karras",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "steps",
        holds: FieldType::Count { least: 1, most: 100 },
        presence: Presence::Required,
        help: "Sampling steps.",
        example: "30",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "guidance_scale",
        holds: FieldType::Number { least: 1.0, most: 30.0 },
        presence: Presence::Required,
        help: "How closely the prompt is followed, as in 7.5.",
        example: "7.5",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "sd_vae",
        holds: FieldType::Text,
        presence: Presence::Optional,
        help: "The name of the VAE at the service, in the place of the model's own.",
        example: "vae.safetensors",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "loras",
        holds: FieldType::List { parts: &LORA, most: 5 },
        presence: Presence::Optional,
        help: "Small models laid over the main one, in this order.",
        example: "[{ model_name: style_42, strength: 0.6 }]",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "embeddings",
        holds: FieldType::List { parts: &EMBEDDING, most: 5 },
        presence: Presence::Optional,
        help: "Textual inversions, in this order.",
        example: "[{ model_name: style_42 }]",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "hires_fix",
        holds: FieldType::Object(&HIRES_FIX),
        presence: Presence::Optional,
        help: "A second pass that enlarges the picture to the target and draws it over.",
        example: "{ target_width: 1024, target_height: 1536, strength: 0.5 }",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "refiner",
        holds: FieldType::Object(&REFINER),
        presence: Presence::Optional,
        help: "The last steps are made by SDXL's refiner model.",
        example: "{ switch_at: 0.8 }",
        source: TEXT_TO_IMAGE,
    },
    // The page of text to image shows the field in its examples only; this is the range of image to image.
    FieldSpec {
        name: "clip_skip",
        holds: FieldType::Count { least: 1, most: 12 },
        presence: Presence::Optional,
        help: "How many of the last layers of the text encoder are left out.",
        example: "2",
        source: IMAGE_TO_IMAGE,
    },
    FieldSpec {
        name: "enable_transparent_background",
        holds: FieldType::Flag,
        presence: Presence::Optional,
        help: "Whether the background is left transparent, with SDXL models.",
        example: "true",
        source: TEXT_TO_IMAGE,
    },
    FieldSpec {
        name: "restore_faces",
        holds: FieldType::Flag,
        presence: Presence::Optional,
        help: "Whether faces are drawn over by a model of their own.",
        example: "true",
        source: TEXT_TO_IMAGE,
    },
];

static LORA: [FieldSpec; 2] = [
    FieldSpec {
        name: "model_name",
        holds: FieldType::Text,
        presence: Presence::Required,
        help: "Its name at the service, without `.safetensors`.",
        example: "style_42",
        source: TEXT_TO_IMAGE,
    },
    share("strength", "How much it counts."),
];

static EMBEDDING: [FieldSpec; 1] = [FieldSpec {
    name: "model_name",
    holds: FieldType::Text,
    presence: Presence::Required,
    help: "Its name at the service.",
    example: "style_42",
    source: TEXT_TO_IMAGE,
}];

static HIRES_FIX: [FieldSpec; 4] = [
    target("target_width", "Width of what comes back, in pixels.", "1024"),
    target("target_height", "Height of what comes back, in pixels.", "1536"),
    share("strength", "How much is drawn over."),
    FieldSpec {
        name: "upscaler",
        holds: FieldType::Choice { what: "an upscaler", names: &UPSCALERS },
        presence: Presence::Optional,
        help: "The enlarger's name at the service.",
        example: "Latent",
        source: TEXT_TO_IMAGE,
    },
];

static REFINER: [FieldSpec; 1] = [share("switch_at", "The share of the steps after which it takes over.")];

/// A number from 0 to 1.
const fn share(name: &'static str, help: &'static str) -> FieldSpec {
    let holds = FieldType::Number { least: 0.0, most: 1.0 };
    FieldSpec { name, holds, presence: Presence::Required, help, example: "0.6", source: TEXT_TO_IMAGE }
}

/// A side that `hires_fix` can make, in pixels.
const fn target(name: &'static str, help: &'static str, example: &'static str) -> FieldSpec {
    let holds = FieldType::Count { least: 128, most: 4096 };
    FieldSpec { name, holds, presence: Presence::Required, help, example, source: TEXT_TO_IMAGE }
}

/// Checks how LoRAs are named.
fn check_loras(recipe: &Recipe, complaints: &mut Vec<Complaint>) {
    for (at, lora) in recipe.fields.list("loras").iter().enumerate() {
        let name = lora.as_object().and_then(|lora| lora.text("model_name")).unwrap_or_default();
        complaints.extend(name.strip_suffix(LORA_EXTENSION).map(|bare| Complaint {
            field: format!("loras[{at}].model_name").into(),
            message: format!("must not end with `{LORA_EXTENSION}`, is `{name}`"),
            help: Some(format!("write `{bare}`")),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::{FieldMap, Seed};

    fn good() -> Recipe {
        Recipe {
            model: Some("sd_xl_base_1.0.safetensors".into()),
            negative_prompt: Some("blurry".into()),
            seed: Seed::new(1),
            ..Recipe::new("novita", "a red kite", 512, 768)
        }
        .with("sampler", "DPM++ 2M Karras")
        .with("steps", 30_u32)
        .with("guidance_scale", 7.5)
    }

    fn check(recipe: &Recipe) -> Vec<Complaint> {
        SPEC.check(recipe)
    }

    fn lora(model_name: &str, strength: f64) -> FieldMap {
        FieldMap::new().with("model_name", model_name).with("strength", strength)
    }

    fn embedding(model_name: &str) -> FieldMap {
        FieldMap::new().with("model_name", model_name)
    }

    fn hires_fix(target_width: u32, target_height: u32, strength: f64, upscaler: &str) -> FieldMap {
        let target = FieldMap::new().with("target_width", target_width).with("target_height", target_height);
        target.with("strength", strength).with("upscaler", upscaler)
    }

    fn refiner(switch_at: f64) -> FieldMap {
        FieldMap::new().with("switch_at", switch_at)
    }

    fn check_one(recipe: Recipe, field: &str, message: &str) {
        let complaints: Vec<_> = check(&recipe).into_iter().map(|it| (it.field.into_owned(), it.message)).collect();
        assert_eq!(complaints, [(field.to_owned(), message.to_owned())]);
    }

    #[test]
    fn what_novita_takes_is_not_complained_about_and_costs_no_memory() {
        let longest = "ü".repeat(1024);
        for recipe in [
            good(),
            Recipe { negative_prompt: None, seed: None, ..good() },
            Recipe { prompt: longest.clone(), negative_prompt: Some(longest), ..good() },
            Recipe { width: 128, height: 2048, seed: Seed::new(0), ..good() }
                .with("steps", 1_u32)
                .with("guidance_scale", 1.0),
            Recipe { seed: Seed::new(4_294_967_295), ..good() }.with("steps", 100_u32).with("guidance_scale", 30.0),
            good()
                .with("sd_vae", "a.safetensors")
                .with("loras", vec![lora("a", 0.0); 5])
                .with("embeddings", vec![embedding("a"); 5])
                .with("hires_fix", hires_fix(128, 4096, 0.0, "Latent"))
                .with("refiner", refiner(0.0))
                .with("clip_skip", 1_u32)
                .with("enable_transparent_background", true)
                .with("restore_faces", true),
            good()
                .with("loras", vec![lora("a", 1.0)])
                .with("hires_fix", hires_fix(4096, 128, 1.0, "RealESRNet_x4plus"))
                .with("refiner", refiner(1.0))
                .with("clip_skip", 12_u32),
        ] {
            let complaints = check(&recipe);
            assert_eq!((&complaints[..], complaints.capacity()), (&[][..], 0));
        }
        for sampler in SAMPLERS {
            assert_eq!(check(&good().with("sampler", sampler)), []);
        }
    }

    #[test]
    fn each_limit_is_told_with_the_value() {
        check_one(good().with("steps", 0_u32), "steps", "must be from 1 to 100, is 0");
        check_one(good().with("steps", 101_u32), "steps", "must be from 1 to 100, is 101");
        check_one(Recipe { width: 127, ..good() }, "width", "must be from 128 to 2048, is 127");
        check_one(Recipe { height: 2049, ..good() }, "height", "must be from 128 to 2048, is 2049");
        check_one(good().with("guidance_scale", 0.5), "guidance_scale", "must be from 1 to 30, is 0.5");
        check_one(good().with("guidance_scale", 30.1), "guidance_scale", "must be from 1 to 30, is 30.1");
        check_one(Recipe { seed: Seed::new(1 << 32), ..good() }, "seed", "must be from 0 to 4294967295, is 4294967296");
        check_one(Recipe { prompt: String::new(), ..good() }, "prompt", "must not be empty");
        let long = "ü".repeat(1025);
        let message = "must have at most 1024 characters, has 1025";
        check_one(Recipe { prompt: long.clone(), ..good() }, "prompt", message);
        check_one(Recipe { negative_prompt: Some(long), ..good() }, "negative_prompt", message);
        check_one(good().with("sd_vae", ""), "sd_vae", "must not be empty");
        check_one(good().with("clip_skip", 0_u32), "clip_skip", "must be from 1 to 12, is 0");
        check_one(good().with("clip_skip", 13_u32), "clip_skip", "must be from 1 to 12, is 13");
    }

    #[test]
    fn what_is_wrong_with_a_part_is_told_by_its_path() {
        let six = "must have at most 5 entries, has 6";
        check_one(good().with("loras", vec![lora("a", 1.0); 6]), "loras", six);
        check_one(good().with("embeddings", vec![embedding("a"); 6]), "embeddings", six);
        for index in 0..5 {
            let [name, strength] = ["model_name", "strength"].map(|part| format!("loras[{index}].{part}"));
            let mut loras = vec![lora("a", 0.5); 5];
            loras[index] = lora("", 0.5);
            check_one(good().with("loras", loras.clone()), &name, "must not be empty");
            loras[index] = lora("a", 1.01);
            check_one(good().with("loras", loras), &strength, "must be from 0 to 1, is 1.01");
            let mut embeddings = vec![embedding("a"); 5];
            embeddings[index] = embedding("");
            check_one(
                good().with("embeddings", embeddings),
                &format!("embeddings[{index}].model_name"),
                "must not be empty",
            );
        }
        let named = check(&good().with("loras", vec![lora("style_42.safetensors", 0.6)]));
        assert_eq!(named[0].message, "must not end with `.safetensors`, is `style_42.safetensors`");
        assert_eq!((named.len(), named[0].help.as_deref()), (1, Some("write `style_42`")));
        for (hires_fix, part, message) in [
            (hires_fix(127, 768, 0.5, "Latent"), "target_width", "must be from 128 to 4096, is 127"),
            (hires_fix(512, 4097, 0.5, "Latent"), "target_height", "must be from 128 to 4096, is 4097"),
            (hires_fix(512, 768, -0.1, "Latent"), "strength", "must be from 0 to 1, is -0.1"),
            (hires_fix(512, 768, 0.5, "latent"), "upscaler", "must be an upscaler of Novita, is `latent`"),
        ] {
            check_one(good().with("hires_fix", hires_fix), &format!("hires_fix.{part}"), message);
        }
        let message = "must be from 0 to 1, is 1.5";
        check_one(good().with("refiner", refiner(1.5)), "refiner.switch_at", message);
    }

    #[test]
    fn the_nearest_upscaler_is_offered_else_all() {
        for (offered, help) in [
            ("latent", "did you mean `Latent`?"),
            ("RealESRGAN_x4plus_anime", "did you mean `RealESRGAN_x4plus_anime_6B`?"),
            ("realesrnet-x4plus", "did you mean `RealESRNet_x4plus`?"),
            ("ESPCN", "use one of `RealESRGAN_x4plus_anime_6B`, `RealESRNet_x4plus`, `Latent`"),
        ] {
            let complaints = check(&good().with("hires_fix", hires_fix(512, 768, 0.5, offered)));
            assert_eq!(complaints[0].help.as_deref(), Some(help), "{offered}");
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once_in_the_order_of_the_fields() {
        let empty = Recipe { prompt: String::new(), ..Recipe::new("novita", "", 0, 0) }
            .with("sd_vae", "")
            .with("loras", vec![lora("", 2.0)])
            .with("embeddings", vec![embedding("")])
            .with("hires_fix", hires_fix(0, 0, 2.0, ""))
            .with("refiner", refiner(2.0))
            .with("clip_skip", 0);
        let fields: Vec<_> = check(&empty).into_iter().map(|it| it.field).collect();
        assert_eq!(
            fields,
            [
                "model",
                "prompt",
                "sampler",
                "steps",
                "guidance_scale",
                "sd_vae",
                "loras[0].model_name",
                "loras[0].strength",
                "embeddings[0].model_name",
                "hires_fix.target_width",
                "hires_fix.target_height",
                "hires_fix.strength",
                "hires_fix.upscaler",
                "refiner.switch_at",
                "clip_skip",
                "width",
                "height"
            ]
        );
    }

    #[test]
    fn the_nearest_sampler_is_offered_else_all() {
        for (offered, meant) in [
            ("DPM++ 2M Karas", "DPM++ 2M Karras"),
            ("dpm++ 2m karras", "DPM++ 2M Karras"),
            ("dpmpp_2m_karras", "DPM++ 2M Karras"),
            ("dpmpp_2s_a", "DPM++ 2S a"),
            ("Euler A", "Euler a"),
            ("euler_a", "Euler a"),
            ("ddim", "DDIM"),
            ("Uni PC", "UniPC"),
        ] {
            let [complaint] = &check(&good().with("sampler", offered))[..] else { panic!("{offered}") };
            assert_eq!(complaint.message, format!("must be a sampler of Novita, is `{offered}`"));
            assert_eq!(complaint.help, Some(format!("did you mean `{meant}`?")), "{offered}");
        }
        let far = check(&good().with("sampler", "Restart"));
        assert!(far[0].help.as_ref().unwrap().starts_with("use one of `Euler a`, `Euler`, "));
    }
}
