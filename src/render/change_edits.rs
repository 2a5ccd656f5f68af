//! The edits behind a change: what differs between the record and the manifest, without what follows from another edit.
//!
//! A changed word in one var changes every var and prompt that uses it. Only the first is shown; whatever is not wholly
//! explained by edits that are shown is shown too, so nothing is ever hidden.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use crate::asset::{FieldName, Place, URL_BASE};
use crate::plan::{Cause, Change, Reason};

use super::text_style::{PlanStyle, Tone};
use super::visible_text::terminal;
use super::word_diff::difference;

/// Up to how many characters a value is shown whole, as `old → new`.
const VALUE_CHARS_MAX: usize = 60;
/// From how many words on a text is compared word by word.
const PROSE_WORDS: usize = 3;

/// One edit; equal where names and values are, wherever it was made.
#[derive(Debug, Clone)]
pub(super) struct Edit<'p> {
    /// What was edited, as the manifest calls it.
    pub label: Cow<'p, str>,
    /// The values.
    pub values: Values<'p>,
    /// Where it was edited.
    pub place: Option<&'p Place>,
}

/// What became of the edited thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Values<'p> {
    /// It has a new value.
    Field { old: Option<&'p str>, new: Option<&'p str> },
    /// It has a new text.
    Text { old: Option<&'p str>, new: Option<&'p str> },
    /// It was not there before.
    Added,
    /// It is gone.
    Removed,
    /// The label says it all.
    Told,
}

impl PartialEq for Edit<'_> {
    fn eq(&self, other: &Self) -> bool {
        (&self.label, &self.values) == (&other.label, &other.values)
    }
}

impl Eq for Edit<'_> {}

impl Hash for Edit<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.label, &self.values).hash(state);
    }
}

/// Returns the edits that have to be shown to explain a change.
pub(super) fn edits(change: &Change) -> Vec<Edit<'_>> {
    let held = is_held(change);
    let reasons = change.reasons.iter().filter(|reason| !(held && is_picture(&reason.cause)));
    let reasons: Vec<&Reason> = reasons.collect();
    let roots = roots(&reasons);
    let shown = |(at, reason): (usize, &&'_ Reason)| match &reason.cause {
        Cause::VarChanged { .. } | Cause::RowChanged { .. } if input(&reason.cause).is_some() => {
            roots.vars.contains(&at)
        }
        Cause::RecipeChanged { field, old, new } if is_prose(field) => !follows(&Texts::new(old, new), &roots.texts),
        _ => true,
    };
    let kept: Vec<&Reason> =
        reasons.iter().enumerate().filter(|pair| shown(*pair)).map(|(_, reason)| *reason).collect();
    kept.into_iter().filter_map(edit).collect()
}

/// Tells whether the change leaves the picture as it is although the manifest differs.
pub(super) fn is_held(change: &Change) -> bool {
    change.reasons.iter().any(|reason| reason.cause == Cause::Held)
}

/// Tells whether the cause is about the picture or its published forms, which a held asset keeps.
pub(super) fn is_picture(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::RecipeChanged { .. }
            | Cause::VarChanged { .. }
            | Cause::RenditionAdded(_)
            | Cause::RenditionRemoved(_)
            | Cause::RenditionChanged { .. }
    )
}

/// Tells whether a field holds sentences, whose words are compared.
fn is_prose(field: &FieldName) -> bool {
    matches!(field.as_str(), "prompt" | "negative_prompt")
}

