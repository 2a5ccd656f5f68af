//! `pixform show KEY`

use crate::asset::Recipe;
use crate::render::terminal;
use crate::state::Access;

use super::{Failure, Global, ManifestArgs, Output, asked, context};

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The asset: `age/70+/anime`, or `collection:age/70+/anime`
    key: String,
    #[command(flatten)]
    manifests: ManifestArgs,
}

/// Shows what an asset is, and what is published of it.
pub async fn run(args: &ShowArgs, global: &Global, output: &Output) -> Result<u8, Failure> {
    let settings = context::settings(global, output)?;
    let loaded = context::manifests(&args.manifests, &settings, output)?;
    let (declared, _, asset) = asked::find(&args.key, &loaded)?;
    let world = context::world(&settings, Access::Read).await?;
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
    for field in Recipe::FIELDS.iter().filter(|field| **field != "generator") {
        if let Some(value) = asset.recipe.field(field) {
            line(field, &value);
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
            for original in world.state.originals_by_content(&[record.original]).await? {
                line("original", original.path.as_str());
                // What is asked for is in the recipe; a service may use another one, and says so.
                if let Some(seed) = original.seed.filter(|seed| record.recipe.seed != Some(*seed)) {
                    line("seed used", &seed.to_string());
                }
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
    text.push_str(&super::accepted::lines(&accepted));
    output.data(&text);
    Ok(0)
}
