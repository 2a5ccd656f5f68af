//! The ledger of generator calls: what may be sent, and what came of it.
//!
//! Whoever decides holds one lock, so that what it looks at stays as it is until it has written. What a batch is about is
//! read at once, decided call by call in memory, and written at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::database::{Kind, Param, Transaction};
use super::failure::Failure;
use super::lease::{self, Stamp};
use super::read::bytes;
use super::runs::{self, Fates};
use super::schema::{NOW, lock_ledger};
use super::{Postgres, history, originals, settle};
use crate::asset::MicroUsd;
use crate::digest::RecipeDigest;
use crate::record::{CallAttempt, Decision, FAILED_MAX, NewCall, Original};
use crate::state::line::{ENDED, Line, OPEN, Purse, Spent, UNDECIDED};
use crate::state::stored::{attempt, call_spent, signed, unsigned};
use crate::state::{
    CallFact, CallSeen, Caps, HistoryLine, HistoryQuery, Intent, IsAlive, LedgerPort, Right, Schema, StateError,
};

#[async_trait]
impl LedgerPort for Postgres {
    async fn calls(&self, recipes: &[RecipeDigest], liveness: IsAlive<'_>) -> Result<Vec<CallSeen>, StateError> {
        self.recall(Kind::Read, "read the ledger", |transaction, schema| async move {
            history::calls(&transaction, schema, recipes, liveness).await
        })
        .await
    }

    async fn history(
        &self,
        wanted: &HistoryQuery,
        take: &mut (dyn FnMut(HistoryLine) + Send),
    ) -> Result<(), StateError> {
        let (transaction, schema) = self.begin("read the ledger").await?;
        if schema == Schema::Absent {
            return Ok(());
        }
        let told = async {
            history::history(&transaction, schema, wanted, take).await?;
            transaction.commit().await
        };
        told.await.map_err(|failure| self.database.told(failure, "read the ledger"))
    }

    async fn spent_this_month(&self) -> Result<MicroUsd, StateError> {
        let spent: Result<i64, StateError> = self
            .recall(Kind::Statement, "read the ledger", |transaction, schema| async move {
                spent_this_month(&transaction, schema).await
            })
            .await;
        Ok(MicroUsd(unsigned(spent?)))
    }

    async fn intend(
        &self,
        right: Right<'_>,
        calls: &[NewCall],
        caps: Caps,
        liveness: IsAlive<'_>,
    ) -> Result<Vec<Intent>, StateError> {
        let stamp = &Stamp::new();
        self.change("write to the ledger", |transaction, _| async move {
            let asked = match stamp.is_set(&transaction, right).await? {
                true => Asked::Again,
                false => Asked::First,
            };
            intend(&transaction, right, calls, (caps, liveness), (&stamp.name, asked)).await
        })
        .await
    }

    async fn settle(&self, facts: &[CallFact]) -> Result<(), StateError> {
        self.change("write to the ledger", |transaction, _| async move { settle::settle(&transaction, facts).await })
            .await
    }

    async fn found(&self, originals: &[Original]) -> Result<(), StateError> {
        self.change(
            "remember originals",
            |transaction, _| async move { originals::found(&transaction, originals).await },
        )
        .await
    }

    async fn doubt(&self, liveness: IsAlive<'_>) -> Result<u64, StateError> {
        self.change("write to the ledger", |transaction, _| async move { doubt(&transaction, liveness).await }).await
    }

    async fn decide(&self, right: Right<'_>, decisions: &[(String, Decision)]) -> Result<(), StateError> {
        self.change("write to the ledger", |transaction, _| async move { decide(&transaction, right, decisions).await })
            .await
    }
}

/// Makes paid `intended` lines of dead runs `unknown`.
pub(super) async fn doubt(transaction: &Transaction, liveness: IsAlive<'_>) -> Result<u64, Failure> {
    lock_ledger(transaction).await?;
    // `status IN` the open ones is what lets the partial index find them among many.
    let doubtful = format!("status IN ({OPEN}) AND status = 'intended' AND NOT free");
    let sql = format!("SELECT DISTINCT holder FROM pixform.calls WHERE {doubtful}");
    let holders = transaction.query_typed(&sql, &[]).await?;
    let holders: BTreeSet<&str> = holders.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let fates = Fates::look(transaction, holders.clone(), liveness).await?;
    let dead: Vec<&str> = holders.into_iter().filter(|holder| fates.is_dead(holder)).collect();
    if dead.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "UPDATE pixform.calls SET status = 'unknown', reason = $2, updated_at = {NOW} WHERE {doubtful} AND holder = ANY($1)"
    );
    Ok(transaction.execute_typed(&sql, &[(&dead, Type::TEXT_ARRAY), (&ENDED, Type::TEXT)]).await?)
}

