//! The stores of an environment, as it configures them; and the URL that rows get.

use crate::config::{RawText, Settings, StoreAccess, StoreSettings};
use crate::secret::SecretText;
use crate::storage::{self, Addressing, MissingBucket, Readers, Stores};

use super::EngineError;
use super::surroundings::outside;

/// Variables that lead the S3 client elsewhere, and with it the address of its files.
const ENDPOINT_VARIABLES: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];

/// Fills variables in from the process.
fn expand(settings: &Settings, raw: &Option<RawText>) -> Result<Option<SecretText>, EngineError> {
    let Some(raw) = raw else { return Ok(None) };
    // Empty is not set, so that `${NAME:-}` can leave it out.
    Ok(Some(settings.expand(raw, &outside())?).filter(|text| !text.expose().is_empty()))
}

fn plain(settings: &Settings, raw: &Option<RawText>) -> Result<Option<String>, EngineError> {
    Ok(expand(settings, raw)?.map(|text| text.expose().to_owned()))
}

/// Returns the part of every file's URL before the path; `None` where only the service knows it.
///
/// # Errors
/// When a variable is missing, or an address cannot be used.
pub fn url_base(settings: &Settings) -> Result<Option<String>, EngineError> {
    if let Some(base) = settings.url_base() {
        return Ok(Some(base));
    }
    let StoreAccess { endpoint, region, account, path_style, .. } = &settings.storage.access;
    let main = storage::StoreOptions {
        endpoint: plain(settings, endpoint)?,
        region: plain(settings, region)?,
        account: plain(settings, account)?,
        addressing: addressing(*path_style),
        ..storage::StoreOptions::of(settings.storage.url.expose())
    };
    let led_elsewhere = || ENDPOINT_VARIABLES.iter().any(|name| std::env::var_os(name).is_some());
    if settings.storage.url.scheme() == Some("s3") && main.endpoint.is_none() && led_elsewhere() {
        return Ok(None);
    }
    Ok(main.url_base().map_err(crate::world::WorldError::from)?)
}

/// Returns who fetches published files from the store itself: everybody, unless another address is named for that.
pub fn readers(settings: &Settings) -> Readers {
    if settings.storage.public_url.is_some() { Readers::Nobody } else { Readers::Everybody }
}

/// Fills everything in that opening the stores needs.
///
/// # Errors
/// When a variable is missing.
pub fn stores(settings: &Settings) -> Result<Stores, EngineError> {
    let written = &settings.storage;
    let main = store(settings, written.url.expose(), &written.access, written.create_bucket)?;
    let other = |other: &Option<StoreSettings>| -> Result<Option<storage::StoreOptions>, EngineError> {
        let Some(StoreSettings { url, access, create_bucket }) = other else { return Ok(None) };
        let url = settings.expand_url(url, &outside())?;
        if url.expose().is_empty() {
            return Ok(None);
        }
        let same_kind = url.scheme() == written.url.scheme();
        let access = if same_kind { shared(access, &written.access) } else { access.clone() };
        let create_bucket = create_bucket.unwrap_or(same_kind && written.create_bucket);
        Ok(Some(store(settings, url.expose(), &access, create_bucket)?))
    };
    let (originals, previous) = (other(&written.originals)?, other(&written.previous)?);
    // Nothing is written there, so nothing is made there either.
    let previous = previous.map(|previous| storage::StoreOptions { missing_bucket: MissingBucket::Error, ..previous });
    Ok(Stores { main, originals, previous })
}

fn store(
    settings: &Settings,
    url: &str,
    access: &StoreAccess,
    create_bucket: bool,
) -> Result<storage::StoreOptions, EngineError> {
    let StoreAccess { endpoint, region, account, key, access_key_id, secret_access_key, session_token, path_style } =
        access;
    Ok(storage::StoreOptions {
        url: url.to_owned(),
        endpoint: plain(settings, endpoint)?,
        region: plain(settings, region)?,
        account: plain(settings, account)?,
        key: expand(settings, key)?,
        access_key_id: expand(settings, access_key_id)?,
        secret_access_key: expand(settings, secret_access_key)?,
        session_token: expand(settings, session_token)?,
        addressing: addressing(*path_style),
        missing_bucket: if create_bucket { MissingBucket::Make } else { MissingBucket::Error },
    })
}

/// Returns what a store says of itself, and what the main one says where it says nothing. Keys are shared as a whole.
fn shared(own: &StoreAccess, main: &StoreAccess) -> StoreAccess {
    let or = |own: &Option<RawText>, main: &Option<RawText>| own.clone().or_else(|| main.clone());
    let keys = if own.access_key_id.is_some() { own } else { main };
    StoreAccess {
        endpoint: or(&own.endpoint, &main.endpoint),
        region: or(&own.region, &main.region),
        account: or(&own.account, &main.account),
        key: or(&own.key, &main.key),
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone(),
        session_token: keys.session_token.clone(),
        path_style: own.path_style.or(main.path_style),
    }
}

fn addressing(path_style: Option<bool>) -> Addressing {
    match path_style {
        None => Addressing::Usual,
        Some(true) => Addressing::Path,
        Some(false) => Addressing::Host,
    }
}
