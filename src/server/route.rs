//! From a request to its answer: which part it is for, what every answer carries, what is counted and told of it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};

use super::access::{self, AccessEntry};
use super::app::App;
use super::body::{self, AnswerBody};
use super::client::Client;
use super::exact::Numbers;
use super::metrics::ServerPart;
use super::mount::MOUNTED_AT;
use super::problem::{Problem, unreadable};
use super::{api, browse, cross, files, mount, operations, picture};

/// Bytes of an address.
const TARGET_BYTES_MAX: usize = 8_000;

/// Answers a request; there is no table of paths, since names of collections are paths.
pub async fn answer(app: Arc<App>, request: Request<Incoming>) -> Response<AnswerBody> {
    let begun = Instant::now();
    let (parts, _) = request.into_parts();
    let part = part(parts.uri.path());
    let client = parts.extensions.get::<Client>().copied();
    let reached = client.map_or(Ipv4Addr::UNSPECIFIED.into(), |client| client.reached);
    let named = app.hosts.check(parts.version, &parts.uri, &parts.headers, reached);
    let answered = async {
        named?;
        limited(&app, part, &parts.method, &parts.uri, &parts.headers).await
    };
    let mut response = match answered.await {
        Ok(response) => response,
        Err(problem) if part == ServerPart::Pages => app.pages.problem(&problem),
        Err(problem) => problem.respond(),
    };
    if part != ServerPart::Pages {
        cross::allow(&app.served.origins, &parts.headers, response.headers_mut());
    }
    guard(&app, part, parts.uri.path(), &mut response);
    if parts.method == Method::HEAD {
        response = without_body(response);
    }
    let took = begun.elapsed();
    app.metrics.count(part, response.status().as_u16(), took);
    if let Some(log) = &app.served.log {
        let snapshot = app.fresh.get().await.ok();
        log(&AccessEntry {
            time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            client: client.map_or(Ipv4Addr::UNSPECIFIED.into(), |client| client.address),
            method: parts.method.as_str(),
            path: access::path(parts.uri.path()),
            query: access::query(parts.uri.query(), snapshot.as_deref()),
            status: response.status().as_u16(),
            bytes: response.body().size_hint().exact(),
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        });
    }
    response
}

fn part(path: &str) -> ServerPart {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "api" => ServerPart::Api,
        "files" => ServerPart::Files,
        "healthz" | "readyz" | "metrics" => ServerPart::Operations,
        _ => ServerPart::Pages,
    }
}

/// Refuses what is too much, and what takes too long.
async fn limited(
    app: &Arc<App>,
    part: ServerPart,
    method: &Method,
    target: &Uri,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let length = target.path_and_query().map_or(0, |target| target.as_str().len());
    if length > TARGET_BYTES_MAX {
        let detail = format!("an address has at most {TARGET_BYTES_MAX} bytes");
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "too-long", detail));
    }
    if method == Method::OPTIONS && part != ServerPart::Pages {
        return Ok(cross::preflight(&app.served.origins, asked));
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let detail = "nothing can be changed here";
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail));
    }
    let Ok(_place) = app.places.try_acquire() else {
        let detail = "the server is busy; try again in a moment";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail));
    };
    let answered = dispatch(app, part, method, target, asked);
    tokio::time::timeout(app.served.patience, answered).await.unwrap_or_else(|_| {
        let detail = "the answer took too long; try again in a moment";
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "late", detail))
    })
}

async fn dispatch(
    app: &Arc<App>,
    part: ServerPart,
    method: &Method,
    target: &Uri,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let path = target.path();
    match part {
        ServerPart::Api => {
            let snapshot = app.fresh.get().await.map_err(|_| unreadable())?;
            Ok(api::answer(&snapshot, target, Numbers::asked(asked))?.respond(asked))
        }
        ServerPart::Files => match path.strip_prefix("/files/") {
            Some(inside) => files::published(&app.served, inside, method, asked).await,
            None => Err(Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such file")),
        },
        ServerPart::Operations => match path {
            "/healthz" => Ok(operations::alive()),
            "/readyz" => Ok(operations::ready(app).await),
            "/metrics" => operations::numbers(app).await,
            _ => Err(Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here")),
        },
        ServerPart::Pages => page(app, target, method, asked).await,
    }
}

async fn page(
    app: &Arc<App>,
    target: &Uri,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response<AnswerBody>, Problem> {
    let (path, query) = (target.path(), target.query());
    if let Some(inside) = path.strip_prefix(MOUNTED_AT)
        && (inside.is_empty() || inside.starts_with('/'))
    {
        return mount::answer(&app.served, inside, method, asked).await;
    }
    if path == "/favicon.ico" {
        return Ok(app.pages.icon(asked));
    }
    if let Some(name) = path.strip_prefix("/assets/") {
        return app.pages.asset(name, asked);
    }
    if path == "/plan" {
        return browse::plan(app).await;
    }
    let snapshot = app.fresh.get().await.map_err(|_| unreadable())?;
    let inside = path.trim_matches('/');
    match inside.split_once('/') {
        None if inside.is_empty() => browse::collections(app, &snapshot, asked).await,
        None => browse::grid(app, api::find(&snapshot, inside)?, query, asked).await,
        Some((name, key)) => picture::page(app, api::find(&snapshot, name)?, key, asked).await,
    }
}

/// Says how long the body would be, and leaves it out.
fn without_body(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    if let Some(length) = response.body().size_hint().exact()
        && length > 0
    {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
    response.map(|_| body::empty())
}

/// Adds what every answer carries.
fn guard(app: &App, part: ServerPart, path: &str, response: &mut Response<AnswerBody>) {
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if part == ServerPart::Pages {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
        if !headers.contains_key(CONTENT_SECURITY_POLICY) {
            let policy = match path.starts_with(MOUNTED_AT) {
                true => app.pages.mounted_policy(),
                false => app.pages.policy(),
            };
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
    }
}
