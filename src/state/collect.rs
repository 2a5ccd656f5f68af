//! Collecting what nothing refers to: the words, and what a database does for it.
//!
//! An original or a published file is *referenced* while a record names it. Since when it is not is written down in the
//! very transaction that ends the last reference, and a file that was announced and never named counts from then. A run of
//! gc *marks* lines, and *sweeps* those that are still marked later on: from then on they are no lines any more, but
//! deletions under way. How these follow one another, and why that is safe, stands at `apply::gc`.

use crate::asset::ObjectPath;
use crate::digest::ContentDigest;

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
