//! Reading the ledger: the lines of a recipe for a plan, and all of them for people.
//!
//! Tables that an older pixform made are read as they are; what they lack is empty.

use std::collections::BTreeSet;
use std::pin::pin;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, next};
use super::failure::Failure;
use super::read::{bytes, maybe_bytes, parsed, unsigned};
use super::runs::{self, Fates};
use super::schema::column;
use crate::asset::MicroUsd;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{Call, CallStatus, Decision};
use crate::state::{CallSeen, HistoryLine, HistoryQuery, HistoryRun, IsAlive, Schema};

/// The migration that brought the columns of a paid call.
const PAID_SINCE: u32 = 2;

/// How many columns [`columns`] names.
const COLUMNS: usize = 16;

/// Returns all lines of recipes, oldest first.
pub(super) async fn calls(
    transaction: &Transaction,
    schema: Schema,
    recipes: &[RecipeDigest],
    liveness: IsAlive<'_>,
) -> Result<Vec<CallSeen>, Failure> {
    let sql = format!(
        "SELECT {}, {} FROM pixform.calls AS c WHERE c.recipe = ANY($1) ORDER BY c.recipe, c.id",
        columns(schema),
        column(schema, PAID_SINCE, "c.holder", "c.run"),
    );
    let recipes: Vec<&[u8]> = recipes.iter().map(|recipe| recipe.as_bytes().as_slice()).collect();
    let mut seen = Vec::new();
    for row in transaction.query_typed(&sql, &[(&recipes, Type::BYTEA_ARRAY)]).await? {
        seen.push((call(&row)?, row.try_get::<_, String>(COLUMNS)?));
    }
    let open = seen.iter().filter(|(call, _)| call.status.is_open());
    let holders: BTreeSet<&str> = open.map(|(_, holder)| holder.as_str()).collect();
    let fates = Fates::look(transaction, holders, liveness).await?;
    let judged = seen.into_iter().map(|(call, holder)| {
        let abandoned = call.status.is_open() && fates.is_dead(&holder);
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
) -> Result<(), Failure> {
    let HistoryQuery { collection, key, since, limit } = wanted;
    let sql = format!(
        "SELECT {}, r.id IS NOT NULL, {}, {} FROM pixform.calls AS c LEFT JOIN pixform.runs AS r ON r.id = c.run
         WHERE ($1 IS NULL OR c.collection = $1) AND ($2 IS NULL OR c.key = $2) AND ($3 IS NULL OR c.created_at >= $3)
         ORDER BY c.id DESC LIMIT $4",
        columns(schema),
        runs::columns(schema),
        runs::ended(),
    );
    let limit = limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let (collection, key) = (collection.as_ref().map(|name| name.as_str()), key.as_ref().map(|key| key.as_str()));
    let params: [Param<'_>; 4] =
        [(&collection, Type::TEXT), (&key, Type::TEXT), (since, Type::INT8), (&limit, Type::INT8)];
    let mut rows = pin!(transaction.query_typed_raw(&sql, params).await?);
    while let Some(row) = next(&mut rows).await? {
        let first = COLUMNS + 1;
        let run = match row.try_get(COLUMNS)? {
            false => None,
            true => {
                let (command, process, origin) = runs::read(&row, first)?;
                Some(HistoryRun { command, process, origin, ended: row.try_get(first + runs::COLUMNS)? })
            }
        };
        take(HistoryLine { call: call(&row)?, run });
    }
    Ok(())
}

/// The columns of a line `c`, in the order in which [`call`] reads them.
fn columns(schema: Schema) -> String {
    let [service, model, task, decision] = [
        ("c.service", "c.generator"),
        ("c.model", "NULL::text"),
        ("c.task", "NULL::text"),
        ("c.decision", "NULL::text"),
    ]
    .map(|(name, before)| column(schema, PAID_SINCE, name, before));
    format!(
        "c.id, c.run, c.collection, c.key, c.recipe, c.generator, {service}, {model}, c.price, c.status, {task}, \
         c.reason, c.sha256, {decision}, c.created_at, c.updated_at"
    )
}

fn call(row: &Row) -> Result<Call, Failure> {
    let id: String = row.try_get(0)?;
    let place = || format!("the ledger line `{id}`");
    let status: &str = row.try_get(9)?;
    let status = CallStatus::parse(status)
        .ok_or_else(|| Failure::unreadable(place(), format!("`{status}` is no status of a call")))?;
    let decision = match row.try_get::<_, Option<&str>>(13)? {
        None => None,
        Some(name) => Some(
            Decision::parse(name)
                .ok_or_else(|| Failure::unreadable(place(), format!("`{name}` is no decision about a call")))?,
        ),
    };
    Ok(Call {
        run: row.try_get(1)?,
        collection: parsed(row.try_get(2)?, place)?,
        key: parsed(row.try_get(3)?, place)?,
        recipe: RecipeDigest::from_bytes(bytes(row, 4, place)?),
        generator: row.try_get(5)?,
        service: row.try_get(6)?,
        model: row.try_get(7)?,
        price: MicroUsd(unsigned(row.try_get(8)?)),
        status,
        task: row.try_get(10)?,
        reason: row.try_get(11)?,
        sha256: maybe_bytes(row, 12, place)?.map(ContentDigest::from_bytes),
        decision,
        created_at: row.try_get(14)?,
        updated_at: row.try_get(15)?,
        id,
    })
}
