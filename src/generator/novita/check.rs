//! Novita's rules for text to image, as far as they can be checked without calling it.
//!
//! A recipe that Novita would refuse, or silently change, is refused by the plan, before anything is paid.

use std::ops::RangeInclusive;

use crate::asset::{Complaint, Recipe};

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
/// How alike two sampler names must be for "did you mean", 0 to 1.
const LIKENESS_MIN: f64 = 0.6;

/// Checks a recipe; the order of the complaints is that of [`Recipe::FIELDS`]. Nothing is reserved while all is well,
/// for a plan checks a million recipes.
pub(in crate::generator) fn check(recipe: &Recipe) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    check_texts(recipe, &mut complaints);
    check_numbers(recipe, &mut complaints);
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
        Some(sampler) => complaints.push(Complaint {
            field: "sampler",
            message: format!("must be a sampler of Novita, is `{sampler}`"),
            help: Some(sampler_help(sampler)),
        }),
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

fn complaint(field: &'static str, message: String) -> Complaint {
    Complaint { field, message, help: None }
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

/// Names the nearest sampler, or all of them where none is near.
fn sampler_help(offered: &str) -> String {
    // Case and signs count for nothing: `dpmpp_2m_karras` and `Euler A` are what other services call theirs.
    let bare = |name: &str| {
        let name = name.to_lowercase().replace("dpmpp", "dpm++");
        name.replace(|c: char| !c.is_alphanumeric() && c != '+', "")
    };
    let offered = bare(offered);
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(&offered, &bare(name));
    let near = SAMPLERS.iter().map(|name| (likeness(name), name)).max_by(|(one, _), (other, _)| one.total_cmp(other));
    match near {
        Some((likeness, name)) if likeness >= LIKENESS_MIN => format!("did you mean `{name}`?"),
        _ => format!("use one of `{}`", SAMPLERS.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::Seed;

    fn good() -> Recipe {
        Recipe {
            generator: "novita".into(),
            model: Some("sd_xl_base_1.0.safetensors".into()),
            prompt: "a red kite".into(),
            negative_prompt: Some("blurry".into()),
            sampler: Some("DPM++ 2M Karras".into()),
            scheduler: None,
            steps: Some(30),
            guidance_scale: Some(7.5),
            seed: Seed::new(1),
            take: None,
            width: 512,
            height: 768,
        }
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
            ..good()
        };
        let fields: Vec<_> = check(&empty).into_iter().map(|it| it.field).collect();
        assert_eq!(fields, ["model", "prompt", "sampler", "steps", "guidance_scale", "width", "height"]);
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
