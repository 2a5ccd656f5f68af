//! What a kill leaves in a store: files that were being written, and files that were to prove something.

use std::fs::{self, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::folder_walk::{TEMPORARY_PREFIX, WalkEntry, present, walk};
use super::write_proof::PROBE_PREFIX;
use crate::asset::ObjectPath;

/// How old a file must be before nobody can be at work with it any more.
pub const REMNANT_AGE: Duration = Duration::from_secs(86_400);

/// A file that a killed run left, and that nothing will ever need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remnant {
    /// Where it lies.
    pub path: ObjectPath,
    /// Its size in bytes.
    pub bytes: u64,
    /// How long ago it was written, by the store's own time.
    pub age: Duration,
}

impl Remnant {
    /// Returns the remnant that a file is, by its name and the time of its last change in milliseconds since 1970; nothing
    /// where it is another file, or may be in use still.
    pub(super) fn of(path: &str, bytes: u64, changed: i64) -> Option<Self> {
        Self::at(path, bytes, changed, jiff::Timestamp::now().as_millisecond())
    }

    /// Tells whether a file has a name that pixform gives to what is to go again.
    fn is_named(path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        [TEMPORARY_PREFIX, PROBE_PREFIX].iter().any(|prefix| name.starts_with(prefix))
    }

    fn at(path: &str, bytes: u64, changed: i64, now: i64) -> Option<Self> {
        if !Self::is_named(path) {
            return None;
        }
        let age = Duration::from_millis(u64::try_from(now.saturating_sub(changed)).ok()?);
        (age >= REMNANT_AGE).then_some(Self { path: path.parse().ok()?, bytes, age })
    }
}

/// Finds what killed runs left below a folder of files.
///
/// # Errors
/// With the path that could not be read.
pub(super) fn below(root: &Path) -> Result<Vec<Remnant>, (String, io::Error)> {
    let mut remnants = Vec::new();
    walk(root, "", &mut |found| {
        if let WalkEntry::File(path, _) | WalkEntry::Unfinished(path) = found
            && Remnant::is_named(path)
            && let Some(metadata) = present(fs::symlink_metadata(root.join(path)))?.filter(Metadata::is_file)
        {
            // Rounded up: never younger than a day.
            let changed = metadata.mtime().saturating_add(1).saturating_mul(1_000);
            remnants.extend(Remnant::of(path, metadata.len(), changed));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(remnants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_remnants_and_only_after_a_day() {
        let day = 86_400_000;
        let is = |path: &str, changed: i64| Remnant::at(path, 1, changed, 10 * day).is_some();
        for ours in ["a/.pixform-tmp-Ab12Cd", ".pixform-probe-1", "originals/a/b/.pixform-probe-1"] {
            assert!(is(ours, 9 * day), "{ours}");
            assert!(!is(ours, 9 * day + 1), "{ours} is younger than a day");
            assert!(!is(ours, 11 * day), "{ours} comes from the future");
        }
        for other in ["originals/.pixform-store", "a/.pixform-tmp-x/b.png", "a/b.pixform-tmp-x", "a/pixform-probe-1"] {
            assert!(!is(other, 0), "{other}");
        }
    }
}
