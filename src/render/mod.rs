//! Plans, mistakes and the ledger in words: text for people, JSON for programs, Markdown and HTML
//! for reviews.
//!
//! Pure: plans in, text out. A plan holds strangers' strings (prompts, rows, file names), so each medium escapes for
//! itself: text goes through [`terminal`], and JSON holds no character that a terminal would obey. What is printed where
//! is left to `cli`.

mod action_signs;
mod change_edits;
mod change_groups;
mod change_list;
mod comparison_text;
mod event_lines;
mod garbage_report;
mod generator_kinds;
mod html;
mod ledger_report;
mod markdown;
mod mistake_snippet;
mod note_text;
mod plan_document;
mod plan_document_reader;
mod plan_text;
mod quantities;
mod remark_text;
mod report_facts;
mod stray_text;
mod text_style;
mod unfit_row_text;
mod visible_text;
mod word_diff;
mod workflow_commands;

#[cfg(test)]
mod tests;

pub use change_list::{accept_text, kept_rows_text};
pub use comparison_text::{AgainstFacts, against_sentence, against_text};
pub use event_lines::{CallDocument, EventLine, Severity, error_events, plan_events};
pub use garbage_report::{
    Deleted, GarbageFile, GarbageKind, GarbageOutcome, GarbageSum, garbage_summary, garbage_text,
};
pub use generator_kinds::{kind_json, kind_text, kinds_text};
pub use html::{report_html, visible};
pub use ledger_report::{HistoryCosts, HistoryEntry, HistoryGroup, history_costs_text, history_text};
pub use markdown::{report_markdown, report_marker};
pub use mistake_snippet::{SnippetLayout, manifest_report, warning_report};
pub use note_text::{OPEN_ORIGINALS, OPEN_ORIGINALS_HELP, note_sentence};
pub use plan_document::{ChangeDocument, FORMAT_VERSION, PlanTotals, Summary, plan_document, plan_document_parts};
pub use plan_document_reader::{DocumentError, approved_plan};
pub use plan_text::{PlanFacts, plan_text};
pub use remark_text::ways_out;
pub use report_facts::{
    AssetFacts, ChangeCosts, ChangeWhole, MARKDOWN_LIMIT, MistakeFacts, MonthFacts, PictureFacts, ReportFacts,
    ReportStage, Spot,
};
pub use stray_text::strays_text;
pub use text_style::{ColourMode, ListLength, PlanStyle};
pub use unfit_row_text::{unfit_reasons, unfit_sentence, unfit_text};
pub use visible_text::terminal;
pub use workflow_commands::{Annotated, annotation, json_without_commands, without_commands};
