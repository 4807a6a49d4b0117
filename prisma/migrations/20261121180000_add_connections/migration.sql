-- Seats of persons at providers that are used by login instead of a key: one per provider record.
--
-- What is sealed is bound to the tenant, the connection and the provider's origin. `renewal` counts the access tokens it has had: whoever was
-- refused with one asks for the next of it, and finds that another process has it already. Its row is locked while a token is renewed, so a
-- refresh token is used once.
CREATE TABLE connections (
  id                uuid PRIMARY KEY,
  tenant_id         uuid NOT NULL REFERENCES tenants (id),
  provider_id       uuid NOT NULL REFERENCES providers (id),
  origin            text NOT NULL,
  state             text NOT NULL CHECK (state IN ('pending', 'connected', 'expired', 'failed')),
  last_error        text,
  -- While it is pending.
  device_code       bytea,
  device_expires_at timestamptz NOT NULL,
  interval_seconds  integer NOT NULL CHECK (interval_seconds > 0),
  poll_after        timestamptz NOT NULL,
  -- Once it is connected.
  refresh_token     bytea,
  access_token      bytea,
  access_expires_at timestamptz,
  renewal           integer NOT NULL DEFAULT 0,
  connected_at      timestamptz,
  created_at        timestamptz NOT NULL DEFAULT now(),
  UNIQUE (provider_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON connections TO weir_app;
-- A poll that found nothing new concerns nobody.
CREATE TRIGGER connections_changed AFTER INSERT OR DELETE OR UPDATE OF state, access_token ON connections
  FOR EACH ROW EXECUTE FUNCTION note_config_change();
SELECT wall_off('connections');
