//! Reading the ledger: the lines of a recipe for a plan, and all of them for people.
//!
//! Tables that an older pixform made are read as they are; what they lack is empty.

use rusqlite::{Connection, Row, params};

use super::failure::SqliteFailure;
use super::record_reads::{bytes, text};
use super::rows::{KEYS_MAX, distinct};
use super::runs::{self, RunLiveness};
use super::schema::NOW;
use crate::asset::MicroUsd;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{Account, Call};
use crate::state::stored_form::{
    self, CALL_COLUMNS, RUN_COLUMNS, belongs, call_columns, call_holder, json, parsed, run_columns, run_ended, signed,
    unsigned,
};
use crate::state::{CallSeen, ChangeSet, HistoryLine, HistoryQuery, HistoryRun, IsAlive, Schema};

/// Returns all lines of recipes, oldest first.
pub(super) fn calls(
    connection: &Connection,
    schema: Schema,
    recipes: &[RecipeDigest],
    liveness: IsAlive<'_>,
) -> Result<Vec<CallSeen>, SqliteFailure> {
    let mut statement = connection.prepare(&format!(
        "SELECT {}, {} FROM json_each(?1) AS w CROSS JOIN pixform_calls AS c ON c.recipe = unhex(w.value)
         ORDER BY c.recipe, c.id",
        call_columns(schema),
        call_holder(schema),
    ))?;
    let (mut calls, mut run_liveness) = (Vec::new(), RunLiveness::new(connection, liveness));
    for recipes in distinct(recipes).chunks(KEYS_MAX) {
        let recipes: Vec<_> = recipes.iter().map(|recipe| recipe.hex()).collect();
        let mut rows = statement.query([json(&recipes)])?;
        while let Some(row) = rows.next()? {
            let call = call(row)?;
            let abandoned = call.status.is_open() && run_liveness.is_dead(text(row, CALL_COLUMNS)?)?;
            calls.push(CallSeen { call, abandoned });
        }
    }
    Ok(calls)
}

/// Streams lines, newest first.
pub(super) fn history(
    connection: &Connection,
    schema: Schema,
    wanted: &HistoryQuery,
    take: &mut (dyn FnMut(HistoryLine) + Send),
) -> Result<(), SqliteFailure> {
    let HistoryQuery { collection, key, since, of, limit } = wanted;
    let mut statement = connection.prepare(&format!(
        "SELECT {}, r.id IS NOT NULL, {}, {} FROM pixform_calls AS c LEFT JOIN pixform_runs AS r ON r.id = c.run
         WHERE (?1 IS NULL OR c.collection = ?1) AND (?2 IS NULL OR c.key = ?2) AND (?3 IS NULL OR c.created_at >= ?3)
           AND (?7 OR {})
         ORDER BY c.id DESC LIMIT ?4",
        call_columns(schema),
        run_columns(schema),
        run_ended(NOW),
        belongs(schema, "pixform_runs", "?5", "?6"),
    ))?;
    // SQLite takes a negative limit for none.
    let limit = limit.map_or(-1, signed);
    let (collection, key) = (collection.as_ref().map(|name| name.as_str()), key.as_ref().map(|key| key.as_str()));
    let (pull_request, branch) = of.as_ref().map(ChangeSet::names).unwrap_or_default();
    let mut rows = statement.query(params![collection, key, since, limit, pull_request, branch, of.is_none()])?;
    while let Some(row) = rows.next()? {
        let first = CALL_COLUMNS + 1;
        let run = match row.get(CALL_COLUMNS)? {
            false => None,
            true => Some(HistoryRun {
                command: runs::command(row, first)?,
                process: runs::process(row, first)?,
                origin: runs::origin(row, first)?,
                ended: row.get(first + RUN_COLUMNS)?,
            }),
        };
        take(HistoryLine { call: call(row)?, run });
    }
    Ok(())
}

fn call(row: &Row<'_>) -> Result<Call, SqliteFailure> {
    let id: String = row.get(0)?;
    let place = || format!("the ledger line `{id}`");
    Ok(Call {
        run: row.get(1)?,
        collection: parsed(text(row, 2)?, place)?,
        key: parsed(text(row, 3)?, place)?,
        recipe: RecipeDigest::from_bytes(bytes(row, 4)?),
        generator: row.get(5)?,
        service: row.get(6)?,
        model: row.get(7)?,
        status: stored_form::status(text(row, 8)?, place)?,
        task: row.get(9)?,
        reason: row.get(10)?,
        sha256: row.get::<_, Option<[u8; 32]>>(11)?.map(ContentDigest::from_bytes),
        decision: stored_form::decision(row.get::<_, Option<String>>(12)?.as_deref(), place)?,
        created_at: row.get(13)?,
        updated_at: row.get(14)?,
        estimate: stored_form::estimate(row.get(16)?, row.get(15)?),
        cost: row.get::<_, Option<i64>>(17)?.map(|cost| MicroUsd(unsigned(cost))),
        attempt: row.get(18)?,
        account: row.get::<_, Option<[u8; 32]>>(19)?.map(Account::from_bytes),
        id,
    })
}
