//! The port: what pixform needs of a database, function by function.
//!
//! The contract stands at each function; one suite in `tests/it` holds every adapter to it.

use async_trait::async_trait;

use crate::asset::{AssetKey, CollectionName, MicroUsd, ObjectPath, Recipe, TableName, TableSpec};
use crate::digest::{ContentDigest, PlanDigest, RecipeDigest, RenditionDigest};
use crate::record::{Decision, NewCall, Original, Published, Record};

use super::{
    Acceptance, AppliedMove, Arrangement, Breach, CallFact, CallSeen, Caps, Collector, Commit, Damages, HistoryLine,
    HistoryQuery, Holder, Intent, IsAlive, KeptPlan, Known, Lease, LeaseAnswer, Reader, Readership, Right, RowAhead,
    RowSeen, Run, ShownVisitor, StateError, Survey, TableSeen, Visitor,
};

/// What pixform needs of a database.
///
/// Every function is one transaction: it happens whole, durably, or not at all. Reading functions treat missing tables
/// as empty and write nothing. Batches may be of any size; adapters split what their database cannot take at once.
#[async_trait]
pub trait State: Collector + Damages + Send + Sync {
    /// Tells what the state knows; the cheapest first question.
    ///
    /// # Errors
    /// [`StateError::Newer`] for tables of a newer program.
    async fn known(&self) -> Result<Known, StateError>;

    /// Streams the records of a collection, then, where a table is given, the rows of the published table, all of one
    /// moment.
    async fn scan(
        &self,
        collection: &CollectionName,
        table: Option<&TableSpec>,
        visitor: &mut (dyn Visitor + Send),
    ) -> Result<TableSeen, StateError>;

