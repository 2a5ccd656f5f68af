//! Visited files: one published file fetched as its visitors do, without a key, to see whether they get it.
//!
//! What the store says with a key proves nothing about them: a bucket may be private, and a public address may lead elsewhere.
//! It is a warning and never a failure, bounded in time, and not asked of addresses that only the product's own host knows.

use std::time::Duration;

use reqwest::{StatusCode, Url};

use crate::asset::{AssetKey, CollectionName};
use crate::digest::ContentDigest;
use crate::plan::Action;
use crate::record::Published;
use crate::storage::{Marker, read_marker, write_marker};
use crate::web::{Visit, Whole, visit};
use crate::world::World;

use super::prepare::PreparedPlan;
use super::{EngineEvent, EngineListener};

/// How long it may take.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Assets of a plan that are looked at for a file that is published.
const LOOKED_AT_MAX: usize = 20;

/// What to do where nobody is let in.
const CLOSED: &str =
    "make the files readable for everybody at the service, or set `storage.public_url` to where they are fetched";
/// What to do where nothing is found.
const ELSEWHERE: &str = "check `storage.public_url` (without one: `endpoint` and `region`), and that everybody may read the bucket: some \
     services hide files that are private";

/// What the warnings of a look come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitorCheck {
    /// The file came as it was published, or there is nothing to look at.
    Well,
    /// It did not.
    Warned,
}

/// Looks at one of the files that an apply published, where nobody looked since the store is used.
pub async fn visit_after_apply(world: &World, prepared: &PreparedPlan, listener: &dyn EngineListener) {
    if !has_public_address(world) {
        return;
    }
    let Ok(Some(marker)) = read_marker(&*world.storage).await else { return };
    if marker.visited {
        return;
    }
    let Some(file) = published(world, prepared).await else { return };
    visit_file(world, &file, listener).await;
    // Where it cannot be written down, the next apply looks once more.
    let _ = write_marker(&*world.storage, &Marker { visited: true, ..marker }).await;
}

/// Tells whether files have an address that can be asked from here.
pub fn has_public_address(world: &World) -> bool {
    world.url_base.starts_with("http://") || world.url_base.starts_with("https://")
}

/// Fetches a published file as its visitors do, and warns where they do not get it.
pub async fn visit_file(world: &World, file: &Published, listener: &dyn EngineListener) -> VisitorCheck {
    let address = file.path.url(&world.url_base);
    let Ok(url) = Url::parse(&address) else { return VisitorCheck::Well };
    let Some((what, help)) = wrong(&visit(&url, file.bytes, TIME_MAX).await, &file.sha256) else {
        return VisitorCheck::Well;
    };
    let message = format!("visitors do not get what is published: {address} {what}");
    listener.hear(EngineEvent::Odd { message: &message, help, place: None });
    VisitorCheck::Warned
}

/// Says what is wrong with what came, and what to do.
fn wrong(visited: &Result<Visit, String>, sha256: &ContentDigest) -> Option<(String, &'static str)> {
    let Visit { status, content_type, body, whole } = match visited {
        Ok(visit) => visit,
        Err(why) => return Some((format!("was not fetched: {why}"), ELSEWHERE)),
    };
    let answered = || match status.canonical_reason() {
        Some(words) => format!("answers {} {words}", status.as_u16()),
        None => format!("answers {}", status.as_u16()),
    };
    match *status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Some((answered(), CLOSED)),
        _ => return Some((answered(), ELSEWHERE)),
    }
    let kind = content_type.as_deref().and_then(|kind| kind.split(';').next()).map(str::trim).unwrap_or_default();
    let known = kind.is_empty() || kind.starts_with("image/") || kind == "application/octet-stream";
    match whole {
        Whole::Yes if ContentDigest::of(body) == *sha256 => None,
        Whole::CutOff => Some(("was cut off before its end".to_owned(), ELSEWHERE)),
        Whole::Yes | Whole::TooLong if !known => Some((format!("holds `{kind}`, which is no picture"), ELSEWHERE)),
        Whole::Yes | Whole::TooLong => Some((
            "holds other bytes than were published".to_owned(),
            "something between the store and its visitors changes pictures, or `storage.public_url` leads to another store",
        )),
    }
}

/// Finds a file that the plan published.
async fn published(world: &World, PreparedPlan { plan, .. }: &PreparedPlan) -> Option<Published> {
    let puts = |action| match action {
        Action::Generate | Action::Reuse | Action::Render | Action::Repair | Action::Move | Action::Publish => true,
        Action::Unknown | Action::Adopt | Action::Record | Action::Delete | Action::Keep => false,
    };
    for collection in &plan.collections {
        let name: &CollectionName = &collection.name;
        let changes = collection.changes.iter().filter(|change| puts(change.action));
        let keys: Vec<AssetKey> = changes.take(LOOKED_AT_MAX).map(|change| change.key.clone()).collect();
        if keys.is_empty() {
            continue;
        }
        let records = world.state.records(name, &keys).await.ok()?;
        if let Some(file) = records.into_iter().find_map(|record| record.published.into_iter().next()) {
            return Some(file);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, content_type: &str, body: &'static str, whole: Whole) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let content_type = Some(content_type.to_owned()).filter(|kind| !kind.is_empty());
        let came = Ok(Visit { status, content_type, body: body.into(), whole });
        wrong(&came, &ContentDigest::of(b"ours")).map(|(what, _)| what).unwrap_or_default()
    }

    #[test]
    fn what_visitors_get_in_the_place_of_a_picture_is_told_with_its_reason() {
        for (status, content_type, body, expected) in [
            (200, "image/png", "ours", ""),
            (200, "", "ours", ""),
            (200, "image/png", "others'", "holds other bytes than were published"),
            (200, "text/html; charset=utf-8", "<html>", "holds `text/html`, which is no picture"),
            (403, "application/xml", "", "answers 403 Forbidden"),
            (400, "application/json", "", "answers 400 Bad Request"),
            (404, "", "", "answers 404 Not Found"),
            (204, "", "", "answers 204 No Content"),
        ] {
            assert_eq!(told(status, content_type, body, Whole::Yes), expected, "{status} {content_type} {body}");
        }
        assert_eq!(told(200, "image/png", "ou", Whole::CutOff), "was cut off before its end");
        let unreached = wrong(&Err("it did not come within 5 seconds".to_owned()), &ContentDigest::of(b"ours"));
        assert_eq!(unreached.unwrap().0, "was not fetched: it did not come within 5 seconds");
    }
}
