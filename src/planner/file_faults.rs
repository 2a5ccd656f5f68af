//! Faults: files of a record that are not what was published, or stored.

use std::collections::HashSet;

use crate::asset::MicroUsd;
use crate::digest::ContentDigest;
use crate::imaging::RENDERER;
use crate::plan::{Action, Change, FoundObject, LostOriginal, Note, ObjectFault, Rebuy, Rerender};
use crate::record::{Original, Published, Record};
use crate::storage::FileFault;

use super::second_pass::AssetBatch;

/// Tells whether an earlier renderer made a published file; one that is the original itself was made by none.
fn is_old(record: &Record, file: &Published) -> bool {
    file.renderer < RENDERER && file.sha256 != record.original
}

impl AssetBatch {
    /// Returns the published files that are not as recorded, each confirmed by asking for it.
    pub(super) fn faults(&self, record: &Record) -> Vec<ObjectFault> {
        let fault = |file: &Published| {
            let found = match (self.sizes.get(&file.path), self.damaged.get(&file.path)) {
                (Some(None), _) | (None, Some((_, FileFault::Gone))) => FoundObject::Nothing,
                (Some(Some(size)), _) if *size != file.bytes => FoundObject::Size(*size),
                (_, Some((_, FileFault::OtherBytes))) => FoundObject::OtherBytes,
                (Some(Some(_)), _) | (None, None) => return None,
            };
            let (rendition, path) = (file.rendition.name.clone(), file.path.clone());
            let again = match self.rendered_otherwise.contains(&record.original) && is_old(record, file) {
                true => Rerender::Other { renderer: file.renderer },
                false => Rerender::Same,
            };
            Some(ObjectFault { rendition, path, recorded: file.bytes, found, again })
        };
        record.published.iter().filter_map(fault).collect()
    }

    /// Returns the originals of lost files that an earlier renderer made.
    pub(super) fn to_render_again(&self) -> Vec<Original> {
        let lost = |record: &&Record| {
            let faults = self.faults(record);
            let is_lost = |file: &&Published| faults.iter().any(|fault| fault.path == file.path);
            record.published.iter().filter(is_lost).any(|file| is_old(record, file))
        };
        let originals = self.records.values().filter(lost).map(|record| record.original);
        let originals: HashSet<ContentDigest> = originals.collect();
        originals.iter().filter_map(|original| self.by_content.get(original).cloned()).collect()
    }

    /// Tells of a record's original that cannot be used, where nothing else has its bytes.
    pub(super) fn lost_original(&self, record: &Record, change: &Change, price: MicroUsd) -> Option<Note> {
        let (original, state) =
            self.lost.get(&record.original).filter(|_| !self.by_content.contains_key(&record.original))?;
        // A new recipe needs no picture of the old one.
        let replaced = change.after.map(|after| after.recipe) != change.before.map(|before| before.recipe);
        let bought = match change.action {
            Action::Generate | Action::Unknown if !replaced => Rebuy::Now,
            _ => Rebuy::Later,
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
