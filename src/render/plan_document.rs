//! Plan documents: a plan as JSON, with a version and a fixed order of fields.
//!
//! Written straight from the plan, one change after the other, so that a plan of 100,000 changes costs little more than
//! its text. Documents leave the machine: they hold no local paths.

use serde::{Serialize, Serializer};

use crate::asset::{MicroUsd, Place};
use crate::digest::{RecipeDigest, RenditionsDigest, RowDigest};
use crate::plan::{Action, AssetSnapshot, Change, CollectionPlan, Completeness, Plan, PlanRefusal, Reason};

use super::{note_text, visible_text};

/// The version of plan documents and event lines; the part before the point changes when a reader would break.
pub const FORMAT_VERSION: &str = "1.0";

/// Returns the plan's document: JSON on one line, without a line feed, that no terminal obeys.
pub fn plan_document(plan: &Plan) -> String {
    plan_document_parts(plan).collect()
}

/// Returns the plan's document in parts, each no longer than a change, to be written one after the other.
pub fn plan_document_parts(plan: &Plan) -> impl Iterator<Item = String> {
    let changes = plan.changes().enumerate().map(|(at, (collection, change))| {
        let comma = if at == 0 { "" } else { "," };
        format!("{comma}{}", line(&ChangeDocument::of(collection, change)))
    });
    let head = std::iter::once_with(|| head(plan));
    head.chain(changes).chain(std::iter::once_with(|| tail(plan)))
}

/// Returns the document up to the changes.
fn head(plan: &Plan) -> String {
    let Plan { environment, created_at, .. } = plan;
    let head =
        DocumentHead { format_version: FORMAT_VERSION, environment, created_at, digest: plan.digest().to_string() };
    let mut text = line(&head);
    text.pop();
    text + ",\"changes\":["
}

/// Returns the document from the end of the changes on.
fn tail(plan: &Plan) -> String {
    let tail = DocumentTail {
        summary: Summary::of(plan),
        estimated_cost: plan.cost().to_string(),
        applyable: plan.refusals.is_empty(),
        complete: plan.completeness == Completeness::Complete,
        refusals: plan.refusals.iter().map(RefusalDocument::of).collect(),
        notes: note_text::sentences(plan).collect(),
    };
    format!("],{}", &line(&tail)[1..])
}

/// Writes one line of JSON in which every character that a terminal would obey is escaped.
pub(super) fn line(value: &impl Serialize) -> String {
    visible_text::json(serde_json::to_string(value).expect("documents hold only text, integers and flags"))
}

#[derive(Serialize)]
struct DocumentHead<'p> {
    format_version: &'static str,
    environment: &'p str,
    created_at: &'p str,
    digest: String,
}

#[derive(Serialize)]
struct DocumentTail<'p> {
    summary: Summary,
    estimated_cost: String,
    applyable: bool,
    complete: bool,
    refusals: Vec<RefusalDocument<'p>>,
    notes: Vec<String>,
}

/// How many assets get each action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each field is an action")]
pub struct Summary {
    pub unknown: u64,
    pub adopt: u64,
    pub generate: u64,
    pub reuse: u64,
    pub render: u64,
    pub repair: u64,
    #[serde(rename = "move")]
    pub moved: u64,
    pub publish: u64,
    pub record: u64,
    pub delete: u64,
    pub keep: u64,
}

/// What of a plan stands on one line, beside its changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanTotals {
    /// How many assets get each action.
    pub summary: Summary,
    /// What carrying it out costs, in dollars as decimal text.
    pub estimated_cost: String,
    /// Whether nothing refuses it.
    pub applyable: bool,
    /// Whether it covers everything.
    pub complete: bool,
    /// Its name.
    pub digest: String,
}

