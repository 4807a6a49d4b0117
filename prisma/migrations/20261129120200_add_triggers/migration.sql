-- What Postgres does by itself when rows change. The functions stand beside the modules that own them, in src/<module>/sql.

-- ── processes read anew what changed ─────────────────────────────────────────────────────────────────────────────────

CREATE TRIGGER tenants_changed AFTER INSERT OR UPDATE OR DELETE ON tenants FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER projects_changed AFTER INSERT OR UPDATE OR DELETE ON projects FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER api_keys_changed AFTER INSERT OR UPDATE OR DELETE ON api_keys FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER providers_changed AFTER INSERT OR UPDATE OR DELETE ON providers FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER provider_grants_changed AFTER INSERT OR UPDATE OR DELETE ON provider_grants FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER provider_headers_changed AFTER INSERT OR UPDATE OR DELETE ON provider_headers FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER credentials_changed AFTER INSERT OR UPDATE OR DELETE ON credentials FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
-- A poll that found nothing new concerns nobody.
CREATE TRIGGER connections_changed AFTER INSERT OR DELETE OR UPDATE OF state, access_token ON connections
  FOR EACH ROW EXECUTE FUNCTION note_config_change();
CREATE TRIGGER models_changed AFTER INSERT OR UPDATE OR DELETE ON models FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER prices_changed AFTER INSERT OR UPDATE OR DELETE ON prices FOR EACH ROW
  EXECUTE FUNCTION note_config_change();

-- ── what may no longer be used is told at once ───────────────────────────────────────────────────────────────────────

CREATE TRIGGER tenants_withdrawn AFTER UPDATE ON tenants FOR EACH ROW
  WHEN (OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL) EXECUTE FUNCTION tell_withdrawn();
CREATE TRIGGER projects_withdrawn AFTER UPDATE ON projects FOR EACH ROW
  WHEN (OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION tell_withdrawn();
CREATE TRIGGER api_keys_withdrawn AFTER UPDATE ON api_keys FOR EACH ROW
  WHEN ((OLD.lookup_id, OLD.previous_lookup_id, OLD.revoked_at) IS DISTINCT FROM (NEW.lookup_id, NEW.previous_lookup_id, NEW.revoked_at))
  EXECUTE FUNCTION tell_key_withdrawn();

-- ── a tenant's admin does not change the platform's rules ────────────────────────────────────────────────────────────

CREATE TRIGGER tenants_guarded BEFORE INSERT OR UPDATE OR DELETE ON tenants FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_for_operators();
CREATE TRIGGER projects_guarded BEFORE UPDATE OF tenant_id, id, archived_at ON projects FOR EACH ROW
  WHEN (weir_is_tenant_admin() AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION guard_project();
-- The secret of a key may be replaced.
CREATE TRIGGER api_keys_guarded
  BEFORE UPDATE OF set_by, tenant_id, id, project_id, models, max_output_tokens, max_call_nano, fit, thinking_level, unsupported, expires_at, revoked_at
  ON api_keys FOR EACH ROW WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_api_key();
CREATE TRIGGER api_keys_made_guarded BEFORE INSERT ON api_keys FOR EACH ROW
  WHEN (NEW.set_by = 'operator' AND weir_is_tenant_admin()) EXECUTE FUNCTION guard_new_api_key();
CREATE TRIGGER provider_grants_guarded BEFORE INSERT OR UPDATE OR DELETE ON provider_grants FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_for_operators();
CREATE TRIGGER prices_guarded BEFORE INSERT ON prices FOR EACH ROW WHEN (weir_is_tenant_admin())
  EXECUTE FUNCTION guard_price();
CREATE TRIGGER budgets_guarded BEFORE INSERT OR UPDATE ON budgets FOR EACH ROW WHEN (weir_is_tenant_admin())
  EXECUTE FUNCTION guard_platform_rule();
CREATE TRIGGER limits_guarded BEFORE INSERT OR UPDATE ON limits FOR EACH ROW WHEN (weir_is_tenant_admin())
  EXECUTE FUNCTION guard_platform_rule();
-- Names its columns, so the statements of the money path do not run it.
CREATE TRIGGER budget_periods_guarded BEFORE UPDATE OF limit_nano, granted, hard ON budget_periods FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_allowance();
CREATE TRIGGER ledger_entries_manual_guarded BEFORE INSERT ON ledger_entries FOR EACH ROW
  WHEN (NEW.kind = 'manual' AND weir_is_tenant_admin()) EXECUTE FUNCTION guard_manual_entry();
CREATE TRIGGER ledger_entries_adjustment_guarded BEFORE INSERT ON ledger_entries FOR EACH ROW
  WHEN (NEW.kind = 'adjustment' AND weir_is_tenant_admin()) EXECUTE FUNCTION guard_adjustment();

-- ── what the auditor proves ──────────────────────────────────────────────────────────────────────────────────────────

-- Names its columns, so the statements of the money path do not run it.
CREATE TRIGGER budget_periods_allowance BEFORE UPDATE OF limit_nano, granted, hard ON budget_periods FOR EACH ROW
  WHEN (OLD.limit_nano + OLD.granted > NEW.limit_nano + NEW.granted OR OLD.hard <> NEW.hard) EXECUTE FUNCTION remember_allowance();
