//! What an apply came to, in words and as an exit code.

use std::collections::BTreeMap;

use crate::apply::{ApplyError, Ended, NotAskedBecause, OtherSeed, Outcome, Unbegun, Why};
use crate::asset::{AssetKey, CollectionName};
use crate::engine::{Environment, RunExtent, RunOptions};
use crate::generator::{Retry, Trouble};
use crate::plan::{Action, Doubt};
use crate::render::{EventLine, ways_out};
use crate::world::World;

use super::carry::CarriedOut;
use super::{Failure, Output, context};

/// Assets that are named in a summary.
const NAMED_MAX: usize = 10;

/// What a summary is about.
#[derive(Clone, Copy)]
pub struct AboutRun<'r> {
    /// The environment, opened.
    pub world: &'r World,
    /// The same, as it is settled.
    pub environment: &'r Environment,
    /// How the plan was carried out.
    pub options: &'r RunOptions<'r>,
}

/// Tells what came of an apply, and returns its exit code: after work 7, 3, 6, 5, 1, 4 in that order.
pub fn tell(about: AboutRun<'_>, carried_out: CarriedOut, output: &Output) -> Result<u8, Failure> {
    let CarriedOut { outcome, signal_code } = carried_out;
    // What is adopted, or only remembered, is what visitors saw before.
    let switches = |action: &Action| !matches!(action, Action::Adopt | Action::Record);
    let count: u64 = outcome.done.iter().filter(|(action, _)| switches(action)).map(|(_, count)| count).sum();
    if !output.is_json() {
        summary(about, &outcome, output);
    }
    other_seeds(&outcome.other_seeds, output);
    let waiting = waiting(&outcome);
    for (collection, key, doubt) in outcome.undecided.iter().filter(|_| output.is_json()) {
        let message = format!("an earlier call needs a decision: {}", ways_out(*doubt));
        output.event(&EventLine::ApplyErrored { collection, key, message: &message });
    }
    for (ways, assets) in &waiting {
        let [one, several] = ["waits", "wait"].map(|verb| format!("{verb} for a decision: {ways}"));
        name(output, &one, &several, assets.iter().copied());
    }
    let decision = !waiting.is_empty();
    let Outcome { failed, not_bought, not_begun, unbegun, ended, .. } = outcome;
    let any = |wanted: fn(&ApplyError) -> bool| failed.iter().any(|(_, _, error)| wanted(error));
    let capped = !not_bought.is_empty() || any(|error| matches!(error, ApplyError::Capped { .. }));
    name(output, "was not bought", "were not bought", not_bought.iter().map(|(name, key, _)| (name, key)));
    not_asked(&failed, output);
    let store_failed = not_kept(&unbegun, output);
    let unfinished = decision || capped || ended.is_some() || !failed.is_empty() || not_begun > 0;
    if unfinished {
        output.visitors_see(&seen(count, about.options.extent));
    }
    let again = format!("pixform {}", about.options.start.command);
    match ended {
        Some(Ended::Stopped(Why::Signal)) => {
            output.next(&again);
            return Ok(signal_code);
        }
        Some(Ended::Broken(error)) if !decision && !capped => return Err(error.into()),
        Some(Ended::Broken(error)) => output.report(&error.into()),
        Some(Ended::Stopped(Why::TimeUp | Why::Broken)) | None => {}
    }
    let code = match () {
        () if decision => 7,
        () if capped => 3,
        () if any(|error| matches!(error, ApplyError::Stale { .. } | ApplyError::Collected { .. })) => 6,
        () if unfinished => 4,
        () => 0,
    };
    if unfinished {
        let passes = any(is_under_way) || any(is_passing) || store_failed;
        output.next(if passes { &again } else { "pixform plan" });
    }
    Ok(code)
}

