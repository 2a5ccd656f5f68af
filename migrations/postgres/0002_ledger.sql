-- What a paid call needs: who works on it, the service's task, and what people decided about it.

ALTER TABLE pixform.calls
  -- `run` is the run that sent the call and pays for it; `holder` is the one that works on the line now.
  ADD COLUMN holder text NOT NULL DEFAULT '',
  -- The generator's name in the manifest; `generator` is its kind.
  ADD COLUMN service text NOT NULL DEFAULT '',
  ADD COLUMN model text,
  -- The service's id of the task, and when it became known.
  ADD COLUMN task text,
  ADD COLUMN submitted_at bigint,
  ADD COLUMN decision text CHECK (decision IN ('retried', 'forgotten', 'accepted'));

-- What a run spent is counted under each cap.
CREATE INDEX calls_run ON pixform.calls (run);

-- Who began a run, for which commit, and where its log is.
ALTER TABLE pixform.runs
  ADD COLUMN actor text,
  ADD COLUMN commit_sha text,
  ADD COLUMN run_url text;
