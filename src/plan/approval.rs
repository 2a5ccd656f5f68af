//! Approval: of a plan made now, exactly what somebody reviewed, and nothing else.
//!
//! What was approved is held against what is there: an asset that is as it was then is carried out, one that is already as
//! it was to become is done, and any other is told. Assets that were not reviewed are left alone. Repairs and open
//! questions are outside the digest of a plan, and stay; a purchase for the sake of what was lost is left alone, too.

use std::collections::{HashMap, HashSet};

use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::digest::PlanDigest;
use crate::record::Record;

use super::{Action, AssetSnapshot, Change, Plan};

/// A plan as it was reviewed.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// Its digest.
    pub digest: PlanDigest,
    /// The environment that it was made for.
    pub environment: String,
    /// What it was going to cost.
    pub cost: MicroUsd,
    /// What its digest covers.
    pub changes: Vec<ApprovedChange>,
}

/// One change as it was reviewed.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovedChange {
    /// The collection.
    pub collection: CollectionName,
    /// The asset's key; the new one where it is renamed.
    pub key: AssetKey,
    /// What was to be done.
    pub action: Action,
    /// Where its record was, where it is renamed.
    pub moved_from: Option<(CollectionName, AssetKey)>,
    /// As it was.
    pub before: Option<AssetSnapshot>,
    /// As it was to become.
    pub after: Option<AssetSnapshot>,
    /// The fields that it was about.
    pub fields: Vec<ApprovedField>,
}

/// A field that a reviewed change was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedField {
    /// The reason's code: `recipe_changed`.
    pub code: String,
    /// The field.
    pub name: String,
    /// Its value when the plan was made.
    pub old: Option<String>,
}

/// What of an approved plan cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The collection.
    pub collection: CollectionName,
    /// The asset.
    pub key: AssetKey,
    /// Why.
    pub why: Strayed,
}

/// Why an approved change cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strayed {
    /// The manifest asks for something else than was approved, or for nothing; the digests that tell.
    Manifest(Vec<StrayedField>),
    /// Its record is neither as it was nor as it was to become; the fields that tell.
    Record(Vec<StrayedField>),
    /// The row that was to be taken over, or its picture, is not what it was.
    Adoption,
}

/// A field that is not what the plan was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrayedField {
    /// The field.
    pub name: String,
    /// What the plan was made from, or was to bring.
    pub planned: Option<String>,
    /// What is recorded, or asked for, now.
    pub now: Option<String>,
}

/// What became of an approved plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrowed {
    /// Changes that are carried out already.
    pub done: u64,
    /// Changes that the manifest asks for besides, which nobody approved.
    pub left: u64,
    /// What cannot be carried out.
    pub strays: Vec<Stray>,
}

/// The records that a plan made now does not speak of, by where they are.
pub type RecordedAssets<'r> = HashMap<(&'r CollectionName, &'r AssetKey), &'r Record>;

/// Where an approved change stands.
enum ChangeStatus {
    ToDo,
    Done,
    Strayed(Strayed),
}

impl Approved {
    /// Returns the assets that a plan made now does not speak of: their records have to be looked at.
    pub fn unplanned<'a>(&'a self, plan: &Plan) -> Vec<(&'a CollectionName, &'a AssetKey)> {
        let planned: HashSet<_> = plan.changes().map(|(collection, change)| (&collection.name, &change.key)).collect();
        let own = self.changes.iter().map(|change| (&change.collection, &change.key));
        own.filter(|asset| !planned.contains(asset)).collect()
    }
}

