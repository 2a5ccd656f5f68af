//! What was approved: a plan by its digest, or in a file.

use std::path::{Path, PathBuf};

use crate::digest::PlanDigest;
use crate::files;
use crate::plan::{Approved, Plan};
use crate::render;
use crate::world::World;

use super::EngineError;

/// Largest plan document that is read, in bytes: that of some 500,000 changes.
const DOCUMENT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Which plan was approved.
#[derive(Debug, Clone, Default)]
pub enum Approval {
    /// None: whatever the manifests ask for is carried out.
    #[default]
    None,
    /// The one of this digest.
    Digest(PlanDigest),
    /// The one in this file.
    Document(PathBuf),
}

impl Approval {
    /// Returns the plan that was approved; `None` where none was named, or the state does not know it.
    ///
    /// # Errors
    /// When it cannot be read, or was made for another environment.
    pub async fn plan(&self, world: &World) -> Result<Option<Approved>, EngineError> {
        let (document, place) = match self {
            Self::None => return Ok(None),
            Self::Document(path) => (read(path)?, format!("`{}`", path.display())),
            Self::Digest(digest) => match world.state.kept_plan(digest).await? {
                Some(kept) => (kept.document, format!("the plan {digest} in the state")),
                None => return Ok(None),
            },
        };
        let approved = render::approved_plan(&document).map_err(|error| {
            let help = "name a file that `pixform plan --out` wrote, unchanged";
            EngineError::unfit(format!("{place} cannot be carried out: {error}"), help)
        })?;
        if approved.environment != world.environment {
            return Err(EngineError::NotApproved {
                message: format!(
                    "{place} was made for `{}`, and this is `{}`",
                    approved.environment, world.environment
                ),
                help: format!("choose it with `--env {}`", approved.environment),
            });
        }
        Ok(Some(approved))
    }

    /// Makes sure that a plan is exactly the one of the digest that was named, where the state does not know that one.
    ///
    /// # Errors
    /// Where it is another.
    pub fn check_exact(&self, plan: &Plan, approved: Option<&Approved>) -> Result<(), EngineError> {
        let (Self::Digest(expected), None) = (self, approved) else { return Ok(()) };
        let found = plan.digest();
        if found == *expected {
            return Ok(());
        }
        Err(EngineError::NotApproved {
            message: format!("the plan is {found}, and {expected} was approved, which the state does not know"),
            help: "look at the plan as it is now; a plan that `pixform preview` showed is known to the state, and one \
                   that `pixform plan --out FILE` wrote can be named instead"
                .to_owned(),
        })
    }
}

fn read(path: &Path) -> Result<String, EngineError> {
    let failure = |source| EngineError::Read { path: path.to_path_buf(), source };
    files::read_text(path, DOCUMENT_BYTES_MAX).map_err(failure)
}
