//! The port in a Postgres database: which question reads and which change writes; the rooms beside do the work. What may
//! be done twice is said at each change.

use async_trait::async_trait;

use super::ask::{change, recall};
use super::database::transaction;
use super::lease::Stamp;
use super::schema::{self, schema};
use super::{
    COMMIT, Postgres, accepted, adopted, ahead, commit, history, lease, ledger, originals, plans, read, runs, settle,
    shown, sight, survey, table,
};
use crate::asset::{AssetKey, CollectionName, MicroUsd, ObjectPath, Recipe, TableName, TableSpec};
use crate::digest::{ContentDigest, PlanDigest, RecipeDigest, RenditionDigest};
use crate::record::{Decision, NewCall, Original, Published, Record};
use crate::state::stored::unsigned;
use crate::state::{
    Acceptance, AppliedMove, Arrangement, Breach, CallFact, CallSeen, Caps, Commit, HistoryLine, HistoryQuery, Holder,
    Intent, IsAlive, KeptPlan, Known, Lease, LeaseAnswer, Reader, Readership, Right, RowAhead, RowSeen, Run, Schema,
    ShownVisitor, State, StateError, Survey, TableSeen, Visitor,
};

#[async_trait]
impl State for Postgres {
    async fn known(&self) -> Result<Known, StateError> {
        transaction!(self.database, Read, "read what it knows", |transaction| async {
            let schema = schema(&self.database, &transaction).await?;
            read::known(&transaction, schema).await
        }
        .await)
    }

    async fn scan(
        &self,
        collection: &CollectionName,
        table: Option<&TableSpec>,
        visitor: &mut (dyn Visitor + Send),
    ) -> Result<TableSeen, StateError> {
        let (transaction, schema) = self.begin("read records and rows").await?;
        let scanned = async {
            let seen = read::scan(&transaction, schema, collection, table, visitor).await?;
            transaction.commit().await?;
            Ok(seen)
        };
        scanned.await.map_err(|failure| self.database.told(failure, "read records and rows"))
    }

    async fn records(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Record>, StateError> {
        recall!(self, Statement, "read the records", |transaction, _schema| read::records(
            &transaction,
            collection,
            keys
        ))
    }

    async fn rows(&self, table: &TableSpec, keys: &[AssetKey]) -> Result<Vec<RowSeen>, StateError> {
        transaction!(self.database, Read, "read the rows", |transaction| async {
            let schema = schema(&self.database, &transaction).await?;
            read::rows(&transaction, schema, table, keys).await
        }
        .await)
    }

    async fn breaches(&self, table: &TableSpec, rows: &[RowAhead]) -> Result<Vec<Breach>, StateError> {
        ahead::breaches(&self.database, table, rows).await
    }

    async fn originals(&self, recipes: &[RecipeDigest]) -> Result<Vec<Original>, StateError> {
        recall!(self, Statement, "read the originals", |transaction, _schema| originals::originals(
            &transaction,
            recipes
        ))
    }

    async fn originals_by_content(&self, contents: &[ContentDigest]) -> Result<Vec<Original>, StateError> {
        recall!(self, Statement, "read the originals", |transaction, _schema| originals::originals_by_content(
            &transaction,
            contents
        ))
    }

    async fn objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        recall!(self, Statement, "read the published files", |transaction, _schema| originals::objects(
            &transaction,
            wanted
        ))
    }

    async fn paths(&self) -> Result<Vec<String>, StateError> {
        recall!(self, Statement, "read the paths", |transaction, schema| originals::paths(&transaction, schema))
    }

    async fn calls(&self, recipes: &[RecipeDigest], liveness: IsAlive<'_>) -> Result<Vec<CallSeen>, StateError> {
        recall!(self, Read, "read the ledger", |transaction, schema| history::calls(
            &transaction,
            schema,
            recipes,
            liveness
        ))
    }

    async fn history(
        &self,
        wanted: &HistoryQuery,
        take: &mut (dyn FnMut(HistoryLine) + Send),
    ) -> Result<(), StateError> {
        let (transaction, schema) = self.begin("read the ledger").await?;
        if schema == Schema::Absent {
            return Ok(());
        }
        let told = async {
            history::history(&transaction, schema, wanted, take).await?;
            transaction.commit().await
        };
        told.await.map_err(|failure| self.database.told(failure, "read the ledger"))
    }

    async fn moves(&self, collection: &CollectionName) -> Result<Vec<AppliedMove>, StateError> {
        recall!(self, Statement, "read the renames", |transaction, _schema| read::moves(&transaction, collection))
    }

