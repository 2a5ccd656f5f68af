//! The first pass: a scan of records and rows, fed into the comparison.

use crate::asset::{AssetKey, Heads};
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
    /// What other manifests declare that publish to the same table.
    pub others: Vec<&'f Heads>,
}

impl<'f> FirstPass<'f> {
    /// Begins with the heads of a collection and, where objects are looked at, the listing.
    pub fn new(heads: &'f Heads, looked: Looked, listing: Option<&'f Listing>, foreign: &'f Foreign) -> Self {
        Self { comparison: Comparison::new(heads, looked), listing, foreign, others: Vec::new() }
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
        let elsewhere = self.foreign.owns(key) || self.others.iter().any(|heads| heads.find(key).is_some());
        if !elsewhere {
            self.comparison.row(key, seen);
        }
    }
}

/// Tells of rows that no record owns, where the collection has so many records.
pub fn row_notes(heads: &Heads, suspects: &Suspects, records: u64) -> Vec<Note> {
    let mut notes = Vec::new();
    if records == 0 && suspects.unowned_rows > 0 {
        notes.push(Note::Unadopted { count: suspects.unowned_rows });
    }
    if suspects.extra_rows > 0 {
        let examples = suspects.extra_examples.clone();
        notes.push(Note::ExtraRows { count: suspects.extra_rows, examples });
    }
    // Those whose asset has no row of its own are refused, which says more.
    let refused = |key: &String| suspects.twins.iter().any(|(there, _)| there == key);
    notes.extend(suspects.extra_examples.iter().filter(|key| !refused(key)).filter_map(|key| {
        let declared = heads.all()[heads.find_folded(key)?].key.clone();
        Some(Note::CaseTwin { there: key.clone(), declared })
    }));
    notes
}

/// Returns the rows whose key differs in case only from that of an asset that has none.
pub fn case_twins(heads: &Heads, suspects: &Suspects) -> Vec<(String, AssetKey)> {
    let twins = suspects.twins.iter();
    twins.map(|(there, index)| (there.clone(), heads.all()[*index].key.clone())).collect()
}
