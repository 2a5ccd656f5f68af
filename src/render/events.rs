//! Event lines: what happens, as one JSON object a line, for programs that watch.
//!
//! The first field is always `type`. No event carries a time: what reads the lines knows when it read them.

use serde::Serialize;

use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::plan::{Action, Plan};
use crate::yaml::ManifestError;

use super::json::{ChangeDocument, PlanTotals, line};

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something cannot be used.
    Error,
    /// Something is odd and can be used.
    Warning,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'e> {
    /// The first line: who speaks, and in which format.
    Version {
        /// The version of the format, [`super::FORMAT_VERSION`].
        format: &'e str,
        /// The version of pixform.
        pixform: &'e str,
    },
    /// One change of a plan, as in its document.
    PlannedChange {
        /// The change.
        change: ChangeDocument<'e>,
    },
    /// The end of a plan.
    ChangeSummary(PlanTotals),
    /// A change is being carried out.
    ApplyStart {
        /// The collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// What is done.
        #[serde(serialize_with = "name")]
        action: Action,
    },
    /// How far the run is.
    ApplyProgress {
        /// Changes that are carried out.
        done: u64,
        /// Changes in all.
        total: u64,
        /// What was paid so far.
        #[serde(serialize_with = "money")]
        cost: MicroUsd,
    },
    /// A change is carried out.
    ApplyComplete {
        /// The collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// What was done.
        #[serde(serialize_with = "name")]
        action: Action,
        /// Where the picture can be seen, where it has a public address.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<&'e str>,
    },
    /// A change could not be carried out.
    ApplyErrored {
        /// The collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// Why, for people.
        message: &'e str,
    },
    /// Money was spent, whatever becomes of the picture.
    ChargeRecorded {
        /// The collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// How much.
        #[serde(serialize_with = "money")]
        price: MicroUsd,
    },
    /// A paid call was sent and nobody knows what came of it.
    OutcomeUnknown {
        /// The collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// The ledger's name of the call.
        call: &'e str,
    },
    /// A mistake or a warning.
    Diagnostic {
        /// How bad it is.
        severity: Severity,
        /// What is wrong.
        message: &'e str,
        /// What to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'e str>,
        /// The file, as the user gave it.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'e str>,
        /// The line, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        /// The column in characters, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<u32>,
    },
}

impl Event<'_> {
    /// Returns the event as JSON on one line, without a line feed, that no terminal obeys.
    pub fn line(&self) -> String {
        line(self)
    }
}

/// Returns the events of a plan: its changes one by one, then the summary.
pub fn plan_events(plan: &Plan) -> impl Iterator<Item = Event<'_>> {
    let changes = plan
        .changes()
        .map(|(collection, change)| Event::PlannedChange { change: ChangeDocument::of(collection, change) });
    changes.chain(std::iter::once_with(|| Event::ChangeSummary(PlanTotals::of(plan))))
}

/// Returns a diagnostic for each mistake in a file.
pub fn error_events(error: &ManifestError) -> impl Iterator<Item = Event<'_>> {
    error.located().map(|(line, column, mistake)| Event::Diagnostic {
        severity: Severity::Error,
        message: &mistake.message,
        help: Some(mistake.help.as_str()).filter(|help| !help.is_empty()),
        file: Some(&error.file),
        line: Some(line),
        column: Some(column),
    })
}

fn name<S: serde::Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(action.name())
}

fn money<S: serde::Serializer>(money: &MicroUsd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(money)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_one_line_that_begins_with_its_type() {
        let (collection, key) = ("heroes".parse().unwrap(), "hero/dark".parse().unwrap());
        let (collection, key) = (&collection, &key);
        let action = Action::Generate;
        let url = Some("https://cdn.example.com/hero-dark.jpg");
        let price = MicroUsd(15_000);
        let events = [
            Event::Version { format: super::super::FORMAT_VERSION, pixform: "0.1.0" },
            Event::ApplyStart { collection, key, action },
            Event::ApplyProgress { done: 1, total: 2, cost: price },
            Event::ApplyComplete { collection, key, action, url },
            Event::ApplyComplete { collection, key, action: Action::Delete, url: None },
            Event::ApplyErrored { collection, key, message: "refused:\n\u{9b}2J" },
            Event::ChargeRecorded { collection, key, price },
            Event::OutcomeUnknown { collection, key, call: "0197f1" },
            Event::Diagnostic {
                severity: Severity::Warning,
                message: "the var `age` is not used",
                help: None,
                file: None,
                line: None,
                column: None,
            },
        ];
        let lines: Vec<_> = events.iter().map(Event::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"type":"version","format":"1.0","pixform":"0.1.0"}
        {"type":"apply_start","collection":"heroes","key":"hero/dark","action":"generate"}
        {"type":"apply_progress","done":1,"total":2,"cost":"0.015"}
        {"type":"apply_complete","collection":"heroes","key":"hero/dark","action":"generate","url":"https://cdn.example.com/hero-dark.jpg"}
        {"type":"apply_complete","collection":"heroes","key":"hero/dark","action":"delete"}
        {"type":"apply_errored","collection":"heroes","key":"hero/dark","message":"refused:\n\u009b2J"}
        {"type":"charge_recorded","collection":"heroes","key":"hero/dark","price":"0.015"}
        {"type":"outcome_unknown","collection":"heroes","key":"hero/dark","call":"0197f1"}
        {"type":"diagnostic","severity":"warning","message":"the var `age` is not used"}
        "#);
    }

    #[test]
    fn every_mistake_is_a_diagnostic() {
        let error = ManifestError::one(
            &"a.yaml".into(),
            &"version: 1\nsmapler: x\n".into(),
            crate::yaml::Span { start: 11, end: 18 },
            "unknown field `smapler`",
            "did you mean `sampler`?",
        );
        let lines: Vec<_> = error_events(&error).map(|event| event.line()).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"{"type":"diagnostic","severity":"error","message":"unknown field `smapler`","help":"did you mean `sampler`?","file":"a.yaml","line":2,"column":1}"#);
    }
}
