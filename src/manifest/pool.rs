//! What layers refer to by number: vars, templates, and the layers themselves.

use crate::template::Template;
use crate::yaml::Span;

use super::layer::{Layer, LayerId};
use super::own::KnownFields;
use super::placed::Placed;

/// Everything that layers refer to by number.
#[derive(Debug, Default)]
pub struct Pool {
    /// The names of all vars.
    pub vars: Vec<Box<str>>,
    /// All templates of vars and prompts.
    pub templates: Vec<Placed<Template>>,
    /// All layers; the first is empty.
    pub layers: Vec<Layer>,
    /// The fields that can be set.
    pub known: KnownFields,
    var_index: std::collections::HashMap<Box<str>, u16>,
}

impl Pool {
    /// Makes one that holds the empty layer, for fields that are known.
    pub fn new(known: KnownFields) -> Self {
        Self { layers: vec![Layer::default()], known, ..Self::default() }
    }

    /// Returns the number of a var, a new one where the name is new.
    pub fn var(&mut self, name: &str) -> Option<u16> {
        if let Some(index) = self.var_index.get(name) {
            return Some(*index);
        }
        let index = u16::try_from(self.vars.len()).ok()?;
        self.vars.push(name.into());
        self.var_index.insert(name.into(), index);
        Some(index)
    }

    /// Returns the number of a var that is known.
    pub fn known_var(&self, name: &str) -> Option<u16> {
        self.var_index.get(name).copied()
    }

    /// Keeps an empty text in the place of one that cannot be used.
    pub fn empty_text(&mut self, span: Span) -> Option<u32> {
        let value = Template::parse("").ok()?;
        self.templates.push(Placed { span, value });
        Some((self.templates.len() - 1) as u32)
    }

    /// Keeps a layer; an empty one is number 0.
    pub fn layer(&mut self, layer: Layer) -> LayerId {
        if layer == Layer::default() {
            return 0;
        }
        self.layers.push(layer);
        (self.layers.len() - 1) as LayerId
    }
}
