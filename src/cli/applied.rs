//! What an apply came to, in words and as an exit code.

use std::collections::BTreeMap;

use crate::apply::{ApplyError, Ended, Outcome, Why};
use crate::asset::{AssetKey, CollectionName, GeneratorName};
use crate::config::Settings;
use crate::plan::Action;
use crate::world::World;

use super::{Failure, Output, context};

/// Assets that are named in a summary.
const NAMED_MAX: usize = 10;

/// Tells what came of an apply, and returns its exit code: after work 7, 3, 6, 5, 1, 4 in that order.
pub fn tell(
    world: &World,
    settings: &Settings,
    outcome: Outcome,
    signal_code: u8,
    output: &Output,
) -> Result<u8, Failure> {
    let count: u64 = outcome.done.values().sum();
    if !output.is_json() {
        summary(world, settings, &outcome, output);
    }
    let Outcome { done: _, cost: _, failed, undecided, forgotten: _, not_bought, ended } = outcome;
    let any = |wanted: fn(&ApplyError) -> bool| failed.iter().any(|(_, _, error)| wanted(error));
    let decision = !undecided.is_empty() || any(needs_decision);
    let capped = !not_bought.is_empty() || any(|error| matches!(error, ApplyError::Capped { .. }));
    name(output, "waits for a decision", "wait for a decision", undecided.iter().map(|(name, key)| (name, key)));
    name(output, "was not bought", "were not bought", not_bought.iter().map(|(name, key, _)| (name, key)));
    not_asked(&failed, output);
    let unfinished = decision || capped || ended.is_some() || !failed.is_empty();
    if unfinished {
        output.visitors_see(&seen(count));
    }
    match ended {
        Some(Ended::Stopped(Why::Signal)) => {
            output.next("pixform apply");
            return Ok(signal_code);
        }
        Some(Ended::Broken(error)) if !decision && !capped => return Err(error.into()),
        Some(Ended::Broken(error)) => output.report(&error.into()),
        Some(Ended::Stopped(Why::TimeUp | Why::Broken)) | None => {}
    }
    let code = match () {
        () if decision => 7,
        () if capped => 3,
        () if any(|error| matches!(error, ApplyError::Stale { .. })) => 6,
        () if unfinished => 4,
        () => 0,
    };
    if unfinished {
        output.next(if any(is_under_way) || any(is_passing) { "pixform apply" } else { "pixform plan" });
    }
    Ok(code)
}

fn summary(world: &World, settings: &Settings, outcome: &Outcome, output: &Output) {
    let parts = Action::ALL.iter().filter_map(|action| {
        let count = outcome.done.get(action).copied().unwrap_or_default();
        (count > 0).then(|| format!("{count} {}", past(*action)))
    });
    let further = [
        (outcome.forgotten.len(), "written off"),
        (outcome.undecided.len(), "undecided"),
        (outcome.not_bought.len(), "not bought"),
        (outcome.failed.len(), "failed"),
    ];
    let further = further.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let parts: Vec<String> = parts.chain(further).collect();
    let parts = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let unknown = outcome.failed.iter().filter(|(_, _, error)| matches!(error, ApplyError::OutcomeUnknown { .. }));
    let unknown = match unknown.count() {
        0 => String::new(),
        1 => " 1 call has an unknown outcome, and may be charged too.".to_owned(),
        count => format!(" {count} calls have an unknown outcome, and may be charged too."),
    };
    output.data(&format!("\nApplied: {parts}. Cost: ${}.{unknown}\n", outcome.cost));
    output.data(&format!("Pictures: {}\n", context::describe_storage(settings, world)));
    output.data(&format!("Database: {}\n", context::describe_state(settings)));
}

/// Names some assets, where there are any.
fn name<'k>(
    output: &Output,
    one: &str,
    several: &str,
    assets: impl ExactSizeIterator<Item = (&'k CollectionName, &'k AssetKey)>,
) {
    let count = assets.len();
    if count == 0 {
        return;
    }
    let verb = if count == 1 { one } else { several };
    let mut named: Vec<String> = assets.take(NAMED_MAX).map(|(name, key)| format!("{name}:{key}")).collect();
    if count > named.len() {
        named.push(format!("and {} more", count - named.len()));
    }
    output.talk(&format!("{} {verb}", named.join(", ")));
}

/// Counts those that were not asked for, because their generator says no to everything.
fn not_asked(failed: &[(CollectionName, AssetKey, ApplyError)], output: &Output) {
    let mut counts: BTreeMap<&GeneratorName, u64> = BTreeMap::new();
    for (_, _, error) in failed {
        if let ApplyError::NotAsked { generator, .. } = error {
            *counts.entry(generator).or_insert(0) += 1;
        }
    }
    for (generator, count) in counts {
        let were = if count == 1 { "asset was" } else { "assets were" };
        output.talk(&format!("{count} more {were} not asked for, since `{generator}` says no to everything"));
    }
}

fn needs_decision(error: &ApplyError) -> bool {
    matches!(
        error,
        ApplyError::OutcomeUnknown { .. }
            | ApplyError::Undecided { .. }
            | ApplyError::Rejected { .. }
            | ApplyError::Lost { .. }
            | ApplyError::FailedRepeatedly { .. }
    )
}

fn is_under_way(error: &ApplyError) -> bool {
    matches!(error, ApplyError::UnderWay { .. })
}

fn is_passing(error: &ApplyError) -> bool {
    matches!(error, ApplyError::Service { source, .. } if source.trouble().retry() == crate::generator::Retry::Safe)
}

/// Says what visitors of the product see after so many assets were switched.
fn seen(count: u64) -> String {
    match count {
        0 => "what they saw before: no row was switched".to_owned(),
        1 => "the new picture of 1 asset, and of all others what they saw before".to_owned(),
        count => format!("the new pictures of {count} assets, and of all others what they saw before"),
    }
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Unknown => "undecided",
        Action::Adopt => "adopted",
        Action::Generate => "generated",
        Action::Reuse => "reused",
        Action::Render => "rendered",
        Action::Repair => "repaired",
        Action::Move => "moved",
        Action::Publish => "published",
        Action::Record => "recorded",
        Action::Delete => "deleted",
        Action::Keep => "kept",
    }
}
