-- Snapshots and lists read a page at a time, in the order of owner and id.
CREATE INDEX providers_owner_idx ON providers (tenant_id, id);
CREATE INDEX credentials_owner_idx ON credentials (tenant_id, id);
CREATE INDEX connections_owner_idx ON connections (tenant_id, id);
CREATE INDEX provider_headers_owner_idx ON provider_headers (tenant_id, provider_id);
CREATE INDEX prices_owner_idx ON prices (tenant_id, id);
-- Each poll asks for what changed in the last minute.
CREATE INDEX config_changes_changed_at_idx ON config_changes (changed_at);
