//! What stands around the table: refusals, edits, the way to another take, notes, details, commands, and the last line.

use std::collections::{BTreeMap, HashMap};

use crate::asset::{FieldName, MicroUsd};
use crate::plan::{Action, Plan};

use super::super::change_edits::{Edit, Values, edits as edits_of, shown_value};
use super::super::note_text;
use super::super::plan_document::public_name;
use super::super::quantities;
use super::super::report_facts::{ChangeCosts, MonthFacts, ReportFacts, ReportStage};
use super::super::text_style::ListLength;
use super::super::word_diff::{WordChange, words};
use super::{ReportShape, asset_table, markdown_escape};

/// Returns why the plan may not be carried out.
pub(super) fn refusals(plan: &Plan, shape: ReportShape) -> String {
    let shown = plan.refusals.len().min(shape.edits.max(1));
    let mut lines: Vec<String> = plan.refusals[..shown]
        .iter()
        .map(|refusal| {
            let message = markdown_escape::text(&refusal.message, shape.characters * 2);
            let way_out = markdown_escape::text(&refusal.way_out, shape.characters * 2);
            format!("> **This plan cannot be applied:** {message}. Way out: {way_out}.\n")
        })
        .collect();
    if shown < plan.refusals.len() {
        lines.push(format!("> … and {}.\n", quantities::count((plan.refusals.len() - shown) as u64, "more refusal")));
    }
    lines.join(">\n")
}

/// Returns where something stands: a link, or `file:line` in a code span.
pub(super) fn place(file: &str, line: u32, facts: &ReportFacts) -> String {
    match &facts.lines {
        Some(base) if !file.starts_with('/') => {
            let file = file.trim_start_matches("./");
            let path: Vec<String> =
                file.split('/').map(|part| markdown_escape::address(&part.replace(['%', '?'], "_"))).collect();
            format!("[line {line}]({}{}#L{line})", markdown_escape::address(base), path.join("/"))
        }
        _ => markdown_escape::code(&format!("{}:{line}", public_name(file)), 200),
    }
}

