-- endpoints: names of endpoints, cidrs: networks that the key may be used from; * stands for all. last_used_at: written at most once a minute.
ALTER TABLE api_keys
  ADD COLUMN endpoints text[] NOT NULL DEFAULT '{*}',
  ADD COLUMN cidrs text[] NOT NULL DEFAULT '{*}',
  ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN disabled_at timestamptz,
  ADD COLUMN last_used_at timestamptz;

-- That a key was used concerns no process.
DROP TRIGGER api_keys_changed ON api_keys;
CREATE TRIGGER api_keys_changed AFTER INSERT OR DELETE OR UPDATE OF name, lookup_id, previous_until, models, endpoints, cidrs, max_output_tokens, max_call_nano, fit,
  thinking_level, unsupported, default_model, expires_at, disabled_at, revoked_at, metadata ON api_keys FOR EACH ROW EXECUTE FUNCTION note_config_change();

DROP TRIGGER api_keys_withdrawn ON api_keys;
CREATE TRIGGER api_keys_withdrawn AFTER UPDATE ON api_keys FOR EACH ROW
  WHEN ((OLD.lookup_id, OLD.previous_lookup_id, OLD.revoked_at, OLD.disabled_at)
    IS DISTINCT FROM (NEW.lookup_id, NEW.previous_lookup_id, NEW.revoked_at, NEW.disabled_at))
  EXECUTE FUNCTION tell_key_withdrawn();

DROP TRIGGER api_keys_guarded ON api_keys;
CREATE TRIGGER api_keys_guarded BEFORE UPDATE OF set_by, tenant_id, id, project_id, models, endpoints, cidrs, max_output_tokens, max_call_nano, fit, thinking_level,
  unsupported, expires_at, revoked_at ON api_keys FOR EACH ROW WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_api_key();
