//! What can end a command: its words, its way out, its exit code.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::apply::ApplyError;
use crate::config::ConfigError;
use crate::planner::{Conflict, PlannerError};
use crate::render;
use crate::state::{Holder, StateError};
use crate::storage::{MarkerError, StorageError};
use crate::world::WorldError;
use crate::yaml::ManifestError;

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
    /// `pixform.yaml`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of ours cannot be read.
    #[error("`{path}` cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("`{path}` cannot be written", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A manifest has mistakes.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Manifests were told of already, one by one.
    #[error("{}", cannot_be_used(*.count))]
    Told {
        /// How many.
        count: usize,
    },
    /// There is no manifest.
    #[error("there is no manifest in {looked}")]
    NoManifest {
        /// Where was looked.
        looked: String,
    },
    /// Planning failed.
    #[error(transparent)]
    Planner(#[from] PlannerError),
    /// The server could not be started.
    #[error(transparent)]
    Server(#[from] crate::server::ServerError),
    /// Applying failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// State or storage failed.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// A guard refused; the plan told why.
    #[error("the plan was refused")]
    Refused,
    /// What is there is not what was approved.
    #[error("{message}")]
    NotApproved {
        /// What differs.
        message: String,
        /// What to do.
        help: String,
    },
    /// No asset has the key.
    #[error("no manifest declares `{key}`")]
    NoAsset {
        /// What was asked for.
        key: String,
        /// What to do.
        help: String,
    },
    /// The question was not answered with `yes`.
    #[error("nothing was done: the answer was not `yes`")]
    Declined,
}

impl Failure {
    /// Makes a usage failure.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: help.into() }
    }

    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused | Self::Apply(ApplyError::Refused(_)) => 3,
            Self::Apply(ApplyError::Held(_) | ApplyError::AtWork(_)) => 5,
            Self::Apply(ApplyError::Stale { .. } | ApplyError::Collected { .. })
            | Self::NotApproved { .. }
            | Self::Planner(PlannerError::NotApproved(_) | PlannerError::Dearer { .. }) => 6,
            _ => 1,
        }
    }

    /// Returns what to do about it, one sentence, where there is something to say.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Usage { help, .. } | Self::NoAsset { help, .. } | Self::NotApproved { help, .. } => Some(help.clone()),
            Self::Planner(PlannerError::NotApproved(strays)) => Some(render::strays_text(strays)),
            Self::Planner(PlannerError::Dearer { .. }) => {
                Some("nothing was bought: preview it again, or have the new price approved".to_owned())
            }
            Self::Read { path, source } => read_help(path, source.kind()),
            Self::Directory { .. } => Some("name a folder that exists, and that you may enter".to_owned()),
            Self::Server(crate::server::ServerError::Listen { .. }) => {
                Some("write an address and a port where no other program listens, as in `--listen 127.0.0.1:8081`".to_owned())
            }
            Self::Server(crate::server::ServerError::State(error)) => state_help(error),
            Self::NoManifest { .. } => Some("`pixform init` writes a first one".to_owned()),
            Self::Planner(PlannerError::State(error) | PlannerError::World(WorldError::State(error)))
            | Self::World(WorldError::State(error))
            | Self::Apply(ApplyError::State(error) | ApplyError::World(WorldError::State(error)))
            | Self::State(error) => state_help(error),
            Self::Planner(PlannerError::World(
                WorldError::Storage(error) | WorldError::Marker(MarkerError::Storage(error)),
            ))
            | Self::World(WorldError::Storage(error) | WorldError::Marker(MarkerError::Storage(error)))
            | Self::Apply(
                ApplyError::Storage(error)
                | ApplyError::NotStored { source: error, .. }
                | ApplyError::Marker(MarkerError::Storage(error))
                | ApplyError::World(WorldError::Storage(error) | WorldError::Marker(MarkerError::Storage(error))),
            ) => storage_help(error),
            Self::Planner(PlannerError::Table(unfit)) => {
                let lines = unfit.problems.iter().map(|problem| match problem.mend.as_str() {
                    "" => problem.message.clone(),
                    mend => format!("{}: {mend}", problem.message),
                });
                Some(lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Planner(PlannerError::Shared(_)) => Some(
                "a row has one owner: give one of the two another key or another table, or, where the asset went from one to the other, say so with `moved`"
                    .to_owned(),
            ),
            Self::Planner(PlannerError::TwoLines(lines)) => Some(match lines.conflict {
                Conflict::EquallyExact => format!(
                    "take one of the two out, or add a line `from: \"{}:{}\"`: the more exact line counts",
                    lines.collection, lines.key
                ),
                Conflict::OneAfterTheOther => format!(
                    "a record takes one line: write the second as one from the other collection, as in \
                     `{{ from: \"{}:{}\", to: {} }}`, or take it out if it was carried out long ago",
                    lines.collection, lines.key, lines.lines[1].0
                ),
            }),
            Self::Planner(PlannerError::Torn { leaves, .. }) => {
                Some(format!("select both, with `--only {leaves}` beside it, or none of the two"))
            }
            Self::Apply(ApplyError::Journal(error)) => match &**error {
                WorldError::State(error) => state_help(error),
                WorldError::Storage(error) | WorldError::Marker(MarkerError::Storage(error)) => storage_help(error),
                WorldError::Marker(_) => None,
            },
            Self::Apply(ApplyError::NotCopied { source, .. }) => Some(storage_help(source).unwrap_or_else(|| {
                "no row was switched, and what was copied stays copied: run it again".to_owned()
            })),
            Self::Apply(ApplyError::Refused(refusal)) => Some(refusal.way_out().to_owned()),
            Self::Apply(ApplyError::Held(holder)) => Some(held_help(holder)),
            Self::Apply(ApplyError::AtWork(run)) => Some(format!(
                "process {} on host {} began before: nothing was deleted; run it again later, or wait longer with `--wait 1h`",
                run.process.pid, run.process.host
            )),
            Self::Apply(ApplyError::Stale { .. }) => {
                Some("somebody applied in between: look at the new plan before you go on".to_owned())
            }
            _ => None,
        }
    }

    /// Returns the one command to run next.
    pub fn next(&self) -> Option<&'static str> {
        match self {
            Self::Manifest(_) | Self::Told { .. } => Some("pixform validate"),
            Self::NoManifest { .. } => Some("pixform init"),
            Self::NoAsset { .. } => Some("pixform list"),
            Self::Apply(ApplyError::Held(_)) => Some("pixform apply --wait 5m"),
            Self::Apply(ApplyError::AtWork(_) | ApplyError::Overslept) => Some("pixform gc"),
            Self::Apply(ApplyError::NotCopied { .. }) => Some("pixform apply"),
            Self::Apply(_)
            | Self::Planner(_)
            | Self::World(_)
            | Self::State(_)
            | Self::Refused
            | Self::NotApproved { .. } => Some("pixform plan"),
            _ => None,
        }
    }
}

