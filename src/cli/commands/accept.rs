//! `pixform accept GLOB...`

use std::collections::HashMap;
use std::path::PathBuf;

use crate::apply::{ApplyError, Ended, Why};
use crate::asset::{Assets, MicroUsd};
use crate::digest::ContentDigest;
use crate::engine::{IdlePatterns, PreparedPlan, RunOptions};
use crate::plan::{AcceptedPicture, Action, Cause, Change, Plan, Subject, adopt};
use crate::planner::{DeclaredManifest, Pattern};
use crate::record::{Original, Record};
use crate::render;
use crate::state::Access;
use crate::world::{Generators, World, original_path};

use crate::cli::accepted::{Refusals, keep_rows};
use crate::cli::arguments::{ConsentArgs, WaitArgs};
use crate::cli::carry::{CarriedOut, carry_out};
use crate::cli::confirm::{Confirmation, Consent, confirm};
use crate::cli::plan_arguments::LookArgs;
use crate::cli::plan_output::WantedPlan;
use crate::cli::{Failure, Global, ManifestArgs, Output, SelectionArgs, context};

/// Arguments of `accept`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The assets: a key glob such as `age/*/anime`, or `label=value`
    #[arg(value_name = "GLOB", required = true)]
    globs: Vec<Pattern>,
    /// Keep rows as they were edited by hand, instead of pictures
    #[arg(long)]
    row: bool,
    #[command(flatten)]
    consent: ConsentArgs,
    /// A manifest; else all of them; repeatable
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
    /// Take the storage over, whatever its marker says
    #[arg(long)]
    take_storage: bool,
}

/// Says that published pictures satisfy their recipes, or that rows stay as they are; never calls a generator.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let manifests = ManifestArgs { manifests: args.manifest.clone() };
    let selection = SelectionArgs { only: args.globs.clone(), except: Vec::new() };
    let look = LookArgs { selection, take_storage: args.take_storage, ..LookArgs::default() };
    let mut prepared = WantedPlan::new(&manifests, &look).prepare(global, output).await?;
    if prepared.loaded.broken > 0 {
        return Err(Failure::broken(prepared.loaded.broken));
    }
    let wanted = look.selection.selection();
    let mut idle = IdlePatterns::of(&wanted);
    idle.meet_declared(&prepared.loaded.declared);
    if let Some(pattern) = idle.first() {
        let help = "`pixform list` shows what is declared";
        return Err(Failure::usage(format!("`{pattern}` matches no declared asset"), help));
    }
    prepared.plan.refusals.retain(|refusal| matches!(refusal.code, "store" | "key"));
    if let Some(refusal) = prepared.plan.refusals.first() {
        output.warn(&refusal.message, &refusal.way_out, None);
        return Err(Failure::Refused);
    }
    let world = prepared.environment.open(Access::Read).await?;
    let options =
        RunOptions { wait_seconds: args.wait.seconds, ..RunOptions::new(context::start("accept", look.take())) };
    match args.row {
        true => keep_rows(&world, prepared, args.consent.consent(), &options, output).await,
        false => pictures(&world, prepared, args.consent.consent(), &options, output).await,
    }
}

/// Accepts the pictures of a plan.
async fn pictures(
    world: &World,
    mut prepared: PreparedPlan,
    consent: Consent,
    options: &RunOptions<'_>,
    output: &Output,
) -> Result<u8, Failure> {
    let mut refusals = Refusals::default();
    for collection in &mut prepared.plan.collections {
        let declared = prepared.loaded.declared.iter().find(|declared| declared.manifest.name == collection.name);
        let Some(declared) = declared else { continue };
        let changes = std::mem::take(&mut collection.changes);
        let keys: Vec<_> = changes.iter().map(|change| change.key.clone()).collect();
        let records = world.state.records(&collection.name, &keys).await?;
        let contents: Vec<ContentDigest> = records.iter().map(|record| record.original).collect();
        let originals = world.state.originals_by_content(&contents).await?;
        let sizes = world.sizes(originals.iter().map(|original| original.path.clone()).collect()).await?;
        let there = originals.into_iter().filter(|found| sizes.get(&found.path) == Some(&Some(found.bytes)));
        let originals: HashMap<ContentDigest, Original> = there.map(|found| (found.sha256, found)).collect();
        let records: HashMap<_, _> = records.iter().map(|record| (&record.key, record)).collect();
        for change in changes {
            let known = records.get(&change.key).copied();
            let name = format!("{}:{}", collection.name, change.key);
            match accepted(change, declared, known, &originals) {
                Ok(Some(change)) => collection.changes.push(change),
                Ok(None) => {}
                Err(why) => refusals.add(name, why),
            }
        }
        collection.kept = 0;
        collection.notes.clear();
        collection.case_twins.clear();
    }
    refusals.tell(output);
    if prepared.plan.changes_nothing() {
        return refusals.nothing("Nothing to accept: no picture that is asked for differs from its recipe.", output);
    }
    show(&prepared.plan, output);
    let question = format!("Accept these pictures in `{}`?", prepared.plan.environment);
    confirm(Confirmation { command: "accept", words: &question, consent }, output)?;
    let world = prepared.open(Generators::default()).await?;
    tell(carry_out(&world, &prepared, options, output).await?, &refusals, output)
}

