//! The page of one picture: what it is made from, where it lies, and every picture that the key had before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use futures::StreamExt as _;
use futures::stream;
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use similar::{ChangeTag, TextDiff};

use crate::asset::Recipe;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{Call, Published, Record};
use crate::state::{Acceptance, Accepted, HistoryLine, HistoryQuery, Origin, StateError};

use super::api;
use super::browse::{picture_url, shared, small};
use super::problem::{Problem, unreadable};
use super::route::App;
use super::snapshot::{Collection, NO_VALUE, Shown};

/// Calls of one key that are shown.
const CALLS_MAX: u64 = 50;
/// Files that are looked for at a time.
const ASKED_AT_ONCE: usize = 8;
/// From how many words on a text is compared word by word.
const PROSE_WORDS: usize = 3;

/// What the state knows of one picture and of those before it.
struct Known {
    record: Record,
    calls: Vec<HistoryLine>,
    recipes: HashMap<RecipeDigest, Recipe>,
    files: Vec<(ContentDigest, Published)>,
    accepted: Vec<Acceptance>,
    original: Option<String>,
}

/// Shows one picture.
///
/// # Errors
/// Where there is none, and when the state cannot be read.
pub async fn page(
    app: &Arc<App>,
    collection: &Collection,
    key: &str,
    asked: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let key = api::key_of(collection, key)?;
    let shown = collection.find(&key);
    let known = known(app, collection, &key).await.map_err(|_| unreadable())?;
    let (Some(shown), Some(known)) = (shown, known) else {
        let detail = format!("`{key}` has gone since");
        return Err(Problem::new(axum::http::StatusCode::NOT_FOUND, "unknown-key", detail));
    };
    let base = &app.served.world.url_base;
    let record = &known.record;
    let main = record.published.iter().find(|file| file.rendition.name.as_str() == "main");
    let main = main.or(record.published.first());
    let there = there(app, &known.files).await;
    let [previous, next] = neighbours(collection, &key);
    let values = context! {
        collection => collection.name.as_str(),
        collection_url => format!("/{}", collection.name),
        key => key.as_str(),
        api => format!("/api{}", picture_url(collection, &key)),
        labels => labels(collection, &shown),
        image => main.map(|file| file.path.url(base)),
        width => main.map_or(0, |file| file.width),
        height => main.map_or(0, |file| file.height),
        prompt => record.recipe.field("prompt"),
        negative => record.recipe.field("negative_prompt"),
        fields => fields(&record.recipe),
        recipe => record.recipe.digest().to_string(),
        files => files(base, &record.published),
        original => known.original.as_deref(),
        storage => app.served.world.storage.describe(),
        row => row(&shown),
        protect => record.protect,
        hold => record.hold,
        history => history(app, &known, &there),
        accepted => known.accepted.iter().map(acceptance).collect::<Vec<_>>(),
        previous => previous.as_deref(),
        next => next.as_deref(),
        ..shared(app).await
    };
    app.pages.page("picture", values, asked)
}

async fn known(app: &App, collection: &Collection, key: &str) -> Result<Option<Known>, StateError> {
    let (state, name) = (&*app.served.world.state, &collection.name);
    let Ok(key) = key.parse() else { return Ok(None) };
    let keys = std::slice::from_ref(&key);
    let Some(record) = state.records(name, keys).await?.pop() else { return Ok(None) };
    let query = HistoryQuery {
        collection: Some(name.clone()),
        key: Some(key.clone()),
        limit: Some(CALLS_MAX),
        ..HistoryQuery::default()
    };
    let mut calls = Vec::new();
    state.history(&query, &mut |line| calls.push(line)).await?;
    calls.retain(|line: &HistoryLine| line.call.sha256.is_some());
    let made: Vec<RecipeDigest> = calls.iter().map(|line| line.call.recipe).collect();
    let mut recipes: HashMap<_, _> = state.past_recipes(&made).await?.into_iter().collect();
    recipes.insert(record.recipe.digest(), record.recipe.clone());
    let mut contents: Vec<ContentDigest> = calls.iter().filter_map(|line| line.call.sha256).collect();
    contents.push(record.original);
    let files = state.files_of(&contents).await?;
    let accepted = state.acceptances(name, keys).await?;
    let original = state.originals_by_content(&[record.original]).await?.first().map(|found| found.path.to_string());
    Ok(Some(Known { record, calls, recipes, files, accepted, original }))
}

