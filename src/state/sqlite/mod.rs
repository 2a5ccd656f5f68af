//! The state in a SQLite file, with the published table beside our own, which are named `pixform_*`.
//!
//! This file only says which question reads and which change writes; the rooms below do the work. SQLite is called
//! directly, because an answer takes less time than handing the question to another thread.

use async_trait::async_trait;
use rusqlite::{Connection, Transaction};

use self::database::{Database, PATIENCE};
use self::failure::Failure;
use super::{
    Acceptance, Access, AppliedMove, Arrangement, Breach, CallFact, CallSeen, Caps, Commit, HistoryLine, HistoryQuery,
    Holder, Intent, IsAlive, KeptPlan, Known, Lease, LeaseAnswer, Reader, Readership, Right, RowAhead, RowSeen, Run,
    Schema, ShownVisitor, State, StateError, Survey, TableSeen, Visitor,
};
use crate::asset::{AssetKey, CollectionName, MicroUsd, ObjectPath, Recipe, TableName, TableSpec};
use crate::digest::{ContentDigest, PlanDigest, RecipeDigest, RenditionDigest};
use crate::record::{Decision, NewCall, Original, Published, Record};
use crate::state::stored::unsigned;

mod accepted;
mod adopted;
mod ahead;
mod collect;
mod collector;
mod commit;
mod damages;
mod database;
mod failure;
mod history;
mod lease;
mod ledger;
mod originals;
mod plans;
mod read;
mod references;
mod rows;
mod runs;
mod schema;
mod shown;
mod survey;
mod table;
mod watch;

/// What a commit is called in messages.
const COMMIT: &str = "write records and rows";

/// Tells whether a journal lies beside the file: that of a writer at work, or of one that died.
pub(super) fn is_unfinished(path: &str) -> bool {
    database::journal_of(std::path::Path::new(path)).exists()
}

/// A state in a SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    database: Database,
}

impl Sqlite {
    /// Opens the file; `:memory:` is a database of its own that ends with this value.
    pub(super) fn open(path: &str, access: Access) -> Result<Self, StateError> {
        Ok(Self { database: Database::open(path, access, PATIENCE)? })
    }

    fn read<T>(
        &self,
        action: &'static str,
        ask: impl FnOnce(&Connection, Schema) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        self.database.read(action, |connection| ask(connection, schema::schema(connection)?))
    }

    /// Asks for what only our own tables hold: nothing, where they are absent.
    fn recall<T: Default>(
        &self,
        action: &'static str,
        ask: impl FnOnce(&Connection, Schema) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        self.read(action, |connection, schema| match schema {
            Schema::Absent => Ok(T::default()),
            Schema::Older(_) | Schema::Current => ask(connection, schema),
        })
    }

    fn write<T>(
        &self,
        action: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        self.database.write(action, |transaction| {
            // A schema newer than ours is not to be written to.
            schema::schema(transaction)?;
            change(transaction)
        })
    }
}

#[async_trait]
impl State for Sqlite {
    async fn known(&self) -> Result<Known, StateError> {
        self.read("read what it knows", read::known)
    }

    async fn scan(
        &self,
        collection: &CollectionName,
        table: Option<&TableSpec>,
        visitor: &mut (dyn Visitor + Send),
    ) -> Result<TableSeen, StateError> {
        self.read("read records and rows", |connection, schema| {
            read::scan(connection, schema, collection, table, visitor)
        })
    }

    async fn records(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Record>, StateError> {
        self.recall("read the records", |connection, _| read::records(connection, collection, keys))
    }

    async fn rows(&self, table: &TableSpec, keys: &[AssetKey]) -> Result<Vec<RowSeen>, StateError> {
        self.read("read the rows", |connection, schema| read::rows(connection, schema, table, keys))
    }

    async fn breaches(&self, table: &TableSpec, rows: &[RowAhead]) -> Result<Vec<Breach>, StateError> {
        self.read("look at the rules of the table", |connection, _| ahead::breaches(connection, table, rows))
    }

    async fn originals(&self, recipes: &[RecipeDigest]) -> Result<Vec<Original>, StateError> {
        self.recall("read the originals", |connection, _| originals::originals(connection, recipes))
    }

    async fn originals_by_content(&self, contents: &[ContentDigest]) -> Result<Vec<Original>, StateError> {
        self.recall("read the originals", |connection, _| originals::originals_by_content(connection, contents))
    }

    async fn objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall("read the published files", |connection, _| originals::objects(connection, wanted))
    }

