//! What people accepted, kept for whoever asks why.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use super::record_reads::{bytes, maybe_bytes};
use super::runs;
use crate::asset::{AssetKey, CollectionName};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::state::stored_form::{from_json, has_acceptances, json, parsed, run_columns};
use crate::state::{Acceptance, Accepted, Lease, NewAcceptance, RunOrigin, Schema};

/// Keeps acceptances, in one statement.
pub(super) async fn keep(
    transaction: &Transaction,
    lease: &Lease,
    accepted: &[NewAcceptance],
) -> Result<(), PostgresFailure> {
    if accepted.is_empty() {
        return Ok(());
    }
    let mut columns = AcceptanceColumns::default();
    accepted.iter().for_each(|acceptance| columns.add(acceptance));
    let AcceptanceColumns { keys, kinds, old, new, originals, rows } = columns;
    let sql = "INSERT INTO pixform.acceptances
                 (collection, run, key, kind, old_recipe, new_recipe, original, row_columns)
               SELECT $1, $2, w.* FROM unnest($3, $4, $5, $6, $7, $8) AS w";
    let params: [Param<'_>; 8] = [
        (&lease.collection.as_str(), Type::TEXT),
        (&lease.run, Type::TEXT),
        (&keys, Type::TEXT_ARRAY),
        (&kinds, Type::TEXT_ARRAY),
        (&old, Type::BYTEA_ARRAY),
        (&new, Type::BYTEA_ARRAY),
        (&originals, Type::BYTEA_ARRAY),
        (&rows, Type::TEXT_ARRAY),
    ];
    transaction.execute_typed(sql, &params).await?;
    Ok(())
}

/// The fields of acceptances, each in a list of its own.
#[derive(Default)]
struct AcceptanceColumns<'a> {
    keys: Vec<&'a str>,
    kinds: Vec<&'a str>,
    old: Vec<Option<&'a [u8]>>,
    new: Vec<Option<&'a [u8]>>,
    originals: Vec<Option<&'a [u8]>>,
    rows: Vec<Option<String>>,
}

impl<'a> AcceptanceColumns<'a> {
    fn add(&mut self, acceptance: &'a NewAcceptance) {
        let NewAcceptance { key, accepted } = acceptance;
        self.keys.push(key.as_str());
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
