-- What a call was to cost and what it cost, whether it is free, how often it was asked for, and which account pays.

-- What the configured price says, before the call is sent; `cost` is what the service told, NULL until it does. Both are
-- millionths of a US dollar.
ALTER TABLE pixform.calls RENAME COLUMN price TO estimate;
ALTER TABLE pixform.calls
  ADD COLUMN cost bigint,
  -- Whether the generator is one that never charges: its calls ask nobody, and are made again where they were cut off.
  ADD COLUMN free boolean NOT NULL DEFAULT false,
  -- The number of the call's last request, counted from 1.
  ADD COLUMN attempt bigint NOT NULL DEFAULT 1,
  -- HMAC-SHA-256 of kind, address and key under the store's id; NULL for lines of earlier versions and for generators
  -- without an account.
  ADD COLUMN account bytea CHECK (length(account) = 32);

-- Until now there was one free generator, known by its name.
UPDATE pixform.calls SET free = true WHERE generator = 'placeholder';

DROP INDEX pixform.calls_created;
CREATE INDEX calls_created ON pixform.calls (created_at) WHERE NOT free;