/// Takes everything out of a plan that was not approved, counts the deletions that were as expected, and tells what
/// became of the rest.
pub fn narrow(plan: &mut Plan, approved: &Approved, recorded: &RecordedAssets<'_>) -> Narrowed {
    let mut narrowed = Narrowed::default();
    let mut to_do: HashSet<(CollectionName, AssetKey)> = HashSet::new();
    {
        let planned: HashMap<_, _> =
            plan.changes().map(|(collection, change)| ((&collection.name, &change.key), change)).collect();
        for wanted in &approved.changes {
            let asset = (&wanted.collection, &wanted.key);
            let place = match planned.get(&asset) {
                Some(change) => planned_place(wanted, change),
                None => unplanned_place(wanted, recorded.get(&asset).copied()),
            };
            match place {
                ChangeStatus::ToDo => _ = to_do.insert((wanted.collection.clone(), wanted.key.clone())),
                ChangeStatus::Done => narrowed.done += 1,
                ChangeStatus::Strayed(why) => {
                    let (collection, key) = (wanted.collection.clone(), wanted.key.clone());
                    narrowed.strays.push(Stray { collection, key, why });
                }
            }
        }
    }
    for collection in &mut plan.collections {
        let name = collection.name.clone();
        collection.changes.retain_mut(|change| {
            if to_do.contains(&(name.clone(), change.key.clone())) {
                change.expected |= change.action == Action::Delete;
                return true;
            }
            // What was lost is put right without having been reviewed, unless that costs something.
            let stays = change.is_outside() && change.price == MicroUsd(0);
            narrowed.left += u64::from(!stays);
            stays
        });
    }
    narrowed
}

/// Where an approved change stands that is planned now, too.
fn planned_place(wanted: &ApprovedChange, change: &Change) -> ChangeStatus {
    let same_way = change.moved_from == wanted.moved_from;
    match () {
        () if wanted.action == Action::Adopt && change.action != Action::Adopt && change.before.is_none() => {
            ChangeStatus::Strayed(Strayed::Adoption)
        }
        () if same_way && change.before == wanted.before && change.after == wanted.after => ChangeStatus::ToDo,
        // What is lost or edited since is put right; it is as it was to become all the same.
        () if change.moved_from.is_none() && wanted.after.is_some() && change.before == wanted.after => {
            ChangeStatus::Done
        }
        () if same_way && change.before == wanted.before => {
            ChangeStatus::Strayed(Strayed::Manifest(digests(wanted.after, change.after)))
        }
        () => ChangeStatus::Strayed(Strayed::Record(Vec::new())),
    }
}

/// Where an approved change stands that nothing is planned for: the asset is as its manifest says, or gone.
fn unplanned_place(wanted: &ApprovedChange, record: Option<&Record>) -> ChangeStatus {
    let now = record.map(AssetSnapshot::of);
    match () {
        () if now == wanted.after => ChangeStatus::Done,
        () if now == wanted.before => ChangeStatus::Strayed(Strayed::Manifest(digests(wanted.after, now))),
        () => ChangeStatus::Strayed(Strayed::Record(Vec::new())),
    }
}

/// Tells the fields in which a record is not what a change was planned from.
pub fn strayed_fields(wanted: &ApprovedChange, record: Option<&Record>) -> Vec<StrayedField> {
    let Some(record) = record else {
        return digests(wanted.before, None);
    };
    let mut fields = Vec::new();
    for ApprovedField { code, name, old } in &wanted.fields {
        let now = match code.as_str() {
            "recipe_changed" => record.recipe.field(name),
            "var_changed" => record.vars.get(name).cloned(),
            "label_changed" => record.labels.get(name).cloned(),
            "row_changed" => record.row.as_ref().and_then(|row| row.inputs.get(name).cloned()),
            _ => continue,
        };
        if now != *old {
            fields.push(StrayedField { name: name.clone(), planned: old.clone(), now });
        }
    }
    if fields.is_empty() {
        fields.extend(digests(wanted.before, Some(AssetSnapshot::of(record))));
    }
    fields
}

/// Tells in which digests and flags two sides differ.
fn digests(planned: Option<AssetSnapshot>, now: Option<AssetSnapshot>) -> Vec<StrayedField> {
    let texts = |side: Option<AssetSnapshot>| match side {
        None => [None, None, None, None, None],
        Some(AssetSnapshot { recipe, renditions, row, protect, hold }) => [
            Some(recipe.to_string()),
            Some(renditions.to_string()),
            row.map(|row| row.to_string()),
            Some(protect.to_string()),
            Some(hold.to_string()),
        ],
    };
    let sides = texts(planned).into_iter().zip(texts(now));
    let fields = ["recipe", "renditions", "row", "protect", "hold"].into_iter().zip(sides);
    let fields = fields.map(|(name, (planned, now))| StrayedField { name: name.to_owned(), planned, now });
    fields.filter(|field| field.planned != field.now).collect()
}
