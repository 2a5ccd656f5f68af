//! The ledger of generator calls: what may be sent, and what came of it.
//!
//! Each function runs in an immediate transaction, so that what it looks at stays as it is until it has written.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, params};

use super::failure::Failure;
use super::lease;
use super::originals::Keeper;
use super::runs::{self, Fates};
use super::schema::NOW;
use super::{Sqlite, history, originals};
use crate::asset::MicroUsd;
use crate::digest::RecipeDigest;
use crate::record::{Account, CallAttempt, CallStatus, Decision, FAILED_MAX, NewCall, Original};
use crate::state::line::{ENDED, Line, OPEN, Purse, Spent, UNDECIDED, beside_a_rival};
use crate::state::stored::{Place, call_spent, signed, unsigned};
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
pub(super) fn intend(
    transaction: &Transaction<'_>,
    right: Right<'_>,
    calls: &[NewCall],
    caps: Caps,
    liveness: IsAlive<'_>,
) -> Result<Vec<Intent>, Failure> {
    check(transaction, right)?;
    let mut ledger = Ledger::new(transaction, right.run(), caps, liveness)?;
    calls.iter().map(|call| ledger.intend(call)).collect()
}

/// Writes facts about calls, and the originals that they made.
pub(super) fn settle(transaction: &Transaction<'_>, facts: &[CallFact]) -> Result<(), Failure> {
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
            keeper.keep(original, Place::of(status))?;
        }
    }
    Ok(())
}

