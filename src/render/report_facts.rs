//! What a report shows and a plan does not hold: pictures, recipes, money that was spent, addresses, mistakes.
//!
//! Values only, gathered by whoever can look: `cli/report.rs`. The reports themselves are written by `markdown` and `html`.

use std::collections::HashMap;

use crate::asset::{AssetKey, CollectionName, FieldName, MicroUsd};
use crate::plan::{Action, Plan};
use crate::yaml::{ManifestError, Mistake};

use super::quantities;

/// The characters that a comment on GitHub may have.
///
/// Source: the API's refusal, "Body is too long (maximum is 65536 characters)".
pub const MARKDOWN_LIMIT: usize = 65_536;

/// Everything that a report needs besides the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportFacts {
    /// The environment.
    pub environment: String,
    /// What was done so far.
    pub stage: ReportStage,
    /// The commit that is reported on.
    pub head: Option<String>,
    /// The address of the files of that commit, which ends in `/`; without it places are told as `file:line`.
    pub lines: Option<String>,
    /// What is known of the assets that change.
    pub assets: HashMap<(CollectionName, AssetKey), AssetFacts>,
    /// What this preview, or this apply, paid.
    pub paid: Option<MicroUsd>,
    /// What all runs were charged that belong to this pull request, or to this branch.
    pub change: Option<ChangeCosts>,
    /// What was spent this month.
    pub month: Option<MonthFacts>,
    /// Until when previewed pictures are kept, in words: `22 December`.
    pub kept_until: Option<String>,
    /// The next commands, in order.
    pub commands: Vec<String>,
    /// What cannot be read, or went wrong.
    pub mistakes: Vec<MistakeFacts>,
    /// The most characters that the Markdown may have.
    pub limit: usize,
}

/// What was done so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportStage {
    /// Nothing: it was only planned.
    Planned,
    /// Pictures were made, and nothing was switched.
    Previewed,
    /// It was applied.
    Applied {
        /// When, as RFC 3339 text in UTC.
        at: String,
        /// How many assets were not done.
        undone: u64,
    },
}

/// What is known of an asset that changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AssetFacts {
    /// The picture that is live.
    pub before: Option<PictureFacts>,
    /// The picture that will be, where it is there already.
    pub after: Option<PictureFacts>,
    /// The fields of the new recipe, in the order in which people read them.
    pub recipe: Vec<(FieldName, String)>,
    /// The take of the new recipe.
    pub take: u32,
    /// What another take costs.
    pub another: Option<MicroUsd>,
}

/// A picture that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFacts {
    /// Where everybody can fetch it; `None` where nobody can.
    pub url: Option<String>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// A small WebP of it; `None` where there was no room, or it could not be read.
    pub thumbnail: Option<Vec<u8>>,
}

/// What the runs were charged that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeCosts {
    /// What they belong to.
    pub whole: ChangeWhole,
    /// What was charged.
    pub charged: MicroUsd,
    /// What may have been charged beside it.
    pub maybe: MicroUsd,
}

/// What runs belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeWhole {
    /// The pull request that is reported on.
    PullRequest,
    /// The branch, of which no pull request is known.
    Branch,
}

impl ChangeCosts {
    /// Returns it in words: `this pull request $0.03`.
    pub(super) fn words(self) -> String {
        let whole = match self.whole {
            ChangeWhole::PullRequest => "this pull request",
            ChangeWhole::Branch => "this branch",
        };
        let maybe = match self.maybe {
            MicroUsd(0) => String::new(),
            maybe => format!(", maybe ${maybe} more"),
        };
        format!("{whole} ${}{maybe}", self.charged)
    }
}

/// What was spent in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthFacts {
    /// Its name.
    pub name: String,
    /// What was spent.
    pub spent: MicroUsd,
    /// What may be spent.
    pub cap: Option<MicroUsd>,
}

/// Something that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MistakeFacts {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where, if it stands in a file.
    pub spot: Option<Spot>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub file: String,
    /// The number of the line.
    pub line: u32,
    /// The line as it is.
    pub text: String,
    /// The line as it is probably meant.
    pub mended: Option<String>,
}

