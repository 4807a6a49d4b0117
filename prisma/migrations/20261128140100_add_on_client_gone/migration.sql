-- What happens to a provider's work when the client of a call leaves. Null: as the provider type says.
ALTER TABLE providers ADD COLUMN on_client_gone text CHECK (on_client_gone IN ('cancel', 'drain'));
