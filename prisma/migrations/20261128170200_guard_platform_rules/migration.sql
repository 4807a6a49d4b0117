-- The second wall around the platform's rules: Postgres refuses a session that works for a tenant's admin to change them, whatever the code asks.
-- The setting weir.admin says who the session works for: 'tenant' for a tenant's admin. Unset for gateways, workers and the version before, whose
-- statements work as they did.

CREATE FUNCTION weir_is_tenant_admin() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(current_setting('weir.admin', true) = 'tenant', false)
$$;

-- SQLSTATE WR001 is answered as platform_rule, with this message.
CREATE FUNCTION refuse_platform_rule(p_what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'WR001', MESSAGE = p_what;
END $$;

-- A budget or a limit that an operator set, or that is to look as if one did.
CREATE FUNCTION guard_platform_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.set_by = 'operator' OR (TG_OP = 'UPDATE' AND OLD.set_by = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set this. Only an operator may change or remove it: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER budgets_guarded BEFORE INSERT OR UPDATE ON budgets FOR EACH ROW WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_platform_rule();
CREATE TRIGGER limits_guarded BEFORE INSERT OR UPDATE ON limits FOR EACH ROW WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_platform_rule();

-- What a budget allows in the period under way.
CREATE FUNCTION guard_allowance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM budgets b WHERE b.tenant_id = NEW.tenant_id AND b.id = NEW.budget_id AND b.set_by = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set this budget. Only an operator may let it spend more: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
-- Names its columns, so the statements of the money path do not run it.
CREATE TRIGGER budget_periods_guarded BEFORE UPDATE OF limit_nano, granted, hard ON budget_periods FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_allowance();

-- A reset writes an entry `manual` on the period it resets.
CREATE FUNCTION guard_manual_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id
    WHERE p.id = ANY (NEW.period_ids) AND b.set_by = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set this budget. Only an operator may reset it: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_entries_manual_guarded BEFORE INSERT ON ledger_entries FOR EACH ROW
  WHEN (NEW.kind = 'manual' AND weir_is_tenant_admin()) EXECUTE FUNCTION guard_manual_entry();

-- A budget or a limit of an operator's on exactly this scope.
CREATE FUNCTION has_platform_rule(p_tenant_id uuid, p_kind text, p_value text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM budgets b WHERE b.tenant_id = p_tenant_id AND b.scope_kind = p_kind AND b.scope_value = p_value
      AND b.set_by = 'operator' AND b.deleted_at IS NULL)
    OR EXISTS (SELECT FROM limits l WHERE l.tenant_id = p_tenant_id AND l.scope_kind = p_kind AND l.scope_value = p_value
      AND l.set_by = 'operator' AND l.deleted_at IS NULL)
$$;

-- A key is not revoked to escape what is set on it; its secret may be replaced, which the columns here leave out.
CREATE FUNCTION guard_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.revoked_at IS NULL AND (OLD.set_by = 'operator' OR has_platform_rule(OLD.tenant_id, 'api_key', 'key_' || replace(OLD.id::text, '-', ''))) THEN
    PERFORM refuse_platform_rule('An operator made this key or set a rule on it. Only an operator may revoke it; rotate it if its value may be known to others.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER api_keys_guarded
  BEFORE UPDATE OF set_by, tenant_id, id, project_id, models, max_output_tokens, max_call_nano, fit, thinking_level, expires_at, revoked_at ON api_keys
  FOR EACH ROW WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_api_key();
CREATE FUNCTION guard_new_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_platform_rule('Only an operator makes keys in the name of an operator.');
END $$;
CREATE TRIGGER api_keys_made_guarded BEFORE INSERT ON api_keys FOR EACH ROW
  WHEN (NEW.set_by = 'operator' AND weir_is_tenant_admin()) EXECUTE FUNCTION guard_new_api_key();

-- Nor is a project archived.
CREATE FUNCTION guard_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF has_platform_rule(OLD.tenant_id, 'project', 'proj_' || replace(OLD.id::text, '-', '')) OR EXISTS (
    SELECT FROM api_keys k WHERE k.tenant_id = OLD.tenant_id AND k.project_id = OLD.id AND k.revoked_at IS NULL
      AND (k.set_by = 'operator' OR has_platform_rule(k.tenant_id, 'api_key', 'key_' || replace(k.id::text, '-', '')))) THEN
    PERFORM refuse_platform_rule('An operator set a rule on this project or on a key of it. Only an operator may archive it: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER projects_guarded BEFORE UPDATE OF tenant_id, id, archived_at ON projects FOR EACH ROW
  WHEN (weir_is_tenant_admin() AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION guard_project();

-- An operator's price is the tenant's last word on a provider: what would go before it, or looks like it, is refused.
CREATE FUNCTION guard_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.source <> 'admin' OR EXISTS (
    SELECT FROM prices p WHERE p.tenant_id = NEW.tenant_id AND p.provider = NEW.provider AND p.model IN (NEW.model, '*') AND p.source = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set what this costs. Only an operator may set another price: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER prices_guarded BEFORE INSERT ON prices FOR EACH ROW WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_price();

-- What only operators have routes for.
CREATE FUNCTION guard_for_operators() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_platform_rule('Only an operator may do that: ask whoever runs this installation.');
END $$;
CREATE TRIGGER provider_grants_guarded BEFORE INSERT OR UPDATE OR DELETE ON provider_grants FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_for_operators();
CREATE TRIGGER tenants_guarded BEFORE INSERT OR UPDATE OR DELETE ON tenants FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_for_operators();
