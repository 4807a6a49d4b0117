-- The second protection of the platform's rules: Postgres refuses a session that works for a tenant's admin to change them, whatever the code asks.
-- The setting weir.admin says who the session works for: 'tenant' for a tenant's admin. Unset for gateways and workers.
CREATE OR REPLACE FUNCTION weir_is_tenant_admin() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(current_setting('weir.admin', true) = 'tenant', false)
$$;

-- SQLSTATE WR001 is answered as platform_rule, with this message.
CREATE OR REPLACE FUNCTION refuse_platform_rule(p_what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'WR001', MESSAGE = p_what;
END $$;

-- A budget or a limit that an operator set, or that is to look as if one did.
CREATE OR REPLACE FUNCTION guard_platform_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.set_by = 'operator' OR (TG_OP = 'UPDATE' AND OLD.set_by = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set this. Only an operator may change or remove it: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;

-- A budget or a limit of an operator's on exactly this scope.
CREATE OR REPLACE FUNCTION has_platform_rule(p_tenant_id uuid, p_kind text, p_value text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM budgets b WHERE b.tenant_id = p_tenant_id AND b.scope_kind = p_kind AND b.scope_value = p_value
      AND b.set_by = 'operator' AND b.deleted_at IS NULL)
    OR EXISTS (SELECT FROM limits l WHERE l.tenant_id = p_tenant_id AND l.scope_kind = p_kind AND l.scope_value = p_value
      AND l.set_by = 'operator' AND l.deleted_at IS NULL)
$$;

-- What only operators have routes for.
CREATE OR REPLACE FUNCTION guard_for_operators() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_platform_rule('Only an operator may do that: ask whoever runs this installation.');
END $$;
