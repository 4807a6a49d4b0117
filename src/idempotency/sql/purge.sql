-- Removes up to p_limit keys that are a day old, the oldest first, and the answers of tenants that do not keep any: their keys are spent. Answers how many.
CREATE FUNCTION purge_answers(p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE v_before timestamptz := weir_now() - interval '24 hours'; v_tenants uuid[]; v_ids bytea[]; v_bytes bigint[]; v_old boolean[];
BEGIN
  WITH old AS (
    SELECT i.tenant_id, i.id, coalesce(octet_length(i.answer), 0)::bigint AS bytes, true AS is_old FROM idempotent_calls i
    WHERE i.created_at < v_before ORDER BY i.created_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), unwanted AS (
    SELECT i.tenant_id, i.id, octet_length(i.answer)::bigint AS bytes, false AS is_old FROM tenants t
    JOIN idempotent_calls i ON i.tenant_id = t.id AND i.state = 'kept' AND i.created_at >= v_before
    WHERE NOT t.keeps_answers LIMIT p_limit FOR UPDATE OF i SKIP LOCKED
  )
  SELECT array_agg(q.tenant_id), array_agg(q.id), array_agg(q.bytes), array_agg(q.is_old) INTO v_tenants, v_ids, v_bytes, v_old
    FROM (TABLE old UNION ALL TABLE unwanted) q;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  PERFORM 1 FROM kept_answer_totals WHERE tenant_id = ANY (v_tenants) ORDER BY tenant_id FOR UPDATE;
  DELETE FROM idempotent_calls i USING unnest(v_tenants, v_ids, v_old) AS q (tenant_id, id, is_old)
    WHERE q.is_old AND i.tenant_id = q.tenant_id AND i.id = q.id;
  UPDATE idempotent_calls i SET state = 'spent', answer = NULL FROM unnest(v_tenants, v_ids, v_old) AS q (tenant_id, id, is_old)
    WHERE NOT q.is_old AND i.tenant_id = q.tenant_id AND i.id = q.id;
  UPDATE kept_answer_totals t SET bytes = t.bytes - s.bytes
    FROM (SELECT q.tenant_id, sum(q.bytes)::bigint AS bytes FROM unnest(v_tenants, v_bytes) AS q (tenant_id, bytes) GROUP BY q.tenant_id) s
    WHERE t.tenant_id = s.tenant_id;
  RETURN cardinality(v_ids);
END $$;
