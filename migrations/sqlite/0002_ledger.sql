-- What a paid call needs: who works on it, the service's task, and what people decided about it.

-- `run` is the run that sent the call and pays for it; `holder` is the one that works on the line now.
ALTER TABLE pixform_calls ADD COLUMN holder TEXT NOT NULL DEFAULT '';
-- The generator's name in the manifest; `generator` is its kind.
ALTER TABLE pixform_calls ADD COLUMN service TEXT NOT NULL DEFAULT '';
ALTER TABLE pixform_calls ADD COLUMN model TEXT;
-- The service's id of the task, and when it became known.
ALTER TABLE pixform_calls ADD COLUMN task TEXT;
ALTER TABLE pixform_calls ADD COLUMN submitted_at INTEGER;
ALTER TABLE pixform_calls ADD COLUMN decision TEXT CHECK (decision IN ('retried', 'forgotten', 'accepted'));

UPDATE pixform_calls SET holder = run, service = generator;

-- What a run spent is counted under each cap.
CREATE INDEX pixform_calls_run ON pixform_calls (run);

-- Who began a run, for which commit, and where its log is.
ALTER TABLE pixform_runs ADD COLUMN actor TEXT;
ALTER TABLE pixform_runs ADD COLUMN commit_sha TEXT;
ALTER TABLE pixform_runs ADD COLUMN run_url TEXT;
