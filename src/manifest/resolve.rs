//! From slots to assets: fields decided, prompts rendered and normalised, digests made.
//!
//! One piece of code decides what an asset is; planning takes only its digests from it ([`Heads`]), applying all of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::asset::{
    Asset, AssetKey, Head, Heads, Labels, OUTPUTS, PathPattern, Recipe, Rendition, Row, SeedFrom, URL_BASE,
    rendition_digest, renditions_digest,
};
use crate::digest::{RenditionDigest, RenditionsDigest, RowDigest};
use crate::template::TemplateError;
use crate::yaml::{Mistakes, Span};

use super::hints::{template_help, undefined_help};
use super::layer::Setting;
use super::reserved::PATH_NAMES;
use super::row_plan::RowPlan;
use super::worker::{Decided, Worker};
use super::{AssetSlot, Manifest};

/// Below this many assets one thread is faster than several.
const PARALLEL_FROM: usize = 2_000;
/// Assets that one thread takes at a time.
const CHUNK: usize = 2_048;

impl Manifest {
    /// Resolves the heads of all assets, on all cores where that pays.
    pub(super) fn resolve_all(&self, mistakes: &mut Mistakes) -> Heads {
        let resolve = |slots: &[AssetSlot]| {
            let mut worker = Worker::new(self);
            let heads: Vec<_> = slots.iter().filter_map(|slot| worker.head(*slot)).collect();
            (heads, worker.mistakes)
        };
        if self.slots.is_empty() {
            return Heads::new(Vec::new());
        }
        if self.slots.len() < PARALLEL_FROM {
            let (heads, found) = resolve(&self.slots);
            mistakes.extend(found);
            return Heads::new(heads);
        }
        let parts: Vec<_> = self.slots.par_chunks(CHUNK).map(resolve).collect();
        let mut heads = Vec::with_capacity(self.slots.len());
        for (part, found) in parts {
            heads.extend(part);
            mistakes.extend(found);
        }
        Heads::new(heads)
    }

    /// Resolves one asset whole; its head was resolved without a mistake before.
    pub(super) fn resolve_asset(&self, index: usize) -> Asset {
        let mut worker = Worker::new(self);
        worker.asset(self.slots[index]).expect("an asset whose head was resolved can be resolved whole")
    }

    /// Returns the labels of an asset, which cost less than all of it.
    pub fn labels(&self, index: usize) -> Labels {
        let AssetSlot { block, combination } = self.slots[index];
        let block = &self.blocks[block as usize];
        let mut values = Vec::new();
        block.values(combination, &mut values);
        block.labels(&values)
    }
}

impl<'m> Worker<'m> {
    fn head(&mut self, slot: AssetSlot) -> Option<Head> {
        let key = self.scratch.lay(slot);
        let decided = self.decide(&key);
        let renditions = self.renditions_digest(&key);
        let Decided { recipe, seed_from, .. } = decided?;
        let row = match &self.manifest.row {
            Some(plan) => Some(self.row_digest(plan, &recipe, &seed_from)?),
            None => None,
        };
        Some(Head {
            recipe: recipe.digest_with(&mut self.buffer),
            renditions: renditions?,
            row,
            extra_labels: self.extra_labels(),
            protect: self.scratch.protect,
            hold: self.scratch.hold,
            key,
        })
    }

