//! The way out of a failure: its exit code, what to do about it, and the one command to run next.
//!
//! Every error is named, so that a new one is given its way out where it is made.

use std::io::ErrorKind;
use std::path::Path;

use crate::apply::ApplyError;
use crate::engine::EngineError;
use crate::planner::{Conflict, PlannerError};
use crate::render;
use crate::server::ServerError;
use crate::state::{Holder, StateError};
use crate::storage::{MarkerError, StorageError};
use crate::world::WorldError;

use super::Failure;

/// How a command ends that failed, and how it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    /// The exit code.
    pub code: u8,
    /// What to do about it, one sentence, where there is something to say.
    pub help: Option<String>,
    /// The one command to run next.
    pub next: Option<&'static str>,
}

impl WayOut {
    fn new(code: u8, help: Option<String>, next: Option<&'static str>) -> Self {
        Self { code, help, next }
    }

    /// Returns the way out of a plain error: look at the plan as it is now.
    fn planned_anew(help: Option<String>) -> Self {
        Self::new(1, help, Some("pixform plan"))
    }

    /// Returns the way out of a failure.
    pub fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Runtime(_) => Self::new(1, None, None),
            Failure::Directory { .. } => {
                Self::new(1, Some("name a folder that exists, and that you may enter".to_owned()), None)
            }
            Failure::Usage { help, .. } => Self::new(1, Some(help.clone()), None),
            Failure::Engine(error) => of_engine(error),
            Failure::Server(error) => Self::new(1, server_help(error), None),
            Failure::Refused => Self::new(3, None, Some("pixform plan")),
            Failure::Declined => Self::new(1, None, None),
        }
    }
}

fn of_engine(error: &EngineError) -> WayOut {
    match error {
        EngineError::Config(_) | EngineError::Write { .. } => WayOut::new(1, None, None),
        EngineError::Read { path, source } => WayOut::new(1, read_help(path, source.kind()), None),
        EngineError::Manifest(_) | EngineError::Broken { .. } => WayOut::new(1, None, Some("pixform validate")),
        EngineError::NoManifest { .. } => {
            WayOut::new(1, Some("`pixform init` writes a first one".to_owned()), Some("pixform init"))
        }
        EngineError::NoAsset { help, .. } => WayOut::new(1, Some(help.clone()), Some("pixform list")),
        EngineError::Unfit { help, .. } => WayOut::new(1, Some(help.clone()), None),
        EngineError::NotApproved { help, .. } => WayOut::new(6, Some(help.clone()), Some("pixform plan")),
        EngineError::Planner(error) => of_planner(error),
        EngineError::Apply(error) => of_apply(error),
        EngineError::World(error) => WayOut::planned_anew(world_help(error)),
        EngineError::State(error) => WayOut::planned_anew(state_help(error)),
    }
}

fn of_planner(error: &PlannerError) -> WayOut {
    let stale = |help: String| WayOut { code: 6, ..WayOut::planned_anew(Some(help)) };
    match error {
        PlannerError::NotApproved(strays) => stale(render::strays_text(strays)),
        PlannerError::Dearer { .. } => {
            stale("nothing was bought: preview it again, or have the new price approved".to_owned())
        }
        PlannerError::World(error) => WayOut::planned_anew(world_help(error)),
        PlannerError::State(error) => WayOut::planned_anew(state_help(error)),
        PlannerError::Table(unfit) => {
            let lines = unfit.problems.iter().map(|problem| match problem.mend.as_str() {
                "" => problem.message.clone(),
                mend => format!("{}: {mend}", problem.message),
            });
            WayOut::planned_anew(Some(lines.collect::<Vec<_>>().join("\n")))
        }
        PlannerError::Shared(_) => WayOut::planned_anew(Some(
            "a row has one owner: give one of the two another key or another table, or, where the asset went from one to the other, say so with `moved`"
                .to_owned(),
        )),
        PlannerError::TwoLines(lines) => WayOut::planned_anew(Some(match lines.conflict {
            Conflict::EquallyExact => format!(
                "take one of the two out, or add a line `from: \"{}:{}\"`: the more exact line counts",
                lines.collection, lines.key
            ),
            Conflict::OneAfterTheOther => format!(
                "a record takes one line: write the second as one from the other collection, as in \
                 `{{ from: \"{}:{}\", to: {} }}`, or take it out if it was carried out long ago",
                lines.collection, lines.key, lines.lines[1].0
            ),
        })),
        PlannerError::Torn { leaves, .. } => {
            WayOut::planned_anew(Some(format!("select both, with `--only {leaves}` beside it, or none of the two")))
        }
    }
}

