//! Reading the ledger: the lines of a recipe for a plan, and all of them for people.
//!
//! Tables that an older pixform made are read as they are; what they lack is empty.

use std::collections::BTreeSet;
use std::pin::pin;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, next};
use super::failure::PostgresFailure;
use super::record_reads::{bytes, maybe_bytes};
use super::runs::{self, DeadRuns};
use super::schema::NOW;
use crate::asset::MicroUsd;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{Account, Call};
use crate::state::stored_form::{
    self, CALL_COLUMNS, RUN_COLUMNS, belongs, call_columns, call_holder, parsed, run_columns, run_ended, signed,
    unsigned,
};
use crate::state::{CallSeen, ChangeSet, HistoryLine, HistoryQuery, HistoryRun, IsAlive, Schema};

/// Returns all lines of recipes, oldest first.
pub(super) async fn calls(
    transaction: &Transaction,
    schema: Schema,
    recipes: &[RecipeDigest],
    liveness: IsAlive<'_>,
) -> Result<Vec<CallSeen>, PostgresFailure> {
    let sql = format!(
        "SELECT {}, {} FROM pixform.calls AS c WHERE c.recipe = ANY($1) ORDER BY c.recipe, c.id",
        call_columns(schema),
        call_holder(schema),
    );
    let recipes: Vec<&[u8]> = recipes.iter().map(|recipe| recipe.as_bytes().as_slice()).collect();
    let mut seen = Vec::new();
    for row in transaction.query_typed(&sql, &[(&recipes, Type::BYTEA_ARRAY)]).await? {
        seen.push((call(&row)?, row.try_get::<_, String>(CALL_COLUMNS)?));
    }
    let open = seen.iter().filter(|(call, _)| call.status.is_open());
    let holders: BTreeSet<&str> = open.map(|(_, holder)| holder.as_str()).collect();
    let dead_runs = DeadRuns::look(transaction, holders, liveness).await?;
    let judged = seen.into_iter().map(|(call, holder)| {
        let abandoned = call.status.is_open() && dead_runs.has(&holder);
        CallSeen { call, abandoned }
    });
    Ok(judged.collect())
}

/// Streams lines, newest first.
pub(super) async fn history(
    transaction: &Transaction,
    schema: Schema,
    wanted: &HistoryQuery,
    take: &mut (dyn FnMut(HistoryLine) + Send),
) -> Result<(), PostgresFailure> {
    let HistoryQuery { collection, key, since, of, limit } = wanted;
    let sql = format!(
        "SELECT {}, r.id IS NOT NULL, {}, {} FROM pixform.calls AS c LEFT JOIN pixform.runs AS r ON r.id = c.run
         WHERE ($1 IS NULL OR c.collection = $1) AND ($2 IS NULL OR c.key = $2) AND ($3 IS NULL OR c.created_at >= $3)
           AND ($7 OR {})
         ORDER BY c.id DESC LIMIT $4",
        call_columns(schema),
        run_columns(schema),
        run_ended(NOW),
        belongs(schema, "pixform.runs", "$5", "$6"),
    );
    let limit = limit.map(signed);
    let (collection, key) = (collection.as_ref().map(|name| name.as_str()), key.as_ref().map(|key| key.as_str()));
    let (pull_request, branch) = of.as_ref().map(ChangeSet::names).unwrap_or_default();
    let params: [Param<'_>; 7] = [
        (&collection, Type::TEXT),
        (&key, Type::TEXT),
        (since, Type::INT8),
        (&limit, Type::INT8),
        (&pull_request, Type::TEXT),
        (&branch, Type::TEXT),
        (&of.is_none(), Type::BOOL),
    ];
    let mut rows = pin!(transaction.query_typed_raw(&sql, params).await?);
    while let Some(row) = next(&mut rows).await? {
        let first = CALL_COLUMNS + 1;
        let run = match row.try_get(CALL_COLUMNS)? {
            false => None,
            true => {
                let (command, process, origin) = runs::read(&row, first)?;
                Some(HistoryRun { command, process, origin, ended: row.try_get(first + RUN_COLUMNS)? })
            }
        };
        take(HistoryLine { call: call(&row)?, run });
    }
    Ok(())
}

fn call(row: &Row) -> Result<Call, PostgresFailure> {
    let id: String = row.try_get(0)?;
    let place = || format!("the ledger line `{id}`");
    Ok(Call {
        run: row.try_get(1)?,
        collection: parsed(row.try_get(2)?, place)?,
        key: parsed(row.try_get(3)?, place)?,
        recipe: RecipeDigest::from_bytes(bytes(row, 4, place)?),
        generator: row.try_get(5)?,
        service: row.try_get(6)?,
        model: row.try_get(7)?,
        status: stored_form::status(row.try_get(8)?, place)?,
        task: row.try_get(9)?,
        reason: row.try_get(10)?,
        sha256: maybe_bytes(row, 11, place)?.map(ContentDigest::from_bytes),
        decision: stored_form::decision(row.try_get(12)?, place)?,
        created_at: row.try_get(13)?,
        updated_at: row.try_get(14)?,
        estimate: stored_form::estimate(row.try_get(16)?, row.try_get(15)?),
        cost: row.try_get::<_, Option<i64>>(17)?.map(|cost| MicroUsd(unsigned(cost))),
        attempt: stored_form::attempt(row.try_get(18)?),
        account: maybe_bytes(row, 19, place)?.map(Account::from_bytes),
        id,
    })
}
