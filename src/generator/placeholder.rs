//! The built-in generator: paints a labelled picture, free, offline and always the same.
//!
//! What the picture looks like is decided in `imaging`; here it only becomes a generator.

use std::panic;

use async_trait::async_trait;
use bytes::Bytes;

use super::trouble::{CallError, Trouble};
use super::{Answer, Generator, GeneratorError, Picture, Progress, ResultUrl};
use crate::asset::{Complaint, Recipe};
use crate::imaging;

/// The lengths that a side may have, in pixels.
const SIDE: std::ops::RangeInclusive<u32> = 1..=8192;

/// What a share of the whole may be: a strength, or when another model takes over.
const SHARE: std::ops::RangeInclusive<f64> = 0.0..=1.0;

/// Paints placeholders.
#[derive(Debug, Clone, Copy, Default)]
pub struct Placeholder;

#[async_trait]
impl Generator for Placeholder {
    async fn submit(&self, recipe: &Recipe) -> Result<Answer, GeneratorError> {
        let seed = recipe.seed;
        let recipe = recipe.clone();
        // A large picture takes a second, in which nothing else must stand still.
        let painting = tokio::task::spawn_blocking(move || imaging::paint(&recipe));
        let painted = painting.await.unwrap_or_else(|crash| panic::resume_unwind(crash.into_panic()));
        Ok(Answer::Picture(Picture { bytes: painted?.into(), seed }))
    }

    async fn poll(&self, _task: &str) -> Result<Progress, GeneratorError> {
        Err(no_tasks())
    }

    async fn download(&self, _result: &ResultUrl) -> Result<Bytes, GeneratorError> {
        Err(no_tasks())
    }
}

fn no_tasks() -> GeneratorError {
    CallError::new(Trouble::Gone, "the placeholder answers at once: it has no tasks").into()
}

/// Checks what painting needs, a size, and what no service takes: a manifest is mostly tried here before it is paid for.
pub(super) fn check(recipe: &Recipe) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    check_sense(recipe, &mut complaints);
    let target = recipe.hires_fix.iter().flat_map(|hires_fix| {
        [("hires_fix.target_width", hires_fix.target_width), ("hires_fix.target_height", hires_fix.target_height)]
    });
    for (field, value) in [("width", recipe.width), ("height", recipe.height)].into_iter().chain(target) {
        if !SIDE.contains(&value) {
            let (from, to) = (SIDE.start(), SIDE.end());
            let message = format!("must be from {from} to {to}, is {value}");
            let help = Some(format!("write a number from {from} to {to}"));
            complaints.push(Complaint { field, message, help });
        }
    }
    complaints
}

/// Complains about what makes no sense to any service: nothing to show, no step, a share that is none.
fn check_sense(recipe: &Recipe, complaints: &mut Vec<Complaint>) {
    let mut complain = |field, message: String, help: &str| {
        complaints.push(Complaint { field, message, help: Some(help.to_owned()) });
    };
    if recipe.prompt.is_empty() {
        complain("prompt", "must not be empty".to_owned(), "say what the picture shows");
    }
    if recipe.steps == Some(0) {
        complain("steps", "must be at least 1, is 0".to_owned(), "write a number from 1 on, as in `steps: 30`");
    }
    if let Some(scale) = recipe.guidance_scale.filter(|scale| !scale.is_finite() || *scale < 0.0) {
        let help = "write a number from 0 on, as in `guidance_scale: 7.5`";
        complain("guidance_scale", format!("must not be negative, is {scale}"), help);
    }
    let shares = [
        ("hires_fix.strength", recipe.hires_fix.as_ref().map(|hires_fix| hires_fix.strength)),
        ("refiner.switch_at", recipe.refiner.as_ref().map(|refiner| refiner.switch_at)),
    ];
    for (field, share) in shares.into_iter().filter_map(|(field, share)| Some((field, share?))) {
        if !SHARE.contains(&share) {
            let (from, to) = (SHARE.start(), SHARE.end());
            let help = format!("write a number from {from} to {to}");
            complain(field, format!("must be from {from} to {to}, is {share}"), &help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::{HiresFix, Refiner};

    fn recipe(width: u32, height: u32) -> Recipe {
        Recipe { seed: crate::asset::Seed::new(7), ..Recipe::new("placeholder", "a red kite", width, height) }
    }

    #[test]
    fn what_no_service_takes_is_told_here_too() {
        let hires_fix = HiresFix { target_width: 80, target_height: 80, strength: 1.5, upscaler: None };
        let senseless = Recipe {
            prompt: String::new(),
            steps: Some(0),
            guidance_scale: Some(-0.5),
            hires_fix: Some(hires_fix),
            refiner: Some(Refiner { switch_at: -1.0 }),
            ..recipe(40, 60)
        };
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
            assert_eq!(check(&Recipe { guidance_scale: Some(scale), ..recipe(40, 60) }).len(), 1);
        }
        for (steps, scale) in [(1, 0.0), (1_000, 100.0)] {
            assert_eq!(check(&Recipe { steps: Some(steps), guidance_scale: Some(scale), ..recipe(40, 60) }), []);
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
                ("width", "must be from 1 to 8192, is 0".to_owned()),
                ("height", "must be from 1 to 8192, is 8193".to_owned())
            ]
        );
    }

    #[tokio::test]
    async fn the_picture_has_the_size_of_the_real_one() {
        let hires_fix =
            |target_width, target_height| Some(HiresFix { target_width, target_height, strength: 0.5, upscaler: None });
        let enlarged = Recipe { hires_fix: hires_fix(80, 120), ..recipe(40, 60) };
        let Answer::Picture(picture) = Placeholder.submit(&enlarged).await.unwrap() else { panic!("no picture") };
        assert!(imaging::verify(&picture.bytes, 80, 120).is_ok());
        let fields: Vec<_> = check(&Recipe { hires_fix: hires_fix(0, 8193), ..recipe(40, 60) })
            .into_iter()
            .map(|it| (it.field, it.message))
            .collect();
        assert_eq!(
            fields,
            [
                ("hires_fix.target_width", "must be from 1 to 8192, is 0".to_owned()),
                ("hires_fix.target_height", "must be from 1 to 8192, is 8193".to_owned())
            ]
        );
    }

    #[tokio::test]
    async fn the_picture_is_the_one_asked_for_and_names_the_recipes_seed() {
        let recipe = recipe(40, 60);
        let Answer::Picture(picture) = Placeholder.submit(&recipe).await.unwrap() else { panic!("no picture") };
        assert_eq!(picture.seed, recipe.seed);
        assert!(imaging::verify(&picture.bytes, 40, 60).is_ok());
        assert_eq!(picture.bytes, imaging::paint(&recipe).unwrap());
    }

    #[tokio::test]
    async fn a_recipe_that_was_not_checked_is_an_error_and_no_crash() {
        for (width, height) in [(0, 0), (u32::MAX, u32::MAX)] {
            assert!(Placeholder.submit(&recipe(width, height)).await.is_err());
        }
    }
}
