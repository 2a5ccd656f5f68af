//! How things are stored, whatever the database: what of them each table holds, and how values are written and read back.
//!
//! The SQL is that which every database reads alike. Tables that an older pixform made are read as they are; what they lack
//! is empty.

use super::call_lines::SPENT;
use super::{RUN_SILENT_SECONDS, Schema, StateError, Worth};
use crate::asset::MicroUsd;
use crate::process::Liveness;
use crate::record::{CallStatus, Decision, Estimate, Published, Record, published_from_json};

/// The migration that brought the columns of a paid call, and of where a run came from.
const PAID_SINCE: u32 = 2;

/// The migration that brought the table of acceptances.
const ACCEPTED_SINCE: u32 = 3;

/// The migration that brought what is known of references.
const COLLECTED_SINCE: u32 = 4;

/// The migration that brought the table of plans.
const PLANS_SINCE: u32 = 5;

/// The migration that brought what a server shows: arrangements, and the recipes of the past.
const SHOWN_SINCE: u32 = 6;

/// The migration that brought what a run belongs to, and what is damaged.
const REPAIRED_SINCE: u32 = 9;

/// The version since which files that were taken over are remembered.
const ADOPTED_SINCE: u32 = 8;

/// The migration that brought what a call cost, whether it is free, its requests and its account.
const COSTS_SINCE: u32 = 11;

/// The bit of `flags` that says `protect`.
pub(super) const PROTECT: i32 = 1;
/// The bit of `flags` that says `hold`.
pub(super) const HOLD: i32 = 2;

/// The columns of an original `o`.
pub(super) const ORIGINAL: &str = "o.recipe, o.sha256, o.path, o.bytes, o.width, o.height, o.seed";

/// How many columns [`call_columns`] names.
pub(super) const CALL_COLUMNS: usize = 20;

/// How many columns [`run_columns`] names.
pub(super) const RUN_COLUMNS: usize = 11;

/// What stands for a text that older tables lack.
const NOTHING: &str = "CAST(NULL AS text)";

/// Whether a ledger line `c` of a table that does not say so is free: what costs nothing.
const FREE_BEFORE: &str = "(c.price = 0)";

/// Whether an original becomes the one that its recipe is published with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OriginalPlace {
    /// It becomes the current one.
    Current,
    /// It is kept beside the current one, if any.
    Aside,
}

impl OriginalPlace {
    /// Returns the place of what a call made that has this status.
    pub(super) fn of(status: CallStatus) -> Self {
        if status == CallStatus::Finished { Self::Current } else { Self::Aside }
    }
}

/// The columns of a ledger line `c`.
pub(super) fn call_columns(schema: Schema) -> String {
    let [service, model, task, decision] =
        [("c.service", "c.generator"), ("c.model", NOTHING), ("c.task", NOTHING), ("c.decision", NOTHING)]
            .map(|(name, before)| paid(schema, name, before));
    let free = call_is_free(schema);
    let costs = match lacks(schema, COSTS_SINCE) {
        true => format!("c.price, {free}, CAST(NULL AS bigint), CAST(1 AS bigint), CAST(NULL AS bytea)"),
        false => format!("c.estimate, {free}, c.cost, c.attempt, c.account"),
    };
    format!(
        "c.id, c.run, c.collection, c.key, c.recipe, c.generator, {service}, {model}, c.status, {task}, \
         c.reason, c.sha256, {decision}, c.created_at, c.updated_at, {costs}"
    )
}

/// The condition that a ledger line `c` is of a free call.
pub(super) fn call_is_free(schema: Schema) -> &'static str {
    if lacks(schema, COSTS_SINCE) { FREE_BEFORE } else { "c.free" }
}

/// What lines of the ledger count for a cap, and which of them: those of older tables tell no cost.
pub(super) fn call_spent(schema: Schema) -> [&'static str; 2] {
    match lacks(schema, COSTS_SINCE) {
        true => ["sum(price)", "price > 0 AND status <> 'refused'"],
        false => [SPENT, "NOT free"],
    }
}

/// Reads what a call was to cost.
pub(super) fn estimate(free: bool, amount: i64) -> Estimate {
    if free { Estimate::Free } else { Estimate::Paid(MicroUsd(unsigned(amount))) }
}

/// The column of the run that holds a ledger line `c`.
pub(super) fn call_holder(schema: Schema) -> &'static str {
    paid(schema, "c.holder", "c.run")
}

/// The columns of a run `r`: command, process and origin.
pub(super) fn run_columns(schema: Schema) -> String {
    let origin = ["r.actor", "r.commit_sha", "r.run_url"].map(|name| paid(schema, name, NOTHING));
    let belongs = ["r.branch", "r.pull_request"].map(|name| if has_change_sets(schema) { name } else { NOTHING });
    format!("r.command, r.host, r.boot, r.namespace, r.pid, r.started, {}, {}", origin.join(", "), belongs.join(", "))
}

