//! What calls made: originals, and the files published of them.

use async_trait::async_trait;
use rusqlite::{Connection, Row, Statement, Transaction, params};

use super::failure::SqliteFailure;
use super::record_reads::{bytes, text};
use super::references::refused;
use super::rows::{KEYS_MAX, distinct, unsigned};
use super::schema::NOW;
use super::{Sqlite, adopted_files, damages};
use crate::asset::{CollectionName, ObjectPath, Seed};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::record::{Original, Published, published_to_json};
use crate::state::call_lines::OPEN;
use crate::state::stored_form::{
    self, ORIGINAL, OriginalPlace, has_adopted, has_damages, has_references, json, parsed, signed,
};
use crate::state::{Damage, FilePort, IsAlive, Schema, StateError};

#[async_trait]
impl FilePort for Sqlite {
    async fn originals(&self, recipes: &[RecipeDigest]) -> Result<Vec<Original>, StateError> {
        self.recall("read the originals", |connection, _| originals(connection, recipes))
    }

    async fn originals_by_content(&self, contents: &[ContentDigest]) -> Result<Vec<Original>, StateError> {
        self.recall("read the originals", |connection, _| originals_by_content(connection, contents))
    }

    async fn objects(
        &self,
        wanted: &[(ContentDigest, RenditionDigest)],
    ) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall("read the published files", |connection, _| objects(connection, wanted))
    }

    async fn paths(&self) -> Result<Vec<String>, StateError> {
        self.recall("read the paths", paths)
    }

    async fn announce(
        &self,
        files: &[(ContentDigest, Published)],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        self.write("remember files", |transaction| announce(transaction, files, liveness))
    }

    async fn announce_originals(
        &self,
        originals: &[Original],
        liveness: IsAlive<'_>,
    ) -> Result<Vec<ObjectPath>, StateError> {
        self.write("remember files", |transaction| announce_originals(transaction, originals, liveness))
    }

    async fn keep_adopted(&self, files: &[(ContentDigest, Published)]) -> Result<(), StateError> {
        self.write("remember files", |transaction| adopted_files::keep(transaction, files))
    }

    async fn adopted_files(&self, originals: &[ContentDigest]) -> Result<Vec<(ContentDigest, Published)>, StateError> {
        self.recall("read the files that were taken over", |connection, schema| {
            adopted_files::files(connection, schema, originals)
        })
    }

    async fn damages(&self, collection: &CollectionName) -> Result<Vec<Damage>, StateError> {
        self.recall("read what is damaged", |connection, schema| match has_damages(schema) {
            true => damages::damages(connection, collection),
            false => Ok(Vec::new()),
        })
    }

    async fn note_damages(
        &self,
        collection: &CollectionName,
        found: &[Damage],
        well: &[Damage],
    ) -> Result<(), StateError> {
        self.write("remember what is damaged", |transaction| damages::note(transaction, collection, found, well))
    }
}

/// What becomes of a line that somebody relies on: its mark is lifted, and the time since which it is unreferenced, if it is,
/// begins anew.
const AFRESH: &str = "condemned_by = NULL,
  unreferenced_at = CASE WHEN unreferenced_at IS NULL THEN NULL ELSE excluded.unreferenced_at END";

/// Returns the current originals of recipes.
pub(super) fn originals(connection: &Connection, recipes: &[RecipeDigest]) -> Result<Vec<Original>, SqliteFailure> {
    let wanted = distinct(recipes.iter().map(RecipeDigest::hex));
    read_originals(connection, "o.recipe = unhex(w.value) AND o.current = 1", &wanted)
}

/// Returns originals by their content, current or not.
pub(super) fn originals_by_content(
    connection: &Connection,
    contents: &[ContentDigest],
) -> Result<Vec<Original>, SqliteFailure> {
    let wanted = distinct(contents.iter().map(ContentDigest::hex));
    read_originals(connection, "o.sha256 = unhex(w.value)", &wanted)
}

