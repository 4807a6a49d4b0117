-- What may no longer be used is told by itself, beside that its tenant changed: it holds before anything is read again, however much else changed.
-- The payload is the tenant, and the look-up id of a key's value, the id of a project, or the tenant once more. Older processes pass over it.
CREATE FUNCTION tell_key_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weir_config', OLD.tenant_id || ' ' || gone.lookup_id) FROM (
    SELECT unnest(ARRAY[OLD.lookup_id, OLD.previous_lookup_id])
    EXCEPT SELECT unnest(ARRAY[NEW.lookup_id, CASE WHEN NEW.previous_until > now() THEN NEW.previous_lookup_id END]) WHERE NEW.revoked_at IS NULL
  ) AS gone (lookup_id) WHERE gone.lookup_id IS NOT NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER api_keys_withdrawn AFTER UPDATE ON api_keys FOR EACH ROW
  WHEN ((OLD.lookup_id, OLD.previous_lookup_id, OLD.revoked_at) IS DISTINCT FROM (NEW.lookup_id, NEW.previous_lookup_id, NEW.revoked_at))
  EXECUTE FUNCTION tell_key_withdrawn();

CREATE FUNCTION tell_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weir_config', coalesce(to_jsonb(NEW) ->> 'tenant_id', NEW.id::text) || ' ' || NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER projects_withdrawn AFTER UPDATE ON projects FOR EACH ROW
  WHEN (OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION tell_withdrawn();
CREATE TRIGGER tenants_withdrawn AFTER UPDATE ON tenants FOR EACH ROW
  WHEN (OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL) EXECUTE FUNCTION tell_withdrawn();
