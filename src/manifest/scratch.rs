//! Where one asset is put together: layers laid over one another, vars rendered once each.
//!
//! One scratch serves a whole thread; nothing in it is freed between assets.

use crate::template::TemplateError;
use crate::yaml::Span;

use super::Manifest;
use super::axis::AxisValue;
use super::block::{AssetSlot, Block};
use super::layer::{LayerId, Setting, SettingLine, setting};
use super::placed::Placed;

/// What is known of a var while one asset is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rendered {
    Not,
    InProgress,
    At { start: u32, end: u32 },
}

/// A text that could not be rendered: where, and why.
pub struct RenderFailure {
    /// The template at fault.
    pub span: Span,
    /// Why.
    pub error: RenderFault,
}

/// Why a text could not be rendered.
pub enum RenderFault {
    /// The template's own fault.
    Template(TemplateError),
    /// Vars that use one another in a circle.
    Cycle(Vec<String>),
    /// Vars that use vars, deeper than [`DEPTH_MAX`].
    TooDeep,
}

/// How deep vars may use one another: each level takes stack, and a copy of the text.
pub const DEPTH_MAX: usize = 64;

/// The layered values of one asset.
pub struct Scratch<'m> {
    manifest: &'m Manifest,
    /// The block of the asset.
    pub block: &'m Block,
    /// The value of each of the block's axes.
    pub values: Vec<&'m AxisValue>,
    /// The fields, by number, with their places.
    pub fields: Vec<Option<(&'m Setting, Span)>>,
    /// Protection, where something is said of it.
    pub protect: Option<bool>,
    /// Holding.
    pub hold: bool,
    vars: Vec<Option<u32>>,
    rendered: Vec<Rendered>,
    arena: String,
    cells: Vec<u32>,
    layers: Vec<LayerId>,
    trail: Vec<u16>,
}

impl<'m> Scratch<'m> {
    /// Makes an empty one.
    pub fn new(manifest: &'m Manifest) -> Self {
        Self {
            manifest,
            block: &manifest.blocks[0],
            values: Vec::new(),
            fields: vec![None; manifest.pool.known.count()],
            protect: None,
            hold: false,
            vars: vec![None; manifest.pool.vars.len()],
            rendered: vec![Rendered::Not; manifest.pool.vars.len()],
            arena: String::new(),
            cells: Vec::new(),
            layers: Vec::new(),
            trail: Vec::new(),
        }
    }

    /// Lays the layers of a slot over one another and returns its key.
    pub fn lay(&mut self, slot: AssetSlot) -> crate::asset::AssetKey {
        let manifest = self.manifest;
        self.block = &manifest.blocks[slot.block as usize];
        self.block.values(slot.combination, &mut self.values);
        let key = self.block.key(&self.values);
        self.fields.fill(None);
        self.protect = None;
        self.hold = false;
        self.vars.fill(None);
        self.rendered.fill(Rendered::Not);
        self.arena.clear();
        let mut layers = std::mem::take(&mut self.layers);
        layers.clear();
        layers.push(manifest.defaults);
        layers.extend(self.block.layering.iter().map(|axis| self.values[usize::from(*axis)].layer));
        layers.push(self.block.layer);
        if !manifest.cells.is_empty() {
            manifest.cells.find(key.as_str(), &mut self.cells);
            layers.extend(self.cells.iter().map(|cell| manifest.cells.layer(*cell)));
        }
        layers.retain(|layer| *layer != 0);
        // The generator is settled first, over all layers, for it decides what of each layer counts.
        let generator = layers.iter().rev().find_map(|layer| self.generator_of(*layer));
        let generator = generator.and_then(|placed| match &placed.value {
            Some(Setting::Text(name)) => Some(&**name),
            Some(_) | None => None,
        });
        for layer in &layers {
            self.apply(*layer, generator);
        }
        self.layers = layers;
        key
    }

