-- Files of the product that were taken over, by the original that was copied from them: nobody announced them, and nothing
-- that pixform does deletes them.
CREATE TABLE pixform_adopted (
  original   BLOB    NOT NULL CHECK (length(original) = 32),
  rendition  BLOB    NOT NULL CHECK (length(rendition) = 32),
  path       TEXT    NOT NULL,
  published  TEXT    NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (original, rendition, path)
) STRICT, WITHOUT ROWID;

-- What a record names and nobody announced was taken over.
INSERT INTO pixform_adopted (original, rendition, path, published)
SELECT d.original, unhex(replace(f.value ->> 'digest', 'sha256:', '')), f.value ->> 'path', '[' || f.value || ']'
FROM pixform_record_details AS d CROSS JOIN json_each(d.published) AS f
WHERE NOT EXISTS (SELECT 1 FROM pixform_objects AS o WHERE o.path = f.value ->> 'path')
ON CONFLICT DO NOTHING;
