//! `pixform gc`

use std::collections::BTreeSet;
use std::time::Duration;

use crate::apply::{self, ApplyError, Garbage, Policy, Unpublished, Verdict};
use crate::asset::ObjectPath;
use crate::engine::{self, Environment};
use crate::render::{self, Deleted, EventLine, GarbageFile, GarbageKind, GarbageOutcome, GarbageSum};
use crate::state::{Access, Loose, LooseKind};
use crate::storage::{Remnant, StoreDecision, TakeStorage};

use crate::cli::arguments::duration;
use crate::cli::{Failure, Global, Output, context};

/// Arguments of `gc`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what nothing has referred to for so long: 30d, 12h, 0s
    #[arg(long, value_name = "TIME", value_parser = age, default_value = "30d")]
    older_than: u64,
    /// Originals, too, that were paid for and never published
    #[arg(long)]
    unpublished: bool,
    /// Delete; else it is only shown what would be
    #[arg(long)]
    yes: bool,
    /// Wait so long for other runs, which may need some of it: 30s, 5m, 1h
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    wait: u64,
}

/// Reads an age: digits and `s`, `m`, `h` or `d`.
fn age(text: &str) -> Result<u64, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()?.checked_mul(86_400));
    days.or_else(|| duration(text).ok()).ok_or_else(|| format!("`{text}` is no time; write 30d, 12h or 0s"))
}

/// Shows what nothing refers to any more; deletes it where that is asked for.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let unpublished = if args.unpublished { Unpublished::Go } else { Unpublished::Stay };
    let policy = Policy { older_than: args.older_than, unpublished };
    if args.yes {
        return delete(args, policy, &environment, output).await;
    }
    let world = environment.open(Access::Read).await?;
    let known = world.state.known().await?;
    if let (_, StoreDecision::Refused(refusal)) = world.store(&known, engine::now(), TakeStorage::No).await? {
        return Err(ApplyError::Refused(refusal).into());
    }
    let garbage = apply::look(&world, policy).await?;
    let files = files(&garbage);
    tell(&files, policy, output);
    let going = |file: &&GarbageFile<'_>| file.fate == GarbageOutcome::Goes;
    summary(files.iter().filter(going), Deleted::NotYet, output);
    if files.iter().any(|file| going(&file)) {
        output.talk("nothing was deleted: the help says how these files are");
        output.next("pixform gc --help");
    }
    Ok(0)
}

async fn delete(args: &Args, policy: Policy, environment: &Environment, output: &Output) -> Result<u8, Failure> {
    let world = environment.open(Access::Write).await?;
    let run = engine::begin_run(&world, environment, &context::start("gc", TakeStorage::No), None, output).await?;
    let deleted = async {
        let garbage = apply::look(&world, policy).await?;
        tell(&files(&garbage), policy, output);
        let patience = Duration::from_secs(args.wait);
        let deleted = apply::collect(&world, &run, (&garbage, policy), patience, &|line| output.talk(line)).await?;
        Ok::<_, ApplyError>((garbage, deleted))
    };
    let (garbage, gone) = match engine::end_run(&world, &run, deleted.await).await {
        Err(error @ ApplyError::Held(_)) => {
            output.report(&error.into());
            output.next("pixform unlock");
            return Ok(5);
        }
        deleted => deleted?,
    };
    let files = files(&garbage);
    let is_gone = |file: &&GarbageFile<'_>| is_among(&gone, file.path);
    summary(files.iter().filter(is_gone), Deleted::Done, output);
    let spared = files.iter().filter(|file| file.fate == GarbageOutcome::Goes && !is_among(&gone, file.path)).count();
    if spared > 0 {
        let files = if spared == 1 { "1 file was".to_owned() } else { format!("{spared} files were") };
        output.talk(&format!("{files} left alone: somebody has begun to refer to them meanwhile"));
    }
    Ok(0)
}

fn is_among(paths: &BTreeSet<ObjectPath>, path: &str) -> bool {
    path.parse::<ObjectPath>().is_ok_and(|path| paths.contains(&path))
}

fn files(garbage: &Garbage) -> Vec<GarbageFile<'_>> {
    let file = |(file, verdict): &'_ (Loose, Verdict)| {
        let kind = match file.kind {
            LooseKind::Original { .. } => GarbageKind::Original,
            LooseKind::Object { .. } => GarbageKind::Object,
            LooseKind::Leftover { .. } => GarbageKind::Leftover,
        };
        let fate = match verdict {
            Verdict::Goes => GarbageOutcome::Goes,
            Verdict::Recent => GarbageOutcome::Recent,
            Verdict::Unpublished => GarbageOutcome::Unpublished,
            Verdict::UnderWay => GarbageOutcome::UnderWay,
            Verdict::NamedByRow => GarbageOutcome::NamedByRow,
        };
        (kind, fate)
    };
    let remnants = garbage.remnants.iter().map(|Remnant { path, bytes, age }| GarbageFile {
        path: path.as_str(),
        kind: GarbageKind::Remnant,
        bytes: *bytes,
        age: age.as_secs(),
        fate: GarbageOutcome::Goes,
    });
    garbage
        .files
        .iter()
        .map(|line| {
            let ((kind, fate), path) = (file(line), line.0.path.as_str());
            let bytes = garbage.there.size(path).unwrap_or_default();
            let age = u64::try_from(garbage.now.saturating_sub(line.0.since) / 1_000).unwrap_or_default();
            GarbageFile { path, kind, bytes, age, fate }
        })
        .chain(remnants)
        .collect()
}

/// Tells of each file, or of some of them and how many there are.
fn tell(files: &[GarbageFile<'_>], policy: Policy, output: &Output) {
    if !output.is_json() {
        output.data(&render::garbage_text(files, policy.older_than, output.style()));
        return;
    }
    for GarbageFile { path, kind, bytes, age, fate } in files.iter().copied() {
        output.event(&EventLine::GcFile { path, kind, bytes, unreferenced_seconds: age, fate });
    }
}

/// Tells how many they are, and how large.
fn summary<'g>(files: impl Iterator<Item = &'g GarbageFile<'g>>, deleted: Deleted, output: &Output) {
    let files: Vec<&GarbageFile<'_>> = files.collect();
    if !output.is_json() {
        output.data(&format!("\n{}", render::garbage_summary(GarbageSum::of(files.iter().copied()), deleted)));
        return;
    }
    let of = |kind: GarbageKind| GarbageSum::of(files.iter().copied().filter(|file| file.kind == kind));
    output.event(&EventLine::GcSummary {
        deleted: deleted == Deleted::Done,
        originals: of(GarbageKind::Original),
        objects: of(GarbageKind::Object),
        leftovers: of(GarbageKind::Leftover),
        remnants: of(GarbageKind::Remnant),
    });
}
