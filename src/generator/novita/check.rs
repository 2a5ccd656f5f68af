//! Novita's rules for text to image, as far as they can be checked without calling it.
//!
//! A recipe that Novita would refuse, or silently change, is refused by the plan, before anything is paid.

use std::ops::RangeInclusive;

use crate::asset::{Complaint, Embedding, HiresFix, Lora, Recipe};

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
/// Longest prompt and negative prompt, in Unicode code points; the prompt may not be empty.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const PROMPT_CHARS_MAX: usize = 1024;
/// Width and height, in pixels.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const SIDE: RangeInclusive<u32> = 128..=2048;
/// Sampling steps.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const STEPS: RangeInclusive<u32> = 1..=100;
/// Guidance scale.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const GUIDANCE: RangeInclusive<f64> = 1.0..=30.0;
/// Largest seed. The page names no maximum (and -1 means a random seed); this is the one of Novita's Flux endpoint, and
/// clients of this one are known to send it.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const SEED_MAX: u64 = 4_294_967_295;
/// The names of upscalers, in their exact spelling.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const UPSCALERS: [&str; 3] = ["RealESRGAN_x4plus_anime_6B", "RealESRNet_x4plus", "Latent"];
/// The most LoRAs, by the names of their parts.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const LORAS: [[&str; 2]; 5] = [
    ["loras[0].model_name", "loras[0].strength"],
    ["loras[1].model_name", "loras[1].strength"],
    ["loras[2].model_name", "loras[2].strength"],
    ["loras[3].model_name", "loras[3].strength"],
    ["loras[4].model_name", "loras[4].strength"],
];
/// The most embeddings, by the names of their parts.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const EMBEDDINGS: [&str; 5] = [
    "embeddings[0].model_name",
    "embeddings[1].model_name",
    "embeddings[2].model_name",
    "embeddings[3].model_name",
    "embeddings[4].model_name",
];
/// A LoRA is named without this.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const LORA_EXTENSION: &str = ".safetensors";
/// The strength of a LoRA and of `hires_fix`, and where the refiner takes over.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// Width and height that `hires_fix` can make, in pixels.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-txt2img>, read 2026-11-22.
const TARGET_SIDE: RangeInclusive<u32> = 128..=4096;
/// Layers of the text encoder that can be left out. The page of text to image shows the field in its examples only; this
/// is the range of image to image.
///
/// Source: <https://novita.ai/docs/api-reference/model-apis-img2img>, read 2026-11-22.
const CLIP_SKIP: RangeInclusive<u32> = 1..=12;
/// How alike two names must be for "did you mean", 0 to 1.
const LIKENESS_MIN: f64 = 0.6;

/// Checks a recipe; the order of the complaints is that of [`Recipe::FIELDS`]. Nothing is reserved while all is well,
/// for a plan checks a million recipes.
pub(in crate::generator) fn check(recipe: &Recipe) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    check_texts(recipe, &mut complaints);
    check_numbers(recipe, &mut complaints);
    check_additions(recipe, &mut complaints);
    check_passes(recipe, &mut complaints);
    complaints
}

