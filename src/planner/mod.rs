//! The planner: gathers what `plan` needs to decide, in as few questions as there can be.
//!
//! One listing, one scan of records and rows, then, only for assets that differ, a batched read of whole records, rows
//! and originals. Reads only: it takes no lease, creates nothing, and treats what is missing as empty.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio::sync::OnceCell;

use crate::asset::{AssetKey, CollectionName, Heads, MicroUsd, TableName};
use crate::digest::RecipeDigest;
use crate::manifest::Manifest;
use crate::plan::{
    Approved, CollectionPlan, Completeness, Coverage, GuardLimits, Note, Plan, PlanRefusal, Sights, StoreFinding,
    Stray, Verdicts, guard, sample,
};
use crate::state::{Arrangement, KnownCollection, KnownState, Schema, TableProblem, TableSeen};
use crate::storage::{Originals, StoreDecision, TakeStorage};
use crate::world::{Listing, World, WorldError};

mod adoptable_rows;
mod approved_plans;
mod candidate_takes;
mod deep_check;
mod file_faults;
mod first_pass;
mod ledger_standings;
mod move_routes;
mod moves;
mod older_manifests;
mod original_lookup;
mod row_drift;
mod row_owners;
mod rows_to_write;
mod second_pass;
mod selection;

pub use candidate_takes::{CandidateTake, candidates};
pub use deep_check::{Depth, all as damaged, remembered};
pub use move_routes::{Conflict, TwoLines};
pub use moves::Moves;
pub use older_manifests::{Comparing, against};
pub use row_drift::row_state;
pub use selection::{Pattern, Patterns, Selection};

/// Assets that the second pass takes at a time.
const CHUNK: usize = 1_000;

/// A manifest with the heads of its assets.
pub struct DeclaredManifest {
    /// The manifest.
    pub manifest: Manifest,
    /// Its heads.
    pub heads: Heads,
}

impl DeclaredManifest {
    /// Returns its order and columns, for whoever shows it.
    pub fn arrangement(&self) -> Arrangement {
        let columns = self.manifest.table().into_iter().flat_map(|table| &table.columns);
        Arrangement {
            columns: columns.map(|(column, _)| column.clone()).collect(),
            keys: self.heads.all().iter().map(|head| head.key.to_string()).collect(),
        }
    }
}

/// What is to be planned.
pub struct PlanRequest<'r> {
    /// The manifests, by collection name.
    pub declared: &'r [DeclaredManifest],
    /// Which assets are meant.
    pub selection: &'r Selection,
    /// Whether objects and rows are looked at.
    pub refresh: Coverage,
    /// Which bytes are read, where files are looked at.
    pub depth: Depth<'r>,
    /// Whether the user insists on the storage.
    pub take: TakeStorage,
    /// Who can read the originals.
    pub originals: Originals,
    /// What may not be exceeded.
    pub limits: GuardLimits,
    /// Seconds since 1970.
    pub now: i64,
    /// The same as RFC 3339 text.
    pub created_at: String,
    /// Whether every manifest of the environment is among those declared.
    pub all_manifests: AllManifests,
    /// What a new picture costs, by generator name; free where it is not listed.
    pub prices: &'r BTreeMap<String, MicroUsd>,
    /// What was decided about earlier calls in doubt.
    pub verdicts: &'r Verdicts,
    /// How often a call without an answer is repeated by itself.
    pub unknown_retries: u32,
    /// How many assets are enough, spread over all labels; all where it is not said.
    pub sample: Option<usize>,
    /// What was reviewed: nothing else is planned.
    pub approved: Option<&'r Approved>,
}

/// Whether every manifest of the environment was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllManifests {
    /// All of them: a collection that is missing is not declared any more.
    Read,
    /// Some were named, or could not be read.
    Some,
}

/// A table that cannot take what is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitTable {
    /// The collection.
    pub collection: CollectionName,
    /// The table's name.
    pub table: String,
    /// What is wrong.
    pub problems: Vec<TableProblem>,
}

/// A row that two collections would write in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRow {
    /// The row's key.
    pub key: AssetKey,
    /// The table.
    pub table: TableName,
    /// The two collections, the one that declares it first.
    pub collections: [CollectionName; 2],
}

