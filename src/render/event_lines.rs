//! Event lines: what happens, as one JSON object a line, for programs that watch.
//!
//! The first field is always `type`. No event carries a time, for what reads the lines knows when it read them; only
//! those of the history tell of times long gone.

use serde::{Serialize, Serializer};

use crate::asset::{AssetKey, CollectionName, GeneratorName, MicroUsd};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::plan::{Action, Plan};
use crate::record::Decision;
use crate::yaml::ManifestError;

use super::garbage_report::{GarbageKind, GarbageOutcome, GarbageSum};
use super::ledger_report::{HistoryCosts, HistoryEntry};
use super::note_text;
use super::plan_document::{ChangeDocument, PlanTotals, line};

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
pub enum EventLine<'e> {
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
    /// What is told of a plan and changes nothing.
    PlanNote {
        /// One sentence, for people.
        message: String,
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
    /// A service is left alone for a while.
    ServicePaused {
        /// The generator.
        generator: &'e GeneratorName,
        /// Until when, as in `2026-11-30T20:41:07Z`.
        until: &'e str,
        /// `service` where it named the end itself, else `pixform`.
        named_by: &'e str,
    },
    /// The storage does not do what it is asked: nothing is bought until it does.
    StorageTroubled {
        /// What it says, for people.
        message: &'e str,
    },
    /// The storage does what it is asked again.
    StorageWell,
    /// A file that a preview made or found: what an asset would show.
    PreviewFile {
        /// The collection.
        collection: &'e CollectionName,
        /// The asset.
        key: &'e AssetKey,
        /// Where it lies below the storage's root.
        path: &'e str,
        /// Where it can be fetched, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<&'e str>,
    },
    /// A call to a generator, of whenever; made by [`EventLine::history_call`].
    HistoryCall(CallDocument<'e>),
    /// What calls cost that have something in common, or all of them; made by [`EventLine::history_cost`].
    HistoryCost {
        /// What they have in common, by heading; empty for all.
        #[serde(serialize_with = "pairs")]
        group: Vec<(&'e str, Option<&'e str>)>,
        /// How many they are.
        calls: u64,
        /// What those that were charged were to cost, by the configured price.
        #[serde(serialize_with = "money")]
        estimated: MicroUsd,
        /// What was charged: what services told, or else the estimate.
        #[serde(serialize_with = "money")]
        charged: MicroUsd,
        /// What may have been charged beside it.
        #[serde(serialize_with = "money")]
        maybe_charged: MicroUsd,
    },
    /// A file that no record refers to.
    GcFile {
        /// Where it lies.
        path: &'e str,
        /// What it is.
        kind: GarbageKind,
        /// Its size in bytes; 0 where it is not there any more.
        bytes: u64,
        /// For how long no record has referred to it, in seconds; of a remnant, how long ago it was written.
        unreferenced_seconds: u64,
        /// Whether it goes; else why it stays.
        fate: GarbageOutcome,
    },
    /// What is deleted, or would be.
    GcSummary {
        /// Whether it was.
        deleted: bool,
        /// Originals.
        originals: GarbageSum,
        /// Published files.
        objects: GarbageSum,
        /// Files whose deletion was begun before.
        leftovers: GarbageSum,
        /// Unfinished files and probes that killed runs left.
        remnants: GarbageSum,
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

/// A call as its event shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallDocument<'e> {
    call: &'e str,
    created_at: &'e str,
    collection: &'e str,
    key: &'e str,
    recipe: RecipeDigest,
    generator: &'e str,
    kind: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'e str>,
    /// By the configured price, in dollars.
    estimated: String,
    /// As the service told; null until it does.
    cost: Option<String>,
    free: bool,
    charge: &'static str,
    /// The id that the service was sent with the last request, where it takes one.
    service_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<ContentDigest>,
    run: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_url: Option<&'e str>,
}

impl<'e> EventLine<'e> {
    /// Returns the event as JSON on one line, without a line feed, that no terminal obeys.
    pub fn line(&self) -> String {
        line(self)
    }

    /// Makes the event of a call.
    pub fn history_call(entry: &'e HistoryEntry) -> Self {
        let HistoryEntry { time, call, ended: _, command, host, actor, commit, run_url } = entry;
        Self::HistoryCall(CallDocument {
            call: &call.id,
            created_at: time,
            collection: call.collection.as_str(),
            key: call.key.as_str(),
            recipe: call.recipe,
            generator: &call.service,
            kind: &call.generator,
            model: call.model.as_deref(),
            estimated: call.estimate.amount().to_string(),
            cost: call.cost.map(|cost| cost.to_string()),
            free: call.estimate.is_free(),
            charge: entry.charge().name(),
            service_id: call.last_attempt().service_id(),
            status: call.status.name(),
            decision: call.decision.map(Decision::name),
            task: call.task.as_deref(),
            reason: call.reason.as_deref(),
            sha256: call.sha256,
            run: &call.run,
            command: command.as_deref(),
            host: host.as_deref(),
            actor: actor.as_deref(),
            commit: commit.as_deref(),
            run_url: run_url.as_deref(),
        })
    }

    /// Makes the event of what calls cost that have these values in common.
    pub fn history_cost(headings: &[&'e str], values: &'e [Option<String>], costs: HistoryCosts) -> Self {
        let HistoryCosts { calls, estimated, charged, maybe } = costs;
        let group = headings.iter().copied().zip(values.iter().map(Option::as_deref)).collect();
        Self::HistoryCost { group, calls, estimated, charged, maybe_charged: maybe }
    }
}

/// Returns the events of a plan: its notes, its changes one by one, then the summary.
pub fn plan_events(plan: &Plan) -> impl Iterator<Item = EventLine<'_>> {
    let notes = note_text::sentences(plan).map(|message| EventLine::PlanNote { message });
    let changes = plan
        .changes()
        .map(|(collection, change)| EventLine::PlannedChange { change: ChangeDocument::of(collection, change) });
    notes.chain(changes).chain(std::iter::once_with(|| EventLine::ChangeSummary(PlanTotals::of(plan))))
}

/// Returns a diagnostic for each mistake in a file.
pub fn error_events(error: &ManifestError) -> impl Iterator<Item = EventLine<'_>> {
    error.located().map(|(line, column, mistake)| EventLine::Diagnostic {
        severity: Severity::Error,
        message: &mistake.message,
        help: Some(mistake.help.as_str()).filter(|help| !help.is_empty()),
        file: Some(&error.file),
        line: Some(line),
        column: Some(column),
    })
}

fn name<S: Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(action.name())
}

