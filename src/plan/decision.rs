//! The second pass: one whole asset against its whole record and what is really there.

use std::collections::BTreeSet;

use crate::asset::{Asset, AssetKey, CollectionName, MicroUsd, ObjectPath, RenditionName, SeedBase, SeedFrom};
use crate::record::{Decision, Original, Record};

use super::recipe_differences::differences;
use super::subject::{Subject, beyond_key};
use super::{Action, AssetSnapshot, Cause, Change, Decisions, Doubt, Provenance, Reason};

/// A published file that is not as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFault {
    /// The rendition.
    pub rendition: RenditionName,
    /// Its path.
    pub path: ObjectPath,
    /// Its recorded size, in bytes.
    pub recorded: u64,
    /// What was found.
    pub found: FoundObject,
    /// What rendering it again makes of it.
    pub again: Rerender,
}

/// What was found in the place of a published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundObject {
    /// Nothing.
    Nothing,
    /// A file of another size, in bytes.
    Size(u64),
    /// Other bytes, which were read.
    OtherBytes,
}

/// What rendering a published file again makes of it, as far as the renderer decides that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerender {
    /// The file that it was.
    Same,
    /// Another file: the renderer that made it did so in another way.
    Other {
        /// The version that made it.
        renderer: u16,
    },
}

/// A column that somebody edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnEdit {
    /// The column.
    pub column: String,
    /// What pixform wrote, as text.
    pub written: String,
    /// What is there, as text.
    pub found: String,
    /// What kind of an edit it is.
    pub edited: Edited,
}

/// What kind of an edit a column got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It has another value.
    Value,
    /// It points at another file.
    Pointer,
}

/// What became of the published row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowState {
    /// Rows were not looked at, or there is none to look for.
    NotLooked,
    /// As it was written.
    Same,
    /// Gone.
    Missing,
    /// Edited; the columns that differ, as far as that can be told.
    Edited(Vec<ColumnEdit>),
}

/// Where a recipe's picture could come from.
#[derive(Debug, Clone, PartialEq)]
pub enum PictureSource {
    /// It would have to be made.
    ToMake,
    /// It would have to be made again, for the one that there was is deleted.
    Collected,
    /// It is paid for and being made.
    UnderWay,
    /// It would have to be made, and an earlier call stands in the way.
    InDoubt {
        /// What is in doubt.
        doubt: Doubt,
        /// Why, in the words of the ledger.
        why: Option<String>,
    },
    /// It is there.
    There(Original, Provenance),
    /// An asset further up in the plan gets it made.
    MadeFor(AssetKey),
}

/// What is really there, of one asset.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetObservation<'s> {
    /// Its record, wherever that is now.
    pub record: Option<&'s Record>,
    /// Where the record is, where the asset is renamed.
    pub moved_from: Option<(CollectionName, AssetKey)>,
    /// Its published files that are not as recorded.
    pub faults: Vec<ObjectFault>,
    /// Its row.
    pub row: RowState,
    /// Where the picture of the wanted recipe could come from; for a recipe that is published already, its original.
    pub picture: PictureSource,
    /// Earlier calls for the picture that are decided about.
    pub decisions: Decisions,
}

/// Gives an asset the seed that its record keeps: a derived seed belongs to the first key, and an edited take is counted
/// from the record's base.
pub fn settle_seed(asset: Asset, record: Option<&Record>) -> Asset {
    let Some(record) = record else { return asset };
    let take = asset.seed_from.take;
    match &asset.seed_from.base {
        SeedBase::Number(_) => return asset,
        SeedBase::Axes(_) => {
            // An adopted picture keeps the seed that it was made with.
            let kept = record.recipe.seed.filter(|_| record.base == asset.seed_from.base && record.take == take);
            return super::with_taken_seed(asset, kept);
        }
        SeedBase::Key(_) => {}
    }
    let base = match &record.base {
        SeedBase::Key(key) => SeedBase::Key(key.clone()),
        SeedBase::Number(_) | SeedBase::Axes(_) => SeedBase::Key(record.first_key.to_string()),
    };
    let seed = match (&record.base, record.recipe.seed) {
        (SeedBase::Key(_), Some(seed)) if record.take == take => seed,
        _ => base.seed(take),
    };
    asset.with_seed(seed, SeedFrom { base, take })
}