/// What can go wrong while planning.
#[derive(Debug, thiserror::Error)]
pub enum PlannerError {
    /// State or storage.
    #[error(transparent)]
    World(#[from] WorldError),
    /// State.
    #[error(transparent)]
    State(#[from] crate::state::StateError),
    /// A published table does not fit.
    #[error("the table `{}` cannot take the rows of `{}`", .0.table, .0.collection)]
    Table(UnfitTable),
    /// Two collections publish the same row.
    #[error(
        "the row `{}` of the table `{}` would belong to `{}` and to `{}`",
        .0.key, .0.table, .0.collections[0], .0.collections[1]
    )]
    Shared(Box<SharedRow>),
    /// What was approved can no longer be carried out as it was.
    #[error("what was approved is not what is there now")]
    NotApproved(Vec<Stray>),
    /// What was approved would cost more than was approved.
    #[error("carrying out the approved plan costs ${now} now, and ${approved} were approved")]
    Dearer {
        /// What was approved.
        approved: MicroUsd,
        /// What it would cost.
        now: MicroUsd,
    },
    /// Two lines of `moved` cannot both be meant.
    #[error(
        "two lines of `moved` are about `{}:{}`: {} leads to `{}`, {} to `{}`",
        .0.collection, .0.key, .0.lines[0].1, .0.lines[0].0, .0.lines[1].1, .0.lines[1].0
    )]
    TwoLines(Box<TwoLines>),
    /// A selection takes an asset whose key another one, which is not selected, has to leave first.
    #[error("`{key}` is selected, and the asset that has this key now, and becomes `{leaves}`, is not")]
    Torn {
        /// The key.
        key: AssetKey,
        /// What the asset with this key is renamed to.
        leaves: AssetKey,
    },
}

/// What one planning shares between its collections.
struct Gathering<'r> {
    world: &'r World,
    request: &'r PlanRequest<'r>,
    known: &'r KnownState,
    /// Recipes that an asset further up gets made.
    making: HashMap<RecipeDigest, AssetKey>,
    /// All originals, once they were listed.
    originals: OnceCell<Listing>,
    /// Files that were read and are not as they should be.
    damaged: deep_check::Damaged,
}

/// Makes a plan.
///
/// # Errors
/// When the world cannot be looked at, or a published table does not fit.
pub async fn plan(world: &World, request: &PlanRequest<'_>) -> Result<Plan, PlannerError> {
    row_owners::check_declared(request.declared)?;
    let mut known = world.state.known().await?;
    let (mut marker, mut decision) = world.store(&known, request.now, request.take).await?;
    if matches!(decision, StoreDecision::Refused(_)) {
        // A first run may have made state and marker between the two looks: a second pair of them tells.
        known = world.state.known().await?;
        (marker, decision) = world.store(&known, request.now, request.take).await?;
    }
    let mut gathering = Gathering::new(world, request, &known);
    let mut collections = Vec::new();
    let mut moved_away = BTreeMap::new();
    for declared in request.declared {
        let (collection, left) = gathering.collection(declared).await?;
        for (from, count) in left {
            *moved_away.entry(from).or_insert(0) += count;
        }
        collections.push(collection);
    }
    let mut notes = undeclared(&known, request, &moved_away);
    let uncopied = world.uncopied().await?.len() as u64;
    notes.extend((uncopied > 0).then_some(Note::Uncopied { files: uncopied }));
    let told = marker.is_some_and(|marker| marker.told_open);
    notes.extend((request.originals == Originals::Open && !told).then_some(Note::OpenOriginals));
    let completeness = match (request.all_manifests, request.selection.is_all()) {
        (AllManifests::Read, true) => Completeness::Complete,
        _ => Completeness::Partial,
    };
    let mut plan = Plan {
        environment: world.environment.clone(),
        created_at: request.created_at.clone(),
        collections,
        refusals: Vec::new(),
        cap: request.limits.max_cost.map(|cap| cap.most),
        completeness,
        notes,
    };
    if let Some(count) = request.sample {
        sample(&mut plan, count);
        plan.completeness = Completeness::Partial;
    }
    if let Some(approved) = request.approved {
        approved_plans::hold_to(world, &mut plan, approved).await?;
    }
    plan.refusals = refusals(&plan, request.limits, decision);
    Ok(plan)
}

fn refusals(plan: &Plan, limits: GuardLimits, decision: StoreDecision) -> Vec<PlanRefusal> {
    let finding = match decision {
        StoreDecision::Refused(refusal) => {
            StoreFinding::Refused { message: refusal.to_string(), way_out: refusal.way_out().to_owned() }
        }
        StoreDecision::Ours | StoreDecision::New | StoreDecision::TakeOver { .. } => StoreFinding::Usable,
    };
    guard(plan, limits, &finding)
}

/// Collections that have records and no manifest.
fn undeclared(known: &KnownState, request: &PlanRequest<'_>, moved_away: &BTreeMap<CollectionName, u64>) -> Vec<Note> {
    if request.all_manifests == AllManifests::Some {
        return Vec::new();
    }
    let declared = |name: &CollectionName| request.declared.iter().any(|declared| declared.manifest.name == *name);
    known
        .collections
        .iter()
        .filter(|collection| !declared(&collection.name))
        .filter_map(|KnownCollection { name, records, .. }| {
            let left = records.saturating_sub(moved_away.get(name).copied().unwrap_or_default());
            (left > 0).then(|| Note::Undeclared { collection: name.clone(), records: left })
        })
        .collect()
}

