//! Drift: what was lost or edited of an asset, among the reasons of its change.
//!
//! A drift is put right along with whatever the manifest asks for; by itself it is a repair. So an action tells what is
//! asked for, and the reasons tell what else has to be put right on the way.

use crate::asset::ObjectPath;

use super::{Cause, Change, Reason};

impl Change {
    /// Tells whether a published file is gone or damaged.
    pub fn has_file_drift(&self) -> bool {
        self.before.is_some() && self.reasons.iter().any(|reason| reason.is_file_drift())
    }

    /// Returns the published files that hold other bytes than were published, though as many.
    pub fn damaged_files(&self) -> impl Iterator<Item = &ObjectPath> {
        self.reasons.iter().filter_map(|reason| match &reason.cause {
            Cause::ObjectDamaged { path, .. } => Some(path),
            _ => None,
        })
    }

    /// Tells whether something that is published was lost or edited.
    pub fn has_drift(&self) -> bool {
        self.has_file_drift() || (self.before.is_some() && self.reasons.iter().any(|reason| reason.is_row_drift()))
    }
}

impl Reason {
    fn is_file_drift(&self) -> bool {
        matches!(self.cause, Cause::ObjectMissing { .. } | Cause::ObjectSize { .. } | Cause::ObjectDamaged { .. })
    }

    fn is_row_drift(&self) -> bool {
        matches!(self.cause, Cause::RowMissing | Cause::RowEdited { .. } | Cause::RowElsewhere { .. })
    }
}
