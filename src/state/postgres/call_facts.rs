//! What came of calls: facts are written as they are told, by whoever tells them.
//!
//! The lines that a batch is about, and their rivals, are read at once; the facts are taken one after another in memory.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::originals::keep;
use super::record_reads::bytes;
use super::schema::{NOW, lock_ledger};
use crate::record::CallStatus;
use crate::state::CallFact;
use crate::state::call_lines::{OPEN, beside_a_rival};
use crate::state::stored_form::{OriginalPlace, signed};

/// Writes facts about calls, and the originals that they made.
pub(super) async fn settle(transaction: &Transaction, facts: &[CallFact]) -> Result<(), PostgresFailure> {
    if facts.is_empty() {
        return Ok(());
    }
    lock_ledger(transaction).await?;
    let mut settled = Settled::read(transaction, facts).await?;
    let mut originals = Vec::new();
    for fact in facts {
        let status = settled.take(fact);
        if let Some(original) = &fact.original {
            originals.push((original, OriginalPlace::of(status)));
        }
    }
    settled.write(transaction).await?;
    keep(transaction, &originals).await
}

/// A line that facts are about, or a rival of one.
struct Settling<'f> {
    recipe: [u8; 32],
    /// What it has come to; nothing, where this program does not know the word.
    status: Option<CallStatus>,
    changed: bool,
    reason: Option<&'f str>,
    task: Option<&'f str>,
    sha256: Option<&'f [u8]>,
    is_submitted: bool,
    cost: Option<i64>,
}

impl Settling<'_> {
    fn is_open(&self) -> bool {
        self.status.is_some_and(CallStatus::is_open)
    }
}

/// Lines by id.
struct Settled<'f>(BTreeMap<String, Settling<'f>>);

impl<'f> Settled<'f> {
    async fn read(transaction: &Transaction, facts: &[CallFact]) -> Result<Self, PostgresFailure> {
        let ids: Vec<&str> = facts.iter().map(|fact| fact.call.as_str()).collect();
        let sql = format!(
            "SELECT c.id, c.recipe, c.status FROM pixform.calls AS c
             WHERE c.id = ANY($1)
                OR c.status IN ({OPEN}) AND c.recipe IN (SELECT recipe FROM pixform.calls WHERE id = ANY($1))"
        );
        let mut lines = BTreeMap::new();
        for row in transaction.query_typed(&sql, &[(&ids, Type::TEXT_ARRAY)]).await? {
            let id: String = row.try_get(0)?;
            let place = || format!("the ledger line `{id}`");
            let status = CallStatus::parse(row.try_get(2)?);
            let recipe = bytes(&row, 1, place)?;
            let line = Settling {
                recipe,
                status,
                changed: false,
                reason: None,
                task: None,
                sha256: None,
                is_submitted: false,
                cost: None,
            };
            lines.insert(id, line);
        }
        Ok(Self(lines))
    }

    /// Takes a fact; returns the status that it comes to.
    fn take(&mut self, fact: &'f CallFact) -> CallStatus {
        let CallFact { call, status, task, sha256, original, reason, cost } = fact;
        let (mut status, mut reason) = (*status, reason.as_deref());
        if status.is_open()
            && let Some(line) = self.0.get(call)
            && self.0.iter().any(|(id, other)| id != call && other.recipe == line.recipe && other.is_open())
        {
            (status, reason) = beside_a_rival(line.status, reason);
        }
        if let Some(line) = self.0.get_mut(call)
            && (line.status != Some(CallStatus::Finished) || status == CallStatus::Finished)
        {
            line.status = Some(status);
            line.changed = true;
            line.reason = reason;
            line.task = task.as_deref().or(line.task);
            let sha256 = sha256.as_ref().or(original.as_ref().map(|original| &original.sha256));
            line.sha256 = sha256.map(|digest| digest.as_bytes().as_slice()).or(line.sha256);
            line.cost = cost.map(|cost| signed(cost.0)).or(line.cost);
            line.is_submitted |= status == CallStatus::Submitted || task.is_some();
        }
        status
    }

    async fn write(&self, transaction: &Transaction) -> Result<(), PostgresFailure> {
        let sql = format!(
            "UPDATE pixform.calls AS c SET status = w.status, reason = w.reason, task = coalesce(w.task, c.task),
               sha256 = coalesce(w.sha256, c.sha256), cost = coalesce(w.cost, c.cost),
               submitted_at = CASE WHEN w.is_submitted THEN coalesce(c.submitted_at, {NOW}) ELSE c.submitted_at END,
               updated_at = {NOW}
             FROM unnest($1, $2, $3, $4, $5, $6, $7) AS w (id, status, reason, task, sha256, is_submitted, cost)
             WHERE c.id = w.id"
        );
        // Those that close come first: a recipe has one open line at any instant.
        for open in [false, true] {
            let lines: Vec<_> = self.0.iter().filter(|(_, line)| line.changed && line.is_open() == open).collect();
            if lines.is_empty() {
                continue;
            }
            let ids: Vec<&str> = lines.iter().map(|(id, _)| id.as_str()).collect();
            let statuses: Vec<Option<&str>> = lines.iter().map(|(_, line)| line.status.map(CallStatus::name)).collect();
            let reasons: Vec<Option<&str>> = lines.iter().map(|(_, line)| line.reason).collect();
            let tasks: Vec<Option<&str>> = lines.iter().map(|(_, line)| line.task).collect();
            let contents: Vec<Option<&[u8]>> = lines.iter().map(|(_, line)| line.sha256).collect();
            let submitted: Vec<bool> = lines.iter().map(|(_, line)| line.is_submitted).collect();
            let costs: Vec<Option<i64>> = lines.iter().map(|(_, line)| line.cost).collect();
            let params: [Param<'_>; 7] = [
                (&ids, Type::TEXT_ARRAY),
                (&statuses, Type::TEXT_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
                (&tasks, Type::TEXT_ARRAY),
                (&contents, Type::BYTEA_ARRAY),
                (&submitted, Type::BOOL_ARRAY),
                (&costs, Type::INT8_ARRAY),
            ];
            transaction.execute_typed(&sql, &params).await?;
        }
        Ok(())
    }
}
