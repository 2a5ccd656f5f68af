//! What a server shows: the order of a collection, its records and rows of one moment, and the recipes of the past.

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Value;

use super::failure::SqliteFailure;
use super::lease;
use super::record_reads::{self, bytes, text};
use super::rows::{self, KEYS_MAX, distinct, value};
use super::table::{self, Affinity, affinity, same};
use super::{Sqlite, kept_plans};
use crate::asset::{CollectionName, ColumnType, Recipe, TableSpec};
use crate::digest::{ContentDigest, PlanDigest, RecipeDigest};
use crate::record::Published;
use crate::state::shown::{self, Replaced, ShownCollection, TableColumns};
use crate::state::stored_form::{self, from_json, has_arrangements, has_references, json, parsed};
use crate::state::table::{KeyRead, Times, quoted};
use crate::state::{
    Arrangement, ColumnHolds, Commit, KeptPlan, Lease, Nulls, Readership, RowReader, Schema, ShownColumn, ShownPort,
    ShownShape, ShownVisitor, Shows, StateError,
};

#[async_trait]
impl ShownPort for Sqlite {
    async fn shown(
        &self,
        collection: &CollectionName,
        _: &RowReader,
        visitor: &mut (dyn ShownVisitor + Send),
    ) -> Result<(), StateError> {
        self.recall("read what it shows", |connection, schema| shown(connection, schema, collection, visitor))
    }

    async fn arrangement(&self, collection: &CollectionName) -> Result<Option<Arrangement>, StateError> {
        self.recall("read the order", |connection, schema| arrangement(connection, schema, collection))
    }

    async fn arrange(&self, lease: &Lease, arrangement: &Arrangement) -> Result<(), StateError> {
        self.write("remember the order", |transaction| arrange(transaction, lease, arrangement))
    }

    async fn readership(&self, asked: Option<&str>) -> Result<Readership, StateError> {
        match asked {
            None => Ok(Readership::quiet(RowReader::Connected)),
            Some(role) => Err(StateError::Reader {
                problem: format!("there is no role `{role}`: a state in SQLite has no roles"),
                help: "leave `--as-role` out: every row is shown".to_owned(),
            }),
        }
    }

    async fn past_recipes(&self, recipes: &[RecipeDigest]) -> Result<Vec<(RecipeDigest, Recipe)>, StateError> {
        self.recall("read the recipes", |connection, schema| past_recipes(connection, schema, recipes))
    }

    async fn keep_recipes(&self, recipes: &[Recipe]) -> Result<(), StateError> {
        self.write("keep recipes", |transaction| keep_recipes(transaction, recipes))
    }

    async fn ever_published(&self, originals: &[ContentDigest]) -> Result<Vec<ContentDigest>, StateError> {
        self.recall("read the originals", |connection, schema| ever_published(connection, schema, originals))
    }

    async fn files_of(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall("read the published files", |connection, _| files_of(connection, originals))
    }

    async fn kept_plan(&self, digest: &PlanDigest) -> Result<Option<KeptPlan>, StateError> {
        self.recall("read the plans", |connection, schema| kept_plans::kept(connection, schema, digest))
    }

    async fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StateError> {
        self.write("keep the plan", |transaction| kept_plans::keep(transaction, plan))
    }
}

/// Streams what a collection shows; nothing of one that is not known.
pub(super) fn shown(
    connection: &Connection,
    schema: Schema,
    collection: &CollectionName,
    visitor: &mut (dyn ShownVisitor + Send),
) -> Result<(), SqliteFailure> {
    let Some(known) = known(connection, schema, collection)? else { return Ok(()) };
    let ShownCollection { key, table, arrangement } = known;
    let found = match &table {
        Some(table) => shown_columns(connection, &table.name)?,
        None => Vec::new(),
    };
    let there: Vec<String> = found.iter().map(|column| column.name.clone()).collect();
    let table = table.filter(|_| key.iter().all(|axis| there.iter().any(|name| name.eq_ignore_ascii_case(axis))));
    let Some(name) = table else {
        let (columns, shows) = (Vec::new(), Shows::Everything);
        visitor.shape(ShownShape { key, table: None, columns, shows, arrangement });
        return record_reads::heads(connection, collection, &mut |head| visitor.record(head));
    };
    let times = match table::is_ours(connection, &name.name)? {
        true => Times::Kept,
        false => Times::Foreign,
    };
    let (declared, shown) =
        shown::columns(&key, arrangement.as_ref(), TableColumns { there: &there, times }, |one, other| {
            one.eq_ignore_ascii_case(other)
        });
    let columns = declared.into_iter().map(|column| (column, ColumnType::Text)).collect();
    let spec = TableSpec { name: name.clone(), key: key.clone(), columns };
    let columns = shown.iter().map(|name| described(name, &found, times)).collect();
    visitor.shape(ShownShape { key, table: Some(name), columns, shows: Shows::Everything, arrangement });
    record_reads::heads(connection, collection, &mut |head| visitor.record(head))?;
    stream(connection, &spec, &shown, visitor)
}

