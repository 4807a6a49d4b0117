-- A uuid, version 7: it sorts by time, to four microseconds.
CREATE OR REPLACE FUNCTION new_audit_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT (lpad(to_hex(t.us / 1000), 12, '0') || '7' || lpad(to_hex(t.us % 1000 * 4), 3, '0') || '8' || substr(replace(gen_random_uuid()::text, '-', ''), 18))::uuid
  FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS us) t
$$;

-- Writes a line of the audit log for a row that changed, in the transaction that changed it. The setting weir.actor says who did it, and by which request
-- from where, as JSON; unset: a job. The arguments: what the row is called, and its column with the id where that is not `id`.
CREATE OR REPLACE FUNCTION note_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  -- Of a secret the log says that it changed, and of these that is all.
  c_secret CONSTANT text[] := ARRAY['digest', 'previous_digest', 'lookup_id', 'previous_lookup_id', 'sealed', 'device_code', 'refresh_token', 'access_token',
    'password', 'totp_secret', 'recovery_codes', 'client_secret'];
  -- What changes by itself.
  c_ignored CONSTANT text[] := ARRAY['last_used_at', 'poll_after', 'renewal', 'local_checked_at', 'updated_at', 'version', 'erased_at',
    'totp_last_step', 'has_sessions'];
  v_actor jsonb := coalesce(nullif(current_setting('weir.actor', true), ''), '{}')::jsonb;
  v_old jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - c_ignored END;
  v_new jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - c_ignored END;
  v_row jsonb := coalesce(v_new, v_old);
  v_changed text[];
  v_verb text := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'DELETE' THEN 'deleted' ELSE 'updated' END;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT array_agg(key) INTO v_changed FROM jsonb_each(v_new) WHERE value IS DISTINCT FROM v_old -> key;
    IF v_changed IS NULL THEN RETURN NULL; END IF;
    v_verb := CASE
      WHEN v_new ->> 'deleted_at' <> '' AND 'deleted_at' = ANY (v_changed) THEN 'deleted'
      WHEN v_new ->> 'revoked_at' <> '' AND 'revoked_at' = ANY (v_changed) THEN 'revoked'
      WHEN v_new ->> 'archived_at' <> '' AND 'archived_at' = ANY (v_changed) THEN 'archived'
      WHEN 'suspended_at' = ANY (v_changed) THEN CASE WHEN v_new ->> 'suspended_at' IS NULL THEN 'resumed' ELSE 'suspended' END
      WHEN 'lookup_id' = ANY (v_changed) THEN 'rotated'
      ELSE v_verb END;
    SELECT jsonb_object_agg(key, value) INTO v_old FROM jsonb_each(v_old) WHERE key = ANY (v_changed);
    SELECT jsonb_object_agg(key, value) INTO v_new FROM jsonb_each(v_new) WHERE key = ANY (v_changed);
  END IF;
  -- By the columns that there are: the version before has no project_id.
  INSERT INTO audit_log SELECT * FROM jsonb_populate_record(NULL::audit_log, jsonb_build_object(
    'id', new_audit_id(),
    'at', clock_timestamp(),
    'tenant_id', CASE WHEN TG_TABLE_NAME = 'tenants' THEN v_row ->> 'id' ELSE v_row ->> 'tenant_id' END,
    'project_id', CASE WHEN TG_TABLE_NAME = 'projects' THEN v_row ->> 'id' ELSE v_row ->> 'project_id' END,
    'event', TG_ARGV[0] || '.' || v_verb,
    'resource', TG_ARGV[0],
    'resource_id', v_row ->> coalesce(TG_ARGV[1], 'id'),
    'actor_kind', coalesce(v_actor ->> 'kind', 'job'),
    'actor_id', coalesce(v_actor ->> 'id', current_setting('application_name')),
    'request_id', v_actor ->> 'request',
    'address', v_actor ->> 'address',
    'before', (SELECT jsonb_object_agg(key, CASE WHEN key = ANY (c_secret) AND value <> 'null' THEN '"secret"' ELSE value END) FROM jsonb_each(v_old)),
    'after', (SELECT jsonb_object_agg(key, CASE WHEN key = ANY (c_secret) AND value <> 'null' THEN '"secret"' ELSE value END) FROM jsonb_each(v_new))));
  RETURN NULL;
END $$;
