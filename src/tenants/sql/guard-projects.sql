-- Nor is a project archived.
CREATE OR REPLACE FUNCTION guard_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF has_platform_rule(OLD.tenant_id, 'project', 'proj_' || replace(OLD.id::text, '-', '')) OR EXISTS (
    SELECT FROM api_keys k WHERE k.tenant_id = OLD.tenant_id AND k.project_id = OLD.id AND k.revoked_at IS NULL
      AND (k.set_by = 'operator' OR has_platform_rule(k.tenant_id, 'api_key', 'key_' || replace(k.id::text, '-', '')))) THEN
    PERFORM refuse_platform_rule('An operator set a rule on this project or on a key of it. Only an operator may archive it: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