fn check_texts(recipe: &Recipe, complaints: &mut Vec<Complaint>) {
    match recipe.model.as_deref() {
        None | Some("") => complaints.push(missing("model", "name the model as Novita lists it")),
        Some(_) => {}
    }
    if recipe.prompt.is_empty() {
        complaints.push(complaint("prompt", "must not be empty".to_owned()));
    }
    let texts = [("prompt", Some(&recipe.prompt)), ("negative_prompt", recipe.negative_prompt.as_ref())];
    for (field, text) in texts.into_iter().filter_map(|(field, text)| Some((field, text?))) {
        // Bytes are never fewer than characters, so most texts need not be counted.
        let chars = if text.len() <= PROMPT_CHARS_MAX { 0 } else { text.chars().count() };
        if chars > PROMPT_CHARS_MAX {
            let message = format!("must have at most {PROMPT_CHARS_MAX} characters, has {chars}");
            complaints.push(complaint(field, message));
        }
    }
    match recipe.sampler.as_deref() {
        None => complaints.push(missing("sampler", "for instance `DPM++ 2M Karras`")),
        Some(sampler) if SAMPLERS.contains(&sampler) => {}
        Some(sampler) => complaints.push(unknown("sampler", "a sampler", sampler, &SAMPLERS)),
    }
    if let Some(scheduler) = &recipe.scheduler {
        complaints.push(Complaint {
            field: "scheduler",
            message: format!("must not be set, is `{scheduler}`"),
            help: Some("Novita has no schedulers; the sampler's name says it, as in `DPM++ 2M Karras`".to_owned()),
        });
    }
}

fn check_numbers(recipe: &Recipe, complaints: &mut Vec<Complaint>) {
    match recipe.steps {
        None => complaints.push(missing("steps", "for instance 30")),
        Some(steps) => complaints.extend(out_of_range("steps", &STEPS, steps)),
    }
    match recipe.guidance_scale {
        None => complaints.push(missing("guidance_scale", "for instance 7.5")),
        Some(scale) => complaints.extend(out_of_range("guidance_scale", &GUIDANCE, scale)),
    }
    if let Some(seed) = recipe.seed {
        complaints.extend(out_of_range("seed", &(0..=SEED_MAX), seed.get()));
    }
    complaints.extend(out_of_range("width", &SIDE, recipe.width));
    complaints.extend(out_of_range("height", &SIDE, recipe.height));
}

/// Checks what is added to the model.
fn check_additions(recipe: &Recipe, complaints: &mut Vec<Complaint>) {
    let unnamed = |field, text: &str, help| {
        let help = Some(format!("write {help} as Novita lists it"));
        text.is_empty().then(|| Complaint { field, message: "must not be empty".to_owned(), help })
    };
    complaints.extend(recipe.sd_vae.as_ref().and_then(|name| unnamed("sd_vae", name, "the VAE's name")));
    complaints.extend(too_many("loras", recipe.loras.len(), LORAS.len()));
    for ([name_field, strength_field], Lora { model_name, strength }) in LORAS.into_iter().zip(&recipe.loras) {
        complaints.extend(unnamed(name_field, model_name, "the LoRA's name"));
        complaints.extend(model_name.strip_suffix(LORA_EXTENSION).map(|bare| Complaint {
            field: name_field,
            message: format!("must not end with `{LORA_EXTENSION}`, is `{model_name}`"),
            help: Some(format!("write `{bare}`")),
        }));
        complaints.extend(out_of_range(strength_field, &SHARE, *strength));
    }
    complaints.extend(too_many("embeddings", recipe.embeddings.len(), EMBEDDINGS.len()));
    for (field, Embedding { model_name }) in EMBEDDINGS.into_iter().zip(&recipe.embeddings) {
        complaints.extend(unnamed(field, model_name, "the embedding's name"));
    }
}

/// Checks second passes, and the rest.
fn check_passes(recipe: &Recipe, complaints: &mut Vec<Complaint>) {
    if let Some(HiresFix { target_width, target_height, strength, upscaler }) = &recipe.hires_fix {
        complaints.extend(out_of_range("hires_fix.target_width", &TARGET_SIDE, *target_width));
        complaints.extend(out_of_range("hires_fix.target_height", &TARGET_SIDE, *target_height));
        complaints.extend(out_of_range("hires_fix.strength", &SHARE, *strength));
        if let Some(upscaler) = upscaler.as_deref().filter(|upscaler| !UPSCALERS.contains(upscaler)) {
            complaints.push(unknown("hires_fix.upscaler", "an upscaler", upscaler, &UPSCALERS));
        }
    }
    if let Some(refiner) = &recipe.refiner {
        complaints.extend(out_of_range("refiner.switch_at", &SHARE, refiner.switch_at));
    }
    if let Some(layers) = recipe.clip_skip {
        complaints.extend(out_of_range("clip_skip", &CLIP_SKIP, layers));
    }
}