fn summary(AboutRun { world, environment, options }: AboutRun<'_>, outcome: &Outcome, output: &Output) {
    let parts = Action::ALL.iter().filter_map(|action| {
        let count = outcome.done.get(action).copied().unwrap_or_default();
        (count > 0).then(|| format!("{count} {}", past(*action)))
    });
    let count = |wanted: fn(&ApplyError) -> bool| outcome.failed.iter().filter(|(_, _, error)| wanted(error)).count();
    let (under_way, unasked) = (count(is_under_way), count(is_not_asked));
    let further = [
        (outcome.left as usize, "left to apply"),
        (outcome.forgotten.len(), "written off"),
        (outcome.undecided.len(), "undecided"),
        (outcome.not_bought.len(), "not bought"),
        (under_way, "under way"),
        (unasked, "not asked for"),
        (outcome.failed.len() - under_way - unasked, "failed"),
        (outcome.not_begun as usize, "not begun"),
    ];
    let further = further.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let parts: Vec<String> = parts.chain(further).collect();
    let parts = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let unknown = match outcome.unknown_calls {
        0 => String::new(),
        1 => " 1 call has an unknown outcome, and may be charged too.".to_owned(),
        count => format!(" {count} calls have an unknown outcome, and may be charged too."),
    };
    let failed = match outcome.failed_calls {
        0 => String::new(),
        1 => " The service failed at 1 call, which may be charged too.".to_owned(),
        count => format!(" The service failed at {count} calls, which may be charged too."),
    };
    let verb = match options.extent {
        RunExtent::Files => "Previewed",
        RunExtent::Rows => "Applied",
    };
    output.data(&format!("\n{verb}: {parts}. Cost: ${}.{unknown}{failed}\n", outcome.cost));
    output.data(&format!("Pictures: {}\n", context::describe_storage(environment, world)));
    output.data(&format!("Database: {}\n", context::describe_state(environment)));
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

/// Counts those that were not asked for, because their generator says no to everything, or to their model.
fn not_asked(failed: &[(CollectionName, AssetKey, ApplyError)], output: &Output) {
    let mut counts: BTreeMap<&NotAskedBecause, u64> = BTreeMap::new();
    for (_, _, error) in failed {
        if let ApplyError::NotAsked { why, .. } = error {
            *counts.entry(why).or_insert(0) += 1;
        }
    }
    for (why, count) in counts {
        let were = if count == 1 { "asset was" } else { "assets were" };
        output.talk(&format!("{count} more {were} not asked for, since {why}"));
    }
}

/// Tells once of all pictures that were made with other seeds: who copies one from the manifest gets another picture.
fn other_seeds(seeds: &[OtherSeed], output: &Output) {
    let told = |seed: &OtherSeed| {
        let OtherSeed { collection, key, asked, used } = seed;
        format!("{collection}:{key} (asked for {asked}, made with {used})")
    };
    let mut named: Vec<String> = seeds.iter().take(NAMED_MAX).map(told).collect();
    if seeds.len() > named.len() {
        named.push(format!("and {} more", seeds.len() - named.len()));
    }
    let pictures = match seeds.len() {
        0 => return,
        1 => "1 picture was made with another seed than was asked for".to_owned(),
        count => format!("{count} pictures were made with other seeds than were asked for"),
    };
    let help = "the seed that was used is kept with the picture: `pixform show KEY` tells it";
    output.warn(&format!("{pictures}: {}", named.join(", ")), help, None);
}

/// Tells of those that were not bought because they could not have been kept; and whether the storage failed.
fn not_kept(unbegun: &[(CollectionName, AssetKey, Unbegun)], output: &Output) -> bool {
    let mut by_reason = BTreeMap::<&Unbegun, Vec<(&CollectionName, &AssetKey)>>::new();
    for (collection, key, why) in unbegun {
        if output.is_json() {
            output.event(&EventLine::ApplyErrored { collection, key, message: &format!("not begun: {why}") });
        }
        by_reason.entry(why).or_default().push((collection, key));
    }
    for (why, assets) in &by_reason {
        let [one, several] = ["was", "were"].map(|verb| format!("{verb} not begun: {why}"));
        name(output, &one, &several, assets.iter().copied());
    }
    by_reason.keys().any(|why| matches!(why, Unbegun::StoreFailed(_)))
}

/// Returns the assets that wait for a decision, by the ways to decide.
fn waiting(outcome: &Outcome) -> BTreeMap<&'static str, Vec<(&CollectionName, &AssetKey)>> {
    let before = outcome.undecided.iter().map(|(name, key, doubt)| ((name, key), ways_out(*doubt)));
    let new = outcome.failed.iter().filter_map(|(name, key, error)| Some(((name, key), decision(error)?)));
    let mut waiting = BTreeMap::<_, Vec<_>>::new();
    for (asset, ways) in before.chain(new) {
        waiting.entry(ways).or_default().push(asset);
    }
    waiting
}

/// Tells how to decide about what went wrong; nothing where there is nothing to decide.
fn decision(error: &ApplyError) -> Option<&'static str> {
    let doubt = match error {
        ApplyError::OutcomeUnknown { .. } => Doubt::Unknown,
        ApplyError::Rejected { .. } => Doubt::Rejected,
        ApplyError::Withheld { .. } => Doubt::Withheld,
        ApplyError::Lost { .. } => Doubt::Lost,
        ApplyError::FailedRepeatedly { .. } => Doubt::Failed,
        ApplyError::Judged { .. } => Doubt::Judged,
        ApplyError::Undecided { .. } => return Some("`pixform plan` tells how to decide"),
        ApplyError::World(_)
        | ApplyError::State(_)
        | ApplyError::Storage(_)
        | ApplyError::Marker(_)
        | ApplyError::Refused(_)
        | ApplyError::Held(_)
        | ApplyError::AtWork(_)
        | ApplyError::Overslept
        | ApplyError::Stale { .. }
        | ApplyError::NoGenerator(_)
        | ApplyError::Journal(_)
        | ApplyError::Service { .. }
        | ApplyError::NotAsked { .. }
        | ApplyError::UnderWay { .. }
        | ApplyError::Capped { .. }
        | ApplyError::NotBegun { .. }
        | ApplyError::NotStored { .. }
        | ApplyError::NoPicture { .. }
        | ApplyError::Picture { .. }
        | ApplyError::Damaged { .. }
        | ApplyError::Collected { .. }
        | ApplyError::BeingDeleted { .. }
        | ApplyError::Row { .. }
        | ApplyError::MadeElsewhere { .. }
        | ApplyError::RenameHeldBack { .. }
        | ApplyError::NotCopied { .. }
        | ApplyError::Worker => return None,
    };
    Some(ways_out(doubt))
}

fn is_not_asked(error: &ApplyError) -> bool {
    matches!(error, ApplyError::NotAsked { .. })
}

fn is_under_way(error: &ApplyError) -> bool {
    matches!(error, ApplyError::UnderWay { .. })
}

/// Tells whether the same request may succeed later, or once the key, the credit or the address is in order.
fn is_passing(error: &ApplyError) -> bool {
    match error {
        ApplyError::Service { source, .. } => {
            source.trouble().retry() == Retry::Safe || source.trouble() == Trouble::Closed
        }
        ApplyError::Storage(source) | ApplyError::NotStored { source, .. } => source.may_pass(),
        _ => false,
    }
}

/// Says what visitors of the product see after so many assets were carried out.
fn seen(count: u64, extent: RunExtent) -> String {
    match count {
        _ if extent == RunExtent::Files => "what they saw before: a preview switches nothing".to_owned(),
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
