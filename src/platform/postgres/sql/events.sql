-- Writes an event once, whoever gets there first.
CREATE FUNCTION emit_event(p_tenant_id uuid, p_kind text, p_dedupe_key text, p_payload jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (tenant_id, kind, dedupe_key, payload) VALUES (p_tenant_id, p_kind, p_dedupe_key, p_payload) ON CONFLICT (dedupe_key) DO NOTHING
$$;

-- Events that are older than 35 days. Answers how many.
CREATE FUNCTION purge_events(p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_count integer;
BEGIN
  DELETE FROM outbox WHERE id = ANY (ARRAY(
    SELECT o.id FROM outbox o WHERE o.created_at < weir_now() - interval '35 days' ORDER BY o.created_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;
