//! Paints the picture that stands in for a generated one: a mosaic, the word PLACEHOLDER, and the recipe in words.
//!
//! Nobody can take it for the real thing, yet it is pleasant in a grid of many, and says what will be made. It follows
//! from the recipe alone. Only additions, multiplications and square roots are used, which every processor does alike.

use noto_sans_mono_bitmap::FontWeight;

use super::ImagingError;
use super::canvas::{Area, Canvas, Face, Ink, PackedColour, TurnedOver};
use super::header::check_size;
use super::placeholder_mosaic::{Colours, Dice, MOSAIC_INKS, lay};
use crate::asset::Recipe;

/// The word that says what this is.
const TITLE: &str = "PLACEHOLDER";
/// Line heights that the font can be set in, in pixels.
const HEIGHTS: [usize; 13] = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];
/// What a cut text ends with.
const CUT: &str = "...";
/// How many hex digits of the recipe's digest are shown.
const DIGEST_DIGITS: usize = 12;
/// How many letters a line must hold for small print to make sense.
const DETAIL_COLUMNS_MIN: usize = 20;

/// The inks for text and tape, after the mosaic's.
const TITLE_INK: Ink = Ink(MOSAIC_INKS);
const PROMPT_INK: Ink = Ink(MOSAIC_INKS + 1);
const SMALL_INK: Ink = Ink(MOSAIC_INKS + 2);

/// Paints the placeholder of a recipe: a PNG of the picture's width and height.
///
/// The same recipe always gives the same bytes, and another recipe other bytes: the recipe's digest is in the file.
///
/// # Errors
/// The size is nothing, or too large.
pub fn paint(recipe: &Recipe) -> Result<Vec<u8>, ImagingError> {
    let (width, height) = recipe.picture_size();
    check_size(width, height)?;
    if width == 0 || height == 0 {
        let source = "a picture has at least 1 pixel".into();
        return Err(ImagingError::Encoding { format: "png", source });
    }
    let digest = recipe.digest();
    let mut dice = Dice::new(digest.as_bytes());
    let colours = Colours::choose(&mut dice);
    let mut canvas = Canvas::new(width as usize, height as usize);
    let layout = PlaceholderLayout::of(canvas.area());
    lay(&mut canvas, layout.mosaic, layout.tile, &mut dice);
    if let Some(panel) = layout.panel {
        write_panel(&mut canvas, panel, recipe, &digest.hex());
    }
    canvas.break_monotony();
    canvas.into_png(&inks(&colours), ("pixform-recipe", digest.to_string()))
}

fn inks(colours: &Colours) -> Vec<(PackedColour, PackedColour)> {
    let Colours { dark, pale, soft, accent, .. } = *colours;
    colours.inks().chain([(dark, accent), (dark, pale), (dark, soft)]).collect()
}

/// Where mosaic and words lie.
struct PlaceholderLayout {
    mosaic: Area,
    tile: usize,
    panel: Option<Area>,
}

impl PlaceholderLayout {
    /// Puts the words below the mosaic, or beside it in a wide picture; a small picture has none.
    fn of(whole: Area) -> Self {
        let Area { width, height, .. } = whole;
        let smallest = Face { weight: FontWeight::Bold, height: HEIGHTS[0], tracking: 0 };
        let needed = TITLE.len() * smallest.advance() + 2 * padding(width);
        let beside = width * 10 > height * 14;
        if beside && height >= 48 && width >= height + needed {
            let tile = height.div_ceil(3);
            let columns = ((width * 9 / 20 + tile / 2) / tile).max(1);
            let (mosaic, panel) = split(width, tile * columns);
            return Self {
                mosaic: Area { width: mosaic, ..whole },
                tile,
                panel: Some(Area { left: mosaic, width: panel, ..whole }),
            };
        }
        if width >= needed && height >= 64 {
            let tile = width.div_ceil(4);
            let rows = (height + tile) / (2 * tile);
            let (mosaic, panel) = split(height, if rows == 0 { height / 2 } else { tile * rows });
            return Self {
                mosaic: Area { height: mosaic, ..whole },
                tile,
                panel: Some(Area { top: mosaic, height: panel, ..whole }),
            };
        }
        Self { mosaic: whole, tile: width.min(height).div_ceil(4), panel: None }
    }
}

