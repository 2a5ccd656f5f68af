//! `pixform init`

use std::path::Path;

use crate::asset::TableSpec;
use crate::engine;

use crate::cli::saved::{Created, create};
use crate::cli::{Failure, Global, ManifestArgs, Output, context};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the SQL that sets a Postgres database up for the manifests here, and write nothing
    #[arg(long)]
    print_sql: bool,
    #[command(flatten)]
    manifests: ManifestArgs,
}

const CONFIG: &str = include_str!("templates/pixform.yaml");
const MANIFEST: &str = include_str!("templates/portraits.yaml");

/// Writes a commented `pixform.yaml` and a first manifest; files that are there stay as they are.
pub fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    if args.print_sql {
        return print_sql(args, global, output);
    }
    if let [first, ..] = args.manifests.manifests.as_slice() {
        let message = format!("init writes its own first manifest, and takes none: `{}`", first.display());
        return Err(Failure::usage(message, "leave it out, or print the SQL for it with `--print-sql`"));
    }
    let mut written = 0;
    for (path, content) in [("pixform.yaml", CONFIG), ("manifests/portraits.yaml", MANIFEST)] {
        let path = Path::new(path);
        match create(path, content)? {
            Created::Written => {
                output.data(&format!("wrote {}\n", path.display()));
                written += 1;
            }
            Created::There => output.talk(&format!("{} is there already and stays as it is", path.display())),
        }
    }
    if written > 0 {
        output.next("pixform plan");
    }
    Ok(0)
}

/// Prints what the database's owner has to run. Nothing is connected to: the database may not be there yet.
fn print_sql(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment_closed(global, output)?;
    let loaded = engine::load_manifests(&args.manifests.manifests, &environment, output)?;
    if loaded.broken > 0 {
        return Err(Failure::broken(loaded.broken));
    }
    let mut tables: Vec<TableSpec> = Vec::new();
    for table in loaded.declared.iter().filter_map(|declared| declared.manifest.table()) {
        if !tables.iter().any(|known| known.name == table.name) {
            tables.push(table.clone());
        }
    }
    output.data(&crate::state::setup_sql(&tables));
    Ok(0)
}