fn of_apply(error: &ApplyError) -> WayOut {
    let stale = |help: Option<String>| WayOut { code: 6, ..WayOut::planned_anew(help) };
    match error {
        ApplyError::Refused(refusal) => WayOut { code: 3, ..WayOut::planned_anew(Some(refusal.way_out().to_owned())) },
        ApplyError::Held(holder) => WayOut::new(5, Some(held_help(holder)), Some("pixform apply --wait 5m")),
        ApplyError::AtWork(run) => {
            let help = format!(
                "process {} on host {} began before: nothing was deleted; run it again later, or wait longer with `--wait 1h`",
                run.process.pid, run.process.host
            );
            WayOut::new(5, Some(help), Some("pixform gc"))
        }
        ApplyError::Overslept => WayOut::new(1, None, Some("pixform gc")),
        ApplyError::Stale { .. } => {
            stale(Some("somebody applied in between: look at the new plan before you go on".to_owned()))
        }
        ApplyError::Collected { .. } => stale(None),
        ApplyError::NotCopied { source, .. } => {
            let help = storage_help(source)
                .unwrap_or_else(|| "no row was switched, and what was copied stays copied: run it again".to_owned());
            WayOut::new(1, Some(help), Some("pixform apply"))
        }
        ApplyError::World(error) => WayOut::planned_anew(world_help(error)),
        ApplyError::Journal(error) => WayOut::planned_anew(world_help(error)),
        ApplyError::State(error) => WayOut::planned_anew(state_help(error)),
        ApplyError::Storage(error) | ApplyError::NotStored { source: error, .. } => {
            WayOut::planned_anew(storage_help(error))
        }
        ApplyError::Marker(error) => WayOut::planned_anew(marker_help(error)),
        ApplyError::NoGenerator(_)
        | ApplyError::Service { .. }
        | ApplyError::NotAsked { .. }
        | ApplyError::OutcomeUnknown { .. }
        | ApplyError::Undecided { .. }
        | ApplyError::Rejected { .. }
        | ApplyError::Withheld { .. }
        | ApplyError::Lost { .. }
        | ApplyError::Judged { .. }
        | ApplyError::FailedRepeatedly { .. }
        | ApplyError::UnderWay { .. }
        | ApplyError::Capped { .. }
        | ApplyError::NotBegun { .. }
        | ApplyError::NoPicture { .. }
        | ApplyError::Picture { .. }
        | ApplyError::Damaged { .. }
        | ApplyError::BeingDeleted { .. }
        | ApplyError::Row { .. }
        | ApplyError::MadeElsewhere { .. }
        | ApplyError::RenameHeldBack { .. }
        | ApplyError::Worker => WayOut::planned_anew(None),
    }
}

fn server_help(error: &ServerError) -> Option<String> {
    match error {
        ServerError::Listen { .. } => Some(
            "write an address and a port where no other program listens, as in `--listen 127.0.0.1:8081`".to_owned(),
        ),
        ServerError::State(error) => state_help(error),
        ServerError::Folder { .. } => None,
    }
}

fn world_help(error: &WorldError) -> Option<String> {
    match error {
        WorldError::State(error) => state_help(error),
        WorldError::Storage(error) => storage_help(error),
        WorldError::Marker(error) => marker_help(error),
    }
}

fn marker_help(error: &MarkerError) -> Option<String> {
    match error {
        MarkerError::Storage(error) => storage_help(error),
        MarkerError::Shape | MarkerError::CutOff | MarkerError::Version { .. } | MarkerError::Field { .. } => None,
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
        StateError::Altered { .. } | StateError::Silent | StateError::Row { .. } | StateError::Database { .. } => None,
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
        StorageError::Missing { .. } | StorageError::Io { .. } => None,
    }
}

fn read_help(path: &Path, kind: ErrorKind) -> Option<String> {
    match kind {
        ErrorKind::NotFound => Some("check the name, and the folder that you are in".to_owned()),
        ErrorKind::IsADirectory => Some(format!("name the files in it, as in `{}/*.yaml`", path.display())),
        ErrorKind::PermissionDenied => Some("make it readable for you".to_owned()),
        // Of the many kinds that the system knows these are the ones that people can do something about.
        _ => None,
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
