//! The ledger of generator calls: what may be sent, and what came of it.
//!
//! Each function runs in an immediate transaction, so that what it looks at stays as it is until it has written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, params};

use super::failure::SqliteFailure;
use super::lease;
use super::originals::Keeper;
use super::runs::{self, RunLiveness};
use super::schema::NOW;
use super::{Sqlite, history, originals};
use crate::asset::MicroUsd;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{CallAttempt, CallStatus, Decision, NewCall, Original};
use crate::state::admission::{Admission, LineHolder, OpenLine, OpenTask, Question, RecipeLedger, admit};
use crate::state::budget::{Budget, MoneySpent};
use crate::state::call_lines::{ENDED, OPEN, OPEN_COLUMNS, QUESTIONS, UNDECIDED, beside_a_rival, first_decisions};
use crate::state::stored_form::{OriginalPlace, call_spent, signed, unsigned};
use crate::state::{
    CallFact, CallSeen, Caps, HistoryLine, HistoryQuery, Intent, IsAlive, LedgerPort, Right, Schema, StateError,
};

#[async_trait]
impl LedgerPort for Sqlite {
    async fn calls(&self, recipes: &[RecipeDigest], liveness: IsAlive<'_>) -> Result<Vec<CallSeen>, StateError> {
        self.recall("read the ledger", |connection, schema| history::calls(connection, schema, recipes, liveness))
    }

    async fn history(
        &self,
        wanted: &HistoryQuery,
        take: &mut (dyn FnMut(HistoryLine) + Send),
    ) -> Result<(), StateError> {
        self.recall("read the ledger", |connection, schema| history::history(connection, schema, wanted, take))
    }

    async fn spent_this_month(&self) -> Result<MicroUsd, StateError> {
        let spent = self.recall("read the ledger", spent_this_month)?;
        Ok(MicroUsd(unsigned(spent)))
    }

    async fn intend(
        &self,
        right: Right<'_>,
        calls: &[NewCall],
        caps: Caps,
        liveness: IsAlive<'_>,
    ) -> Result<Vec<Intent>, StateError> {
        self.write("write to the ledger", |transaction| intend(transaction, right, calls, caps, liveness))
    }

    async fn settle(&self, facts: &[CallFact]) -> Result<(), StateError> {
        self.write("write to the ledger", |transaction| settle(transaction, facts))
    }

    async fn found(&self, originals: &[Original]) -> Result<(), StateError> {
        self.write("remember originals", |transaction| originals::found(transaction, originals))
    }

    async fn doubt(&self, liveness: IsAlive<'_>) -> Result<u64, StateError> {
        self.write("write to the ledger", |transaction| doubt(transaction, liveness))
    }

    async fn decide(&self, right: Right<'_>, decisions: &[(String, Decision)]) -> Result<(), StateError> {
        self.write("write to the ledger", |transaction| decide(transaction, right, decisions))
    }
}

/// Asks for the right to send calls.
fn intend(
    transaction: &Transaction<'_>,
    right: Right<'_>,
    calls: &[NewCall],
    caps: Caps,
    liveness: IsAlive<'_>,
) -> Result<Vec<Intent>, SqliteFailure> {
    check(transaction, right)?;
    let mut budget = Budget::new(spent(transaction, right.run(), caps)?, caps);
    let mut lines = LedgerLines::new(transaction, right.run(), liveness)?;
    let (mut known, mut intents) = (HashMap::new(), Vec::with_capacity(calls.len()));
    for call in calls {
        let known = match known.entry(call.recipe) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(lines.read(&call.recipe)?),
        };
        let admission = admit(call, known, &mut budget, Question::New);
        lines.write(call, &admission)?;
        intents.push(admission.intent(call));
    }
    Ok(intents)
}

