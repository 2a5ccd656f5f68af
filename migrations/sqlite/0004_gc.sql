-- What nothing refers to any more, since when, and what becomes of it.

-- unreferenced_at: since when no record names it; NULL while one does. condemned_by: the run of gc that wants to delete it.
ALTER TABLE pixform_originals ADD COLUMN unreferenced_at INTEGER;
ALTER TABLE pixform_originals ADD COLUMN condemned_by TEXT;
-- Whether a record ever named it: what was paid for and never published is kept for longer.
ALTER TABLE pixform_originals ADD COLUMN published INTEGER NOT NULL DEFAULT 0 CHECK (published IN (0, 1));
ALTER TABLE pixform_objects ADD COLUMN unreferenced_at INTEGER;
ALTER TABLE pixform_objects ADD COLUMN condemned_by TEXT;

CREATE INDEX pixform_record_details_original ON pixform_record_details (original);
CREATE INDEX pixform_originals_path ON pixform_originals (path);
CREATE INDEX pixform_objects_path ON pixform_objects (path);
CREATE INDEX pixform_originals_unreferenced ON pixform_originals (unreferenced_at) WHERE unreferenced_at IS NOT NULL;
CREATE INDEX pixform_objects_unreferenced ON pixform_objects (unreferenced_at) WHERE unreferenced_at IS NOT NULL;

-- Files that are being deleted by a run of gc, or that nobody needs once they are gone, where `run` is empty. Their lines
-- have left the other tables.
CREATE TABLE pixform_deletions (
  path       TEXT    NOT NULL PRIMARY KEY,
  run        TEXT    NOT NULL,
  recipe     BLOB    CHECK (length(recipe) = 32),
  bytes      INTEGER NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
) STRICT, WITHOUT ROWID;

-- Recipes whose original was deleted and that have none since.
CREATE TABLE pixform_collected (
  recipe     BLOB    NOT NULL PRIMARY KEY CHECK (length(recipe) = 32),
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
) STRICT, WITHOUT ROWID;

-- Every table that was ever published to: a row that stays there may still name a file.
CREATE TABLE pixform_published_tables (
  name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO pixform_published_tables (name)
SELECT table_name FROM pixform_collections WHERE table_name IS NOT NULL UNION SELECT name FROM pixform_tables;

-- Nobody knows since when what is there has been unreferenced: the time begins now. What has a published file, or had one
-- announced, was published.
UPDATE pixform_originals SET
  unreferenced_at = CASE WHEN EXISTS (SELECT 1 FROM pixform_record_details AS d WHERE d.original = pixform_originals.sha256)
                         THEN NULL ELSE CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) END,
  published = EXISTS (SELECT 1 FROM pixform_record_details AS d WHERE d.original = pixform_originals.sha256)
           OR EXISTS (SELECT 1 FROM pixform_objects AS p WHERE p.original = pixform_originals.sha256);

UPDATE pixform_objects SET unreferenced_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)
WHERE NOT EXISTS
  (SELECT 1 FROM pixform_record_details AS d JOIN pixform_records AS r ON r.collection = d.collection AND r.key = d.key
   WHERE d.original = pixform_objects.original
     AND instr(r.objects || char(10), ' ' || pixform_objects.path || char(10)) > 0);
