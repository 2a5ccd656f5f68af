-- What people accepted: a picture as satisfying a recipe, or a row as it was edited by hand.

-- old_recipe: what the picture was recorded for; NULL where it was not recorded. row_columns: JSON, for rows only.
CREATE TABLE pixform_acceptances (
  id          INTEGER NOT NULL PRIMARY KEY,
  collection  TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  kind        TEXT    NOT NULL CHECK (kind IN ('picture', 'row')),
  old_recipe  BLOB    CHECK (length(old_recipe) = 32),
  new_recipe  BLOB    CHECK (length(new_recipe) = 32),
  original    BLOB    CHECK (length(original) = 32),
  row_columns TEXT,
  run         TEXT    NOT NULL,
  created_at  INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)),
  CHECK ((kind = 'picture') = (new_recipe IS NOT NULL AND original IS NOT NULL)),
  CHECK ((kind = 'row') = (row_columns IS NOT NULL))
) STRICT;

CREATE INDEX pixform_acceptances_key ON pixform_acceptances (collection, key);