/// Tells which of some files are still there; one that nobody can tell of is taken to be.
async fn there(app: &App, files: &[(ContentDigest, Published)]) -> BTreeMap<String, bool> {
    let asked = files.iter().map(|(_, file)| async move {
        let size = app.served.world.storage.size(&file.path).await;
        (file.path.to_string(), size.map_or(true, |size| size.is_some()))
    });
    stream::iter(asked.collect::<Vec<_>>()).buffer_unordered(ASKED_AT_ONCE).collect().await
}

fn labels(collection: &Collection, shown: &Shown<'_>) -> Vec<Value> {
    let labels = collection.labels.iter().zip(shown.values).filter(|(_, value)| **value != NO_VALUE);
    let label = |((name, values), value): (&(String, Vec<String>), &u32)| {
        let value = values[*value as usize].as_str();
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let url = format!("/{}?{}={}", collection.name, encoded(name), encoded(value));
        context! { name => name.as_str(), value, url }
    };
    labels.map(label).collect()
}

fn neighbours(collection: &Collection, key: &str) -> [Option<String>; 2] {
    let keys: Vec<&str> = collection.shown().map(|shown| shown.key).collect();
    let at = keys.iter().position(|known| *known == key).unwrap_or_default();
    let near = |at: Option<usize>| at.and_then(|at| keys.get(at)).map(|key| picture_url(collection, key));
    [near(at.checked_sub(1)), near(Some(at + 1))]
}

fn fields(recipe: &Recipe) -> Vec<Value> {
    let prose = ["prompt", "negative_prompt"];
    let fields = Recipe::FIELDS.iter().filter(|name| !prose.contains(name));
    fields.filter_map(|name| Some(context! { name => name.replace('_', " "), value => recipe.field(name)? })).collect()
}

