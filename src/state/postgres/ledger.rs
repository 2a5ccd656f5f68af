//! The ledger of generator calls: what may be sent, and what came of it.
//!
//! Whoever asks holds one lock, so that what it looks at stays as it is until it has written. What a batch is about is read
//! at once, decided call by call in memory, and written at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, TransactionKind};
use super::failure::PostgresFailure;
use super::lease::{self, CommitStamp};
use super::record_reads::bytes;
use super::runs::{self, DeadRuns};
use super::schema::{NOW, lock_ledger};
use super::{Postgres, call_facts, history, originals};
use crate::asset::MicroUsd;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{Decision, NewCall, Original};
use crate::state::admission::{Admission, LineHolder, OpenLine, OpenTask, Question, RecipeLedger, admit};
use crate::state::budget::{Budget, MoneySpent};
use crate::state::call_lines::{ENDED, OPEN, OPEN_COLUMNS, QUESTIONS, UNDECIDED, first_decisions};
use crate::state::stored_form::{attempt, call_spent, signed, unsigned};
use crate::state::{
    CallFact, CallSeen, Caps, HistoryLine, HistoryQuery, Intent, IsAlive, LedgerPort, Right, Schema, StateError,
};

#[async_trait]
impl LedgerPort for Postgres {
    async fn calls(&self, recipes: &[RecipeDigest], liveness: IsAlive<'_>) -> Result<Vec<CallSeen>, StateError> {
        self.recall(TransactionKind::Read, "read the ledger", |transaction, schema| async move {
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
            .recall(TransactionKind::Statement, "read the ledger", |transaction, schema| async move {
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
        let stamp = &CommitStamp::new();
        let asker = Asker { right, caps, liveness, stamp };
        self.change("write to the ledger", |transaction, _| async move { intend(&transaction, asker, calls).await })
            .await
    }

    async fn settle(&self, facts: &[CallFact]) -> Result<(), StateError> {
        self.change(
            "write to the ledger",
            |transaction, _| async move { call_facts::settle(&transaction, facts).await },
        )
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
pub(super) async fn doubt(transaction: &Transaction, liveness: IsAlive<'_>) -> Result<u64, PostgresFailure> {
    lock_ledger(transaction).await?;
    // `status IN` the open ones is what lets the partial index find them among many.
    let doubtful = format!("status IN ({OPEN}) AND status = 'intended' AND NOT free");
    let sql = format!("SELECT DISTINCT holder FROM pixform.calls WHERE {doubtful}");
    let holders = transaction.query_typed(&sql, &[]).await?;
    let holders: BTreeSet<&str> = holders.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let dead_runs = DeadRuns::look(transaction, holders.clone(), liveness).await?;
    let dead: Vec<&str> = holders.into_iter().filter(|holder| dead_runs.has(holder)).collect();
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
) -> Result<(), PostgresFailure> {
    match right {
        Right::Lease(lease) => lease::check(transaction, lease).await?,
        Right::Heartbeat { run } => runs::beat_alone(transaction, run, None).await?,
    }
    let first = first_decisions(decisions).into_iter().map(|(call, decision)| (call, decision.name()));
    let (calls, names): (Vec<&str>, Vec<&str>) = first.unzip();
    let sql = format!(
        "UPDATE pixform.calls SET decision = w.made, updated_at = {NOW} FROM unnest($1, $2) AS w (call, made)
         WHERE id = w.call AND {UNDECIDED} AND status IN ('unknown', 'rejected', 'lost', 'failed', 'judged')"
    );
    transaction.execute_typed(&sql, &[(&calls, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

/// What a run asks for calls by, and with.
#[derive(Clone, Copy)]
struct Asker<'a> {
    right: Right<'a>,
    caps: Caps,
    liveness: IsAlive<'a>,
    stamp: &'a CommitStamp,
}

/// Asks whether calls may be sent; the name of the question is written beside the lease or the run, so that it can be told
/// whether it was answered.
async fn intend(
    transaction: &Transaction,
    asker: Asker<'_>,
    calls: &[NewCall],
) -> Result<Vec<Intent>, PostgresFailure> {
    let Asker { right, caps, liveness, stamp } = asker;
    let question = match stamp.is_set(transaction, right).await? {
        true => Question::Repeated,
        false => Question::New,
    };
    match right {
        Right::Lease(lease) => lease::stamp(transaction, lease, &stamp.name).await?,
        Right::Heartbeat { run } => runs::beat_alone(transaction, run, Some(&stamp.name)).await?,
    }
    lock_ledger(transaction).await?;
    let mut budget = Budget::new(spent(transaction, right.run(), caps).await?, caps);
    let mut known = read(transaction, right.run(), calls, liveness).await?;
    let admitted = calls.iter().map(|call| {
        let known = known.entry(call.recipe).or_default();
        (call, admit(call, known, &mut budget, question))
    });
    let admitted: Vec<(&NewCall, Admission)> = admitted.collect();
    write(transaction, right.run(), &admitted).await?;
    Ok(admitted.into_iter().map(|(call, admission)| admission.intent(call)).collect())
}

/// Counts what was spent and reserved, where it matters.
async fn spent(transaction: &Transaction, run: &str, caps: Caps) -> Result<MoneySpent, PostgresFailure> {
    let run = match caps.run {
        Some(_) => {
            let [sum, counted] = call_spent(Schema::Current);
            let sql = format!("SELECT coalesce({sum}, 0)::bigint FROM pixform.calls WHERE run = $1 AND {counted}");
            transaction.query_typed_one(&sql, &[(&run, Type::TEXT)]).await?.try_get(0)?
        }
        None => 0,
    };
    let month = if caps.month.is_some() { spent_this_month(transaction, Schema::Current).await? } else { 0 };
    Ok(MoneySpent { run, month })
}

/// Counts what the calls of this month cost.
pub(super) async fn spent_this_month(transaction: &Transaction, schema: Schema) -> Result<i64, PostgresFailure> {
    let [sum, counted] = call_spent(schema);
    let sql = format!(
        "SELECT coalesce({sum}, 0)::bigint FROM pixform.calls
         WHERE created_at >= extract(epoch FROM date_trunc('month', clock_timestamp(), 'UTC')) * 1000 AND {counted}"
    );
    Ok(transaction.query_typed_one(&sql, &[]).await?.try_get(0)?)
}

/// Reads what the ledger holds about the recipes of calls.
async fn read(
    transaction: &Transaction,
    run: &str,
    calls: &[NewCall],
    liveness: IsAlive<'_>,
) -> Result<HashMap<RecipeDigest, RecipeLedger>, PostgresFailure> {
    let recipes: Vec<&[u8]> = calls.iter().map(|call| call.recipe.as_bytes().as_slice()).collect();
    let params: [Param<'_>; 1] = [(&recipes, Type::BYTEA_ARRAY)];
    let recipe =
        |row: &tokio_postgres::Row, at| bytes(row, at, || "the ledger".to_owned()).map(RecipeDigest::from_bytes);
    let sql = format!("SELECT {OPEN_COLUMNS}, recipe FROM pixform.calls WHERE recipe = ANY($1) AND status IN ({OPEN})");
    let open = transaction.query_typed(&sql, &params).await?;
    let holders: Vec<&str> = open.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
    let others = holders.iter().copied().filter(|holder| *holder != run).collect();
    let dead = DeadRuns::look(transaction, others, liveness).await?;
    let mut known: HashMap<RecipeDigest, RecipeLedger> = HashMap::new();
    for (row, holder) in open.iter().zip(holders) {
        let holder = match () {
            () if holder == run => LineHolder::Asking,
            () if dead.has(holder) => LineHolder::Dead,
            () => LineHolder::Other,
        };
        let (task, submitted_at) = (row.try_get::<_, Option<String>>(4)?, row.try_get(5)?);
        let task = task.map(|id| OpenTask { id, submitted_at });
        let (id, is_free, attempt) = (row.try_get(0)?, row.try_get(2)?, attempt(row.try_get(3)?));
        known.entry(recipe(row, 6)?).or_default().open = Some(OpenLine { id, holder, is_free, attempt, task });
    }
    let sql = "SELECT recipe, sha256 FROM pixform.originals WHERE recipe = ANY($1) AND current";
    for row in transaction.query_typed(sql, &params).await? {
        let original = bytes(&row, 1, || "the originals".to_owned()).map(ContentDigest::from_bytes)?;
        known.entry(recipe(&row, 0)?).or_default().original = Some(original);
    }
    let sql = format!(
        "SELECT recipe, count(*) FILTER (WHERE {QUESTIONS}), count(*) FILTER (WHERE status = 'failed')
         FROM pixform.calls WHERE recipe = ANY($1) AND NOT free AND {UNDECIDED} GROUP BY recipe"
    );
    for row in transaction.query_typed(&sql, &params).await? {
        let known = known.entry(recipe(&row, 0)?).or_default();
        (known.questions, known.failed) = (unsigned(row.try_get(1)?), unsigned(row.try_get(2)?));
    }
    Ok(known)
}

/// Writes what was decided, a statement for each kind of change.
async fn write(
    transaction: &Transaction,
    run: &str,
    admitted: &[(&NewCall, Admission)],
) -> Result<(), PostgresFailure> {
    let (mut begun, mut again) = (Vec::new(), BTreeMap::new());
    let (mut resumed, mut doubted) = (Vec::new(), Vec::new());
    for (call, admission) in admitted {
        match admission {
            Admission::Begun => begun.push(*call),
            // Of several requests of one line in a batch, the last counts.
            Admission::SentAgain(attempt) => drop(again.insert(attempt.call.as_str(), (*call, attempt.number))),
            Admission::Resumed { call, task: _ } => resumed.push(call.as_str()),
            Admission::Doubted(call) => doubted.push(call.as_str()),
            Admission::BegunBefore(_) | Admission::Elsewhere | Admission::Undecided | Admission::Capped => {}
        }
    }
    if !doubted.is_empty() {
        let sql =
            format!("UPDATE pixform.calls SET status = 'unknown', reason = $2, updated_at = {NOW} WHERE id = ANY($1)");
        transaction.execute_typed(&sql, &[(&doubted, Type::TEXT_ARRAY), (&ENDED, Type::TEXT)]).await?;
    }
    if !resumed.is_empty() {
        let sql = "UPDATE pixform.calls SET holder = $2 WHERE id = ANY($1)";
        transaction.execute_typed(sql, &[(&resumed, Type::TEXT_ARRAY), (&run, Type::TEXT)]).await?;
    }
    if !begun.is_empty() {
        insert(transaction, run, &CallColumns::of(begun.into_iter())).await?;
    }
    if !again.is_empty() {
        let ids: Vec<&str> = again.keys().copied().collect();
        let attempts: Vec<i64> = again.values().map(|(_, attempt)| i64::from(*attempt)).collect();
        let lines = CallColumns::of(again.values().map(|(call, _)| *call));
        let sql = format!(
            "UPDATE pixform.calls AS c SET run = $1, holder = $1, collection = w.collection, key = w.key,
               service = w.service, free = w.free, estimate = w.estimate, account = w.account, attempt = w.attempt,
               status = 'intended', updated_at = {NOW}
             FROM unnest($2, $3, $4, $5, $6, $7, $8, $9)
               AS w (id, collection, key, service, free, estimate, account, attempt)
             WHERE c.id = w.id"
        );
        let params: [Param<'_>; 9] = [
            (&run, Type::TEXT),
            (&ids, Type::TEXT_ARRAY),
            (&lines.collections, Type::TEXT_ARRAY),
            (&lines.keys, Type::TEXT_ARRAY),
            (&lines.services, Type::TEXT_ARRAY),
            (&lines.free, Type::BOOL_ARRAY),
            (&lines.estimates, Type::INT8_ARRAY),
            (&lines.accounts, Type::BYTEA_ARRAY),
            (&attempts, Type::INT8_ARRAY),
        ];
        transaction.execute_typed(&sql, &params).await?;
    }
    Ok(())
}

async fn insert(transaction: &Transaction, run: &str, lines: &CallColumns<'_>) -> Result<(), PostgresFailure> {
    let sql = "INSERT INTO pixform.calls (run, holder, status, id, collection, key, recipe, generator, service, model,
                 free, estimate, account)
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

/// The fields of calls, each in a list of its own.
#[derive(Default)]
struct CallColumns<'c> {
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

impl<'c> CallColumns<'c> {
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