/// Refuses a selection that would overwrite a record whose rename is not selected.
fn torn(plan: &CollectionPlan, moves: &Moves) -> Result<(), PlannerError> {
    let mut leaving: HashMap<&AssetKey, Vec<&AssetKey>> = HashMap::new();
    for (to, (collection, from)) in &moves.into {
        if to != from || *collection == plan.name {
            leaving.entry(from).or_default().push(to);
        }
    }
    let selected: HashSet<&AssetKey> = plan.changes.iter().map(|change| &change.key).collect();
    for change in &plan.changes {
        let mut leaves = leaving.get(&change.key).into_iter().flatten();
        if let Some(leaves) = leaves.find(|to| !selected.contains(*to)) {
            return Err(PlannerError::Torn { key: change.key.clone(), leaves: (*leaves).clone() });
        }
    }
    Ok(())
}

impl<'r> Gathering<'r> {
    fn new(world: &'r World, request: &'r PlanRequest<'r>, known: &'r KnownState) -> Self {
        let (making, damaged) = (HashMap::new(), deep_check::Damaged::new());
        Self { world, request, known, making, originals: OnceCell::new(), damaged }
    }

    /// Plans one collection; tells too how many records leave which other collection.
    async fn collection(
        &mut self,
        declared: &DeclaredManifest,
    ) -> Result<(CollectionPlan, BTreeMap<CollectionName, u64>), PlannerError> {
        let DeclaredManifest { manifest, heads } = declared;
        let looked = self.request.refresh;
        let recorded = self.known.collections.iter().find(|collection| collection.name == manifest.name);
        let table = manifest.table().filter(|_| looked == Coverage::At);
        let foreign = match table {
            Some(table) => self.foreign(manifest, table).await?,
            None => row_owners::Foreign::default(),
        };
        let mut visitor = first_pass::FirstPass::new(heads, looked, &foreign);
        visitor.others = row_owners::others(self.request.declared, manifest);
        let folders = manifest.folders();
        let listing = async {
            match looked {
                Coverage::At => self.world.list(&folders).await.map(Some),
                Coverage::NotAt => Ok(None),
            }
        };
        let scan = async {
            match self.known.schema {
                Schema::Absent if table.is_none() => Ok(TableSeen::NotLooked),
                _ => self.world.state.scan(&manifest.name, table, &mut visitor).await,
            }
        };
        // Storage and database do not wait for one another.
        let (listing, seen) = futures::future::join(listing, scan).await;
        let (listing, seen) = (listing?, seen?);
        if let (TableSeen::Unfit(problems), Some(table)) = (&seen, table) {
            let table = table.name.to_string();
            return Err(PlannerError::Table(UnfitTable {
                collection: manifest.name.clone(),
                table,
                problems: problems.clone(),
            }));
        }
        let is_there = seen == TableSeen::Fits;
        let mut suspects = visitor.finish(listing.as_ref());
        if looked == Coverage::At {
            suspects.add(self.read_bytes(declared).await?);
        }
        tracing::info!(
            collection = %manifest.name,
            assets = heads.all().len(),
            differing = suspects.assets.len(),
            undeclared = suspects.strangers.len(),
            rows = suspects.rows_read,
            files = listing.as_ref().map(Listing::count),
            "compared"
        );
        let sights = Sights { rows: table.map(|_| suspects.rows_read), files: listing.as_ref().map(Listing::count) };
        let moves = Moves::find(self.world, manifest, heads, &suspects).await?;
        if let Some(table) = table {
            foreign.check(table, manifest, heads, &moves)?;
        }
        let left = moves.left();
        let uncovered_key = recorded
            .filter(|recorded| recorded.key != manifest.key && !moves.deleted.is_empty())
            .map(|recorded| recorded.key.clone());
        let mut plan = CollectionPlan {
            notes: first_pass::row_notes(heads, &suspects, recorded.map_or(0, |recorded| recorded.records)),
            sights,
            uncovered_key,
            table: manifest.table().map(|table| table.name.clone()),
            case_twins: first_pass::case_twins(heads, &suspects),
            ..CollectionPlan::new(manifest.name.clone(), manifest.key.clone())
        };
        self.second_pass(declared, &suspects, &moves, listing.as_ref(), &mut plan).await?;
        torn(&plan, &moves)?;
        let new = plan.changes.iter().filter(|change| change.before.is_none()).count() as u64;
        let fresh = recorded.is_none_or(|recorded| recorded.records == 0);
        if looked == Coverage::NotAt && fresh && new > 0 && manifest.table().is_some() {
            plan.notes.push(Note::RowsNotLooked { count: new });
        }
        self.deletions(manifest, &moves, &mut plan).await?;
        if is_there {
            plan.misfits = rows_to_write::misfits(self.world, manifest, &plan).await?;
        }
        Ok((plan, left))
    }
}
