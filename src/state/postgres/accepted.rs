//! What people accepted, kept for whoever asks why.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::read::{bytes, maybe_bytes};
use super::runs;
use crate::asset::{AssetKey, CollectionName};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::state::stored::{from_json, has_acceptances, json, parsed, run_columns};
use crate::state::{Acceptance, Accepted, RunOrigin, Schema};

/// Keeps acceptances, in one statement.
pub(super) async fn keep(transaction: &Transaction, accepted: &[Acceptance]) -> Result<(), PostgresFailure> {
    if accepted.is_empty() {
        return Ok(());
    }
    let mut columns = AcceptanceColumns::default();
    accepted.iter().for_each(|acceptance| columns.add(acceptance));
    let AcceptanceColumns { collections, keys, kinds, old, new, originals, rows, runs } = columns;
    let sql = "INSERT INTO pixform.acceptances
                 (collection, key, kind, old_recipe, new_recipe, original, row_columns, run)
               SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)";
    let params: [Param<'_>; 8] = [
        (&collections, Type::TEXT_ARRAY),
        (&keys, Type::TEXT_ARRAY),
        (&kinds, Type::TEXT_ARRAY),
        (&old, Type::BYTEA_ARRAY),
        (&new, Type::BYTEA_ARRAY),
        (&originals, Type::BYTEA_ARRAY),
        (&rows, Type::TEXT_ARRAY),
        (&runs, Type::TEXT_ARRAY),
    ];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}

/// The fields of acceptances, each in a list of its own.
#[derive(Default)]
struct AcceptanceColumns<'a> {
    collections: Vec<&'a str>,
    keys: Vec<&'a str>,
    kinds: Vec<&'a str>,
    old: Vec<Option<&'a [u8]>>,
    new: Vec<Option<&'a [u8]>>,
    originals: Vec<Option<&'a [u8]>>,
    rows: Vec<Option<String>>,
    runs: Vec<&'a str>,
}

impl<'a> AcceptanceColumns<'a> {
    fn add(&mut self, acceptance: &'a Acceptance) {
        let Acceptance { collection, key, accepted, run, origin: _, created_at: _ } = acceptance;
        self.collections.push(collection.as_str());
        self.keys.push(key.as_str());
        self.runs.push(run);
        let (kind, old, new, original, row) = match accepted {
            Accepted::Picture { from, to, original } => {
                let from = from.as_ref().map(|from| from.as_bytes().as_slice());
                ("picture", from, Some(to.as_bytes().as_slice()), Some(original.as_bytes().as_slice()), None)
            }
            Accepted::Row { columns } => ("row", None, None, None, Some(json(columns))),
        };
        self.kinds.push(kind);
        self.old.push(old);
        self.new.push(new);
        self.originals.push(original);
        self.rows.push(row);
    }
}

/// Returns the acceptances of keys, those of one key together and oldest first.
pub(super) async fn acceptances(
    transaction: &Transaction,
    schema: Schema,
    collection: &CollectionName,
    keys: &[AssetKey],
) -> Result<Vec<Acceptance>, PostgresFailure> {
    if !has_acceptances(schema) {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT a.key, a.kind, a.old_recipe, a.new_recipe, a.original, a.row_columns, a.run, a.created_at,
                r.id IS NOT NULL, {}
         FROM pixform.acceptances AS a LEFT JOIN pixform.runs AS r ON r.id = a.run
         WHERE a.collection = $1 AND a.key = ANY($2) ORDER BY a.key, a.id",
        run_columns(schema)
    );
    let keys: Vec<&str> = keys.iter().map(AssetKey::as_str).collect();
    let params: [Param<'_>; 2] = [(&collection.as_str(), Type::TEXT), (&keys, Type::TEXT_ARRAY)];
    let found = transaction.query_typed(&sql, &params).await?;
    found.iter().map(|row| acceptance(row, collection)).collect()
}

fn acceptance(row: &Row, collection: &CollectionName) -> Result<Acceptance, PostgresFailure> {
    let key: &str = row.try_get(0)?;
    let place = || format!("what was accepted of `{collection}:{key}`");
    let accepted = match row.try_get(1)? {
        "picture" => Accepted::Picture {
            from: maybe_bytes(row, 2, place)?.map(RecipeDigest::from_bytes),
            to: RecipeDigest::from_bytes(bytes(row, 3, place)?),
            original: ContentDigest::from_bytes(bytes(row, 4, place)?),
        },
        _ => Accepted::Row { columns: from_json(row.try_get(5)?, place)? },
    };
    let origin = match row.try_get(8)? {
        true => runs::read(row, 9)?.2,
        false => RunOrigin::default(),
    };
    Ok(Acceptance {
        collection: collection.clone(),
        key: parsed(key, place)?,
        accepted,
        run: row.try_get(6)?,
        origin,
        created_at: row.try_get(7)?,
    })
}