/// Writes facts about calls, and the originals that they made.
pub(super) fn settle(transaction: &Transaction<'_>, facts: &[CallFact]) -> Result<(), SqliteFailure> {
    let mut rival = transaction.prepare(&format!(
        "SELECT c.status FROM pixform_calls AS c WHERE c.id = ?1 AND EXISTS
           (SELECT 1 FROM pixform_calls AS o WHERE o.recipe = c.recipe AND o.id <> c.id AND o.status IN ({OPEN}))"
    ))?;
    let mut update = transaction.prepare(&format!(
        "UPDATE pixform_calls SET status = ?2, reason = ?3, task = coalesce(?4, task), sha256 = coalesce(?5, sha256),
           cost = coalesce(?6, cost),
           submitted_at = CASE WHEN ?2 = 'submitted' OR ?4 IS NOT NULL THEN coalesce(submitted_at, {NOW})
                               ELSE submitted_at END,
           updated_at = {NOW}
         WHERE id = ?1 AND (status <> 'finished' OR ?2 = 'finished')"
    ))?;
    let mut keeper = Keeper::new(transaction)?;
    for CallFact { call, status, task, sha256, original, reason, cost } in facts {
        let (mut status, mut reason) = (*status, reason.as_deref());
        if status.is_open()
            && let Some(was) = rival.query_row([call], |row| row.get::<_, String>(0)).optional()?
        {
            (status, reason) = beside_a_rival(CallStatus::parse(&was), reason);
        }
        let sha256 = sha256.or(original.as_ref().map(|original| original.sha256));
        let sha256 = sha256.as_ref().map(|digest| digest.as_bytes());
        update.execute(params![call, status.name(), reason, task, sha256, cost.map(|cost| signed(cost.0))])?;
        if let Some(original) = original {
            keeper.keep(original, OriginalPlace::of(status))?;
        }
    }
    Ok(())
}

/// Makes paid `intended` lines of dead runs `unknown`.
pub(super) fn doubt(transaction: &Transaction<'_>, liveness: IsAlive<'_>) -> Result<u64, SqliteFailure> {
    // `status IN` the open ones is what lets the partial index find them among many.
    let holders: Vec<String> = transaction
        .prepare(&format!(
            "SELECT DISTINCT holder FROM pixform_calls
             WHERE status IN ({OPEN}) AND status = 'intended' AND NOT free"
        ))?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut doubt = transaction.prepare(&format!(
        "UPDATE pixform_calls SET status = 'unknown', reason = ?2, updated_at = {NOW}
         WHERE status IN ({OPEN}) AND status = 'intended' AND NOT free AND holder = ?1"
    ))?;
    let (mut run_liveness, mut doubted) = (RunLiveness::new(transaction, liveness), 0);
    for holder in holders {
        if run_liveness.is_dead(&holder)? {
            doubted += doubt.execute([holder.as_str(), ENDED])? as u64;
        }
    }
    Ok(doubted)
}

/// Remembers what people decided.
pub(super) fn decide(
    transaction: &Transaction<'_>,
    right: Right<'_>,
    decisions: &[(String, Decision)],
) -> Result<(), SqliteFailure> {
    check(transaction, right)?;
    let mut decide = transaction.prepare(&format!(
        "UPDATE pixform_calls SET decision = ?2, updated_at = {NOW}
         WHERE id = ?1 AND {UNDECIDED} AND status IN ('unknown', 'rejected', 'lost', 'failed', 'judged')"
    ))?;
    for (call, decision) in first_decisions(decisions) {
        decide.execute([call, decision.name()])?;
    }
    Ok(())
}

/// Checks that a run may still ask.
fn check(transaction: &Transaction<'_>, right: Right<'_>) -> Result<(), SqliteFailure> {
    match right {
        Right::Lease(lease) => lease::check(transaction, lease),
        Right::Heartbeat { run } => runs::beat(transaction, run),
    }
}

/// Counts what was spent and reserved, where it matters.
fn spent(transaction: &Transaction<'_>, run: &str, caps: Caps) -> Result<MoneySpent, SqliteFailure> {
    let run = match caps.run {
        Some(_) => {
            let [sum, counted] = call_spent(Schema::Current);
            let sql = format!("SELECT coalesce({sum}, 0) FROM pixform_calls WHERE run = ?1 AND {counted}");
            transaction.query_row(&sql, [run], |row| row.get(0))?
        }
        None => 0,
    };
    let month = if caps.month.is_some() { spent_this_month(transaction, Schema::Current)? } else { 0 };
    Ok(MoneySpent { run, month })
}

/// Counts what the calls of this month cost.
pub(super) fn spent_this_month(connection: &Connection, schema: Schema) -> Result<i64, SqliteFailure> {
    let [sum, counted] = call_spent(schema);
    let sql = format!(
        "SELECT coalesce({sum}, 0) FROM pixform_calls
         WHERE created_at >= unixepoch('now', 'start of month') * 1000 AND {counted}"
    );
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

/// Reads what the ledger holds about recipes and writes what was decided, through statements that are prepared once.
struct LedgerLines<'t> {
    run: &'t str,
    liveness: RunLiveness<'t>,
    open: Statement<'t>,
    rest: Statement<'t>,
    insert: Statement<'t>,
    send_again: Statement<'t>,
    resume: Statement<'t>,
    doubt: Statement<'t>,
}

