//! The command line: arguments in, words and exit codes out. The only room that prints.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config;
use crate::planner::{Pattern, Selection};
use crate::render::Severity;
use crate::secret;

mod accept;
mod accepted;
mod against;
mod applied;
mod apply;
mod approval;
mod asked;
mod candidates;
mod carry;
mod change_set;
mod check;
mod completions;
mod context;
mod damages;
mod destroy;
mod explain;
mod exposed;
mod failure;
mod gc;
mod git;
mod history;
mod import;
mod init;
mod list;
mod origin;
mod output;
mod pick;
mod pictures;
mod plan;
mod preview;
mod previewed;
mod progress;
mod proof;
mod reading;
mod report;
mod saved;
mod schema;
mod selected;
mod serve;
mod served;
mod services;
mod show;
mod signals;
mod stores;
mod suggestion;
mod surveyed;
mod unlock;
mod validate;
mod visited;
mod workflow;
mod written;

use failure::Failure;
use output::Output;
use workflow::Workflow;

/// Terraform for generated pictures: declare the images a product wants, see what differs, make only that.
#[derive(Debug, Parser)]
#[command(name = "pixform", version, propagate_version = true, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
    0  done, or nothing to do
    1  an error, in the arguments or in a manifest too
    2  `plan --detailed-exitcode`: there are changes; `check`: something is wrong
    3  refused by a guard, or a cap was reached
    4  applied in part: some assets failed
    5  somebody else is applying
    6  the plan is stale, or not the one that was approved
    7  a paid call needs a decision; everything else was done first
  130, 143  interrupted";

#[derive(Debug, Args)]
struct Global {
    /// Run as if started in this folder
    #[arg(short = 'C', value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    /// The pixform.yaml to use instead of the one here or above
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The environment, one of those in pixform.yaml
    #[arg(long, value_name = "NAME", env = "PIXFORM_ENV", global = true)]
    env: Option<String>,
    /// One JSON event a line on stdout instead of words
    #[arg(long, global = true)]
    json: bool,
    /// No colours, also on a terminal
    #[arg(long, global = true)]
    no_color: bool,
    /// Tell more on stderr; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented pixform.yaml and a first manifest
    Init(init::InitArgs),
    /// Check manifests without looking at anything else
    Validate(validate::ValidateArgs),
    /// Show what apply would do; writes nothing
    Plan(plan::PlanArgs),
    /// Make the new pictures and their files, and switch nothing
    Preview(preview::PreviewArgs),
    /// Make what is missing, publish it, and switch the rows
    Apply(apply::ApplyArgs),
    /// Look at every published picture and tell what is wrong
    Check(check::CheckArgs),
    /// Show one asset: recipe, prompt, files
    Show(show::ShowArgs),
    /// List the declared assets
    List(list::ListArgs),
    /// Tell why an asset is or is not up to date
    Explain(explain::ExplainArgs),
    /// Show the calls to generators, and what they cost
    History(history::HistoryArgs),
    /// Take over rows and pictures that a script made; costs nothing, changes no row
    Import(import::ImportArgs),
    /// Say that pictures satisfy their recipes, or that rows stay as they are
    Accept(accept::AcceptArgs),
    /// Write a take or a seed for one asset into its manifest
    Pick(pick::PickArgs),
    /// Show who is applying a collection, and break the lease with --force
    Unlock(unlock::UnlockArgs),
    /// Show what nothing refers to any more, and delete it with --yes
    Gc(gc::GcArgs),
    /// Delete a collection's rows and records; files stay until gc
    Destroy(destroy::DestroyArgs),
    /// Serve the published rows, the pictures and a gallery; only reads
    Serve(serve::ServeArgs),
    /// Print the JSON Schema of manifests, or of pixform.yaml
    Schema(schema::SchemaArgs),
    /// Print shell completions
    Completions(completions::CompletionsArgs),
    /// Print the version
    Version,
}

/// Which manifests.
#[derive(Debug, Args, Default)]
struct ManifestArgs {
    /// Manifests; else every *.yaml in manifests/, or those here with a top-level `collection:`
    #[arg(value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
}

/// Which assets.
#[derive(Debug, Args, Default)]
struct SelectionArgs {
    /// Only these assets: a key glob such as `age/*/anime`, or `label=value`; repeatable
    #[arg(long, value_name = "PATTERN")]
    only: Vec<Pattern>,
    /// Not these assets
    #[arg(long, value_name = "PATTERN")]
    except: Vec<Pattern>,
}

