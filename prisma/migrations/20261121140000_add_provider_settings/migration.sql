-- `dialect`: the wire format a provider is spoken to in, where its type speaks several; null: chosen for each model.
-- `native_tools`: false where its models call tools only by what they write in their text; null: as its type does.
ALTER TABLE providers ADD COLUMN dialect text, ADD COLUMN native_tools boolean;
