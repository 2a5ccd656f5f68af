//! `pixform schema`

use crate::cli::{Failure, Global, Output};

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The schema of pixform.yaml
    // It takes the place of the global argument of this name, so it has that one's type, and a value that nobody reads.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "pixform.yaml", value_name = "FILE")]
    config: Option<std::path::PathBuf>,
}

/// Prints a JSON Schema, as the committed copies hold it.
pub fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let schema = {
        let kinds = global.kinds.specs();
        if args.config.is_some() { crate::config::schema(&kinds) } else { crate::manifest::schema(&kinds) }
    };
    output.data(&crate::schema::text(&schema));
    Ok(0)
}
