-- The wire format a provider is spoken to in, where its type speaks several; null: chosen for each model.
ALTER TABLE providers ADD COLUMN dialect text;
