-- The first tables of the state, in a schema of their own, out of sight of a REST layer over `public`. Digests are 32 bytes,
-- times are milliseconds since 1970 by the database's clock unless said otherwise.
--
-- There are no foreign keys: each would cost a look-up a row, and nothing but pixform writes here.

-- Facts about the state as a whole, by name: `state` is its own id, `store` the id of the store it works with.
CREATE TABLE pixform.meta (
  name  text NOT NULL PRIMARY KEY,
  value text NOT NULL
);

-- The published tables that pixform created, by their quoted names; only in these does it keep created_at and updated_at.
CREATE TABLE pixform.tables (
  name       text   NOT NULL PRIMARY KEY,
  created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
);

-- `key_axes` is a JSON array. `records` is kept with each commit, because counting a million records takes too long.
CREATE TABLE pixform.collections (
  name       text   NOT NULL COLLATE "C" PRIMARY KEY,
  key_axes   text   NOT NULL DEFAULT '[]',
  table_name text,
  records    bigint NOT NULL DEFAULT 0
);

-- What planning streams, and nothing more: a narrow row is a fast one. flags: 1 protect, 2 hold.
CREATE TABLE pixform.records (
  collection   text    NOT NULL COLLATE "C",
  key          text    NOT NULL COLLATE "C",
  recipe       bytea   NOT NULL,
  renditions   bytea   NOT NULL,
  row_digest   bytea,
  seen_digest  bytea,
  flags        integer NOT NULL,
  extra_labels text    NOT NULL,
  objects      text    NOT NULL,
  PRIMARY KEY (collection, key)
);

-- The wide rest of a record.
CREATE TABLE pixform.record_details (
  collection text   NOT NULL COLLATE "C",
  key        text   NOT NULL COLLATE "C",
  first_key  text   NOT NULL,
  labels     text   NOT NULL,
  recipe     text   NOT NULL,
  base       text   NOT NULL,
  take       bigint NOT NULL,
  vars       text   NOT NULL,
  original   bytea  NOT NULL,
  published  text   NOT NULL,
  row_inputs text,
  row_id     text,
  PRIMARY KEY (collection, key)
);

-- Renames that were carried out and whose line may still stand in a manifest.
CREATE TABLE pixform.moves (
  collection      text   NOT NULL COLLATE "C",
  key             text   NOT NULL COLLATE "C",
  from_collection text   NOT NULL COLLATE "C",
  from_key        text   NOT NULL COLLATE "C",
  created_at      bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  PRIMARY KEY (collection, key, from_collection, from_key)
);

-- Every original that a recipe ever had; one of them is current.
CREATE TABLE pixform.originals (
  recipe     bytea   NOT NULL,
  sha256     bytea   NOT NULL,
  path       text    NOT NULL,
  bytes      bigint  NOT NULL,
  width      bigint  NOT NULL,
  height     bigint  NOT NULL,
  seed       bigint,
  current    boolean NOT NULL,
  created_at bigint  NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  PRIMARY KEY (recipe, sha256)
);

CREATE UNIQUE INDEX originals_current ON pixform.originals (recipe) WHERE current;
CREATE INDEX originals_content ON pixform.originals (sha256);

-- Every file that was put or about to be put; of several for one original and rendition the last announced is current.
CREATE TABLE pixform.objects (
  original   bytea   NOT NULL,
  rendition  bytea   NOT NULL,
  path       text    NOT NULL COLLATE "C",
  published  text    NOT NULL,
  current    boolean NOT NULL,
  created_at bigint  NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  PRIMARY KEY (original, rendition, path)
);

CREATE UNIQUE INDEX objects_current ON pixform.objects (original, rendition) WHERE current;

-- started: the process's start in clock ticks since boot.
CREATE TABLE pixform.runs (
  id           text   NOT NULL PRIMARY KEY,
  command      text   NOT NULL,
  host         text   NOT NULL,
  boot         text   NOT NULL,
  namespace    text   NOT NULL,
  pid          bigint NOT NULL,
  started      bigint NOT NULL,
  created_at   bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  heartbeat_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  finished_at  bigint,
  outcome      text
);

-- A line stays when its lease is given back, so that no fence is ever used twice. since, expires: seconds since 1970.
-- commit_id names the last commit under the lease: where the answer to a commit was lost, it tells whether that happened.
CREATE TABLE pixform.leases (
  collection text   NOT NULL COLLATE "C" PRIMARY KEY,
  fence      bigint NOT NULL,
  run        text,
  since      bigint NOT NULL,
  expires    bigint NOT NULL,
  commit_id  text
);

-- The ledger: one line for each call to a generator. price: millionths of a US dollar.
CREATE TABLE pixform.calls (
  id         text   NOT NULL COLLATE "C" PRIMARY KEY,
  run        text   NOT NULL,
  collection text   NOT NULL,
  key        text   NOT NULL,
  recipe     bytea  NOT NULL,
  generator  text   NOT NULL,
  price      bigint NOT NULL,
  status     text   NOT NULL,
  reason     text,
  sha256     bytea,
  created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  updated_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
);

CREATE UNIQUE INDEX calls_open ON pixform.calls (recipe) WHERE status IN ('intended', 'submitted', 'received');
CREATE INDEX calls_recipe ON pixform.calls (recipe);
