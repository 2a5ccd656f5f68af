//! A refusal: why a plan must not be carried out, and the way out.

use std::fmt;

/// One reason not to carry a plan out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRefusal {
    /// Its code in plan documents.
    pub code: &'static str,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub way_out: String,
}

impl fmt::Display for PlanRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.way_out)
    }
}
