//! A part of a listing, on its way from the thread that reads folders.

use super::FileVisitor;

/// A part of a listing: all paths in one text, since a hundred thousand small ones would take longer than the walk.
#[derive(Default)]
pub(super) struct ListingBatch {
    /// All paths, one after another.
    pub paths: String,
    /// Where each path ends, and its size in bytes.
    pub files: Vec<(usize, u64)>,
}

impl ListingBatch {
    /// Hands all of it over.
    pub(super) fn visit(&self, visitor: FileVisitor<'_>) {
        let mut start = 0;
        for &(end, bytes) in &self.files {
            visitor(&self.paths[start..end], bytes);
            start = end;
        }
    }
}
