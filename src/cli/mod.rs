//! The command line: arguments in, words and exit codes out. The only room that prints.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::config;
use crate::generator::Kinds;
use crate::render::Severity;
use crate::secret;

mod accepted;
mod against;
mod applied;
mod arguments;
mod candidates;
mod carry;
mod change_set;
mod commands;
mod confirm;
mod context;
mod failure;
mod git;
mod ledger_entry;
mod origin;
mod output;
mod plan_arguments;
mod plan_output;
mod previewed;
mod progress;
mod report;
mod saved;
mod signals;
mod stranger_text;
mod suggestion;
mod surveyed;
mod way_out;
mod workflow;
mod written;

use arguments::{Global, ManifestArgs, SelectionArgs};
use commands::Command;
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

/// Parses the arguments, runs the command, and returns its exit code. A program of one's own registers kinds of its own
/// beside, or in the place of, [`crate::generator::KINDS`].
pub fn main(kinds: Kinds) -> ExitCode {
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
    let global = Global { kinds, ..global };
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
    commands::run(command, global, output).await
}
