-- Claims a key for a call, before the call is held. Of many that ask at once, one gets it. Answers what became of it: claimed · running · mismatch (another
-- request has the key) · kept (with the first call and its sealed answer) · spent (the first call may have been charged, and there is no answer).
--
-- Whether a call that left no answer was charged is decided by its holds, one per attempt. One without an open or charged hold will not be sent any more
-- once its gateway is gone, or its claim and its last hold are so old that the gateway would not (MAX_UNSENT_MS in idempotency.service.ts is half of this).
-- One that was charged a moment ago may still get its answer, or go on to another attempt.
CREATE FUNCTION claim_call(p_tenant uuid, p_id bytea, p_fingerprint bytea, p_call uuid, p_gateway uuid)
RETURNS TABLE (became text, first_call uuid, kept bytea) LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := weir_now();
  c idempotent_calls%ROWTYPE;
  v_is_free boolean; v_is_spent boolean; v_is_open boolean; v_is_charged boolean; v_last_at timestamptz; v_is_gone boolean;
BEGIN
  LOOP
    INSERT INTO idempotent_calls (tenant_id, id, fingerprint, call_id, gateway_id, created_at)
      VALUES (p_tenant, p_id, p_fingerprint, p_call, p_gateway, v_now) ON CONFLICT (tenant_id, id) DO NOTHING;
    IF FOUND THEN EXIT; END IF;
    SELECT * INTO c FROM idempotent_calls i WHERE i.tenant_id = p_tenant AND i.id = p_id;
    CONTINUE WHEN NOT FOUND; -- it was freed in between
    EXIT WHEN c.call_id = p_call; -- by an earlier try of this very statement

    v_is_free := c.created_at < v_now - interval '24 hours';
    v_is_spent := c.state = 'spent';
    IF c.state = 'running' AND NOT v_is_free THEN
      SELECT coalesce(bool_or(h.state = 'open'), false), coalesce(bool_or(h.state IN ('settled', 'expired')), false), max(h.resolved_at)
        INTO v_is_open, v_is_charged, v_last_at
        FROM (SELECT a.state, a.resolved_at FROM holds a WHERE a.id = c.call_id UNION ALL
          SELECT b.state, b.resolved_at FROM holds b WHERE b.call_id = c.call_id) h;
      v_is_gone := EXISTS (SELECT FROM gateways g WHERE g.id = c.gateway_id AND g.gone_at IS NOT NULL);
      v_is_free := NOT v_is_open AND NOT v_is_charged AND (v_is_gone OR greatest(c.created_at, v_last_at) < v_now - interval '2 minutes');
      v_is_spent := NOT v_is_open AND v_is_charged AND (v_is_gone OR v_last_at < v_now - interval '1 minute');
    END IF;
    IF NOT v_is_free THEN
      RETURN QUERY SELECT CASE WHEN c.fingerprint <> p_fingerprint THEN 'mismatch' WHEN c.state = 'kept' THEN 'kept' WHEN v_is_spent THEN 'spent' ELSE 'running' END,
        c.call_id, CASE WHEN c.fingerprint = p_fingerprint THEN c.answer END;
      RETURN;
    END IF;

    -- Of those that find it free, one gets it.
    UPDATE idempotent_calls i SET fingerprint = p_fingerprint, call_id = p_call, gateway_id = p_gateway, state = 'running', answer = NULL, created_at = v_now
      WHERE i.tenant_id = p_tenant AND i.id = p_id AND i.call_id = c.call_id AND i.state = c.state;
    CONTINUE WHEN NOT FOUND;
    IF c.answer IS NOT NULL THEN UPDATE kept_answer_totals t SET bytes = t.bytes - octet_length(c.answer) WHERE t.tenant_id = p_tenant; END IF;
    EXIT;
  END LOOP;
  RETURN QUERY SELECT 'claimed', NULL::uuid, NULL::bytea;
END $$;