/// Makes paid `intended` lines of dead runs `unknown`.
pub(super) fn doubt(transaction: &Transaction<'_>, liveness: IsAlive<'_>) -> Result<u64, Failure> {
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
    let (mut fates, mut doubted) = (Fates::new(transaction, liveness), 0);
    for holder in holders {
        if fates.is_dead(&holder)? {
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
) -> Result<(), Failure> {
    check(transaction, right)?;
    let mut decide = transaction.prepare(&format!(
        "UPDATE pixform_calls SET decision = ?2, updated_at = {NOW}
         WHERE id = ?1 AND {UNDECIDED} AND status IN ('unknown', 'rejected', 'lost', 'failed', 'judged')"
    ))?;
    for (call, decision) in decisions {
        decide.execute([call.as_str(), decision.name()])?;
    }
    Ok(())
}

/// Checks that a run may still ask.
fn check(transaction: &Transaction<'_>, right: Right<'_>) -> Result<(), Failure> {
    match right {
        Right::Lease(lease) => lease::check(transaction, lease),
        Right::Heartbeat { run } => runs::beat(transaction, run),
    }
}

/// Counts what was spent and reserved, where it matters.
fn spent(transaction: &Transaction<'_>, run: &str, caps: Caps) -> Result<Spent, Failure> {
    let run = match caps.run {
        Some(_) => {
            let [sum, counted] = call_spent(Schema::Current);
            let sql = format!("SELECT coalesce({sum}, 0) FROM pixform_calls WHERE run = ?1 AND {counted}");
            transaction.query_row(&sql, [run], |row| row.get(0))?
        }
        None => 0,
    };
    let month = if caps.month.is_some() { spent_this_month(transaction, Schema::Current)? } else { 0 };
    Ok(Spent { run, month })
}

/// Counts what the calls of this month cost.
pub(super) fn spent_this_month(connection: &Connection, schema: Schema) -> Result<i64, Failure> {
    let [sum, counted] = call_spent(schema);
    let sql = format!(
        "SELECT coalesce({sum}, 0) FROM pixform_calls
         WHERE created_at >= unixepoch('now', 'start of month') * 1000 AND {counted}"
    );
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

/// Writes intentions, through statements that are prepared once.
struct Ledger<'t> {
    run: &'t str,
    purse: Purse,
    fates: Fates<'t>,
    open: Statement<'t>,
    made: Statement<'t>,
    undecided: Statement<'t>,
    insert: Statement<'t>,
    take_over: Statement<'t>,
    resume: Statement<'t>,
    doubt: Statement<'t>,
}

impl<'t> Ledger<'t> {
    fn new(transaction: &'t Transaction<'_>, run: &'t str, caps: Caps, liveness: IsAlive<'t>) -> Result<Self, Failure> {
        Ok(Self {
            run,
            purse: Purse::new(spent(transaction, run, caps)?, caps),
            fates: Fates::new(transaction, liveness),
            open: transaction.prepare(&format!(
                "SELECT id, holder, free, status = 'intended', task, coalesce(submitted_at, created_at), attempt
                 FROM pixform_calls WHERE recipe = ?1 AND status IN ({OPEN})"
            ))?,
            made: transaction
                .prepare("SELECT 1 FROM pixform_originals WHERE recipe = ?1 AND current = 1 AND sha256 IS NOT ?2")?,
            undecided: transaction.prepare(&format!(
                "SELECT coalesce(sum(status IN ('unknown', 'rejected', 'lost', 'judged')), 0), coalesce(sum(status = 'failed'), 0)
                 FROM pixform_calls WHERE recipe = ?1 AND NOT free AND {UNDECIDED}"
            ))?,
            insert: transaction.prepare(
                "INSERT INTO pixform_calls (id, run, holder, collection, key, recipe, generator, service, model, free,
                   estimate, account, status) VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'intended')",
            )?,
            take_over: transaction.prepare(&format!(
                "UPDATE pixform_calls SET run = ?2, holder = ?2, collection = ?3, key = ?4, service = ?5, free = ?6,
                   estimate = ?7, account = ?8, attempt = attempt + 1, status = 'intended', updated_at = {NOW}
                 WHERE id = ?1"
            ))?,
            resume: transaction.prepare("UPDATE pixform_calls SET holder = ?2 WHERE id = ?1 AND holder = ?3")?,
            doubt: transaction.prepare(&format!(
                "UPDATE pixform_calls SET status = 'unknown', reason = ?2, updated_at = {NOW} WHERE id = ?1"
            ))?,
        })
    }

    fn intend(&mut self, call: &NewCall) -> Result<Intent, Failure> {
        let open = self.open.query_row([call.recipe.as_bytes()], |row| {
            Ok(Line {
                id: row.get(0)?,
                holder: row.get(1)?,
                is_free: row.get(2)?,
                is_intended: row.get(3)?,
                task: row.get(4)?,
                submitted_at: row.get(5)?,
                attempt: row.get(6)?,
            })
        });
        match open.optional()? {
            Some(line) if line.holder == self.run => Ok(line.ours()),
            Some(line) if !self.fates.is_dead(&line.holder)? => Ok(Intent::Elsewhere),
            Some(line) => self.inherit(line, call),
            None if self.is_made(call)? => Ok(Intent::Elsewhere),
            None if self.is_undecided(call)? => Ok(Intent::Undecided),
            None => self.begin(call),
        }
    }

    /// Goes on with the line of a dead run, where that can be done.
    fn inherit(&mut self, line: Line, call: &NewCall) -> Result<Intent, Failure> {
        let Line { id, holder, is_free, attempt, is_intended, task, submitted_at } = line;
        if is_free {
            if !self.purse.pays(call.estimate) {
                return Ok(Intent::Capped);
            }
            let NewCall { collection, key, service, estimate, account, .. } = call;
            self.take_over.execute(params![
                id,
                self.run,
                collection.as_str(),
                key.as_str(),
                service,
                estimate.is_free(),
                signed(estimate.amount().0),
                account.as_ref().map(Account::as_bytes),
            ])?;
            return Ok(Intent::Ours(CallAttempt { call: id, number: attempt.saturating_add(1) }));
        }
        let Some(task) = task.filter(|_| !is_intended) else {
            self.doubt.execute([id.as_str(), ENDED])?;
            return Ok(Intent::Undecided);
        };
        match self.resume.execute([id.as_str(), self.run, holder.as_str()])? {
            0 => Ok(Intent::Elsewhere),
            _ => Ok(Intent::Resumed { call: id, task, submitted_at }),
        }
    }

    /// Tells whether a paid picture is there by now that whoever asks has not seen.
    fn is_made(&mut self, call: &NewCall) -> Result<bool, Failure> {
        let seen = call.gone.as_ref().map(|digest| digest.as_bytes());
        Ok(!call.estimate.is_free() && self.made.exists(params![call.recipe.as_bytes(), seen])?)
    }

    fn is_undecided(&mut self, call: &NewCall) -> Result<bool, Failure> {
        let (open_questions, failed) = self
            .undecided
            .query_row([call.recipe.as_bytes()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        Ok(open_questions > 0 || failed >= FAILED_MAX as i64)
    }

    fn begin(&mut self, call: &NewCall) -> Result<Intent, Failure> {
        if !self.purse.pays(call.estimate) {
            return Ok(Intent::Capped);
        }
        let NewCall { id, collection, key, recipe, generator, service, model, estimate, account, gone: _ } = call;
        self.insert.execute(params![
            id,
            self.run,
            collection.as_str(),
            key.as_str(),
            recipe.as_bytes(),
            generator,
            service,
            model,
            estimate.is_free(),
            signed(estimate.amount().0),
            account.as_ref().map(Account::as_bytes),
        ])?;
        Ok(Intent::Ours(CallAttempt { call: id.clone(), number: 1 }))
    }
}
