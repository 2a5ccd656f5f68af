//! Plan documents, read back: what was reviewed, to be carried out and nothing else.
//!
//! A document may come from a stranger's hand. Its digest is made again from its changes, so that what it names is what it
//! holds; what it costs and says besides is not covered by the digest.

use serde::Deserialize;

use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::digest::{PlanDigest, RecipeDigest, RenditionsDigest, RowDigest};
use crate::plan::{Action, Approved, ApprovedChange, ApprovedField, AssetSnapshot, Beyond, digest, is_outside};

use super::plan_document::FORMAT_VERSION;

/// Why a document is no plan that can be carried out.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is no plan document at all.
    #[error("it is no plan document: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Another pixform wrote it.
    #[error("it has format version {found}, this pixform reads {known}")]
    Version {
        /// The document's.
        found: String,
        /// Ours.
        known: &'static str,
    },
    /// A value in it is not what it has to be.
    #[error("`{0}` is not what it has to be")]
    Value(String),
    /// Its digest is that of other changes.
    #[error("its changes are those of {found}, and it says {said}: it was changed by hand")]
    Changed {
        /// The digest of its changes.
        found: PlanDigest,
        /// What it says.
        said: PlanDigest,
    },
}

#[derive(Deserialize)]
struct ApprovedDocument {
    format_version: String,
    environment: String,
    digest: String,
    changes: Vec<ChangeRead>,
    estimated_cost: String,
}

#[derive(Deserialize)]
struct ChangeRead {
    collection: String,
    key: String,
    action: String,
    #[serde(default)]
    reasons: Vec<ReasonRead>,
    before: Option<SideRead>,
    after: Option<SideRead>,
    #[serde(default)]
    moved_from: Option<String>,
}

#[derive(Deserialize)]
struct ReasonRead {
    code: String,
    field: Option<String>,
    old: Option<String>,
}

#[derive(Deserialize)]
struct SideRead {
    recipe: String,
    renditions: String,
    row: Option<String>,
    protect: bool,
    hold: bool,
}

/// Reads a plan document, such as [`plan_document`](super::plan_document()) writes.
///
/// # Errors
/// When it is none, when another version wrote it, or when its digest is not that of its changes.
pub fn approved_plan(document: &str) -> Result<Approved, DocumentError> {
    let ApprovedDocument { format_version, environment, digest: said, changes, estimated_cost } =
        serde_json::from_str(document)?;
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&format_version) != major(FORMAT_VERSION) {
        return Err(DocumentError::Version { found: format_version, known: FORMAT_VERSION });
    }
    let changes = changes.into_iter().map(change).collect::<Result<Vec<_>, _>>()?;
    let said: PlanDigest = parsed(&said)?;
    let digest_of = |changes: &[ApprovedChange]| {
        let covered = changes.iter().map(|change| (&change.collection, &change.key, change.before, change.after));
        digest(&environment, covered)
    };
    let by_change: Vec<ApprovedChange> = changes.iter().filter(|change| !is_uncovered(change)).cloned().collect();
    // Documents of pixform 1.0 cover by the action alone, and may have been approved before an upgrade.
    let by_action = |change: &&ApprovedChange| !matches!(change.action, Action::Repair | Action::Unknown);
    let by_action: Vec<ApprovedChange> = changes.iter().filter(by_action).cloned().collect();
    let found = digest_of(&by_change);
    let changes = match () {
        () if found == said => by_change,
        () if digest_of(&by_action) == said => by_action,
        () => return Err(DocumentError::Changed { found, said }),
    };
    let cost: MicroUsd = parsed(&estimated_cost)?;
    Ok(Approved { digest: said, environment, cost, changes })
}

fn is_uncovered(change: &ApprovedChange) -> bool {
    let relabelled = change.fields.iter().any(|field| field.code == "label_changed");
    let beyond = if relabelled || change.moved_from.is_some() { Beyond::Names } else { Beyond::Nothing };
    is_outside(change.action, (change.before, change.after), beyond)
}

fn change(read: ChangeRead) -> Result<ApprovedChange, DocumentError> {
    let ChangeRead { collection, key, action, reasons, before, after, moved_from } = read;
    let named = Action::ALL.into_iter().find(|known| known.name() == action);
    let moved_from = match &moved_from {
        Some(from) => {
            let (collection, key) = from.split_once(':').ok_or_else(|| DocumentError::Value(from.clone()))?;
            Some((parsed::<CollectionName>(collection)?, parsed::<AssetKey>(key)?))
        }
        None => None,
    };
    let field = |reason: ReasonRead| {
        let ReasonRead { code, field, old } = reason;
        Some(ApprovedField { code, name: field?, old })
    };
    Ok(ApprovedChange {
        collection: parsed(&collection)?,
        key: parsed(&key)?,
        action: named.ok_or(DocumentError::Value(action))?,
        moved_from,
        before: before.map(side).transpose()?,
        after: after.map(side).transpose()?,
        fields: reasons.into_iter().filter_map(field).collect(),
    })
}

fn side(read: SideRead) -> Result<AssetSnapshot, DocumentError> {
    let SideRead { recipe, renditions, row, protect, hold } = read;
    Ok(AssetSnapshot {
        recipe: parsed::<RecipeDigest>(&recipe)?,
        renditions: parsed::<RenditionsDigest>(&renditions)?,
        row: row.map(|row| parsed::<RowDigest>(&row)).transpose()?,
        protect,
        hold,
    })
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, DocumentError> {
    text.parse().map_err(|_| DocumentError::Value(text.to_owned()))
}
