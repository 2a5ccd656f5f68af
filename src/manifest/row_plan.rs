//! What all rows of a manifest share.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::asset::RowShape;
use crate::yaml::Span;

/// The shape of all rows, and the names that their columns use.
pub struct RowPlan {
    /// Table and columns.
    pub shape: Arc<RowShape>,
    /// The inputs by name, ascending, with the template that uses each.
    pub inputs: Vec<(String, Span)>,
    /// Where each column stands.
    pub places: BTreeMap<String, Span>,
}
