//! Rows that are there and cannot be adopted, with what stands in the way.

use crate::plan::{Cause, Change, CollectionPlan, Plan, Reason};

use super::change_list::listed;
use super::quantities;
use super::text_style::PlanStyle;

/// Returns the reasons why a row that is there is not adopted; none for a change of anything else.
pub fn unfit_reasons(change: &Change) -> impl Iterator<Item = &Reason> {
    change.reasons.iter().filter(|reason| match &reason.cause {
        Cause::RowDiffers { .. } | Cause::RowNamesNoPicture | Cause::RowElsewhere { written: None, .. } => true,
        Cause::ObjectMissing { .. } => change.before.is_none(),
        _ => false,
    })
}

/// Returns such a reason as a part of a sentence; escaped for no medium yet.
pub fn unfit_sentence(reason: &Reason) -> String {
    match &reason.cause {
        Cause::RowDiffers { field, found, declared } => {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            format!("{field}: the row says {}, the manifest {}", value(found), value(declared))
        }
        Cause::RowElsewhere { column, found, .. } => format!("{column} is no file of this storage: {found}"),
        Cause::ObjectMissing { path, .. } => format!("the file is missing: {path}"),
        _ => "the row names no picture".to_owned(),
    }
}

/// Returns the rows of a plan that cannot be adopted, grouped by why; empty where there is none.
pub fn unfit_text(plan: &Plan, style: PlanStyle) -> String {
    let amount = plan.changes().count();
    if amount == 0 {
        return String::new();
    }
    let (rows, are, a_picture) = match amount {
        1 => ("row is", "it stays as it is", "a new picture for it"),
        _ => ("rows are", "they stay as they are", "new pictures for them"),
    };
    let mut text = format!(
        "{} {rows} there and not adopted; {are}. `pixform apply` would make {a_picture}, `pixform accept` takes the old:\n\n",
        quantities::number(amount as u64)
    );
    let beside = |_: &CollectionPlan, change: &Change| {
        let plain = unfit_reasons(change).filter(|reason| !is_edit(reason)).map(unfit_sentence);
        plain.collect::<Vec<_>>().join("; ")
    };
    text.push_str(&listed(plan, style, beside));
    text.push('\n');
    text
}

fn is_edit(reason: &Reason) -> bool {
    matches!(reason.cause, Cause::RowDiffers { .. })
}
