//! Plans as a page: one file that needs nothing else, to look at pictures before they go live.
//!
//! Everything is in the file: style, script and thumbnails; a policy in its head forbids the browser all else, whatever a
//! prompt says. It reads without scripts, too: these only filter and compare.

mod page_view;

use std::borrow::Cow;

use base64::Engine as _;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value, escape_formatter};
use sha2::{Digest as _, Sha256};

use crate::plan::Plan;

use super::report_facts::ReportFacts;
use super::visible_text::terminal;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The bytes that all thumbnails may have together as they stand in the page; those that come later are links.
const THUMBNAILS_MAX: usize = 24_000_000;

/// Returns the report on a plan, or on why there is none, as an HTML document.
pub fn report_html(plan: Option<&Plan>, facts: &ReportFacts) -> String {
    let mut thumbnails = Thumbnails { left: THUMBNAILS_MAX };
    let page = page_view::page(plan, facts, &mut thumbnails, policy);
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(visible);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.render_named_str("page.html", PAGE, Serde(&page)).expect("the page names only what its view has")
}

/// Writes a value with all that a browser would obey or hide made visible: marks of direction turn letters around that stand
/// outside of them, too. It is for the templates of pages, which escape what it writes.
///
/// # Errors
/// When the page takes no more.
pub fn visible(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    match value.as_str().filter(|_| !value.is_safe()).map(terminal) {
        Some(Cow::Owned(shown)) => escape_formatter(out, state, &Value::from(shown)),
        Some(Cow::Borrowed(_)) | None => escape_formatter(out, state, value),
    }
}

/// Returns what a browser may do with the page, where it fetches pictures from elsewhere or not.
fn policy(fetches: bool) -> String {
    let pictures = if fetches { "data: https: http:" } else { "data:" };
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; img-src {pictures}; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// Puts thumbnails into the page as long as there is room.
struct Thumbnails {
    left: usize,
}

impl Thumbnails {
    /// Returns the address that holds the picture itself; `None` where there is no more room.
    fn embed(&mut self, bytes: &[u8]) -> Option<String> {
        let length = bytes.len().div_ceil(3) * 4;
        self.left = self.left.checked_sub(length)?;
        Some(format!("data:image/webp;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
    }
}
