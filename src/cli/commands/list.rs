//! `pixform list`

use crate::asset::{AssetKey, Assets};
use crate::engine;
use crate::state::Access;

use crate::cli::{Failure, Global, ManifestArgs, Output, SelectionArgs, context};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    selection: SelectionArgs,
}

/// Assets that are read at a time.
const CHUNK: usize = 1_000;

/// Lists the declared assets with the URL of what is published of each.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let loaded = engine::load_manifests(&args.manifests.manifests, &environment, output)?;
    let world = environment.open(Access::Read).await?;
    let selection = args.selection.selection();
    engine::check_selection(&world, &loaded, &selection).await?;
    for declared in &loaded.declared {
        let (manifest, heads) = (&declared.manifest, declared.heads.all());
        let width = heads.iter().map(|head| head.key.as_str().len()).max().unwrap_or_default();
        for (chunk, heads) in heads.chunks(CHUNK).enumerate() {
            let meant = |number: usize| {
                let asset = manifest.asset(number);
                selection.takes(&manifest.name, asset.key.as_str(), &asset.labels)
            };
            let keys: Vec<&AssetKey> = heads
                .iter()
                .enumerate()
                .filter(|(number, _)| selection.is_all() || meant(chunk * CHUNK + number))
                .map(|(_, head)| &head.key)
                .collect();
            let owned: Vec<AssetKey> = keys.iter().map(|key| (*key).clone()).collect();
            let records = world.state.records(&manifest.name, &owned).await?;
            for key in keys {
                let record = records.iter().find(|record| record.key == *key);
                let main = record.and_then(|record| record.published.first());
                let url = main.map(|file| file.path.url(&world.url_base));
                match output.is_json() {
                    true => {
                        let line =
                            serde_json::json!({ "type": "asset", "collection": manifest.name, "key": key, "url": url });
                        output.data(&format!("{line}\n"));
                    }
                    false => {
                        let shown = url.as_deref().unwrap_or("not published");
                        output.data(&format!("{}:{:<width$}  {shown}\n", manifest.name, key.as_str()));
                    }
                }
            }
        }
    }
    match loaded.broken {
        0 => Ok(0),
        count => Err(Failure::broken(count)),
    }
}
