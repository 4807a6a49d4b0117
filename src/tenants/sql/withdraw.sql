-- What may no longer be used is told by itself: see tell_key_withdrawn. The id of a project, or the tenant once more.
CREATE OR REPLACE FUNCTION tell_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weir_config', coalesce(to_jsonb(NEW) ->> 'tenant_id', NEW.id::text) || ' ' || NEW.id);
  RETURN NULL;
END $$;
