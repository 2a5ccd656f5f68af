//! The ledger of generator calls, and what they made: originals and published files.

use rusqlite::{Connection, Row, Statement, Transaction, params};

use super::failure::Failure;
use super::lease;
use super::read::{bytes, parsed, text};
use super::rows::{KEYS_MAX, distinct, json};
use crate::asset::{MicroUsd, Seed};
use crate::digest::{ContentDigest, RecipeDigest, RenditionDigest};
use crate::process::{Liveness, Process};
use crate::record::{Call, CallStatus, Original, Published, published_from_json, published_to_json};
use crate::state::{CallFact, Lease};

/// The kind of generator whose calls cost nothing, so that a dead run's call is simply made again.
const FREE: &str = "placeholder";

const CALL: &str = "c.id, c.run, c.collection, c.key, c.recipe, c.generator, c.price, c.status";

const ORIGINAL: &str = "o.recipe, o.sha256, o.path, o.bytes, o.width, o.height, o.seed";

/// Returns the current originals of recipes.
pub(super) fn originals(connection: &Connection, recipes: &[RecipeDigest]) -> Result<Vec<Original>, Failure> {
    let wanted = distinct(recipes.iter().map(RecipeDigest::hex));
    read_originals(connection, "o.recipe = unhex(w.value) AND o.current = 1", &wanted)
}

/// Returns originals by their content, current or not.
pub(super) fn originals_by_content(
    connection: &Connection,
    contents: &[ContentDigest],
) -> Result<Vec<Original>, Failure> {
    let wanted = distinct(contents.iter().map(ContentDigest::hex));
    read_originals(connection, "o.sha256 = unhex(w.value)", &wanted)
}

/// Returns the files last announced for these originals and renditions.
pub(super) fn objects(
    connection: &Connection,
    wanted: &[(ContentDigest, RenditionDigest)],
) -> Result<Vec<(ContentDigest, Published)>, Failure> {
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
            let published = published_from_json(text(row, 1)?).map_err(|error| Failure::unreadable(place(), error))?;
            objects.extend(published.into_iter().map(|published| (original, published)));
        }
    }
    Ok(objects)
}

/// Returns every path that was ever announced or finished.
pub(super) fn paths(connection: &Connection) -> Result<Vec<String>, Failure> {
    let mut statement =
        connection.prepare("SELECT path FROM pixform_objects UNION SELECT path FROM pixform_originals")?;
    let paths = statement.query_map([], |row| row.get(0))?;
    Ok(paths.collect::<Result<_, _>>()?)
}

/// Returns the open calls for recipes.
pub(super) fn open_calls(connection: &Connection, recipes: &[RecipeDigest]) -> Result<Vec<Call>, Failure> {
    let mut statement = connection.prepare(&format!(
        "SELECT {CALL} FROM json_each(?1) AS w CROSS JOIN pixform_calls AS c
         ON c.recipe = unhex(w.value) AND c.status IN ('intended', 'submitted', 'received')"
    ))?;
    let mut calls = Vec::new();
    for recipes in distinct(recipes).chunks(KEYS_MAX) {
        let recipes: Vec<_> = recipes.iter().map(|recipe| recipe.hex()).collect();
        let mut rows = statement.query([json(&recipes)])?;
        while let Some(row) = rows.next()? {
            calls.push(call(row)?);
        }
    }
    Ok(calls)
}

/// Writes ledger lines before anything is sent.
pub(super) fn intend(
    transaction: &Transaction<'_>,
    lease: &Lease,
    calls: &[Call],
    liveness: &(dyn Fn(&Process) -> Liveness + Sync),
) -> Result<Vec<Option<String>>, Failure> {
    lease::check(transaction, lease)?;
    let mut ledger = Ledger::new(transaction)?;
    calls.iter().map(|call| ledger.intend(transaction, call, liveness)).collect()
}

/// Writes facts about calls, and the originals that they made.
pub(super) fn settle(transaction: &Transaction<'_>, facts: &[CallFact]) -> Result<(), Failure> {
    let mut statement = transaction.prepare(
        "UPDATE pixform_calls SET status = ?2, reason = ?3, sha256 = coalesce(?4, sha256),
           updated_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)
         WHERE id = ?1 AND (status <> 'finished' OR ?2 = 'finished')",
    )?;
    let mut keeper = Keeper::new(transaction)?;
    for CallFact { call, status, original, reason } in facts {
        let sha256 = original.as_ref().map(|original| original.sha256.as_bytes());
        statement.execute(params![call, status.name(), reason, sha256])?;
        if let Some(original) = original {
            keeper.keep(original)?;
        }
    }
    Ok(())
}

/// Remembers originals that were found in the storage.
pub(super) fn found(transaction: &Transaction<'_>, originals: &[Original]) -> Result<(), Failure> {
    let mut settle = transaction.prepare(
        "UPDATE pixform_calls SET status = 'finished', sha256 = ?2,
           updated_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)
         WHERE recipe = ?1 AND status IN ('intended', 'submitted', 'received')",
    )?;
    let mut keeper = Keeper::new(transaction)?;
    for original in originals {
        settle.execute([original.recipe.as_bytes(), original.sha256.as_bytes()])?;
        keeper.keep(original)?;
    }
    Ok(())
}

