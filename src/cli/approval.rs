//! What was approved: a plan by its digest, or in a file.

use std::path::{Path, PathBuf};

use crate::digest::PlanDigest;
use crate::files;
use crate::plan::{Approved, Plan};
use crate::render;
use crate::world::World;

use super::{Failure, ManifestArgs};

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
    /// Takes plan documents from among the manifests: what ends in `.json`.
    ///
    /// # Errors
    /// When there is more than one plan.
    pub fn split(expect: Option<PlanDigest>, manifests: &ManifestArgs) -> Result<(Self, ManifestArgs), Failure> {
        let is_plan =
            |path: &&PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let (plans, manifests): (Vec<&PathBuf>, Vec<&PathBuf>) = manifests.manifests.iter().partition(is_plan);
        let approval = match (expect, plans.as_slice()) {
            (None, []) => Self::None,
            (Some(digest), []) => Self::Digest(digest),
            (None, [plan]) => Self::Document((*plan).clone()),
            (Some(_), [_, ..]) | (None, [_, _, ..]) => {
                let help = "name one plan: with `--expect sha256:…`, or a file that `pixform plan --out` wrote";
                return Err(Failure::usage("only one plan can be carried out at a time", help));
            }
        };
        Ok((approval, ManifestArgs { manifests: manifests.into_iter().cloned().collect() }))
    }

    /// Returns the plan that was approved; `None` where none was named, or the state does not know it.
    ///
    /// # Errors
    /// When it cannot be read, or was made for another environment.
    pub async fn plan(&self, world: &World) -> Result<Option<Approved>, Failure> {
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
            Failure::usage(format!("{place} cannot be carried out: {error}"), help)
        })?;
        if approved.environment != world.environment {
            return Err(Failure::NotApproved {
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
    pub fn check_exact(&self, plan: &Plan, approved: Option<&Approved>) -> Result<(), Failure> {
        let (Self::Digest(expected), None) = (self, approved) else { return Ok(()) };
        let found = plan.digest();
        if found == *expected {
            return Ok(());
        }
        Err(Failure::NotApproved {
            message: format!("the plan is {found}, and {expected} was approved, which the state does not know"),
            help: "look at the plan as it is now; a plan that `pixform preview` showed is known to the state, and one \
                   that `pixform plan --out FILE` wrote can be named instead"
                .to_owned(),
        })
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let failure = |source| Failure::Read { path: path.to_path_buf(), source };
    files::read_text(path, DOCUMENT_BYTES_MAX).map_err(failure)
}
