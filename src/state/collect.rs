//! Collecting what nothing refers to: the words, and what a database does for it.
//!
//! An original or a published file is *referenced* while a record names it. Since when it is not is written down in the
//! very transaction that ends the last reference, and a file that was announced and never named counts from then. A run of
//! gc *condemns* lines, and *dooms* those that are still condemned later on: from then on they are no lines any more, but
//! deletions under way. How these follow one another, and why that is safe, stands at `apply::gc`.

use async_trait::async_trait;

use super::{IsAlive, Run, StateError};
use crate::asset::{CollectionName, ObjectPath, TableName};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::record::Published;

/// What no record refers to, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unreferenced {
    /// When this was read: milliseconds since 1970 by the state's clock.
    pub now: i64,
    /// The files.
    pub files: Vec<Loose>,
    /// Published files that records name, of the originals that published files among [`Self::files`] were made of: where
    /// only a path was changed, the same bytes lie at both.
    pub live: Vec<LiveObject>,
}

/// A published file that a record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveObject {
    /// The digest of its bytes.
    pub sha256: ContentDigest,
    /// Where it lies.
    pub path: ObjectPath,
}

/// A file that no record refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// Where it lies, or would lie: it need not be there.
    pub path: ObjectPath,
    /// Its size in bytes.
    pub bytes: u64,
    /// Since when no record has named it: milliseconds since 1970 by the state's clock.
    pub since: i64,
    /// What it is.
    pub kind: LooseKind,
}

/// What a file is that no record refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LooseKind {
    /// A published file.
    Object {
        /// The digest of its bytes.
        sha256: ContentDigest,
        /// The original that it was made of.
        original: ContentDigest,
    },
    /// An original.
    Original {
        /// The digest of its bytes.
        sha256: ContentDigest,
        /// What it is worth.
        worth: Worth,
    },
    /// A file whose deletion was begun by a run that is dead, or that was put a second time elsewhere.
    Leftover {
        /// The run; empty where there was none.
        run: String,
    },
}

/// What an original that no record refers to is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// A call for it has not come to its end.
    UnderWay,
    /// A record named it once.
    Published,
    /// It cost nothing, and is made again for nothing.
    Free,
    /// It was paid for, or may have been, and no record ever named it.
    Unpublished,
}

/// Whether a file may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is known, and no run of gc takes it from now on.
    Kept,
    /// Nothing is known of it: whether it is there has to be looked at.
    Unknown,
    /// A living run of gc is deleting it at this moment: nothing may be put there, and what is there goes.
    BeingDeleted,
}

/// Takes texts, one at a time.
pub type TextVisitor<'v> = &'v mut (dyn FnMut(&str) + Send);

/// What collecting needs of a database; part of every [`State`](super::State).
#[async_trait]
pub trait Collector: Send + Sync {
    /// Returns every file that no record refers to, whatever its age, each path once. A path that a record names under
    /// any original is not among them.
    async fn unreferenced(&self, liveness: IsAlive<'_>) -> Result<Unreferenced, StateError>;

    /// Returns every table that was ever published to.
    async fn published_tables(&self) -> Result<Vec<TableName>, StateError>;

    /// Streams the text of every cell of a table, whatever it is; an absent one has none.
    async fn texts(&self, table: &TableName, take: TextVisitor<'_>) -> Result<(), StateError>;

    /// Returns the collections that a run ever had the lease on, by name.
    async fn leased(&self) -> Result<Vec<CollectionName>, StateError>;

    /// Returns the runs that did not end and are not dead, but for those of gc, in no particular order.
    async fn working(&self, liveness: IsAlive<'_>) -> Result<Vec<Run>, StateError>;

    /// Of these recipes, returns those whose original was deleted and that have had none since.
    async fn collected(&self, recipes: &[RecipeDigest]) -> Result<Vec<RecipeDigest>, StateError>;

    /// Marks files for a run of gc: those that are as unreferenced as they were, and that no run has marked.
    async fn condemn(&self, run: &str, files: &[Loose]) -> Result<(), StateError>;

    /// Lifts the marks of a run, and those of all runs that are dead.
    async fn pardon(&self, run: &str, liveness: IsAlive<'_>) -> Result<(), StateError>;

    /// Makes deletions of those files that the run marked, that still bear its mark, and that no record names; and takes
    /// over those [`LooseKind::Leftover`] that nobody else has taken meanwhile. Returns their paths: nobody relies on them
    /// or puts anything there until they are forgotten.
    async fn doom(&self, run: &str, files: &[Loose]) -> Result<Vec<ObjectPath>, StateError>;

    /// Forgets deletions of a run that are done, and remembers which recipes have lost their original by it.
    async fn forget_deleted(&self, run: &str, paths: &[ObjectPath]) -> Result<(), StateError>;

    /// Returns what was last announced for these originals in these renditions, and begins to rely on it, as
    /// [`Collector::claim`] does.
    async fn rely_on_objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError>;

    /// Begins to rely on files: marks are lifted, and the time since which they are unreferenced begins anew. What a dead
    /// run was deleting is [`Claim::Unknown`] and nobody deletes it any more. The answers come in the order of the paths.
    async fn claim(&self, paths: &[ObjectPath], liveness: IsAlive<'_>) -> Result<Vec<Claim>, StateError>;
}
