//! What of an approved plan can no longer be carried out, in words.

use crate::plan::{Stray, Strayed, StrayedField};

use super::quantities;

/// Assets that are told of by name.
const NAMED_MAX: usize = 20;
/// How much of a value is shown, in characters.
const VALUE_MAX: usize = 120;

/// Returns a line for each asset, and for each of its fields what was planned and what is there.
///
/// It may hold strangers' text and is escaped for no medium yet.
pub fn strays_text(strays: &[Stray]) -> String {
    let mut lines = Vec::new();
    let no_fields = Vec::new();
    for Stray { collection, key, why } in strays.iter().take(NAMED_MAX) {
        let (what, fields, was) = match why {
            Strayed::Manifest(fields) => ("the manifest asks for something else than was approved", fields, "approved"),
            Strayed::Record(fields) => ("it changed after the plan was made", fields, "planned from"),
            Strayed::Adoption => (
                "the row that was to be taken over, or its picture, is not what it was when the plan was made",
                &no_fields,
                "",
            ),
        };
        lines.push(format!("{collection}:{key}: {what}"));
        lines.extend(fields.iter().map(|StrayedField { name, planned, now }| {
            format!("  {name}: {was} {}, now {}", value(planned.as_deref()), value(now.as_deref()))
        }));
    }
    if strays.len() > NAMED_MAX {
        lines.push(format!("and {} more", quantities::count((strays.len() - NAMED_MAX) as u64, "asset")));
    }
    lines.push("nothing was changed; have the plan as it is now approved".to_owned());
    lines.join("\n")
}

fn value(text: Option<&str>) -> String {
    let Some(text) = text else { return "nothing".to_owned() };
    let mut short: String = text.chars().take(VALUE_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{short}`")
}
