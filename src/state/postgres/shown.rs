//! What a server shows: the order of a collection, its records and rows of one moment, and the recipes of the past.

use std::pin::pin;

use async_trait::async_trait;
use serde_json::Value;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, TransactionKind, bounded, next};
use super::failure::PostgresFailure;
use super::record_reads::{self, bytes};
use super::row_sight::{self, Sight, Withheld};
use super::rows;
use super::schema::schema;
use super::sql::full_name;
use super::{Postgres, kept_plans};
use super::{lease, survey};
use crate::asset::{CollectionName, ColumnType, Recipe, TableName, TableSpec};
use crate::digest::{ContentDigest, PlanDigest, RecipeDigest};
use crate::record::Published;
use crate::state::shown::{ShownCollection, TableColumns, columns, replaced};
use crate::state::stored_form::{self, from_json, has_arrangements, has_references, json, parsed};
use crate::state::table::{KeyRead, Times, quoted};
use crate::state::{
    Arrangement, Commit, KeptPlan, Lease, Readership, RowReader, Schema, ShownPort, ShownShape, ShownVisitor, Shows,
    StateError,
};

#[async_trait]
impl ShownPort for Postgres {
    async fn shown(
        &self,
        collection: &CollectionName,
        reader: &RowReader,
        visitor: &mut (dyn ShownVisitor + Send),
    ) -> Result<(), StateError> {
        let (transaction, schema) = self.begin("read what it shows").await?;
        if schema == Schema::Absent {
            return Ok(());
        }
        let told = async {
            shown(&transaction, schema, collection, reader, visitor).await?;
            transaction.commit().await
        };
        told.await.map_err(|failure| self.database.told(failure, "read what it shows"))
    }

    async fn arrangement(&self, collection: &CollectionName) -> Result<Option<Arrangement>, StateError> {
        self.recall(TransactionKind::Statement, "read the order", |transaction, schema| async move {
            arrangement(&transaction, schema, collection).await
        })
        .await
    }

    async fn arrange(&self, lease: &Lease, arrangement: &Arrangement) -> Result<(), StateError> {
        self.change(
            "remember the order",
            |transaction, _| async move { arrange(&transaction, lease, arrangement).await },
        )
        .await
    }

    async fn readership(&self, asked: Option<&str>) -> Result<Readership, StateError> {
        self.database
            .run(TransactionKind::Read, "tell who reads its rows", |transaction| async move {
                let schema = schema(&self.database, &transaction).await?;
                row_sight::readership(&transaction, schema, asked).await
            })
            .await
    }

    async fn past_recipes(&self, recipes: &[RecipeDigest]) -> Result<Vec<(RecipeDigest, Recipe)>, StateError> {
        self.recall(TransactionKind::Statement, "read the recipes", |transaction, schema| async move {
            past_recipes(&transaction, schema, recipes).await
        })
        .await
    }

    async fn keep_recipes(&self, recipes: &[Recipe]) -> Result<(), StateError> {
        self.change("keep recipes", |transaction, _| async move { keep_recipes(&transaction, recipes).await }).await
    }

    async fn ever_published(&self, originals: &[ContentDigest]) -> Result<Vec<ContentDigest>, StateError> {
        self.recall(TransactionKind::Statement, "read the originals", |transaction, schema| async move {
            ever_published(&transaction, schema, originals).await
        })
        .await
    }

    async fn files_of(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall(TransactionKind::Statement, "read the published files", |transaction, _| async move {
            files_of(&transaction, originals).await
        })
        .await
    }

    async fn kept_plan(&self, digest: &PlanDigest) -> Result<Option<KeptPlan>, StateError> {
        self.recall(TransactionKind::Statement, "read the plans", |transaction, schema| async move {
            kept_plans::kept(&transaction, schema, digest).await
        })
        .await
    }

    async fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StateError> {
        self.change("keep the plan", |transaction, _| async move { kept_plans::keep(&transaction, plan).await }).await
    }
}