/// Turns a change that would take another picture into one that keeps it; says why that is not possible.
fn accepted(
    change: Change,
    declared: &DeclaredManifest,
    record: Option<&Record>,
    originals: &HashMap<ContentDigest, Original>,
) -> Result<Option<Change>, String> {
    if change.moved_from.is_some() {
        return Err("it is renamed: `pixform apply` does that first".to_owned());
    }
    let adopted = |change: Change| Change { accepted: Some(Box::new(AcceptedPicture { lies: None })), ..change };
    let (Some(index), Some(after)) = (change.index, change.after) else { return Ok(None) };
    let (Some(before), Some(record)) = (change.before, record) else {
        let asset = declared.manifest.asset(index);
        let why: Vec<String> = render::unfit_reasons(&change).map(render::unfit_sentence).collect();
        return match (change.action, change.adoption) {
            (Action::Adopt, adoption) => Ok(Some(adopted(Change { adoption, ..change }))),
            (_, Some(adoption)) => {
                let key_axes = &declared.manifest.key;
                let subject = Subject { asset: &asset, index, key_axes, price: MicroUsd(0) };
                let differing = change.reasons.into_iter().filter(|reason| reason.cause != Cause::New);
                Ok(Some(adopted(adopt(subject, *adoption, differing.collect()))))
            }
            (_, None) => {
                let why = if why.is_empty() { "nothing is published of it".to_owned() } else { why.join("; ") };
                Err(format!("there is no picture to accept: {why}"))
            }
        };
    };
    let takes_another = matches!(change.action, Action::Unknown | Action::Generate | Action::Reuse);
    if !takes_another || before.recipe == after.recipe {
        return Ok(None);
    }
    if change.reasons.iter().any(|reason| reason.cause == Cause::UnderWay) {
        return Err("another picture is paid for and being made: `pixform apply` fetches it".to_owned());
    }
    let is_placeholder = |kind: &str| kind == "placeholder";
    let asset = declared.manifest.asset(index);
    if is_placeholder(&record.recipe.generator) != is_placeholder(&asset.recipe.generator) {
        return Err(
            "a placeholder is no real picture, and no real picture a placeholder: choose the other environment \
                    with `--env`"
                .to_owned(),
        );
    }
    let Some(original) = originals.get(&record.original) else {
        return Err("its original is gone, and only an original can be accepted".to_owned());
    };
    let extension = original.path.as_str().rsplit('.').next().unwrap_or_default();
    let path = original_path(&after.recipe, &original.sha256, extension);
    let lies = Some(original.path.clone());
    Ok(Some(Change {
        action: Action::Reuse,
        price: MicroUsd(0),
        original: Some(Original { recipe: after.recipe, path, ..original.clone() }),
        downgrade: false,
        generator: None,
        decisions: Vec::new(),
        adoption: None,
        accepted: Some(Box::new(AcceptedPicture { lies })),
        ..change
    }))
}

fn show(plan: &Plan, output: &Output) {
    match output.is_json() {
        true => render::plan_events(plan).for_each(|event| output.event(&event)),
        false => output.data(&render::accept_text(plan, output.style())),
    }
}

/// Tells what came of it, and returns the exit code.
fn tell(carried_out: CarriedOut, refusals: &Refusals, output: &Output) -> Result<u8, Failure> {
    let CarriedOut { outcome, signal_code } = carried_out;
    let count: u64 = outcome.done.values().sum();
    if !output.is_json() {
        let pictures = if count == 1 { "picture" } else { "pictures" };
        let failed = match outcome.failed.len() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        output.data(&format!("\nAccepted: {count} {pictures}{failed}. Cost: $0.00.\n"));
    }
    match outcome.ended {
        Some(Ended::Stopped(Why::Signal)) => return Ok(signal_code),
        Some(Ended::Broken(error)) => return Err(error.into()),
        Some(Ended::Stopped(Why::TimeUp | Why::Broken)) | None => {}
    }
    if outcome
        .failed
        .iter()
        .any(|(_, _, error)| matches!(error, ApplyError::Stale { .. } | ApplyError::Collected { .. }))
    {
        return Ok(6);
    }
    Ok(if outcome.failed.is_empty() { refusals.code_after_work() } else { 4 })
}
