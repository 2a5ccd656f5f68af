-- What a run belongs to, and which files hold other bytes than they should.

-- The branch of the manifests, unless all others are merged into it, and the pull request, as `owner/repository#7`.
ALTER TABLE pixform_runs ADD COLUMN branch TEXT;
ALTER TABLE pixform_runs ADD COLUMN pull_request TEXT;

CREATE INDEX pixform_runs_branch ON pixform_runs (branch) WHERE branch IS NOT NULL;

-- Files that were read and found to be damaged or gone: a hint where to look, which is forgotten once they are well. `sha256`
-- is what their bytes should be.
CREATE TABLE pixform_damages (
  collection TEXT NOT NULL,
  key        TEXT NOT NULL,
  path       TEXT NOT NULL,
  sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (collection, key, path)
) STRICT, WITHOUT ROWID;