/// Streams what a collection shows; nothing of one that is not known.
pub(super) async fn shown(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
    reader: &RowReader,
    visitor: &mut (dyn ShownVisitor + Send),
) -> Result<(), PostgresFailure> {
    let Some(known) = known(transaction, schema, collection).await? else { return Ok(()) };
    let ShownCollection { key, table, arrangement } = known;
    let sight = match &table {
        Some(table) => Sight::of(transaction, table, reader).await?,
        None => Sight::default(),
    };
    let Some(name) = table.filter(|_| key.iter().all(|axis| sight.has(axis))) else {
        let (columns, shows) = (Vec::new(), Shows::Everything);
        visitor.shape(ShownShape { key, table: None, columns, shows, arrangement });
        return record_reads::heads(transaction, collection, &mut |head| visitor.record(head)).await;
    };
    let times = match is_ours(transaction, &name).await? {
        true => Times::Kept,
        false => Times::Foreign,
    };
    let has = TableColumns { there: &sight.names(), times };
    let (declared, shown) = columns(&key, arrangement.as_ref(), has, |one, other| one == other);
    let columns = sight.readable(&shown);
    let withheld = if columns.len() == shown.len() { Withheld::Nothing } else { Withheld::Columns };
    let shows = match key.iter().all(|axis| sight.may_read(axis)) {
        true => sight.shows(transaction, &name, reader, withheld).await?,
        false => Shows::Nothing,
    };
    let digested = declared.iter().all(|column| sight.may_read(column)).then_some(declared);
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    visitor.shape(ShownShape { key: key.clone(), table: Some(name.clone()), columns, shows, arrangement });
    if shows == Shows::Nothing {
        return Ok(());
    }
    record_reads::heads(transaction, collection, &mut |head| visitor.record(head)).await?;
    row_sight::take_on(transaction, reader).await?;
    let digest = if digested.is_some() { Digested::Rows } else { Digested::Nothing };
    let columns = digested.into_iter().flatten().map(|column| (column, ColumnType::Text)).collect();
    stream(transaction, &TableSpec { name, key, columns }, digest, &names, visitor).await
}

/// Whether rows come with a digest of their declared columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digested {
    Rows,
    /// Some of these columns may not be read.
    Nothing,
}

async fn known(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
) -> Result<Option<ShownCollection>, PostgresFailure> {
    let arrangement = if has_arrangements(schema) { "arrangement" } else { "NULL::text" };
    let sql = format!("SELECT key_axes, table_name, {arrangement} FROM pixform.collections WHERE name = $1");
    let found = transaction.query_typed_opt(&sql, &[(&collection.as_str(), Type::TEXT)]).await?;
    let Some(row) = found else { return Ok(None) };
    let place = || format!("the collection `{collection}`");
    Ok(Some(ShownCollection {
        key: from_json(row.try_get(0)?, place)?,
        table: row.try_get::<_, Option<&str>>(1)?.map(|table| parsed(table, place)).transpose()?,
        arrangement: row.try_get::<_, Option<&str>>(2)?.map(|text| from_json(text, place)).transpose()?,
    }))
}

async fn is_ours(transaction: &Transaction, table: &TableName) -> Result<bool, PostgresFailure> {
    let sql = "SELECT 1 FROM pixform.tables WHERE name = $1";
    Ok(transaction.query_typed_opt(sql, &[(&table.to_string(), Type::TEXT)]).await?.is_some())
}

