//! Records on their way into the tables: each field in a list of its own, so that however many there are, each table takes
//! one statement.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::failure::PostgresFailure;
use crate::record::{Record, extra_labels, objects_text, published_to_json};
use crate::state::stored_form::{flags, json};
use crate::state::{Commit, Put};

/// Returns what is put, by key; a key that is put twice is as it was put last.
pub(super) fn puts(commit: &Commit) -> impl Iterator<Item = &Put> {
    let puts: BTreeMap<&str, &Put> = commit.put.iter().map(|put| (put.record.key.as_str(), put)).collect();
    puts.into_values()
}

/// Writes records, narrow and whole, each in one statement.
pub(super) async fn write(
    transaction: &Transaction,
    collection: &str,
    columns: &RecordColumns<'_>,
) -> Result<(), PostgresFailure> {
    if columns.keys.is_empty() {
        return Ok(());
    }
    let heads = "INSERT INTO pixform.records
                   (collection, key, recipe, renditions, row_digest, seen_digest, flags, extra_labels, objects)
                 SELECT $1, w.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) AS w
                 ON CONFLICT (collection, key) DO UPDATE SET recipe = excluded.recipe, renditions = excluded.renditions,
                   row_digest = excluded.row_digest, seen_digest = excluded.seen_digest, flags = excluded.flags,
                   extra_labels = excluded.extra_labels, objects = excluded.objects";
    let details = "INSERT INTO pixform.record_details (collection, key, first_key, labels, recipe, base, take, vars,
                     original, published, row_inputs, row_id)
                   SELECT $1, w.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS w
                   ON CONFLICT (collection, key) DO UPDATE SET first_key = excluded.first_key, labels = excluded.labels,
                     recipe = excluded.recipe, base = excluded.base, take = excluded.take, vars = excluded.vars,
                     original = excluded.original, published = excluded.published, row_inputs = excluded.row_inputs,
                     row_id = excluded.row_id";
    let heads_params: [Param<'_>; 9] = [
        (&collection, Type::TEXT),
        (&columns.keys, Type::TEXT_ARRAY),
        (&columns.recipe_digests, Type::BYTEA_ARRAY),
        (&columns.renditions, Type::BYTEA_ARRAY),
        (&columns.row_digests, Type::BYTEA_ARRAY),
        (&columns.seen, Type::BYTEA_ARRAY),
        (&columns.flags, Type::INT4_ARRAY),
        (&columns.extra_labels, Type::TEXT_ARRAY),
        (&columns.objects, Type::TEXT_ARRAY),
    ];
    let details_params: [Param<'_>; 12] = [
        (&collection, Type::TEXT),
        (&columns.keys, Type::TEXT_ARRAY),
        (&columns.first_keys, Type::TEXT_ARRAY),
        (&columns.labels, Type::TEXT_ARRAY),
        (&columns.recipes, Type::TEXT_ARRAY),
        (&columns.bases, Type::TEXT_ARRAY),
        (&columns.takes, Type::INT8_ARRAY),
        (&columns.vars, Type::TEXT_ARRAY),
        (&columns.originals, Type::BYTEA_ARRAY),
        (&columns.published, Type::TEXT_ARRAY),
        (&columns.row_inputs, Type::TEXT_ARRAY),
        (&columns.row_ids, Type::TEXT_ARRAY),
    ];
    // Both are sent before the first is answered.
    let (heads, details) = futures::join!(
        transaction.execute_typed(heads, &heads_params),
        transaction.execute_typed(details, &details_params)
    );
    heads?;
    details?;
    Ok(())
}

/// The fields of records, each in a list of its own.
#[derive(Default)]
pub(super) struct RecordColumns<'p> {
    keys: Vec<&'p str>,
    recipe_digests: Vec<Vec<u8>>,
    renditions: Vec<Vec<u8>>,
    row_digests: Vec<Option<&'p [u8]>>,
    /// The digests of the rows as they are now, one a record, to be filled in.
    pub seen: Vec<Option<Vec<u8>>>,
    flags: Vec<i32>,
    extra_labels: Vec<String>,
    objects: Vec<String>,
    first_keys: Vec<&'p str>,
    labels: Vec<String>,
    recipes: Vec<String>,
    bases: Vec<String>,
    takes: Vec<i64>,
    vars: Vec<String>,
    originals: Vec<&'p [u8]>,
    published: Vec<String>,
    row_inputs: Vec<Option<String>>,
    /// The rows' own ids, likewise.
    pub row_ids: Vec<Option<String>>,
}

impl<'p> RecordColumns<'p> {
    /// Takes what is put, all but what the row came back with.
    pub(super) fn of(commit: &'p Commit, axes: &[String]) -> Self {
        let mut columns = Self::default();
        puts(commit).for_each(|put| columns.add(&put.record, axes));
        columns
    }

    fn add(&mut self, record: &'p Record, axes: &[String]) {
        self.renditions.push(record.renditions_digest().as_bytes().to_vec());
        let Record { key, first_key, labels, recipe, base, take, vars, original, published, row, protect: _, hold: _ } =
            record;
        self.keys.push(key.as_str());
        self.recipe_digests.push(recipe.digest().as_bytes().to_vec());
        self.row_digests.push(row.as_ref().map(|row| row.digest.as_bytes().as_slice()));
        self.flags.push(flags(record));
        self.extra_labels.push(extra_labels(labels, axes));
        self.objects.push(objects_text(published));
        self.first_keys.push(first_key.as_str());
        self.labels.push(json(labels));
        self.recipes.push(json(recipe));
        self.bases.push(json(base));
        self.takes.push(i64::from(*take));
        self.vars.push(json(vars));
        self.originals.push(original.as_bytes());
        self.published.push(published_to_json(published));
        self.row_inputs.push(row.as_ref().map(|row| json(&row.inputs)));
    }
}
