//! The guard: looks at a finished plan and says, in one sentence each, why it must not be carried out.

use std::collections::HashSet;

use crate::asset::{AssetKey, MicroUsd};

use super::misfit::misfits;
use super::refusal::PlanRefusal;
use super::{Action, CollectionPlan, Plan};

/// What may not be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardLimits {
    /// The lowest cap on the cost; `None` without one. A cap of 0 means "buy nothing" and refuses nothing by itself.
    pub max_cost: Option<Cap>,
    /// What all runs together may cost in a month, and did so far; `None` without a cap on it.
    pub month: Option<Month>,
    /// Deletions that need not be listed under `removed`.
    pub max_deletions: u64,
}

/// A cap on what a calendar month costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// The most that may be spent.
    pub most: MicroUsd,
    /// What was spent, in this month so far.
    pub spent: MicroUsd,
}

/// A cap on the cost, and who set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cap {
    /// The most that may be spent.
    pub most: MicroUsd,
    /// Where it can be raised.
    pub set_by: CapSetter,
}

/// Who can set a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapSetter {
    /// The argument `--max-cost`.
    Argument,
    /// The variable `PIXFORM_MAX_COST`.
    Variable,
    /// The environment's `guards.max_cost`.
    Guards,
}

/// Keys that differ only in case from a row, each told by itself.
const TWINS_MAX: usize = 100;

/// Deletions that go without `removed` unless the environment says otherwise.
pub const MAX_DELETIONS_DEFAULT: u64 = 10;

/// What was found of the storage's marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFinding {
    /// It is ours, or free to take.
    Usable,
    /// It is not the one that this state knows, or another state works with it.
    Refused {
        /// One sentence.
        message: String,
        /// What to do.
        way_out: String,
    },
}

/// Returns every reason why the plan must not be carried out.
pub fn guard(plan: &Plan, limits: GuardLimits, store: &StoreFinding) -> Vec<PlanRefusal> {
    let mut refusals = Vec::new();
    if let StoreFinding::Refused { message, way_out } = store {
        refusals.push(PlanRefusal { code: "store", message: message.clone(), way_out: way_out.clone() });
    }
    refusals.extend(plan.collections.iter().filter_map(key_axes));
    refusals.extend(plan.collections.iter().flat_map(misfits));
    refusals.extend(plan.collections.iter().flat_map(case_twins));
    refusals.extend(cost(plan, limits.max_cost));
    refusals.extend(month(plan, limits));
    refusals.extend(deletions(plan, limits.max_deletions));
    refusals.extend(protection(plan));
    refusals.extend(downgrades(plan));
    refusals
}

fn key_axes(collection: &CollectionPlan) -> Option<PlanRefusal> {
    let recorded = collection.uncovered_key.as_ref()?;
    Some(PlanRefusal {
        code: "key",
        message: format!(
            "the key of `{}` changed from [{}] to [{}], and `moved` does not say where each asset went",
            collection.name,
            recorded.join(", "),
            collection.key.join(", ")
        ),
        way_out: "add a line to `moved` that covers every recorded key, or put the key back".to_owned(),
    })
}

/// An asset whose picture may be there under another spelling must not be bought.
fn case_twins(collection: &CollectionPlan) -> Vec<PlanRefusal> {
    let makes = |action| matches!(action, Action::Unknown | Action::Generate | Action::Reuse);
    let made = collection.changes.iter().filter(|change| makes(change.action)).map(|change| &change.key);
    let made: HashSet<&AssetKey> = if collection.case_twins.is_empty() { HashSet::new() } else { made.collect() };
    let twins: Vec<_> = collection.case_twins.iter().filter(|(_, declared)| made.contains(declared)).collect();
    let mut refusals: Vec<PlanRefusal> = twins
        .iter()
        .take(TWINS_MAX)
        .map(|(there, declared)| PlanRefusal {
            code: "case",
            message: format!(
                "`{declared}` would be made, and the table has a row `{there}`, which differs only in case"
            ),
            way_out: format!(
                "rename the row, {}, or declare it as `{there}`",
                renaming(collection, there, declared.as_str())
            ),
        })
        .collect();
    if twins.len() > TWINS_MAX {
        refusals.push(PlanRefusal {
            code: "case",
            message: format!("{} more keys differ only in case from a row", twins.len() - TWINS_MAX),
            way_out: "rename these rows, or declare them as they are written in the table".to_owned(),
        });
    }
    refusals
}