impl ReportFacts {
    /// Returns what is known of any plan for an environment: nothing but that.
    pub fn new(environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            stage: ReportStage::Planned,
            head: None,
            lines: None,
            assets: HashMap::new(),
            paid: None,
            change: None,
            month: None,
            kept_until: None,
            commands: Vec::new(),
            mistakes: Vec::new(),
            limit: MARKDOWN_LIMIT,
        }
    }

    /// Returns what is known of an asset.
    pub(super) fn asset(&self, collection: &CollectionName, key: &AssetKey) -> Option<&AssetFacts> {
        self.assets.get(&(collection.clone(), key.clone()))
    }
}

impl MistakeFacts {
    /// Returns the mistakes of a file.
    pub fn of(error: &ManifestError) -> impl Iterator<Item = Self> {
        error.located().map(|(line, _, mistake)| {
            let source = &error.source_text;
            let (start, end) = (mistake.span.start as usize, mistake.span.end as usize);
            let begin = source.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
            let length = source.get(begin..).and_then(|rest| rest.find('\n')).unwrap_or(source.len() - begin);
            let text = source.get(begin..begin + length).unwrap_or_default();
            let mended = meant(mistake).and_then(|meant| {
                let within = start..end.max(start);
                let (before, after) = (source.get(begin..within.start)?, source.get(within.end..begin + length)?);
                (!within.is_empty()).then(|| format!("{before}{meant}{after}"))
            });
            let spot = Spot { file: error.file.to_string(), line, text: text.to_owned(), mended };
            Self { message: mistake.message.clone(), help: Some(mistake.help.clone()), spot: Some(spot) }
        })
    }
}

/// Returns the word that a mistake's help says was probably meant.
fn meant(mistake: &Mistake) -> Option<&str> {
    mistake.help.strip_prefix("did you mean `")?.strip_suffix("`?")
}

/// What is done with assets, in words: `2 new pictures`, `1 to delete`, and last what stays.
pub(super) fn tally(plan: &Plan) -> Vec<String> {
    let made = plan.count(Action::Generate) + plan.count(Action::Reuse);
    let new = (made > 0).then(|| quantities::count(made, "new picture"));
    let others = Action::ALL.into_iter().filter_map(|action| {
        let amount = plan.count(action);
        let verb = match action {
            Action::Generate | Action::Reuse | Action::Keep => return None,
            Action::Unknown if amount == 1 => "waits for a decision",
            Action::Unknown => "wait for a decision",
            Action::Adopt => "to adopt",
            Action::Render => "to render anew",
            Action::Repair => "to repair",
            Action::Move => "to move",
            Action::Publish => "to write into the table",
            Action::Record => "to remember",
            Action::Delete => "to delete",
        };
        (amount > 0).then(|| format!("{} {verb}", quantities::number(amount)))
    });
    let copied = (plan.uncopied() > 0).then(|| format!("{} to copy", quantities::count(plan.uncopied(), "file")));
    let kept = format!("{} unchanged", quantities::number(plan.count(Action::Keep)));
    new.into_iter().chain(others).chain(copied).chain([kept]).collect()
}

/// Returns the counts and the money of a plan: what a report says first.
pub(super) fn sentence(plan: &Plan, facts: &ReportFacts) -> String {
    let none = if plan.is_empty() { "No changes: " } else { "" };
    let counts = format!("{none}{}.", tally(plan).join(", "));
    let (cost, buys) = (plan.cost(), plan.cost() > MicroUsd(0));
    match &facts.stage {
        ReportStage::Applied { undone, .. } => {
            let paid = facts.paid.map(|paid| format!(" ${paid} paid.")).unwrap_or_default();
            let undone = match undone {
                0 => String::new(),
                1 => " 1 asset was not done.".to_owned(),
                more => format!(" {} assets were not done.", quantities::number(*more)),
            };
            format!("{counts}{undone}{paid}")
        }
        ReportStage::Planned if plan.is_empty() => format!("{counts} Merging costs $0.00."),
        ReportStage::Planned => format!("{counts} Merging costs ${cost}."),
        ReportStage::Previewed => {
            let paid = facts.paid.unwrap_or_default();
            let rest = if buys { "" } else { " and publishes exactly these files" };
            format!("{counts} ${paid} paid for this preview; merging costs ${cost}{rest}.")
        }
    }
}

/// Returns when it was applied, as people read it: `2026-11-22 10:03 UTC`; nothing before.
pub(super) fn live_since(facts: &ReportFacts) -> Option<String> {
    let ReportStage::Applied { at, .. } = &facts.stage else { return None };
    let minute = at.get(..16).unwrap_or(at).replace('T', " ");
    Some(format!("{minute} UTC"))
}
