-- Files of the product that were taken over, by the original that was copied from them: nobody announced them, and nothing
-- that pixform does deletes them.
CREATE TABLE pixform.adopted (
  original   bytea  NOT NULL CHECK (length(original) = 32),
  rendition  bytea  NOT NULL CHECK (length(rendition) = 32),
  path       text   NOT NULL,
  published  text   NOT NULL,
  created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  PRIMARY KEY (original, rendition, path)
);

-- What a record names and nobody announced was taken over.
INSERT INTO pixform.adopted (original, rendition, path, published)
SELECT d.original, decode(replace(f.value ->> 'digest', 'sha256:', ''), 'hex'), f.value ->> 'path', '[' || f.value::text || ']'
FROM pixform.record_details AS d CROSS JOIN LATERAL jsonb_array_elements(d.published::text::jsonb) AS f (value)
WHERE NOT EXISTS (SELECT FROM pixform.objects AS o WHERE o.path = f.value ->> 'path')
ON CONFLICT DO NOTHING;
