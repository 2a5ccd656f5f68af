//! `pixform pick KEY`

use std::path::Path;
use std::sync::Arc;

use crate::asset::Seed;
use crate::engine::{self, Environment, LoadedManifests, MANIFEST_BYTES_MAX};
use crate::manifest::{COUNT_MAX, Pick, PickError, Picked, pick};
use crate::planner::DeclaredManifest;

use crate::cli::saved::Locked;
use crate::cli::{Failure, Global, Output, context};

/// Arguments of `pick`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The asset: `age/70+/anime`, or `collection:age/70+/anime`
    key: String,
    /// The take: another picture of the same recipe; 0 is the first
    #[arg(value_name = "TAKE", value_parser = take, allow_negative_numbers = true)]
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    take: Option<u32>,
    /// A seed in the place of a take: 0 to 9223372036854775807
    #[arg(long, value_name = "SEED", value_parser = seed, allow_negative_numbers = true)]
    seed: Option<Seed>,
    /// The manifest, where it is none of those that are found; repeatable
    #[arg(long = "manifest", value_name = "FILE")]
    manifests: Vec<std::path::PathBuf>,
}

fn take(text: &str) -> Result<u32, String> {
    let number = text.parse::<u64>().ok().filter(|number| *number <= COUNT_MAX);
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| format!("a take is a number from 0 to {COUNT_MAX}"))
}

fn seed(text: &str) -> Result<Seed, String> {
    let number = text.parse().ok().and_then(Seed::new);
    number.ok_or_else(|| format!("a seed is a number from 0 to {}", Seed::MAX))
}

/// Writes a take or a seed into the manifest.
pub fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment_closed(global, output)?;
    let mut loaded = load(args, &environment, output)?;
    let (file, source) = text(args, &loaded)?;
    let locked = Locked::folder_of(Path::new(&*file))?;
    if crate::files::read(Path::new(&*file), MANIFEST_BYTES_MAX).is_ok_and(|now| now != source.as_bytes()) {
        // Another run was first: this pick is written beside that one.
        loaded = load(args, &environment, output)?;
    }
    let (declared, index, asset) = engine::find_asset(&args.key, &loaded)?;
    let manifest = &declared.manifest;
    let (wanted, said) = match (args.take, args.seed) {
        (_, Some(seed)) => (Pick::Seed(seed), format!("seed {seed}")),
        (take, None) => (Pick::Take(take.unwrap_or_default()), format!("take {}", take.unwrap_or_default())),
    };
    let (file, key) = (&manifest.file, &asset.key);
    let picked = pick(manifest, &declared.heads, index, wanted).map_err(|error| refused(file, &error))?;
    let said = match picked {
        Picked::Already => format!("{file}: `{key}` has {said} already"),
        Picked::Written(text) => {
            locked.replace(Path::new(&**file), &manifest.source, &text)?;
            format!("{file}: `{key}` has {said} now")
        }
    };
    match output.is_json() {
        true => output.talk(&said),
        false => output.data(&format!("{said}\n")),
    }
    if asset.hold {
        output.talk("note: it is held: the published picture stays until `hold` is gone");
    } else if asset.protect == Some(true) {
        output.talk("note: it is protected: a new picture needs `protect: false`");
    }
    output.next(&format!("pixform plan --only '{}:{key}'", manifest.name));
    Ok(0)
}

fn load(args: &Args, environment: &Environment, output: &Output) -> Result<LoadedManifests, Failure> {
    let loaded = engine::load_manifests_closed(&args.manifests, environment, output)?;
    match loaded.declared.is_empty() && loaded.broken > 0 {
        true => Err(Failure::broken(loaded.broken)),
        false => Ok(loaded),
    }
}

/// Returns the file that declares the asset, and what it says.
fn text(args: &Args, loaded: &LoadedManifests) -> Result<(Arc<str>, Arc<str>), Failure> {
    let (DeclaredManifest { manifest, .. }, ..) = engine::find_asset(&args.key, loaded)?;
    Ok((Arc::clone(&manifest.file), Arc::clone(&manifest.source)))
}

fn refused(file: &str, error: &PickError) -> Failure {
    let help = match error {
        PickError::NoSeeds(_) => "pick a take: `pixform pick KEY 1`".to_owned(),
        PickError::Overruled { lines, .. } => {
            format!("move the entry of this asset below all others in `cells:`, and write\n  {lines}")
        }
        PickError::Shape { lines, .. } | PickError::TooMuch { lines, .. } => {
            format!("in `cells:`, below all other entries, write\n  {lines}\nor add that to the entry which it has")
        }
    };
    Failure::usage(format!("`{file}` was left as it is: {error}"), help)
}
