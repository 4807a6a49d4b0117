-- A key that is rotated keeps its id, and with it what is set on it and counted by it. Its value from before works until previous_until.
ALTER TABLE api_keys ADD COLUMN previous_lookup_id text, ADD COLUMN previous_digest bytea, ADD COLUMN previous_until timestamptz;
ALTER TABLE admin_keys ADD COLUMN previous_lookup_id text, ADD COLUMN previous_digest bytea, ADD COLUMN previous_until timestamptz;
CREATE UNIQUE INDEX api_keys_previous_lookup_id_key ON api_keys (previous_lookup_id);
CREATE UNIQUE INDEX admin_keys_previous_lookup_id_key ON admin_keys (previous_lookup_id);
