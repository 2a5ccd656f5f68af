//! One asset that the user names by its key.

use crate::asset::Asset;
use crate::asset::Assets;
use crate::planner::DeclaredManifest;
use crate::yaml::nearest;

use super::EngineError;
use super::manifest_files::LoadedManifests;

/// Finds a declared asset by `key` or `collection:key`.
///
/// # Errors
/// When none has this key, or assets of two collections have.
pub fn find_asset<'l>(
    key: &str,
    loaded: &'l LoadedManifests,
) -> Result<(&'l DeclaredManifest, usize, Asset), EngineError> {
    let (collection, bare) = match key.split_once(':') {
        Some((collection, bare)) => (Some(collection), bare),
        None => (None, key),
    };
    let meant = |declared: &&DeclaredManifest| collection.is_none_or(|name| name == declared.manifest.name.as_str());
    let mut hits: Vec<(&DeclaredManifest, usize)> = loaded
        .declared
        .iter()
        .filter(meant)
        .filter_map(|declared| Some((declared, declared.heads.find(bare)?)))
        .collect();
    match (hits.pop(), hits.pop()) {
        (Some((declared, index)), None) => Ok((declared, index, declared.manifest.asset(index))),
        (Some((one, _)), Some((other, _))) => Err(EngineError::unfit(
            format!("`{key}` is declared by `{}` and by `{}`", other.manifest.name, one.manifest.name),
            format!("say which: `{}:{key}`", other.manifest.name),
        )),
        (None, _) => {
            let keys = loaded.declared.iter().filter(meant).flat_map(|declared| declared.heads.all());
            let keys: Vec<&str> = keys.take(10_000).map(|head| head.key.as_str()).collect();
            let help = match nearest(bare, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => match keys.first() {
                    Some(first) => format!("keys look like `{first}`"),
                    None => "no manifest declares anything".to_owned(),
                },
            };
            Err(EngineError::NoAsset { key: key.to_owned(), help })
        }
    }
}
