//! Plans that are kept: what was reviewed, to be carried out later and nothing else.
//!
//! The words only; what stands in a document is for `render` to say, and whether it may still be carried out for `plan`.

use crate::digest::PlanDigest;

/// A plan as it was when somebody looked at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlan {
    /// Its digest, which is the name of what was reviewed.
    pub digest: PlanDigest,
    /// Its document.
    pub document: String,
    /// The run that kept it.
    pub run: String,
}