/// Decides what is done about one asset. Kept assets have the action [`Action::Keep`]; their reasons are notes.
pub fn decide(subject: Subject<'_>, seen: AssetObservation<'_>) -> Change {
    let Subject { asset, index, key_axes, price } = subject;
    let AssetObservation { record, moved_from, faults, row, picture, decisions } = seen;
    let held = record.filter(|_| asset.hold);
    let before = record.map(AssetSnapshot::of);
    let after = wanted(asset, record, held);
    let mut reasons = Vec::new();
    let differs = differences(asset, record, &mut reasons);
    if held.is_some() && differs.picture() {
        reasons.insert(0, Reason { cause: Cause::Held, place: asset.place("").cloned() });
    }
    observed(&faults, &row, &mut reasons);
    remembered(asset, record, after, key_axes, &mut reasons);
    if let Some((collection, key)) = &moved_from {
        let cause = Cause::Moved { collection: collection.clone(), key: key.clone() };
        reasons.push(Reason { cause, place: None });
    }
    let new_picture = record.is_none() || (differs.recipe && held.is_none());
    let renders = differs.renditions && held.is_none();
    let faulty = !faults.is_empty();
    let becomes_another = faults.iter().any(|fault| fault.again != Rerender::Same);
    // Where nothing but paths differs, the published files themselves are what is put at the new ones.
    let needs_original = new_picture || (renders && !differs.only_paths) || faulty;
    let needs_making = matches!(
        picture,
        PictureSource::ToMake | PictureSource::Collected | PictureSource::UnderWay | PictureSource::InDoubt { .. }
    );
    if needs_making && needs_original && !new_picture {
        reasons.push(Reason { cause: Cause::OriginalMissing, place: None });
    }
    let under_way = picture == PictureSource::UnderWay;
    let (action, original) = match picture {
        PictureSource::ToMake if needs_original => (Action::Generate, None),
        PictureSource::Collected if needs_original => {
            reasons.push(Reason { cause: Cause::CollectedByGc, place: None });
            (Action::Generate, None)
        }
        PictureSource::UnderWay if needs_original => {
            reasons.push(Reason { cause: Cause::UnderWay, place: None });
            (Action::Generate, None)
        }
        PictureSource::InDoubt { doubt, why } if needs_original => {
            reasons.push(Reason { cause: Cause::InDoubt { doubt, why }, place: None });
            (Action::Unknown, None)
        }
        PictureSource::MadeFor(key) if needs_original => {
            reasons.push(Reason { cause: Cause::SameRecipe(key), place: None });
            (Action::Reuse, None)
        }
        PictureSource::There(original, provenance) if new_picture => {
            let cause = match provenance {
                Provenance::Kept => Cause::OriginalKept,
                Provenance::FoundInStorage => Cause::FoundInStorage,
                Provenance::Accepted => Cause::RejectedAccepted,
            };
            reasons.push(Reason { cause, place: None });
            (Action::Reuse, Some(original))
        }
        picture => {
            let row_bad = matches!(row, RowState::Missing | RowState::Edited(_));
            let row_changed = before.map(|before| before.row) != Some(after.row);
            // What the manifest asks for comes first: what was lost or edited is put right along with it.
            let action = match () {
                () if renders && !(moved_from.is_some() && differs.only_paths) => Action::Render,
                () if moved_from.is_some() => Action::Move,
                () if row_changed => Action::Publish,
                () if before != Some(after) || labels_changed(asset, record, key_axes) => Action::Record,
                () if becomes_another => Action::Render,
                () if faulty || row_bad => Action::Repair,
                () => Action::Keep,
            };
            let is_own = |original: &Original| record.is_some_and(|record| record.original == original.sha256);
            let original = match picture {
                // The files of another original of the same recipe are no files of this picture.
                PictureSource::There(original, _) => {
                    Some(original).filter(|original| needs_original || is_own(original))
                }
                PictureSource::ToMake
                | PictureSource::Collected
                | PictureSource::UnderWay
                | PictureSource::InDoubt { .. }
                | PictureSource::MadeFor(_) => None,
            };
            (action, original)
        }
    };
    let buys = matches!(action, Action::Unknown | Action::Generate | Action::Reuse);
    let decisions = if buys { decisions } else { Vec::new() };
    let mut told: Vec<_> = decisions.iter().map(|(_, decision)| *decision).collect();
    told.dedup();
    reasons.extend(
        told.into_iter()
            .filter(|decision| *decision != Decision::Accepted)
            .map(|decision| Reason { cause: Cause::Decided(decision), place: None }),
    );
    Change {
        key: asset.key.clone(),
        extra_labels: beyond_key(&asset.labels, key_axes),
        action,
        reasons,
        price: if action == Action::Generate && !under_way { price } else { MicroUsd(0) },
        generator: (action == Action::Generate).then(|| asset.generator.clone()),
        decisions,
        before,
        after: Some(after),
        moved_from,
        index: Some(index),
        original,
        expected: false,
        downgrade: is_downgrade(action, asset, record),
        unprotected: asset.protect == Some(false),
        adoption: None,
        accepted: None,
    }
}

