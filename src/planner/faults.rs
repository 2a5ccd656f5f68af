//! Faults: files of a record that are not what was published, or stored.

use crate::asset::MicroUsd;
use crate::plan::{Action, Bought, Change, FoundObject, LostOriginal, Note, ObjectFault};
use crate::record::Record;
use crate::storage::FileFault;

use super::second::Batch;

impl Batch {
    /// Returns the published files that are not as recorded, each confirmed by asking for it.
    pub(super) fn faults(&self, record: &Record) -> Vec<ObjectFault> {
        let fault = |file: &crate::record::Published| {
            let found = match (self.sizes.get(&file.path), self.damaged.get(&file.path)) {
                (Some(None), _) | (None, Some((_, FileFault::Gone))) => FoundObject::Nothing,
                (Some(Some(size)), _) if *size != file.bytes => FoundObject::Size(*size),
                (_, Some((_, FileFault::OtherBytes))) => FoundObject::OtherBytes,
                (Some(Some(_)), _) | (None, None) => return None,
            };
            let (rendition, path) = (file.rendition.name.clone(), file.path.clone());
            Some(ObjectFault { rendition, path, recorded: file.bytes, found })
        };
        record.published.iter().filter_map(fault).collect()
    }

    /// Tells of a record's original that cannot be used, where nothing else has its bytes.
    pub(super) fn lost_original(&self, record: &Record, change: &Change, price: MicroUsd) -> Option<Note> {
        let (original, state) =
            self.lost.get(&record.original).filter(|_| !self.by_content.contains_key(&record.original))?;
        // A new recipe needs no picture of the old one.
        let replaced = change.after.map(|after| after.recipe) != change.before.map(|before| before.recipe);
        let bought = match change.action {
            Action::Generate | Action::Unknown if !replaced => Bought::Now,
            _ => Bought::Later,
        };
        Some(Note::OriginalLost(Box::new(LostOriginal {
            key: change.key.clone(),
            path: original.path.clone(),
            sha256: original.sha256,
            state: *state,
            price,
            bought,
        })))
    }
}
