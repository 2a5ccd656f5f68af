//! Plans: what differs between what is declared and what is there, decided.
//!
//! Pure and total. `compare` is the first pass: digests against digests, one asset at a time. `decide` is the second:
//! whole assets against whole records, for those that differ. `guard` looks at the finished plan and says whether it
//! may be carried out. Gathering what is there is left to `planner`, carrying it out to `apply`.

use crate::asset::{AssetKey, CollectionName, GeneratorName, MicroUsd, ObjectPath, TableName};
use crate::digest::{RecipeDigest, RenditionsDigest, RowDigest};
use crate::record::{Original, Record};

mod adoption;
mod approval;
mod decision;
mod drift_reasons;
mod guard;
mod head_comparison;
mod kept_columns;
mod ledger_standing;
mod lost_original;
mod misfit;
mod plan_digest;
mod pointer;
mod reason;
mod recipe_differences;
mod refusal;
mod sample;
mod subject;

pub use adoption::{Adoptability, AdoptedObject, Adoption, FoundRow, adopt, judge, named_files, with_taken_seed};
pub use approval::{
    Approved, ApprovedChange, ApprovedField, Narrowed, RecordedAssets, Stray, Strayed, StrayedField, narrow,
    strayed_fields,
};
pub use decision::{
    AssetObservation, ColumnEdit, Edited, FoundObject, ObjectFault, PictureSource, Rerender, RowState, decide, delete,
    settle_seed,
};
pub use guard::{Cap, CapSetter, GuardLimits, MAX_DELETIONS_DEFAULT, Month, StoreFinding, guard};
pub use head_comparison::{Coverage, HeadComparison, Suspects};
pub use kept_columns::{is_kept, kept_columns, kept_input, kept_value};
pub use ledger_standing::{Decisions, Doubt, LedgerLine, Standing, Verdicts, standing};
pub use lost_original::{LostOriginal, LostState, Rebuy};
pub use misfit::Misfit;
pub use plan_digest::{Beyond, digest, is_outside};
pub use pointer::{Pointer, PointerTarget, pointers};
pub use reason::{Cause, Reason};
pub use recipe_differences::row_inputs;
pub use refusal::PlanRefusal;
pub use sample::sample;
pub use subject::Subject;

/// What is done about one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// An earlier paid call needs a decision first.
    Unknown,
    /// A row and an object that were there before fit the recipe.
    Adopt,
    /// A picture is bought.
    Generate,
    /// A picture that was paid for already is taken.
    Reuse,
    /// Published forms are made again from the kept original.
    Render,
    /// The asset has a new key.
    Move,
    /// The row gets new values.
    Publish,
    /// Only what is remembered changes.
    Record,
    /// Nothing is asked for, and what was lost or edited is put right.
    Repair,
    /// The asset is no longer declared.
    Delete,
    /// Nothing.
    Keep,
}

impl Action {
    /// All actions, in the order in which the first that applies wins.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Adopt,
        Self::Generate,
        Self::Reuse,
        Self::Render,
        Self::Move,
        Self::Publish,
        Self::Record,
        Self::Repair,
        Self::Delete,
        Self::Keep,
    ];

    /// Returns the action's name in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Adopt => "adopt",
            Self::Generate => "generate",
            Self::Reuse => "reuse",
            Self::Render => "render",
            Self::Repair => "repair",
            Self::Move => "move",
            Self::Publish => "publish",
            Self::Record => "record",
            Self::Delete => "delete",
            Self::Keep => "keep",
        }
    }
}

/// An asset's digests and flags, before or after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetSnapshot {
    /// The recipe's digest.
    pub recipe: RecipeDigest,
    /// The renditions' digest.
    pub renditions: RenditionsDigest,
    /// The row's digest; `None` where nothing is published to a table.
    pub row: Option<RowDigest>,
    /// Whether it is protected.
    pub protect: bool,
    /// Whether it is held.
    pub hold: bool,
}

