//! Adopting: whether a row and a picture that were there before are what an asset declares.
//!
//! Nothing is made and nothing is written: a row that fits is taken over as it is. Whatever it says decides, as far as it
//! says anything; what it does not say is assumed, and told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::asset::{
    Asset, FieldName, Fit, MicroUsd, ObjectPath, Recipe, RenditionName, Resize, Seed, SeedBase, normalise,
    renditions_digest,
};
use crate::digest::SeenDigest;

use super::pointer::{PointerTarget, pointers};
use super::subject::beyond_key;
use super::{Action, AssetSnapshot, Cause, Change, Reason, Subject};

/// A row that no record owns.
#[derive(Debug, Clone, Copy)]
pub struct FoundRow<'r> {
    /// The row's own id.
    pub id: Option<&'r str>,
    /// The digest of its declared columns.
    pub seen: SeenDigest,
    /// Their values, in the order of the table's columns.
    pub values: &'r [Value],
}

/// What is taken over with a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoption {
    /// The row's seed, where it takes the place of the derived one.
    pub seed: Option<Seed>,
    /// The row's own id.
    pub id: Option<String>,
    /// The digest of its declared columns.
    pub seen: SeenDigest,
    /// Their values, in the order of the table's columns.
    pub values: Vec<Value>,
    /// The files that it names, in the manifest's order of renditions; `main` is among them.
    pub objects: Vec<AdoptedObject>,
}

/// A published file that was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedObject {
    /// The rendition that it stands for.
    pub rendition: RenditionName,
    /// Where it lies.
    pub path: ObjectPath,
}

/// Whether a row can be taken over.
#[derive(Debug, Clone, PartialEq)]
pub enum Adoptability {
    /// Row and picture are what is declared.
    Fits(Adoption, Vec<Reason>),
    /// The picture is there, and the row says that it was made otherwise.
    Differs(Adoption, Vec<Reason>),
    /// There is no picture to take over.
    Unusable(Vec<Reason>),
}

/// Returns the files that a row names.
pub fn named_files(asset: &Asset, values: &[Value], url_base: &str) -> Vec<ObjectPath> {
    let Some(row) = &asset.row else { return Vec::new() };
    let targets = pointers(&row.shape).into_iter().filter_map(|pointer| {
        match pointer.target(values.get(pointer.column)?, url_base) {
            PointerTarget::File(path) => Some(path),
            PointerTarget::Nothing | PointerTarget::Elsewhere(_) => None,
        }
    });
    targets.collect()
}

/// Compares a row that no record owns with its asset; `size` knows the files that the row names.
pub fn judge(
    asset: &Asset,
    row: FoundRow<'_>,
    url_base: &str,
    size: impl Fn(&ObjectPath) -> Option<u64>,
) -> Adoptability {
    let (objects, mut reasons) = objects(asset, row.values, url_base, size);
    if !objects.iter().any(|object| object.rendition.as_str() == "main") {
        return Adoptability::Unusable(reasons);
    }
    let mut comparison = RowComparison::new(asset, row.values);
    comparison.columns();
    let RowComparison { seed, differing, kept, asset, known, .. } = comparison;
    let adoption =
        Adoption { seed, id: row.id.map(str::to_owned), seen: row.seen, values: row.values.to_vec(), objects };
    if !differing.is_empty() {
        return Adoptability::Differs(adoption, differing);
    }
    reasons.extend(kept);
    if let Some(taken) = seed {
        let derived = asset.seed_from.base.seed(asset.seed_from.take);
        if derived != taken {
            reasons.push(Reason { cause: Cause::SeedTaken { derived, taken }, place: None });
        }
    }
    let assumed: Vec<FieldName> =
        asset.recipe.names().into_iter().filter(|field| !known.contains(field.as_str())).collect();
    if !assumed.is_empty() {
        reasons.push(Reason { cause: Cause::FieldsAssumed(assumed), place: None });
    }
    Adoptability::Fits(adoption, reasons)
}

