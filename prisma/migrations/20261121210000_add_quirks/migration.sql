-- How a provider differs from its type: names and values as `Quirks` in src/dialects/quirks.ts has them.
ALTER TABLE providers ADD COLUMN quirks jsonb NOT NULL DEFAULT '{}';
