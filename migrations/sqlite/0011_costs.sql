-- What a call was to cost and what it cost, whether it is free, how often it was asked for, and which account pays.

-- What the configured price says, before the call is sent; `cost` is what the service told, NULL until it does. Both are
-- millionths of a US dollar.
ALTER TABLE pixform_calls RENAME COLUMN price TO estimate;
ALTER TABLE pixform_calls ADD COLUMN cost INTEGER;
-- Whether the generator is one that never charges: its calls ask nobody, and are made again where they were cut off.
ALTER TABLE pixform_calls ADD COLUMN free INTEGER NOT NULL DEFAULT 0 CHECK (free IN (0, 1));
-- The number of the call's last request, counted from 1.
ALTER TABLE pixform_calls ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
-- HMAC-SHA-256 of kind, address and key under the store's id; NULL for lines of earlier versions and for generators
-- without an account.
ALTER TABLE pixform_calls ADD COLUMN account BLOB CHECK (length(account) = 32);

-- Until now there was one free generator, known by its name.
UPDATE pixform_calls SET free = 1 WHERE generator = 'placeholder';

DROP INDEX pixform_calls_created;
CREATE INDEX pixform_calls_created ON pixform_calls (created_at) WHERE NOT free;
