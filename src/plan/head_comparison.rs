//! The first pass: every record against the head of its asset, by digest, keeping a byte for each asset.

use std::collections::BTreeSet;

use crate::asset::{AssetKey, Heads};
use crate::digest::SeenDigest;
use crate::record::RecordHead;

/// What the observation covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Objects and rows were looked at.
    At,
    /// `--no-refresh`: what is recorded is taken for true.
    NotAt,
}

const RECORDED: u8 = 1;
const DIFFERS: u8 = 2;
const OBJECT_BAD: u8 = 4;
const HAS_ROW: u8 = 8;
const ROW_SAME: u8 = 16;
const ROW_SEEN: u8 = 32;
const UNOWNED: u8 = 64;

/// How many extra rows are named.
const EXAMPLES_MAX: usize = 5;

/// Takes records and rows one at a time and remembers which assets differ.
pub struct HeadComparison<'h> {
    heads: &'h Heads,
    rows: Coverage,
    marks: Vec<u8>,
    seen: Vec<Option<SeenDigest>>,
    strangers: BTreeSet<String>,
    rows_read: u64,
    unowned_rows: u64,
    extra_rows: u64,
    extra_examples: Vec<String>,
    twins: Vec<(String, usize)>,
}

/// What the first pass leaves for the second.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suspects {
    /// The numbers of assets that differ, or have no record, ascending.
    pub assets: Vec<usize>,
    /// Keys of records that no asset declares.
    pub strangers: Vec<AssetKey>,
    /// How many rows were read.
    pub rows_read: u64,
    /// How many rows no record owns.
    pub unowned_rows: u64,
    /// How many of them no asset declares either.
    pub extra_rows: u64,
    /// Some of their keys.
    pub extra_examples: Vec<String>,
    /// The numbers of assets without a record that have a row, ascending.
    pub unadopted: Vec<usize>,
    /// Keys of rows that differ in case only from that of an asset without a record and without a row: its number.
    pub twins: Vec<(String, usize)>,
}

impl Suspects {
    /// Adds assets that are to be looked at for another reason.
    pub fn add(&mut self, numbers: Vec<usize>) {
        self.assets.extend(numbers);
        self.assets.sort_unstable();
        self.assets.dedup();
    }
}

impl<'h> HeadComparison<'h> {
    /// Begins with the heads of a collection. `rows` says whether rows will follow the records.
    pub fn new(heads: &'h Heads, rows: Coverage) -> Self {
        let count = heads.all().len();
        let seen = match rows {
            Coverage::At => vec![None; count],
            Coverage::NotAt => Vec::new(),
        };
        Self {
            heads,
            rows,
            marks: vec![0; count],
            seen,
            strangers: BTreeSet::new(),
            rows_read: 0,
            unowned_rows: 0,
            extra_rows: 0,
            extra_examples: Vec::new(),
            twins: Vec::new(),
        }
    }

    /// Takes a record, and returns the number of its asset, where one is declared.
    pub fn record(&mut self, record: &RecordHead<'_>) -> Option<usize> {
        let RecordHead { key, recipe, renditions, row, protect, hold, extra_labels, objects: _ } = *record;
        let Some(index) = self.heads.find(key) else {
            self.strangers.insert(key.to_owned());
            return None;
        };
        let head = &self.heads.all()[index];
        let same = head.recipe == recipe
            && head.renditions == renditions
            && head.row == row.map(|(declared, _)| declared)
            && head.protect.is_none_or(|declared| declared == protect)
            && head.hold == hold
            && head.extra_labels.as_deref().unwrap_or_default() == extra_labels;
        let mut mark = RECORDED;
        if !same {
            mark |= DIFFERS;
        }
        if let Some((_, seen)) = row {
            mark |= HAS_ROW;
            if self.rows == Coverage::At {
                self.seen[index] = Some(seen);
            }
        }
        self.marks[index] = mark;
        Some(index)
    }

    /// Notes that a published file of an asset was not found with its size.
    pub fn object_is_bad(&mut self, number: usize) {
        self.marks[number] |= OBJECT_BAD;
    }

    /// Takes a row of the published table; records come first.
    pub fn row(&mut self, key: &str, seen: SeenDigest) {
        self.rows_read += 1;
        match self.heads.find(key) {
            Some(index) if self.marks[index] & HAS_ROW != 0 => {
                self.marks[index] |= ROW_SEEN;
                if self.seen[index] == Some(seen) {
                    self.marks[index] |= ROW_SAME;
                }
            }
            _ if self.strangers.contains(key) => {}
            Some(index) => {
                self.unowned_rows += 1;
                self.marks[index] |= UNOWNED;
            }
            None => {
                self.unowned_rows += 1;
                self.extra_rows += 1;
                if let Some(index) = self.heads.find_folded(key)
                    && self.marks[index] & RECORDED == 0
                {
                    self.twins.push((key.to_owned(), index));
                }
                if self.extra_examples.len() < EXAMPLES_MAX {
                    self.extra_examples.push(key.to_owned());
                }
            }
        }
    }

    /// Ends the pass.
    pub fn finish(self) -> Suspects {
        let rows = self.rows;
        let suspect = |mark: &u8| {
            let row_lost = rows == Coverage::At && mark & HAS_ROW != 0 && mark & ROW_SAME == 0;
            mark & RECORDED == 0 || mark & (DIFFERS | OBJECT_BAD) != 0 || row_lost
        };
        let numbered = |wanted: &dyn Fn(&u8) -> bool| {
            self.marks.iter().enumerate().filter(|(_, mark)| wanted(mark)).map(|(index, _)| index).collect()
        };
        let mut twins = self.twins;
        // Rows come in any order: the asset's own may have come after its twin.
        twins.retain(|(_, index)| self.marks[*index] & UNOWNED == 0);
        twins.sort_unstable();
        Suspects {
            assets: numbered(&suspect),
            unadopted: numbered(&|mark| mark & (RECORDED | UNOWNED) == UNOWNED),
            twins,
            unowned_rows: self.unowned_rows,
            strangers: self.strangers.iter().filter_map(|key| key.parse().ok()).collect(),
            rows_read: self.rows_read,
            extra_rows: self.extra_rows,
            extra_examples: self.extra_examples,
        }
    }
}
