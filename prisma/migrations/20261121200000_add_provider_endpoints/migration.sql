-- `auth`: how the key is shown, `bearer`, `none` or `header:name`; null: as its type does. `default_model`: what its bare name stands for.
-- `capabilities`: what the last probe found, as the admin REST shows it; null: not probed as it is now.
ALTER TABLE providers ADD COLUMN auth text, ADD COLUMN default_model text, ADD COLUMN capabilities jsonb;

-- Headers of the customer's own that a provider is sent: their names, and names and values sealed together for one origin.
CREATE TABLE provider_headers (
  provider_id uuid PRIMARY KEY REFERENCES providers (id),
  tenant_id   uuid REFERENCES tenants (id),
  origin      text NOT NULL,
  names       text[] NOT NULL,
  sealed      bytea NOT NULL
);
CREATE TRIGGER provider_headers_changed AFTER INSERT OR UPDATE OR DELETE ON provider_headers FOR EACH ROW EXECUTE FUNCTION note_config_change();
GRANT SELECT, INSERT, DELETE ON provider_headers TO weir_app;
SELECT wall_off('provider_headers');