fn money<S: Serializer>(money: &MicroUsd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(money)
}

fn pairs<S: Serializer>(pairs: &[(&str, Option<&str>)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::CallStatus;

    #[test]
    fn every_event_is_one_line_that_begins_with_its_type() {
        let (collection, key) = ("heroes".parse().unwrap(), "hero/dark".parse().unwrap());
        let (collection, key) = (&collection, &key);
        let action = Action::Generate;
        let url = Some("https://cdn.example.com/hero-dark.jpg");
        let price = MicroUsd(15_000);
        let generator = "novita".parse().unwrap();
        let events = [
            EventLine::Version { format: super::super::FORMAT_VERSION, pixform: "0.1.0" },
            EventLine::ApplyStart { collection, key, action },
            EventLine::ApplyProgress { done: 1, total: 2, cost: price },
            EventLine::ApplyComplete { collection, key, action, url },
            EventLine::ApplyComplete { collection, key, action: Action::Delete, url: None },
            EventLine::ApplyErrored { collection, key, message: "refused:\n\u{9b}2J" },
            EventLine::ChargeRecorded { collection, key, price },
            EventLine::OutcomeUnknown { collection, key, call: "0197f1" },
            EventLine::ServicePaused { generator: &generator, until: "2026-11-30T20:41:07Z", named_by: "service" },
            EventLine::StorageTroubled { message: "the store answers 503" },
            EventLine::StorageWell,
            EventLine::Diagnostic {
                severity: Severity::Warning,
                message: "the var `age` is not used",
                help: None,
                file: None,
                line: None,
                column: None,
            },
        ];
        let lines: Vec<_> = events.iter().map(EventLine::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"type":"version","format":"1.0","pixform":"0.1.0"}
        {"type":"apply_start","collection":"heroes","key":"hero/dark","action":"generate"}
        {"type":"apply_progress","done":1,"total":2,"cost":"0.015"}
        {"type":"apply_complete","collection":"heroes","key":"hero/dark","action":"generate","url":"https://cdn.example.com/hero-dark.jpg"}
        {"type":"apply_complete","collection":"heroes","key":"hero/dark","action":"delete"}
        {"type":"apply_errored","collection":"heroes","key":"hero/dark","message":"refused:\n\u009b2J"}
        {"type":"charge_recorded","collection":"heroes","key":"hero/dark","price":"0.015"}
        {"type":"outcome_unknown","collection":"heroes","key":"hero/dark","call":"0197f1"}
        {"type":"service_paused","generator":"novita","until":"2026-11-30T20:41:07Z","named_by":"service"}
        {"type":"storage_troubled","message":"the store answers 503"}
        {"type":"storage_well"}
        {"type":"diagnostic","severity":"warning","message":"the var `age` is not used"}
        "#);
    }

    #[test]
    fn calls_and_what_they_cost_are_events() {
        let entry = super::super::tests::entry(CallStatus::Failed);
        let bare = EventLine::history_call(&entry);
        let mut whole = entry.clone();
        whole.call.model = Some("sd_xl".to_owned());
        whole.call.decision = Some(Decision::Retried);
        whole.call.task = Some("task".to_owned());
        whole.call.reason = Some("their\n\u{9b}2J".to_owned());
        whole.call.sha256 = Some(ContentDigest::from_bytes([8; 32]));
        let (command, host) = (Some("apply".to_owned()), Some("ci-1".to_owned()));
        let (actor, commit) = (Some("ann".to_owned()), Some("0123".to_owned()));
        let whole = HistoryEntry { command, host, actor, commit, run_url: Some("https://b/1".to_owned()), ..whole };
        let mut costs = HistoryCosts::default();
        costs.add(&entry);
        let values = [Some("heroes".to_owned()), None];
        let lines = [
            bare.line(),
            EventLine::history_call(&whole).line(),
            EventLine::history_cost(&["collection", "model"], &values, costs).line(),
            EventLine::history_cost(&[], &[], HistoryCosts { charged: MicroUsd(1_230_000), ..costs }).line(),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"type":"history_call","call":"0197f1","created_at":"2026-11-22T10:03:12Z","collection":"heroes","key":"hero/dark","recipe":"sha256:0707070707070707070707070707070707070707070707070707070707070707","generator":"painter","kind":"novita","estimated":"0.015","cost":null,"free":false,"charge":"maybe","service_id":"d4b577b5-6d58-4df1-855a-89bea8a60198","status":"failed","run":"0197f0"}
        {"type":"history_call","call":"0197f1","created_at":"2026-11-22T10:03:12Z","collection":"heroes","key":"hero/dark","recipe":"sha256:0707070707070707070707070707070707070707070707070707070707070707","generator":"painter","kind":"novita","model":"sd_xl","estimated":"0.015","cost":null,"free":false,"charge":"maybe","service_id":"d4b577b5-6d58-4df1-855a-89bea8a60198","status":"failed","decision":"retried","task":"task","reason":"their\n\u009b2J","sha256":"sha256:0808080808080808080808080808080808080808080808080808080808080808","run":"0197f0","command":"apply","host":"ci-1","actor":"ann","commit":"0123","run_url":"https://b/1"}
        {"type":"history_cost","group":{"collection":"heroes","model":null},"calls":1,"estimated":"0.00","charged":"0.00","maybe_charged":"0.015"}
        {"type":"history_cost","group":{},"calls":1,"estimated":"0.00","charged":"1.23","maybe_charged":"0.015"}
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