/// Streams the rows: what the digest is made of comes first and as text, then what is shown as JSON.
async fn stream(
    transaction: &Transaction,
    spec: &TableSpec,
    digested: Digested,
    shown: &[String],
    visitor: &mut (dyn ShownVisitor + Send),
) -> Result<(), PostgresFailure> {
    let values = shown.iter().map(|column| format!(", to_jsonb(t.{})::text", quoted(column)));
    let values: String = values.collect();
    let sql = format!("SELECT {}{values} FROM {} AS t", rows::texts(spec), full_name(&spec.name));
    let asked = async { Ok(transaction.query_typed_raw(&sql, Vec::<Param<'_>>::new()).await?) };
    let mut found = pin!(bounded(asked).await?);
    let first = spec.key.len() + spec.columns.len();
    let (mut key, mut buffer, mut values) = (String::new(), Vec::new(), vec![Value::Null; shown.len()]);
    while let Some(row) = next(&mut found).await? {
        if rows::read_key(&row, spec, &mut key)? != KeyRead::Whole {
            continue;
        }
        for (at, slot) in values.iter_mut().enumerate() {
            *slot = survey::cell(&row, first + at, || format!("the table `{}`", spec.name))?;
        }
        let seen = match digested {
            Digested::Rows => Some(rows::seen(&row, spec, &mut buffer)?),
            Digested::Nothing => None,
        };
        visitor.row(&key, seen, &values);
    }
    Ok(())
}

/// Returns what the last apply said of order and columns.
pub(super) async fn arrangement(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
) -> Result<Option<Arrangement>, PostgresFailure> {
    Ok(known(transaction, schema, collection).await?.and_then(|known| known.arrangement))
}

/// Remembers order and columns of a collection that is known; writes nothing where they are the same.
pub(super) async fn arrange(
    transaction: &Transaction,
    lease: &Lease,
    arrangement: &Arrangement,
) -> Result<(), PostgresFailure> {
    lease::check(transaction, lease).await?;
    let sql = "UPDATE pixform.collections SET arrangement = $2
               WHERE name = $1 AND arrangement IS DISTINCT FROM $2";
    let params: [Param<'_>; 2] = [(&lease.collection.as_str(), Type::TEXT), (&json(arrangement), Type::TEXT)];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}

/// Keeps the recipes that a commit takes away from records; comes before it writes.
pub(super) async fn keep_replaced(
    transaction: &Transaction,
    lease: &Lease,
    commit: &Commit,
) -> Result<(), PostgresFailure> {
    let sql = "INSERT INTO pixform.recipes (recipe, document)
               SELECT r.recipe, d.recipe FROM unnest($1, $2, $3) AS w (collection, key, recipe)
               JOIN pixform.records AS r
                 ON r.collection = w.collection AND r.key = w.key AND encode(r.recipe, 'hex') <> w.recipe
               JOIN pixform.record_details AS d ON d.collection = r.collection AND d.key = r.key
               ON CONFLICT DO NOTHING";
    let (mut collections, mut keys, mut recipes) = (Vec::new(), Vec::new(), Vec::new());
    for (collection, key, recipe) in replaced(&lease.collection, commit) {
        collections.push(collection);
        keys.push(key);
        recipes.push(recipe);
    }
    let params: [Param<'_>; 3] =
        [(&collections, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY), (&recipes, Type::TEXT_ARRAY)];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}

/// Keeps recipes that no record has yet.
pub(super) async fn keep_recipes(transaction: &Transaction, recipes: &[Recipe]) -> Result<(), PostgresFailure> {
    let sql = "INSERT INTO pixform.recipes (recipe, document)
               SELECT w.recipe, w.document FROM unnest($1, $2) AS w (recipe, document) ON CONFLICT DO NOTHING";
    let digests: Vec<RecipeDigest> = recipes.iter().map(Recipe::digest).collect();
    let digests: Vec<&[u8]> = digests.iter().map(|digest| digest.as_bytes().as_slice()).collect();
    let documents: Vec<String> = recipes.iter().map(json).collect();
    transaction.execute_typed(sql, &[(&digests, Type::BYTEA_ARRAY), (&documents, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

/// Returns the originals that a record named at some time.
pub(super) async fn ever_published(
    transaction: &Transaction,
    schema: Schema,
    originals: &[ContentDigest],
) -> Result<Vec<ContentDigest>, PostgresFailure> {
    let sql = match has_references(schema) {
        true => "SELECT DISTINCT sha256 FROM pixform.originals WHERE sha256 = ANY($1) AND published",
        false => "SELECT DISTINCT original FROM pixform.record_details WHERE original = ANY($1)",
    };
    let originals: Vec<&[u8]> = originals.iter().map(|original| original.as_bytes().as_slice()).collect();
    let found = transaction.query_typed(sql, &[(&originals, Type::BYTEA_ARRAY)]).await?;
    let digest = |row| Ok(ContentDigest::from_bytes(bytes(row, 0, || "the originals".to_owned())?));
    found.iter().map(digest).collect()
}

/// Returns recipes that records had before, or that were kept.
pub(super) async fn past_recipes(
    transaction: &Transaction,
    schema: Schema,
    wanted: &[RecipeDigest],
) -> Result<Vec<(RecipeDigest, Recipe)>, PostgresFailure> {
    if !has_arrangements(schema) {
        return Ok(Vec::new());
    }
    let wanted: Vec<&[u8]> = wanted.iter().map(|recipe| recipe.as_bytes().as_slice()).collect();
    let sql = "SELECT recipe, document FROM pixform.recipes WHERE recipe = ANY($1)";
    let mut recipes = Vec::new();
    for row in transaction.query_typed(sql, &[(&wanted, Type::BYTEA_ARRAY)]).await? {
        let digest = RecipeDigest::from_bytes(bytes(&row, 0, || "the recipes of the past".to_owned())?);
        recipes.push((digest, from_json(row.try_get(1)?, || format!("the recipe `{digest}`"))?));
    }
    Ok(recipes)
}

/// Returns every file that was announced for originals, those of one original together and oldest first.
pub(super) async fn files_of(
    transaction: &Transaction,
    originals: &[ContentDigest],
) -> Result<Vec<(ContentDigest, Published)>, PostgresFailure> {
    let originals: Vec<&[u8]> = originals.iter().map(|original| original.as_bytes().as_slice()).collect();
    let sql = "SELECT original, published FROM pixform.objects WHERE original = ANY($1)
               ORDER BY original, created_at, path";
    let mut files = Vec::new();
    for row in transaction.query_typed(sql, &[(&originals, Type::BYTEA_ARRAY)]).await? {
        let original = ContentDigest::from_bytes(bytes(&row, 0, || "the published files".to_owned())?);
        let place = || format!("the files of the original `{original}`");
        let published = stored_form::published(row.try_get(1)?, place)?;
        files.extend(published.into_iter().map(|published| (original, published)));
    }
    Ok(files)
}
