//! Runs: who began them, and whether they still work.

use std::collections::{BTreeSet, HashSet};

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::Transaction;
use super::failure::PostgresFailure;
use super::schema::NOW;
use crate::process::Process;
use crate::state::stored_form::{is_dead, run_ended, signed, unsigned};
use crate::state::{IsAlive, Run, RunOrigin, StateError};

/// Remembers that a run began; a run that is remembered already stays as it is.
pub(super) async fn start_run(transaction: &Transaction, run: &Run) -> Result<(), PostgresFailure> {
    let Run { id, command, process, origin } = run;
    let Process { host, boot, namespace, pid, started } = process;
    let RunOrigin { actor, commit, run_url, branch, pull_request } = origin;
    let (pid, started) = (i64::from(*pid), signed(*started));
    let sql = "INSERT INTO pixform.runs
                 (id, command, host, boot, namespace, pid, started, actor, commit_sha, run_url, branch, pull_request)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
    let params = [
        (id as _, Type::TEXT),
        (command as _, Type::TEXT),
        (host as _, Type::TEXT),
        (boot as _, Type::TEXT),
        (namespace as _, Type::TEXT),
        (&pid as _, Type::INT8),
        (&started as _, Type::INT8),
        (actor as _, Type::TEXT),
        (commit as _, Type::TEXT),
        (run_url as _, Type::TEXT),
        (branch as _, Type::TEXT),
        (pull_request as _, Type::TEXT),
    ];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}

/// Remembers how a run ended.
pub(super) async fn finish_run(transaction: &Transaction, run: &str, outcome: &str) -> Result<(), PostgresFailure> {
    let sql = format!("UPDATE pixform.runs SET outcome = $2, finished_at = {NOW} WHERE id = $1");
    transaction.execute_typed(&sql, &[(&run, Type::TEXT), (&outcome, Type::TEXT)]).await?;
    Ok(())
}

/// Remembers that runs still work.
pub(super) async fn beat(transaction: &Transaction, runs: &[&str]) -> Result<(), PostgresFailure> {
    let sql = format!("UPDATE pixform.runs SET heartbeat_at = {NOW} WHERE id = ANY($1)");
    transaction.execute_typed(&sql, &[(&runs, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

/// Remembers that a run without a lease still works, unless others may take it for dead by now; and, where there is one, the
/// name of the question that it asks.
pub(super) async fn beat_alone(
    transaction: &Transaction,
    run: &str,
    question: Option<&str>,
) -> Result<(), PostgresFailure> {
    let sql = format!(
        "UPDATE pixform.runs AS r SET heartbeat_at = {NOW}, commit_id = coalesce($2, r.commit_id)
         WHERE r.id = $1 AND NOT {}",
        run_ended(NOW)
    );
    match transaction.execute_typed(&sql, &[(&run, Type::TEXT), (&question, Type::TEXT)]).await? {
        0 => Err(StateError::Silent.into()),
        _ => Ok(()),
    }
}

/// Returns the name of the last question that a run was answered, and waits for one that is being answered.
pub(super) async fn stamped(transaction: &Transaction, run: &str) -> Result<Option<String>, PostgresFailure> {
    let sql = "SELECT commit_id FROM pixform.runs WHERE id = $1 FOR UPDATE";
    let found = transaction.query_typed_opt(sql, &[(&run, Type::TEXT)]).await?;
    Ok(found.map(|row| row.try_get::<_, Option<String>>(0)).transpose()?.flatten())
}

/// Reads command, process and origin from the columns from that one on.
pub(super) fn read(row: &Row, first: usize) -> Result<(String, Process, RunOrigin), PostgresFailure> {
    let origin = RunOrigin {
        actor: row.try_get(first + 6)?,
        commit: row.try_get(first + 7)?,
        run_url: row.try_get(first + 8)?,
        branch: row.try_get(first + 9)?,
        pull_request: row.try_get(first + 10)?,
    };
    Ok((row.try_get(first)?, process(row, first + 1)?, origin))
}

fn process(row: &Row, first: usize) -> Result<Process, PostgresFailure> {
    Ok(Process {
        host: row.try_get(first)?,
        boot: row.try_get(first + 1)?,
        namespace: row.try_get(first + 2)?,
        pid: u32::try_from(row.try_get::<_, i64>(first + 3)?).unwrap_or_default(),
        started: unsigned(row.try_get(first + 4)?),
    })
}

/// The dead ones of those runs that were looked at.
pub(super) struct DeadRuns(HashSet<String>);

impl DeadRuns {
    /// Looks at runs, each once.
    pub(super) async fn look(
        transaction: &Transaction,
        runs: BTreeSet<&str>,
        liveness: IsAlive<'_>,
    ) -> Result<Self, PostgresFailure> {
        if runs.is_empty() {
            return Ok(Self(HashSet::new()));
        }
        let runs: Vec<&str> = runs.into_iter().collect();
        let sql = format!(
            "SELECT r.id, r.host, r.boot, r.namespace, r.pid, r.started, r.finished_at IS NOT NULL, {}
             FROM pixform.runs AS r WHERE r.id = ANY($1)",
            run_ended(NOW)
        );
        let mut dead = HashSet::new();
        for row in transaction.query_typed(&sql, &[(&runs, Type::TEXT_ARRAY)]).await? {
            let (finished, ended): (bool, bool) = (row.try_get(6)?, row.try_get(7)?);
            if is_dead(liveness(&process(&row, 1)?), finished, ended) {
                dead.insert(row.try_get(0)?);
            }
        }
        Ok(Self(dead))
    }

    /// Tells whether a run is dead; one that was never remembered is not.
    pub(super) fn has(&self, run: &str) -> bool {
        self.0.contains(run)
    }
}
