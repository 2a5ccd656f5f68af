-- The first tables of the state. Digests are 32 bytes, times are milliseconds since 1970 by the database's clock unless
-- said otherwise.

-- Facts about the state as a whole, by name: `state` is its own id, `store` the id of the store it works with.
CREATE TABLE pixform_meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The published tables that pixform created; only in these does it keep created_at and updated_at.
CREATE TABLE pixform_tables (
  name       TEXT    NOT NULL PRIMARY KEY COLLATE NOCASE,
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
) STRICT, WITHOUT ROWID;

-- `key_axes` is a JSON array. `records` is kept by triggers, because counting a million records takes too long.
CREATE TABLE pixform_collections (
  name     TEXT    NOT NULL PRIMARY KEY,
  key_axes TEXT    NOT NULL DEFAULT '[]',
  table_name TEXT,
  records  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What planning streams, and nothing more: a narrow row is a fast one. flags: 1 protect, 2 hold.
CREATE TABLE pixform_records (
  collection   TEXT    NOT NULL REFERENCES pixform_collections (name),
  key          TEXT    NOT NULL,
  recipe       BLOB    NOT NULL CHECK (length(recipe) = 32),
  renditions   BLOB    NOT NULL CHECK (length(renditions) = 32),
  row_digest   BLOB    CHECK (length(row_digest) = 32),
  seen_digest  BLOB    CHECK (length(seen_digest) = 32),
  flags        INTEGER NOT NULL,
  extra_labels TEXT    NOT NULL,
  objects      TEXT    NOT NULL,
  PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER pixform_records_added AFTER INSERT ON pixform_records BEGIN
  UPDATE pixform_collections SET records = records + 1 WHERE name = NEW.collection;
END;

CREATE TRIGGER pixform_records_removed AFTER DELETE ON pixform_records BEGIN
  UPDATE pixform_collections SET records = records - 1 WHERE name = OLD.collection;
END;

-- The wide rest of a record. It has a rowid, so that its long rows lie in the table and not in an index.
CREATE TABLE pixform_record_details (
  collection TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  first_key  TEXT    NOT NULL,
  labels     TEXT    NOT NULL,
  recipe     TEXT    NOT NULL,
  base       TEXT    NOT NULL,
  take       INTEGER NOT NULL,
  vars       TEXT    NOT NULL,
  original   BLOB    NOT NULL CHECK (length(original) = 32),
  published  TEXT    NOT NULL,
  row_inputs TEXT,
  row_id     TEXT,
  PRIMARY KEY (collection, key),
  FOREIGN KEY (collection, key) REFERENCES pixform_records (collection, key) ON DELETE CASCADE
) STRICT;

-- Renames that were carried out and whose line may still stand in a manifest.
CREATE TABLE pixform_moves (
  collection      TEXT    NOT NULL,
  key             TEXT    NOT NULL,
  from_collection TEXT    NOT NULL,
  from_key        TEXT    NOT NULL,
  created_at      INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (collection, key, from_collection, from_key)
) STRICT, WITHOUT ROWID;

-- Every original that a recipe ever had; one of them is current.
CREATE TABLE pixform_originals (
  recipe     BLOB    NOT NULL CHECK (length(recipe) = 32),
  sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
  path       TEXT    NOT NULL,
  bytes      INTEGER NOT NULL,
  width      INTEGER NOT NULL,
  height     INTEGER NOT NULL,
  seed       INTEGER,
  current    INTEGER NOT NULL CHECK (current IN (0, 1)),
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (recipe, sha256)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX pixform_originals_current ON pixform_originals (recipe) WHERE current = 1;
CREATE INDEX pixform_originals_content ON pixform_originals (sha256);

-- Every file that was put or about to be put; of several for one original and rendition the last announced is current.
CREATE TABLE pixform_objects (
  original   BLOB    NOT NULL CHECK (length(original) = 32),
  rendition  BLOB    NOT NULL CHECK (length(rendition) = 32),
  path       TEXT    NOT NULL,
  published  TEXT    NOT NULL,
  current    INTEGER NOT NULL CHECK (current IN (0, 1)),
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (original, rendition, path)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX pixform_objects_current ON pixform_objects (original, rendition) WHERE current = 1;

-- started: the process's start in clock ticks since boot.
CREATE TABLE pixform_runs (
  id           TEXT    NOT NULL PRIMARY KEY,
  command      TEXT    NOT NULL,
  host         TEXT    NOT NULL,
  boot         TEXT    NOT NULL,
  namespace    TEXT    NOT NULL,
  pid          INTEGER NOT NULL,
  started      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  heartbeat_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  finished_at  INTEGER,
  outcome      TEXT
) STRICT, WITHOUT ROWID;

-- A line stays when its lease is given back, so that no fence is ever used twice. since, expires: seconds since 1970.
CREATE TABLE pixform_leases (
  collection TEXT    NOT NULL PRIMARY KEY,
  fence      INTEGER NOT NULL,
  run        TEXT    REFERENCES pixform_runs (id),
  since      INTEGER NOT NULL,
  expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger: one line for each call to a generator. price: millionths of a US dollar.
CREATE TABLE pixform_calls (
  id         TEXT    NOT NULL PRIMARY KEY,
  run        TEXT    NOT NULL,
  collection TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  recipe     BLOB    NOT NULL CHECK (length(recipe) = 32),
  generator  TEXT    NOT NULL,
  price      INTEGER NOT NULL,
  status     TEXT    NOT NULL,
  reason     TEXT,
  sha256     BLOB    CHECK (length(sha256) = 32),
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX pixform_calls_open ON pixform_calls (recipe) WHERE status IN ('intended', 'submitted', 'received');
CREATE INDEX pixform_calls_recipe ON pixform_calls (recipe);
