//! What calls made: originals, and the files published of them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Param, Transaction, TransactionKind};
use super::failure::PostgresFailure;
use super::record_reads::bytes;
use super::references::refused;
use super::schema::{NOW, lock_ledger};
use super::{Postgres, adopted_files, damages};
use crate::asset::{CollectionName, ObjectPath, Seed};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::record::{Original, Published, published_to_json};
use crate::state::call_lines::OPEN;
use crate::state::stored_form::{
    self, ORIGINAL, OriginalPlace, has_adopted, has_damages, has_references, parsed, signed, unsigned,
};
use crate::state::{Damage, FilePort, IsAlive, Schema, StateError};

#[async_trait]
impl FilePort for Postgres {
    async fn originals(&self, recipes: &[RecipeDigest]) -> Result<Vec<Original>, StateError> {
        self.recall(TransactionKind::Statement, "read the originals", |transaction, _| async move {
            originals(&transaction, recipes).await
        })
        .await
    }

    async fn originals_by_content(&self, contents: &[ContentDigest]) -> Result<Vec<Original>, StateError> {
        self.recall(TransactionKind::Statement, "read the originals", |transaction, _| async move {
            originals_by_content(&transaction, contents).await
        })
        .await
    }

    async fn objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall(TransactionKind::Statement, "read the published files", |transaction, _| async move {
            objects(&transaction, wanted).await
        })
        .await
    }

    async fn paths(&self) -> Result<Vec<String>, StateError> {
        self.recall(TransactionKind::Statement, "read the paths", |transaction, schema| async move {
            paths(&transaction, schema).await
        })
        .await
    }

    async fn announce(
        &self,
        files: &[(ContentDigest, Published)],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        self.change("remember files", |transaction, _| async move { announce(&transaction, files, liveness).await })
            .await
    }

    async fn announce_originals(
        &self,
        originals: &[Original],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        self.change("remember files", |transaction, _| async move {
            announce_originals(&transaction, originals, liveness).await
        })
        .await
    }

    async fn keep_adopted(&self, files: &[(ContentDigest, Published)]) -> Result<(), StateError> {
        self.change("remember files", |transaction, _| async move { adopted_files::keep(&transaction, files).await })
            .await
    }

    async fn adopted_files(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall(
            TransactionKind::Statement,
            "read the files that were taken over",
            |transaction, schema| async move { adopted_files::files(&transaction, schema, originals).await },
        )
        .await
    }

    async fn damages(&self, collection: &CollectionName) -> Result<Vec<Damage>, StateError> {
        self.recall(TransactionKind::Statement, "read what is damaged", |transaction, schema| async move {
            match has_damages(schema) {
                true => damages::damages(&transaction, collection).await,
                false => Ok(Vec::new()),
            }
        })
        .await
    }

    async fn note_damages(
        &self,
        collection: &CollectionName,
        found: &[Damage],
        well: &[Damage],
    ) -> Result<(), StateError> {
        self.change("remember what is damaged", |transaction, _| async move {
            damages::note(&transaction, collection, found, well).await
        })
        .await
    }
}

/// What becomes of a line that somebody relies on: its mark is lifted, and the time since which it is unreferenced, if it is,
/// begins anew.
const AFRESH: &str = "condemned_by = NULL,
  unreferenced_at = CASE WHEN o.unreferenced_at IS NULL THEN NULL ELSE excluded.unreferenced_at END";

/// Returns the current originals of recipes.
pub(super) async fn originals(
    transaction: &Transaction,
    recipes: &[RecipeDigest],
) -> Result<Vec<Original>, PostgresFailure> {
    let recipes: Vec<&[u8]> = recipes.iter().map(|recipe| recipe.as_bytes().as_slice()).collect();
    read_originals(transaction, "o.recipe = ANY($1) AND o.current", &recipes).await
}

/// Returns originals by their content, current or not.
pub(super) async fn originals_by_content(
    transaction: &Transaction,
    contents: &[ContentDigest],
) -> Result<Vec<Original>, PostgresFailure> {
    let contents: Vec<&[u8]> = contents.iter().map(|content| content.as_bytes().as_slice()).collect();
    read_originals(transaction, "o.sha256 = ANY($1)", &contents).await
}

