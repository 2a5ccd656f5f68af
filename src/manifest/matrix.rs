//! From images to slots: axes multiplied, combinations left out, cells found.

use std::collections::HashMap;

use crate::asset::AssetKey;
use crate::glob::KeyGlob;
use crate::yaml::{Mistakes, nearest};

use super::axis::{Axis, AxisValue};
use super::document::Placed;
use super::image::{AXES_MAX, Exclusion, Form, Image};
use super::layer::LayerId;

/// One entry of `images` with the shared axes it takes part in, ready to be counted through.
#[derive(Debug)]
pub struct Block {
    /// Where the entry stands.
    pub span: crate::yaml::Span,
    /// All its axes: its own first, then the shared ones; the last turns fastest.
    pub axes: Vec<Axis>,
    /// Numbers of the axes in the order in which their layers apply: those beyond the key, then the key axes.
    pub layering: Vec<u8>,
    /// Numbers of the key axes, in key order.
    pub key: Vec<u8>,
    /// What the entry itself sets.
    pub layer: LayerId,
}

/// One wanted image: a block, and which combination of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The block's number.
    pub block: u32,
    /// The combination's number: axis values in mixed radix, the last axis turning fastest.
    pub combination: u32,
}

impl Block {
    /// Returns the value that each axis has in a combination, into a buffer that is reused.
    pub fn values<'b>(&'b self, combination: u32, into: &mut Vec<&'b AxisValue>) {
        into.clear();
        let mut rest = combination as usize;
        for axis in self.axes.iter().rev() {
            into.push(&axis.values[rest % axis.values.len()]);
            rest /= axis.values.len();
        }
        into.reverse();
    }

    /// Returns the key of a combination whose values were looked up.
    pub fn key(&self, values: &[&AxisValue]) -> AssetKey {
        AssetKey::join(self.key.iter().map(|axis| &*values[usize::from(*axis)].text))
    }
}

/// Joins entries and shared axes, and counts every combination that is not left out, in the order of the document.
pub fn expand(
    images: Vec<Image>,
    shared: &[Axis],
    key: &[Placed<String>],
    images_max: usize,
    mistakes: &mut Mistakes,
) -> (Vec<Block>, Vec<Slot>) {
    let mut blocks = Vec::with_capacity(images.len());
    let mut slots = Vec::with_capacity(images.len());
    for image in images {
        let exclude_lines = image.exclude.len();
        let Image { span, form, axes, exclude, layer } = image;
        let Some(block) = join(span, form, axes, layer, shared, key, mistakes) else { continue };
        let count = block.axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()));
        let total = count.and_then(|count| count.checked_add(slots.len()));
        if total.is_none_or(|total| total > images_max) {
            let start = crate::yaml::Span { start: span.start, end: span.start + 1 };
            let message = match count {
                Some(count) => format!("this entry makes {count} images, and one collection may have {images_max}"),
                None => format!(
                    "this entry makes more images than can be counted, and one collection may have {images_max}"
                ),
            };
            let help = "if that many are meant, raise `limits: { images: … }` of the environment in pixform.yaml";
            mistakes.add(start, message, help);
            return (blocks, slots);
        }
        let number = blocks.len() as u32;
        let combinations = 0..count.unwrap_or_default() as u32;
        if exclude_lines == 0 {
            slots.extend(combinations.map(|combination| Slot { block: number, combination }));
        } else {
            let kept = leave_out(&block, combinations, &exclude, mistakes);
            slots.extend(kept.into_iter().map(|combination| Slot { block: number, combination }));
        }
        blocks.push(block);
    }
    (blocks, slots)
}

