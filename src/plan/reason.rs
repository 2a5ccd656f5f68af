//! Reasons: what is true of an asset that changes, typed, with old and new.

use crate::asset::{AssetKey, CollectionName, FieldName, ObjectPath, Place, RenditionName, Seed};
use crate::record::Decision;

use super::Doubt;

/// One reason, with the place in the manifest where it was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// What is true.
    pub cause: Cause,
    /// Where in the manifest; `None` where no manifest decides it.
    pub place: Option<Place>,
}

/// What can be true of an asset that changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// There is no record of it.
    New,
    /// A field of the recipe differs.
    RecipeChanged {
        /// The field.
        field: FieldName,
        /// Its value in the record.
        old: Option<String>,
        /// Its value in the manifest.
        new: Option<String>,
    },
    /// A var that the prompts use differs.
    VarChanged {
        /// The var.
        name: String,
        /// Its text in the record.
        old: Option<String>,
        /// Its text in the manifest.
        new: Option<String>,
    },
    /// A rendition is declared and was not published.
    RenditionAdded(RenditionName),
    /// A rendition was published and is no longer declared.
    RenditionRemoved(RenditionName),
    /// A field of a rendition differs.
    RenditionChanged {
        /// The rendition.
        rendition: RenditionName,
        /// The field.
        field: &'static str,
        /// Its value in the record.
        old: Option<String>,
        /// Its value in the manifest.
        new: Option<String>,
    },
    /// An input of the row differs: a column's template, or a value that it uses.
    RowChanged {
        /// The input: `columns.seed`, or a name.
        field: String,
        /// Its value in the record.
        old: Option<String>,
        /// Its value in the manifest.
        new: Option<String>,
    },
    /// A published file is gone.
    ObjectMissing {
        /// The rendition.
        rendition: RenditionName,
        /// Its path.
        path: ObjectPath,
    },
    /// A published file has another size.
    ObjectSize {
        /// The rendition.
        rendition: RenditionName,
        /// Its path.
        path: ObjectPath,
        /// The size in the record, in bytes.
        recorded: u64,
        /// The size in the storage, in bytes.
        found: u64,
    },
    /// A published file holds other bytes than were published.
    ObjectDamaged {
        /// The rendition.
        rendition: RenditionName,
        /// Its path.
        path: ObjectPath,
    },
    /// A published file has to be made again, and an earlier renderer made it in another way.
    RendererChanged {
        /// The rendition.
        rendition: RenditionName,
        /// The version that made it.
        renderer: u16,
    },
    /// The published row is gone.
    RowMissing,
    /// A column of the published row was edited by somebody else.
    RowEdited {
        /// The column.
        column: String,
        /// The value that pixform wrote.
        written: String,
        /// The value that is there.
        found: String,
    },
    /// A column of the row points at another file, or at none of the storage.
    RowElsewhere {
        /// The column.
        column: String,
        /// What pixform wrote; `None` where it wrote nothing.
        written: Option<String>,
        /// What is there.
        found: String,
    },
    /// A row that was there before says otherwise than the recipe.
    RowDiffers {
        /// The field of the recipe, or the column where several are in it.
        field: String,
        /// What the row says.
        found: Option<String>,
        /// What the manifest says.
        declared: Option<String>,
    },
    /// A row that was there before names no picture.
    RowNamesNoPicture,
    /// The row's seed takes the place of the derived one.
    SeedTaken {
        /// The derived seed.
        derived: Seed,
        /// The row's.
        taken: Seed,
    },
    /// Fields of the recipe that the row does not tell: taken to be what the manifest says.
    FieldsAssumed(Vec<FieldName>),
    /// A column of an adopted row is not what the manifest would write, and stays.
    ColumnKept {
        /// The column.
        column: String,
        /// What the row says.
        found: Option<String>,
        /// What the manifest says.
        declared: Option<String>,
    },
    /// The original is gone or damaged, too.
    OriginalMissing,
    /// The recipe's original was there once, and `gc` deleted it.
    CollectedByGc,
    /// The recipe's original was paid for already.
    OriginalKept,
    /// The recipe's original lies in the storage.
    FoundInStorage,
    /// Another asset of this plan gets the same picture.
    SameRecipe(AssetKey),
    /// The asset has a new key.
    Moved {
        /// The collection it was in.
        collection: CollectionName,
        /// Its key there.
        key: AssetKey,
    },
    /// It is no longer declared.
    NotDeclared,
    /// It is no longer declared, and `removed` says so.
    Removed,
    /// Protection is set or lifted.
    ProtectChanged {
        /// As it is.
        old: bool,
        /// As it will be.
        new: bool,
    },
    /// Holding is set or lifted.
    HoldChanged {
        /// As it is.
        old: bool,
        /// As it will be.
        new: bool,
    },
    /// A label beyond the key differs.
    LabelChanged {
        /// The label.
        name: String,
        /// Its value in the record.
        old: Option<String>,
        /// Its value in the manifest.
        new: Option<String>,
    },
    /// It is held: the difference is only noted.
    Held,
    /// An earlier call for the picture is in doubt.
    InDoubt {
        /// What is in doubt.
        doubt: Doubt,
        /// Why, in the words of the ledger.
        why: Option<String>,
    },
    /// An earlier call in doubt was decided about: it is sent again, or written off.
    Decided(Decision),
    /// The picture is paid for and being made.
    UnderWay,
    /// A picture that is not the one asked for is taken all the same.
    RejectedAccepted,
}

