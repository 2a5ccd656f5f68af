//! Garbage: which of the files that no record refers to may go. Pure: facts in, verdicts out.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::asset::ObjectPath;
use crate::digest::ContentDigest;
use crate::state::{Loose, LooseKind, Unreferenced, Worth};

/// What may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// For how long a file must have been unreferenced, in seconds.
    pub older_than: u64,
    /// What becomes of originals that were paid for and never published.
    pub unpublished: Unpublished,
}

/// What becomes of originals that were paid for and never published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpublished {
    /// They stay, whatever their age.
    Stay,
    /// They go like all others.
    Go,
}

/// What becomes of a file that no record refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It goes.
    Goes,
    /// It stays: it has not been unreferenced for long enough.
    Recent,
    /// It stays: it was paid for and never published.
    Unpublished,
    /// It stays: a call for it has not come to its end.
    UnderWay,
    /// It stays: a row names it, or what was made of it.
    NamedByRow,
}

/// What rows name of what no record refers to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedByRows {
    /// The beginnings of digests, as [`beginning`] returns them.
    pub digests: HashSet<u64>,
    /// Paths whose bytes lie elsewhere, too, at a path that a record names: here only the path tells which one is meant.
    pub paths: HashSet<ObjectPath>,
}

/// Says what becomes of each file, in the order of their paths.
///
/// The original of a picture that a row names stays with it, so that the row can be taken back without money.
pub fn judge<'f>(unreferenced: &'f Unreferenced, policy: Policy, named: &NamedByRows) -> Vec<(&'f Loose, Verdict)> {
    let is_named = |digest: &ContentDigest| named.digests.contains(&beginning(digest));
    let is_file_named = |path: &ObjectPath, digest: &ContentDigest| is_named(digest) || named.paths.contains(path);
    let sources: BTreeSet<&ContentDigest> = unreferenced
        .files
        .iter()
        .filter_map(|file| match &file.kind {
            LooseKind::Object { sha256, original } if is_file_named(&file.path, sha256) => Some(original),
            LooseKind::Object { .. } | LooseKind::Original { .. } | LooseKind::Leftover { .. } => None,
        })
        .collect();
    let age = |file: &Loose| unreferenced.now.saturating_sub(file.since);
    let window = i64::try_from(policy.older_than.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let verdict = |file: &Loose| match &file.kind {
        LooseKind::Original { worth: Worth::UnderWay, .. } => Verdict::UnderWay,
        LooseKind::Object { sha256, .. } if is_file_named(&file.path, sha256) => Verdict::NamedByRow,
        LooseKind::Original { sha256, .. } if is_named(sha256) || sources.contains(sha256) => Verdict::NamedByRow,
        // Its deletion was decided before; what is left is to carry it out.
        LooseKind::Leftover { .. }
            if named.paths.contains(&file.path)
                || path_digests(file.path.as_str()).any(|digest| named.digests.contains(&digest)) =>
        {
            Verdict::NamedByRow
        }
        LooseKind::Leftover { .. } => Verdict::Goes,
        _ if age(file) < window => Verdict::Recent,
        LooseKind::Original { worth: Worth::Unpublished, .. } if policy.unpublished == Unpublished::Stay => {
            Verdict::Unpublished
        }
        LooseKind::Object { .. } | LooseKind::Original { .. } => Verdict::Goes,
    };
    let by_path: BTreeMap<_, _> = unreferenced.files.iter().map(|file| (&file.path, (file, verdict(file)))).collect();
    by_path.into_values().collect()
}

/// Hex digits of a digest that a path or a row names it by: those of `{{ digest }}`.
const DIGITS: usize = 16;

/// Returns the beginning of a digest, as long as paths and rows name it.
pub fn beginning(digest: &ContentDigest) -> u64 {
    let bytes = digest.as_bytes();
    u64::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
}

/// Returns everything in a text that may be the beginning of a digest: each run of 16 hex digits, wherever it begins.
///
/// A path changes with its digest, so whatever form a row names a file in, as URL, path or digest, JSON or HTML, it holds
/// those digits.
pub fn path_digests(text: &str) -> impl Iterator<Item = u64> + '_ {
    let mut digits = 0;
    let mut last = 0_u64;
    text.bytes().filter_map(move |byte| {
        let Some(digit) = char::from(byte).to_digit(16) else {
            digits = 0;
            return None;
        };
        last = last << 4 | u64::from(digit);
        digits += 1;
        (digits >= DIGITS).then_some(last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn file(path: &str, days: i64, kind: LooseKind) -> Loose {
        Loose { path: path.parse().unwrap(), bytes: 10, since: 100 * DAY - days * DAY, kind }
    }

    fn original(name: &str, days: i64, worth: Worth) -> Loose {
        let kind = LooseKind::Original { sha256: ContentDigest::of(name.as_bytes()), worth };
        file(&format!("originals/{name}.png"), days, kind)
    }

    fn object(name: &str, days: i64) -> Loose {
        let sha256 = ContentDigest::of(format!("published {name}").as_bytes());
        file(
            &format!("people/{name}.jpg"),
            days,
            LooseKind::Object { sha256, original: ContentDigest::of(name.as_bytes()) },
        )
    }

    fn check(files: Vec<Loose>, unpublished: Unpublished, named: &[u64], expected: &[Verdict]) {
        let unreferenced = Unreferenced { now: 100 * DAY, files, live: Vec::new() };
        let policy = Policy { older_than: 30 * 86_400, unpublished };
        let named = NamedByRows { digests: named.iter().copied().collect(), paths: HashSet::new() };
        let judged: BTreeMap<&str, Verdict> = judge(&unreferenced, policy, &named)
            .into_iter()
            .map(|(file, verdict)| (file.path.as_str(), verdict))
            .collect();
        let verdicts: Vec<Verdict> = unreferenced.files.iter().map(|file| judged[file.path.as_str()]).collect();
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn what_is_unreferenced_for_long_enough_goes() {
        use Verdict::{Goes, Recent};
        let files =
            vec![object("a", 30), object("b", 29), original("c", 31, Worth::Published), original("d", 99, Worth::Free)];
        check(files, Unpublished::Stay, &[], &[Goes, Recent, Goes, Goes]);
    }

    #[test]
    fn what_was_paid_and_never_published_goes_only_where_that_is_said() {
        let files = || vec![original("a", 99, Worth::Unpublished), original("b", 1, Worth::Unpublished)];
        check(files(), Unpublished::Stay, &[], &[Verdict::Unpublished, Verdict::Recent]);
        check(files(), Unpublished::Go, &[], &[Verdict::Goes, Verdict::Recent]);
    }

    #[test]
    fn what_is_being_made_never_goes() {
        check(vec![original("a", 99, Worth::UnderWay)], Unpublished::Go, &[], &[Verdict::UnderWay]);
    }

    #[test]
    fn what_a_row_names_stays_with_its_original() {
        let named = beginning(&ContentDigest::of(b"published a"));
        let files = vec![object("a", 99), original("a", 99, Worth::Published), object("b", 99)];
        check(files, Unpublished::Go, &[named], &[Verdict::NamedByRow, Verdict::NamedByRow, Verdict::Goes]);
    }

    #[test]
    fn a_deletion_that_was_begun_is_finished_whatever_its_age() {
        let leftover = || LooseKind::Leftover { run: "dead".to_owned() };
        let files = vec![file("people/x-00000000000000ab.jpg", 0, leftover()), file("people/y.jpg", 0, leftover())];
        check(files, Unpublished::Stay, &[0xab], &[Verdict::NamedByRow, Verdict::Goes]);
    }

    #[test]
    fn a_digest_is_found_in_whatever_a_row_says() {
        let digest = 0x0123_4567_89ab_cdef;
        for text in [
            "https://cdn.example.com/people/young-0123456789abcdef.jpg?x=1",
            "/files/people%2Fyoung-0123456789ABCDEF.jpg",
            "[\"a0123456789abcdef.webp\", 3]",
            "(7,young,0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef)",
        ] {
            assert!(path_digests(text).any(|found| found == digest), "{text}");
        }
        for text in ["0123456789abcde", "0123456789abcde-f", "0123 4567 89ab cdef", ""] {
            assert!(path_digests(text).all(|found| found != digest), "{text}");
        }
    }
}
