//! Rows: what the product reads of an asset, all but what the published picture decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::{CanonicalObject, ROW_DOMAIN, RowDigest, canonical, domain_digest};
use crate::template::{Filling, Template, TemplateError};

use super::{ColumnType, Recipe, TableSpec};

/// The names that a column may use and that are known only once the picture is published.
pub const OUTPUTS: [&str; 8] = ["url", "path", "sha256", "bytes", "width", "height", "content_type", "digest"];

/// What all rows of a collection share.
#[derive(Debug, Clone, PartialEq)]
pub struct RowShape {
    /// The table.
    pub table: TableSpec,
    /// The columns' templates, in the order of the table's columns.
    pub columns: Vec<Template>,
    /// Table and columns as the row's digest covers them: two members of canonical JSON.
    canonical: [Vec<u8>; 2],
}

impl RowShape {
    /// Puts a table and the templates of its columns together.
    pub fn new(table: TableSpec, columns: Vec<Template>) -> Self {
        let by_name: BTreeMap<&str, &str> = table
            .columns
            .iter()
            .zip(&columns)
            .map(|((name, _), template)| (name.as_str(), template.source()))
            .collect();
        let canonical = [canonical(&by_name), canonical(&table.name.to_string())];
        Self { table, columns, canonical }
    }

    /// Returns the digest of a row with these inputs, which must come in ascending order of their names.
    pub fn digest<'i>(&self, inputs: impl Iterator<Item = (&'i str, &'i str)>, buffer: &mut Vec<u8>) -> RowDigest {
        buffer.clear();
        let mut object = CanonicalObject::open(buffer);
        object.raw("columns", &self.canonical[0]);
        let mut inner = object.object("inputs");
        for (name, value) in inputs {
            inner.text(name, value);
        }
        inner.close();
        object.raw("table", &self.canonical[1]);
        object.close();
        RowDigest::from_bytes(domain_digest(ROW_DOMAIN, buffer))
    }
}

/// An asset's row, all but what the published picture decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Table and columns.
    pub shape: Arc<RowShape>,
    /// The labels, vars and recipe fields that the columns use, and `url_base` where they use a URL.
    pub inputs: BTreeMap<String, String>,
}

/// The input that stands for the part of a URL before the path.
pub const URL_BASE: &str = "url_base";

impl Row {
    /// Returns the digest of the inputs.
    pub fn digest(&self) -> RowDigest {
        let inputs = self.inputs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.shape.digest(inputs, &mut Vec::new())
    }

    /// Returns the values of the columns, in the order of the table's columns, for a picture whose outputs are known.
    ///
    /// # Errors
    /// When a column's template goes beyond names and cannot be rendered with these values.
    pub fn values(&self, outputs: BTreeMap<String, Filling>) -> Result<Vec<serde_json::Value>, TemplateError> {
        self.each_value(outputs).into_iter().collect()
    }

    /// Returns the same column by column, each with what is wrong with it alone.
    pub fn each_value(&self, outputs: BTreeMap<String, Filling>) -> Vec<Result<serde_json::Value, TemplateError>> {
        let mut values = outputs;
        for (name, text) in &self.inputs {
            values.insert(name.clone(), filling(name, text));
        }
        let column = |template: &Template| match template.only_name() {
            Some(name) => match values.get(name) {
                Some(filling) => Ok(filling.json()),
                None => Err(TemplateError::Undefined(name.to_owned())),
            },
            None => template.render_with(&values).map(serde_json::Value::from),
        };
        self.shape.columns.iter().map(column).collect()
    }

    /// Takes the recipe's fields from another recipe.
    pub fn with_recipe(mut self, recipe: &Recipe) -> Self {
        for (name, value) in &mut self.inputs {
            if Recipe::COLUMN_FIELDS.contains(&name.as_str()) && name != "take" {
                *value = recipe.field(name).unwrap_or_default();
            }
        }
        self
    }
}

/// Gives an input its type back; a recipe field without a value is unset.
fn filling(name: &str, text: &str) -> Filling {
    let unset = text.is_empty() && Recipe::COLUMN_FIELDS.contains(&name);
    match column_type(Some(name)) {
        _ if unset => Filling::Unset,
        ColumnType::Bigint | ColumnType::Integer => {
            text.parse().map_or_else(|_| Filling::Text(text.to_owned()), Filling::Integer)
        }
        ColumnType::Double => text.parse().map_or_else(|_| Filling::Text(text.to_owned()), Filling::Number),
        ColumnType::Text => Filling::Text(text.to_owned()),
    }
}

/// Returns the type that a column gets whose template is exactly this name.
pub fn column_type(only_name: Option<&str>) -> ColumnType {
    match only_name.map(|name| name.rsplit('.').next().unwrap_or(name)) {
        Some("seed" | "bytes") => ColumnType::Bigint,
        Some("width" | "height" | "steps" | "take") => ColumnType::Integer,
        Some("guidance_scale") => ColumnType::Double,
        _ => ColumnType::Text,
    }
}
