//! What settling needs beyond the environment itself.

use std::path::Path;

use crate::asset::KindSpec;

use super::Outside;

/// Where an environment is settled.
pub struct SettleContext<'c> {
    /// Where relative paths start.
    pub root: &'c Path,
    /// The file's text.
    pub source: &'c str,
    /// The kinds of generators that the program knows.
    pub kinds: &'c [&'static KindSpec],
    /// Where variables come from.
    pub outside: &'c Outside<'c>,
}
