//! YAML text as a tree in which everything knows its place, and what can be wrong with it in words for people.
//!
//! Scalars stay as they were written: what `no` or `012` means is decided by whoever reads them. The parser's own
//! wording stays in this room. Manifests and `pixform.yaml` are both read through it.

mod fields;
mod mistake;
pub mod scalar;
mod yaml_traps;
mod yaml_tree;

pub use fields::{Fields, cut_by_comma};
pub use mistake::{MISTAKES_SHOWN_MAX, ManifestError, Mistake, Mistakes, nearest};
pub use scalar::{Scalar, ScalarNotation};
pub use yaml_tree::{MapEntry, Node, Text, Value, YamlLimits, parse, parse_with};

/// A stretch of the source, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// Returns the stretch of text; empty where it lies outside.
    pub fn of(self, source: &str) -> &str {
        source.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Returns the stretch of the first occurrence of a word within this one, or all of it.
    pub fn narrow(self, source: &str, word: &str) -> Self {
        match self.of(source).find(word) {
            Some(at) if !word.is_empty() => {
                let start = self.start + at as u32;
                Self { start, end: start + word.len() as u32 }
            }
            _ => self,
        }
    }
}

/// Finds lines and columns in a source; built once.
#[derive(Debug, Clone)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Reads where the lines of a source begin.
    pub fn of(source: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1));
        Self { starts }
    }

    /// Returns line and column of a byte, both from 1; the column counts characters.
    pub fn locate(&self, source: &str, byte: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts[line - 1];
        let column = Span { start, end: byte }.of(source).chars().count() as u32 + 1;
        (line as u32, column)
    }
}
