//! The first pass: a scan of records and rows, fed into the comparison.

use crate::asset::Heads;
use crate::digest::SeenDigest;
use crate::plan::{Comparison, Looked, Note, Suspects};
use crate::record::RecordHead;
use crate::state::Visitor;
use crate::world::Listing;

use super::owners::Foreign;

/// Feeds a scan into the first pass.
pub struct FirstPass<'f> {
    comparison: Comparison<'f>,
    listing: Option<&'f Listing>,
    /// Keys whose rows belong to other collections that publish to the same table.
    foreign: &'f Foreign,
}

impl<'f> FirstPass<'f> {
    /// Begins with the heads of a collection and, where objects are looked at, the listing.
    pub fn new(heads: &'f Heads, looked: Looked, listing: Option<&'f Listing>, foreign: &'f Foreign) -> Self {
        Self { comparison: Comparison::new(heads, looked), listing, foreign }
    }

    /// Ends the pass.
    pub fn finish(self) -> Suspects {
        self.comparison.finish()
    }
}

impl Visitor for FirstPass<'_> {
    fn record(&mut self, head: RecordHead<'_>) {
        match self.listing {
            Some(listing) => self.comparison.record(&head, |bytes, path| listing.size(path) == Some(bytes)),
            None => self.comparison.record(&head, |_, _| true),
        }
    }

    fn row(&mut self, key: &str, seen: SeenDigest) {
        if !self.foreign.owns(key) {
            self.comparison.row(key, seen);
        }
    }
}

/// Tells of rows that no record owns.
pub fn row_notes(heads: &Heads, suspects: &Suspects) -> Vec<Note> {
    let mut notes = Vec::new();
    if suspects.extra_rows > 0 {
        let examples = suspects.extra_examples.clone();
        notes.push(Note::ExtraRows { count: suspects.extra_rows, examples });
    }
    let twins = suspects.extra_examples.iter().filter(|key| heads.find(key).is_none());
    notes.extend(twins.filter_map(|key| {
        let declared = heads.all()[heads.find_folded(key)?].key.clone();
        Some(Note::CaseTwin { there: key.clone(), declared })
    }));
    notes
}
