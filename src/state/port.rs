//! The ports: what pixform needs of a database, by role, function by function.
//!
//! The contract stands at each function; one suite in `tests/it` holds every adapter to it. Each adapter implements a role
//! in the file that does its work.

use async_trait::async_trait;

use crate::asset::{AssetKey, CollectionName, MicroUsd, ObjectPath, Recipe, TableName, TableSpec};
use crate::digest::{ContentDigest, PlanDigest, RecipeDigest, RenditionDigest};
use crate::record::{Decision, NewCall, Original, Published, Record};

use super::{
    Acceptance, AppliedMove, Arrangement, Breach, CallFact, CallSeen, Caps, Claim, Commit, Damage, HistoryLine,
    HistoryQuery, Holder, Intent, IsAlive, KeptPlan, KnownState, Lease, LeaseAnswer, Loose, Readership, Right,
    RowAhead, RowReader, RowSeen, Run, ScanVisitor, ShownVisitor, StateError, Survey, TableSeen, TextVisitor,
    Unreferenced,
};

/// What pixform needs of a database, in all its roles.
///
/// Every function is one transaction: it happens whole, durably, or not at all. Reading functions treat missing tables
/// as empty and write nothing. Batches may be of any size; adapters split what their database cannot take at once.
pub trait State: AdminPort + RecordPort + LedgerPort + LeasePort + FilePort + GarbagePort + ShownPort {}

impl<S: AdminPort + RecordPort + LedgerPort + LeasePort + FilePort + GarbagePort + ShownPort> State for S {}

/// What a database does for itself: its tables, its store, and a look at any table.
#[async_trait]
pub trait AdminPort: Send + Sync {
    /// Tells what the state knows; the cheapest first question.
    ///
    /// # Errors
    /// [`StateError::Newer`] for tables of a newer program.
    async fn known(&self) -> Result<KnownState, StateError>;

    /// Returns a text that tells one moment from another: of two that were asked of the same value of this type, the later
    /// differs from the earlier one if anything that can be read has changed between. It may differ without that, and is
    /// much cheaper than looking.
    async fn version(&self) -> Result<String, StateError>;

    /// Creates or upgrades the state's own tables; safe when several processes do it at once.
    async fn migrate(&self) -> Result<(), StateError>;

    /// Creates the published table when it is missing; never alters one.
    ///
    /// # Errors
    /// [`StateError::Table`] when it exists and does not fit.
    async fn ensure_table(&self, table: &TableSpec) -> Result<(), StateError>;

    /// Remembers which store this state works with.
    async fn set_store(&self, store: &str) -> Result<(), StateError>;

    /// Reads a table whatever it is: all its columns, and as many of its rows as asked; `None` where there is none.
    ///
    /// Integers keep all 63 bits; other numbers come as JSON numbers, or as text where that would lose digits; what JSON
    /// has no word for comes as text.
    async fn survey(&self, table: &TableName, rows_max: u64) -> Result<Option<Survey>, StateError>;
}

/// Records, the rows of the published tables beside them, and what belongs to both: renames and acceptances.
#[async_trait]
pub trait RecordPort: Send + Sync {
    /// Streams the records of a collection, then, where a table is given, the rows of the published table, all of one
    /// moment.
    async fn scan(
        &self,
        collection: &CollectionName,
        table: Option<&TableSpec>,
        visitor: &mut (dyn ScanVisitor + Send),
    ) -> Result<TableSeen, StateError>;

