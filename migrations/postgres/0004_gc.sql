-- What nothing refers to any more, since when, and what becomes of it.

-- unreferenced_at: since when no record names it; NULL while one does. condemned_by: the run of gc that wants to delete it.
-- published: whether a record ever named it: what was paid for and never published is kept for longer.
ALTER TABLE pixform.originals ADD COLUMN unreferenced_at bigint, ADD COLUMN condemned_by text,
  ADD COLUMN published boolean NOT NULL DEFAULT false;
ALTER TABLE pixform.objects ADD COLUMN unreferenced_at bigint, ADD COLUMN condemned_by text;

CREATE INDEX record_details_original ON pixform.record_details (original);
CREATE INDEX originals_path ON pixform.originals (path);
CREATE INDEX objects_path ON pixform.objects (path);
CREATE INDEX originals_unreferenced ON pixform.originals (unreferenced_at) WHERE unreferenced_at IS NOT NULL;
CREATE INDEX objects_unreferenced ON pixform.objects (unreferenced_at) WHERE unreferenced_at IS NOT NULL;

-- Files that are being deleted by a run of gc, or that nobody needs once they are gone, where `run` is empty. Their lines
-- have left the other tables.
CREATE TABLE pixform.deletions (
  path       text   NOT NULL COLLATE "C" PRIMARY KEY,
  run        text   NOT NULL,
  recipe     bytea,
  bytes      bigint NOT NULL,
  created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
);

-- Recipes whose original was deleted and that have none since.
CREATE TABLE pixform.collected (
  recipe     bytea  NOT NULL PRIMARY KEY,
  created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
);

-- Every table that was ever published to: a row that stays there may still name a file.
CREATE TABLE pixform.published_tables (
  name text NOT NULL PRIMARY KEY
);

INSERT INTO pixform.published_tables (name)
SELECT table_name FROM pixform.collections WHERE table_name IS NOT NULL UNION SELECT name FROM pixform.tables;

-- Nobody knows since when what is there has been unreferenced: the time begins now. What has a published file, or had one
-- announced, was published.
UPDATE pixform.originals AS o SET
  unreferenced_at = CASE WHEN EXISTS (SELECT FROM pixform.record_details AS d WHERE d.original = o.sha256)
                         THEN NULL ELSE (extract(epoch FROM clock_timestamp()) * 1000)::bigint END,
  published = EXISTS (SELECT FROM pixform.record_details AS d WHERE d.original = o.sha256)
           OR EXISTS (SELECT FROM pixform.objects AS p WHERE p.original = o.sha256);

UPDATE pixform.objects AS o SET unreferenced_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE NOT EXISTS
  (SELECT FROM pixform.record_details AS d JOIN pixform.records AS r ON r.collection = d.collection AND r.key = d.key
   WHERE d.original = o.original AND strpos(r.objects || chr(10), ' ' || o.path || chr(10)) > 0);