    async fn paths(&self) -> Result<Vec<String>, StateError> {
        self.recall("read the paths", originals::paths)
    }

    async fn calls(&self, recipes: &[RecipeDigest], liveness: IsAlive<'_>) -> Result<Vec<CallSeen>, StateError> {
        self.recall("read the ledger", |connection, schema| history::calls(connection, schema, recipes, liveness))
    }

    async fn history(
        &self,
        wanted: &HistoryQuery,
        take: &mut (dyn FnMut(HistoryLine) + Send),
    ) -> Result<(), StateError> {
        self.recall("read the ledger", |connection, schema| history::history(connection, schema, wanted, take))
    }

    async fn moves(&self, collection: &CollectionName) -> Result<Vec<AppliedMove>, StateError> {
        self.recall("read the renames", |connection, _| read::moves(connection, collection))
    }

    async fn acceptances(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Acceptance>, StateError> {
        self.recall("read what was accepted", |connection, schema| {
            accepted::acceptances(connection, schema, collection, keys)
        })
    }

    async fn spent_this_month(&self) -> Result<MicroUsd, StateError> {
        let spent = self.recall("read the ledger", ledger::spent_this_month)?;
        Ok(MicroUsd(unsigned(spent)))
    }

    async fn kept_plan(&self, digest: &PlanDigest) -> Result<Option<KeptPlan>, StateError> {
        self.recall("read the plans", |connection, schema| plans::kept(connection, schema, digest))
    }

    async fn survey(&self, table: &TableName, rows_max: u64) -> Result<Option<Survey>, StateError> {
        self.read("read a table", |connection, _| survey::survey(connection, table, rows_max))
    }

    async fn version(&self) -> Result<String, StateError> {
        self.database.version("tell whether it changed")
    }

    async fn readership(&self, asked: Option<&str>) -> Result<Readership, StateError> {
        match asked {
            None => Ok(Readership::quiet(Reader::Connected)),
            Some(role) => Err(StateError::Reader {
                problem: format!("there is no role `{role}`: a state in SQLite has no roles"),
                help: "leave `--as-role` out: every row is shown".to_owned(),
            }),
        }
    }

    async fn shown(
        &self,
        collection: &CollectionName,
        _: &Reader,
        visitor: &mut (dyn ShownVisitor + Send),
    ) -> Result<(), StateError> {
        self.recall("read what it shows", |connection, schema| shown::shown(connection, schema, collection, visitor))
    }

    async fn arrangement(&self, collection: &CollectionName) -> Result<Option<Arrangement>, StateError> {
        self.recall("read the order", |connection, schema| shown::arrangement(connection, schema, collection))
    }

    async fn past_recipes(&self, recipes: &[RecipeDigest]) -> Result<Vec<(RecipeDigest, Recipe)>, StateError> {
        self.recall("read the recipes", |connection, schema| shown::recipes(connection, schema, recipes))
    }

    async fn ever_published(&self, originals: &[ContentDigest]) -> Result<Vec<ContentDigest>, StateError> {
        self.recall("read the originals", |connection, schema| shown::ever_published(connection, schema, originals))
    }

    async fn files_of(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall("read the published files", |connection, _| shown::files_of(connection, originals))
    }

    async fn holder(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        self.recall("read the lease", |connection, schema| lease::holder(connection, schema, collection))
    }

    async fn migrate(&self) -> Result<(), StateError> {
        self.write("create its tables", schema::migrate)
    }

    async fn ensure_table(&self, table: &TableSpec) -> Result<(), StateError> {
        self.write("create the published table", |transaction| {
            table::ensure(transaction, schema::schema(transaction)?, table)
        })
    }

    async fn set_store(&self, store: &str) -> Result<(), StateError> {
        self.write("remember its store", |transaction| schema::set_store(transaction, store))
    }

    async fn start_run(&self, run: &Run) -> Result<(), StateError> {
        self.write("remember the run", |transaction| runs::start_run(transaction, run))
    }

    async fn finish_run(&self, run: &str, outcome: &str) -> Result<(), StateError> {
        self.write("remember the end of the run", |transaction| runs::finish_run(transaction, run, outcome))
    }

    async fn beat(&self, run: &str) -> Result<(), StateError> {
        self.write("renew the run", |transaction| runs::beat(transaction, run))
    }

    async fn take_lease(
        &self,
        collection: &CollectionName,
        run: &Run,
        liveness: IsAlive<'_>,
    ) -> Result<LeaseAnswer, StateError> {
        self.write("take the lease", |transaction| lease::take(transaction, collection, run, liveness))
    }

    async fn renew(&self, leases: &[Lease]) -> Result<(), StateError> {
        self.write("renew the leases", |transaction| lease::renew(transaction, leases))
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        self.write("give the lease back", |transaction| lease::release(transaction, lease))
    }

    async fn break_lease(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        self.write("break the lease", |transaction| lease::unlock(transaction, collection))
    }

    async fn remember_collection(
        &self,
        lease: &Lease,
        key: &[String],
        table: Option<&TableName>,
    ) -> Result<(), StateError> {
        self.write("remember the collection", |transaction| lease::remember_collection(transaction, lease, key, table))
    }

    async fn arrange(&self, lease: &Lease, arrangement: &Arrangement) -> Result<(), StateError> {
        self.write("remember the order", |transaction| shown::arrange(transaction, lease, arrangement))
    }

    async fn forget_collection(&self, lease: &Lease) -> Result<(), StateError> {
        self.write("forget the collection", |transaction| lease::forget_collection(transaction, lease))
    }

    async fn keep_moves(&self, lease: &Lease, keep: &[AppliedMove]) -> Result<(), StateError> {
        self.write("forget renames", |transaction| lease::keep_moves(transaction, lease, keep))
    }

    async fn intend(
        &self,
        right: Right<'_>,
        calls: &[NewCall],
        caps: Caps,
        liveness: IsAlive<'_>,
    ) -> Result<Vec<Intent>, StateError> {
        self.write("write to the ledger", |transaction| ledger::intend(transaction, right, calls, caps, liveness))
    }

    async fn settle(&self, facts: &[CallFact]) -> Result<(), StateError> {
        self.write("write to the ledger", |transaction| ledger::settle(transaction, facts))
    }

    async fn keep_recipes(&self, recipes: &[Recipe]) -> Result<(), StateError> {
        self.write("keep recipes", |transaction| shown::keep_recipes(transaction, recipes))
    }

    async fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StateError> {
        self.write("keep the plan", |transaction| plans::keep(transaction, plan))
    }

    async fn doubt(&self, liveness: IsAlive<'_>) -> Result<u64, StateError> {
        self.write("write to the ledger", |transaction| ledger::doubt(transaction, liveness))
    }

    async fn decide(&self, right: Right<'_>, decisions: &[(String, Decision)]) -> Result<(), StateError> {
        self.write("write to the ledger", |transaction| ledger::decide(transaction, right, decisions))
    }

    async fn keep_adopted(&self, files: &[(ContentDigest, Published)]) -> Result<(), StateError> {
        self.write("remember files", |transaction| adopted::keep(transaction, files))
    }

    async fn adopted_files(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall("read the files that were taken over", |connection, schema| {
            adopted::files(connection, schema, originals)
        })
    }

    async fn found(&self, originals: &[Original]) -> Result<(), StateError> {
        self.write("remember originals", |transaction| originals::found(transaction, originals))
    }

    async fn announce(
        &self,
        files: &[(ContentDigest, Published)],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        self.write("remember files", |transaction| originals::announce(transaction, files, liveness))
    }

    async fn announce_originals(
        &self,
        originals: &[Original],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        self.write("remember files", |transaction| originals::announce_originals(transaction, originals, liveness))
    }

    async fn commit(&self, lease: &Lease, table: Option<&TableSpec>, commit: &Commit) -> Result<(), StateError> {
        self.write(COMMIT, |transaction| commit::commit(transaction, lease, table, commit))
    }
}