    async fn acceptances(&self, collection: &CollectionName, keys: &[AssetKey]) -> Result<Vec<Acceptance>, StateError> {
        recall!(self, Statement, "read what was accepted", |transaction, schema| accepted::acceptances(
            &transaction,
            schema,
            collection,
            keys
        ))
    }

    async fn spent_this_month(&self) -> Result<MicroUsd, StateError> {
        let spent: Result<i64, StateError> = recall!(self, Statement, "read the ledger", |transaction, schema| {
            ledger::spent_this_month(&transaction, schema)
        });
        Ok(MicroUsd(unsigned(spent?)))
    }

    async fn kept_plan(&self, digest: &PlanDigest) -> Result<Option<KeptPlan>, StateError> {
        recall!(self, Statement, "read the plans", |transaction, schema| plans::kept(&transaction, schema, digest))
    }

    async fn survey(&self, table: &TableName, rows_max: u64) -> Result<Option<Survey>, StateError> {
        transaction!(self.database, Read, "read a table", |transaction| {
            survey::survey(&transaction, table, rows_max).await
        })
    }

    async fn version(&self) -> Result<String, StateError> {
        transaction!(self.database, Statement, "tell whether it changed", |transaction| {
            shown::version(&transaction).await
        })
    }

    async fn readership(&self, asked: Option<&str>) -> Result<Readership, StateError> {
        transaction!(self.database, Read, "tell who reads its rows", |transaction| async {
            let schema = schema(&self.database, &transaction).await?;
            sight::readership(&transaction, schema, asked).await
        }
        .await)
    }

    async fn shown(
        &self,
        collection: &CollectionName,
        reader: &Reader,
        visitor: &mut (dyn ShownVisitor + Send),
    ) -> Result<(), StateError> {
        let (transaction, schema) = self.begin("read what it shows").await?;
        if schema == Schema::Absent {
            return Ok(());
        }
        let told = async {
            shown::shown(&transaction, schema, (collection, reader), visitor).await?;
            transaction.commit().await
        };
        told.await.map_err(|failure| self.database.told(failure, "read what it shows"))
    }

    async fn arrangement(&self, collection: &CollectionName) -> Result<Option<Arrangement>, StateError> {
        recall!(self, Statement, "read the order", |transaction, schema| shown::arrangement(
            &transaction,
            schema,
            collection
        ))
    }

    async fn past_recipes(&self, recipes: &[RecipeDigest]) -> Result<Vec<(RecipeDigest, Recipe)>, StateError> {
        recall!(self, Statement, "read the recipes", |transaction, schema| shown::recipes(
            &transaction,
            schema,
            recipes
        ))
    }

    async fn ever_published(&self, originals: &[ContentDigest]) -> Result<Vec<ContentDigest>, StateError> {
        recall!(self, Statement, "read the originals", |transaction, schema| shown::ever_published(
            &transaction,
            schema,
            originals
        ))
    }

    async fn files_of(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        recall!(self, Statement, "read the published files", |transaction, _schema| shown::files_of(
            &transaction,
            originals
        ))
    }

    async fn holder(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        recall!(self, Statement, "read the lease", |transaction, schema| lease::holder(
            &transaction,
            schema,
            collection
        ))
    }

    async fn migrate(&self) -> Result<(), StateError> {
        let migrated = transaction!(self.database, Read, "read its tables", |transaction| {
            schema::is_migrated(&self.database, &transaction).await
        });
        if migrated? {
            return Ok(());
        }
        transaction!(self.database, Write, "create its tables", |transaction| schema::migrate(&transaction).await)
    }

    async fn ensure_table(&self, table: &TableSpec) -> Result<(), StateError> {
        change!(self, "create the published table", |transaction, _schema| table::ensure(&transaction, table))
    }

    async fn set_store(&self, store: &str) -> Result<(), StateError> {
        change!(self, "remember its store", |transaction, _schema| schema::set_store(&transaction, store))
    }

    async fn start_run(&self, run: &Run) -> Result<(), StateError> {
        change!(self, "remember the run", |transaction, _schema| runs::start_run(&transaction, run))
    }

    async fn finish_run(&self, run: &str, outcome: &str) -> Result<(), StateError> {
        change!(self, "remember the end of the run", |transaction, _schema| runs::finish_run(
            &transaction,
            run,
            outcome
        ))
    }

    async fn beat(&self, run: &str) -> Result<(), StateError> {
        change!(self, "renew the run", |transaction, _schema| runs::beat_alone(&transaction, run, None))
    }

    async fn take_lease(
        &self,
        collection: &CollectionName,
        run: &Run,
        liveness: IsAlive<'_>,
    ) -> Result<LeaseAnswer, StateError> {
        change!(self, "take the lease", |transaction, schema| lease::take(
            &transaction,
            schema,
            collection,
            run,
            liveness
        ))
    }

