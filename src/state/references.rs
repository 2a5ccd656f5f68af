//! References: which originals and files records name from a commit on, and which they named until then.

use std::collections::BTreeSet;

use super::Commit;

/// Originals and files that some records name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The digests of originals.
    pub originals: BTreeSet<[u8; 32]>,
    /// The paths of published files.
    pub paths: BTreeSet<String>,
}

impl Named {
    /// Adds what a record names; `objects` is the text of [`objects_text`](crate::record::objects_text).
    pub(super) fn add(&mut self, original: [u8; 32], objects: &str) {
        self.originals.insert(original);
        let paths = objects.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned()));
        self.paths.extend(paths);
    }

    /// Returns what the records of a commit name.
    pub(super) fn by(commit: &Commit) -> Self {
        let mut named = Self::default();
        for put in &commit.put {
            named.originals.insert(*put.record.original.as_bytes());
            named.paths.extend(put.record.published.iter().map(|file| file.path.to_string()));
        }
        named
    }

    /// Returns what is named here and not there.
    pub(super) fn beyond(&self, other: &Self) -> Self {
        Self {
            originals: self.originals.difference(&other.originals).copied().collect(),
            paths: self.paths.difference(&other.paths).cloned().collect(),
        }
    }

    /// Tells whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.originals.is_empty() && self.paths.is_empty()
    }
}
