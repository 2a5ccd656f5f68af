-- Which version of the renderer made a published file; `published` says it, too. All that were there are of the first.
ALTER TABLE pixform.objects ADD COLUMN renderer integer NOT NULL DEFAULT 1;
