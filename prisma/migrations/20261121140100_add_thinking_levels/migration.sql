-- How much models are to think for calls of this key that do not say; null: as the provider does.
ALTER TABLE api_keys ADD COLUMN thinking_level text;
