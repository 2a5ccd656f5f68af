//! Manifests of any size, for benches: the shape of the shipped one, with as many values as are wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pixform::generator::PLACEHOLDER;
use pixform::manifest::{GeneratorRules, Rules};

/// How the assets of a manifest are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Three axes, multiplied.
    Matrix,
    /// One entry for each.
    Explicit,
}

/// The part of every URL before the path, as the built-in environment has it.
pub const URL_BASE: &str = "/files/";

/// What the built-in environment allows, with room for more images.
pub fn rules() -> Rules {
    let any = GeneratorRules { kind: PLACEHOLDER, checks: PLACEHOLDER };
    Rules {
        environment: "local".to_owned(),
        generators: BTreeMap::new(),
        any_generator: Some(any),
        elsewhere: BTreeSet::new(),
        images_max: 2_000_000,
        tables: None,
        url_base: URL_BASE.to_owned(),
    }
}

const HEAD: &str = r#"version: 1
collection: bench
key: [group, item, style]
defaults:
  generator: placeholder
  model: sd_xl_base_1.0.safetensors
  sampler: DPM++ 2M Karras
  steps: 30
  guidance_scale: 7.5
  width: WIDTH
  height: HEIGHT
  seed: derived
  prompt: >-
    {{ look }}, one adult person, {{ subject }}, fully clothed in {{ outfit }}, upper body, facing the camera,
    relaxed friendly expression, plain light grey studio background
  negative_prompt: nude, naked, nsfw, low quality, blurry, distorted, deformed
"#;

const TAIL: &str = r#"renditions:
  main: { format: jpeg, quality: 90, path: "bench/{{ group }}-{{ item }}-{{ style }}-{{ digest }}.{{ ext }}" }
publish:
  table: bench
  columns:
    image_url: "{{ url }}"
    seed: "{{ seed }}"
    width: "{{ width }}"
    height: "{{ height }}"
    prompt: "{{ prompt }}"
"#;

/// Returns a manifest that declares `count` assets of this size in pixels; a matrix needs an even count.
pub fn manifest(count: usize, shape: Shape, (width, height): (u32, u32)) -> String {
    let mut text = HEAD.replace("WIDTH", &width.to_string()).replace("HEIGHT", &height.to_string());
    match shape {
        Shape::Matrix => matrix(count, &mut text),
        Shape::Explicit => explicit(count, &mut text),
    }
    text.push_str(TAIL);
    text
}

fn matrix(count: usize, text: &mut String) {
    let half = count / 2;
    let groups = (1..=half).rev().find(|groups| half.is_multiple_of(*groups) && groups * groups <= half).unwrap_or(1);
    text.push_str("axes:\n  style:\n    realistic: { vars: { look: photorealistic studio portrait photograph } }\n");
    text.push_str("    anime: { vars: { look: anime portrait illustration } }\nimages:\n  - matrix:\n      group:\n");
    for group in 0..groups {
        let _ = writeln!(text, "        g{group}: {{ vars: {{ subject: person number {group} with brown hair }} }}");
    }
    text.push_str("      item:\n");
    for item in 0..half / groups {
        let _ = writeln!(text, "        i{item}: {{ vars: {{ outfit: jumper number {item} over a white shirt }} }}");
    }
}

fn explicit(count: usize, text: &mut String) {
    text.push_str("images:\n");
    for number in 0..count {
        let _ = write!(
            text,
            "  - at: {{ group: g{}, item: i{number}, style: realistic }}\n    vars:\n      look: photorealistic studio portrait photograph\n      subject: person number {number} with brown hair and a friendly, open face\n      outfit: jumper number {number} over a white shirt and below a dark jacket\n",
            number / 100
        );
    }
}