/// Returns the files last announced for these originals and renditions.
pub(super) async fn objects(
    transaction: &Transaction,
    wanted: &[(ContentDigest, RenditionDigest)],
) -> Result<Vec<(ContentDigest, Published)>, PostgresFailure> {
    let sql =
        "SELECT o.original, o.published FROM pixform.objects AS o WHERE o.current AND (o.original, o.rendition) IN
                 (SELECT w.original, w.rendition FROM unnest($1, $2) AS w (original, rendition))";
    let originals: Vec<&[u8]> = wanted.iter().map(|(original, _)| original.as_bytes().as_slice()).collect();
    let renditions: Vec<&[u8]> = wanted.iter().map(|(_, rendition)| rendition.as_bytes().as_slice()).collect();
    let params: [Param<'_>; 2] = [(&originals, Type::BYTEA_ARRAY), (&renditions, Type::BYTEA_ARRAY)];
    let mut objects = Vec::with_capacity(wanted.len());
    for row in transaction.query_typed(sql, &params).await? {
        let original = ContentDigest::from_bytes(bytes(&row, 0, || "the published files".to_owned())?);
        let place = || format!("the files of the original `{original}`");
        let published = stored_form::published(row.try_get(1)?, place)?;
        objects.extend(published.into_iter().map(|published| (original, published)));
    }
    Ok(objects)
}

/// Returns every path that was ever announced or finished.
pub(super) async fn paths(transaction: &Transaction, schema: Schema) -> Result<Vec<String>, PostgresFailure> {
    let going = if has_references(schema) { " UNION SELECT path FROM pixform.deletions" } else { "" };
    let adopted = if has_adopted(schema) { " UNION SELECT path FROM pixform.adopted" } else { "" };
    let sql = format!("SELECT path FROM pixform.objects UNION SELECT path FROM pixform.originals{going}{adopted}");
    let paths = transaction.query_typed(&sql, &[]).await?;
    paths.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Remembers originals that were found in the storage.
pub(super) async fn found(transaction: &Transaction, originals: &[Original]) -> Result<(), PostgresFailure> {
    lock_ledger(transaction).await?;
    let by_recipe: BTreeMap<&[u8], &[u8]> = originals
        .iter()
        .map(|found| (found.recipe.as_bytes().as_slice(), found.sha256.as_bytes().as_slice()))
        .collect();
    let (recipes, contents): (Vec<_>, Vec<_>) = by_recipe.into_iter().unzip();
    let sql = format!(
        "UPDATE pixform.calls AS c SET status = 'finished', sha256 = w.sha256, updated_at = {NOW}
         FROM unnest($1, $2) AS w (recipe, sha256) WHERE c.recipe = w.recipe AND c.status IN ({OPEN})"
    );
    let params: [Param<'_>; 2] = [(&recipes, Type::BYTEA_ARRAY), (&contents, Type::BYTEA_ARRAY)];
    transaction.execute_typed(&sql, &params).await?;
    let kept: Vec<_> = originals.iter().map(|original| (original, OriginalPlace::Current)).collect();
    keep(transaction, &kept).await
}

/// Remembers files about to be put; returns the paths where that cannot be yet. Of several for one original and rendition
/// the last is current.
pub(super) async fn announce(
    transaction: &Transaction,
    files: &[(ContentDigest, Published)],
    liveness: IsAlive<'_>,
) -> Result<Vec<ObjectPath>, PostgresFailure> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    lock_ledger(transaction).await?;
    let paths: Vec<ObjectPath> = files.iter().map(|(_, file)| file.path.clone()).collect();
    let refused = refused(transaction, &paths, liveness).await?;
    let mut last: HashMap<(&[u8], &[u8]), &str> = HashMap::new();
    let mut by_path: BTreeMap<(&[u8], &[u8], &str), &Published> = BTreeMap::new();
    for (original, file) in files.iter().filter(|(_, file)| !refused.contains(&file.path)) {
        let at = (original.as_bytes().as_slice(), file.rendition.digest.as_bytes().as_slice());
        last.insert(at, file.path.as_str());
        by_path.insert((at.0, at.1, file.path.as_str()), file);
    }
    let (mut originals, mut renditions, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    let (mut documents, mut renderers, mut current) = (Vec::new(), Vec::new(), Vec::new());
    for ((original, rendition, path), file) in by_path {
        originals.push(original);
        renditions.push(rendition);
        paths.push(path);
        documents.push(published_to_json(std::slice::from_ref(file)));
        renderers.push(i32::from(file.renderer));
        current.push(last.get(&(original, rendition)) == Some(&path));
    }
    let retire = "UPDATE pixform.objects AS o SET current = false
                  FROM unnest($1, $2, $3, $4) AS w (original, rendition, path, current)
                  WHERE w.current AND o.original = w.original AND o.rendition = w.rendition AND o.current AND o.path <> w.path";
    let insert = format!(
        "INSERT INTO pixform.objects AS o (original, rendition, path, published, current, renderer, unreferenced_at)
         SELECT w.*, {NOW} FROM unnest($1, $2, $3, $5, $4, $6) AS w
         ON CONFLICT (original, rendition, path) DO UPDATE SET published = excluded.published,
           renderer = excluded.renderer, current = excluded.current, {AFRESH}"
    );
    let at: [Param<'_>; 4] = [
        (&originals, Type::BYTEA_ARRAY),
        (&renditions, Type::BYTEA_ARRAY),
        (&paths, Type::TEXT_ARRAY),
        (&current, Type::BOOL_ARRAY),
    ];
    transaction.execute_typed(retire, &at).await?;
    let [one, two, three, four] = at;
    let (five, six): (Param<'_>, Param<'_>) = ((&documents, Type::TEXT_ARRAY), (&renderers, Type::INT4_ARRAY));
    transaction.execute_typed(&insert, &[one, two, three, four, five, six]).await?;
    Ok(refused.into_iter().collect())
}

/// Remembers originals about to be put; returns the paths where that cannot be yet.
pub(super) async fn announce_originals(
    transaction: &Transaction,
    originals: &[Original],
    liveness: IsAlive<'_>,
) -> Result<Vec<ObjectPath>, PostgresFailure> {
    if originals.is_empty() {
        return Ok(Vec::new());
    }
    lock_ledger(transaction).await?;
    let paths: Vec<ObjectPath> = originals.iter().map(|original| original.path.clone()).collect();
    let refused = refused(transaction, &paths, liveness).await?;
    let announced: Vec<_> = originals
        .iter()
        .filter(|original| !refused.contains(&original.path))
        .map(|original| (original, OriginalPlace::Aside))
        .collect();
    write(transaction, &announced, KnownOriginals::StaysWhereItIs).await?;
    Ok(refused.into_iter().collect())
}

/// What becomes of where an original lies that is known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownOriginals {
    /// It lies where it is written now.
    IsWrittenAnew,
    /// It lies where it lay.
    StaysWhereItIs,
}

/// Keeps originals; one that is current stays so unless another of its recipe becomes the current one.
pub(super) async fn keep(
    transaction: &Transaction,
    originals: &[(&Original, OriginalPlace)],
) -> Result<(), PostgresFailure> {
    write(transaction, originals, KnownOriginals::IsWrittenAnew).await
}

async fn write(
    transaction: &Transaction,
    originals: &[(&Original, OriginalPlace)],
    known: KnownOriginals,
) -> Result<(), PostgresFailure> {
    if originals.is_empty() {
        return Ok(());
    }
    let mut last: HashMap<&[u8], &[u8]> = HashMap::new();
    let mut kept: BTreeMap<(&[u8], &[u8]), &Original> = BTreeMap::new();
    for (original, place) in originals {
        let at = (original.recipe.as_bytes().as_slice(), original.sha256.as_bytes().as_slice());
        if *place == OriginalPlace::Current {
            last.insert(at.0, at.1);
        }
        kept.insert(at, original);
    }
    let (recipes, contents): (Vec<_>, Vec<_>) = kept.keys().copied().unzip();
    let current: Vec<bool> = kept.keys().map(|(recipe, content)| last.get(recipe) == Some(content)).collect();
    let retire = "UPDATE pixform.originals AS o SET current = false
                  FROM unnest($1, $2, $3) AS w (recipe, sha256, current)
                  WHERE w.current AND o.recipe = w.recipe AND o.current AND o.sha256 <> w.sha256";
    let at: [Param<'_>; 3] =
        [(&recipes, Type::BYTEA_ARRAY), (&contents, Type::BYTEA_ARRAY), (&current, Type::BOOL_ARRAY)];
    transaction.execute_typed(retire, &at).await?;
    let made: Vec<&[u8]> = last.keys().copied().collect();
    if !made.is_empty() {
        let found_again = "DELETE FROM pixform.collected WHERE recipe = ANY($1)";
        transaction.execute_typed(found_again, &[(&made, Type::BYTEA_ARRAY)]).await?;
    }
    let paths: Vec<&str> = kept.values().map(|original| original.path.as_str()).collect();
    let number = |of: fn(&Original) -> i64| kept.values().map(|original| of(original)).collect::<Vec<i64>>();
    let sizes = number(|original| signed(original.bytes));
    let widths = number(|original| i64::from(original.width));
    let heights = number(|original| i64::from(original.height));
    let seeds: Vec<Option<i64>> = kept.values().map(|original| original.seed.map(|seed| signed(seed.get()))).collect();
    let anew = match known {
        KnownOriginals::IsWrittenAnew => {
            // What lay elsewhere until now lies there twice, and is nobody's.
            let elsewhere = "INSERT INTO pixform.deletions (path, run, bytes) SELECT o.path, '', o.bytes
                             FROM pixform.originals AS o JOIN unnest($1, $2, $3) AS w (recipe, sha256, path)
                               ON o.recipe = w.recipe AND o.sha256 = w.sha256 AND o.path <> w.path
                             ON CONFLICT DO NOTHING";
            let lies: [Param<'_>; 3] =
                [(&recipes, Type::BYTEA_ARRAY), (&contents, Type::BYTEA_ARRAY), (&paths, Type::TEXT_ARRAY)];
            transaction.execute_typed(elsewhere, &lies).await?;
            "path = excluded.path, bytes = excluded.bytes, width = excluded.width, height = excluded.height,
             seed = coalesce(excluded.seed, o.seed), current = o.current OR excluded.current, "
        }
        KnownOriginals::StaysWhereItIs => "",
    };
    let insert = format!(
        "INSERT INTO pixform.originals AS o (recipe, sha256, current, path, bytes, width, height, seed, unreferenced_at)
         SELECT w.*, {NOW} FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS w
         ON CONFLICT (recipe, sha256) DO UPDATE SET {anew}{AFRESH}"
    );
    let [one, two, three] = at;
    let params: [Param<'_>; 8] = [
        one,
        two,
        three,
        (&paths, Type::TEXT_ARRAY),
        (&sizes, Type::INT8_ARRAY),
        (&widths, Type::INT8_ARRAY),
        (&heights, Type::INT8_ARRAY),
        (&seeds, Type::INT8_ARRAY),
    ];
    transaction.execute_typed(&insert, &params).await?;
    Ok(())
}

async fn read_originals(
    transaction: &Transaction,
    which: &str,
    wanted: &[&[u8]],
) -> Result<Vec<Original>, PostgresFailure> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {ORIGINAL} FROM pixform.originals AS o WHERE {which}");
    let found = transaction.query_typed(&sql, &[(&wanted, Type::BYTEA_ARRAY)]).await?;
    found.iter().map(original).collect()
}

fn original(row: &Row) -> Result<Original, PostgresFailure> {
    let recipe = RecipeDigest::from_bytes(bytes(row, 0, || "the originals".to_owned())?);
    let place = || format!("the original of the recipe `{recipe}`");
    let pixels = |at: usize| Ok::<_, PostgresFailure>(u32::try_from(row.try_get::<_, i64>(at)?).unwrap_or_default());
    let seed: Option<i64> = row.try_get(6)?;
    Ok(Original {
        recipe,
        sha256: ContentDigest::from_bytes(bytes(row, 1, place)?),
        path: parsed(row.try_get(2)?, place)?,
        bytes: unsigned(row.try_get(3)?),
        width: pixels(4)?,
        height: pixels(5)?,
        seed: seed.and_then(|seed| u64::try_from(seed).ok()).and_then(Seed::new),
    })
}