/// One change as documents and events show it; made by [`super::plan_events`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeDocument<'p> {
    collection: &'p str,
    key: &'p str,
    #[serde(serialize_with = "as_object")]
    labels: Vec<(&'p str, &'p str)>,
    action: &'static str,
    reasons: Vec<ReasonDocument>,
    price: String,
    before: Option<SideDocument>,
    after: Option<SideDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ReasonDocument {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct SideDocument {
    recipe: RecipeDigest,
    renditions: RenditionsDigest,
    row: Option<RowDigest>,
    protect: bool,
    hold: bool,
}

#[derive(Serialize)]
struct RefusalDocument<'p> {
    code: &'static str,
    message: &'p str,
    way_out: &'p str,
}

impl Summary {
    fn of(plan: &Plan) -> Self {
        let count = |action| plan.count(action);
        Self {
            unknown: count(Action::Unknown),
            adopt: count(Action::Adopt),
            generate: count(Action::Generate),
            reuse: count(Action::Reuse),
            render: count(Action::Render),
            repair: count(Action::Repair),
            moved: count(Action::Move),
            publish: count(Action::Publish),
            record: count(Action::Record),
            delete: count(Action::Delete),
            keep: count(Action::Keep),
        }
    }
}

impl PlanTotals {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            summary: Summary::of(plan),
            estimated_cost: plan.cost().to_string(),
            applyable: plan.refusals.is_empty(),
            complete: plan.completeness == Completeness::Complete,
            digest: plan.digest().to_string(),
        }
    }
}

impl<'p> RefusalDocument<'p> {
    fn of(refusal: &'p PlanRefusal) -> Self {
        let PlanRefusal { code, message, way_out } = refusal;
        Self { code, message, way_out }
    }
}

impl<'p> ChangeDocument<'p> {
    pub(super) fn of(collection: &'p CollectionPlan, change: &'p Change) -> Self {
        let Change {
            key,
            extra_labels: _,
            action,
            reasons,
            price: MicroUsd(price),
            before,
            after,
            moved_from,
            index: _,
            original: _,
            expected: _,
            downgrade: _,
            unprotected: _,
            generator: _,
            decisions: _,
            adoption: _,
            accepted: _,
        } = change;
        Self {
            collection: collection.name.as_str(),
            key: key.as_str(),
            labels: collection.labels(change).collect(),
            action: action.name(),
            reasons: reasons.iter().map(ReasonDocument::of).collect(),
            price: MicroUsd(*price).to_string(),
            before: before.map(SideDocument::of),
            after: after.map(SideDocument::of),
            moved_from: moved_from.as_ref().map(|(collection, key)| format!("{collection}:{key}")),
        }
    }
}

impl ReasonDocument {
    fn of(reason: &Reason) -> Self {
        let parts = reason.parts();
        let place = parts.place.map(|Place { file, line, column }| format!("{}:{line}:{column}", public_name(file)));
        Self { code: parts.code, field: parts.field, old: parts.old, new: parts.new, place }
    }
}

impl SideDocument {
    fn of(side: AssetSnapshot) -> Self {
        let AssetSnapshot { recipe, renditions, row, protect, hold } = side;
        Self { recipe, renditions, row, protect, hold }
    }
}

/// Returns a file's path as it may leave the machine: an absolute one says where somebody works, so only its name stays.
pub(super) fn public_name(file: &str) -> &str {
    let drive = file.as_bytes().get(1) == Some(&b':');
    if file.starts_with(['/', '\\', '~']) || drive { file.rsplit(['/', '\\']).next().unwrap_or(file) } else { file }
}

fn as_object<S: Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_holds_no_local_path() {
        for (file, shown) in [
            ("manifests/a.yaml", "manifests/a.yaml"),
            ("../a.yaml", "../a.yaml"),
            ("/home/somebody/shop/a.yaml", "a.yaml"),
            ("C:\\Users\\somebody\\a.yaml", "a.yaml"),
            ("~/shop/a.yaml", "a.yaml"),
        ] {
            assert_eq!(public_name(file), shown);
        }
    }
}
