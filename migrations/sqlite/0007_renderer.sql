-- Which version of the renderer made a published file; `published` says it, too. All that were there are of the first.
ALTER TABLE pixform_objects ADD COLUMN renderer INTEGER NOT NULL DEFAULT 1;