impl AssetSnapshot {
    /// Returns what a record says.
    pub fn of(record: &Record) -> Self {
        Self {
            recipe: record.recipe.digest(),
            renditions: record.renditions_digest(),
            row: record.row.as_ref().map(|row| row.digest),
            protect: record.protect,
            hold: record.hold,
        }
    }
}

/// One asset's change, with everything that carrying it out needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The asset's key; the new one where it is renamed.
    pub key: AssetKey,
    /// The labels beyond the key, by name.
    pub extra_labels: Vec<(String, String)>,
    /// What is done.
    pub action: Action,
    /// Why: all that is true of it; empty for kept assets only.
    pub reasons: Vec<Reason>,
    /// What it costs.
    pub price: MicroUsd,
    /// As it is; `None` where there is no record.
    pub before: Option<AssetSnapshot>,
    /// As it will be; `None` where it goes.
    pub after: Option<AssetSnapshot>,
    /// Where record and row are now, where the asset is renamed.
    pub moved_from: Option<(CollectionName, AssetKey)>,
    /// The asset's number in its manifest; `None` where it is no longer declared.
    pub index: Option<usize>,
    /// The original that is taken; `None` where one is bought, or none is needed.
    pub original: Option<Original>,
    /// The deletion is listed under `removed`.
    pub expected: bool,
    /// A placeholder would take the place of a real picture.
    pub downgrade: bool,
    /// The manifest says `protect: false`.
    pub unprotected: bool,
    /// Who makes the picture, where one is made.
    pub generator: Option<GeneratorName>,
    /// Earlier calls for this picture that are decided about.
    pub decisions: Decisions,
    /// The row and the files that were there before: what is adopted, or could only be accepted.
    pub adoption: Option<Box<Adoption>>,
    /// Somebody says that the picture satisfies the recipe.
    pub accepted: Option<Box<AcceptedPicture>>,
}

/// A picture that somebody says satisfies a recipe that it was not made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedPicture {
    /// Where the original's bytes lie now; `None` where it is adopted.
    pub lies: Option<ObjectPath>,
}

impl Change {
    /// Returns what is in doubt about an earlier call, where somebody has to decide about it.
    pub fn doubt(&self) -> Option<Doubt> {
        let doubt = |reason: &Reason| {
            if let Cause::InDoubt { doubt, .. } = reason.cause { Some(doubt) } else { None }
        };
        self.reasons.iter().find_map(doubt)
    }
}

/// A thing that is told and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Rows that were there before anything was applied.
    Unadopted {
        /// How many.
        count: u64,
    },
    /// Pictures would be made, and nobody looked whether there are rows already.
    RowsNotLooked {
        /// How many.
        count: u64,
    },
    /// A held asset differs from its manifest.
    Held {
        /// The asset.
        key: AssetKey,
        /// In how many ways.
        differences: usize,
    },
    /// Rows that no collection owns.
    ExtraRows {
        /// How many.
        count: u64,
        /// Some of their keys.
        examples: Vec<String>,
    },
    /// A key that differs in case only from one that is declared.
    CaseTwin {
        /// The key that is there.
        there: String,
        /// The key that is declared.
        declared: AssetKey,
    },
    /// A collection that the state knows and no manifest declares.
    Undeclared {
        /// The collection.
        collection: CollectionName,
        /// How many records it has.
        records: u64,
    },
    /// Changes of an approved plan that are carried out already.
    Done {
        /// How many.
        count: u64,
    },
    /// Changes that nobody approved.
    NotApproved {
        /// How many.
        count: u64,
    },
    /// The original of an asset is not what it was.
    OriginalLost(Box<LostOriginal>),
    /// Everybody who can fetch a published file can fetch the originals, too, and nobody was told of it yet.
    OpenOriginals,
    /// Files lie only in the storage that was used before, and applying copies them.
    Uncopied {
        /// How many.
        files: u64,
    },
}

/// What planning looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sights {
    /// Published rows that were read; `None` where they were not looked at.
    pub rows: Option<u64>,
    /// Files that were listed; `None` where they were not looked at.
    pub files: Option<u64>,
}