/// A reason in the parts that a plan document has.
pub struct ReasonParts<'r> {
    /// The reason's code.
    pub code: &'static str,
    /// What it is about.
    pub field: Option<String>,
    /// The old value.
    pub old: Option<String>,
    /// The new value.
    pub new: Option<String>,
    /// Where it was decided.
    pub place: Option<&'r Place>,
}

impl Cause {
    /// Returns the reason's code in plan documents.
    pub fn code(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::RecipeChanged { .. } => "recipe_changed",
            Self::VarChanged { .. } => "var_changed",
            Self::RenditionAdded(_) => "rendition_added",
            Self::RenditionRemoved(_) => "rendition_removed",
            Self::RenditionChanged { .. } => "rendition_changed",
            Self::RowChanged { .. } => "row_changed",
            Self::ObjectMissing { .. } => "object_missing",
            Self::ObjectSize { .. } => "object_size",
            Self::ObjectDamaged { .. } => "object_damaged",
            Self::RendererChanged { .. } => "renderer_changed",
            Self::RowMissing => "row_missing",
            Self::RowEdited { .. } => "row_edited",
            Self::RowElsewhere { .. } => "row_elsewhere",
            Self::RowDiffers { .. } => "row_differs",
            Self::RowNamesNoPicture => "row_names_no_picture",
            Self::SeedTaken { .. } => "seed_taken",
            Self::FieldsAssumed(_) => "fields_assumed",
            Self::ColumnKept { .. } => "column_kept",
            Self::OriginalMissing => "original_missing",
            Self::CollectedByGc => "collected_by_gc",
            Self::OriginalKept => "original_kept",
            Self::FoundInStorage => "found_in_storage",
            Self::SameRecipe(_) => "same_recipe",
            Self::Moved { .. } => "moved",
            Self::NotDeclared => "not_declared",
            Self::Removed => "removed",
            Self::ProtectChanged { .. } => "protect_changed",
            Self::HoldChanged { .. } => "hold_changed",
            Self::LabelChanged { .. } => "label_changed",
            Self::Held => "held",
            Self::InDoubt { doubt, .. } => match doubt {
                Doubt::Unknown => "outcome_unknown",
                Doubt::Rejected => "picture_rejected",
                Doubt::Withheld => "picture_withheld",
                Doubt::Lost => "picture_lost",
                Doubt::Failed => "failed_repeatedly",
                Doubt::Judged => "picture_judged",
            },
            Self::Decided(decision) => match decision {
                Decision::Retried => "sent_again",
                Decision::Forgotten => "written_off",
                Decision::Accepted => "accepted",
            },
            Self::UnderWay => "under_way",
            Self::RejectedAccepted => "rejected_accepted",
        }
    }
}

impl Reason {
    /// Takes the reason apart for a plan document.
    pub fn parts(&self) -> ReasonParts<'_> {
        let (field, old, new) = match &self.cause {
            Cause::New
            | Cause::RowMissing
            | Cause::RowNamesNoPicture
            | Cause::OriginalMissing
            | Cause::CollectedByGc
            | Cause::OriginalKept
            | Cause::FoundInStorage
            | Cause::NotDeclared
            | Cause::Removed
            | Cause::Held
            | Cause::UnderWay
            | Cause::RejectedAccepted
            | Cause::Decided(_) => (None, None, None),
            Cause::InDoubt { doubt: _, why } => (None, why.clone(), None),
            Cause::RecipeChanged { field, old, new } => (Some(field.to_string()), old.clone(), new.clone()),
            Cause::VarChanged { name, old, new } | Cause::LabelChanged { name, old, new } => {
                (Some(name.clone()), old.clone(), new.clone())
            }
            Cause::RowChanged { field, old, new } => (Some(field.clone()), old.clone(), new.clone()),
            Cause::RenditionAdded(name) => (Some(name.to_string()), None, None),
            Cause::RenditionRemoved(name) => (Some(name.to_string()), None, None),
            Cause::RenditionChanged { rendition, field, old, new } => {
                (Some(format!("{rendition}.{field}")), old.clone(), new.clone())
            }
            Cause::ObjectMissing { rendition, path } | Cause::ObjectDamaged { rendition, path } => {
                (Some(rendition.to_string()), Some(path.to_string()), None)
            }
            Cause::ObjectSize { rendition, recorded, found, .. } => {
                (Some(rendition.to_string()), Some(recorded.to_string()), Some(found.to_string()))
            }
            Cause::RendererChanged { rendition, renderer } => {
                (Some(rendition.to_string()), Some(renderer.to_string()), None)
            }
            Cause::RowEdited { column, written, found } => {
                (Some(column.clone()), Some(written.clone()), Some(found.clone()))
            }
            Cause::RowElsewhere { column, written, found } => {
                (Some(column.clone()), written.clone(), Some(found.clone()))
            }
            Cause::RowDiffers { field: name, found, declared }
            | Cause::ColumnKept { column: name, found, declared } => {
                (Some(name.clone()), found.clone(), declared.clone())
            }
            Cause::SeedTaken { derived, taken } => {
                (Some("seed".to_owned()), Some(derived.to_string()), Some(taken.to_string()))
            }
            Cause::FieldsAssumed(fields) => {
                let names: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
                (None, None, Some(names.join(", ")))
            }
            Cause::SameRecipe(key) => (None, Some(key.to_string()), None),
            Cause::Moved { collection, key } => (None, Some(format!("{collection}:{key}")), None),
            Cause::ProtectChanged { old, new } | Cause::HoldChanged { old, new } => {
                (None, Some(old.to_string()), Some(new.to_string()))
            }
        };
        ReasonParts { code: self.cause.code(), field, old, new, place: self.place.as_ref() }
    }
}