/// Returns the change that takes a row over.
pub fn adopt(subject: Subject<'_>, adoption: Adoption, mut reasons: Vec<Reason>) -> Change {
    let Subject { asset, index, key_axes, price: _ } = subject;
    let settled = with_taken_seed(asset.clone(), adoption.seed);
    reasons.insert(0, Reason { cause: Cause::New, place: asset.place("").cloned() });
    let named = |name: &RenditionName| adoption.objects.iter().any(|object| object.rendition == *name);
    let published = settled.renditions.iter().filter(|rendition| named(&rendition.name));
    let after = AssetSnapshot {
        recipe: settled.recipe.digest(),
        renditions: renditions_digest(published.map(|rendition| (&rendition.name, &rendition.digest))),
        row: settled.row.as_ref().map(|row| row.digest()),
        protect: asset.protect.unwrap_or(false),
        hold: asset.hold,
    };
    Change {
        key: asset.key.clone(),
        extra_labels: beyond_key(&asset.labels, key_axes),
        action: Action::Adopt,
        reasons,
        price: MicroUsd(0),
        before: None,
        after: Some(after),
        moved_from: None,
        index: Some(index),
        original: None,
        expected: false,
        downgrade: false,
        unprotected: asset.protect == Some(false),
        generator: None,
        decisions: Vec::new(),
        adoption: Some(Box::new(adoption)),
        accepted: None,
    }
}

/// Gives an asset the seed of the row that it takes over.
pub fn with_taken_seed(asset: Asset, seed: Option<Seed>) -> Asset {
    let Some(seed) = seed else { return asset };
    let seed_from = asset.seed_from.clone();
    asset.with_seed(seed, seed_from)
}

/// Finds the files that a row names, and tells of those that cannot be used.
fn objects(
    asset: &Asset,
    values: &[Value],
    url_base: &str,
    size: impl Fn(&ObjectPath) -> Option<u64>,
) -> (Vec<AdoptedObject>, Vec<Reason>) {
    let (mut objects, mut reasons) = (Vec::new(), Vec::new());
    let Some(row) = &asset.row else { return (objects, reasons) };
    let pointers = pointers(&row.shape);
    for rendition in &asset.renditions {
        let name = rendition.name.as_str();
        let told = |cause| Reason { cause, place: None };
        let mut why = None;
        for pointer in pointers.iter().filter(|pointer| pointer.rendition == name) {
            let column = &row.shape.table.columns[pointer.column].0;
            match pointer.target(&values[pointer.column], url_base) {
                PointerTarget::Nothing => {}
                PointerTarget::File(path) => match size(&path) {
                    Some(bytes) if bytes > 0 => {
                        let rendition = rendition.name.clone();
                        objects.push(AdoptedObject { rendition, path });
                        why = None;
                        break;
                    }
                    Some(_) | None => {
                        why = Some(Cause::ObjectMissing { rendition: rendition.name.clone(), path });
                    }
                },
                PointerTarget::Elsewhere(found) => {
                    why = Some(Cause::RowElsewhere { column: column.clone(), written: None, found });
                }
            }
        }
        let found = objects.last().is_some_and(|object| object.rendition == rendition.name);
        match (found, name, why) {
            (true, _, _) => {}
            (false, "main", why) => reasons.push(told(why.unwrap_or(Cause::RowNamesNoPicture))),
            (false, _, why) => {
                reasons.extend(why.map(told));
                let place = asset.place(name).cloned();
                reasons.push(Reason { cause: Cause::RenditionAdded(rendition.name.clone()), place });
            }
        }
    }
    (objects, reasons)
}

/// Compares the columns of one row.
struct RowComparison<'c> {
    /// The asset, with the row's seed once that is known.
    asset: Asset,
    values: &'c [Value],
    seed: Option<Seed>,
    /// Fields of the recipe that the row says.
    known: BTreeSet<&'static str>,
    differing: Vec<Reason>,
    kept: Vec<Reason>,
}

impl<'c> RowComparison<'c> {
    fn new(asset: &Asset, values: &'c [Value]) -> Self {
        let known = BTreeSet::new();
        Self { asset: asset.clone(), values, seed: None, known, differing: Vec::new(), kept: Vec::new() }
    }

    fn columns(&mut self) {
        let Some(row) = self.asset.row.clone() else { return };
        // The seed comes first: other columns may use it.
        for (template, value) in row.shape.columns.iter().zip(self.values) {
            if template.only_name() == Some("seed") {
                self.take_seed(value);
            }
        }
        let seeded = self.asset.row.clone().unwrap_or(row);
        let row = &seeded;
        let mut declared = None;
        let names = row.shape.table.columns.iter().map(|(name, _)| name.as_str());
        for (at, ((column, template), value)) in names.zip(&row.shape.columns).zip(self.values).enumerate() {
            let mut others = |names: &[&str]| {
                // What is no input is known of the published picture only.
                if names.iter().all(|name| row.inputs.contains_key(*name)) {
                    let declared = declared.get_or_insert_with(|| row.each_value(BTreeMap::new()));
                    let declared = declared.get(at).and_then(|declared| declared.as_ref().ok()).and_then(text);
                    self.others(column, names, value, declared);
                }
            };
            match template.only_name() {
                Some("seed") => {}
                Some("width" | "main.width") => self.side("width", value),
                Some("height" | "main.height") => self.side("height", value),
                Some(name) => match Recipe::COLUMN_FIELDS.into_iter().find(|field| *field == name) {
                    Some(field) => self.field(field, value),
                    None => others(&[name]),
                },
                None => {
                    let names: Vec<&str> = template.names().iter().map(|name| &**name).collect();
                    others(&names);
                }
            }
        }
    }