    /// Returns the whole records of those keys that have one, in no particular order.
    async fn records(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Record>, StateError>;

    /// Returns the rows of those keys that have one; an absent or unfit table has none.
    async fn rows(&self, table: &TableSpec, keys: &[AssetKey]) -> Result<Vec<RowSeen>, StateError>;

    /// Tells which rules of a table these rows would break, as far as its catalogue tells: what types hold, NOT NULL,
    /// CHECK, foreign keys, unique values (Postgres only). A table that is absent or unfit has none; what cannot be looked at or evaluated is left out, and
    /// so is whatever depends on a value that is not known.
    async fn breaches(&self, table: &TableSpec, rows: &[RowAhead]) -> Result<Vec<Breach>, StateError>;

    /// Returns the current originals of those recipes that have one.
    async fn originals(&self, recipes: &[RecipeDigest]) -> Result<Vec<Original>, StateError>;

    /// Returns originals by their content, current or not; several recipes may have made the same bytes.
    async fn originals_by_content(&self, contents: &[ContentDigest]) -> Result<Vec<Original>, StateError>;

    /// Returns what was last announced for these originals in these renditions. What is being deleted is not among it;
    /// who is going to refer to it asks by [`Collector::rely_on_objects`].
    async fn objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError>;

    /// Returns every path that pixform wrote or was about to write below the storage root: objects and originals, and
    /// those whose deletion is not over.
    async fn paths(&self) -> Result<Vec<String>, StateError>;

    /// Returns all ledger lines of those recipes, those of one recipe together and oldest first.
    async fn calls(&self, recipes: &[RecipeDigest], liveness: IsAlive<'_>) -> Result<Vec<CallSeen>, StateError>;

    /// Streams ledger lines, newest first. Writers may have to wait until the last is taken.
    async fn history(
        &self,
        wanted: &HistoryQuery,
        take: &mut (dyn FnMut(HistoryLine) + Send),
    ) -> Result<(), StateError>;

    /// Returns the renames of a collection that were carried out and whose line is still remembered.
    async fn moves(&self, collection: &CollectionName) -> Result<Vec<AppliedMove>, StateError>;

    /// Returns what was accepted of those keys, what was accepted of one key together and oldest first.
    async fn acceptances(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Acceptance>, StateError>;

    /// Returns what the calls of this calendar month cost, as [`State::intend`] counts it: in UTC by the state's clock.
    async fn spent_this_month(&self) -> Result<MicroUsd, StateError>;

    /// Returns a plan that was kept under its digest.
    async fn kept_plan(&self, digest: &PlanDigest) -> Result<Option<KeptPlan>, StateError>;

    /// Reads a table whatever it is: all its columns, and as many of its rows as asked; `None` where there is none.
    ///
    /// Integers keep all 63 bits; other numbers come as JSON numbers, or as text where that would lose digits; what JSON
    /// has no word for comes as text.
    async fn survey(&self, table: &TableName, rows_max: u64) -> Result<Option<Survey>, StateError>;

    /// Returns a text that tells one moment from another: of two that were asked of the same value of this type, the later
    /// differs from the earlier one if anything that can be read has changed between. It may differ without that, and is
    /// much cheaper than looking.
    async fn version(&self) -> Result<String, StateError>;

    /// Finds out in whose place rows are read: of the role that is asked for, or of the one that strangers are answered as
    /// where the database has it, or else of whoever is connected.
    ///
    /// # Errors
    /// [`StateError::Reader`] for a role that is asked for and that there is not, or that may not be taken on.
    async fn readership(&self, asked: Option<&str>) -> Result<Readership, StateError>;

    /// Streams what a collection shows to a reader, all of one moment: how, then its records, then the rows of the table
    /// that it was last published to, those of others, too. Of a collection that is not known, nothing; of one that the
    /// reader may read nothing of, only how.
    async fn shown(
        &self,
        collection: &CollectionName,
        reader: &Reader,
        visitor: &mut (dyn ShownVisitor + Send),
    ) -> Result<(), StateError>;

    /// Returns what the last apply said of a collection's order and columns.
    async fn arrangement(&self, collection: &CollectionName) -> Result<Option<Arrangement>, StateError>;

    /// Returns those of the recipes that records had before and have no more, and those that were
    /// [kept](State::keep_recipes); each once, in no particular order.
    async fn past_recipes(&self, recipes: &[RecipeDigest]) -> Result<Vec<(RecipeDigest, Recipe)>, StateError>;

    /// Returns those of the originals that a record named at some time, each once.
    async fn ever_published(&self, originals: &[ContentDigest]) -> Result<Vec<ContentDigest>, StateError>;

    /// Returns every file that was announced for these originals, those of one original together and oldest first.
    async fn files_of(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError>;

    /// Returns who holds the lease on a collection, expired or not.
    async fn holder(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError>;

    /// Creates or upgrades the state's own tables; safe when several processes do it at once.
    async fn migrate(&self) -> Result<(), StateError>;

    /// Creates the published table when it is missing; never alters one.
    ///
    /// # Errors
    /// [`StateError::Table`] when it exists and does not fit.
    async fn ensure_table(&self, table: &TableSpec) -> Result<(), StateError>;

    /// Remembers which store this state works with.
    async fn set_store(&self, store: &str) -> Result<(), StateError>;

    /// Remembers that a run began.
    async fn start_run(&self, run: &Run) -> Result<(), StateError>;

    /// Remembers how a run ended: `done`, `failed`, `interrupted`.
    async fn finish_run(&self, run: &str, outcome: &str) -> Result<(), StateError>;

    /// Remembers that a run without a lease still works.
    ///
    /// # Errors
    /// [`StateError::Silent`] for a run that has ended, or was not heard of for [`RUN_SILENT_SECONDS`](super::RUN_SILENT_SECONDS).
    async fn beat(&self, run: &str) -> Result<(), StateError>;

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

    /// Remembers a collection's key axes and, where there is one, its table; without one the last is kept. Fenced.
    ///
    /// Comes before the first commit, which tells by it which labels are part of the key.
    async fn remember_collection(
        &self,
        lease: &Lease,
        key: &[String],
        table: Option<&TableName>,
    ) -> Result<(), StateError>;

    /// Remembers order and columns of the lease's collection, for whoever shows it; nothing of one that is not known, and
    /// writes nothing where they are remembered already. Fenced.
    async fn arrange(&self, lease: &Lease, arrangement: &Arrangement) -> Result<(), StateError>;

    /// Forgets a collection that has no records left, and its renames; one with records stays as it is. Fenced.
    async fn forget_collection(&self, lease: &Lease) -> Result<(), StateError>;

    /// Forgets the carried-out renames of the collection that are not among those to keep. Fenced.
    async fn keep_moves(&self, lease: &Lease, keep: &[AppliedMove]) -> Result<(), StateError>;

    /// Asks whether calls of a run may be sent, and writes a line of status `intended` for each that may be, before it
    /// is. The answers come in the order of the calls. Fenced by the lease, or by the heartbeat as [`State::beat`] is.
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

    /// Keeps recipes that pictures are made of and that no record has yet, for [`State::past_recipes`]. Never fenced.
    async fn keep_recipes(&self, recipes: &[Recipe]) -> Result<(), StateError>;

    /// Keeps a plan under its digest; of several with one digest the last is kept. Never fenced.
    async fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StateError>;

    /// Makes paid `intended` lines of dead runs `unknown`; tells how many. Never fenced.
    async fn doubt(&self, liveness: IsAlive<'_>) -> Result<u64, StateError>;

    /// Remembers what people decided about lines that are unknown, rejected, lost or failed. Others, and those that
    /// have a decision, stay as they are; the status stays, too. Fenced as [`State::intend`] is.
    async fn decide(&self, right: Right<'_>, decisions: &[(String, Decision)]) -> Result<(), StateError>;

    /// Remembers originals that were found in the storage, and settles the open line of each recipe, if any, as
    /// finished. Never fenced.
    async fn found(&self, originals: &[Original]) -> Result<(), StateError>;

    /// Remembers files of the product that are taken over, each under the original that is copied from them. Never fenced.
    async fn keep_adopted(&self, files: &[(ContentDigest, Published)]) -> Result<(), StateError>;

    /// Returns the files of the product that these originals were copied from, whatever became of them since.
    async fn adopted_files(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError>;

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

    /// Writes records and rows of one collection together, renames and acceptances included, and remembers both. Fenced.
    ///
    /// All keys to be deleted or moved from speak of the state before the commit, so renames may swap keys and follow
    /// one another, and a key may be deleted while another record moves to it. A row is deleted or moved only if its
    /// record had a row: rows that no record owns are never touched, except that one which stands where values are to
    /// be written is merged: it takes the values and keeps its id. A row that is missing is inserted where there are
    /// values.
    ///
    /// What the records no longer name is unreferenced from then on, and the recipes that they have no more are kept for
    /// [`State::past_recipes`].
    ///
    /// Where there are values, the record keeps id and digest of the row as it came back; else those that it had. A
    /// record that had none, and one whose row is accepted ([`Accepted::Row`](super::Accepted::Row)), takes those that the put names.
    ///
    /// # Errors
    /// [`StateError::Table`] when the table is missing or does not fit, [`StateError::Row`] when one of the rows breaks a
    /// rule of the table.
    async fn commit(&self, lease: &Lease, table: Option<&TableSpec>, commit: &Commit) -> Result<(), StateError>;
}
