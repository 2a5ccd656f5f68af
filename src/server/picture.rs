//! The page of one picture: what it is made from, where it lies, and what its row says. What the key had before is for
//! `past`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use http::{HeaderMap, Response};
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::asset::{FieldName, Recipe, Seed};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{Original, Published, Record};
use crate::state::{Acceptance, Accepted, HistoryLine, HistoryQuery, Shows, StateError};

use super::api;
use super::app::App;
use super::body::AnswerBody;
use super::browse::{picture_url, shared};
use super::exact::Members;
use super::past::{OlderCalls, Past, history, time};
use super::problem::{Problem, unreadable};
use super::snapshot::{Collection, NO_VALUE, ShownAsset};

/// Calls of one key that are shown.
const CALLS_MAX: u64 = 50;
/// Files that are looked for at a time.
const ASKED_AT_ONCE: usize = 8;

/// What the state knows of one picture and of those before it.
struct KnownPicture {
    record: Record,
    calls: Vec<HistoryLine>,
    older: OlderCalls,
    recipes: HashMap<RecipeDigest, Recipe>,
    files: Vec<(ContentDigest, Published)>,
    originals: Vec<Original>,
    published: Vec<ContentDigest>,
    accepted: Vec<Acceptance>,
}

impl KnownPicture {
    /// Forgets files that are not published now: the name of one may be that of a hidden row with the same original.
    fn forget_other_files(&mut self) {
        let Self { record, files, .. } = self;
        files.retain(|(_, file)| record.published.iter().any(|own| own.path == file.path));
    }
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
) -> Result<Response<AnswerBody>, Problem> {
    let key = api::key_of(collection, key)?;
    let shown = collection.find(&key);
    let known = known(app, collection, &key).await.map_err(|_| unreadable())?;
    let (Some(shown), Some(mut known)) = (shown, known) else {
        let detail = format!("`{key}` has gone since");
        return Err(Problem::new(http::StatusCode::NOT_FOUND, "unknown-key", detail));
    };
    let base = &app.served.world.url_base;
    // A recipe and its past hold what a withheld column does.
    let told = collection.shows != Shows::SomeColumns;
    if collection.shows != Shows::Everything {
        known.forget_other_files();
    }
    let record = &known.record;
    let main = record.published.iter().find(|file| file.rendition.name.as_str() == "main");
    let main = main.or(record.published.first());
    let there = there(app, &known).await;
    let past = Past {
        current: (record.original, record.recipe.digest()),
        calls: &known.calls,
        older: known.older,
        recipes: &known.recipes,
        files: &known.files,
        originals: &known.originals,
        published: &known.published,
        there: &there,
        base,
    };
    let [previous, next] = neighbours(collection, &key);
    let original = known.originals.iter().find(|found| found.sha256 == record.original);
    let values = context! {
        collection => collection.name.as_str(),
        collection_url => format!("/{}", collection.name),
        key => key.as_str(),
        api => format!("/api{}", picture_url(collection, &key)),
        labels => labels(collection, &shown),
        image => main.map(|file| file.path.url(base)),
        width => main.map_or(0, |file| file.width),
        height => main.map_or(0, |file| file.height),
        told,
        prompt => told.then(|| record.recipe.field("prompt")).flatten(),
        negative => told.then(|| record.recipe.field("negative_prompt")).flatten(),
        fields => if told { fields(&record.recipe, original.and_then(|found| found.seed)) } else { Vec::new() },
        recipe => record.recipe.digest().to_string(),
        files => files(base, &record.published),
        original => original.map(|found| found.path.as_str()),
        storage => app.served.world.storage.describe(),
        row => row(&shown),
        protect => record.protect,
        hold => record.hold,
        history => if told { history(&past) } else { Vec::new() },
        accepted => known.accepted.iter().map(acceptance).collect::<Vec<_>>(),
        previous => previous.as_deref(),
        next => next.as_deref(),
        ..shared(app).await
    };
    app.pages.page("picture", values, asked)
}

async fn known(app: &App, collection: &Collection, key: &str) -> Result<Option<KnownPicture>, StateError> {
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
    let older = if calls.len() as u64 == CALLS_MAX { OlderCalls::Some } else { OlderCalls::None };
    calls.retain(|line: &HistoryLine| line.call.sha256.is_some());
    let made: Vec<RecipeDigest> = calls.iter().map(|line| line.call.recipe).collect();
    let mut recipes: HashMap<_, _> = state.past_recipes(&made).await?.into_iter().collect();
    recipes.insert(record.recipe.digest(), record.recipe.clone());
    let mut contents: Vec<ContentDigest> = calls.iter().filter_map(|line| line.call.sha256).collect();
    contents.push(record.original);
    let files = state.files_of(&contents).await?;
    let accepted = state.acceptances(name, keys).await?;
    let originals = state.originals_by_content(&contents).await?;
    let published = state.ever_published(&contents).await?;
    Ok(Some(KnownPicture { record, calls, older, recipes, files, originals, published, accepted }))
}

/// Tells which of its files are still there; one that nobody can tell of is taken to be.
async fn there(app: &App, known: &KnownPicture) -> BTreeMap<String, bool> {
    let files = known.files.iter().map(|(_, file)| &file.path);
    let asked = files.chain(known.originals.iter().map(|original| &original.path)).map(|path| async move {
        let size = app.served.world.storage.size(path).await;
        (path.to_string(), size.map_or(true, |size| size.is_some()))
    });
    stream::iter(asked.collect::<Vec<_>>()).buffer_unordered(ASKED_AT_ONCE).collect().await
}

fn labels(collection: &Collection, shown: &ShownAsset<'_>) -> Vec<Value> {
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

fn fields(recipe: &Recipe, used: Option<Seed>) -> Vec<Value> {
    let prose = ["prompt", "negative_prompt"];
    let names = recipe.names();
    let fields = names.iter().map(FieldName::as_str).filter(|name| !prose.contains(name));
    let asked =
        fields.filter_map(|name| Some(context! { name => name.replace('_', " "), value => recipe.field(name)? }));
    // What the service says it used, where somebody would copy the seed from.
    let used = used.filter(|used| recipe.seed != Some(*used));
    asked.chain(used.map(|used| context! { name => "seed used", value => used.to_string() })).collect()
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
fn row(shown: &ShownAsset<'_>) -> Vec<Value> {
    let Some(row) = shown.row else { return Vec::new() };
    let Members(columns) = serde_json::from_slice(row).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    columns.into_iter().map(|(name, value)| context! { name, value => text(value) }).collect()
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
