-- What a server shows beside records and rows: the order of the manifest, and the recipes of earlier pictures.

-- JSON: the declared columns and the keys, in the order of the manifest. NULL until an apply has written it.
ALTER TABLE pixform_collections ADD COLUMN arrangement TEXT;

-- The recipes that a record no longer has: what an earlier picture was made from. `document` is JSON.
CREATE TABLE pixform_recipes (
  recipe   BLOB NOT NULL PRIMARY KEY CHECK (length(recipe) = 32),
  document TEXT NOT NULL
) STRICT;
