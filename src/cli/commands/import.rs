//! `pixform import`

use std::mem;
use std::path::PathBuf;
use std::time::Instant;

use crate::engine::{PreparedPlan, RunOptions};
use crate::plan::{Action, Note, Plan};
use crate::render::{self, Severity};
use crate::world::Generators;

use crate::cli::applied::{self, AboutRun};
use crate::cli::arguments::{ConsentArgs, WaitArgs};
use crate::cli::carry::carry_out;
use crate::cli::confirm::{Confirmation, confirm};
use crate::cli::plan_arguments::LookArgs;
use crate::cli::plan_output::{WantedPlan, print};
use crate::cli::{Failure, Global, ManifestArgs, Output, SelectionArgs, context, written};

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Only show what would be adopted
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    consent: ConsentArgs,
    #[command(flatten)]
    wait: WaitArgs,
    /// Take the storage over, whatever its marker says
    #[arg(long)]
    take_storage: bool,
    /// Write a manifest for a table that is there, and change nothing else
    #[arg(long, value_name = "FILE", requires_all = ["table", "key"], conflicts_with_all = ["manifests", "only", "except", "dry_run", "yes", "take_storage"])]
    write: Option<PathBuf>,
    /// The table that the manifest is written for
    #[arg(long, requires = "write")]
    table: Option<String>,
    /// Its columns that tell pictures apart, with commas between: category,value,style
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "write")]
    key: Vec<String>,
    /// The collection's name; else that of the table
    #[arg(long, value_name = "NAME", requires = "write")]
    collection: Option<String>,
}

/// Takes over rows and pictures that are there already; buys nothing, and changes no row.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    if let (Some(file), Some(table)) = (&args.write, &args.table) {
        let wanted = written::WantedDraft { file, table, key: &args.key, collection: args.collection.as_deref() };
        return written::run(&wanted, global, output).await;
    }
    let begun = Instant::now();
    let selection = SelectionArgs { only: args.selection.only.clone(), except: args.selection.except.clone() };
    let look = LookArgs { selection, take_storage: args.take_storage, ..LookArgs::default() };
    let prepared = WantedPlan::new(&args.manifests, &look).prepare(global, output).await?;
    let PreparedPlan { environment, loaded, plan, takes } = prepared;
    let broken = loaded.broken;
    let (plan, unfit) = split(plan);
    tell_unfit(&unfit, output);
    let code = if plan.changes_nothing() && plan.refusals.is_empty() {
        match output.is_json() {
            true => print(&plan, begun, output),
            false => output.data("Nothing to adopt.\n"),
        }
        0
    } else {
        print(&plan, begun, output);
        if !plan.refusals.is_empty() {
            output.visitors_see("what they saw before: nothing was changed");
            return Err(Failure::Refused);
        }
        if args.dry_run {
            output.next(&format!("pixform import{}", args.selection.arguments()));
            0
        } else {
            let question = format!("Adopt these into `{}`? No row and no file changes.", plan.environment);
            confirm(Confirmation { command: "import", words: &question, consent: args.consent.consent() }, output)?;
            let prepared = PreparedPlan { environment, loaded, plan, takes };
            let world = prepared.open(Generators::default()).await?;
            let start = context::start("import", look.take());
            let options = RunOptions { wait_seconds: args.wait.seconds, ..RunOptions::new(start) };
            let carried_out = carry_out(&world, &prepared, &options, output).await?;
            let about = AboutRun { world: &world, environment: &prepared.environment, options: &options };
            applied::tell(about, carried_out, output)?
        }
    };
    match broken {
        0 => Ok(code),
        count => Err(Failure::broken(count)),
    }
}

/// Divides a plan into what is adopted and what could not be.
fn split(mut plan: Plan) -> (Plan, Plan) {
    let changes: Vec<_> = plan.collections.iter_mut().map(|collection| mem::take(&mut collection.changes)).collect();
    let mut unfit = plan.clone();
    for ((to_adopt, unfit), changes) in plan.collections.iter_mut().zip(&mut unfit.collections).zip(changes) {
        (to_adopt.changes, unfit.changes) = changes.into_iter().partition(|change| change.action == Action::Adopt);
        unfit.changes.retain(|change| change.before.is_none() && render::unfit_reasons(change).next().is_some());
        to_adopt.case_twins.clear();
        // Whoever imports has read it.
        to_adopt.notes.retain(|note| !matches!(note, Note::Unadopted { .. }));
    }
    // Of the refusals only that of the storage is about what is adopted; and a key that changed is nobody's to step over:
    // the records would look as if nobody declared them.
    plan.refusals.retain(|refusal| matches!(refusal.code, "store" | "key"));
    (plan, unfit)
}

/// Tells which rows are there and cannot be adopted, and why.
fn tell_unfit(unfit: &Plan, output: &Output) {
    if output.is_json() {
        for (collection, change) in unfit.changes() {
            let reasons: Vec<String> = render::unfit_reasons(change).map(render::unfit_sentence).collect();
            let message = format!("{}:{} is not adopted: {}", collection.name, change.key, reasons.join("; "));
            output.diagnostic(Severity::Warning, &message, None, None);
        }
    } else {
        output.data(&render::unfit_text(unfit, output.style()));
    }
    for refusal in unfit.refusals.iter().filter(|refusal| refusal.code == "case") {
        output.warn(&refusal.message, &refusal.way_out, None);
    }
}
