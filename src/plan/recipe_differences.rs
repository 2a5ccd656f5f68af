//! What differs between an asset and its record, field by field: the reasons that a plan tells.

use std::collections::{BTreeMap, BTreeSet};

use crate::asset::{Asset, PathPattern, Recipe, Rendition, Resize, Row};
use crate::record::{Published, Record};

use super::{Cause, Reason, is_kept};

/// What differs between what is declared and what is recorded.
pub struct Differences {
    /// The recipe differs.
    pub recipe: bool,
    /// The renditions differ.
    pub renditions: bool,
    /// The renditions differ in where they lie, and in nothing else.
    pub only_paths: bool,
}

impl Differences {
    /// Tells whether the published picture would be another one.
    pub fn picture(&self) -> bool {
        self.recipe || self.renditions
    }
}

/// Compares an asset with its record, and tells a reason for each difference.
pub fn differences(asset: &Asset, record: Option<&Record>, reasons: &mut Vec<Reason>) -> Differences {
    let Some(record) = record else {
        reasons.push(Reason { cause: Cause::New, place: asset.place("").cloned() });
        return Differences { recipe: true, renditions: true, only_paths: false };
    };
    let recipe = asset.recipe.digest() != record.recipe.digest();
    if recipe {
        recipe_reasons(asset, record, reasons);
    }
    let renditions = asset.renditions_digest() != record.renditions_digest();
    let only_paths = renditions && rendition_reasons(asset, &record.published, reasons);
    row_reasons(asset, record, reasons);
    Differences { recipe, renditions, only_paths }
}

fn recipe_reasons(asset: &Asset, record: &Record, reasons: &mut Vec<Reason>) {
    let names: BTreeSet<&String> = asset.vars.keys().chain(record.vars.keys()).collect();
    for name in names {
        let (old, new) = (record.vars.get(name).cloned(), asset.vars.get(name).cloned());
        if old != new {
            let cause = Cause::VarChanged { name: name.clone(), old, new };
            reasons.push(Reason { cause, place: asset.place(name).cloned() });
        }
    }
    for field in Recipe::names_of(&[&record.recipe, &asset.recipe]) {
        let (old, new) = (record.recipe.field(field.as_str()), asset.recipe.field(field.as_str()));
        if old != new {
            let place = asset.field_place(field.as_str()).cloned();
            reasons.push(Reason { cause: Cause::RecipeChanged { field, old, new }, place });
        }
    }
}

/// Tells whether only paths differ.
fn rendition_reasons(asset: &Asset, published: &[Published], reasons: &mut Vec<Reason>) -> bool {
    let mut only_paths = true;
    for wanted in &asset.renditions {
        let place = |field: &str| asset.place(&format!("{}.{field}", wanted.name)).cloned();
        let Some(was) = published.iter().find(|file| file.rendition.name == wanted.name) else {
            only_paths = false;
            let place = asset.place(wanted.name.as_str()).cloned();
            reasons.push(Reason { cause: Cause::RenditionAdded(wanted.name.clone()), place });
            continue;
        };
        for (field, old, new) in rendition_fields(&was.rendition, wanted) {
            only_paths &= field == "path";
            let cause = Cause::RenditionChanged { rendition: wanted.name.clone(), field, old, new };
            reasons.push(Reason { cause, place: place(field) });
        }
    }
    for was in published {
        if !asset.renditions.iter().any(|wanted| wanted.name == was.rendition.name) {
            only_paths = false;
            reasons.push(Reason { cause: Cause::RenditionRemoved(was.rendition.name.clone()), place: None });
        }
    }
    only_paths
}

type FieldDifference = (&'static str, Option<String>, Option<String>);

fn rendition_fields(was: &Rendition, wanted: &Rendition) -> Vec<FieldDifference> {
    let resize = |resize: Resize| match resize {
        Resize::Keep => None,
        Resize::Width(width) => Some(format!("{width} wide")),
        Resize::Height(height) => Some(format!("{height} high")),
        Resize::Box { width, height, fit } => Some(format!("{width} x {height}, {}", fit.name())),
    };
    let path = |path: &PathPattern| Some(path.for_people());
    let (old, new) = (&was.encoding, &wanted.encoding);
    let size_field = match new.resize {
        Resize::Height(_) => "height",
        _ => "width",
    };
    let quality = |quality: Option<u8>| quality.map(|quality| quality.to_string());
    let mut fields = vec![
        ("format", Some(old.format.name().to_owned()), Some(new.format.name().to_owned())),
        ("quality", quality(old.quality), quality(new.quality)),
        (size_field, resize(old.resize), resize(new.resize)),
        ("path", path(&was.path), path(&wanted.path)),
    ];
    fields.retain(|(_, old, new)| old != new);
    if fields.is_empty() && was.digest != wanted.digest {
        // The template was written another way and means the same path.
        fields.push(("path", path(&was.path), path(&wanted.path)));
    }
    fields
}

fn row_reasons(asset: &Asset, record: &Record, reasons: &mut Vec<Reason>) {
    let declared = asset.row.as_ref().map(row_inputs).unwrap_or_default();
    let recorded = record.row.as_ref().map(|row| row.inputs.clone()).unwrap_or_default();
    let names: BTreeSet<&String> = declared.keys().chain(recorded.keys()).collect();
    for name in names {
        let (old, new) = (recorded.get(name).cloned(), declared.get(name).cloned());
        if old != new && !Recipe::COLUMN_FIELDS.contains(&name.as_str()) && !is_kept(name) {
            reasons.push(Reason {
                cause: Cause::RowChanged { field: name.clone(), old, new },
                place: asset.place(name).cloned(),
            });
        }
    }
}

/// Returns what a row's digest covers, by name: columns, table, inputs; as a record keeps it.
pub fn row_inputs(row: &Row) -> BTreeMap<String, String> {
    let table = &row.shape.table;
    let mut inputs = row.inputs.clone();
    inputs.insert("table".to_owned(), table.name.to_string());
    for ((name, _), template) in table.columns.iter().zip(&row.shape.columns) {
        inputs.insert(format!("columns.{name}"), template.source().to_owned());
    }
    inputs
}
