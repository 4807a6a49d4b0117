-- What may no longer be used is told by itself, beside that its tenant changed: it holds before anything is read again, however much else changed.
-- The payload is the tenant, and the look-up id of a key's value, the id of a project, or the tenant once more. Older processes pass over it.
CREATE OR REPLACE FUNCTION tell_key_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weir_config', OLD.tenant_id || ' ' || gone.lookup_id) FROM (
    SELECT unnest(ARRAY[OLD.lookup_id, OLD.previous_lookup_id])
    EXCEPT SELECT unnest(ARRAY[NEW.lookup_id, CASE WHEN NEW.previous_until > now() THEN NEW.previous_lookup_id END]) WHERE NEW.revoked_at IS NULL AND NEW.disabled_at IS NULL
  ) AS gone (lookup_id) WHERE gone.lookup_id IS NOT NULL;
  RETURN NULL;
END $$;