    /// Returns what a layer says of the generator: nothing, which one, or that an earlier one is taken away.
    fn generator_of(&self, layer: LayerId) -> Option<&'m Placed<Option<Setting>>> {
        let number = setting("generator") as u16;
        let mut lines = self.manifest.pool.layers[layer as usize].with.iter();
        lines.find(|(field, _)| *field == number).map(|(_, placed)| placed)
    }

    fn apply(&mut self, layer: LayerId, generator: Option<&str>) {
        let layer = &self.manifest.pool.layers[layer as usize];
        for (var, template) in &layer.vars {
            self.vars[usize::from(*var)] = *template;
        }
        self.set(&layer.with);
        if let Some(generator) = generator {
            let own = layer.per_generator.iter().filter(|(name, _)| name.as_str() == generator);
            own.for_each(|(_, lines)| self.set(lines));
        }
        self.protect = layer.protect.or(self.protect);
        self.hold = layer.hold.unwrap_or(self.hold);
    }

    fn set(&mut self, lines: &'m [SettingLine]) {
        for (field, Placed { span, value }) in lines {
            self.fields[usize::from(*field)] = value.as_ref().map(|value| (value, *span));
        }
    }

    /// Returns the value of a label.
    pub fn label(&self, name: &str) -> Option<&'m AxisValue> {
        let axis = self.block.axes.iter().position(|axis| *axis.name == *name)?;
        Some(self.values[axis])
    }

    /// Returns where a var was decided.
    pub fn var_span(&self, name: &str) -> Option<Span> {
        let var = self.manifest.pool.known_var(name)?;
        self.vars[usize::from(var)].map(|template| self.manifest.pool.templates[template as usize].span)
    }

    /// Returns the names that are defined for this asset: labels and vars.
    pub fn known_names(&self) -> Vec<&'m str> {
        let labels = self.block.axes.iter().map(|axis| &*axis.name);
        let vars = self.manifest.pool.vars.iter().zip(&self.vars).filter(|(_, template)| template.is_some());
        labels.chain(vars.map(|(name, _)| &**name)).collect()
    }

    /// Appends the rendered text of a template of the pool.
    pub fn render(&mut self, template: u32, out: &mut String) -> Result<(), RenderFailure> {
        let manifest = self.manifest;
        let placed = &manifest.pool.templates[template as usize];
        let names = placed.value.names();
        let mut failure = None;
        let result = placed.value.render(out, &mut |name, out| match self.name(&names[name], out) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TemplateError::Undefined(names[name].to_string())),
            Err(deeper) => {
                failure = Some(deeper);
                Err(TemplateError::Undefined(names[name].to_string()))
            }
        });
        match (result, failure) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(deeper)) => Err(deeper),
            (Err(error), None) => Err(RenderFailure { span: placed.span, error: RenderFault::Template(error) }),
        }
    }

    /// Appends the value of a label or var; tells whether the name is defined.
    pub fn name(&mut self, name: &str, out: &mut String) -> Result<bool, RenderFailure> {
        if let Some(value) = self.label(name) {
            out.push_str(&value.text);
            return Ok(true);
        }
        let Some(var) = self.manifest.pool.known_var(name) else { return Ok(false) };
        let Some(template) = self.vars[usize::from(var)] else { return Ok(false) };
        match self.rendered[usize::from(var)] {
            Rendered::At { start, end } => out.push_str(&self.arena[start as usize..end as usize]),
            Rendered::InProgress => {
                let from = self.trail.iter().position(|earlier| *earlier == var).unwrap_or_default();
                let circle = self.trail[from..].iter().chain([&var]);
                let names = circle.map(|var| self.manifest.pool.vars[usize::from(*var)].to_string()).collect();
                let span = self.manifest.pool.templates[template as usize].span;
                return Err(RenderFailure { span, error: RenderFault::Cycle(names) });
            }
            Rendered::Not if self.trail.len() >= DEPTH_MAX => {
                let span = self.manifest.pool.templates[template as usize].span;
                return Err(RenderFailure { span, error: RenderFault::TooDeep });
            }
            Rendered::Not => {
                self.rendered[usize::from(var)] = Rendered::InProgress;
                self.trail.push(var);
                let begin = out.len();
                let result = self.render(template, out);
                self.trail.pop();
                self.rendered[usize::from(var)] = Rendered::Not;
                result?;
                let start = self.arena.len() as u32;
                self.arena.push_str(&out[begin..]);
                self.rendered[usize::from(var)] = Rendered::At { start, end: self.arena.len() as u32 };
            }
        }
        Ok(true)
    }

    /// Returns the vars that were rendered so far, with their texts.
    pub fn rendered_vars(&self) -> impl Iterator<Item = (&'m str, &str)> {
        self.manifest.pool.vars.iter().zip(&self.rendered).filter_map(|(name, rendered)| match rendered {
            Rendered::At { start, end } => Some((&**name, &self.arena[*start as usize..*end as usize])),
            Rendered::Not | Rendered::InProgress => None,
        })
    }
}
