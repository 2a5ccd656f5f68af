//! `pixform explain KEY`

use crate::asset::Asset;
use crate::engine::{self, PlanGuards, PlanOptions};
use crate::plan::{Action, AssetSnapshot, Change, Coverage, Note, Reason};
use crate::planner::{Pattern, Selection};
use crate::record::Record;
use crate::render::{self, terminal};
use crate::state::Access;

use crate::cli::{Failure, Global, ManifestArgs, Output, context};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The asset: `age/70+/anime`, or `collection:age/70+/anime`
    key: String,
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Take what is recorded for true: look at no file and no row
    #[arg(long)]
    no_refresh: bool,
}

/// Tells why an asset is or is not up to date.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let loaded = engine::load_manifests(&args.manifests.manifests, &environment, output)?;
    let (declared, _, asset) = engine::find_asset(&args.key, &loaded)?;
    let name = declared.manifest.name.clone();
    let world = environment.open(Access::Read).await?;
    let pattern: Pattern = format!("{name}:{}", asset.key)
        .parse()
        .map_err(|error: crate::glob::GlobError| Failure::usage(error.to_string(), "name one key"))?;
    let options = PlanOptions {
        selection: Selection { only: vec![pattern].into(), ..Selection::default() },
        refresh: if args.no_refresh { Coverage::NotAt } else { Coverage::At },
        guards: PlanGuards::Ignored,
        ..PlanOptions::default()
    };
    let plan = engine::plan(&world, &environment, &loaded, &options, output).await?;
    let change = plan.changes().map(|(_, change)| change).find(|change| change.key == asset.key);
    let (collection, key) =
        change.and_then(|change| change.moved_from.clone()).unwrap_or_else(|| (name.clone(), asset.key.clone()));
    let accepted = world.state.acceptances(&collection, std::slice::from_ref(&key)).await?;
    let record = world.state.records(&collection, &[key]).await?.pop();
    let asset = crate::plan::settle_seed(asset, record.as_ref());
    let mut accepted = crate::cli::accepted::lines(&accepted);
    let contents: Vec<_> = record.iter().map(|record| record.original).collect();
    let originals = world.state.originals_by_content(&contents).await?;
    if let Some(used) = super::show::other_seed(record.as_ref(), &originals) {
        let asked = record.as_ref().and_then(|record| record.recipe.seed);
        let asked = asked.map(|asked| format!(", {asked} was asked for")).unwrap_or_default();
        accepted.push_str(&format!("  the published picture was made with seed {used}{asked}\n"));
    }
    let lost =
        plan.collections.iter().flat_map(|part| &part.notes).filter(|note| matches!(note, Note::OriginalLost(_)));
    let lost: String = lost.map(|note| format!("  {}\n", terminal(&render::note_sentence(note)))).collect();
    let told = format!("{}{lost}", accepted);
    output.data(&text(&name.to_string(), &asset, record.as_ref(), &told, change));
    Ok(0)
}

fn text(collection: &str, asset: &Asset, record: Option<&Record>, accepted: &str, change: Option<&Change>) -> String {
    let verdict = match change {
        None => "up to date".to_owned(),
        Some(change) if change.price.0 > 0 => format!("not up to date: {}, ${}", change.action.name(), change.price),
        Some(change) => format!("not up to date: {}", change.action.name()),
    };
    let mut text = format!("{collection}:{}   {verdict}\n", asset.key);
    if let Some(place) = asset.place("") {
        text.push_str(&format!("  declared at {place}\n"));
    }
    text.push_str(accepted);
    text.push_str("\n  digest       declared               recorded\n");
    let recorded = record.map(AssetSnapshot::of);
    let none = || "none".to_owned();
    let row = asset.row.as_ref().map(|row| row.digest().short());
    for (name, declared, recorded) in [
        ("recipe", asset.recipe.digest().short(), recorded.map(|was| was.recipe.short())),
        ("renditions", asset.renditions_digest().short(), recorded.map(|was| was.renditions.short())),
        ("row", row.unwrap_or_else(none), recorded.and_then(|was| was.row).map(|row| row.short())),
    ] {
        let recorded = recorded.unwrap_or_else(none);
        let mark = if declared == recorded { "same" } else { "differs" };
        text.push_str(&format!("  {name:<12} {declared:<22} {recorded:<14} {mark}\n"));
    }
    match change {
        Some(change) => {
            text.push_str("\n  why\n");
            for reason in &change.reasons {
                text.push_str(&line(reason));
            }
            if change.action == Action::Generate && change.original.is_none() {
                text.push_str("    no original of this recipe was found, neither in the state nor in the storage\n");
            }
        }
        None => {
            text.push_str("\n  Recipe, renditions and row are those that were published");
            text.push_str(", and what was looked at is still there.\n");
            if asset.hold {
                text.push_str("  It is held: the published picture stays whatever the recipe says.\n");
            }
        }
    }
    text.push_str("\n  where each field comes from\n");
    for (field, place) in asset.places.iter().filter(|(field, _)| !field.is_empty()) {
        text.push_str(&format!("    {field:<20} {place}\n"));
    }
    text
}

fn line(reason: &Reason) -> String {
    let parts = reason.parts();
    let mut line = format!("    {}", parts.code.replace('_', " "));
    if let Some(field) = parts.field {
        line.push_str(&format!(" `{}`", terminal(&field)));
    }
    if let Some(place) = parts.place {
        line.push_str(&format!("   {place}"));
    }
    line.push('\n');
    for (label, value) in [("old", parts.old), ("new", parts.new)] {
        if let Some(value) = value {
            line.push_str(&format!("      {label}  {}\n", terminal(&value)));
        }
    }
    line
}
