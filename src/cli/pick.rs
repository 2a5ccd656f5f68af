//! `pixform pick KEY`

use std::io::Write as _;
use std::path::Path;

use crate::asset::Seed;
use crate::manifest::{COUNT_MAX, Pick, PickError, Picked, pick};

use super::{Failure, Global, ManifestArgs, Output, asked, context};

/// Arguments of `pick`.
#[derive(Debug, clap::Args)]
pub struct PickArgs {
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
pub fn run(args: &PickArgs, global: &Global, output: &Output) -> Result<u8, Failure> {
    let settings = context::settings_without_secrets(global, output)?;
    let manifests = ManifestArgs { manifests: args.manifests.clone() };
    let loaded = context::manifests_without_secrets(&manifests, &settings, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::Told { count: loaded.broken });
    }
    let (declared, index, asset) = asked::find(&args.key, &loaded)?;
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
            replace(Path::new(&**file), &manifest.source, &text)?;
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

/// Replaces a file in one step, whatever happens on the way; a link stays a link, and rights stay what they were.
fn replace(path: &Path, before: &str, after: &str) -> Result<(), Failure> {
    let failure = |source| Failure::Write { path: path.to_path_buf(), source };
    let real = path.canonicalize().map_err(failure)?;
    let folder = real.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failure)?;
    file.write_all(after.as_bytes()).map_err(failure)?;
    let rights = std::fs::metadata(&real).map_err(failure)?.permissions();
    if rights.readonly() {
        // A new file in its place would not ask for the right to write into it.
        return Err(failure(std::io::ErrorKind::PermissionDenied.into()));
    }
    file.as_file().set_permissions(rights).map_err(failure)?;
    file.as_file().sync_all().map_err(failure)?;
    if std::fs::read(&real).map_err(failure)? != before.as_bytes() {
        let help = "somebody saved it in between: look at it, and run this again";
        return Err(Failure::usage(format!("`{}` was left as it is: it has changed", path.display()), help));
    }
    file.persist(&real).map_err(|error| failure(error.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failure)
}
