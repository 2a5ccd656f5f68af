-- Plans as they were reviewed, by their digest, and what a month's cap is counted from.

CREATE TABLE pixform_plans (
  digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  document   TEXT    NOT NULL,
  run        TEXT    NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))
) STRICT;

CREATE INDEX pixform_calls_created ON pixform_calls (created_at) WHERE price > 0;