    /// Returns the whole records of those keys that have one, in no particular order.
    async fn records(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Record>, StateError>;

    /// Returns the rows of those keys that have one; an absent or unfit table has none.
    async fn rows(&self, table: &TableSpec, keys: &[AssetKey]) -> Result<Vec<RowSeen>, StateError>;

    /// Tells which rules of a table these rows would break, as far as its catalogue tells: what types hold, NOT NULL,
    /// CHECK, foreign keys, unique values (Postgres only). A table that is absent or unfit has none; what cannot be looked at or evaluated is left out, and
    /// so is whatever depends on a value that is not known.
    async fn breaches(&self, table: &TableSpec, rows: &[RowAhead]) -> Result<Vec<Breach>, StateError>;

    /// Returns the renames of a collection that were carried out and whose line is still remembered.
    async fn moves(&self, collection: &CollectionName) -> Result<Vec<AppliedMove>, StateError>;

    /// Returns what was accepted of those keys, what was accepted of one key together and oldest first.
    async fn acceptances(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Acceptance>, StateError>;

    /// Remembers a collection's key axes and, where there is one, its table; without one the last is kept. Fenced.
    ///
    /// Comes before the first commit, which tells by it which labels are part of the key.
    async fn remember_collection(
        &self,
        lease: &Lease,
        key: &[String],
        table: Option<&TableName>,
    ) -> Result<(), StateError>;

    /// Forgets a collection that has no records left, and its renames; one with records stays as it is. Fenced.
    async fn forget_collection(&self, lease: &Lease) -> Result<(), StateError>;

    /// Forgets the carried-out renames of the collection that are not among those to keep. Fenced.
    async fn keep_moves(&self, lease: &Lease, keep: &[AppliedMove]) -> Result<(), StateError>;

    /// Writes records and rows of one collection together, renames and acceptances included, and remembers both. Fenced.
    ///
    /// All keys to be deleted or moved from speak of the state before the commit, so renames may swap keys and follow
    /// one another, and a key may be deleted while another record moves to it. A row is deleted or moved only if its
    /// record had a row: rows that no record owns are never touched, except that one which stands where values are to
    /// be written is merged: it takes the values and keeps its id. A row that is missing is inserted where there are
    /// values.
    ///
    /// What the records no longer name is unreferenced from then on, and the recipes that they have no more are kept for
    /// [`ShownPort::past_recipes`].
    ///
    /// Where there are values, the record keeps id and digest of the row as it came back; else those that it had. A
    /// record that had none, and one whose row is accepted ([`Accepted::Row`](super::Accepted::Row)), takes those that the put names.
    ///
    /// # Errors
    /// [`StateError::Table`] when the table is missing or does not fit, [`StateError::Row`] when one of the rows breaks a
    /// rule of the table.
    async fn commit(&self, lease: &Lease, table: Option<&TableSpec>, commit: &Commit) -> Result<(), StateError>;
}

/// The ledger: who may send a call, and what came of it.
#[async_trait]
pub trait LedgerPort: Send + Sync {
    /// Returns all ledger lines of those recipes, those of one recipe together and oldest first.
    async fn calls(&self, recipes: &[RecipeDigest], liveness: IsAlive<'_>) -> Result<Vec<CallSeen>, StateError>;

    /// Streams ledger lines, newest first. Writers may have to wait until the last is taken.
    async fn history(
        &self,
        wanted: &HistoryQuery,
        take: &mut (dyn FnMut(HistoryLine) + Send),
    ) -> Result<(), StateError>;

    /// Returns what the calls of this calendar month cost, as [`LedgerPort::intend`] counts it: in UTC by the state's clock.
    async fn spent_this_month(&self) -> Result<MicroUsd, StateError>;

    /// Asks whether calls of a run may be sent, and writes a line of status `intended` for each that may be, before it
    /// is. The answers come in the order of the calls. Fenced by the lease, or by the heartbeat as [`LeasePort::beat`] is.
    ///
    /// A recipe has one open line (intended, submitted, received) at most; whether its holder is dead decides what
    /// becomes of it, as told at [`Intent`]. A paid line that nobody can go on with becomes `unknown`. Without an open
    /// line, a paid line of status unknown, rejected or lost without a decision stands in the way, as do
    /// [`FAILED_MAX`](crate::record::FAILED_MAX) paid lines of status failed without one.
    ///
    /// A line is written or taken over only if its estimate and what all lines of this run cost stay within the run's cap,
    /// and with what all lines cost that were written this month within the month's. A line costs what the service told once
    /// it is over; until then, and where it told nothing, the larger of that and the estimate; a refused one costs nothing
    /// unless the service told so. What costs nothing is never capped.
    ///
    /// Each request has a number of its own: a free line that is sent again has one more.
    ///
    /// A run is dead if its process is, if it has ended, or if its process cannot be looked at and it was silent for
    /// [`RUN_SILENT_SECONDS`](super::RUN_SILENT_SECONDS); one that was never remembered is not.
    async fn intend(
        &self,
        right: Right<'_>,
        calls: &[NewCall],
        caps: Caps,
        liveness: IsAlive<'_>,
    ) -> Result<Vec<Intent>, StateError>;

    /// Writes facts about calls, and the originals that they made. Never fenced.
    ///
    /// Task, digest and cost stay where a fact has none. A finished call stays finished whatever a run that lost it says
    /// later; any other line takes what a run tells late. Where another line of the recipe is open, a fact opens none:
    /// its task is kept, with a reason, and the line stays rejected or lost, or is unknown. An original is kept even if
    /// nothing is known of its call; it becomes the current one with `Finished` only.
    async fn settle(&self, facts: &[CallFact]) -> Result<(), StateError>;

    /// Remembers originals that were found in the storage, and settles the open line of each recipe, if any, as
    /// finished. Never fenced.
    async fn found(&self, originals: &[Original]) -> Result<(), StateError>;

    /// Makes paid `intended` lines of dead runs `unknown`; tells how many. Never fenced.
    async fn doubt(&self, liveness: IsAlive<'_>) -> Result<u64, StateError>;

    /// Remembers what people decided about lines that are unknown, rejected, lost or failed. Others, and those that
    /// have a decision, stay as they are; the status stays, too. Fenced as [`LedgerPort::intend`] is.
    async fn decide(&self, right: Right<'_>, decisions: &[(String, Decision)]) -> Result<(), StateError>;
}

/// Runs, and the leases that keep two of them from writing one collection.
#[async_trait]
pub trait LeasePort: Send + Sync {
    /// Remembers that a run began.
    async fn start_run(&self, run: &Run) -> Result<(), StateError>;

    /// Remembers how a run ended: `done`, `failed`, `interrupted`.
    async fn finish_run(&self, run: &str, outcome: &str) -> Result<(), StateError>;

    /// Remembers that a run without a lease still works.
    ///
    /// # Errors
    /// [`StateError::Silent`] for a run that has ended, or was not heard of for [`RUN_SILENT_SECONDS`](super::RUN_SILENT_SECONDS).
    async fn beat(&self, run: &str) -> Result<(), StateError>;

    /// Returns who holds the lease on a collection, expired or not.
    async fn holder(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError>;

    /// Takes the lease on a collection, unless somebody has it who is not expired and not dead.
    ///
    /// A run that has it already gets the same lease again, renewed. The run need not have been started before.
    async fn take_lease(
        &self,
        collection: &CollectionName,
        run: &Run,
        liveness: IsAlive<'_>,
    ) -> Result<LeaseAnswer, StateError>;

    /// Renews leases for another [`LEASE_SECONDS`](super::LEASE_SECONDS).
    ///
    /// # Errors
    /// [`StateError::Fenced`] for the first that is no longer ours.
    async fn renew(&self, leases: &[Lease]) -> Result<(), StateError>;

    /// Gives a lease back; one that is no longer ours is left alone.
    async fn release(&self, lease: &Lease) -> Result<(), StateError>;

    /// Takes a lease away from whoever has it; tells who it was.
    async fn break_lease(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError>;
}

/// Files that were put or taken over, and those that were found damaged.
#[async_trait]
pub trait FilePort: Send + Sync {
    /// Returns the current originals of those recipes that have one.
    async fn originals(&self, recipes: &[RecipeDigest]) -> Result<Vec<Original>, StateError>;

    /// Returns originals by their content, current or not; several recipes may have made the same bytes.
    async fn originals_by_content(&self, contents: &[ContentDigest]) -> Result<Vec<Original>, StateError>;

    /// Returns what was last announced for these originals in these renditions. What is being deleted is not among it;
    /// who is going to refer to it asks by [`GarbagePort::rely_on_objects`].
    async fn objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError>;

    /// Returns every path that pixform wrote or was about to write below the storage root: objects and originals, and
    /// those whose deletion is not over.
    async fn paths(&self) -> Result<Vec<String>, StateError>;

    /// Remembers files about to be put, each under (original, rendition). Returns the paths that a living run of gc is
    /// deleting: of those nothing is remembered, and nothing may be put there yet. Never fenced.
    async fn announce(
        &self,
        files: &[(ContentDigest, Published)],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError>;

    /// Remembers originals about to be put, likewise; none of them becomes current by that, and one that is known already
    /// stays where it is.
    async fn announce_originals(
        &self,
        originals: &[Original],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError>;

    /// Remembers files of the product that are taken over, each under the original that is copied from them. Never fenced.
    async fn keep_adopted(&self, files: &[(ContentDigest, Published)]) -> Result<(), StateError>;

    /// Returns the files of the product that these originals were copied from, whatever became of them since.
    async fn adopted_files(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError>;

    /// Returns what is remembered of a collection, by key and path.
    async fn damages(&self, collection: &CollectionName) -> Result<Vec<Damage>, StateError>;

    /// Remembers damages and forgets others, at once. Never fenced.
    async fn note_damages(
        &self,
        collection: &CollectionName,
        found: &[Damage],
        well: &[Damage],
    ) -> Result<(), StateError>;
}

/// What nothing refers to any more, and its way out.
#[async_trait]
pub trait GarbagePort: Send + Sync {
    /// Returns every file that no record refers to, whatever its age, each path once. A path that a record names under
    /// any original is not among them.
    async fn unreferenced(&self, liveness: IsAlive<'_>) -> Result<Unreferenced, StateError>;

    /// Returns every table that was ever published to.
    async fn published_tables(&self) -> Result<Vec<TableName>, StateError>;

    /// Streams the text of every cell of a table, whatever it is; an absent one has none.
    async fn texts(&self, table: &TableName, take: TextVisitor<'_>) -> Result<(), StateError>;

    /// Returns the collections that a run ever had the lease on, by name.
    async fn leased(&self) -> Result<Vec<CollectionName>, StateError>;

    /// Returns the runs that did not end and are not dead, but for those of gc, in no particular order.
    async fn working(&self, liveness: IsAlive<'_>) -> Result<Vec<Run>, StateError>;

    /// Of these recipes, returns those whose original was deleted and that have had none since.
    async fn collected(&self, recipes: &[RecipeDigest]) -> Result<Vec<RecipeDigest>, StateError>;

    /// Marks files for a run of gc: those that are as unreferenced as they were, and that no run has marked.
    async fn mark(&self, run: &str, files: &[Loose]) -> Result<(), StateError>;

    /// Lifts the marks of a run, and those of all runs that are dead.
    async fn unmark(&self, run: &str, liveness: IsAlive<'_>) -> Result<(), StateError>;

    /// Makes deletions of those files that the run marked, that still bear its mark, and that no record names; and takes
    /// over those [`super::LooseKind::Leftover`] that nobody else has taken meanwhile. Returns their paths: nobody relies on them
    /// or puts anything there until they are forgotten.
    async fn sweep(&self, run: &str, files: &[Loose]) -> Result<Vec<ObjectPath>, StateError>;

    /// Forgets deletions of a run that are done, and remembers which recipes have lost their original by it.
    async fn forget_deleted(&self, run: &str, paths: &[ObjectPath]) -> Result<(), StateError>;

    /// Returns what was last announced for these originals in these renditions, and begins to rely on it, as
    /// [`GarbagePort::claim`] does.
    async fn rely_on_objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError>;

    /// Begins to rely on files: marks are lifted, and the time since which they are unreferenced begins anew. What a dead
    /// run was deleting is [`Claim::Unknown`] and nobody deletes it any more. The answers come in the order of the paths.
    async fn claim(&self, paths: &[ObjectPath], liveness: IsAlive<'_>) -> Result<Vec<Claim>, StateError>;
}

/// What is shown to readers, and kept for them.
#[async_trait]
pub trait ShownPort: Send + Sync {
    /// Streams what a collection shows to a reader, all of one moment: how, then its records, then the rows of the table
    /// that it was last published to, those of others, too. Of a collection that is not known, nothing; of one that the
    /// reader may read nothing of, only how.
    async fn shown(
        &self,
        collection: &CollectionName,
        reader: &RowReader,
        visitor: &mut (dyn ShownVisitor + Send),
    ) -> Result<(), StateError>;

    /// Returns what the last apply said of a collection's order and columns.
    async fn arrangement(&self, collection: &CollectionName) -> Result<Option<Arrangement>, StateError>;

    /// Remembers order and columns of the lease's collection, for whoever shows it; nothing of one that is not known, and
    /// writes nothing where they are remembered already. Fenced.
    async fn arrange(&self, lease: &Lease, arrangement: &Arrangement) -> Result<(), StateError>;

    /// Finds out in whose place rows are read: of the role that is asked for, or of the one that strangers are answered as
    /// where the database has it, or else of whoever is connected.
    ///
    /// # Errors
    /// [`StateError::Reader`] for a role that is asked for and that there is not, or that may not be taken on.
    async fn readership(&self, asked: Option<&str>) -> Result<Readership, StateError>;

    /// Returns those of the recipes that records had before and have no more, and those that were
    /// [kept](ShownPort::keep_recipes); each once, in no particular order.
    async fn past_recipes(&self, recipes: &[RecipeDigest]) -> Result<Vec<(RecipeDigest, Recipe)>, StateError>;

    /// Keeps recipes that pictures are made of and that no record has yet, for [`ShownPort::past_recipes`]. Never fenced.
    async fn keep_recipes(&self, recipes: &[Recipe]) -> Result<(), StateError>;

    /// Returns those of the originals that a record named at some time, each once.
    async fn ever_published(&self, originals: &[ContentDigest]) -> Result<Vec<ContentDigest>, StateError>;

    /// Returns every file that was announced for these originals, those of one original together and oldest first.
    async fn files_of(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError>;

    /// Returns a plan that was kept under its digest.
    async fn kept_plan(&self, digest: &PlanDigest) -> Result<Option<KeptPlan>, StateError>;

    /// Keeps a plan under its digest; of several with one digest the last is kept. Never fenced.
    async fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StateError>;
}
