-- `drop`: what the provider of a call cannot do at all is left out with a warning. Null: the call is refused.
ALTER TABLE api_keys ADD COLUMN unsupported text CHECK (unsupported IN ('drop'));

-- As before, with the new column.
DROP TRIGGER api_keys_guarded ON api_keys;
CREATE TRIGGER api_keys_guarded
  BEFORE UPDATE OF set_by, tenant_id, id, project_id, models, max_output_tokens, max_call_nano, fit, thinking_level, unsupported, expires_at, revoked_at
  ON api_keys FOR EACH ROW WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_api_key();
