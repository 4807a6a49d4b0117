-- What Cloudflare's AI Gateway is asked for with each call of a provider, by the names of the admin API; null: nothing.
ALTER TABLE providers ADD COLUMN gateway_options jsonb;
