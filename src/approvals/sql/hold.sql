-- Holds one call as hold_batch does, with what an approval allows it beyond its budgets, all in one: where the call is not held, nothing is granted and the
-- approval is not used. One that is for another request, not approved, used, over, or for less than this call may cost helps nothing.
CREATE FUNCTION hold_approved(
  p_approval uuid, p_key uuid, p_fingerprint bytea, p_most_rows integer, p_lock_ms integer, p_gateway_id uuid, p_lease interval, p_ids uuid[],
  p_tenants uuid[], p_amounts bigint[], p_tokens bigint[], p_contexts json, p_scope_tenants uuid[], p_scope_kinds text[], p_scope_values text[],
  p_link_calls integer[], p_link_scopes integer[], p_wanted bigint[], p_calls uuid[], p_attempts smallint[]
) RETURNS TABLE (verdict text, remaining bigint, warned integer, rates jsonb, denial jsonb, touched integer, approval uuid) LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE v_now timestamptz := weir_now(); a approvals%ROWTYPE; s record; h record; v_lack bigint;
BEGIN
  PERFORM assert_every_tenant();
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  SELECT * INTO a FROM approvals q WHERE q.tenant_id = p_tenants[1] AND q.id = p_approval AND q.api_key_id = p_key AND q.fingerprint = p_fingerprint
    AND q.state = 'approved' AND q.kind = 'once' AND q.expires_at > v_now AND q.amount >= p_amounts[1] FOR UPDATE;
  IF FOUND AND NOT EXISTS (SELECT FROM holds WHERE id = p_ids[1]) THEN
    BEGIN
      FOR s IN SELECT * FROM lock_shorts(a.tenant_id, a.shorts) LOOP
        PERFORM age_periods(ARRAY[s.period_id], v_now);
        SELECT p_amounts[1] - (p.limit_nano + p.granted + p.aged - p.spent - p.held) INTO v_lack FROM budget_periods p WHERE p.id = s.period_id;
        CONTINUE WHEN v_lack <= 0;
        PERFORM grant_period(a.tenant_id, s.budget_id, s.scope_value, gen_random_uuid(), v_lack, a.decided_by, a.reason, a.id, p_ids[1], NULL);
      END LOOP;
      SELECT * INTO h FROM hold_batch(p_most_rows, p_lock_ms, p_gateway_id, p_lease, p_ids, p_tenants, p_amounts, p_tokens, p_contexts, p_scope_tenants,
        p_scope_kinds, p_scope_values, p_link_calls, p_link_scopes, p_wanted, p_calls, p_attempts);
      IF h.verdict <> 'held' THEN RAISE EXCEPTION USING ERRCODE = 'WR001'; END IF;
      UPDATE approvals q SET state = 'used', hold_id = p_ids[1], used_at = v_now WHERE q.tenant_id = a.tenant_id AND q.id = a.id;
      RETURN QUERY SELECT h.verdict, h.remaining, h.warned, h.rates, h.denial, h.touched, a.id;
      RETURN;
    EXCEPTION WHEN SQLSTATE 'WR001' THEN
      -- What was granted is undone. What stands in the way stands there all the same.
      RETURN QUERY SELECT h.verdict, h.remaining, h.warned, h.rates, h.denial, h.touched, NULL::uuid;
      RETURN;
    END;
  END IF;
  RETURN QUERY SELECT q.*, NULL::uuid FROM hold_batch(p_most_rows, p_lock_ms, p_gateway_id, p_lease, p_ids, p_tenants, p_amounts, p_tokens, p_contexts,
    p_scope_tenants, p_scope_kinds, p_scope_values, p_link_calls, p_link_scopes, p_wanted, p_calls, p_attempts) q;
END $$;