fn join(
    span: crate::yaml::Span,
    form: Form,
    mut axes: Vec<Axis>,
    layer: LayerId,
    shared: &[Axis],
    key: &[Placed<String>],
    mistakes: &mut Mistakes,
) -> Option<Block> {
    match form {
        Form::Matrix => {
            let own: Vec<Box<str>> = axes.iter().map(|axis| axis.name.clone()).collect();
            axes.extend(shared.iter().filter(|axis| !own.contains(&axis.name)).cloned());
        }
        Form::At => {
            for axis in &mut axes {
                let Some(common) = shared.iter().find(|common| common.name == axis.name) else { continue };
                for value in &mut axis.values {
                    if let Some(known) = common.values.iter().find(|known| known.text == value.text) {
                        value.layer = if value.layer == 0 { known.layer } else { value.layer };
                    }
                }
            }
        }
    }
    let start = crate::yaml::Span { start: span.start, end: span.start + 1 };
    if axes.len() > AXES_MAX {
        mistakes.add(start, format!("this entry has {} axes, more than {AXES_MAX}", axes.len()), "merge some of them");
        return None;
    }
    let mut missing = false;
    for name in key {
        if !axes.iter().any(|axis| *axis.name == *name.value) {
            missing = true;
            let names = axes.iter().map(|axis| &*axis.name);
            let help = match nearest(&name.value, names) {
                Some(meant) => format!("it has `{meant}`: did you mean that?"),
                None => format!("add `{}: value`, or take `{}` out of `key`", name.value, name.value),
            };
            mistakes.add(start, format!("this entry has no `{}`, which is part of the key", name.value), help);
        }
    }
    if missing || axes.iter().any(|axis| axis.values.is_empty()) {
        return None;
    }
    let position = |name: &str| axes.iter().position(|axis| *axis.name == *name).unwrap_or_default() as u8;
    let key: Vec<u8> = key.iter().map(|name| position(&name.value)).collect();
    let beyond = (0..axes.len() as u8).filter(|axis| !key.contains(axis));
    let layering = beyond.chain(key.iter().copied()).collect();
    Some(Block { span, axes, layering, key, layer })
}

/// Drops the combinations that an exclusion names; one that drops nothing is a mistake.
fn leave_out(
    block: &Block,
    combinations: std::ops::Range<u32>,
    exclude: &[Exclusion],
    mistakes: &mut Mistakes,
) -> Vec<u32> {
    let mut parsed = Vec::new();
    let mistakes_before = mistakes.len();
    for line in exclude {
        let mut axes = Vec::new();
        for (name, values) in &line.value {
            let Some(axis) = block.axes.iter().position(|axis| *axis.name == *name.value) else {
                let help = super::layer::undefined_help(&name.value, block.axes.iter().map(|axis| &*axis.name));
                mistakes.add(name.span, format!("this matrix has no label `{}`", name.value), help);
                continue;
            };
            for value in values {
                let known = block.axes[axis].values.iter().map(|known| &*known.text);
                if !known.clone().any(|known| known == value.value) {
                    let help = super::layer::value_help(&value.value, known);
                    mistakes.add(value.span, format!("`{}` has no value `{}`", name.value, value.value), help);
                }
            }
            axes.push((axis, values.iter().map(|value| value.value.as_str()).collect::<Vec<_>>()));
        }
        parsed.push((line.span, axes, false));
    }
    let mut values = Vec::new();
    let mut kept = Vec::new();
    for combination in combinations {
        block.values(combination, &mut values);
        let mut out = false;
        for (_, axes, used) in &mut parsed {
            if !axes.is_empty() && axes.iter().all(|(axis, names)| names.contains(&&*values[*axis].text)) {
                *used = true;
                out = true;
            }
        }
        if !out {
            kept.push(combination);
        }
    }
    let all_known = mistakes.len() == mistakes_before;
    for (span, axes, used) in parsed {
        if !used && all_known {
            let message =
                if axes.is_empty() { "this excludes nothing: it names no label" } else { "this excludes nothing" };
            mistakes.add(span, message, "remove it, or name labels and values of this matrix");
        }
    }
    kept
}

/// The cells of a document, found by key.
#[derive(Debug, Default)]
pub struct Cells {
    exact: HashMap<Box<str>, Vec<u32>>,
    globs: Vec<(KeyGlob, u32)>,
    layers: Vec<LayerId>,
}

impl Cells {
    /// Sorts cells into those for one key and those for many.
    pub fn new(cells: &[(Placed<KeyGlob>, LayerId)]) -> Self {
        let mut sorted = Self::default();
        for (number, (glob, layer)) in cells.iter().enumerate() {
            sorted.layers.push(*layer);
            if glob.value.is_exact() {
                sorted.exact.entry(glob.value.as_str().into()).or_default().push(number as u32);
            } else {
                sorted.globs.push((glob.value.clone(), number as u32));
            }
        }
        sorted
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Finds the numbers of the cells for a key, in file order, into a buffer that is reused.
    pub fn find(&self, key: &str, into: &mut Vec<u32>) {
        into.clear();
        into.extend(self.exact.get(key).into_iter().flatten());
        into.extend(self.globs.iter().filter(|(glob, _)| glob.matches(key)).map(|(_, number)| number));
        into.sort_unstable();
    }

    /// Returns the layer of a cell.
    pub fn layer(&self, number: u32) -> LayerId {
        self.layers[number as usize]
    }
}
