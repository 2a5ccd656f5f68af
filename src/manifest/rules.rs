//! Rules: what the environment of a manifest allows and provides.

use std::collections::{BTreeMap, BTreeSet};

use crate::asset::{GeneratorName, KindSpec, TableName};
use crate::yaml::nearest;

use super::own::KnownFields;

/// What a generator says about recipes, without being called.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorRules {
    /// Its kind, whose name is part of the recipe.
    pub kind: &'static KindSpec,
    /// The kind by whose table recipes are read and checked: another one where a placeholder stands in for it.
    pub checks: &'static KindSpec,
}

/// What the environment allows and provides.
#[derive(Clone)]
pub struct Rules {
    /// The environment's name, for messages.
    pub environment: String,
    /// Generators by the name that manifests use.
    pub generators: BTreeMap<GeneratorName, GeneratorRules>,
    /// What every other name means; `None` where only listed names are legal.
    pub any_generator: Option<GeneratorRules>,
    /// Generators that only other environments have.
    pub elsewhere: BTreeSet<GeneratorName>,
    /// Images one collection may have.
    pub images_max: usize,
    /// Tables that may be published to; `None` for any legal one.
    pub tables: Option<Vec<TableName>>,
    /// The part of every URL before the path.
    pub url_base: String,
}

impl Rules {
    /// Returns the fields that manifests may set.
    pub fn known_fields(&self) -> KnownFields {
        KnownFields::new(self.generators.values().chain(&self.any_generator).map(|rules| rules.checks))
    }

    /// Returns what is known of a generator.
    pub fn generator(&self, name: &GeneratorName) -> Option<GeneratorRules> {
        self.generators.get(name).copied().or(self.any_generator)
    }

    /// Says what to do about a generator that is not known: the name that was meant, or those that there are and what else.
    pub fn generator_help(&self, name: &GeneratorName, else_do: &str) -> String {
        let names = self.generators.keys().map(GeneratorName::as_str);
        match nearest(name.as_str(), names.clone()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                format!("pixform.yaml has {}{else_do}", names.join(", "))
            }
        }
    }
}