/// Returns each edit once, with the words that changed, in the order of the assets that it first concerns.
pub(super) fn edits(plan: &Plan, facts: &ReportFacts, shape: ReportShape) -> String {
    let mut order: Vec<(Edit<'_>, u64)> = Vec::new();
    let mut numbers: HashMap<Edit<'_>, usize> = HashMap::new();
    for (_, change) in plan.changes() {
        for edit in edits_of(change) {
            let number = *numbers.entry(edit.clone()).or_insert_with(|| {
                order.push((edit, 0));
                order.len() - 1
            });
            order[number].1 += 1;
        }
    }
    let (shown, changes) = (order.len().min(shape.edits), plan.changes().count());
    let mut lines: Vec<String> =
        order[..shown].iter().map(|(edit, users)| edit_line(edit, (*users, changes), facts, shape)).collect();
    if shown < order.len() {
        let more = if shown == 0 { "edit" } else { "more edit" };
        lines.push(format!("… and {}\n", quantities::count((order.len() - shown) as u64, more)));
    }
    lines.join("\n")
}

fn edit_line(edit: &Edit<'_>, (users, changes): (u64, usize), facts: &ReportFacts, shape: ReportShape) -> String {
    let label = markdown_escape::text(&edit.label, shape.characters);
    let value = |value: Option<&str>| markdown_escape::text(&shown_value(value), shape.characters);
    let told = match edit.values {
        Values::Field { old, new } | Values::Text { old, new } if old == new => format!("{label} written another way"),
        Values::Field { old, new } => {
            let (old, new) = (markdown_escape::marked("~~", &value(old)), markdown_escape::marked("**", &value(new)));
            format!("{label}: {old} → {new}")
        }
        Values::Text { old, new } => {
            let words = words(old.unwrap_or_default(), new.unwrap_or_default(), ListLength::Short);
            let words = words.into_iter().map(|words| {
                let safe = markdown_escape::text(&words.text, shape.characters);
                match words.fate {
                    WordChange::Stays => safe,
                    WordChange::Goes => markdown_escape::marked("~~", &safe),
                    WordChange::Comes => markdown_escape::marked("**", &safe),
                }
            });
            format!("{label}: {}", words.collect::<String>())
        }
        Values::Added => format!("{label} added"),
        Values::Removed => format!("{label} removed"),
        Values::Told => label,
    };
    let place = edit.place.map(|spot| place(&spot.file, spot.line, facts));
    let users = match users {
        0 | 1 => None,
        2 if changes == 2 => Some("used by both".to_owned()),
        many => Some(format!("used by {}", quantities::number(many))),
    };
    let tail: String = place.into_iter().chain(users).map(|part| format!(" · {part}")).collect();
    format!("{told}{tail}\n")
}

/// Returns how to ask for another take of a new picture.
pub(super) fn another(plan: &Plan, facts: &ReportFacts, shape: ReportShape) -> String {
    let is_new = |action| matches!(action, Action::Generate | Action::Reuse);
    let mut new = plan.changes().filter(|(_, change)| is_new(change.action));
    let (Some((collection, change)), false) = (new.next(), matches!(facts.stage, ReportStage::Applied { .. })) else {
        return String::new();
    };
    let known = facts.asset(&collection.name, &change.key);
    let price = known.and_then(|known| known.another).or(Some(change.price)).filter(|price| *price > MicroUsd(0));
    let price = price.map(|price| format!(", ${price}")).unwrap_or_default();
    let take = known.map_or(0, |known| known.take).saturating_add(1);
    let key = change.key.as_str();
    if shape.rows == 0 {
        return String::new();
    }
    let lines = ["cells:".to_owned(), format!("  {key}: {{ with: {{ take: {take} }} }}")];
    let pick =
        markdown_escape::code(&format!("pixform pick {} {take}", asset_table::name(plan, collection, change)), 400);
    format!(
        "**Not happy with one?** Another take of it{price}, in the manifest or by {pick}:\n\n{}",
        markdown_escape::block("yaml", &lines, 400)
    )
}

/// Returns what is told and changes nothing.
pub(super) fn notes(plan: &Plan, shape: ReportShape) -> String {
    let notes: Vec<String> = note_text::sentences(plan).collect();
    let shown = notes.len().min(shape.edits);
    let mut lines: Vec<String> =
        notes[..shown].iter().map(|note| format!("- {}\n", markdown_escape::text(note, shape.characters))).collect();
    if shown < notes.len() {
        lines.push(format!("- … and {}\n", quantities::count((notes.len() - shown) as u64, "more note")));
    }
    lines.concat()
}

/// Returns recipes and digests, folded.
pub(super) fn details(plan: &Plan, facts: &ReportFacts, shape: ReportShape) -> String {
    if shape.details == 0 || plan.changes().next().is_none() {
        return String::new();
    }
    let mut recipes: BTreeMap<String, u64> = BTreeMap::new();
    let mut digests = Vec::new();
    for (collection, change) in plan.changes() {
        let known = facts.asset(&collection.name, &change.key);
        if let Some(recipe) = known.and_then(|known| recipe(&known.recipe, shape)) {
            *recipes.entry(recipe).or_default() += 1;
        }
        let [before, after] = [change.before, change.after].map(|side| match side {
            Some(side) => side.recipe.short(),
            None => "nothing".to_owned(),
        });
        let name = markdown_escape::code(&asset_table::name(plan, collection, change), 300);
        digests.push(if before == after { format!("{name} {after}") } else { format!("{name} {before} → {after}") });
    }
    let several = recipes.len() > 1;
    let lines = recipes.into_iter().map(|(recipe, users)| match several {
        true => format!("{recipe} ({})", quantities::count(users, "asset")),
        false => recipe,
    });
    let mut lines: Vec<String> = cut(lines.collect(), shape.details, "more recipe");
    lines.push(format!("Recipes: {}", cut(digests, shape.details, "more asset").join(" · ")));
    lines.push(format!("Plan {}", markdown_escape::code(&plan.digest().to_string(), 100)));
    let lines: Vec<String> = lines.into_iter().map(|line| format!("{line}\n")).collect();
    format!("<details><summary>Recipe, digests</summary>\n\n{}\n</details>\n", lines.join("\n"))
}

/// Keeps so many, and counts the rest.
fn cut(mut lines: Vec<String>, shown: usize, thing: &str) -> Vec<String> {
    let left = lines.len().saturating_sub(shown);
    lines.truncate(shown);
    lines.extend((left > 0).then(|| format!("… and {}", quantities::count(left as u64, thing))));
    lines
}

/// Returns what a recipe says besides its prompts and its seed: `sd_xl · DPM++ 2M Karras · 30 steps · 512 x 768`.
fn recipe(fields: &[(FieldName, String)], shape: ReportShape) -> Option<String> {
    let field = |name: &str| fields.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.as_str());
    let size = field("width").zip(field("height")).map(|(width, height)| format!("{width} x {height}"));
    let told = fields.iter().filter_map(|(name, value)| match name.as_str() {
        "prompt" | "negative_prompt" | "seed" | "width" | "height" => None,
        "generator" | "model" | "sampler" | "scheduler" => Some(value.clone()),
        "steps" => Some(format!("{value} steps")),
        other => Some(format!("{other} {value}")),
    });
    let told: Vec<String> = told.chain(size).map(|part| markdown_escape::text(&part, shape.characters)).collect();
    (!told.is_empty()).then(|| told.join(" · "))
}

/// Returns the next commands.
pub(super) fn commands(facts: &ReportFacts) -> String {
    let commands: Vec<String> = facts.commands.iter().map(|command| markdown_escape::code(command, 300)).collect();
    if commands.is_empty() { String::new() } else { format!("Next: {}\n", commands.join(" · ")) }
}

/// Returns the commit, if it looks like one.
pub(super) fn head_commit(facts: &ReportFacts) -> Option<&str> {
    let digits = |head: &str| head.bytes().all(|byte| byte.is_ascii_hexdigit());
    facts.head.as_deref().filter(|head| digits(head) && (7..=64).contains(&head.len())).map(|head| &head[..7])
}

/// Returns the last line: commit, money, and what becomes of it.
pub(super) fn foot(facts: &ReportFacts) -> String {
    let ReportFacts { change, month, kept_until, .. } = facts;
    let together = change.map(ChangeCosts::words);
    let month = month.as_ref().map(|MonthFacts { name, spent, cap }| {
        let cap = cap.map(|cap| format!(" of ${cap}")).unwrap_or_default();
        format!("{} ${spent}{cap}", markdown_escape::text(name, 40))
    });
    let kept = kept_until.as_ref().map(|until| format!("kept until {}", markdown_escape::text(until, 40)));
    let undo = facts.mistakes.is_empty().then(|| "undo after merge: revert, $0".to_owned());
    let head = head_commit(facts).map(str::to_owned);
    let parts: Vec<String> = [head, together, month, kept, undo].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("<sub>{}</sub>\n", parts.join(" · ")) }
}
