//! Plans as text for people: what changes and why, what it costs, and the counts on the last line.

use std::time::Duration;

use crate::asset::MicroUsd;
use crate::plan::{Action, CollectionPlan, Note, Plan, Sights};

use super::action_signs::{Sign, legend, sign};
use super::change_groups::{Family, Group, Member, cost, families};
use super::note_text;
use super::quantities;
use super::text_style::{ListLength, PlanStyle, Tone};
use super::visible_text::terminal;

/// From how many assets on a short listing cuts a list of the same action and the same reason.
const LINES_MAX: usize = 50;
/// How many assets of such a list are shown.
const LINES_SHOWN: usize = 20;
/// How wide the column of keys gets at most, in characters.
const KEY_WIDTH_MAX: usize = 60;

/// What a plan does not know of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanFacts {
    /// How long planning took.
    pub elapsed: Duration,
}

/// Returns the plan as text that is safe for a terminal; the last line has counts and money, and ends with a line feed.
pub fn plan_text(plan: &Plan, facts: PlanFacts, style: PlanStyle) -> String {
    sections(plan, style, |collection| header(plan, collection, facts, style), last_line(plan, style))
}

/// Puts a plan's text together, with what stands above each collection and on the last line.
pub(super) fn sections(
    plan: &Plan,
    style: PlanStyle,
    header: impl Fn(&CollectionPlan) -> String,
    last_line: String,
) -> String {
    let mut sections: Vec<String> = Vec::new();
    let mut headers_only = false;
    for collection in &plan.collections {
        let header = header(collection);
        let body = body(collection, style);
        match sections.last_mut() {
            Some(last) if headers_only && body.is_empty() => last.push_str(&header),
            _ => sections.push(header),
        }
        headers_only = body.is_empty();
        sections.extend(Some(body).filter(|body| !body.is_empty()));
    }
    sections.push(note_text::quiet(plan).map(|note| note_line("", &note)).collect());
    sections.push(legend(plan, style.colour));
    sections.push(refusals(plan, style));
    sections.push(last_line);
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

fn header(plan: &Plan, collection: &CollectionPlan, facts: PlanFacts, style: PlanStyle) -> String {
    // Whoever has rows that could be adopted must read that before anything that costs.
    let first = collection.notes.iter().filter(|note| is_first(note));
    let first: String = first.map(|note| format!("{}\n", terminal(&note_text::note_sentence(note)))).collect();
    let name = style.colour.paint(Tone::Strong, &terminal(collection.name.as_str()));
    let environment = terminal(&plan.environment);
    let elapsed = quantities::duration(facts.elapsed);
    format!("{first}{name} · {environment} · {} in {elapsed}\n", compared(collection.sights))
}

/// Tells whether a note comes before everything else.
fn is_first(note: &Note) -> bool {
    matches!(note, Note::Unadopted { .. })
}

fn compared(sights: Sights) -> String {
    let Sights { rows, files } = sights;
    match (rows.map(|rows| quantities::count(rows, "row")), files.map(|files| quantities::count(files, "file"))) {
        (Some(rows), Some(files)) => format!("compared with {rows} and {files}"),
        (None, Some(files)) => format!("compared with {files}"),
        (Some(rows), None) => format!("compared with {rows}, files not looked at"),
        (None, None) => "compared with the records only".to_owned(),
    }
}

/// Returns the changes and the notes of a collection.
fn body(collection: &CollectionPlan, style: PlanStyle) -> String {
    let mut parts = Vec::new();
    for family in families(collection) {
        family_parts(&family, style, &mut parts);
    }
    let changes = lay_out(&parts, style);
    let notes: Vec<&Note> = collection.notes.iter().filter(|note| !is_first(note)).collect();
    let cut = style.listing == ListLength::Short && notes.len() > LINES_MAX;
    let shown = if cut { LINES_SHOWN } else { notes.len() };
    let left = quantities::count((notes.len() - shown) as u64, "more note");
    let notes = notes[..shown].iter().map(|note| note_line("  ", &note_text::note_sentence(note)));
    let notes: String = notes.chain(cut.then(|| format!("  … and {left}\n"))).collect();
    let gap = if changes.is_empty() || notes.is_empty() { "" } else { "\n" };
    format!("{changes}{gap}{notes}")
}

fn note_line(indent: &str, sentence: &str) -> String {
    format!("{indent}note: {}\n", terminal(sentence))
}

/// A stretch of the listing.
enum ListingPart {
    /// An asset's line.
    Asset { sign: Sign, key: String, rest: Vec<String> },
    /// How many assets are left out.
    More(String),
    /// What was edited, as finished lines.
    Edits(String),
    /// The end of a group that has edits.
    Gap,
}

fn family_parts(family: &Family<'_>, style: PlanStyle, parts: &mut Vec<ListingPart>) {
    let cut = style.listing == ListLength::Short && family.len() > LINES_MAX;
    let mut room = if cut { LINES_SHOWN } else { usize::MAX };
    for (at, group) in family.groups.iter().enumerate() {
        if room == 0 {
            let left = family.groups[at..].iter().flat_map(|group| &group.members).collect();
            parts.push(more(family, left));
            parts.push(ListingPart::Gap);
            return;
        }
        if !group.edits.is_empty() && !matches!(parts.last(), None | Some(ListingPart::Gap)) {
            parts.push(ListingPart::Gap);
        }
        let shown = group.members.len().min(room);
        room -= shown;
        parts.extend(group.members[..shown].iter().map(|member| asset_part(family, member)));
        if shown < group.members.len() {
            parts.push(more(family, group.members[shown..].iter().collect()));
        }
        if !group.edits.is_empty() {
            parts.push(ListingPart::Edits(edit_lines(group, style)));
            parts.push(ListingPart::Gap);
        }
    }
}

fn asset_part(family: &Family<'_>, member: &Member<'_>) -> ListingPart {
    let Member { change, remarks } = member;
    let price = (change.price > MicroUsd(0)).then(|| format!("${}", change.price));
    let remarks = (!remarks.is_empty()).then(|| remarks.join("; "));
    ListingPart::Asset {
        sign: sign(family.action, family.before),
        key: terminal(change.key.as_str()).into_owned(),
        rest: price.into_iter().chain(remarks).collect(),
    }
}

fn more(family: &Family<'_>, left: Vec<&Member<'_>>) -> ListingPart {
    let amount = quantities::number(left.len() as u64);
    let price = match cost(left.into_iter()) {
        MicroUsd(0) => String::new(),
        cost => format!(" (${cost})"),
    };
    ListingPart::More(format!("  … and {amount} more {}{price}\n", to_do(family.action)))
}

fn edit_lines(group: &Group<'_>, style: PlanStyle) -> String {
    let mut lines = String::new();
    for (number, edit) in group.edits.iter().enumerate() {
        edit.push_lines(&mut lines, &group.used(number), style);
    }
    lines
}

/// Puts the parts under one another, with aligned columns.
fn lay_out(parts: &[ListingPart], style: PlanStyle) -> String {
    let assets = || {
        parts.iter().filter_map(|part| match part {
            ListingPart::Asset { sign, key, rest } => Some((sign, key, rest)),
            ListingPart::More(_) | ListingPart::Edits(_) | ListingPart::Gap => None,
        })
    };
    let key_width = assets().map(|(_, key, _)| key.len()).max().unwrap_or_default().min(KEY_WIDTH_MAX);
    let name_width = assets().map(|(sign, _, _)| sign.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    let last = parts.len().saturating_sub(1);
    for (at, part) in parts.iter().enumerate() {
        match part {
            ListingPart::Asset { sign: Sign { sign, name, tone }, key, rest } => {
                let sign = style.colour.paint(*tone, sign);
                let line = format!("  {sign} {key:key_width$}   {name:name_width$}   {}", rest.join("   "));
                text.push_str(line.trim_end());
                text.push('\n');
            }
            ListingPart::More(line) | ListingPart::Edits(line) => text.push_str(line),
            ListingPart::Gap if at == last => {}
            ListingPart::Gap => text.push('\n'),
        }
    }
    text
}

fn refusals(plan: &Plan, style: PlanStyle) -> String {
    let lines = plan.refusals.iter().map(|refusal| {
        let headline = style.colour.paint(Tone::Error, "This plan cannot be applied:");
        format!("{headline} {}.\n  way out: {}\n", terminal(&refusal.message), terminal(&refusal.way_out))
    });
    lines.collect()
}

fn last_line(plan: &Plan, style: PlanStyle) -> String {
    let unchanged = quantities::number(plan.count(Action::Keep));
    let cost = plan.cost();
    if plan.is_empty() {
        let headline = style.colour.paint(Tone::Strong, "No changes.");
        return format!("{headline} {unchanged} unchanged. Estimated cost: ${cost}.\n");
    }
    let changing = Action::ALL.into_iter().filter(|action| *action != Action::Keep);
    let counts: Vec<_> = changing
        .map(|action| (plan.count(action), action))
        .filter(|(amount, _)| *amount > 0)
        .map(|(amount, action)| format!("{} {}", quantities::number(amount), to_do(action)))
        .chain((plan.uncopied() > 0).then(|| format!("{} to copy", quantities::count(plan.uncopied(), "file"))))
        .collect();
    let cap = plan.cap.map(|cap| format!(" (cap ${cap})")).unwrap_or_default();
    let headline = style.colour.paint(Tone::Strong, "Plan:");
    format!("{headline} {}; {unchanged} unchanged. Estimated cost: ${cost}{cap}.\n", counts.join(", "))
}

/// Returns what is said after a number of assets: `to generate`.
fn to_do(action: Action) -> String {
    match action {
        Action::Unknown => "unknown".to_owned(),
        Action::Keep => "unchanged".to_owned(),
        Action::Adopt
        | Action::Generate
        | Action::Reuse
        | Action::Render
        | Action::Repair
        | Action::Move
        | Action::Publish
        | Action::Record
        | Action::Delete => format!("to {}", action.name()),
    }
}
