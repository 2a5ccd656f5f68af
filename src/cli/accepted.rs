//! Rows that are kept as they were edited, and what is said of things that were accepted.

use std::collections::HashMap;

use crate::apply::{self, KeptRow, Leases};
use crate::asset::{AssetKey, Assets, CollectionName, MicroUsd};
use crate::engine::{self, PreparedPlan, RunOptions};
use crate::plan::{Action, Cause, Edited, Plan, RowState, settle_seed};
use crate::planner::{DeclaredManifest, row_state};
use crate::render::{self, EventLine, Severity, terminal};
use crate::state::{Acceptance, Accepted, Access};
use crate::world::World;

use super::confirm::{Confirmation, Consent, confirm};
use super::{Failure, Output};

/// Assets that were asked for and cannot be accepted, with why.
#[derive(Debug, Default)]
pub struct Refusals(Vec<(String, String)>);

impl Refusals {
    /// Adds one.
    pub fn add(&mut self, name: String, why: String) {
        self.0.push((name, why));
    }

    /// Tells of all.
    pub fn tell(&self, output: &Output) {
        for (name, why) in &self.0 {
            let message = format!("{name} is left as it is: {why}");
            match output.is_json() {
                true => output.diagnostic(Severity::Warning, &message, None, None),
                false => output.talk(&message),
            }
        }
    }

    /// Ends a command that has nothing to do: an error where something was asked for that cannot be done.
    pub fn nothing(&self, words: &str, output: &Output) -> Result<u8, Failure> {
        if self.0.is_empty() {
            if !output.is_json() {
                output.data(&format!("{words}\n"));
            }
            return Ok(0);
        }
        Ok(1)
    }

    /// Returns the exit code after everything else was done.
    pub fn code_after_work(&self) -> u8 {
        if self.0.is_empty() { 0 } else { 4 }
    }
}

/// The rows of one collection that are kept.
struct EditedRows<'d> {
    declared: &'d DeclaredManifest,
    rows: Vec<KeptRow>,
}

/// Keeps the rows of a plan that were edited by hand.
pub async fn keep_rows(
    world: &World,
    mut prepared: PreparedPlan,
    consent: Consent,
    options: &RunOptions<'_>,
    output: &Output,
) -> Result<u8, Failure> {
    let mut refusals = Refusals::default();
    let mut kept = Vec::new();
    for declared in &prepared.loaded.declared {
        kept.push(edited(world, declared, &prepared.plan, &mut refusals).await?);
    }
    refusals.tell(output);
    for collection in &mut prepared.plan.collections {
        let rows = kept.iter().find(|kept| kept.declared.manifest.name == collection.name);
        let is_kept = |key: &AssetKey| rows.is_some_and(|kept| kept.rows.iter().any(|row| row.asset.key == *key));
        collection.changes.retain(|change| is_kept(&change.key));
        for change in &mut collection.changes {
            // Whatever else is to be done about them is not done here.
            change.action = Action::Record;
            change.price = MicroUsd(0);
            change.reasons.retain(|reason| matches!(reason.cause, Cause::RowEdited { .. }));
        }
        collection.notes.clear();
    }
    if prepared.plan.changes_nothing() {
        return refusals.nothing("Nothing to accept: no row that is asked for was edited by hand.", output);
    }
    match output.is_json() {
        true => render::plan_events(&prepared.plan).for_each(|event| output.event(&event)),
        false => output.data(&render::kept_rows_text(&prepared.plan, output.style())),
    }
    let question = format!("Keep these rows of `{}` as they are?", prepared.plan.environment);
    confirm(Confirmation { command: "accept", words: &question, consent }, output)?;
    let world = prepared.environment.open(Access::Write).await?;
    let run = engine::begin_run(&world, &prepared.environment, &options.start, None, output).await?;
    let names: Vec<CollectionName> = apply::collections(&prepared.plan);
    let leases = Leases::take(&*world.state, &names, &run, options.wait_seconds).await?;
    let result = write(&world, &leases, &kept).await;
    leases.release(&*world.state).await;
    let (count, changed) = engine::end_run(&world, &run, result).await?;
    if !output.is_json() {
        let rows = if count == 1 { "row" } else { "rows" };
        output.data(&format!("\nKept: {count} {rows} as edited. Cost: $0.00.\n"));
    }
    for (collection, change) in prepared.plan.changes().filter(|_| output.is_json()) {
        let (collection, key, action) = (&collection.name, &change.key, change.action);
        if !changed.contains(key) {
            output.event(&EventLine::ApplyComplete { collection, key, action, url: None });
        }
    }
    for key in &changed {
        output.talk(&format!("{key} changed once more meanwhile, and is left as it is"));
    }
    Ok(if changed.is_empty() { refusals.code_after_work() } else { 6 })
}

