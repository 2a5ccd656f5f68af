-- Plans as they were reviewed, by their digest, and what a month's cap is counted from.

CREATE TABLE pixform.plans (
  digest     bytea  NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  document   text   NOT NULL,
  run        text   NOT NULL,
  created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
);

CREATE INDEX calls_created ON pixform.calls (created_at) WHERE price > 0;

-- A run without a lease asks for calls, too: the name of the last question that it was answered.
ALTER TABLE pixform.runs ADD COLUMN commit_id text;