/// Returns the SQL that gives a row the declared spelling.
fn renaming(collection: &CollectionPlan, there: &str, declared: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let parts: Vec<_> = collection.key.iter().zip(there.split('/').zip(declared.split('/'))).collect();
    let pair = |axis: &String, value: &str| format!("\"{axis}\" = {}", quoted(value));
    let set = parts.iter().filter(|(_, (there, declared))| there != declared);
    let set: Vec<String> = set.map(|(axis, (_, declared))| pair(axis, declared)).collect();
    let matching: Vec<String> = parts.iter().map(|(axis, (there, _))| pair(axis, there)).collect();
    let table = collection.table.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("`UPDATE {table} SET {} WHERE {};`", set.join(", "), matching.join(" AND "))
}

fn cost(plan: &Plan, cap: Option<Cap>) -> Option<PlanRefusal> {
    let (Cap { most, set_by }, cost) = (cap?, plan.cost());
    // The lowest cap wins: who wants to raise one has to know which. How is not said: what is named gets copied.
    let setter = match set_by {
        CapSetter::Argument => "the argument `--max-cost`",
        CapSetter::Variable => "the variable `PIXFORM_MAX_COST`",
        CapSetter::Guards => "`guards: { max_cost: … }` in pixform.yaml",
    };
    (most.0 > 0 && cost > most).then(|| PlanRefusal {
        code: "cost",
        message: format!("the plan costs ${cost}, which is over the cap of ${most}"),
        way_out: format!("take fewer with `--only`, or have it approved by whoever set {setter}"),
    })
}

fn month(plan: &Plan, limits: GuardLimits) -> Option<PlanRefusal> {
    let (Month { most, spent }, cost) = (limits.month?, plan.cost());
    let buys_nothing = limits.max_cost.is_some_and(|cap| cap.most.0 == 0);
    let would_be = MicroUsd(spent.0.saturating_add(cost.0));
    (cost.0 > 0 && !buys_nothing && would_be > most).then(|| PlanRefusal {
        code: "cost_month",
        message: format!(
            "the plan costs ${cost}, and with the ${spent} of this month that is over the month's cap of ${most}"
        ),
        way_out: format!(
            "take fewer with `--only`, or have ${would_be} approved by whoever set `guards: {{ max_cost_month: … }}` in \
             pixform.yaml"
        ),
    })
}

fn deletions(plan: &Plan, allowed: u64) -> Option<PlanRefusal> {
    let unexpected = |collection: &CollectionPlan| {
        collection.changes.iter().filter(|change| change.action == Action::Delete && !change.expected).count() as u64
    };
    let count: u64 = plan.collections.iter().map(unexpected).sum();
    (count > allowed).then(|| PlanRefusal {
        code: "deletions",
        message: format!("the plan deletes {count} assets, and {allowed} are allowed without being listed"),
        way_out: "list them under `removed:` in the manifest, or raise `guards: { max_deletions: … }`".to_owned(),
    })
}

fn protection(plan: &Plan) -> Option<PlanRefusal> {
    let replaced = |action| matches!(action, Action::Generate | Action::Reuse);
    let refused: Vec<_> = plan
        .changes()
        .filter(|(_, change)| change.before.is_some_and(|before| before.protect))
        .filter(|(_, change)| change.action == Action::Delete || (replaced(change.action) && !change.unprotected))
        .collect();
    let (_, first) = refused.first()?;
    let more = match refused.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let (verb, way_out) = if first.action == Action::Delete {
        ("deleted", "declare it once more with `protect: false`, apply, and remove it then")
    } else {
        ("replaced", "write `protect: false` where it is declared, or in `cells`")
    };
    Some(PlanRefusal {
        code: "protected",
        message: format!("`{}`{more} is protected and would be {verb}", first.key),
        way_out: way_out.to_owned(),
    })
}

fn downgrades(plan: &Plan) -> Option<PlanRefusal> {
    let mut refused = plan.changes().filter(|(_, change)| change.downgrade);
    let (_, first) = refused.next()?;
    let more = match refused.count() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    Some(PlanRefusal {
        code: "placeholder",
        message: format!("`{}`{more} has a real picture, and a placeholder would take its place", first.key),
        way_out: "choose the environment that has the real generator with `--env`".to_owned(),
    })
}