impl<'t> LedgerLines<'t> {
    fn new(transaction: &'t Transaction<'_>, run: &'t str, liveness: IsAlive<'t>) -> Result<Self, SqliteFailure> {
        Ok(Self {
            run,
            liveness: RunLiveness::new(transaction, liveness),
            open: transaction.prepare(&format!(
                "SELECT {OPEN_COLUMNS} FROM pixform_calls WHERE recipe = ?1 AND status IN ({OPEN})"
            ))?,
            rest: transaction.prepare(&format!(
                "SELECT (SELECT sha256 FROM pixform_originals WHERE recipe = ?1 AND current = 1),
                   coalesce(sum({QUESTIONS}), 0), coalesce(sum(status = 'failed'), 0)
                 FROM pixform_calls WHERE recipe = ?1 AND NOT free AND {UNDECIDED}"
            ))?,
            insert: transaction.prepare(
                "INSERT INTO pixform_calls (id, run, holder, collection, key, recipe, generator, service, model, free,
                   estimate, account, status) VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'intended')",
            )?,
            send_again: transaction.prepare(&format!(
                "UPDATE pixform_calls SET run = ?2, holder = ?2, collection = ?3, key = ?4, service = ?5, free = ?6,
                   estimate = ?7, account = ?8, attempt = ?9, status = 'intended', updated_at = {NOW} WHERE id = ?1"
            ))?,
            resume: transaction.prepare("UPDATE pixform_calls SET holder = ?2 WHERE id = ?1")?,
            doubt: transaction.prepare(&format!(
                "UPDATE pixform_calls SET status = 'unknown', reason = ?2, updated_at = {NOW} WHERE id = ?1"
            ))?,
        })
    }

    fn read(&mut self, recipe: &RecipeDigest) -> Result<RecipeLedger, SqliteFailure> {
        let open = self.open.query_row([recipe.as_bytes()], |row| {
            let submitted_at = row.get(5)?;
            let line = OpenLine {
                id: row.get(0)?,
                holder: LineHolder::Other,
                is_free: row.get(2)?,
                attempt: row.get(3)?,
                task: row.get::<_, Option<String>>(4)?.map(|id| OpenTask { id, submitted_at }),
            };
            Ok((line, row.get::<_, String>(1)?))
        });
        let open = match open.optional()? {
            None => None,
            Some((line, holder)) => {
                let holder = match () {
                    () if holder == self.run => LineHolder::Asking,
                    () if self.liveness.is_dead(&holder)? => LineHolder::Dead,
                    () => LineHolder::Other,
                };
                Some(OpenLine { holder, ..line })
            }
        };
        Ok(self.rest.query_row([recipe.as_bytes()], |row| {
            let original = row.get::<_, Option<[u8; 32]>>(0)?.map(ContentDigest::from_bytes);
            Ok(RecipeLedger { open, original, questions: unsigned(row.get(1)?), failed: unsigned(row.get(2)?) })
        })?)
    }

    fn write(&mut self, call: &NewCall, admission: &Admission) -> Result<(), SqliteFailure> {
        let NewCall { id, collection, key, recipe, generator, service, model, estimate, account, gone: _ } = call;
        let (free, estimate) = (estimate.is_free(), signed(estimate.amount().0));
        let (collection, key, account) =
            (collection.as_str(), key.as_str(), account.as_ref().map(|account| account.as_bytes()));
        match admission {
            Admission::Begun => {
                let recipe = recipe.as_bytes();
                self.insert.execute(params![
                    id, self.run, collection, key, recipe, generator, service, model, free, estimate, account
                ])?;
            }
            Admission::SentAgain(CallAttempt { call: id, number }) => {
                self.send_again
                    .execute(params![id, self.run, collection, key, service, free, estimate, account, number])?;
            }
            Admission::Resumed { call, task: _ } => {
                self.resume.execute([call.as_str(), self.run])?;
            }
            Admission::Doubted(call) => {
                self.doubt.execute([call.as_str(), ENDED])?;
            }
            Admission::BegunBefore(_) | Admission::Elsewhere | Admission::Undecided | Admission::Capped => {}
        }
        Ok(())
    }
}