/// Returns the files last announced for these originals and renditions.
pub(super) fn objects(
    connection: &Connection,
    wanted: &[(ContentDigest, RenditionDigest)],
) -> Result<Vec<(ContentDigest, Published)>, SqliteFailure> {
    let mut statement = connection.prepare(
        "SELECT o.original, o.published FROM json_each(?1) AS w CROSS JOIN pixform_objects AS o
         ON o.original = unhex(w.value ->> 0) AND o.rendition = unhex(w.value ->> 1) AND o.current = 1",
    )?;
    let mut objects = Vec::new();
    for wanted in distinct(wanted).chunks(KEYS_MAX) {
        let wanted: Vec<_> = wanted.iter().map(|(original, rendition)| (original.hex(), rendition.hex())).collect();
        let mut rows = statement.query([json(&wanted)])?;
        while let Some(row) = rows.next()? {
            let original = ContentDigest::from_bytes(bytes(row, 0)?);
            let place = || format!("the files of the original `{original}`");
            let published = stored_form::published(text(row, 1)?, place)?;
            objects.extend(published.into_iter().map(|published| (original, published)));
        }
    }
    Ok(objects)
}

/// Returns every path that was ever announced, finished or taken over.
pub(super) fn paths(connection: &Connection, schema: Schema) -> Result<Vec<String>, SqliteFailure> {
    let going = if has_references(schema) { " UNION SELECT path FROM pixform_deletions" } else { "" };
    let adopted = if has_adopted(schema) { " UNION SELECT path FROM pixform_adopted" } else { "" };
    let mut statement = connection.prepare(&format!(
        "SELECT path FROM pixform_objects UNION SELECT path FROM pixform_originals{going}{adopted}"
    ))?;
    let paths = statement.query_map([], |row| row.get(0))?;
    Ok(paths.collect::<Result<_, _>>()?)
}

/// Remembers originals that were found in the storage.
pub(super) fn found(transaction: &Transaction<'_>, originals: &[Original]) -> Result<(), SqliteFailure> {
    let mut settle = transaction.prepare(&format!(
        "UPDATE pixform_calls SET status = 'finished', sha256 = ?2, updated_at = {NOW}
         WHERE recipe = ?1 AND status IN ({OPEN})"
    ))?;
    let mut keeper = Keeper::new(transaction)?;
    for original in originals {
        settle.execute([original.recipe.as_bytes(), original.sha256.as_bytes()])?;
        keeper.keep(original, OriginalPlace::Current)?;
    }
    Ok(())
}

/// Remembers files about to be put; returns the paths where that cannot be yet.
pub(super) fn announce(
    transaction: &Transaction<'_>,
    files: &[(ContentDigest, Published)],
    liveness: IsAlive<'_>,
) -> Result<Vec<ObjectPath>, SqliteFailure> {
    let paths: Vec<ObjectPath> = files.iter().map(|(_, published)| published.path.clone()).collect();
    let refused = refused(transaction, &paths, liveness)?;
    let mut retire = transaction.prepare(
        "UPDATE pixform_objects SET current = 0 WHERE original = ?1 AND rendition = ?2 AND current = 1 AND path <> ?3",
    )?;
    let mut insert = transaction.prepare(&format!(
        "INSERT INTO pixform_objects (original, rendition, path, published, renderer, current, unreferenced_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, {NOW})
         ON CONFLICT DO UPDATE SET published = excluded.published, renderer = excluded.renderer, current = 1, {AFRESH}",
    ))?;
    for (original, published) in files.iter().filter(|(_, published)| !refused.contains(&published.path)) {
        let (original, rendition) = (original.as_bytes(), published.rendition.digest.as_bytes());
        let path = published.path.as_str();
        retire.execute(params![original, rendition, path])?;
        let document = published_to_json(std::slice::from_ref(published));
        insert.execute(params![original, rendition, path, document, published.renderer])?;
    }
    Ok(refused.into_iter().collect())
}