/// Splits a length, the first part at most what there is.
fn split(whole: usize, first: usize) -> (usize, usize) {
    let first = first.min(whole);
    (first, whole - first)
}

fn padding(width: usize) -> usize {
    (width / 16).max(4)
}

/// Returns the largest face in which so many letters fit into the width, and the lines into the height.
fn face(weight: FontWeight, letters: usize, width: usize, height: usize) -> Face {
    let faces = HEIGHTS.map(|height| Face { weight, height, tracking: 0 });
    let fitting = faces.into_iter().rev().find(|face| face.height <= height && face.advance() * letters <= width);
    fitting.unwrap_or(faces[0])
}

fn write_panel(canvas: &mut Canvas, panel: Area, recipe: &Recipe, digest: &str) {
    canvas.fill(panel, TITLE_INK, TurnedOver::No, |_, _| -1.0);
    let pad = padding(panel.width);
    let tape = Area { height: (pad / 3).max(2), ..panel };
    let stripe = tape.height as f32 * 2.0;
    canvas.fill(tape, TITLE_INK, TurnedOver::No, |x, y| {
        let across = x + y;
        let within = across - (across / stripe).floor() * stripe;
        (stripe / 4.0 - (within - stripe / 2.0).abs()) * 0.707
    });

    let (left, width) = (panel.left + pad, panel.width - 2 * pad);
    let mut title = face(FontWeight::Bold, TITLE.len(), width, panel.height / 5);
    let spare = width - (title.advance() * TITLE.len()).min(width);
    title.tracking = (spare / (TITLE.len() - 1)).min(title.advance() / 2);
    let mut top = panel.top + tape.height + pad / 2;
    canvas.write(TITLE, left, top, title, TITLE_INK);
    top += title.height + pad / 4;

    let small = face(FontWeight::Regular, 60, width, panel.height / 20);
    let columns = width / small.advance();
    let bottom = panel.top + panel.height - pad / 2;
    let room = bottom.saturating_sub(top);
    // The prompt matters most: the small print gets the lines that it leaves, of three at least one.
    let lines = room / small.line();
    let left_over = lines.saturating_sub(wrapped(&recipe.prompt, columns, lines).len() + 1).max(lines / 3);
    let mut details = if columns < DETAIL_COLUMNS_MIN { Vec::new() } else { details(recipe, digest) };
    details.drain(..details.len().saturating_sub(left_over));
    let above = if details.is_empty() { 0 } else { details.len() * small.line() + pad / 2 };
    write_prompt(canvas, Area { left, top, width, height: room.saturating_sub(above) }, &recipe.prompt, small);
    for (line, text) in details.iter().rev().enumerate() {
        let text = shortened(wrapped(text, columns, 1), columns, 1).concat();
        canvas.write(&text, left, bottom - (line + 1) * small.line(), small, SMALL_INK);
    }
}

