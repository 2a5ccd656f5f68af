//! The first pass: a scan of records and rows, fed into the comparison.

use crate::asset::{AssetKey, Heads};
use crate::digest::SeenDigest;
use crate::plan::{Coverage, HeadComparison, Note, Suspects};
use crate::record::RecordHead;
use crate::state::ScanVisitor;
use crate::world::Listing;

use super::row_owners::Foreign;

/// Feeds a scan into the first pass. The files of records are kept until the listing is there, which may take longer.
pub struct FirstPass<'f> {
    comparison: HeadComparison<'f>,
    objects: Option<PublishedPaths>,
    /// Keys whose rows belong to other collections that publish to the same table.
    foreign: &'f Foreign,
    /// What other manifests declare that publish to the same table.
    pub others: Vec<&'f Heads>,
}

/// The published files of records: all paths in one text, since a hundred thousand small ones would take longer.
#[derive(Default)]
struct PublishedPaths {
    paths: String,
    /// Where each path ends, the size of its file, and the number of its asset.
    files: Vec<(usize, u64, usize)>,
}

impl<'f> FirstPass<'f> {
    /// Begins with the heads of a collection.
    pub fn new(heads: &'f Heads, looked: Coverage, foreign: &'f Foreign) -> Self {
        let objects = match looked {
            Coverage::At => Some(PublishedPaths::default()),
            Coverage::NotAt => None,
        };
        Self { comparison: HeadComparison::new(heads, looked), objects, foreign, others: Vec::new() }
    }

    /// Ends the pass, with the listing where objects are looked at.
    pub fn finish(self, listing: Option<&Listing>) -> Suspects {
        let Self { mut comparison, objects, foreign: _, others: _ } = self;
        if let (Some(PublishedPaths { paths, files }), Some(listing)) = (objects, listing) {
            let mut start = 0;
            for (end, bytes, number) in files {
                if listing.size(&paths[start..end]) != Some(bytes) {
                    comparison.object_is_bad(number);
                }
                start = end;
            }
        }
        comparison.finish()
    }
}

impl ScanVisitor for FirstPass<'_> {
    fn record(&mut self, head: RecordHead<'_>) {
        let Some(number) = self.comparison.record(&head) else { return };
        if let Some(PublishedPaths { paths, files }) = &mut self.objects {
            for (bytes, path) in head.objects() {
                paths.push_str(path);
                files.push((paths.len(), bytes, number));
            }
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
