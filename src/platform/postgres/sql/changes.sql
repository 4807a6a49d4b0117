-- Tells every process whose configuration changed, and notes it for those that miss the news. The nil uuid is the platform.
CREATE OR REPLACE FUNCTION note_config_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  row_tenant uuid := coalesce(
    CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ->> 'tenant_id' ELSE to_jsonb(NEW) ->> 'tenant_id' END,
    '00000000-0000-0000-0000-000000000000');
BEGIN
  IF TG_TABLE_NAME = 'tenants' THEN row_tenant := coalesce(NEW.id, OLD.id); END IF;
  INSERT INTO config_changes (tenant_id, version, changed_at) VALUES (row_tenant, nextval('config_version'), clock_timestamp())
    ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at;
  PERFORM pg_notify('weir_config', row_tenant::text);
  RETURN NULL;
END $$;