fn state_help(error: &StateError) -> Option<String> {
    match error {
        StateError::Scheme { scheme } => Some(match scheme.unwrap_or_default() {
            "http" | "https" => {
                "this is no database: at Supabase take the connection string of the dashboard (Connect), `postgres://…`"
                    .to_owned()
            }
            "file" | "s3" | "gs" | "az" | "supabase" => {
                "this is a store of files: write it below `storage`, and a database as `state:`, as in `state: sqlite:PATH`"
                    .to_owned()
            }
            _ => "write it as `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; another form, such as libpq's \
                  `host=… password=…`, is not read"
                .to_owned(),
        }),
        StateError::Address { help, .. } | StateError::Reader { help, .. } | StateError::Server { help, .. } => {
            Some(help.clone())
        }
        StateError::Denied { .. } => Some(
            "`pixform init --print-sql` prints the roles and rights that each command needs: run it as the database's owner; \
             `pixform_plan` only plans, `pixform_preview` previews, `pixform_apply` does the rest"
                .to_owned(),
        ),
        StateError::NotADatabase { .. } => {
            Some("the file was left as it is: move it away, or name another one under `state:`".to_owned())
        }
        StateError::Open { .. } => {
            Some("check that its folder exists, that it is a folder, and that you may write there".to_owned())
        }
        StateError::Unreadable { .. } => Some(
            "put a backup of the database back; without one move the file away: an apply finds the pictures again in the storage, and `pixform plan` tells first what it would do".to_owned(),
        ),
        StateError::Newer { .. } => Some("use the pixform that wrote it, or a newer one".to_owned()),
        StateError::Busy { .. } => Some("wait for the other process, or look who it is: pixform unlock".to_owned()),
        StateError::Full { .. } => Some("make room there and run it again: nothing that was stored is lost".to_owned()),
        StateError::Table { problems, .. } => Some(
            problems
                .iter()
                .map(|problem| format!("{}: {}", problem.message, problem.mend))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        StateError::Fenced { .. } => Some("this run stopped; the other one goes on".to_owned()),
        _ => None,
    }
}

fn storage_help(error: &StorageError) -> Option<String> {
    match error {
        StorageError::Scheme { scheme } => Some(match scheme.unwrap_or_default() {
            "postgres" | "postgresql" | "sqlite" => {
                "this is the URL of a database: write it as `state:` in pixform.yaml, and a store below `storage`"
                    .to_owned()
            }
            "http" | "https" => "name the kind of store, as in `url: \"supabase://PROJECT.supabase.co/BUCKET\"`, or \
                                 `url: \"s3://BUCKET\"` with `endpoint: https://…` beside it"
                .to_owned(),
            _ => "write `storage: { url: \"file:PATH\" }` in pixform.yaml".to_owned(),
        }),
        StorageError::Settings { help, .. } | StorageError::NoBucket { help, .. } => Some(help.clone()),
        StorageError::Denied { help, .. } | StorageError::NotAdmitted { help, .. } => Some((*help).to_owned()),
        StorageError::Altered { .. } => Some(
            "something between here and the store changes what passes: look for a proxy, then run it again".to_owned(),
        ),
        StorageError::Unusable { .. } => {
            Some("check that the folder exists, that it is a folder, and that you may write there".to_owned())
        }
        StorageError::Full { .. } => {
            Some("make room there and run it again: nothing that was stored is lost".to_owned())
        }
        StorageError::Different { .. } => {
            Some("pixform never overwrites a file that it did not write: move it away".to_owned())
        }
        _ => None,
    }
}

fn read_help(path: &Path, kind: ErrorKind) -> Option<String> {
    match kind {
        ErrorKind::NotFound => Some("check the name, and the folder that you are in".to_owned()),
        ErrorKind::IsADirectory => Some(format!("name the files in it, as in `{}/*.yaml`", path.display())),
        ErrorKind::PermissionDenied => Some("make it readable for you".to_owned()),
        _ => None,
    }
}

fn cannot_be_used(count: usize) -> String {
    match count {
        1 => "1 manifest cannot be used".to_owned(),
        count => format!("{count} manifests cannot be used"),
    }
}

/// Tells who holds a lease, and since when.
pub fn held_help(holder: &Holder) -> String {
    let Holder { run, since, expires, now, .. } = holder;
    format!(
        "process {} on host {} ({}) has had the lease for {}, and it ends in {} unless renewed; wait with `--wait 5m`, or look closer with `pixform unlock`",
        run.process.pid,
        run.process.host,
        run.command,
        seconds(now - since),
        seconds(expires - now)
    )
}

/// Writes a duration for people.
pub fn seconds(count: i64) -> String {
    match count.max(0) {
        1 => "1 second".to_owned(),
        count if count < 120 => format!("{count} seconds"),
        count if count < 7_200 => format!("{} minutes", count / 60),
        count => format!("{} hours", count / 3_600),
    }
}