fn complaint(field: &'static str, message: String) -> Complaint {
    Complaint { field, message, help: None }
}

fn too_many(field: &'static str, count: usize, most: usize) -> Option<Complaint> {
    (count > most).then(|| Complaint {
        field,
        message: format!("must have at most {most} entries, has {count}"),
        help: Some(format!("keep the {most} that matter most")),
    })
}

/// Complains about a name that is none of Novita's.
fn unknown(field: &'static str, what: &str, offered: &str, known: &[&str]) -> Complaint {
    let message = format!("must be {what} of Novita, is `{offered}`");
    Complaint { field, message, help: Some(name_help(offered, known)) }
}

fn missing(field: &'static str, help: &str) -> Complaint {
    Complaint { field, message: "must be set for Novita".to_owned(), help: Some(help.to_owned()) }
}

fn out_of_range<N: PartialOrd + std::fmt::Display>(
    field: &'static str,
    range: &RangeInclusive<N>,
    value: N,
) -> Option<Complaint> {
    let (from, to) = (range.start(), range.end());
    (!range.contains(&value)).then(|| Complaint {
        field,
        message: format!("must be from {from} to {to}, is {value}"),
        help: Some(format!("write a number from {from} to {to}")),
    })
}

/// Names the nearest of the known names, or all of them where none is near.
fn name_help(offered: &str, known: &[&str]) -> String {
    // Case and signs count for nothing: `dpmpp_2m_karras` and `Euler A` are what other services call theirs.
    let bare = |name: &str| {
        let name = name.to_lowercase().replace("dpmpp", "dpm++");
        name.replace(|c: char| !c.is_alphanumeric() && c != '+', "")
    };
    let offered = bare(offered);
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(&offered, &bare(name));
    let near = known.iter().map(|name| (likeness(name), name)).max_by(|(one, _), (other, _)| one.total_cmp(other));
    match near {
        Some((likeness, name)) if likeness >= LIKENESS_MIN => format!("did you mean `{name}`?"),
        _ => format!("use one of `{}`", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::{Refiner, Seed};

    fn good() -> Recipe {
        Recipe {
            model: Some("sd_xl_base_1.0.safetensors".into()),
            negative_prompt: Some("blurry".into()),
            sampler: Some("DPM++ 2M Karras".into()),
            steps: Some(30),
            guidance_scale: Some(7.5),
            seed: Seed::new(1),
            ..Recipe::new("novita", "a red kite", 512, 768)
        }
    }

    fn lora(model_name: &str, strength: f64) -> Lora {
        Lora { model_name: model_name.into(), strength }
    }

    fn embedding(model_name: &str) -> Embedding {
        Embedding { model_name: model_name.into() }
    }

    fn hires_fix(target_width: u32, target_height: u32, strength: f64, upscaler: &str) -> Option<HiresFix> {
        Some(HiresFix { target_width, target_height, strength, upscaler: Some(upscaler.into()) })
    }

    fn refiner(switch_at: f64) -> Option<Refiner> {
        Some(Refiner { switch_at })
    }

    fn check_one(recipe: Recipe, field: &str, message: &str) {
        let complaints: Vec<_> = check(&recipe).into_iter().map(|it| (it.field, it.message)).collect();
        assert_eq!(complaints, [(field, message.to_owned())].map(|(field, message)| (field, message)));
    }

    #[test]
    fn what_novita_takes_is_not_complained_about_and_costs_no_memory() {
        let longest = "ü".repeat(1024);
        for recipe in [
            good(),
            Recipe { negative_prompt: None, seed: None, ..good() },
            Recipe { prompt: longest.clone(), negative_prompt: Some(longest), ..good() },
            Recipe {
                width: 128,
                height: 2048,
                steps: Some(1),
                guidance_scale: Some(1.0),
                seed: Seed::new(0),
                ..good()
            },
            Recipe { steps: Some(100), guidance_scale: Some(30.0), seed: Seed::new(4_294_967_295), ..good() },
            Recipe {
                sd_vae: Some("a.safetensors".into()),
                loras: vec![lora("a", 0.0); 5],
                embeddings: vec![embedding("a"); 5],
                hires_fix: hires_fix(128, 4096, 0.0, "Latent"),
                refiner: refiner(0.0),
                clip_skip: Some(1),
                enable_transparent_background: true,
                restore_faces: true,
                ..good()
            },
            Recipe {
                loras: vec![lora("a", 1.0)],
                hires_fix: hires_fix(4096, 128, 1.0, "RealESRNet_x4plus"),
                refiner: refiner(1.0),
                clip_skip: Some(12),
                ..good()
            },
        ] {
            let complaints = check(&recipe);
            assert_eq!((&complaints[..], complaints.capacity()), (&[][..], 0));
        }
        for sampler in SAMPLERS {
            assert_eq!(check(&Recipe { sampler: Some(sampler.into()), ..good() }), []);
        }
    }

    #[test]
    fn each_limit_is_told_with_the_value() {
        check_one(Recipe { steps: Some(0), ..good() }, "steps", "must be from 1 to 100, is 0");
        check_one(Recipe { steps: Some(101), ..good() }, "steps", "must be from 1 to 100, is 101");
        check_one(Recipe { width: 127, ..good() }, "width", "must be from 128 to 2048, is 127");
        check_one(Recipe { height: 2049, ..good() }, "height", "must be from 128 to 2048, is 2049");
        check_one(Recipe { guidance_scale: Some(0.5), ..good() }, "guidance_scale", "must be from 1 to 30, is 0.5");
        check_one(Recipe { guidance_scale: Some(30.1), ..good() }, "guidance_scale", "must be from 1 to 30, is 30.1");
        check_one(Recipe { seed: Seed::new(1 << 32), ..good() }, "seed", "must be from 0 to 4294967295, is 4294967296");
        check_one(Recipe { prompt: String::new(), ..good() }, "prompt", "must not be empty");
        let long = "ü".repeat(1025);
        let message = "must have at most 1024 characters, has 1025";
        check_one(Recipe { prompt: long.clone(), ..good() }, "prompt", message);
        check_one(Recipe { negative_prompt: Some(long), ..good() }, "negative_prompt", message);
        check_one(Recipe { scheduler: Some("karras".into()), ..good() }, "scheduler", "must not be set, is `karras`");
        check_one(Recipe { sd_vae: Some(String::new()), ..good() }, "sd_vae", "must not be empty");
        check_one(Recipe { clip_skip: Some(0), ..good() }, "clip_skip", "must be from 1 to 12, is 0");
        check_one(Recipe { clip_skip: Some(13), ..good() }, "clip_skip", "must be from 1 to 12, is 13");
    }

    #[test]
    fn what_is_wrong_with_a_part_is_told_by_its_path() {
        let six = "must have at most 5 entries, has 6";
        check_one(Recipe { loras: vec![lora("a", 1.0); 6], ..good() }, "loras", six);
        check_one(Recipe { embeddings: vec![embedding("a"); 6], ..good() }, "embeddings", six);
        for (index, [name, strength]) in LORAS.into_iter().enumerate() {
            let mut loras = vec![lora("a", 0.5); 5];
            loras[index] = lora("", 0.5);
            check_one(Recipe { loras: loras.clone(), ..good() }, name, "must not be empty");
            assert_eq!(name, format!("loras[{index}].model_name"));
            loras[index] = lora("a", 1.01);
            check_one(Recipe { loras, ..good() }, strength, "must be from 0 to 1, is 1.01");
            assert_eq!(strength, format!("loras[{index}].strength"));
            let mut embeddings = vec![embedding("a"); 5];
            embeddings[index] = embedding("");
            check_one(Recipe { embeddings, ..good() }, EMBEDDINGS[index], "must not be empty");
            assert_eq!(EMBEDDINGS[index], format!("embeddings[{index}].model_name"));
        }
        let named = check(&Recipe { loras: vec![lora("style_42.safetensors", 0.6)], ..good() });
        assert_eq!(named[0].message, "must not end with `.safetensors`, is `style_42.safetensors`");
        assert_eq!((named.len(), named[0].help.as_deref()), (1, Some("write `style_42`")));
        for (hires_fix, part, message) in [
            (hires_fix(127, 768, 0.5, "Latent"), "target_width", "must be from 128 to 4096, is 127"),
            (hires_fix(512, 4097, 0.5, "Latent"), "target_height", "must be from 128 to 4096, is 4097"),
            (hires_fix(512, 768, -0.1, "Latent"), "strength", "must be from 0 to 1, is -0.1"),
            (hires_fix(512, 768, 0.5, "latent"), "upscaler", "must be an upscaler of Novita, is `latent`"),
        ] {
            check_one(Recipe { hires_fix, ..good() }, &format!("hires_fix.{part}"), message);
        }
        let message = "must be from 0 to 1, is 1.5";
        check_one(Recipe { refiner: refiner(1.5), ..good() }, "refiner.switch_at", message);
    }

    #[test]
    fn the_nearest_upscaler_is_offered_else_all() {
        for (offered, help) in [
            ("latent", "did you mean `Latent`?"),
            ("RealESRGAN_x4plus_anime", "did you mean `RealESRGAN_x4plus_anime_6B`?"),
            ("realesrnet-x4plus", "did you mean `RealESRNet_x4plus`?"),
            ("ESPCN", "use one of `RealESRGAN_x4plus_anime_6B`, `RealESRNet_x4plus`, `Latent`"),
        ] {
            let complaints = check(&Recipe { hires_fix: hires_fix(512, 768, 0.5, offered), ..good() });
            assert_eq!(complaints[0].help.as_deref(), Some(help), "{offered}");
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once_in_the_order_of_the_fields() {
        let empty = Recipe {
            model: None,
            prompt: String::new(),
            sampler: None,
            steps: None,
            guidance_scale: None,
            width: 0,
            height: 0,
            sd_vae: Some(String::new()),
            loras: vec![lora("", 2.0)],
            embeddings: vec![embedding("")],
            hires_fix: hires_fix(0, 0, 2.0, ""),
            refiner: refiner(2.0),
            clip_skip: Some(0),
            ..good()
        };
        let fields: Vec<_> = check(&empty).into_iter().map(|it| it.field).collect();
        assert_eq!(
            fields,
            [
                "model",
                "prompt",
                "sampler",
                "steps",
                "guidance_scale",
                "width",
                "height",
                "sd_vae",
                "loras[0].model_name",
                "loras[0].strength",
                "embeddings[0].model_name",
                "hires_fix.target_width",
                "hires_fix.target_height",
                "hires_fix.strength",
                "hires_fix.upscaler",
                "refiner.switch_at",
                "clip_skip"
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
            let [complaint] = &check(&Recipe { sampler: Some(offered.into()), ..good() })[..] else {
                panic!("{offered}")
            };
            assert_eq!(complaint.message, format!("must be a sampler of Novita, is `{offered}`"));
            assert_eq!(complaint.help, Some(format!("did you mean `{meant}`?")), "{offered}");
        }
        let far = check(&Recipe { sampler: Some("Restart".into()), ..good() });
        assert!(far[0].help.as_ref().unwrap().starts_with("use one of `Euler a`, `Euler`, "));
    }
}
