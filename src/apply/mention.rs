//! Mentions: which files the text of a row names, of those that no record refers to.
//!
//! A row may name a file in any form: as URL, path or digest, in JSON or HTML. All of them hold the digits of its digest.
//! Where the same bytes lie at a path that a record names as well, as after a change of the path alone, the digits do not
//! tell which of the two is meant; then the path does. A whole digest names the bytes, which lie at the path of the record,
//! too; any other text that holds neither path counts for both.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;

use crate::asset::ObjectPath;
use crate::state::{LiveObject, Loose, LooseKind, Unreferenced};

use super::garbage::{NamedByRows, beginning, path_digests};

/// Looks for files in the texts of rows.
pub struct Mentions<'u> {
    wanted: HashSet<u64>,
    twins: HashMap<u64, Twins<'u>>,
    named: NamedByRows,
}

/// Where bytes lie that lie at a path of a record, too.
struct Twins<'u> {
    /// Their whole digest, in hex digits.
    digest: String,
    /// The paths, the longest first.
    paths: Vec<(&'u ObjectPath, Twin)>,
}

/// Whether a record names a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    Live,
    Loose,
}

impl<'u> Mentions<'u> {
    /// Looks for these files.
    pub fn of(unreferenced: &'u Unreferenced) -> Self {
        let mut loose: HashMap<u64, Vec<&ObjectPath>> = HashMap::new();
        for Loose { path, kind, .. } in &unreferenced.files {
            let digests: Vec<u64> = match kind {
                LooseKind::Object { sha256, .. } | LooseKind::Original { sha256, .. } => vec![beginning(sha256)],
                LooseKind::Leftover { .. } => path_digests(path.as_str()).collect(),
            };
            for digest in digests {
                loose.entry(digest).or_default().push(path);
            }
        }
        let mut twins: HashMap<u64, Twins<'_>> = HashMap::new();
        for LiveObject { sha256, path } in &unreferenced.live {
            let digest = beginning(sha256);
            if let Some(paths) = loose.get(&digest) {
                let all =
                    || Twins { digest: sha256.hex(), paths: paths.iter().map(|path| (*path, Twin::Loose)).collect() };
                twins.entry(digest).or_insert_with(all).paths.push((path, Twin::Live));
            }
        }
        for Twins { paths, .. } in twins.values_mut() {
            paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.as_str().len()));
        }
        Self { wanted: loose.into_keys().collect(), twins, named: NamedByRows::default() }
    }

    /// Takes the text of a cell or a row.
    pub fn take(&mut self, text: &str) {
        let mut plain: Option<String> = None;
        for digest in path_digests(text).filter(|digest| self.wanted.contains(digest)) {
            let Some(Twins { digest: whole, paths }) = self.twins.get(&digest) else {
                self.named.digests.insert(digest);
                continue;
            };
            // A longer path may end with a shorter one: what was found is taken out before that is looked for.
            let mut rest = plain.get_or_insert_with(|| plain_text(text)).clone();
            let mut found = rest.contains(whole.as_str());
            for (path, twin) in paths {
                if rest.contains(path.as_str()) {
                    rest = rest.replace(path.as_str(), " ");
                    found = true;
                    if *twin == Twin::Loose {
                        self.named.paths.insert((*path).clone());
                    }
                }
            }
            if !found {
                self.named.digests.insert(digest);
            }
        }
    }

    /// Returns what was named.
    pub fn named(self) -> NamedByRows {
        self.named
    }
}

/// Returns a text in which paths stand as they are: percent signs decoded, and without the marks of JSON.
fn plain_text(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().replace('\\', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::ContentDigest;

    fn check(texts: &[&str], paths: &[&str], digests: usize) {
        let sha256 = ContentDigest::of(b"bytes");
        let digits = sha256.hex()[..16].to_owned();
        let path = |folder: &str| -> ObjectPath { format!("{folder}/age-70+-{digits}.jpg").parse().unwrap() };
        let loose = |folder| Loose {
            path: path(folder),
            bytes: 1,
            since: 0,
            kind: LooseKind::Object { sha256, original: ContentDigest::of(b"original") },
        };
        let live = vec![LiveObject { sha256, path: path("new") }];
        let unreferenced = Unreferenced { now: 1, files: vec![loose("old"), loose("new/old")], live };
        let mut mentions = Mentions::of(&unreferenced);
        for text in texts {
            mentions.take(&text.replace("WHOLE", &sha256.hex()).replace("DIGITS", &digits));
        }
        let named = mentions.named();
        let expected: HashSet<ObjectPath> = paths.iter().map(|folder| path(folder)).collect();
        assert_eq!((named.paths, named.digests.len()), (expected, digests), "{texts:?}");
    }

    #[test]
    fn a_path_tells_which_of_two_equal_files_a_row_names() {
        let new = "https://cdn.example.com/new/age-70%2B-DIGITS.jpg";
        check(&[new], &[], 0);
        check(&["/files/old/age-70+-DIGITS.jpg", new], &["old"], 0);
        check(&["https://cdn.example.com/new/old/age-70%2B-DIGITS.jpg"], &["new/old"], 0);
        check(&[r#"{"image":"https:\/\/cdn.example.com\/old\/age-70+-DIGITS.jpg"}"#, new], &["old"], 0);
        check(&["WHOLE", new], &[], 0);
        check(&["DIGITS"], &[], 1);
    }
}