/// Returns the small print, the least important first; a recipe has more to say than fits into a small picture.
fn details(recipe: &Recipe, digest: &str) -> Vec<String> {
    let joined = |parts: [Option<String>; 3]| parts.into_iter().flatten().collect::<Vec<_>>().join(" \u{b7} ");
    let Recipe { model, negative_prompt, seed, take, fields, .. } = recipe;
    let (sampler, scheduler) = (fields.text("sampler"), fields.text("scheduler"));
    let (width, height) = recipe.picture_size();
    let lines = [
        negative_prompt.as_ref().map_or_else(String::new, |unwanted| format!("not {unwanted}")),
        model.clone().unwrap_or_default(),
        joined([
            match (sampler, scheduler) {
                (Some(sampler), Some(scheduler)) => Some(format!("{sampler} {scheduler}")),
                (sampler, scheduler) => sampler.or(scheduler).map(str::to_owned),
            },
            fields.number("steps").map(|steps| format!("{steps} steps")),
            fields.number("guidance_scale").map(|scale| format!("guidance {scale}")),
        ]),
        joined([
            seed.map(|seed| format!("seed {seed}")),
            take.map(|take| format!("take {take}")),
            Some(format!("{width} x {height}")),
        ]),
        format!("recipe {}", &digest[..DIGEST_DIGITS]),
    ];
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

/// Writes the prompt as large as it fits, up to a size that reads well.
fn write_prompt(canvas: &mut Canvas, area: Area, prompt: &str, smallest: Face) {
    let largest = face(FontWeight::Regular, 20, area.width, area.height).height.max(smallest.height);
    let heights = HEIGHTS.into_iter().rev().filter(|height| (smallest.height..=largest).contains(height));
    for height in heights {
        let face = Face { height, ..smallest };
        let (columns, lines_max) = (area.width / face.advance(), area.height / face.line());
        let lines = wrapped(prompt, columns, lines_max);
        if lines.len() > lines_max && height > smallest.height {
            continue;
        }
        for (line, text) in shortened(lines, columns, lines_max).iter().enumerate() {
            canvas.write(text, area.left, area.top + line * face.line(), face, PROMPT_INK);
        }
        return;
    }
}

/// Breaks text into lines of at most so many letters: at white space, or within a word that is longer than a line.
/// Stops after one line more than wanted, which says that there is more.
fn wrapped(text: &str, columns: usize, lines_max: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for word in text.split_whitespace() {
        if used > 0 && used + 1 + word.chars().count() > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        for letter in word.chars() {
            if used >= columns.max(1) {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if lines.len() > lines_max {
                return lines;
            }
            line.push(letter);
            used += 1;
        }
    }
    lines.push(line);
    lines
}

/// Drops the lines that are too many, and says so at the end of the last one.
fn shortened(mut lines: Vec<String>, columns: usize, lines_max: usize) -> Vec<String> {
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            let kept = columns.saturating_sub(CUT.len());
            *last = last.chars().take(kept).collect::<String>().trim_end().to_owned() + CUT;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::asset::{FieldMap, Seed};
    use crate::digest::ContentDigest;
    use crate::imaging::{Decoded, PIXELS_MAX, verify};

    fn recipe(prompt: &str, width: u32, height: u32) -> Recipe {
        Recipe {
            model: Some("sd_xl_base_1.0.safetensors".into()),
            negative_prompt: Some("low quality, blurry".into()),
            seed: Seed::new(1_839_201_147),
            ..Recipe::new("placeholder", prompt, width, height)
        }
        .with("sampler", "DPM++ 2M Karras")
        .with("steps", 30)
        .with("guidance_scale", 7.5)
    }

    fn portrait() -> Recipe {
        recipe("photorealistic studio portrait photograph, one adult person, a woman in her forties", 512, 768)
    }

    fn hires_fix(target_width: u32, target_height: u32) -> FieldMap {
        let target = FieldMap::new().with("target_width", target_width).with("target_height", target_height);
        target.with("strength", 0.5)
    }

    fn check(recipe: &Recipe) -> Vec<u8> {
        let png = paint(recipe).unwrap();
        let (width, height) = recipe.picture_size();
        verify(&png, width, height).unwrap();
        png
    }

    /// A placeholder that looks different after an update would be made and published again everywhere.
    #[test]
    fn a_placeholder_keeps_its_bytes() {
        let digest = ContentDigest::of(&check(&portrait())).to_string();
        insta::assert_snapshot!(digest, @"sha256:2a857a8f271c2d4222999dcf3c1980caa72588b93d8460d6f5ca66de50bce2ae");
    }

    #[test]
    fn every_size_can_be_painted() {
        for side in [1, 2, 3, 5, 15, 16, 17, 40, 63, 64, 100, 255, 256, 513] {
            for other in [1, 2, 16, 47, 48, 64, 90, 200, 700] {
                check(&recipe("a red kite over the sea", side, other));
                check(&recipe("a red kite over the sea", other, side));
            }
        }
        check(&recipe("a red kite", 8192, 1));
        check(&recipe("a red kite", 2, 8192));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        for (width, height) in [(0, 0), (0, 5), (5, 0), (8192, 8193), (65_536, 1), (u32::MAX, u32::MAX)] {
            assert!(paint(&recipe("", width, height)).is_err(), "{width} x {height}");
        }
        assert!(u64::from(8192_u32) * 8192 <= PIXELS_MAX);
    }

    #[test]
    fn every_field_changes_the_picture() {
        let base = portrait();
        let all = [
            Recipe { generator: "other".into(), ..base.clone() },
            Recipe { model: None, ..base.clone() },
            Recipe { prompt: "a blue kite".into(), ..base.clone() },
            Recipe { negative_prompt: None, ..base.clone() },
            base.clone().with("sampler", "Euler a"),
            base.clone().with("scheduler", "karras"),
            base.clone().with("steps", 31),
            base.clone().with("guidance_scale", 7.0),
            Recipe { seed: Seed::new(1), ..base.clone() },
            Recipe { take: Some(1), ..base.clone() },
            Recipe { width: 513, ..base.clone() },
            Recipe { height: 769, ..base.clone() },
            base.clone().with("sd_vae", "a"),
            base.clone().with("loras", vec![FieldMap::new().with("model_name", "a").with("strength", 0.5)]),
            base.clone().with("embeddings", vec![FieldMap::new().with("model_name", "a")]),
            base.clone().with("hires_fix", hires_fix(512, 768)),
            base.clone().with("hires_fix", hires_fix(600, 400)),
            base.clone().with("refiner", FieldMap::new().with("switch_at", 0.8)),
            base.clone().with("clip_skip", 2),
            base.clone().with("enable_transparent_background", true),
            base.clone().with("restore_faces", true),
            base,
        ];
        let pixels: BTreeSet<_> = all.iter().map(|recipe| Decoded::new(&check(recipe)).unwrap().pixels.bytes).collect();
        assert_eq!(pixels.len(), all.len());
        // Where there is no room to show it, the file still says it.
        let tiny: BTreeSet<_> =
            (0..100).map(|seed| check(&Recipe { seed: Seed::new(seed), ..recipe("", 1, 1) })).collect();
        assert_eq!(tiny.len(), 100);
    }

    #[test]
    fn a_placeholder_is_small_enough_to_make_many() {
        let longest = "many words, ".repeat(85);
        assert!(check(&recipe(&longest, 512, 768)).len() < 60_000);
        assert!(check(&recipe(&longest, 64, 64)).len() < 3_000);
    }

    #[test]
    fn hostile_prompts_are_only_text() {
        for prompt in [
            "",
            " ",
            "\u{1b}[31mred\u{7}\r\n\0",
            "\u{202e}\u{200b}\u{feff}",
            "ein Bär, 一只红色的风筝, 🪁",
            &"x".repeat(100_000),
            &"word ".repeat(100_000),
            &"🪁".repeat(5_000),
        ] {
            check(&recipe(prompt, 512, 768));
            check(&recipe(prompt, 160, 160));
        }
    }

    #[test]
    fn text_breaks_at_words_and_within_long_ones() {
        for (text, columns, lines_max, lines) in [
            ("one two three", 7, 9, vec!["one two", "three"]),
            ("one  two", 3, 9, vec!["one", "two"]),
            ("abcdefgh ij", 3, 9, vec!["abc", "def", "gh", "ij"]),
            ("a b c d", 1, 2, vec!["a", "..."]),
            ("one two three", 7, 1, vec!["one..."]),
            ("one two three", 0, 0, vec![]),
            ("", 5, 1, vec![""]),
        ] {
            assert_eq!(shortened(wrapped(text, columns, lines_max), columns, lines_max), lines, "{text}");
        }
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        prop::option::of(prop_oneof!["\\PC{0,80}", any::<String>()])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_painted_is_what_was_asked_for(
            prompt in prop_oneof!["[a-z ]{0,400}", any::<String>()],
            texts in [text(), text(), text(), text()],
            steps in any::<Option<u32>>(),
            guidance_scale in prop::option::of(-1e300..1e300),
            seed in prop::option::of(0..=Seed::MAX),
            (width, height) in prop_oneof![(1_u32..40, 1_u32..40), (1_u32..400, 1_u32..400)],
        ) {
            let [model, negative_prompt, sampler, scheduler] = texts;
            let mut recipe = Recipe {
                model, negative_prompt,
                seed: seed.and_then(Seed::new), take: steps, ..Recipe::new("placeholder", &prompt, width, height)
            };
            let texts = [("sampler", sampler), ("scheduler", scheduler)];
            for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
                recipe = recipe.with(name, text.as_str());
            }
            if let (Some(steps), Some(scale)) = (steps, guidance_scale) {
                recipe = recipe.with("steps", steps).with("guidance_scale", scale);
            }
            let png = paint(&recipe).unwrap();
            prop_assert!(verify(&png, width, height).is_ok());
            prop_assert_eq!(png, paint(&recipe).unwrap());
        }
    }
}
