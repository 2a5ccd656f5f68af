//! `pixform show KEY`

use crate::asset::{FieldName, Seed};
use crate::engine;
use crate::record::{Original, Record};
use crate::render::terminal;
use crate::state::Access;

use crate::cli::{Failure, Global, ManifestArgs, Output, context};

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The asset: `age/70+/anime`, or `collection:age/70+/anime`
    key: String,
    #[command(flatten)]
    manifests: ManifestArgs,
}

/// Shows what an asset is, and what is published of it.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let loaded = engine::load_manifests(&args.manifests.manifests, &environment, output)?;
    let (declared, _, asset) = engine::find_asset(&args.key, &loaded)?;
    let world = environment.open(Access::Read).await?;
    let name = &declared.manifest.name;
    let record = world.state.records(name, std::slice::from_ref(&asset.key)).await?.pop();
    let asset = crate::plan::settle_seed(asset, record.as_ref());
    let mut text = format!("{name}:{}\n", asset.key);
    let mut line = |label: &str, value: &str| {
        text.push_str(&format!("  {label:<16} {}\n", terminal(value)));
    };
    if let Some(place) = asset.place("") {
        line("declared", &place.to_string());
    }
    for (label, value) in &asset.labels {
        line(label, value);
    }
    line("generator", &format!("{} ({})", asset.generator, asset.recipe.generator));
    let originals = match &record {
        Some(record) => world.state.originals_by_content(&[record.original]).await?,
        None => Vec::new(),
    };
    let used = other_seed(record.as_ref(), &originals);
    let names = asset.recipe.names();
    for field in names.iter().map(FieldName::as_str).filter(|field| *field != "generator") {
        match (asset.recipe.field(field), used) {
            // Beside the seed that is asked for, where somebody would copy it from.
            (Some(asked), Some(used)) if field == "seed" => {
                line(field, &format!("{asked} is asked for"));
                line("seed used", &used.to_string());
            }
            (None, Some(used)) if field == "seed" => line("seed used", &used.to_string()),
            (Some(value), _) => line(field, &value),
            (None, _) => {}
        }
    }
    line("recipe", &asset.recipe.digest().to_string());
    for (flag, set) in [("protect", asset.protect == Some(true)), ("hold", asset.hold)] {
        if set {
            line(flag, "true");
        }
    }
    match &record {
        None => line("published", "not yet"),
        Some(record) => {
            for original in &originals {
                line("original", original.path.as_str());
            }
            for file in &record.published {
                let size = format!("{} x {}, {} bytes", file.width, file.height, file.bytes);
                line(file.rendition.name.as_str(), &format!("{} ({size})", file.path.url(&world.url_base)));
            }
        }
    }
    for damage in world.state.damages(name).await?.iter().filter(|damage| damage.key == asset.key) {
        line("found damaged", &format!("{} (`pixform plan` reads it again)", damage.path));
    }
    let accepted = world.state.acceptances(name, std::slice::from_ref(&asset.key)).await?;
    text.push_str(&crate::cli::accepted::lines(&accepted));
    output.data(&text);
    Ok(0)
}

/// Returns the seed that the published picture was made with, where the service says that it is not the one asked for.
pub fn other_seed(record: Option<&Record>, originals: &[Original]) -> Option<Seed> {
    let asked = record?.recipe.seed;
    originals.iter().find_map(|original| original.seed).filter(|used| asked != Some(*used))
}
