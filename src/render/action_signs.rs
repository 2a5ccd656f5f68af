//! The sign of each action, and what the signs mean.

use crate::asset::MicroUsd;
use crate::plan::{Action, Change, Plan};

use super::text_style::{ColourMode, Tone};

/// How an action looks: its sign and name, in a tone of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign {
    /// One character.
    pub sign: &'static str,
    /// The action's name.
    pub name: &'static str,
    /// What the sign looks like.
    pub tone: Tone,
}

/// Whether an asset has a picture already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum EarlierPicture {
    /// It has none.
    Nothing,
    /// It has one, which is replaced.
    Picture,
}

impl EarlierPicture {
    /// Returns what a change finds.
    pub(super) fn of(change: &Change) -> Self {
        if change.before.is_none() { Self::Nothing } else { Self::Picture }
    }
}

/// Returns the sign of an action.
pub(super) fn sign(action: Action, before: EarlierPicture) -> Sign {
    let (sign, tone) = match (action, before) {
        (Action::Unknown, _) => ("?", Tone::Warning),
        (Action::Adopt, _) => ("@", Tone::Free),
        (Action::Generate, EarlierPicture::Nothing) => ("+", Tone::New),
        (Action::Generate, EarlierPicture::Picture) | (Action::Render | Action::Publish, _) => ("~", Tone::Changed),
        (Action::Reuse, _) => ("<", Tone::Free),
        (Action::Repair, _) => ("!", Tone::Warning),
        (Action::Move, _) => (">", Tone::Free),
        (Action::Record, _) => ("=", Tone::Faint),
        (Action::Delete, _) => ("-", Tone::Gone),
        (Action::Keep, _) => (" ", Tone::Faint),
    };
    Sign { sign, name: action.name(), tone }
}

/// Returns one line for each sign that the plan uses; empty where there is none.
pub(super) fn legend(plan: &Plan, colour: ColourMode) -> String {
    let mut used: Vec<(Action, EarlierPicture)> = Vec::new();
    for (_, change) in plan.changes() {
        let before = match change.action {
            Action::Generate => EarlierPicture::of(change),
            _ => EarlierPicture::Picture,
        };
        if !used.contains(&(change.action, before)) {
            used.push((change.action, before));
        }
    }
    used.sort_unstable();
    let width = used.iter().map(|(action, _)| action.name().len()).max().unwrap_or_default();
    let lines = used.into_iter().map(|(action, before)| {
        let Sign { sign, name, tone } = sign(action, before);
        format!("  {} {name:width$}   {}\n", colour.paint(tone, sign), meaning(action, before, plan.cost()))
    });
    lines.collect()
}

fn meaning(action: Action, before: EarlierPicture, cost: MicroUsd) -> &'static str {
    match (action, before, cost) {
        (Action::Unknown, _, _) => "an earlier paid call needs a decision before another one is made",
        (Action::Adopt, _, _) => "takes over the picture and the row that are there; costs nothing",
        (Action::Generate, EarlierPicture::Nothing, MicroUsd(0)) => "makes a picture",
        (Action::Generate, EarlierPicture::Nothing, _) => "buys a picture",
        (Action::Generate, EarlierPicture::Picture, MicroUsd(0)) => {
            "makes a picture; the old one stays live until the new one is up"
        }
        (Action::Generate, EarlierPicture::Picture, _) => {
            "buys a picture; the old one stays live until the new one is up"
        }
        (Action::Reuse, _, _) => "takes a picture that is there already, or is made for another asset; costs nothing",
        (Action::Render, _, _) => "makes the published files again from the kept original; costs nothing",
        (Action::Repair, _, _) => "puts back what was lost or edited; costs nothing",
        (Action::Move, _, _) => "keeps picture and row under a new key; costs nothing",
        (Action::Publish, _, _) => "writes new values into the row; the picture stays",
        (Action::Record, _, _) => "changes what pixform remembers",
        (Action::Delete, _, _) => "takes the row away; files stay until `pixform gc`",
        (Action::Keep, _, _) => "does nothing",
    }
}
