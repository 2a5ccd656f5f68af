//! Many globs, asked at once which of them match a key.
//!
//! A manifest may have as many globs as assets, and trying each with each is the product of both. Plain keys are looked up.
//! Every other glob is found by one of its pieces, the text between two stars that the fewest other globs have: an automaton
//! of all of them goes once through the key, and only globs whose piece is in it are tried.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use super::KeyGlob;

/// Globs by number, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct GlobIndex {
    exact: HashMap<Box<str>, Vec<u32>>,
    globs: Vec<KeyGlob>,
    /// Finds the pieces; `None` where no glob has a star.
    pieces: Option<AhoCorasick>,
    /// For each piece the globs that are found by it.
    by_piece: Vec<Vec<u32>>,
}

impl GlobIndex {
    /// Sorts globs by what they are found by.
    pub fn new<'g>(globs: impl IntoIterator<Item = &'g KeyGlob>) -> Self {
        let globs: Vec<KeyGlob> = globs.into_iter().cloned().collect();
        let mut exact: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        let mut starred = Vec::new();
        for (number, glob) in (0_u32..).zip(&globs) {
            match glob.is_exact() {
                true => exact.entry(glob.as_str().into()).or_default().push(number),
                false => starred.push((number, bounded(glob.as_str()))),
            }
        }
        let mut shared: HashMap<&str, usize> = HashMap::new();
        for (_, text) in &starred {
            pieces(text).for_each(|piece| *shared.entry(piece).or_default() += 1);
        }
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut by_piece: Vec<Vec<u32>> = Vec::new();
        let mut found_by = Vec::new();
        for (number, text) in &starred {
            let rarest = pieces(text).min_by_key(|piece| (shared[piece], usize::MAX - piece.len()));
            let piece = rarest.expect("a glob begins and ends with a piece");
            let at = *numbers.entry(piece).or_insert_with(|| {
                found_by.push(piece);
                by_piece.push(Vec::new());
                by_piece.len() - 1
            });
            by_piece[at].push(*number);
        }
        let pieces = (!found_by.is_empty())
            .then(|| AhoCorasick::new(&found_by).expect("the pieces of a manifest are fewer than an automaton holds"));
        Self { exact, globs, pieces, by_piece }
    }

    /// Tells whether one of them matches a key.
    pub fn matches(&self, key: &str) -> bool {
        let mut found = Vec::new();
        self.find(key, &mut found);
        !found.is_empty()
    }

    /// Finds the numbers of the globs that match a key, ascending, into a buffer that is reused.
    pub fn find(&self, key: &str, into: &mut Vec<u32>) {
        into.clear();
        into.extend(self.exact.get(key).into_iter().flatten());
        self.candidates(key, |number| {
            if self.globs[number as usize].matches(key) {
                into.push(number);
            }
        });
        into.sort_unstable();
    }

    /// Names the globs with stars that may match a key, each once.
    fn candidates(&self, key: &str, mut take: impl FnMut(u32)) {
        let Some(pieces) = &self.pieces else { return };
        let key = bounded(key);
        let mut found: Vec<usize> =
            pieces.find_overlapping_iter(&key).map(|found| found.pattern().as_usize()).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().flat_map(|piece| &self.by_piece[piece]).for_each(|number| take(*number));
    }
}

/// Returns a text whose ends are those of segments: so a piece at the end of a segment is told from one inside.
fn bounded(text: &str) -> String {
    format!("/{text}/")
}

/// Returns what stands between the stars; the first and the last hold at least the bound.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split('*').filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_index_finds_what_each_glob_says(
            texts in prop::collection::vec("[ab*]{1,4}(/[ab*]{1,3}){0,2}", 0..12),
            key in "[ab]{1,4}(/[ab]{1,3}){0,2}",
        ) {
            let globs: Vec<KeyGlob> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            let mut found = vec![7];
            GlobIndex::new(&globs).find(&key, &mut found);
            let tried = (0_u32..).zip(&globs).filter(|(_, glob)| glob.matches(&key)).map(|(number, _)| number);
            prop_assert_eq!(found, tried.collect::<Vec<_>>());
        }
    }

    /// Counts are the bound, not time: it holds on any machine.
    #[test]
    fn as_many_globs_as_assets_are_hardly_tried_at_all() {
        const COUNT: usize = 8_000;
        let keys: Vec<String> = (0..COUNT).map(|number| format!("age{}/v{number}/anime", number % 7)).collect();
        for shape in
            ["*/v#/*", "*/v#*/anime", "age*/v#/anime", "*#/*", "*/*#/a*e", "*v#*/anime", "a*#*/*/*e", "*/v#/anim*"]
        {
            let glob = |number: usize| shape.replace('#', &number.to_string()).parse::<KeyGlob>().unwrap();
            let index = GlobIndex::new(&(0..COUNT).map(glob).collect::<Vec<_>>());
            let mut tried = 0;
            keys.iter().for_each(|key| index.candidates(key, |_| tried += 1));
            assert!(tried <= 20 * COUNT, "{shape}: {tried} tries");
        }
    }
}