    async fn renew(&self, leases: &[Lease]) -> Result<(), StateError> {
        change!(self, "renew the leases", |transaction, _schema| lease::renew(&transaction, leases))
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        change!(self, "give the lease back", |transaction, _schema| lease::release(&transaction, lease))
    }

    async fn break_lease(&self, collection: &CollectionName) -> Result<Option<Holder>, StateError> {
        change!(self, "break the lease", |transaction, schema| lease::unlock(&transaction, schema, collection))
    }

    async fn remember_collection(
        &self,
        lease: &Lease,
        key: &[String],
        table: Option<&TableName>,
    ) -> Result<(), StateError> {
        change!(self, "remember the collection", |transaction, _schema| lease::remember_collection(
            &transaction,
            lease,
            key,
            table
        ))
    }

    async fn arrange(&self, lease: &Lease, arrangement: &Arrangement) -> Result<(), StateError> {
        change!(self, "remember the order", |transaction, _schema| shown::arrange(&transaction, lease, arrangement))
    }

    async fn forget_collection(&self, lease: &Lease) -> Result<(), StateError> {
        change!(self, "forget the collection", |transaction, _schema| lease::forget_collection(&transaction, lease))
    }

    async fn keep_moves(&self, lease: &Lease, keep: &[AppliedMove]) -> Result<(), StateError> {
        change!(self, "forget renames", |transaction, _schema| lease::keep_moves(&transaction, lease, keep))
    }

    async fn intend(
        &self,
        right: Right<'_>,
        calls: &[NewCall],
        caps: Caps,
        liveness: IsAlive<'_>,
    ) -> Result<Vec<Intent>, StateError> {
        let stamp = Stamp::new();
        change!(self, "write to the ledger", |transaction, _schema| async {
            let asked = match stamp.is_set(&transaction, right).await? {
                true => ledger::Asked::Again,
                false => ledger::Asked::First,
            };
            ledger::intend(&transaction, right, calls, (caps, liveness), (&stamp.name, asked)).await
        })
    }

    async fn settle(&self, facts: &[CallFact]) -> Result<(), StateError> {
        change!(self, "write to the ledger", |transaction, _schema| settle::settle(&transaction, facts))
    }

    async fn keep_recipes(&self, recipes: &[Recipe]) -> Result<(), StateError> {
        change!(self, "keep recipes", |transaction, _schema| shown::keep_recipes(&transaction, recipes))
    }

    async fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StateError> {
        change!(self, "keep the plan", |transaction, _schema| plans::keep(&transaction, plan))
    }

    async fn doubt(&self, liveness: IsAlive<'_>) -> Result<u64, StateError> {
        change!(self, "write to the ledger", |transaction, _schema| ledger::doubt(&transaction, liveness))
    }

    async fn decide(&self, right: Right<'_>, decisions: &[(String, Decision)]) -> Result<(), StateError> {
        change!(self, "write to the ledger", |transaction, _schema| ledger::decide(&transaction, right, decisions))
    }

    async fn keep_adopted(&self, files: &[(ContentDigest, Published)]) -> Result<(), StateError> {
        change!(self, "remember files", |transaction, _schema| adopted::keep(&transaction, files))
    }

    async fn adopted_files(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        recall!(self, Statement, "read the files that were taken over", |transaction, schema| adopted::files(
            &transaction,
            schema,
            originals
        ))
    }

    async fn found(&self, originals: &[Original]) -> Result<(), StateError> {
        change!(self, "remember originals", |transaction, _schema| originals::found(&transaction, originals))
    }

    async fn announce(
        &self,
        files: &[(ContentDigest, Published)],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        change!(self, "remember files", |transaction, _schema| originals::announce(&transaction, files, liveness))
    }

    async fn announce_originals(
        &self,
        originals: &[Original],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        change!(self, "remember files", |transaction, _schema| originals::announce_originals(
            &transaction,
            originals,
            liveness
        ))
    }

    async fn commit(&self, lease: &Lease, table: Option<&TableSpec>, commit: &Commit) -> Result<(), StateError> {
        // Renames cannot be done twice.
        let stamp = Stamp::new();
        let committed = change!(self, COMMIT, |transaction, _schema| async {
            match stamp.is_set(&transaction, Right::Lease(lease)).await? {
                true => Ok(()),
                false => commit::commit(&transaction, lease, table, commit, (&stamp.name, &self.shapes)).await,
            }
        });
        if committed.is_err() {
            self.shapes.forget();
        }
        committed
    }
}
