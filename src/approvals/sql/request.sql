-- Asks for a call that is beyond its budgets to be approved. Answers the request that stands for it, which may be an earlier one: one that waits, that was
-- approved and not used yet, or that was rejected within a day. No row: no approval would help, for a budget that denies lacks money too, or none lacks any.
-- became: asked · waiting · approved · rejected · full (p_most requests of the tenant wait already; then id is NULL).
--   p_presented: the request that the call named; where that was approved and did not help, it is over.
CREATE FUNCTION request_approval(
  p_tenant uuid, p_id uuid, p_project uuid, p_key uuid, p_endpoint text, p_model text, p_fingerprint bytea, p_amount bigint, p_kinds text[],
  p_values text[], p_facts jsonb, p_presented uuid, p_most integer, p_patience interval
) RETURNS TABLE (became text, id uuid, shorts jsonb, expires_at timestamptz, reason text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_now timestamptz := weir_now(); a approvals%ROWTYPE; v_shorts jsonb; v_denied boolean; v_by_operator boolean; v_four_eyes boolean;
BEGIN
  SELECT jsonb_agg(s.short ORDER BY s.budget_id), coalesce(bool_or(s.mode = 'deny'), false), bool_or(s.set_by = 'operator'), bool_or(s.four_eyes)
    INTO v_shorts, v_denied, v_by_operator, v_four_eyes
    FROM (
      SELECT b.id AS budget_id, b.mode, b.set_by, b.four_eyes, jsonb_build_object('budget_id', b.id, 'scope_kind', b.scope_kind, 'scope_value', v.value,
        'limit', (p.limit_nano + p.granted)::text, 'spent', (p.spent - p.aged)::text, 'held', p.held::text,
        'short', (p_amount - (p.limit_nano + p.granted + p.aged - p.spent - p.held))::text,
        'resets_at', CASE WHEN isfinite(p.ends_at) THEN extract(epoch FROM p.ends_at)::bigint END) AS short
      FROM unnest(p_kinds, p_values) AS v (kind, value)
      JOIN budgets b ON b.tenant_id = p_tenant AND b.scope_kind = v.kind AND b.scope_value IN (v.value, '*') AND b.deleted_at IS NULL AND b.mode <> 'observe'
      CROSS JOIN LATERAL periods_now(p_tenant, ARRAY[b.id], ARRAY[v.value]) p
      WHERE p_amount > p.limit_nano + p.granted + p.aged - p.spent - p.held
    ) s;
  IF v_shorts IS NULL OR v_denied THEN RETURN; END IF;

  -- Requests of a tenant come one by one: there are few, and their number is bounded.
  PERFORM 1 FROM tenants t WHERE t.id = p_tenant FOR NO KEY UPDATE;
  SELECT * INTO a FROM approvals q WHERE q.tenant_id = p_tenant AND q.fingerprint = p_fingerprint ORDER BY q.id DESC LIMIT 1 FOR UPDATE;
  IF a.state = 'pending' AND a.expires_at > v_now THEN
    RETURN QUERY SELECT 'waiting', a.id, v_shorts, a.expires_at, NULL::text;
    RETURN;
  ELSIF a.state = 'rejected' AND a.decided_at > v_now - p_patience THEN
    RETURN QUERY SELECT 'rejected', a.id, v_shorts, a.expires_at, a.reason;
    RETURN;
  ELSIF a.state = 'approved' AND a.kind = 'once' AND a.expires_at > v_now AND a.id IS DISTINCT FROM p_presented THEN
    RETURN QUERY SELECT 'approved', a.id, v_shorts, a.expires_at, NULL::text;
    RETURN;
  END IF;
  IF (SELECT count(*) FROM approvals q WHERE q.tenant_id = p_tenant AND q.state = 'pending' AND q.expires_at > v_now) >= p_most THEN
    RETURN QUERY SELECT 'full', NULL::uuid, v_shorts, NULL::timestamptz, NULL::text;
    RETURN;
  END IF;
  IF a.state = 'pending' OR a.state = 'approved' AND a.kind = 'once' THEN PERFORM expire_approval(a); END IF;
  INSERT INTO approvals (tenant_id, id, project_id, api_key_id, endpoint, model, fingerprint, amount, shorts, facts, by_operator, four_eyes, created_at, expires_at)
    VALUES (p_tenant, p_id, p_project, p_key, p_endpoint, p_model, p_fingerprint, p_amount, v_shorts, p_facts, v_by_operator, v_four_eyes, v_now, v_now + p_patience);
  PERFORM emit_event(p_tenant, 'approval.requested', 'approval.requested:' || p_id, jsonb_build_object('approval_id', p_id, 'project_id', p_project,
    'api_key_id', p_key, 'model', p_model, 'endpoint', p_endpoint, 'amount_nano', p_amount::text, 'budget_id', v_shorts -> 0 -> 'budget_id',
    'scope_kind', v_shorts -> 0 -> 'scope_kind', 'scope_value', v_shorts -> 0 -> 'scope_value', 'short_nano', v_shorts -> 0 -> 'short',
    'expires_at', v_now + p_patience));
  RETURN QUERY SELECT 'asked', p_id, v_shorts, v_now + p_patience, NULL::text;
END $$;

-- One that nobody decided, or used, in time. It is locked.
CREATE FUNCTION expire_approval(p_approval approvals) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE approvals q SET state = 'expired' WHERE q.tenant_id = p_approval.tenant_id AND q.id = p_approval.id;
  PERFORM emit_event(p_approval.tenant_id, 'approval.expired', 'approval.expired:' || p_approval.id,
    jsonb_build_object('approval_id', p_approval.id, 'was', p_approval.state, 'model', p_approval.model, 'amount_nano', p_approval.amount::text));
  PERFORM pg_notify('weir_health', 'approval ' || p_approval.id);
END $$;

-- Ends up to p_limit requests whose time is over. Answers how many.
CREATE FUNCTION expire_approvals(p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE a approvals%ROWTYPE; v_count integer := 0;
BEGIN
  FOR a IN SELECT * FROM approvals q WHERE q.expires_at <= weir_now() AND (q.state = 'pending' OR q.state = 'approved' AND q.kind = 'once')
    ORDER BY q.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    PERFORM expire_approval(a);
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $$;

-- Requests that were made 35 days ago and are over. Answers how many.
CREATE FUNCTION purge_approvals(p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_count integer;
BEGIN
  DELETE FROM approvals a WHERE (a.tenant_id, a.id) IN (
    SELECT q.tenant_id, q.id FROM approvals q WHERE q.created_at < weir_now() - interval '35 days' AND q.state NOT IN ('pending', 'approved')
    ORDER BY q.created_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;
