//! Plans of manifests against older manifests, as text: the same listing, in words that promise no more than is known.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::plan::{Action, Change, CollectionPlan, Plan};

use super::plan_text::sections;
use super::quantities;
use super::text_style::{PlanStyle, Tone};
use super::visible_text::terminal;

/// What such a plan does not know of itself.
#[derive(Debug, Clone, Copy)]
pub struct AgainstFacts<'f> {
    /// What the older manifests are called.
    pub name: &'f str,
    /// The collections that they declare.
    pub known: &'f BTreeSet<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Says what was compared, in one sentence without a full stop.
pub fn against_sentence(name: &str) -> String {
    format!(
        "compared with the manifests of {name} only: pictures that are there already cost nothing, so this is the most that \
         it costs"
    )
}

/// Returns the plan as text that is safe for a terminal; the last line has counts and money, and ends with a line feed.
pub fn against_text(plan: &Plan, facts: AgainstFacts<'_>, style: PlanStyle) -> String {
    let header = |collection: &CollectionPlan| {
        let name = style.colour.paint(Tone::Strong, &terminal(collection.name.as_str()));
        let new = if facts.known.contains(collection.name.as_str()) { "" } else { " · a new collection" };
        let (environment, with) = (terminal(&plan.environment), terminal(facts.name));
        format!("{name} · {environment} · compared with {with} in {}{new}\n", quantities::duration(facts.elapsed))
    };
    sections(plan, style, header, last_line(plan, style))
}

fn last_line(plan: &Plan, style: PlanStyle) -> String {
    let unchanged = quantities::number(plan.count(Action::Keep));
    if plan.is_empty() {
        return format!("{} {unchanged} unchanged.\n", style.colour.paint(Tone::Strong, "No changes."));
    }
    let amount = |wanted: &dyn Fn(&Change) -> bool| plan.changes().filter(|(_, change)| wanted(change)).count() as u64;
    let renamed = |change: &Change| change.moved_from.is_some();
    let counts = [
        (amount(&|change| change.before.is_some() && change.after.is_some() && !renamed(change)), "changes", "change"),
        (amount(&|change| change.before.is_none() && change.after.is_some()), "is new", "are new"),
        (amount(&renamed), "is renamed", "are renamed"),
        (amount(&|change| change.after.is_none()), "is gone", "are gone"),
    ];
    let counts = counts.into_iter().filter(|(amount, _, _)| *amount > 0).enumerate();
    let counts = counts.map(|(at, (amount, one, many))| {
        let amount_of = if at == 0 { quantities::count(amount, "description") } else { quantities::number(amount) };
        format!("{amount_of} {}", if amount == 1 { one } else { many })
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let cap = plan.cap.map(|cap| format!(" (cap ${cap})")).unwrap_or_default();
    format!("{counts}, at most ${}{cap}; {unchanged} unchanged.\n", plan.cost())
}
