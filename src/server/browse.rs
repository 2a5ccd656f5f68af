//! The pages of many pictures: the collections, and the pictures of one, filtered and in pages.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::asset::AssetKey;
use crate::record::{Published, Record};
use crate::state::RowReader;

use super::app::App;
use super::body::AnswerBody;
use super::pages::Pages;
use super::problem::{Problem, unreadable};
use super::query::{Filter, PAGING, Query, pairs};
use super::served_plan::PlanPage;
use super::snapshot::{Collection, NO_VALUE, ShownAsset, Snapshot};

/// Pictures on a page.
const PAGE: usize = 100;
/// Pictures of a collection on the first page.
const SAMPLE: usize = 5;
/// From how many values on a label is a list to choose from, not a row of buttons.
const BUTTONS_MAX: usize = 32;
/// Values of a list at most.
const OPTIONS_MAX: usize = 1_000;
/// How long a page waits for a plan; without it the banner is that of the last one.
const PLAN_PATIENCE: Duration = Duration::from_millis(1_500);

/// What all pages are told.
pub async fn shared(app: &Arc<App>) -> Value {
    let plan = banner_plan(app).await;
    context! {
        environment => app.served.world.environment.as_str(),
        has_plan => app.may_plan().await,
        changes => plan.as_ref().map_or(0, |plan| plan.changes),
        drifted => plan.as_ref().map_or(0, |plan| plan.drifted),
        mounted => app.served.mounted.is_some(),
    }
}

async fn banner_plan(app: &Arc<App>) -> Option<Arc<PlanPage>> {
    if !app.may_plan().await {
        return None;
    }
    let made = tokio::time::timeout(PLAN_PATIENCE, app.plan.get()).await;
    made.ok().and_then(Result::ok).or_else(|| app.plan.last())
}

/// Shows the collections.
///
/// # Errors
/// When the state cannot be read.
pub async fn collections(
    app: &Arc<App>,
    snapshot: &Snapshot,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let mut shown = Vec::new();
    for collection in snapshot.collections.values().filter(|collection| collection.count() > 0) {
        let sample: Vec<ShownAsset<'_>> = spread(collection);
        let records = records(app, collection, &sample).await?;
        let pictures: Vec<Value> =
            sample.iter().map(|shown| card(app, collection, shown, records.get(shown.key))).collect();
        let axes: Vec<Value> = collection
            .labels
            .iter()
            .map(|(name, values)| context! { name => name.as_str(), count => values.len() })
            .collect();
        shown.push(context! {
            name => collection.name.as_str(), url => format!("/{}", collection.name), count => collection.count(),
            pictures, axes, drifted => collection.edited + collection.gone,
        });
    }
    app.pages.page("collections", context! { collections => shown, ..shared(app).await }, asked)
}

/// Picks pictures from all over a collection.
fn spread(collection: &Collection) -> Vec<ShownAsset<'_>> {
    let step = (collection.count() / SAMPLE).max(1);
    collection.shown().step_by(step).take(SAMPLE).collect()
}

/// Shows the pictures of a collection.
///
/// # Errors
/// For a query that makes no sense, and when the state cannot be read.
pub async fn grid(
    app: &Arc<App>,
    collection: &Collection,
    query: Option<&str>,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let wanted = Query::parse(query, collection)?;
    let all: Vec<ShownAsset<'_>> = collection.shown().filter(|shown| wanted.filter.takes(shown)).collect();
    let pages = all.len().div_ceil(PAGE).max(1);
    if wanted.page > pages {
        let detail = format!("there are {pages} pages");
        return Err(Problem::new(StatusCode::NOT_FOUND, "bad-paging", detail));
    }
    let start = (wanted.page - 1) * PAGE;
    let here = &all[start..(start + PAGE).min(all.len())];
    let records = records(app, collection, here).await?;
    let cards: Vec<Value> = here.iter().map(|shown| card(app, collection, shown, records.get(shown.key))).collect();
    let filters: Vec<Value> = (0..collection.labels.len())
        .filter(|label| collection.labels[*label].1.len() > 1)
        .map(|label| filter(collection, &wanted.filter, label))
        .collect();
    let page_url = |page: usize| format!("{}page={page}", same_query(collection, query));
    let values = context! {
        name => collection.name.as_str(), url => format!("/{}", collection.name), cards, filters,
        shown => all.len(), count => collection.count(),
        filtered => (0..collection.labels.len()).any(|label| wanted.filter.has(label)),
        page => wanted.page, pages,
        previous => (wanted.page > 1).then(|| page_url(wanted.page - 1)),
        next => (wanted.page < pages).then(|| page_url(wanted.page + 1)),
        api => format!("/api{}", same_query(collection, query).trim_end_matches(['?', '&'])),
        edited => collection.edited, gone => collection.gone,
        ..shared(app).await
    };
    app.pages.page("grid", values, asked)
}

