-- What a run belongs to, and which files hold other bytes than they should.

-- The branch of the manifests, unless all others are merged into it, and the pull request, as `owner/repository#7`.
ALTER TABLE pixform.runs ADD COLUMN branch text;
ALTER TABLE pixform.runs ADD COLUMN pull_request text;

CREATE INDEX runs_branch ON pixform.runs (branch) WHERE branch IS NOT NULL;

-- Files that were read and found to be damaged or gone: a hint where to look, which is forgotten once they are well. `sha256`
-- is what their bytes should be.
CREATE TABLE pixform.damages (
  collection text   NOT NULL,
  key        text   NOT NULL,
  path       text   NOT NULL,
  sha256     bytea  NOT NULL CHECK (octet_length(sha256) = 32),
  created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  PRIMARY KEY (collection, key, path)
);