    fn take_seed(&mut self, value: &Value) {
        let Some(declared) = self.asset.recipe.seed else { return };
        // A seed that is no number, or a negative one, says nothing about the picture.
        let Some(found) = text(value).and_then(|text| Seed::written(&text)) else { return };
        self.known.insert("seed");
        match self.asset.seed_from.base {
            SeedBase::Number(_) if found != declared => {
                self.differ("seed", Some(found.to_string()), Some(declared.to_string()));
            }
            SeedBase::Number(_) => {}
            SeedBase::Key(_) | SeedBase::Axes(_) => {
                self.seed = Some(found);
                self.asset = with_taken_seed(self.asset.clone(), self.seed);
            }
        }
    }

    /// Compares a side of the published picture with the one that the recipe's picture would get.
    fn side(&mut self, side: &'static str, value: &Value) {
        let Some(found) = text(value) else { return };
        let (width, height) = self.asset.recipe.picture_size();
        let main = self.asset.renditions.iter().find(|rendition| rendition.name.as_str() == "main");
        let (width, height) = match main.map(|main| main.encoding.resize) {
            None | Some(Resize::Keep) => (Some(width), Some(height)),
            Some(Resize::Width(width)) => (Some(width), None),
            Some(Resize::Height(height)) => (None, Some(height)),
            Some(Resize::Box { width, height, fit: Fit::Cover }) => (Some(width), Some(height)),
            Some(Resize::Box { fit: Fit::Contain, .. }) => (None, None),
        };
        let wanted = if side == "width" { width } else { height };
        let Some(wanted) = wanted.map(|wanted| wanted.to_string()) else { return };
        self.known.insert(side);
        if !same_number(&found, &wanted) {
            self.differ(side, Some(found), Some(wanted));
        }
    }

    fn field(&mut self, field: &'static str, value: &Value) {
        let Some(found) = text(value) else { return };
        let declared = match field {
            "take" => Some(self.asset.seed_from.take.to_string()),
            _ => self.asset.recipe.field(field),
        };
        let same = match field {
            // An empty prompt is none: no picture is made of it.
            "prompt" if found.trim().is_empty() => return,
            "prompt" | "negative_prompt" => normalise(found.clone()) == declared.clone().unwrap_or_default(),
            "steps" | "guidance_scale" | "take" => {
                declared.as_ref().is_some_and(|declared| same_number(&found, declared))
            }
            // An empty name names nothing.
            _ if found.trim().is_empty() => return,
            _ => found == declared.clone().unwrap_or_default(),
        };
        self.known.insert(field);
        if !same {
            self.differ(field, Some(found), declared);
        }
    }

    /// Compares a column that is no single field: it decides only where the recipe is in it.
    fn others(&mut self, column: &str, names: &[&str], value: &Value, declared: Option<String>) {
        let found = text(value);
        let fields: Vec<&'static str> =
            Recipe::COLUMN_FIELDS.into_iter().filter(|field| names.contains(field)).collect();
        let same = found.clone().map(normalise) == declared.clone().map(normalise);
        match (same, fields.is_empty()) {
            (true, _) => self.known.extend(fields),
            (false, true) => {
                let cause = Cause::ColumnKept { column: column.to_owned(), found, declared };
                self.kept.push(Reason { cause, place: None });
            }
            // What is not there says nothing.
            (false, false) if found.is_none() => {}
            (false, false) => {
                let cause = Cause::RowDiffers { field: column.to_owned(), found, declared };
                let place = self.asset.place(&format!("columns.{column}")).cloned();
                self.differing.push(Reason { cause, place });
            }
        }
    }

    fn differ(&mut self, field: &'static str, found: Option<String>, declared: Option<String>) {
        let place = self.asset.field_place(field).cloned();
        self.differing.push(Reason { cause: Cause::RowDiffers { field: field.to_owned(), found, declared }, place });
    }
}

/// Returns a cell as text; `None` for null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Compares numbers however they are written: `7.50` is 7.5.
fn same_number(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    match (one.parse::<i128>(), other.parse::<i128>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => match (one.parse::<f64>(), other.parse::<f64>()) {
            (Ok(one), Ok(other)) => one.is_finite() && one == other,
            _ => false,
        },
    }
}