    fn asset(&mut self, slot: AssetSlot) -> Option<Asset> {
        let key = self.scratch.lay(slot);
        let Decided { generator, recipe, seed_from } = self.decide(&key)?;
        let vars = self.scratch.rendered_vars().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let renditions = (0..self.manifest.renditions.len())
            .map(|number| {
                self.rendition(number, &key).map(|(digest, path)| {
                    let line = &self.manifest.renditions[number];
                    Rendition { name: line.name.value.clone(), encoding: line.encoding, path, digest }
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let row = match &self.manifest.row {
            Some(plan) => {
                let inputs = self.row_inputs(plan, &recipe, &seed_from)?;
                let named = plan.inputs.iter().map(|(name, _)| name.clone());
                let inputs = named.zip(inputs.into_iter().map(Cow::into_owned)).collect();
                Some(Row { shape: Arc::clone(&plan.shape), inputs })
            }
            None => None,
        };
        let labels = self.scratch.block.labels(&self.scratch.values);
        let places = self.places(&vars);
        let (protect, hold) = (self.scratch.protect, self.scratch.hold);
        Some(Asset { key, labels, generator, recipe, seed_from, vars, renditions, row, protect, hold, places })
    }

    /// Returns the value of a label or var that a path or column uses, or reports that there is none.
    fn value(&mut self, name: &str, span: Span, extra: &[&str]) -> Option<String> {
        let mut text = String::new();
        match self.scratch.name(name, &mut text) {
            Ok(true) => return Some(text),
            Ok(false) => {
                let mut known = self.scratch.known_names();
                known.extend(extra);
                let help = undefined_help(name, known);
                let span = span.narrow(&self.manifest.source, name);
                self.mistakes.add(span, format!("`{name}` is not defined here"), help);
            }
            Err(failure) => self.fail(failure),
        }
        None
    }

    fn rendition(&mut self, number: usize, key: &AssetKey) -> Option<(RenditionDigest, PathPattern)> {
        let manifest = self.manifest;
        let line = &manifest.renditions[number];
        let names = std::mem::take(&mut self.path_inputs[number]);
        let values: Option<Vec<String>> =
            names.iter().map(|name| self.value(name, line.path.span, &PATH_NAMES)).collect();
        let inputs = |values: &[String], name: &str| {
            names.iter().position(|known| *known == name).map(|position| values[position].clone())
        };
        let mut path = String::with_capacity(100);
        let result = values.as_ref().map(|values| {
            line.path.value.render(&mut path, &mut |index, out| {
                let name = &*line.path.value.names()[index];
                match name {
                    "digest" => out.push_str(PathPattern::DIGEST_MARK),
                    "ext" => out.push_str(line.encoding.format.extension()),
                    "rendition" => out.push_str(line.name.value.as_str()),
                    _ => out.push_str(&inputs(values, name).ok_or_else(|| TemplateError::Undefined(name.to_owned()))?),
                }
                Ok(())
            })
        });
        let digest = values.as_ref().map(|values| {
            let inputs = names.iter().copied().zip(values.iter().map(String::as_str));
            rendition_digest(&line.encoding, line.path.value.source(), inputs, &mut self.buffer)
        });
        self.path_inputs[number] = names;
        match result? {
            Ok(()) => {}
            Err(error) => {
                self.mistakes.add(line.path.span, format!("`path`: {error}"), template_help(&error));
                return None;
            }
        }
        let shown = path.replace(PathPattern::DIGEST_MARK, "…");
        match PathPattern::new(path) {
            Ok(pattern) if pattern.has_digest() => Some((digest?, pattern)),
            Ok(_) => {
                let help = "put `{{ digest }}` into the file name: a published file never changes, so its name has to";
                self.mistakes.add(line.path.span, "the path does not change with `{{ digest }}`", help);
                None
            }
            // One asset is enough to show what is wrong with a template that all of them share.
            Err(_) if self.mistakes.has(line.path.span) => None,
            Err(error) => {
                let shown: String = shown.chars().filter(|c| !c.is_control()).take(120).collect();
                let message = format!("the path of `{key}` would be `{shown}`, which is not legal");
                self.mistakes.add(line.path.span, message, error.rule);
                None
            }
        }
    }

    fn renditions_digest(&mut self, key: &AssetKey) -> Option<RenditionsDigest> {
        let count = self.manifest.renditions.len();
        let digests: Vec<_> = (0..count).map(|number| self.rendition(number, key)).collect();
        let digests: Option<Vec<_>> = digests.into_iter().map(|made| made.map(|(digest, _)| digest)).collect();
        let names = self.manifest.renditions.iter().map(|line| &line.name.value);
        Some(renditions_digest(names.zip(&digests?)))
    }

    /// Returns the values of the row's inputs, in the order of [`RowPlan::inputs`].
    fn row_inputs<'r>(
        &mut self,
        plan: &RowPlan,
        recipe: &'r Recipe,
        seed_from: &SeedFrom,
    ) -> Option<Vec<Cow<'r, str>>> {
        let mut values = Vec::with_capacity(plan.inputs.len());
        for (name, span) in &plan.inputs {
            let value: Cow<'r, str> = match name.as_str() {
                "prompt" => recipe.prompt.as_str().into(),
                "negative_prompt" => recipe.negative_prompt.as_deref().unwrap_or_default().into(),
                "take" => seed_from.take.to_string().into(),
                URL_BASE => self.manifest.rules.url_base.clone().into(),
                name if Recipe::COLUMN_FIELDS.contains(&name) => recipe.field(name).unwrap_or_default().into(),
                name => self.value(name, *span, &[&OUTPUTS[..], &Recipe::COLUMN_FIELDS].concat())?.into(),
            };
            values.push(value);
        }
        Some(values)
    }

    fn row_digest(&mut self, plan: &RowPlan, recipe: &Recipe, seed_from: &SeedFrom) -> Option<RowDigest> {
        let values = self.row_inputs(plan, recipe, seed_from)?;
        let inputs = plan.inputs.iter().map(|(name, _)| name.as_str()).zip(values.iter().map(|value| &**value));
        Some(plan.shape.digest(inputs, &mut self.buffer))
    }

    fn extra_labels(&self) -> Option<Box<str>> {
        let block = self.scratch.block;
        if block.axes.len() == block.key.len() {
            return None;
        }
        let labels = block.labels(&self.scratch.values);
        Some(crate::record::extra_labels(&labels, &self.manifest.key).into_boxed_str())
    }

    /// Tells where each field, var, rendition field and column was decided.
    fn places(&self, vars: &BTreeMap<String, String>) -> BTreeMap<String, crate::asset::Place> {
        let manifest = self.manifest;
        let mut places = BTreeMap::from([(String::new(), manifest.place(self.scratch.block.span))]);
        for name in vars.keys() {
            if let Some(span) = self.scratch.var_span(name) {
                places.insert(name.clone(), manifest.place(span));
            }
        }
        for line in &manifest.renditions {
            places.insert(line.name.value.to_string(), manifest.place(line.name.span));
            for (field, span) in &line.places {
                places.insert(format!("{}.{field}", line.name.value), manifest.place(*span));
            }
        }
        for (column, span) in manifest.row.iter().flat_map(|plan| &plan.places) {
            places.insert(format!("columns.{column}"), manifest.place(*span));
        }
        for (name, field) in manifest.pool.known.names().zip(&self.scratch.fields) {
            if let Some((setting, span)) = field {
                let span = match setting {
                    Setting::Template(template) => manifest.pool.templates[*template as usize].span,
                    _ => *span,
                };
                // Some fields share their name with a var or a rendition, which was there first.
                let name = if places.contains_key(name) { format!("with.{name}") } else { name.to_owned() };
                places.insert(name, manifest.place(span));
            }
        }
        places
    }
}