/// Remembers what people decided.
pub(super) async fn decide(
    transaction: &Transaction,
    right: Right<'_>,
    decisions: &[(String, Decision)],
) -> Result<(), Failure> {
    match right {
        Right::Lease(lease) => lease::check(transaction, lease).await?,
        Right::Heartbeat { run } => runs::beat_alone(transaction, run, None).await?,
    }
    // The first decision about a line stands.
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for (call, decision) in decisions {
        first.entry(call).or_insert(decision.name());
    }
    let (calls, names): (Vec<&str>, Vec<&str>) = first.into_iter().unzip();
    let sql = format!(
        "UPDATE pixform.calls SET decision = w.made, updated_at = {NOW} FROM unnest($1, $2) AS w (call, made)
         WHERE id = w.call AND {UNDECIDED} AND status IN ('unknown', 'rejected', 'lost', 'failed', 'judged')"
    );
    transaction.execute_typed(&sql, &[(&calls, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

/// Whether the answers to the same question may have been lost before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is asked for the first time.
    First,
    /// It was answered, the lines are written, and nothing was sent.
    Again,
}

/// Asks whether calls may be sent; the name of the question is written beside the lease or the run, so that it can be told
/// whether it was answered.
pub(super) async fn intend(
    transaction: &Transaction,
    right: Right<'_>,
    calls: &[NewCall],
    (caps, liveness): (Caps, IsAlive<'_>),
    (name, asked): (&str, Asked),
) -> Result<Vec<Intent>, Failure> {
    match right {
        Right::Lease(lease) => lease::stamp(transaction, lease, name).await?,
        Right::Heartbeat { run } => runs::beat_alone(transaction, run, Some(name)).await?,
    }
    lock_ledger(transaction).await?;
    let mut ledger = Ledger::read(transaction, right.run(), calls, caps, liveness).await?;
    let intents = calls.iter().map(|call| ledger.intend(call, asked)).collect();
    ledger.write(transaction).await?;
    Ok(intents)
}

/// Counts what was spent and reserved, where it matters.
async fn spent(transaction: &Transaction, run: &str, caps: Caps) -> Result<Spent, Failure> {
    let run = match caps.run {
        Some(_) => {
            let [sum, counted] = call_spent(Schema::Current);
            let sql = format!("SELECT coalesce({sum}, 0)::bigint FROM pixform.calls WHERE run = $1 AND {counted}");
            transaction.query_typed_one(&sql, &[(&run, Type::TEXT)]).await?.try_get(0)?
        }
        None => 0,
    };
    let month = if caps.month.is_some() { spent_this_month(transaction, Schema::Current).await? } else { 0 };
    Ok(Spent { run, month })
}

/// Counts what the calls of this month cost.
pub(super) async fn spent_this_month(transaction: &Transaction, schema: Schema) -> Result<i64, Failure> {
    let [sum, counted] = call_spent(schema);
    let sql = format!(
        "SELECT coalesce({sum}, 0)::bigint FROM pixform.calls
         WHERE created_at >= extract(epoch FROM date_trunc('month', clock_timestamp(), 'UTC')) * 1000 AND {counted}"
    );
    Ok(transaction.query_typed_one(&sql, &[]).await?.try_get(0)?)
}

/// What is known of recipes, and what is to be written about them.
struct Ledger<'c> {
    run: &'c str,
    purse: Purse,
    fates: Fates,
    open: HashMap<RecipeDigest, Line>,
    /// The digest of each recipe's current original.
    made: HashMap<RecipeDigest, [u8; 32]>,
    /// Open questions and failures of each recipe.
    questions: HashMap<RecipeDigest, (i64, i64)>,
    begun: Vec<&'c NewCall>,
    taken_over: Vec<(String, &'c NewCall)>,
    resumed: Vec<String>,
    doubted: Vec<String>,
}

impl<'c> Ledger<'c> {
    async fn read(
        transaction: &Transaction,
        run: &'c str,
        calls: &[NewCall],
        caps: Caps,
        liveness: IsAlive<'_>,
    ) -> Result<Self, Failure> {
        let recipes: Vec<&[u8]> = calls.iter().map(|call| call.recipe.as_bytes().as_slice()).collect();
        let params: [Param<'_>; 1] = [(&recipes, Type::BYTEA_ARRAY)];
        let recipe =
            |row: &tokio_postgres::Row| bytes(row, 0, || "the ledger".to_owned()).map(RecipeDigest::from_bytes);
        let sql = format!(
            "SELECT recipe, id, holder, free, status = 'intended', task, coalesce(submitted_at, created_at),
               attempt
             FROM pixform.calls WHERE recipe = ANY($1) AND status IN ({OPEN})"
        );
        let mut open = HashMap::new();
        for row in transaction.query_typed(&sql, &params).await? {
            let line = Line {
                id: row.try_get(1)?,
                holder: row.try_get(2)?,
                is_free: row.try_get(3)?,
                is_intended: row.try_get(4)?,
                task: row.try_get(5)?,
                submitted_at: row.try_get(6)?,
                attempt: attempt(row.try_get(7)?),
            };
            open.insert(recipe(&row)?, line);
        }
        let sql = "SELECT recipe, sha256 FROM pixform.originals WHERE recipe = ANY($1) AND current";
        let mut made = HashMap::new();
        for row in transaction.query_typed(sql, &params).await? {
            made.insert(recipe(&row)?, bytes(&row, 1, || "the originals".to_owned())?);
        }
        let sql = format!(
            "SELECT recipe, count(*) FILTER (WHERE status IN ('unknown', 'rejected', 'lost', 'judged')),
                    count(*) FILTER (WHERE status = 'failed')
             FROM pixform.calls WHERE recipe = ANY($1) AND NOT free AND {UNDECIDED} GROUP BY recipe"
        );
        let mut questions = HashMap::new();
        for row in transaction.query_typed(&sql, &params).await? {
            questions.insert(recipe(&row)?, (row.try_get(1)?, row.try_get(2)?));
        }
        let holders = open.values().map(|line: &Line| line.holder.as_str()).filter(|holder| *holder != run).collect();
        let fates = Fates::look(transaction, holders, liveness).await?;
        let purse = Purse::new(spent(transaction, run, caps).await?, caps);
        let (begun, taken_over, resumed, doubted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { run, purse, fates, open, made, questions, begun, taken_over, resumed, doubted })
    }

    fn intend(&mut self, call: &'c NewCall, asked: Asked) -> Intent {
        match self.open.get(&call.recipe).cloned() {
            Some(line) if asked == Asked::Again && line.id == call.id => {
                Intent::Ours(CallAttempt { call: line.id, number: line.attempt })
            }
            Some(line) if line.holder == self.run => line.ours(),
            Some(line) if !self.fates.is_dead(&line.holder) => Intent::Elsewhere,
            Some(line) => self.inherit(line, call),
            None if self.is_made(call) => Intent::Elsewhere,
            None if self.is_undecided(call) => Intent::Undecided,
            None => self.begin(call),
        }
    }

    /// Goes on with the line of a dead run, where that can be done.
    fn inherit(&mut self, line: Line, call: &'c NewCall) -> Intent {
        let line = Line { holder: self.run.to_owned(), ..line };
        if line.is_free {
            if !self.purse.pays(call.estimate) {
                return Intent::Capped;
            }
            self.taken_over.push((line.id.clone(), call));
            let attempt = line.attempt.saturating_add(1);
            return self.hold(call, Line { is_intended: true, attempt, ..line });
        }
        if line.is_intended || line.task.is_none() {
            self.doubted.push(line.id);
            self.open.remove(&call.recipe);
            self.questions.entry(call.recipe).or_default().0 += 1;
            return Intent::Undecided;
        }
        self.resumed.push(line.id.clone());
        self.hold(call, line)
    }

    /// Holds an open line from now on.
    fn hold(&mut self, call: &NewCall, line: Line) -> Intent {
        self.open.insert(call.recipe, line.clone());
        line.ours()
    }

    /// Tells whether a paid picture is there by now that whoever asks has not seen.
    fn is_made(&self, call: &NewCall) -> bool {
        let seen = call.gone.as_ref().map(|digest| digest.as_bytes());
        !call.estimate.is_free() && self.made.get(&call.recipe).is_some_and(|made| Some(made) != seen)
    }

    fn is_undecided(&self, call: &NewCall) -> bool {
        let (open_questions, failed) = self.questions.get(&call.recipe).copied().unwrap_or_default();
        open_questions > 0 || failed >= FAILED_MAX as i64
    }

    fn begin(&mut self, call: &'c NewCall) -> Intent {
        if !self.purse.pays(call.estimate) {
            return Intent::Capped;
        }
        self.begun.push(call);
        let line = Line {
            id: call.id.clone(),
            holder: self.run.to_owned(),
            is_free: call.estimate.is_free(),
            attempt: 1,
            is_intended: true,
            task: None,
            submitted_at: 0,
        };
        self.open.insert(call.recipe, line);
        Intent::Ours(CallAttempt { call: call.id.clone(), number: 1 })
    }

    async fn write(self, transaction: &Transaction) -> Result<(), Failure> {
        let Self { run, begun, taken_over, resumed, doubted, .. } = self;
        if !doubted.is_empty() {
            let sql = format!(
                "UPDATE pixform.calls SET status = 'unknown', reason = $2, updated_at = {NOW} WHERE id = ANY($1)"
            );
            transaction.execute_typed(&sql, &[(&doubted, Type::TEXT_ARRAY), (&ENDED, Type::TEXT)]).await?;
        }
        if !resumed.is_empty() {
            let sql = "UPDATE pixform.calls SET holder = $2 WHERE id = ANY($1)";
            transaction.execute_typed(sql, &[(&resumed, Type::TEXT_ARRAY), (&run, Type::TEXT)]).await?;
        }
        if !taken_over.is_empty() {
            let ids: Vec<&str> = taken_over.iter().map(|(id, _)| id.as_str()).collect();
            let lines = Lines::of(taken_over.iter().map(|(_, call)| *call));
            let sql = format!(
                "UPDATE pixform.calls AS c SET run = $1, holder = $1, collection = w.collection, key = w.key,
                   service = w.service, free = w.free, estimate = w.estimate, account = w.account,
                   attempt = c.attempt + 1, status = 'intended', updated_at = {NOW}
                 FROM unnest($2, $3, $4, $5, $6, $7, $8) AS w (id, collection, key, service, free, estimate, account)
                 WHERE c.id = w.id"
            );
            let params: [Param<'_>; 8] = [
                (&run, Type::TEXT),
                (&ids, Type::TEXT_ARRAY),
                (&lines.collections, Type::TEXT_ARRAY),
                (&lines.keys, Type::TEXT_ARRAY),
                (&lines.services, Type::TEXT_ARRAY),
                (&lines.free, Type::BOOL_ARRAY),
                (&lines.estimates, Type::INT8_ARRAY),
                (&lines.accounts, Type::BYTEA_ARRAY),
            ];
            transaction.execute_typed(&sql, &params).await?;
        }
        if begun.is_empty() {
            return Ok(());
        }
        let lines = Lines::of(begun.iter().copied());
        let sql = "INSERT INTO pixform.calls (run, holder, status, id, collection, key, recipe, generator, service, model, free,
                     estimate, account)
                   SELECT $1, $1, 'intended', w.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS w";
        let params: [Param<'_>; 11] = [
            (&run, Type::TEXT),
            (&lines.ids, Type::TEXT_ARRAY),
            (&lines.collections, Type::TEXT_ARRAY),
            (&lines.keys, Type::TEXT_ARRAY),
            (&lines.recipes, Type::BYTEA_ARRAY),
            (&lines.generators, Type::TEXT_ARRAY),
            (&lines.services, Type::TEXT_ARRAY),
            (&lines.models, Type::TEXT_ARRAY),
            (&lines.free, Type::BOOL_ARRAY),
            (&lines.estimates, Type::INT8_ARRAY),
            (&lines.accounts, Type::BYTEA_ARRAY),
        ];
        transaction.execute_typed(sql, &params).await?;
        Ok(())
    }
}

/// The fields of calls, each in a list of its own.
#[derive(Default)]
struct Lines<'c> {
    ids: Vec<&'c str>,
    collections: Vec<&'c str>,
    keys: Vec<&'c str>,
    recipes: Vec<&'c [u8]>,
    generators: Vec<&'c str>,
    services: Vec<&'c str>,
    models: Vec<Option<&'c str>>,
    free: Vec<bool>,
    estimates: Vec<i64>,
    accounts: Vec<Option<&'c [u8]>>,
}

impl<'c> Lines<'c> {
    fn of(calls: impl Iterator<Item = &'c NewCall>) -> Self {
        let mut lines = Self::default();
        for call in calls {
            lines.ids.push(&call.id);
            lines.collections.push(call.collection.as_str());
            lines.keys.push(call.key.as_str());
            lines.recipes.push(call.recipe.as_bytes());
            lines.generators.push(&call.generator);
            lines.services.push(&call.service);
            lines.models.push(call.model.as_deref());
            lines.free.push(call.estimate.is_free());
            lines.estimates.push(signed(call.estimate.amount().0));
            lines.accounts.push(call.account.as_ref().map(|account| account.as_bytes().as_slice()));
        }
        lines
    }
}
