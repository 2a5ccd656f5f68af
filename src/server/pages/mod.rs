//! The pages as text: templates, the stylesheet and the script, and what a browser may do with them.
//!
//! Every value is escaped by the templates' own rule, whatever it is. What a page is told is decided elsewhere.

use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use minijinja::{AutoEscape, Environment, Value, context};

use crate::render::visible;

use super::answer::{CacheFor, CachedAnswer};
use super::problem::Problem;
use crate::server::body::AnswerBody;

/// The templates, by name.
const TEMPLATES: [(&str, &str); 5] = [
    ("base", include_str!("base.html")),
    ("collections", include_str!("collections.html")),
    ("grid", include_str!("grid.html")),
    ("picture", include_str!("picture.html")),
    ("problem", include_str!("problem.html")),
];
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("gallery.js");

const ICON: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect width='16' height='16' rx='4' \
    fill='#5b4bdb'/><circle cx='11' cy='5.4' r='1.8' fill='#fff'/><path d='M2.6 13 6.6 6.6 9.4 10.6 10.8 8.8 13.6 13z' \
    fill='#fff'/></svg>";

const HTML: &str = "text/html; charset=utf-8";

/// The pages of a server.
pub struct Pages {
    environment: Environment<'static>,
    /// Style and script with the names they are asked for by, which change when they do.
    assets: [(String, CachedAnswer); 2],
    icon: CachedAnswer,
    policy: HeaderValue,
    mounted_policy: HeaderValue,
}

impl Pages {
    /// Reads the templates; pictures may come from here and from where the rows point.
    pub fn new(url_base: &str) -> Self {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_formatter(visible);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text).expect("the templates are read by every test of the pages");
        }
        let origin = origin(url_base);
        let asset = |name: &str, kind, text: &'static str| {
            let digest = crate::digest::ContentDigest::of(text.as_bytes()).short();
            let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
            (format!("{stem}-{digest}.{extension}"), CachedAnswer::new(text, kind, CacheFor::Forever))
        };
        let assets = [
            asset("style.css", "text/css; charset=utf-8", STYLE),
            asset("gallery.js", "text/javascript; charset=utf-8", SCRIPT),
        ];
        environment.add_global("style", format!("/assets/{}", assets[0].0));
        environment.add_global("script", format!("/assets/{}", assets[1].0));
        let rest = "style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        let policy = |more: &str| {
            let text = format!("default-src 'none'; img-src 'self' data: {origin}; {more}{rest}");
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'self'"))
        };
        let (own, mounted) = (policy(""), policy("connect-src 'self'; font-src 'self'; "));
        Self {
            environment,
            assets,
            icon: CachedAnswer::new(ICON, "image/svg+xml", CacheFor::Ask),
            policy: own,
            mounted_policy: mounted,
        }
    }

    /// Answers with a page.
    ///
    /// # Errors
    /// When the template does not get what it needs, which is a fault of ours.
    pub fn page(&self, template: &str, values: Value, asked: &HeaderMap) -> Result<Response<AnswerBody>, Problem> {
        Ok(CachedAnswer::new(self.text(template, values)?, HTML, CacheFor::Ask).respond(asked))
    }

    fn text(&self, template: &str, values: Value) -> Result<String, Problem> {
        let made = self.environment.get_template(template).and_then(|template| template.render(values));
        made.map_err(|error| {
            tracing::error!("the page `{template}` could not be made: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "page", "the page could not be made")
        })
    }

    /// Answers with a page that says what is wrong.
    pub fn problem(&self, problem: &Problem) -> Response<AnswerBody> {
        let allowed: Vec<Value> = problem.allowed.iter().map(|name| Value::from(name.as_str())).collect();
        let title = match problem.status.as_u16() {
            404 | 421 => "There is nothing here",
            503 => "Not now",
            _ => "That cannot be shown",
        };
        let values = context! { title, detail => problem.detail.as_str(), allowed, collection => problem.kind == "unknown-collection" };
        match self.text("problem", values) {
            Ok(text) => {
                let mut response = CachedAnswer::new(text, HTML, CacheFor::Never).respond(&HeaderMap::new());
                *response.status_mut() = problem.status;
                response
            }
            Err(_) => problem.respond(),
        }
    }

    /// Answers with the picture that browsers put before a title, for pages that name none.
    pub fn icon(&self, asked: &HeaderMap) -> Response<AnswerBody> {
        self.icon.respond(asked)
    }

    /// Answers with the stylesheet or the script.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn asset(&self, name: &str, asked: &HeaderMap) -> Result<Response<AnswerBody>, Problem> {
        let found = self.assets.iter().find(|(known, _)| known == name);
        let nothing = || Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such file");
        found.map(|(_, answer)| answer.respond(asked)).ok_or_else(nothing)
    }

    /// Answers with a page that was made elsewhere and brings its own style and script: it may load nothing else.
    pub fn foreign(html: &str) -> Response<AnswerBody> {
        let mut response = CachedAnswer::new(html.to_owned(), HTML, CacheFor::Never).respond(&HeaderMap::new());
        let policy = "default-src 'none'; img-src * data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        response
    }

    /// Returns what a browser may load into a page of ours.
    pub fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }

    /// Returns what a browser may load into a page of the folder that is mounted.
    pub fn mounted_policy(&self) -> HeaderValue {
        self.mounted_policy.clone()
    }
}

/// Returns where pictures come from, if that is elsewhere; a name that a policy would misread is left out.
fn origin(url_base: &str) -> String {
    let url = url::Url::parse(url_base).ok();
    let origin = url.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    if origin.contains([';', ',', ' ']) || origin == "null" { String::new() } else { origin }
}
