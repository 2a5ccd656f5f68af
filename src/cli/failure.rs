//! What can end a command without its having done what it was asked for.

use std::path::PathBuf;

use crate::apply::ApplyError;
use crate::engine::EngineError;
use crate::planner::PlannerError;
use crate::server::ServerError;
use crate::state::StateError;
use crate::world::WorldError;

/// Why a command ends without having done what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The async runtime did not start.
    #[error("the program could not be started")]
    Runtime(#[source] std::io::Error),
    /// `-C` names no folder.
    #[error("`{path}` is no folder that can be entered", path = path.display())]
    Directory {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The arguments do not fit together.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// The engine could not do it.
    #[error(transparent)]
    Engine(EngineError),
    /// The server could not be started.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A guard refused; the plan told why.
    #[error("the plan was refused")]
    Refused,
    /// The question was not answered with `yes`.
    #[error("nothing was done: the answer was not `yes`")]
    Declined,
}

impl Failure {
    /// Makes a usage failure.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: help.into() }
    }

    /// Makes the failure of a command some of whose manifests cannot be used; each was told of.
    pub fn broken(count: usize) -> Self {
        Self::Engine(EngineError::Broken { count })
    }

    /// Makes the failure to write a file.
    pub fn write(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Engine(EngineError::Write { path: path.to_path_buf(), source })
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<PlannerError> for Failure {
    fn from(error: PlannerError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Engine(error.into())
    }
}
