//! Runs: who began them, and whether they still work.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::failure::SqliteFailure;
use super::schema::NOW;
use crate::process::Process;
use crate::state::stored_form::{is_dead, run_columns, run_ended, signed, unsigned};
use crate::state::{IsAlive, Run, RunOrigin, Schema, StateError};

/// Remembers that a run began; a run that is remembered already stays as it is.
pub(super) fn start_run(transaction: &Transaction<'_>, run: &Run) -> Result<(), SqliteFailure> {
    let Run { id, command, process, origin } = run;
    let Process { host, boot, namespace, pid, started } = process;
    let RunOrigin { actor, commit, run_url, branch, pull_request } = origin;
    transaction.execute(
        "INSERT INTO pixform_runs
           (id, command, host, boot, namespace, pid, started, actor, commit_sha, run_url, branch, pull_request)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
        params![
            id,
            command,
            host,
            boot,
            namespace,
            pid,
            signed(*started),
            actor,
            commit,
            run_url,
            branch,
            pull_request
        ],
    )?;
    Ok(())
}

/// Remembers how a run ended.
pub(super) fn finish_run(transaction: &Transaction<'_>, run: &str, outcome: &str) -> Result<(), SqliteFailure> {
    transaction
        .execute(&format!("UPDATE pixform_runs SET outcome = ?2, finished_at = {NOW} WHERE id = ?1"), [run, outcome])?;
    Ok(())
}

/// Remembers that a run without a lease still works, unless others may take it for dead by now.
pub(super) fn beat(transaction: &Transaction<'_>, run: &str) -> Result<(), SqliteFailure> {
    let sql = format!("UPDATE pixform_runs AS r SET heartbeat_at = {NOW} WHERE r.id = ?1 AND NOT {}", run_ended(NOW));
    match transaction.execute(&sql, [run])? {
        0 => Err(StateError::Silent.into()),
        _ => Ok(()),
    }
}

/// Returns a run; `None` for one that was never remembered.
pub(super) fn run(connection: &Connection, schema: Schema, id: &str) -> Result<Option<Run>, SqliteFailure> {
    let sql = format!("SELECT {} FROM pixform_runs AS r WHERE r.id = ?1", run_columns(schema));
    let found =
        connection.prepare(&sql)?.query_row([id], |row| Ok((command(row, 0)?, process(row, 0)?, origin(row, 0)?)));
    let run = found.optional()?;
    Ok(run.map(|(command, process, origin)| Run { id: id.to_owned(), command, process, origin }))
}

/// Reads the command from the columns from that one on.
pub(super) fn command(row: &Row<'_>, first: usize) -> rusqlite::Result<String> {
    row.get(first)
}

/// Reads the process, likewise.
pub(super) fn process(row: &Row<'_>, first: usize) -> rusqlite::Result<Process> {
    let started = unsigned(row.get(first + 5)?);
    Ok(Process {
        host: row.get(first + 1)?,
        boot: row.get(first + 2)?,
        namespace: row.get(first + 3)?,
        pid: row.get(first + 4)?,
        started,
    })
}

/// Reads the origin, likewise.
pub(super) fn origin(row: &Row<'_>, first: usize) -> rusqlite::Result<RunOrigin> {
    Ok(RunOrigin {
        actor: row.get(first + 6)?,
        commit: row.get(first + 7)?,
        run_url: row.get(first + 8)?,
        branch: row.get(first + 9)?,
        pull_request: row.get(first + 10)?,
    })
}

/// Tells of runs whether they are dead; each is looked at once.
pub(super) struct RunLiveness<'q> {
    connection: &'q Connection,
    liveness: IsAlive<'q>,
    dead: HashMap<String, bool>,
}

impl<'q> RunLiveness<'q> {
    /// Begins without having looked at any.
    pub(super) fn new(connection: &'q Connection, liveness: IsAlive<'q>) -> Self {
        Self { connection, liveness, dead: HashMap::new() }
    }

    /// Tells whether a run is dead; one that was never remembered is not.
    pub(super) fn is_dead(&mut self, run: &str) -> Result<bool, SqliteFailure> {
        if let Some(dead) = self.dead.get(run) {
            return Ok(*dead);
        }
        let sql = format!(
            "SELECT r.command, r.host, r.boot, r.namespace, r.pid, r.started, r.finished_at IS NOT NULL, {}
             FROM pixform_runs AS r WHERE r.id = ?1",
            run_ended(NOW)
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement
            .query_row([run], |row| Ok((process(row, 0)?, row.get::<_, bool>(6)?, row.get::<_, bool>(7)?)))
            .optional()?;
        let dead = found.is_some_and(|(process, finished, ended)| is_dead((self.liveness)(&process), finished, ended));
        self.dead.insert(run.to_owned(), dead);
        Ok(dead)
    }
}