fn known(
    connection: &Connection,
    schema: Schema,
    collection: &CollectionName,
) -> Result<Option<ShownCollection>, SqliteFailure> {
    let arrangement = if has_arrangements(schema) { "arrangement" } else { "NULL" };
    let sql = format!("SELECT key_axes, table_name, {arrangement} FROM pixform_collections WHERE name = ?1");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([collection.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let place = || format!("the collection `{collection}`");
    let table: Option<String> = row.get(1)?;
    let arrangement: Option<String> = row.get(2)?;
    Ok(Some(ShownCollection {
        key: from_json(text(row, 0)?, place)?,
        table: table.map(|table| parsed(&table, place)).transpose()?,
        arrangement: arrangement.map(|text| from_json(&text, place)).transpose()?,
    }))
}

/// Returns what is known of a column that is shown; its name is as it was declared, whatever the case of the table's.
fn described(name: &str, found: &[ShownColumn], times: Times) -> ShownColumn {
    let is_time = times == Times::Kept && ["created_at", "updated_at"].contains(&name);
    let column = found.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    let (holds, nulls) = column.map_or((ColumnHolds::Anything, Nulls::Allowed), |column| (column.holds, column.nulls));
    ShownColumn { name: name.to_owned(), holds: if is_time { ColumnHolds::Moment } else { holds }, nulls }
}

/// Streams the rows: the columns of which the digest is made come first, then those that are shown.
fn stream(
    connection: &Connection,
    spec: &TableSpec,
    shown: &[String],
    visitor: &mut (dyn ShownVisitor + Send),
) -> Result<(), SqliteFailure> {
    let digested = spec.key.iter().chain(spec.columns.iter().map(|(column, _)| column));
    let names: Vec<String> = digested.chain(shown).map(|name| format!("t.{}", quoted(name))).collect();
    let sql = format!("SELECT {} FROM {} AS t", names.join(", "), quoted(&spec.name.name));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let first = spec.key.len() + spec.columns.len();
    let (mut key, mut buffer, mut values) = (String::new(), Vec::new(), vec![Value::Null; shown.len()]);
    while let Some(row) = rows.next()? {
        if rows::read_key(row, spec, &mut key)? != KeyRead::Whole {
            continue;
        }
        for (at, slot) in values.iter_mut().enumerate() {
            let read: ValueRef<'_> = row.get_ref(first + at)?;
            *slot = value(read);
        }
        visitor.row(&key, Some(rows::seen(row, spec, &mut buffer)?), &values);
    }
    Ok(())
}

/// Returns what the last apply said of order and columns.
pub(super) fn arrangement(
    connection: &Connection,
    schema: Schema,
    collection: &CollectionName,
) -> Result<Option<Arrangement>, SqliteFailure> {
    Ok(known(connection, schema, collection)?.and_then(|known| known.arrangement))
}

/// Remembers order and columns of a collection that is known; writes nothing where they are the same.
pub(super) fn arrange(
    transaction: &Transaction<'_>,
    lease: &Lease,
    arrangement: &Arrangement,
) -> Result<(), SqliteFailure> {
    lease::check(transaction, lease)?;
    transaction.execute(
        "UPDATE pixform_collections SET arrangement = ?2 WHERE name = ?1 AND arrangement IS NOT ?2",
        params![lease.collection.as_str(), json(arrangement)],
    )?;
    Ok(())
}

/// Keeps the recipes that a commit takes away from records; comes before it writes.
pub(super) fn keep_replaced(
    transaction: &Transaction<'_>,
    lease: &Lease,
    commit: &Commit,
) -> Result<(), SqliteFailure> {
    let mut statement = transaction.prepare(
        "INSERT INTO pixform_recipes (recipe, document)
         SELECT r.recipe, d.recipe FROM json_each(?1) AS w
         CROSS JOIN pixform_records AS r
           ON r.collection = w.value ->> 0 AND r.key = w.value ->> 1 AND hex(r.recipe) <> upper(w.value ->> 2)
         CROSS JOIN pixform_record_details AS d ON d.collection = r.collection AND d.key = r.key
         WHERE true ON CONFLICT DO NOTHING",
    )?;
    let replaced: Vec<Replaced<'_>> = shown::replaced(&lease.collection, commit);
    for replaced in replaced.chunks(KEYS_MAX) {
        statement.execute([json(&replaced)])?;
    }
    Ok(())
}

/// Keeps recipes that no record has yet.
pub(super) fn keep_recipes(transaction: &Transaction<'_>, recipes: &[Recipe]) -> Result<(), SqliteFailure> {
    let mut statement =
        transaction.prepare("INSERT INTO pixform_recipes (recipe, document) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for recipe in recipes {
        statement.execute(params![recipe.digest().as_bytes(), json(recipe)])?;
    }
    Ok(())
}

/// Returns the originals that a record named at some time.
pub(super) fn ever_published(
    connection: &Connection,
    schema: Schema,
    originals: &[ContentDigest],
) -> Result<Vec<ContentDigest>, SqliteFailure> {
    let sql = match has_references(schema) {
        true => "SELECT EXISTS (SELECT 1 FROM pixform_originals WHERE sha256 = ?1 AND published = 1)",
        false => "SELECT EXISTS (SELECT 1 FROM pixform_record_details WHERE original = ?1)",
    };
    let mut statement = connection.prepare(sql)?;
    let mut found = Vec::new();
    for original in distinct(originals.iter().copied()) {
        if statement.query_row([original.as_bytes()], |row| row.get(0))? {
            found.push(original);
        }
    }
    Ok(found)
}

/// Returns recipes that records had before, or that were kept.
pub(super) fn past_recipes(
    connection: &Connection,
    schema: Schema,
    wanted: &[RecipeDigest],
) -> Result<Vec<(RecipeDigest, Recipe)>, SqliteFailure> {
    if !has_arrangements(schema) {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT document FROM pixform_recipes WHERE recipe = ?1")?;
    let mut recipes = Vec::new();
    for digest in distinct(wanted.iter().copied()) {
        let found = statement.query_row([digest.as_bytes()], |row| row.get::<_, String>(0)).optional()?;
        if let Some(found) = found {
            recipes.push((digest, from_json(&found, || format!("the recipe `{digest}`"))?));
        }
    }
    Ok(recipes)
}

/// Returns every file that was announced for originals, those of one original together and oldest first.
pub(super) fn files_of(
    connection: &Connection,
    originals: &[ContentDigest],
) -> Result<Vec<(ContentDigest, Published)>, SqliteFailure> {
    let mut statement = connection
        .prepare("SELECT original, published FROM pixform_objects WHERE original = ?1 ORDER BY created_at, path")?;
    let mut files = Vec::new();
    for original in distinct(originals.iter().copied()) {
        let mut rows = statement.query([original.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let original = ContentDigest::from_bytes(bytes(row, 0)?);
            let place = || format!("the files of the original `{original}`");
            let published = stored_form::published(text(row, 1)?, place)?;
            files.extend(published.into_iter().map(|published| (original, published)));
        }
    }
    Ok(files)
}

/// Returns the columns of a table that can be read, with what they hold as far as the declaration tells.
fn shown_columns(connection: &Connection, table: &str) -> Result<Vec<ShownColumn>, SqliteFailure> {
    let mut statement =
        connection.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let columns = statement.query_map([table], |row| {
        let (declared, not_null, in_key): (String, bool, u32) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let holds = match affinity(&declared, false) {
            Affinity::Integer => ColumnHolds::Bigint,
            Affinity::Text => ColumnHolds::Text,
            Affinity::Real => ColumnHolds::Number,
            Affinity::None | Affinity::Numeric | Affinity::Binary => ColumnHolds::Anything,
        };
        // A number of the row's own is never missing, whatever is declared.
        let is_rowid = in_key > 0 && same(&declared, "INTEGER");
        let nulls = if not_null || is_rowid { Nulls::Never } else { Nulls::Allowed };
        Ok(ShownColumn { name: row.get(0)?, holds, nulls })
    })?;
    Ok(columns.collect::<Result<_, _>>()?)
}
