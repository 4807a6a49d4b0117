-- Keeps the answer of a call that was charged, unless the answers of the tenant would then have more than p_max_total bytes. Without an answer kept, the
-- key is spent. Answers whether it is kept.
-- Should Postgres crash before it is on disk, the claim is there as it was, and its hold says that the call was charged. So nobody waits for the disk.
CREATE FUNCTION keep_answer(p_tenant uuid, p_id bytea, p_call uuid, p_answer bytea, p_max_total bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_is_kept boolean := false;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM 1 FROM idempotent_calls WHERE tenant_id = p_tenant AND id = p_id AND call_id = p_call AND state = 'running' FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  IF p_answer IS NOT NULL THEN
    INSERT INTO kept_answer_totals AS t (tenant_id, bytes) VALUES (p_tenant, octet_length(p_answer))
      ON CONFLICT (tenant_id) DO UPDATE SET bytes = t.bytes + excluded.bytes WHERE t.bytes + excluded.bytes <= p_max_total;
    v_is_kept := FOUND;
  END IF;
  UPDATE idempotent_calls SET state = CASE WHEN v_is_kept THEN 'kept' ELSE 'spent' END, answer = CASE WHEN v_is_kept THEN p_answer END
    WHERE tenant_id = p_tenant AND id = p_id;
  RETURN v_is_kept;
END $$;