/// Remembers files about to be put.
pub(super) fn announce(transaction: &Transaction<'_>, files: &[(ContentDigest, Published)]) -> Result<(), Failure> {
    let mut retire = transaction.prepare(
        "UPDATE pixform_objects SET current = 0 WHERE original = ?1 AND rendition = ?2 AND current = 1 AND path <> ?3",
    )?;
    let mut insert = transaction.prepare(
        "INSERT INTO pixform_objects (original, rendition, path, published, current) VALUES (?1, ?2, ?3, ?4, 1)
         ON CONFLICT DO UPDATE SET published = excluded.published, current = 1",
    )?;
    for (original, published) in files {
        let (original, rendition) = (original.as_bytes(), published.rendition.digest.as_bytes());
        let path = published.path.as_str();
        retire.execute(params![original, rendition, path])?;
        insert.execute(params![original, rendition, path, published_to_json(std::slice::from_ref(published))])?;
    }
    Ok(())
}

/// Writes intentions, through statements that are prepared once.
struct Ledger<'t> {
    blocking: Statement<'t>,
    insert: Statement<'t>,
    take_over: Statement<'t>,
    doubt: Statement<'t>,
}

impl<'t> Ledger<'t> {
    fn new(transaction: &'t Transaction<'_>) -> Result<Self, Failure> {
        Ok(Self {
            // A paid call without an answer stands in the way too, until somebody decides: it may be paid for already.
            blocking: transaction.prepare(&format!(
                "SELECT {CALL} FROM pixform_calls AS c
                 WHERE c.recipe = ?1 AND (c.status IN ('intended', 'submitted', 'received')
                                          OR c.status = 'unknown' AND c.generator <> '{FREE}')
                 ORDER BY c.status = 'unknown' LIMIT 1"
            ))?,
            insert: transaction.prepare(
                "INSERT INTO pixform_calls (id, run, collection, key, recipe, generator, price, status)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'intended')",
            )?,
            take_over: transaction.prepare(
                "UPDATE pixform_calls SET run = ?2, collection = ?3, key = ?4, price = ?5, status = 'intended',
                   updated_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) WHERE id = ?1",
            )?,
            doubt: transaction.prepare(
                "UPDATE pixform_calls SET status = 'unknown',
                   updated_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) WHERE id = ?1",
            )?,
        })
    }

    /// Returns the id of the line that is now the call's; `None` when somebody else's stands in the way.
    fn intend(
        &mut self,
        transaction: &Transaction<'_>,
        call: &Call,
        liveness: &(dyn Fn(&Process) -> Liveness + Sync),
    ) -> Result<Option<String>, Failure> {
        let (collection, key, price) = (call.collection.as_str(), call.key.as_str(), signed(call.price.0));
        let mut rows = self.blocking.query([call.recipe.as_bytes()])?;
        let there = rows.next()?.map(self::call).transpose()?;
        drop(rows);
        let Some(there) = there else {
            let recipe = call.recipe.as_bytes();
            self.insert.execute(params![call.id, call.run, collection, key, recipe, call.generator, price])?;
            return Ok(Some(call.id.clone()));
        };
        if there.status == CallStatus::Unknown {
            return Ok(None);
        }
        if there.run == call.run {
            return Ok(Some(there.id));
        }
        let process = lease::process(transaction, &there.run)?;
        if process.is_none_or(|process| liveness(&process) != Liveness::Dead) {
            return Ok(None);
        }
        if there.generator == FREE {
            self.take_over.execute(params![there.id, call.run, collection, key, price])?;
            return Ok(Some(there.id));
        }
        if there.status == CallStatus::Intended {
            self.doubt.execute([there.id])?;
        }
        Ok(None)
    }
}

/// Keeps originals and which of a recipe's is current, through statements that are prepared once.
struct Keeper<'t> {
    retire: Statement<'t>,
    insert: Statement<'t>,
}

impl<'t> Keeper<'t> {
    fn new(transaction: &'t Transaction<'_>) -> Result<Self, Failure> {
        Ok(Self {
            retire: transaction.prepare(
                "UPDATE pixform_originals SET current = 0 WHERE recipe = ?1 AND current = 1 AND sha256 <> ?2",
            )?,
            insert: transaction.prepare(
                "INSERT INTO pixform_originals (recipe, sha256, path, bytes, width, height, seed, current)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)
                 ON CONFLICT DO UPDATE SET path = excluded.path, bytes = excluded.bytes, width = excluded.width,
                   height = excluded.height, seed = coalesce(excluded.seed, seed), current = 1",
            )?,
        })
    }

    fn keep(&mut self, original: &Original) -> Result<(), Failure> {
        let Original { recipe, sha256, path, bytes, width, height, seed } = original;
        let (recipe, sha256, seed) = (recipe.as_bytes(), sha256.as_bytes(), seed.map(|seed| signed(seed.get())));
        self.retire.execute([recipe, sha256])?;
        self.insert.execute(params![recipe, sha256, path.as_str(), signed(*bytes), width, height, seed])?;
        Ok(())
    }
}

/// Sizes, prices and seeds stay far below 2^63.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, at: usize) -> Result<u64, Failure> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
}

fn read_originals(connection: &Connection, on: &str, wanted: &[String]) -> Result<Vec<Original>, Failure> {
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

fn original(row: &Row<'_>) -> Result<Original, Failure> {
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

fn call(row: &Row<'_>) -> Result<Call, Failure> {
    let id: String = row.get(0)?;
    let place = || format!("the ledger line `{id}`");
    let status = text(row, 7)?;
    let status = CallStatus::parse(status)
        .ok_or_else(|| Failure::unreadable(place(), format!("`{status}` is no status of a call")))?;
    Ok(Call {
        run: row.get(1)?,
        collection: parsed(text(row, 2)?, place)?,
        key: parsed(text(row, 3)?, place)?,
        recipe: RecipeDigest::from_bytes(bytes(row, 4)?),
        generator: row.get(5)?,
        price: MicroUsd(unsigned(row, 6)?),
        status,
        id,
    })
}