/// The condition that a run `r` belongs to a change set, as told at [`ChangeSet`](super::ChangeSet); `runs` is the table,
/// the others are parameters, of which one is null.
pub(super) fn belongs(schema: Schema, runs: &str, pull_request: &str, branch: &str) -> String {
    if !has_change_sets(schema) {
        return "false".to_owned();
    }
    let heard = |when: &str, order: &str| {
        format!(
            "(SELECT n.pull_request FROM {runs} AS n WHERE n.branch = r.branch AND n.pull_request IS NOT NULL
                AND n.created_at {when} r.created_at ORDER BY n.created_at {order}, n.id {order} LIMIT 1)"
        )
    };
    format!(
        "(r.pull_request = {pull_request} OR r.branch = {branch} OR (r.pull_request IS NULL
           AND r.branch IN (SELECT m.branch FROM {runs} AS m WHERE m.pull_request = {pull_request})
           AND coalesce({}, {}) = {pull_request}))",
        heard(">=", "ASC"),
        heard("<", "DESC"),
    )
}

/// The condition that a run `r` said that it ended, or was not heard of for too long; `now` is the time in the database's
/// own words, in milliseconds.
pub(super) fn run_ended(now: &str) -> String {
    format!("(r.finished_at IS NOT NULL OR r.heartbeat_at < {now} - {RUN_SILENT_SECONDS} * 1000)")
}

/// Tells whether a run is dead, by its process and by what it said; `ended` is [`run_ended`].
pub(super) fn is_dead(liveness: Liveness, finished: bool, ended: bool) -> bool {
    match liveness {
        _ if finished => true,
        Liveness::Dead => true,
        Liveness::Unknown => ended,
        Liveness::Alive => false,
    }
}

/// Tells whether there is a table of acceptances.
pub(super) fn has_acceptances(schema: Schema) -> bool {
    !lacks(schema, ACCEPTED_SINCE)
}

/// Tells whether it is known what is unreferenced, and since when.
pub(super) fn has_references(schema: Schema) -> bool {
    schema != Schema::Absent && !lacks(schema, COLLECTED_SINCE)
}

/// Tells whether a run that deletes files is dead; a file without one is nobody's.
pub(super) fn is_abandoned(run: &str, dead: bool) -> bool {
    run.is_empty() || dead
}

/// Reads what an original is worth.
pub(super) fn worth(open: bool, published: bool, free: bool) -> Worth {
    match () {
        () if open => Worth::UnderWay,
        () if published => Worth::Published,
        () if free => Worth::Free,
        () => Worth::Unpublished,
    }
}

/// Tells whether there is a table of plans.
pub(super) fn has_plans(schema: Schema) -> bool {
    !lacks(schema, PLANS_SINCE)
}

/// Tells whether there are arrangements, and recipes of the past.
pub(super) fn has_arrangements(schema: Schema) -> bool {
    !lacks(schema, SHOWN_SINCE)
}

/// Tells whether it is remembered which files were taken over.
pub(super) fn has_adopted(schema: Schema) -> bool {
    schema != Schema::Absent && !lacks(schema, ADOPTED_SINCE)
}

/// Tells whether runs say what they belong to.
pub(super) fn has_change_sets(schema: Schema) -> bool {
    !lacks(schema, REPAIRED_SINCE)
}

/// Tells whether there is a table of damaged files.
pub(super) fn has_damages(schema: Schema) -> bool {
    schema != Schema::Absent && !lacks(schema, REPAIRED_SINCE)
}

/// Returns a column that came with paid calls; of tables that are older, what stands for it.
fn paid(schema: Schema, column: &'static str, before: &'static str) -> &'static str {
    if lacks(schema, PAID_SINCE) { before } else { column }
}

fn lacks(schema: Schema, since: u32) -> bool {
    matches!(schema, Schema::Older(found) if found < since)
}

/// Returns the flags of a record.
pub(super) fn flags(record: &Record) -> i32 {
    (if record.protect { PROTECT } else { 0 }) | (if record.hold { HOLD } else { 0 })
}

/// Writes what is certain to be JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("text is JSON")
}

/// Sizes, prices and seeds stay far below 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads what [`signed`] wrote.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Reads the number of a request.
pub(super) fn attempt(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Parses a name that was stored.
pub(super) fn parsed<T>(text: &str, place: impl Fn() -> String) -> Result<T, StateError>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error: T::Err| StateError::unreadable(place(), error))
}

/// Reads what [`json`] wrote.
pub(super) fn from_json<'t, T>(text: &'t str, place: impl Fn() -> String) -> Result<T, StateError>
where
    T: serde::Deserialize<'t>,
{
    serde_json::from_str(text).map_err(|error| StateError::unreadable(place(), error))
}

/// Reads the files that were published.
pub(super) fn published(text: &str, place: impl Fn() -> String) -> Result<Vec<Published>, StateError> {
    published_from_json(text).map_err(|error| StateError::unreadable(place(), error))
}

/// Reads the status of a call.
pub(super) fn status(name: &str, place: impl Fn() -> String) -> Result<CallStatus, StateError> {
    let unknown = || StateError::unreadable(place(), format!("`{name}` is no status of a call"));
    CallStatus::parse(name).ok_or_else(unknown)
}

/// Reads the decision about a call.
pub(super) fn decision(name: Option<&str>, place: impl Fn() -> String) -> Result<Option<Decision>, StateError> {
    let Some(name) = name else { return Ok(None) };
    let unknown = || StateError::unreadable(place(), format!("`{name}` is no decision about a call"));
    Decision::parse(name).map(Some).ok_or_else(unknown)
}