async fn write(world: &World, leases: &Leases, kept: &[EditedRows<'_>]) -> Result<(usize, Vec<AssetKey>), Failure> {
    let (mut count, mut left) = (0, Vec::new());
    for EditedRows { declared, rows } in kept.iter().filter(|kept| !kept.rows.is_empty()) {
        let Some(table) = declared.manifest.table() else { continue };
        let changed = apply::keep_rows(world, leases.of(&declared.manifest.name)?, table, rows).await?;
        count += rows.len() - changed.len();
        left.extend(changed);
    }
    left.sort();
    Ok((count, left))
}

/// Finds the rows of a collection that were edited; says why one that is not as it was cannot be kept.
async fn edited<'d>(
    world: &World,
    declared: &'d DeclaredManifest,
    plan: &Plan,
    refusals: &mut Refusals,
) -> Result<EditedRows<'d>, Failure> {
    let manifest = &declared.manifest;
    let mut kept = EditedRows { declared, rows: Vec::new() };
    let collection = plan.collections.iter().find(|collection| collection.name == manifest.name);
    let (Some(collection), Some(table)) = (collection, manifest.table()) else { return Ok(kept) };
    let drifted = |cause: &Cause| {
        matches!(cause, Cause::RowEdited { .. } | Cause::RowMissing | Cause::RowElsewhere { written: Some(_), .. })
    };
    let changes = collection.changes.iter().filter(|change| change.before.is_some());
    let changes = changes.filter(|change| change.reasons.iter().any(|reason| drifted(&reason.cause)));
    let (renamed, changes): (Vec<_>, Vec<_>) = changes.partition(|change| change.moved_from.is_some());
    for (change, from) in renamed.into_iter().filter_map(|change| Some((change, change.moved_from.as_ref()?))) {
        let why = format!(
            "it is renamed from `{}`, which writes its row whole: keep the row with the manifest as it was before the \
             rename, and rename it then",
            from.1
        );
        refusals.add(format!("{}:{}", manifest.name, change.key), why);
    }
    let changes: Vec<_> = changes.into_iter().filter_map(|change| Some((change.index?, change.key.clone()))).collect();
    let keys: Vec<AssetKey> = changes.iter().map(|(_, key)| key.clone()).collect();
    let records = world.state.records(&manifest.name, &keys).await?;
    let records: HashMap<_, _> = records.into_iter().map(|record| (record.key.clone(), record)).collect();
    let rows = world.state.rows(table, &keys).await?;
    let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    for (index, key) in changes {
        let Some(record) = records.get(&key) else { continue };
        let asset = settle_seed(manifest.asset(index), Some(record));
        let name = format!("{}:{key}", manifest.name);
        match (row_state(&asset, record, table, rows.get(&key), &world.url_base), rows.get(&key)) {
            (RowState::Missing, _) => {
                let why = "its row is gone, so that there is nothing to keep; `pixform apply` puts it back";
                refusals.add(name, why.to_owned());
            }
            (RowState::Edited(edits), Some(row)) => match edits.iter().find(|edit| edit.edited == Edited::Pointer) {
                Some(edit) => refusals.add(
                    name,
                    format!(
                        "`{}` points at {}, a file that pixform does not know: visitors see it, and nobody could put it \
                         back; `pixform apply` puts the row back",
                        edit.column, edit.found
                    ),
                ),
                None => kept.rows.push(KeptRow { asset, seen: row.seen, edits }),
            },
            (RowState::Edited(_) | RowState::NotLooked | RowState::Same, _) => {}
        }
    }
    Ok(kept)
}

/// Says what was accepted of an asset, a line each.
pub fn lines(accepted: &[Acceptance]) -> String {
    let line = |Acceptance { accepted, origin, created_at, .. }: &Acceptance| {
        let time = jiff::Timestamp::from_second(created_at.div_euclid(1_000)).map(|time| time.to_string());
        let day = time.unwrap_or_default().get(..10).unwrap_or_default().to_owned();
        let who = origin.actor.as_ref().map(|actor| format!(" by {actor}")).unwrap_or_default();
        let what = match accepted {
            Accepted::Picture { from: Some(from), to, .. } => {
                format!("the picture made for recipe {} satisfies recipe {}", from.short(), to.short())
            }
            Accepted::Picture { from: None, to, .. } => {
                format!("the picture that was there satisfies recipe {}", to.short())
            }
            Accepted::Row { columns } => {
                let names: Vec<String> = columns.iter().map(|column| format!("`{}`", column.column)).collect();
                format!("the row stays as it was edited: {}", names.join(", "))
            }
        };
        format!("  accepted {day}{}: {}\n", terminal(&who), terminal(&what))
    };
    accepted.iter().map(line).collect()
}