/// Returns the edit that a reason tells of; `None` where it is told in other words.
fn edit(reason: &Reason) -> Option<Edit<'_>> {
    let (label, values) = match &reason.cause {
        Cause::RecipeChanged { field, old, new } if is_prose(field) => (Cow::Borrowed(field.as_str()), text(old, new)),
        Cause::RecipeChanged { field, old, new } => (Cow::Borrowed(field.as_str()), field_values(old, new)),
        Cause::VarChanged { name, old, new } => (Cow::Borrowed(name.as_str()), text(old, new)),
        Cause::RenditionAdded(name) => (Cow::Owned(format!("rendition {name}")), Values::Added),
        Cause::RenditionRemoved(name) => (Cow::Owned(format!("rendition {name}")), Values::Removed),
        Cause::RenditionChanged { rendition, field, old, new } => {
            (Cow::Owned(format!("{rendition}.{field}")), field_values(old, new))
        }
        Cause::RowChanged { field, old, new } if field == URL_BASE => {
            (Cow::Borrowed("public_url"), field_values(old, new))
        }
        Cause::RowChanged { field, old, new } => (Cow::Borrowed(field.as_str()), text(old, new)),
        Cause::LabelChanged { name, old, new } => (Cow::Owned(format!("label {name}")), field_values(old, new)),
        Cause::RowEdited { column, written, found } if is_text(written, found) => {
            (Cow::Owned(format!("row edited: {column}")), Values::Text { old: Some(written), new: Some(found) })
        }
        Cause::RowDiffers { field, found, declared } => {
            (Cow::Owned(format!("row and manifest: {field}")), text(found, declared))
        }
        Cause::RowElsewhere { column, written: Some(written), found } => {
            let values = Values::Field { old: Some(written), new: Some(found) };
            (Cow::Owned(format!("row points elsewhere: {column}")), values)
        }
        Cause::FieldsAssumed(fields) => {
            let names: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
            (Cow::Owned(format!("assumed, for the rows do not tell: {}", names.join(", "))), Values::Told)
        }
        Cause::New
        | Cause::RowElsewhere { written: None, .. }
        | Cause::RowNamesNoPicture
        | Cause::SeedTaken { .. }
        | Cause::ColumnKept { .. }
        | Cause::ObjectMissing { .. }
        | Cause::ObjectSize { .. }
        | Cause::ObjectDamaged { .. }
        | Cause::RendererChanged { .. }
        | Cause::RowMissing
        | Cause::RowEdited { .. }
        | Cause::OriginalMissing
        | Cause::CollectedByGc
        | Cause::OriginalKept
        | Cause::FoundInStorage
        | Cause::SameRecipe(_)
        | Cause::Moved { .. }
        | Cause::NotDeclared
        | Cause::Removed
        | Cause::ProtectChanged { .. }
        | Cause::HoldChanged { .. }
        | Cause::InDoubt { .. }
        | Cause::Decided(_)
        | Cause::UnderWay
        | Cause::RejectedAccepted
        | Cause::Held => return None,
    };
    // A label is part of the asset itself, whose place says nothing about the edit.
    let place = reason.place.as_ref().filter(|_| !matches!(reason.cause, Cause::LabelChanged { .. }));
    Some(Edit { label, values, place })
}

fn text<'p>(old: &'p Option<String>, new: &'p Option<String>) -> Values<'p> {
    text_values(old.as_deref(), new.as_deref())
}

fn text_values<'p>(old: Option<&'p str>, new: Option<&'p str>) -> Values<'p> {
    let is_prose = |text: Option<&str>| text.unwrap_or_default().split_whitespace().nth(PROSE_WORDS - 1).is_some();
    if is_prose(old) || is_prose(new) || is_long(old) || is_long(new) {
        Values::Text { old, new }
    } else {
        Values::Field { old, new }
    }
}

/// Tells whether two values are compared word by word.
pub(super) fn is_text(old: &str, new: &str) -> bool {
    matches!(text_values(Some(old), Some(new)), Values::Text { .. })
}

fn field_values<'p>(old: &'p Option<String>, new: &'p Option<String>) -> Values<'p> {
    let (old, new) = (old.as_deref(), new.as_deref());
    if is_long(old) || is_long(new) { Values::Text { old, new } } else { Values::Field { old, new } }
}

fn is_long(text: Option<&str>) -> bool {
    text.unwrap_or_default().chars().nth(VALUE_CHARS_MAX).is_some()
}

/// Returns a value as people see it beside an arrow.
pub(super) fn shown_value(value: Option<&str>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed("(unset)"),
        Some(text) if text.is_empty() || text.trim() != text => Cow::Owned(format!("\"{}\"", terminal(text))),
        Some(text) => terminal(text),
    }
}