/// The changes of one collection.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionPlan {
    /// The collection.
    pub name: CollectionName,
    /// Its key axes.
    pub key: Vec<String>,
    /// What changes, in manifest order, deletions last.
    pub changes: Vec<Change>,
    /// How many assets are kept.
    pub kept: u64,
    /// What is told besides.
    pub notes: Vec<Note>,
    /// What was looked at.
    pub sights: Sights,
    /// The key axes changed in a way that `moved` does not cover: those of the records.
    pub uncovered_key: Option<Vec<String>>,
    /// The table that it publishes to.
    pub table: Option<TableName>,
    /// Rows whose key differs in case only from that of an asset that has no row: the row's key and the asset's.
    pub case_twins: Vec<(String, AssetKey)>,
    /// Rows that the table would not take.
    pub misfits: Vec<Misfit>,
}

/// Whether a plan covers everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// All assets of all its collections.
    Complete,
    /// A selection, or a manifest could not be read.
    Partial,
}

/// What is to be done in one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The environment.
    pub environment: String,
    /// When it was made, as RFC 3339 text in UTC.
    pub created_at: String,
    /// Its collections, by name.
    pub collections: Vec<CollectionPlan>,
    /// Why it may not be carried out.
    pub refusals: Vec<PlanRefusal>,
    /// The lowest cap on its cost.
    pub cap: Option<MicroUsd>,
    /// Whether it covers everything.
    pub completeness: Completeness,
    /// What is told besides, of no single collection.
    pub notes: Vec<Note>,
}

impl CollectionPlan {
    /// Makes one in which nothing is planned yet.
    pub fn new(name: CollectionName, key: Vec<String>) -> Self {
        Self {
            name,
            key,
            changes: Vec::new(),
            kept: 0,
            notes: Vec::new(),
            sights: Sights::default(),
            uncovered_key: None,
            table: None,
            case_twins: Vec::new(),
            misfits: Vec::new(),
        }
    }

    /// Returns how many assets get an action.
    pub fn count(&self, action: Action) -> u64 {
        match action {
            Action::Keep => self.kept,
            _ => self.changes.iter().filter(|change| change.action == action).count() as u64,
        }
    }

    /// Returns where a change's record is now.
    pub fn source(&self, change: &Change) -> (CollectionName, AssetKey) {
        change.moved_from.clone().unwrap_or_else(|| (self.name.clone(), change.key.clone()))
    }

    /// Returns a change's labels: those of the key in key order, then the others.
    pub fn labels<'p>(&'p self, change: &'p Change) -> impl Iterator<Item = (&'p str, &'p str)> {
        let key = self.key.iter().map(String::as_str).zip(change.key.as_str().split('/'));
        key.chain(change.extra_labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl Plan {
    /// Returns how many assets get an action.
    pub fn count(&self, action: Action) -> u64 {
        self.collections.iter().map(|collection| collection.count(action)).sum()
    }

    /// Tells whether there is nothing to do: no change, and nothing to copy from the storage that was used before.
    pub fn is_empty(&self) -> bool {
        self.uncopied() == 0 && self.changes_nothing()
    }

    /// Tells whether no asset changes.
    pub fn changes_nothing(&self) -> bool {
        self.collections.iter().all(|collection| collection.changes.is_empty())
    }

    /// Returns how many files are to be copied from the storage that was used before.
    pub fn uncopied(&self) -> u64 {
        let files = |note: &Note| if let Note::Uncopied { files } = note { *files } else { 0 };
        self.notes.iter().map(files).sum()
    }

    /// Returns all changes with their collections.
    pub fn changes(&self) -> impl Iterator<Item = (&CollectionPlan, &Change)> {
        self.collections.iter().flat_map(|collection| collection.changes.iter().map(move |change| (collection, change)))
    }

    /// Returns what carrying it out costs.
    pub fn cost(&self) -> MicroUsd {
        MicroUsd(self.changes().map(|(_, change)| change.price.0).sum())
    }
}

/// Where a picture comes from without being bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// The state knows it.
    Kept,
    /// It lies in the storage and the state did not know it.
    FoundInStorage,
    /// It is not the one asked for, and somebody takes it all the same.
    Accepted,
}