/// Remembers originals about to be put; returns the paths where that cannot be yet.
pub(super) fn announce_originals(
    transaction: &Transaction<'_>,
    originals: &[Original],
    liveness: IsAlive<'_>,
) -> Result<Vec<ObjectPath>, SqliteFailure> {
    let paths: Vec<ObjectPath> = originals.iter().map(|original| original.path.clone()).collect();
    let refused = refused(transaction, &paths, liveness)?;
    let mut insert = transaction.prepare(&format!(
        "INSERT INTO pixform_originals (recipe, sha256, path, bytes, width, height, seed, current, unreferenced_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, {NOW}) ON CONFLICT DO UPDATE SET {AFRESH}"
    ))?;
    for original in originals.iter().filter(|original| !refused.contains(&original.path)) {
        let Original { recipe, sha256, path, bytes, width, height, seed } = original;
        let seed = seed.map(|seed| signed(seed.get()));
        let (recipe, sha256) = (recipe.as_bytes(), sha256.as_bytes());
        insert.execute(params![recipe, sha256, path.as_str(), signed(*bytes), width, height, seed])?;
    }
    Ok(refused.into_iter().collect())
}

/// Keeps originals and which of a recipe's is current, through statements that are prepared once.
pub(super) struct Keeper<'t> {
    elsewhere: Statement<'t>,
    retire: Statement<'t>,
    found_again: Statement<'t>,
    insert: Statement<'t>,
}

impl<'t> Keeper<'t> {
    /// Prepares the statements.
    pub(super) fn new(transaction: &'t Transaction<'_>) -> Result<Self, SqliteFailure> {
        Ok(Self {
            // What lay elsewhere until now lies there twice, and is nobody's.
            elsewhere: transaction.prepare(
                "INSERT OR IGNORE INTO pixform_deletions (path, run, bytes) SELECT path, '', bytes
                 FROM pixform_originals WHERE recipe = ?1 AND sha256 = ?2 AND path <> ?3",
            )?,
            found_again: transaction.prepare("DELETE FROM pixform_collected WHERE recipe = ?1")?,
            retire: transaction.prepare(
                "UPDATE pixform_originals SET current = 0 WHERE recipe = ?1 AND current = 1 AND sha256 <> ?2",
            )?,
            insert: transaction.prepare(&format!(
                "INSERT INTO pixform_originals (recipe, sha256, path, bytes, width, height, seed, current, unreferenced_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, {NOW})
                 ON CONFLICT DO UPDATE SET path = excluded.path, bytes = excluded.bytes, width = excluded.width,
                   height = excluded.height, seed = coalesce(excluded.seed, seed),
                   current = max(current, excluded.current), {AFRESH}",
            ))?,
        })
    }

    /// Keeps an original; one that is current stays so.
    pub(super) fn keep(&mut self, original: &Original, place: OriginalPlace) -> Result<(), SqliteFailure> {
        let Original { recipe, sha256, path, bytes, width, height, seed } = original;
        let (recipe, sha256, seed) = (recipe.as_bytes(), sha256.as_bytes(), seed.map(|seed| signed(seed.get())));
        if place == OriginalPlace::Current {
            self.retire.execute([recipe, sha256])?;
            self.found_again.execute([recipe])?;
        }
        self.elsewhere.execute(params![recipe, sha256, path.as_str()])?;
        let current = i64::from(place == OriginalPlace::Current);
        self.insert.execute(params![recipe, sha256, path.as_str(), signed(*bytes), width, height, seed, current])?;
        Ok(())
    }
}

fn read_originals(connection: &Connection, on: &str, wanted: &[String]) -> Result<Vec<Original>, SqliteFailure> {
    let mut statement = connection
        .prepare(&format!("SELECT {ORIGINAL} FROM json_each(?1) AS w CROSS JOIN pixform_originals AS o ON {on}"))?;
    let mut originals = Vec::new();
    for wanted in wanted.chunks(KEYS_MAX) {
        let mut rows = statement.query([json(&wanted)])?;
        while let Some(row) = rows.next()? {
            originals.push(original(row)?);
        }
    }
    Ok(originals)
}

fn original(row: &Row<'_>) -> Result<Original, SqliteFailure> {
    let recipe = RecipeDigest::from_bytes(bytes(row, 0)?);
    let seed = row.get::<_, Option<i64>>(6)?.and_then(|seed| u64::try_from(seed).ok());
    Ok(Original {
        recipe,
        sha256: ContentDigest::from_bytes(bytes(row, 1)?),
        path: parsed(text(row, 2)?, || format!("the original of the recipe `{recipe}`"))?,
        bytes: unsigned(row, 3)?,
        width: row.get(4)?,
        height: row.get(5)?,
        seed: seed.and_then(Seed::new),
    })
}
