//! Rows that a table would not take, told before anything is bought: by rule, a few of each.

use std::collections::BTreeSet;

use crate::asset::AssetKey;

use super::CollectionPlan;
use super::refusal::PlanRefusal;

/// Rules that are told, each by itself.
const RULES_MAX: usize = 10;
/// Values of one rule that are named.
const VALUES_MAX: usize = 3;
/// Keys of one value that are named.
const KEYS_MAX: usize = 3;

/// A row that a table would not take: it breaks one of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The row's key.
    pub key: AssetKey,
    /// The rule, a part of a sentence: ``column `mood` (mood) takes `glad`, `sad` ``.
    pub rule: String,
    /// What is against it, likewise: `` `angry` ``.
    pub found: String,
    /// SQL that gives way, where that is all that is needed; else empty.
    pub mend: String,
}

/// Returns why the rows of a collection cannot be written, one refusal a rule.
pub(super) fn misfits(collection: &CollectionPlan) -> Vec<PlanRefusal> {
    let Some(table) = &collection.table else { return Vec::new() };
    // A plan of a part writes fewer rows than were looked at.
    let written: BTreeSet<&AssetKey> = collection.changes.iter().map(|change| &change.key).collect();
    let there = || collection.misfits.iter().filter(|misfit| written.contains(&misfit.key));
    let mut rules: Vec<&str> = Vec::new();
    for Misfit { rule, .. } in there() {
        if !rules.contains(&rule.as_str()) && rules.len() <= RULES_MAX {
            rules.push(rule);
        }
    }
    let refusal = |rule: &&str| {
        let broken: Vec<&Misfit> = there().filter(|misfit| misfit.rule == **rule).collect();
        let rows = match broken.len() {
            1 => "1 row".to_owned(),
            count => format!("{count} rows"),
        };
        PlanRefusal {
            code: "row",
            message: format!("the table `{table}` would not take {rows}: {rule}, not {}", found(&broken)),
            way_out: way_out(&broken),
        }
    };
    let mut refusals: Vec<PlanRefusal> = rules.iter().take(RULES_MAX).map(refusal).collect();
    if rules.len() > RULES_MAX {
        refusals.push(PlanRefusal {
            code: "row",
            message: format!("the table `{table}` would not take more rows, for other reasons"),
            way_out: "mend these first, and plan again".to_owned(),
        });
    }
    refusals
}

/// Returns the values that a rule is broken by, with some of the keys of each.
fn found(broken: &[&Misfit]) -> String {
    let mut values: Vec<(&str, Vec<&AssetKey>)> = Vec::new();
    for Misfit { found, key, .. } in broken {
        match values.iter().position(|(value, _)| value == found) {
            Some(at) => values[at].1.push(key),
            None if values.len() < VALUES_MAX => values.push((found, vec![key])),
            None => {}
        }
    }
    let named: usize = values.iter().map(|(_, keys)| keys.len()).sum();
    let told = values.into_iter().map(|(value, keys)| format!("{value} ({})", listed(&keys)));
    let told: Vec<String> = told.collect();
    match broken.len() - named {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

fn listed(keys: &[&AssetKey]) -> String {
    let named: Vec<&str> = keys.iter().take(KEYS_MAX).map(|key| key.as_str()).collect();
    match keys.len().saturating_sub(KEYS_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn way_out(broken: &[&Misfit]) -> String {
    let mends: BTreeSet<&str> =
        broken.iter().map(|misfit| misfit.mend.as_str()).filter(|mend| !mend.is_empty()).collect();
    let mends: Vec<&str> = mends.into_iter().take(VALUES_MAX).collect();
    match mends.as_slice() {
        [] => "change the manifest, or the table; `--except` leaves assets out".to_owned(),
        mends => format!("change the manifest, or run in the database: {}", mends.join(" ")),
    }
}
