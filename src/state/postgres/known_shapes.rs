//! Tables that were found to fit: a run that commits again and again looks at each once.
//!
//! Whoever changes a table while rows are written to it is told by the database; then it is looked at anew.

use std::sync::{Mutex, PoisonError};

use super::table::PostgresShape;
use crate::asset::TableSpec;

/// The shapes of tables that fit.
#[derive(Default)]
pub(super) struct Shapes(Mutex<Vec<(TableSpec, PostgresShape)>>);

impl Shapes {
    /// Returns the shape of a table that was found to fit.
    pub(super) fn get(&self, spec: &TableSpec) -> Option<PostgresShape> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(known, _)| known == spec).map(|(_, shape)| shape.clone())
    }

    /// Keeps the shape of a table that fits.
    pub(super) fn keep(&self, spec: &TableSpec, shape: &PostgresShape) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((spec.clone(), shape.clone()));
    }

    /// Forgets all of them.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