impl SelectionArgs {
    fn selection(&self) -> Selection {
        Selection { only: self.only.clone().into(), except: self.except.clone().into() }
    }

    /// Returns the selection as arguments of a command, each with a blank before it; quoted, for `*` means much to shells.
    fn arguments(&self) -> String {
        let argument = |flag: &str, pattern: &Pattern| format!(" --{flag} '{pattern}'");
        let only = self.only.iter().map(|pattern| argument("only", pattern));
        only.chain(self.except.iter().map(|pattern| argument("except", pattern))).collect()
    }
}

/// Parses the arguments, runs the command, and returns its exit code.
pub fn main() -> ExitCode {
    secret::remember_environment();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 1 } else { 0 };
            told_arguments(error);
            return ExitCode::from(code);
        }
    };
    let Cli { global, command } = cli;
    let output = Output::new(&global);
    output.start_logging();
    if let Some(failure) = std::env::args_os().skip(1).find_map(|argument| unexpanded(&argument)) {
        return output.fail(&failure);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => return output.fail(&Failure::Runtime(source)),
    };
    let code = runtime.block_on(run(command, &global, &output));
    // Work that was left behind on a signal is not waited for.
    runtime.shutdown_background();
    match code {
        Ok(code) => ExitCode::from(code),
        Err(failure) => output.fail(&failure),
    }
}

/// Finds an argument whose `~` no shell has read, as in `--config=~/pixform.yaml`: it names a folder called `~`.
fn unexpanded(argument: &OsStr) -> Option<Failure> {
    let argument = argument.to_str()?;
    let value =
        argument.split_once('=').filter(|(option, _)| option.starts_with('-')).map_or(argument, |(_, value)| value);
    let is_meant = config::is_home(value) && !Path::new(value.split('/').next()?).exists();
    is_meant.then(|| {
        let help = "a shell reads `~` only at the beginning of a word, without quotes: write a blank in the place of `=`, \
                    or `$HOME` in the place of `~`";
        Failure::usage(format!("`{value}` does not lie in your home folder: the `~` came here as it is"), help)
    })
}

/// Prints help, or what is wrong with the arguments.
fn told_arguments(error: clap::Error) {
    let workflow = Workflow::here();
    if let Some(suggestion::Look { message, help }) = suggestion::look(&error) {
        let _ = write!(workflow.log(), "error: {message}\n  help: {help}\n");
        workflow.annotate(Severity::Error, &message, Some(&help), None);
        return;
    }
    let error = suggestion::without_spending(error);
    if !error.use_stderr() || workflow == Workflow::None {
        // A closed pipe is no reason to fail.
        let _ = error.print();
        return;
    }
    let text = error.render().to_string();
    let _ = workflow.log().write_all(text.as_bytes());
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    workflow.annotate(Severity::Error, first, None, None);
}

async fn run(command: Command, global: &Global, output: &Output) -> Result<u8, Failure> {
    if let Some(directory) = &global.directory {
        std::env::set_current_dir(directory)
            .map_err(|source| Failure::Directory { path: directory.clone(), source })?;
    }
    output.version();
    match command {
        Command::Init(args) => init::run(&args, global, output),
        Command::Validate(args) => validate::run(&args, global, output),
        Command::Plan(args) => plan::run(&args, global, output).await,
        Command::Preview(args) => preview::run(&args, global, output).await,
        Command::Apply(args) => apply::run(&args, global, output).await,
        Command::Check(args) => check::run(&args, global, output).await,
        Command::Show(args) => show::run(&args, global, output).await,
        Command::List(args) => list::run(&args, global, output).await,
        Command::Explain(args) => explain::run(&args, global, output).await,
        Command::History(args) => history::run(&args, global, output).await,
        Command::Import(args) => import::run(&args, global, output).await,
        Command::Accept(args) => accept::run(&args, global, output).await,
        Command::Pick(args) => pick::run(&args, global, output),
        Command::Unlock(args) => unlock::run(&args, global, output).await,
        Command::Gc(args) => gc::run(&args, global, output).await,
        Command::Destroy(args) => destroy::run(&args, global, output).await,
        Command::Serve(args) => serve::run(&args, global, output).await,
        Command::Schema(args) => schema::run(&args, output),
        Command::Completions(args) => completions::run(&args, output),
        Command::Version => {
            output.data(&format!("pixform {}\n", env!("CARGO_PKG_VERSION")));
            Ok(0)
        }
    }
}
