//! Plans, mistakes and the ledger in words: text for people, JSON for programs, Markdown and HTML
//! for reviews.
//!
//! Pure: plans in, text out. A plan holds strangers' strings (prompts, rows, file names), so each medium escapes for
//! itself: text goes through [`terminal`], and JSON holds no character that a terminal would obey. What is printed where
//! is left to `cli`.

mod against;
mod annotation;
mod approved;
mod count;
mod difference;
mod edit;
mod escape;
mod events;
mod garbage;
mod group;
mod history;
mod html;
mod json;
mod legend;
mod listed;
mod markdown;
mod note;
mod remark;
mod report;
mod snippet;
mod strays;
mod style;
mod text;
mod unfit;

#[cfg(test)]
mod tests;

pub use against::{AgainstFacts, against_sentence, against_text};
pub use annotation::{Annotated, annotation, json_without_commands, without_commands};
pub use approved::{DocumentError, approved_plan};
pub use escape::terminal;
pub use events::{CallDocument, EventLine, Severity, error_events, plan_events};
pub use garbage::{Deleted, GarbageFile, GarbageKind, GarbageOutcome, GarbageSum, garbage_summary, garbage_text};
pub use history::{HistoryCosts, HistoryEntry, HistoryGroup, history_costs_text, history_text};
pub use html::{report_html, visible};
pub use json::{ChangeDocument, FORMAT_VERSION, PlanTotals, Summary, plan_document, plan_document_parts};
pub use listed::{accept_text, kept_rows_text};
pub use markdown::{report_markdown, report_marker};
pub use note::{OPEN_ORIGINALS, OPEN_ORIGINALS_HELP, note_sentence};
pub use remark::ways_out;
pub use report::{
    AssetFacts, ChangeCosts, ChangeWhole, MARKDOWN_LIMIT, MistakeFacts, MonthFacts, PictureFacts, ReportFacts,
    ReportStage, Spot,
};
pub use snippet::{SnippetLayout, manifest_report, warning_report};
pub use strays::strays_text;
pub use style::{ColourMode, ListLength, PlanStyle};
pub use text::{PlanFacts, plan_text};
pub use unfit::{unfit_reasons, unfit_sentence, unfit_text};
