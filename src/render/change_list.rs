//! Changes listed for a question about them: keys with what stands beside each, and their edits told once.

use crate::plan::{Change, CollectionPlan, Plan};

use super::change_groups::families;
use super::quantities;
use super::text_style::{ListLength, PlanStyle};
use super::visible_text::terminal;

/// From how many changes on a short listing is cut.
const LINES_MAX: usize = 50;
/// How many changes of such a listing are shown.
const LINES_SHOWN: usize = 20;

/// Returns a line for each change, grouped by its edits; `beside` says what stands beside a key, and is escaped here.
pub(super) fn listed(plan: &Plan, style: PlanStyle, beside: impl Fn(&CollectionPlan, &Change) -> String) -> String {
    let amount = plan.changes().count();
    let cut = style.listing == ListLength::Short && amount > LINES_MAX;
    let mut room = if cut { LINES_SHOWN } else { usize::MAX };
    let mut text = String::new();
    for collection in &plan.collections {
        for group in families(collection).iter().flat_map(|family| &family.groups) {
            if room == 0 {
                continue;
            }
            for member in group.members.iter().take(room) {
                let key = terminal(member.change.key.as_str()).into_owned();
                let line = format!("  {}:{key}   {}", collection.name, terminal(&beside(collection, member.change)));
                text.push_str(line.trim_end());
                text.push('\n');
            }
            room = room.saturating_sub(group.members.len());
            for (number, edit) in group.edits.iter().enumerate() {
                edit.push_lines(&mut text, &group.used(number), style);
            }
        }
    }
    if cut {
        text.push_str(&format!("  … and {} more\n", quantities::number((amount - LINES_SHOWN) as u64)));
    }
    text
}

/// Returns the pictures that are to be accepted, with how their recipes differ.
pub fn accept_text(plan: &Plan, style: PlanStyle) -> String {
    let beside = |_: &CollectionPlan, change: &Change| match (change.before, change.after) {
        (Some(before), Some(after)) => {
            format!("the picture made for recipe {} satisfies recipe {}", before.recipe.short(), after.recipe.short())
        }
        (_, Some(after)) => format!("the picture that is there satisfies recipe {}", after.recipe.short()),
        (_, None) => String::new(),
    };
    listed(plan, style, beside)
}

/// Returns the rows that are to be kept, with what was edited.
pub fn kept_rows_text(plan: &Plan, style: PlanStyle) -> String {
    let beside = |collection: &CollectionPlan, change: &Change| {
        let remarks = super::remark_text::remarks(&collection.name, change);
        let edited = remarks.into_iter().filter(|(code, _)| *code == "row_edited").map(|(_, remark)| remark);
        edited.collect::<Vec<_>>().join("; ")
    };
    listed(plan, style, beside)
}
