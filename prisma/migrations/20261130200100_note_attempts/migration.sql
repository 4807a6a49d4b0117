-- attempts: of the hold so far, as its gateway noted them last. NULL: it noted none.
ALTER TABLE holds ADD COLUMN attempts jsonb;