/// Returns the address of the same pictures, with a place for one more part.
fn same_query(collection: &Collection, query: Option<&str>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut url = format!("/{}?", collection.name);
    for (name, value) in pairs(query.unwrap_or_default()) {
        if !PAGING.contains(&name.as_str()) && !value.is_empty() {
            let _ = write!(url, "{}={}&", encoded(&name), encoded(&value));
        }
    }
    url
}

/// One label to filter by: its values, each with how many pictures it would show beside what else is chosen.
fn filter(collection: &Collection, filter: &Filter, label: usize) -> Value {
    let (name, values) = &collection.labels[label];
    let others = filter.without(label);
    let mut counts = vec![0_u64; values.len()];
    for shown in collection.shown().filter(|shown| others.takes(shown)) {
        if let Some(count) = counts.get_mut(shown.values[label] as usize) {
            *count += 1;
        }
    }
    let value = |(at, value): (usize, &String)| {
        let chosen = filter.names(label, at as u32);
        // What would show nothing only stands in the way.
        (counts[at] > 0 || chosen).then(|| context! { value => value.as_str(), count => counts[at], chosen })
    };
    let values: Vec<Value> = values.iter().enumerate().filter_map(value).take(OPTIONS_MAX).collect();
    context! { name => name.as_str(), list => values.len() > BUTTONS_MAX, any => !filter.has(label), values }
}

/// Reads the records of some pictures.
async fn records(
    app: &App,
    collection: &Collection,
    shown: &[ShownAsset<'_>],
) -> Result<HashMap<String, Record>, Problem> {
    let keys: Vec<AssetKey> = shown.iter().filter_map(|shown| shown.key.parse().ok()).collect();
    let records = app.served.world.state.records(&collection.name, &keys).await.map_err(|_| unreadable())?;
    Ok(records.into_iter().map(|record| (record.key.to_string(), record)).collect())
}

/// A picture in a grid; without a picture where its record has gone since.
fn card(app: &App, collection: &Collection, shown: &ShownAsset<'_>, record: Option<&Record>) -> Value {
    let file = record.and_then(|record| small(&record.published));
    let labels = collection.labels.iter().zip(shown.values).filter(|(_, value)| **value != NO_VALUE);
    let labels: Vec<Value> = labels.map(|((_, values), value)| values[*value as usize].as_str().into()).collect();
    context! {
        url => picture_url(collection, shown.key),
        key => shown.key,
        labels,
        image => file.map(|file| file.path.url(&app.served.world.url_base)),
        width => file.map_or(0, |file| file.width),
        height => file.map_or(0, |file| file.height),
        missing_row => shown.row.is_none(),
    }
}

/// Returns the form for a grid: the thumb where there is one.
pub fn small(published: &[Published]) -> Option<&Published> {
    let named = |wanted: &str| published.iter().find(|file| file.rendition.name.as_str() == wanted);
    named("thumb").or_else(|| named("main")).or(published.first())
}

/// Returns the address of a picture's page.
pub fn picture_url(collection: &Collection, key: &str) -> String {
    let parts = key.split('/').map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string());
    parts.fold(format!("/{}", collection.name), |url, part| url + "/" + &part)
}

/// Shows the plan of the manifests that are served.
///
/// # Errors
/// Where none are served, or none can be made.
pub async fn plan(app: &Arc<App>) -> Result<Response<AnswerBody>, Problem> {
    if !app.plan.is_possible() {
        let detail = "a plan needs manifests: `pixform serve --manifest FILE`";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", detail));
    }
    let hidden = || {
        let detail = "a plan tells of every row, and not every row is shown here; `--as-role` says whose rows are";
        Problem::new(StatusCode::FORBIDDEN, "hidden", detail)
    };
    if !app.may_plan().await {
        return Err(hidden());
    }
    match app.plan.get().await {
        // Nobody knows yet who may read a row that is only about to become ours.
        Ok(plan) if plan.adopted > 0 && app.served.reader != RowReader::Connected => Err(hidden()),
        Ok(plan) => Ok(Pages::foreign(&plan.html)),
        // The reason may name places and people; it is for whoever runs the server.
        Err(failure) => {
            tracing::warn!("no plan could be made: {failure}");
            let detail = "no plan could be made; `pixform plan` tells why";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unreadable", detail))
        }
    }
}