fn files(base: &str, published: &[Published]) -> Vec<Value> {
    let file = |file: &Published| {
        context! {
            name => file.rendition.name.as_str(), url => file.path.url(base), path => file.path.as_str(),
            size => format!("{} × {}", file.width, file.height), bytes => bytes(file.bytes),
            sha256 => file.sha256.to_string(),
        }
    };
    published.iter().map(file).collect()
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// Reads the row's columns again, in their order.
fn row(shown: &Shown<'_>) -> Vec<Value> {
    let Some(row) = shown.row else { return Vec::new() };
    let columns: Columns = serde_json::from_slice(row).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    columns.0.into_iter().map(|(name, value)| context! { name, value => text(value) }).collect()
}

/// The members of a JSON object in the order in which they stand.
#[derive(Default)]
struct Columns(Vec<(String, serde_json::Value)>);

impl<'de> serde::Deserialize<'de> for Columns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Columns;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Columns(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// One picture that the key has or had.
struct Entry<'k> {
    sha256: ContentDigest,
    recipe: RecipeDigest,
    call: Option<&'k HistoryLine>,
}

/// Lists the pictures of the key, newest first, each with what changed since the one before.
fn history(app: &App, known: &Known, there: &BTreeMap<String, bool>) -> Vec<Value> {
    let current = known.record.original;
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for line in &known.calls {
        let Some(sha256) = line.call.sha256 else { continue };
        entries.push(Entry { sha256, recipe: line.call.recipe, call: Some(line) });
    }
    if !entries.iter().any(|entry| entry.sha256 == current) {
        let recipe = known.record.recipe.digest();
        entries.insert(0, Entry { sha256: current, recipe, call: None });
    }
    let entry = |(at, entry): (usize, &Entry<'_>)| {
        let older = entries.get(at + 1);
        let changed = older.map(|older| changed(known, entry, older)).unwrap_or_default();
        let files: Vec<Published> =
            known.files.iter().filter(|(of, _)| *of == entry.sha256).map(|(_, file)| file.clone()).collect();
        let image = small(&files).filter(|file| there.get(file.path.as_str()) == Some(&true));
        let call = entry.call.map(|line| call(line, &line.call));
        context! {
            current => entry.sha256 == current, first => older.is_none(), changed,
            image => image.map(|file| file.path.url(&app.served.world.url_base)),
            width => image.map_or(0, |file| file.width), height => image.map_or(0, |file| file.height),
            recipe => entry.recipe.short(), sha256 => entry.sha256.short(),
            call,
        }
    };
    entries.iter().enumerate().map(entry).collect()
}

fn call(line: &HistoryLine, call: &Call) -> Value {
    let origin = line.run.as_ref().map(|run| run.origin.clone()).unwrap_or_default();
    let Origin { actor, commit, run_url } = origin;
    // Only what a browser may follow; a run's address comes from a variable that anybody can set.
    let run_url = run_url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    context! {
        time => time(call.created_at), price => format!("${}", call.price), status => call.status.name(),
        free => call.price.0 == 0,
        generator => call.generator.as_str(), model => call.model.as_deref(), actor => actor.as_deref(),
        commit => commit.map(|commit| commit.chars().take(10).collect::<String>()), run_url => run_url.as_deref(),
    }
}

fn time(milliseconds: i64) -> String {
    let time = jiff::Timestamp::from_second(milliseconds.div_euclid(1_000));
    time.map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// Tells what differs between the recipes of a picture and the one before it.
fn changed(known: &Known, new: &Entry<'_>, old: &Entry<'_>) -> Vec<Value> {
    if new.recipe == old.recipe {
        return vec![context! { name => "nothing: the same recipe was asked for again", parts => Vec::<Value>::new() }];
    }
    let (Some(newer), Some(older)) = (known.recipes.get(&new.recipe), known.recipes.get(&old.recipe)) else {
        return vec![context! { name => "the recipe; its words were not kept", parts => Vec::<Value>::new() }];
    };
    let differs = |name: &&str| {
        let (old, new) = (older.field(name), newer.field(name));
        (old != new).then(|| {
            let parts = words(old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default());
            context! { name => name.replace('_', " "), parts }
        })
    };
    Recipe::FIELDS.iter().filter_map(differs).collect()
}

/// Compares two texts word by word, short ones as a whole.
fn words(old: &str, new: &str) -> Vec<Value> {
    let part = |kind: &str, text: &str| context! { kind, text };
    if old.split_whitespace().count().min(new.split_whitespace().count()) < PROSE_WORDS {
        let parts = [("gone", old), ("new", new)];
        return parts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(kind, text)| part(kind, text)).collect();
    }
    let difference = TextDiff::from_words(old, new);
    let mut parts: Vec<(&str, String)> = Vec::new();
    for change in difference.iter_all_changes() {
        let kind = match change.tag() {
            ChangeTag::Equal => "same",
            ChangeTag::Delete => "gone",
            ChangeTag::Insert => "new",
        };
        match parts.last_mut() {
            Some((last, text)) if *last == kind => text.push_str(change.value()),
            _ => parts.push((kind, change.value().to_owned())),
        }
    }
    parts.iter().map(|(kind, text)| part(kind, text)).collect()
}

fn acceptance(acceptance: &Acceptance) -> Value {
    let what = match &acceptance.accepted {
        Accepted::Picture { .. } => "the picture was accepted for a recipe that it was not made from".to_owned(),
        Accepted::Row { columns } => {
            let names: Vec<&str> = columns.iter().map(|column| column.column.as_str()).collect();
            format!("the row was accepted as it was edited by hand: {}", names.join(", "))
        }
    };
    context! { what, time => time(acceptance.created_at), actor => acceptance.origin.actor.as_deref() }
}
