//! `pixform completions`

use clap::CommandFactory;

use crate::cli::{Cli, Failure, Output};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints a completion script.
pub fn run(args: &Args, output: &Output) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pixform", &mut script);
    output.data(&String::from_utf8_lossy(&script));
    Ok(0)
}
