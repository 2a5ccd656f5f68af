//! From images to slots: axes multiplied, combinations left out, cells found.

use std::collections::HashMap;

use crate::glob::{GlobIndex, KeyGlob};
use crate::yaml::{Mistakes, nearest};

use super::axis::Axis;
use super::block::{AssetSlot, Block};
use super::exclude::leave_out;
use super::image::{AXES_MAX, Image, ImageForm};
use super::layer::LayerId;
use super::placed::Placed;

/// What each value of the shared axes sets, by axis and value: there may be as many images as values.
type Layers<'s> = HashMap<&'s str, HashMap<&'s str, LayerId>>;

/// Joins entries and shared axes, and counts every combination that is not left out, in the order of the document.
pub fn expand<'s>(
    images: Vec<Image>,
    shared: &'s [Axis],
    key: &[Placed<String>],
    images_max: usize,
    mistakes: &mut Mistakes,
) -> (Vec<Block>, Vec<AssetSlot>) {
    let mut blocks = Vec::with_capacity(images.len());
    let mut slots = Vec::with_capacity(images.len());
    let layers_of = |axis: &'s Axis| axis.values.iter().map(|value| (&*value.text, value.layer)).collect();
    let layers: Layers<'s> = shared.iter().map(|axis| (&*axis.name, layers_of(axis))).collect();
    for image in images {
        let exclude_lines = image.exclude.len();
        let Image { span, form, axes, exclude, layer } = image;
        let Some(block) = join(span, form, axes, layer, (shared, &layers), key, mistakes) else { continue };
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
            slots.extend(combinations.map(|combination| AssetSlot { block: number, combination }));
        } else {
            let kept = leave_out(&block, combinations, &exclude, mistakes);
            slots.extend(kept.into_iter().map(|combination| AssetSlot { block: number, combination }));
        }
        blocks.push(block);
    }
    (blocks, slots)
}

fn join(
    span: crate::yaml::Span,
    form: ImageForm,
    mut axes: Vec<Axis>,
    layer: LayerId,
    (shared, layers): (&[Axis], &Layers<'_>),
    key: &[Placed<String>],
    mistakes: &mut Mistakes,
) -> Option<Block> {
    match form {
        ImageForm::Matrix => {
            let own: Vec<Box<str>> = axes.iter().map(|axis| axis.name.clone()).collect();
            axes.extend(shared.iter().filter(|axis| !own.contains(&axis.name)).cloned());
        }
        ImageForm::At => {
            for axis in &mut axes {
                let Some(common) = layers.get(&*axis.name) else { continue };
                for value in axis.values.iter_mut().filter(|value| value.layer == 0) {
                    value.layer = common.get(&*value.text).copied().unwrap_or_default();
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

/// The cells of a document, found by key.
#[derive(Debug, Default)]
pub struct Cells {
    globs: GlobIndex,
    layers: Vec<LayerId>,
}

impl Cells {
    /// Takes cells in file order.
    pub fn new(cells: &[(Placed<KeyGlob>, LayerId)]) -> Self {
        let globs = GlobIndex::new(cells.iter().map(|(glob, _)| &glob.value));
        Self { globs, layers: cells.iter().map(|(_, layer)| *layer).collect() }
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Finds the numbers of the cells for a key, in file order, into a buffer that is reused.
    pub fn find(&self, key: &str, into: &mut Vec<u32>) {
        self.globs.find(key, into);
    }

    /// Returns the layer of a cell.
    pub fn layer(&self, number: u32) -> LayerId {
        self.layers[number as usize]
    }
}
