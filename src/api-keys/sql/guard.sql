-- A key is not revoked to escape what is set on it; its secret may be replaced, which the columns here leave out.
CREATE OR REPLACE FUNCTION guard_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.revoked_at IS NULL AND (OLD.set_by = 'operator' OR has_platform_rule(OLD.tenant_id, 'api_key', 'key_' || replace(OLD.id::text, '-', ''))) THEN
    PERFORM refuse_platform_rule('An operator made this key or set a rule on it. Only an operator may change or revoke it; rotate it if its value may be known to others.');
  END IF;
  RETURN NEW;
END $$;

-- Only an operator makes a key that is an operator's.
CREATE OR REPLACE FUNCTION guard_new_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_platform_rule('Only an operator makes keys in the name of an operator.');
END $$;