/// Decides about a record that no asset declares.
pub fn delete(record: &Record, key_axes: &[String], expected: bool) -> Change {
    let cause = if expected { Cause::Removed } else { Cause::NotDeclared };
    Change {
        key: record.key.clone(),
        extra_labels: beyond_key(&record.labels, key_axes),
        action: Action::Delete,
        reasons: vec![Reason { cause, place: None }],
        price: MicroUsd(0),
        before: Some(AssetSnapshot::of(record)),
        after: None,
        moved_from: None,
        index: None,
        original: None,
        expected,
        downgrade: false,
        unprotected: false,
        generator: None,
        decisions: Vec::new(),
        adoption: None,
        accepted: None,
    }
}

/// A placeholder never takes the place of a real picture by itself.
fn is_downgrade(action: Action, asset: &Asset, record: Option<&Record>) -> bool {
    let real = record.is_some_and(|record| record.recipe.generator != "placeholder");
    real && asset.recipe.generator == "placeholder" && matches!(action, Action::Generate | Action::Reuse)
}

/// What the asset will be once its change is carried out.
fn wanted(asset: &Asset, record: Option<&Record>, held: Option<&Record>) -> AssetSnapshot {
    let row = match (held, &asset.row) {
        (Some(held), Some(row)) => Some(row.clone().with_recipe(&held.recipe).digest()),
        (None, Some(row)) => Some(row.digest()),
        (_, None) => None,
    };
    AssetSnapshot {
        recipe: held.map_or_else(|| asset.recipe.digest(), |held| held.recipe.digest()),
        renditions: held.map_or_else(|| asset.renditions_digest(), Record::renditions_digest),
        row,
        protect: asset.protect.or(record.map(|record| record.protect)).unwrap_or(false),
        hold: asset.hold,
    }
}

fn observed(faults: &[ObjectFault], row: &RowState, reasons: &mut Vec<Reason>) {
    for ObjectFault { rendition, path, recorded, found, again } in faults {
        if let Rerender::Other { renderer } = *again {
            let cause = Cause::RendererChanged { rendition: rendition.clone(), renderer };
            reasons.push(Reason { cause, place: None });
        }
        let (rendition, path, recorded) = (rendition.clone(), path.clone(), *recorded);
        let cause = match *found {
            FoundObject::Nothing => Cause::ObjectMissing { rendition, path },
            FoundObject::Size(found) => Cause::ObjectSize { rendition, path, recorded, found },
            FoundObject::OtherBytes => Cause::ObjectDamaged { rendition, path },
        };
        reasons.push(Reason { cause, place: None });
    }
    match row {
        RowState::NotLooked | RowState::Same => {}
        RowState::Missing => reasons.push(Reason { cause: Cause::RowMissing, place: None }),
        RowState::Edited(edits) => reasons.extend(edits.iter().map(|ColumnEdit { column, written, found, edited }| {
            let (column, written, found) = (column.clone(), written.clone(), found.clone());
            let cause = match edited {
                Edited::Value => Cause::RowEdited { column, written, found },
                Edited::Pointer => Cause::RowElsewhere { column, written: Some(written), found },
            };
            Reason { cause, place: None }
        })),
    }
}

fn remembered(
    asset: &Asset,
    record: Option<&Record>,
    after: AssetSnapshot,
    key_axes: &[String],
    reasons: &mut Vec<Reason>,
) {
    let Some(record) = record else { return };
    let place = asset.place("").cloned();
    for (old, new, cause) in [
        (record.protect, after.protect, Cause::ProtectChanged { old: record.protect, new: after.protect }),
        (record.hold, after.hold, Cause::HoldChanged { old: record.hold, new: after.hold }),
    ] {
        if old != new {
            reasons.push(Reason { cause, place: place.clone() });
        }
    }
    let names: BTreeSet<&String> = asset.labels.keys().chain(record.labels.keys()).collect();
    for name in names.into_iter().filter(|name| !key_axes.contains(name)) {
        let (old, new) = (record.labels.get(name).cloned(), asset.labels.get(name).cloned());
        if old != new {
            reasons.push(Reason { cause: Cause::LabelChanged { name: name.clone(), old, new }, place: place.clone() });
        }
    }
}

fn labels_changed(asset: &Asset, record: Option<&Record>, key_axes: &[String]) -> bool {
    record.is_some_and(|record| {
        crate::record::extra_labels(&asset.labels, key_axes) != crate::record::extra_labels(&record.labels, key_axes)
    })
}
