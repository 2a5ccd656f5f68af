//! `pixform validate`

use crate::cli::{Failure, Global, ManifestArgs, Output, context};
use crate::engine;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
}

/// Checks manifests: what they say, not what is there.
pub fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment_closed(global, output)?;
    let loaded = engine::load_manifests_closed(&args.manifests.manifests, &environment, output)?;
    for declared in loaded.declared.iter().filter(|_| !output.is_json()) {
        let manifest = &declared.manifest;
        let images = match manifest.count() {
            1 => "1 image".to_owned(),
            count => format!("{count} images"),
        };
        output.data(&format!("{}: `{}` declares {images}\n", manifest.file, manifest.name));
    }
    match loaded.broken {
        0 => Ok(0),
        count => Err(Failure::broken(count)),
    }
}
