//! The table: what is live beside what will be, one row an asset.

use crate::asset::MicroUsd;
use crate::plan::{Action, Change, CollectionPlan, Plan};

use super::super::quantities;
use super::super::remark_text::remarks;
use super::super::report_facts::{PictureFacts, ReportFacts, ReportStage};
use super::{Pictures, ReportShape, markdown_escape};

/// How wide a picture is shown, in pixels.
const WIDTH: u32 = 200;

/// Returns the table, and in words what it leaves out; empty where nothing changes.
pub(super) fn table(plan: &Plan, facts: &ReportFacts, shape: ReportShape) -> String {
    let amount = plan.changes().count();
    let mut text = String::new();
    if amount > 0 && shape.rows > 0 {
        let after = if matches!(facts.stage, ReportStage::Applied { .. }) { "now" } else { "after merge" };
        let before = if after == "now" { "before" } else { "live now" };
        text.push_str(&format!("| | {before} | {after} |\n|---|---|---|\n"));
        for (collection, change) in plan.changes().take(shape.rows) {
            let known = facts.asset(&collection.name, &change.key);
            let old = cell(known.and_then(|known| known.before.as_ref()), &absent_before(change), before, shape);
            let new =
                cell(known.and_then(|known| known.after.as_ref()), &absent_after(change, &facts.stage), after, shape);
            text.push_str(&format!("| {} | {old} | {new} |\n", heading(plan, collection, change, shape)));
        }
    }
    if amount > shape.rows {
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}{}\n", left_out(plan, shape.rows)));
    }
    text
}

/// Returns the name of an asset as a report gives it: with its collection where there are several.
pub(super) fn name(plan: &Plan, collection: &CollectionPlan, change: &Change) -> String {
    let several = plan.collections.iter().filter(|collection| !collection.changes.is_empty()).nth(1).is_some();
    match several {
        true => format!("{}:{}", collection.name, change.key),
        false => change.key.to_string(),
    }
}

fn heading(plan: &Plan, collection: &CollectionPlan, change: &Change, shape: ReportShape) -> String {
    let name = markdown_escape::code(&name(plan, collection, change), 300);
    // The pictures say that one is new, and the sentence above that it is kept.
    let told =
        remarks(&collection.name, change).into_iter().filter(|(code, _)| !matches!(*code, "original_kept" | "new"));
    let told = told.map(|(_, remark)| markdown_escape::text(&remark, shape.characters));
    let action = match change.action {
        Action::Generate | Action::Reuse => None,
        other => Some(other.name().to_owned()),
    };
    [name].into_iter().chain(action).chain(told).collect::<Vec<_>>().join(" · ")
}

fn cell(picture: Option<&PictureFacts>, otherwise: &str, alt: &str, shape: ReportShape) -> String {
    let url = picture.and_then(|picture| picture.url.as_deref()).map(markdown_escape::address);
    match (url, shape.pictures) {
        (Some(url), Pictures::Shown) => {
            let width = picture.map_or(WIDTH, |picture| picture.width.clamp(1, WIDTH));
            format!("<img width=\"{width}\" src=\"{url}\" alt=\"{alt}\">")
        }
        (Some(url), Pictures::Linked) => format!("[picture]({url})"),
        (None, _) if picture.is_some() => "a picture, at no public address".to_owned(),
        (_, Pictures::Told) if picture.is_some() => "a picture".to_owned(),
        _ => otherwise.to_owned(),
    }
}

fn absent_before(change: &Change) -> String {
    match (&change.before, &change.adoption) {
        (None, Some(_)) => "a picture, not pixform's".to_owned(),
        (None, None) => "–".to_owned(),
        (Some(_), _) => "a picture".to_owned(),
    }
}

fn absent_after(change: &Change, stage: &ReportStage) -> String {
    match change.action {
        Action::Generate | Action::Reuse if matches!(stage, ReportStage::Applied { .. }) => "not made".to_owned(),
        Action::Generate if change.price > MicroUsd(0) => format!("to be made, ${}", change.price),
        Action::Generate => "to be made".to_owned(),
        Action::Reuse => "there already, $0.00".to_owned(),
        Action::Render => "the same, rendered anew".to_owned(),
        Action::Repair => "put back".to_owned(),
        Action::Delete => "gone".to_owned(),
        Action::Unknown => "a decision first".to_owned(),
        Action::Adopt | Action::Move | Action::Publish | Action::Record | Action::Keep => "the same".to_owned(),
    }
}

/// Counts what the table leaves out, by action, with its price.
fn left_out(plan: &Plan, shown: usize) -> String {
    let left = || plan.changes().skip(shown).map(|(_, change)| change);
    let counts = Action::ALL.into_iter().filter_map(|action| {
        let of_it = || left().filter(|change| change.action == action);
        let amount = of_it().count() as u64;
        let cost = MicroUsd(of_it().map(|change| change.price.0).sum());
        let cost = if cost > MicroUsd(0) { format!(" (${cost})") } else { String::new() };
        (amount > 0).then(|| format!("{} {}{cost}", quantities::number(amount), action.name()))
    });
    let more = if shown == 0 { "asset" } else { "more asset" };
    format!("… and {}: {}", quantities::count(left().count() as u64, more), counts.collect::<Vec<_>>().join(", "))
}
