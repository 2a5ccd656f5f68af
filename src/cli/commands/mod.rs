//! The commands, one file each: its arguments, and what is done with them.

use clap::Subcommand;

use super::{Failure, Global, Output};

mod accept;
mod apply;
mod check;
mod completions;
mod destroy;
mod explain;
mod gc;
mod generators;
pub(super) mod history;
mod import;
mod init;
mod list;
mod pick;
pub(super) mod plan;
mod preview;
mod schema;
mod serve;
mod show;
mod unlock;
mod validate;

/// A command with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented pixform.yaml and a first manifest
    Init(init::Args),
    /// Check manifests without looking at anything else
    Validate(validate::Args),
    /// Show what apply would do; writes nothing
    Plan(plan::Args),
    /// Make the new pictures and their files, and switch nothing
    Preview(preview::Args),
    /// Make what is missing, publish it, and switch the rows
    Apply(apply::Args),
    /// Look at every published picture and tell what is wrong
    Check(check::Args),
    /// Show one asset: recipe, prompt, files
    Show(show::Args),
    /// List the declared assets
    List(list::Args),
    /// Tell why an asset is or is not up to date
    Explain(explain::Args),
    /// Show the calls to generators, and what they cost
    History(history::Args),
    /// Take over rows and pictures that a script made; costs nothing, changes no row
    Import(import::Args),
    /// Say that pictures satisfy their recipes, or that rows stay as they are
    Accept(accept::Args),
    /// Write a take or a seed for one asset into its manifest
    Pick(pick::Args),
    /// Show who is applying a collection, and break the lease with --force
    Unlock(unlock::Args),
    /// Show what nothing refers to any more, and delete it with --yes
    Gc(gc::Args),
    /// Delete a collection's rows and records; files stay until gc
    Destroy(destroy::Args),
    /// Serve the published rows, the pictures and a gallery; only reads
    Serve(serve::Args),
    /// Show the kinds of generators, or all that is known of one
    Generators(generators::Args),
    /// Print the JSON Schema of manifests, or of pixform.yaml
    Schema(schema::Args),
    /// Print shell completions
    Completions(completions::Args),
    /// Print the version
    Version,
}

/// Runs a command, and returns its exit code.
pub async fn run(command: Command, global: &Global, output: &Output) -> Result<u8, Failure> {
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
        Command::Generators(args) => generators::run(&args, global, output),
        Command::Schema(args) => schema::run(&args, global, output),
        Command::Completions(args) => completions::run(&args, output),
        Command::Version => {
            output.data(&format!("pixform {}\n", env!("CARGO_PKG_VERSION")));
            Ok(0)
        }
    }
}
