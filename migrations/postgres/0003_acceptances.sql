-- What people accepted: a picture as satisfying a recipe, or a row as it was edited by hand.

-- old_recipe: what the picture was recorded for; NULL where it was not recorded. row_columns: JSON, for rows only.
CREATE TABLE pixform.acceptances (
  id          bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  collection  text   NOT NULL COLLATE "C",
  key         text   NOT NULL COLLATE "C",
  kind        text   NOT NULL CHECK (kind IN ('picture', 'row')),
  old_recipe  bytea,
  new_recipe  bytea,
  original    bytea,
  row_columns text,
  run         text   NOT NULL,
  created_at  bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  CHECK ((kind = 'picture') = (new_recipe IS NOT NULL AND original IS NOT NULL)),
  CHECK ((kind = 'row') = (row_columns IS NOT NULL))
);

CREATE INDEX acceptances_key ON pixform.acceptances (collection, key);