impl Edit<'_> {
    /// Adds the lines of an edit, indented below its assets; `used` says where it was made and who uses it.
    pub(super) fn push_lines(&self, lines: &mut String, used: &str, style: PlanStyle) {
        let label = terminal(&self.label);
        let used = match used {
            "" => String::new(),
            used => format!("   {}", style.colour.paint(Tone::Faint, &terminal(used))),
        };
        let told = match self.values {
            Values::Field { old, new } | Values::Text { old, new } if old == new => {
                format!("      {label} written another way{used}\n")
            }
            Values::Field { old, new } => {
                let new = style.colour.paint(Tone::New, &shown_value(new));
                format!("      {label} {} → {new}{used}\n", style.colour.paint(Tone::Gone, &shown_value(old)))
            }
            Values::Text { old, new } => {
                let words = difference(old.unwrap_or_default(), new.unwrap_or_default(), style);
                format!("      {label}{used}\n        {words}\n")
            }
            Values::Added => format!("      {label} added{used}\n"),
            Values::Removed => format!("      {label} removed{used}\n"),
            Values::Told => format!("      {label}\n"),
        };
        lines.push_str(&told);
    }
}

/// An old and a new text, without regard to how their white space is written, as prompts are normalised.
struct Texts {
    old: String,
    new: String,
}

impl Texts {
    fn new(old: &Option<String>, new: &Option<String>) -> Self {
        let normal = |text: &Option<String>| {
            text.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        Self { old: normal(old), new: normal(new) }
    }
}

/// The edits of vars from which all other edits of vars follow.
struct Roots {
    /// Their numbers among the reasons.
    vars: Vec<usize>,
    /// Their texts.
    texts: Vec<Texts>,
}

/// Returns name and values of an edited var or label that prompts or columns use.
fn input(cause: &Cause) -> Option<(&String, &Option<String>, &Option<String>)> {
    match cause {
        Cause::VarChanged { name, old, new } => Some((name, old, new)),
        Cause::RowChanged { field, old, new }
            if crate::asset::is_identifier(field) && field != "table" && field != URL_BASE =>
        {
            Some((field, old, new))
        }
        _ => None,
    }
}

fn roots(reasons: &[&Reason]) -> Roots {
    let mut inputs: Vec<(usize, Texts)> = Vec::new();
    for (at, reason) in reasons.iter().enumerate() {
        if let Some((_, old, new)) = input(&reason.cause)
            && !is_told_elsewhere(&reason.cause, reasons)
        {
            inputs.push((at, Texts::new(old, new)));
        }
    }
    // What is used is never longer than what uses it.
    inputs.sort_by_key(|(at, texts)| (texts.new.len(), texts.old.len(), *at));
    let mut roots = Roots { vars: Vec::new(), texts: Vec::new() };
    for (at, texts) in inputs {
        if !follows(&texts, &roots.texts) {
            roots.vars.push(at);
            roots.texts.push(texts);
        }
    }
    roots
}

/// Tells whether an edited value of the row is an edited var or label as well, which is told once.
fn is_told_elsewhere(cause: &Cause, reasons: &[&Reason]) -> bool {
    let Cause::RowChanged { field, old, new } = cause else { return false };
    reasons.iter().any(|reason| match &reason.cause {
        Cause::VarChanged { name, old: was, new: is } | Cause::LabelChanged { name, old: was, new: is } => {
            (name, was, is) == (field, old, new)
        }
        _ => false,
    })
}

/// Tells whether one edit is wholly explained by others: undoing them in the new text gives the old text, or making them
/// in the old text gives the new one. An edit never explains its equal.
fn follows(texts: &Texts, others: &[Texts]) -> bool {
    if texts.old == texts.new {
        return false;
    }
    let others = || others.iter().filter(|other| (&other.old, &other.new) != (&texts.old, &texts.new));
    let undo = others().map(|Texts { old, new }| (new.as_str(), old.as_str())).collect();
    let redo = others().map(|Texts { old, new }| (old.as_str(), new.as_str())).collect();
    replace_all(&texts.new, undo) == texts.old || replace_all(&texts.old, redo) == texts.new
}

/// Replaces all occurrences in one go, the longest where several begin; what was put in is not replaced again.
fn replace_all(text: &str, mut pairs: Vec<(&str, &str)>) -> String {
    pairs.retain(|(from, _)| !from.is_empty());
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let next = pairs.iter().filter_map(|(from, to)| rest.find(from).map(|at| (at, *from, *to)));
        let Some((at, from, to)) = next.min_by_key(|(at, from, _)| (*at, usize::MAX - from.len())) else { break };
        replaced.push_str(&rest[..at]);
        replaced.push_str(to);
        rest = &rest[at + from.len()..];
    }
    replaced.push_str(rest);
    // Where a text went or came, the white space around it is written differently.
    replaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
