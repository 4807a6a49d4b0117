-- Decides a request, once. Answers what became of it: decided · same (it was decided so before) · other (it was decided otherwise, or is over) · operator
-- (only an operator may) · maker (whoever made the API key may not) · unknown.
--   p_amount: granted on each budget that lacked money, until p_until (NULL: as long as its period); NULL: this very call is approved, until p_usable_until.
CREATE FUNCTION decide_approval(
  p_tenant uuid, p_id uuid, p_approves boolean, p_amount bigint, p_lasts interval, p_usable interval, p_actor text, p_is_operator boolean, p_reason text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := weir_now(); a approvals%ROWTYPE; s record; v_until timestamptz; v_state text := CASE WHEN p_approves THEN 'approved' ELSE 'rejected' END;
  v_by_operator boolean; v_four_eyes boolean; v_helps boolean;
BEGIN
  SELECT * INTO a FROM approvals q WHERE q.tenant_id = p_tenant AND q.id = p_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'unknown'; END IF;
  -- Its budgets may have been changed since it was asked for.
  SELECT coalesce(bool_or(b.set_by = 'operator'), false), coalesce(bool_or(b.four_eyes), false), coalesce(bool_or(b.mode = 'approve' AND b.deleted_at IS NULL), false)
    INTO v_by_operator, v_four_eyes, v_helps
    FROM jsonb_to_recordset(a.shorts) AS x (budget_id uuid) JOIN budgets b ON b.tenant_id = p_tenant AND b.id = x.budget_id;
  IF (a.by_operator OR v_by_operator) AND NOT p_is_operator THEN RETURN 'operator'; END IF;
  IF (a.four_eyes OR v_four_eyes) AND EXISTS (SELECT FROM api_keys k WHERE k.tenant_id = p_tenant AND k.id = a.api_key_id AND k.created_by = p_actor) THEN RETURN 'maker'; END IF;
  -- Where none of its budgets can be lifted any more, it is over: the request can be sent again.
  IF a.state = 'pending' AND (a.expires_at <= v_now OR p_approves AND NOT v_helps) THEN
    PERFORM expire_approval(a);
    RETURN 'other';
  END IF;
  IF a.state <> 'pending' THEN
    RETURN CASE WHEN a.decided_by IS NOT NULL AND (a.state = 'rejected') = NOT p_approves AND a.granted IS NOT DISTINCT FROM p_amount THEN 'same' ELSE 'other' END;
  END IF;
  v_until := CASE WHEN p_amount IS NULL THEN v_now + p_usable ELSE v_now + p_lasts END;
  UPDATE approvals q SET state = v_state, kind = CASE WHEN p_approves THEN CASE WHEN p_amount IS NULL THEN 'once' ELSE 'amount' END END,
      granted = p_amount, decided_by = p_actor, decided_at = v_now, reason = p_reason, expires_at = CASE WHEN p_approves THEN v_until ELSE q.expires_at END
    WHERE q.tenant_id = p_tenant AND q.id = p_id;
  IF p_approves AND p_amount IS NOT NULL THEN
    FOR s IN SELECT * FROM lock_shorts(p_tenant, a.shorts) LOOP
      PERFORM grant_period(p_tenant, s.budget_id, s.scope_value, gen_random_uuid(), p_amount, p_actor, p_reason, p_id, NULL, v_until);
    END LOOP;
  END IF;
  PERFORM emit_event(p_tenant, 'approval.decided', 'approval.decided:' || p_id, jsonb_build_object('approval_id', p_id, 'decision', v_state,
    'kind', CASE WHEN p_approves THEN CASE WHEN p_amount IS NULL THEN 'once' ELSE 'amount' END END, 'amount_nano', coalesce(p_amount, a.amount)::text, 'actor', p_actor, 'reason', p_reason));
  PERFORM pg_notify('weir_health', 'approval ' || p_id);
  RETURN 'decided';
END $$;

-- Locks the periods that the budgets of a request are in, each made where it is not there, in the order in which calls lock them.
CREATE FUNCTION lock_shorts(p_tenant uuid, p_shorts jsonb) RETURNS TABLE (period_id bigint, budget_id uuid, scope_value text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE s record; v_now timestamptz := weir_now();
BEGIN
  FOR s IN
    SELECT x.budget_id, x.scope_value FROM jsonb_to_recordset(p_shorts) AS x (budget_id uuid, scope_value text)
    JOIN budgets b ON b.tenant_id = p_tenant AND b.id = x.budget_id AND b.deleted_at IS NULL AND b.mode = 'approve' ORDER BY x.budget_id, x.scope_value
  LOOP
    PERFORM ensure_period(p_tenant, s.budget_id, s.scope_value, v_now);
  END LOOP;
  RETURN QUERY
    SELECT p.id, p.budget_id, p.scope_value FROM jsonb_to_recordset(p_shorts) AS x (budget_id uuid, scope_value text)
    JOIN budgets b ON b.tenant_id = p_tenant AND b.id = x.budget_id AND b.deleted_at IS NULL AND b.mode = 'approve'
    JOIN budget_periods p ON p.tenant_id = p_tenant AND p.budget_id = x.budget_id AND p.scope_value = x.scope_value AND p.starts_at <= v_now AND p.ends_at > v_now
    ORDER BY p.id FOR UPDATE OF p;
END $$;

-- Takes back what nobody needs any more of grants that were made for a call that has ended, or for a time that is over: as much as is neither spent nor
-- held. An approval whose call was not sent can be used again. p_hold: of this call only; NULL: up to p_limit that are due. Answers how many.
CREATE FUNCTION take_back_grants(p_tenant uuid, p_hold uuid, p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_now timestamptz := weir_now(); g record; v_back bigint; v_count integer := 0;
BEGIN
  PERFORM assert_every_tenant();
  FOR g IN
    SELECT q.tenant_id, q.id, q.period_id, q.amount, q.approval_id, q.for_hold, h.state FROM grants q LEFT JOIN holds h ON h.id = q.for_hold
    WHERE q.is_open AND (p_tenant IS NULL OR q.tenant_id = p_tenant) AND (p_hold IS NULL OR q.for_hold = p_hold)
      AND (q.expires_at <= v_now OR q.for_hold IS NOT NULL AND h.state IS DISTINCT FROM 'open')
    ORDER BY q.period_id, q.id LIMIT p_limit FOR UPDATE OF q SKIP LOCKED
  LOOP
    PERFORM 1 FROM budget_periods p WHERE p.id = g.period_id FOR UPDATE;
    PERFORM age_periods(ARRAY[g.period_id], v_now);
    SELECT greatest(0, least(g.amount, p.limit_nano + p.granted + p.aged - p.spent - p.held)) INTO v_back FROM budget_periods p WHERE p.id = g.period_id AND p.ends_at > v_now;
    v_back := coalesce(v_back, 0);
    UPDATE grants q SET taken_back = v_back, is_open = false WHERE q.tenant_id = g.tenant_id AND q.id = g.id;
    UPDATE budget_periods p SET granted = p.granted - v_back, next_threshold = (
        SELECT next_threshold(p.limit_nano + p.granted - v_back, b.thresholds, p.spent - p.aged) FROM budgets b WHERE b.tenant_id = p.tenant_id AND b.id = p.budget_id)
      WHERE p.id = g.period_id AND v_back > 0;
    IF g.state IN ('voided', 'refused') THEN
      UPDATE approvals a SET state = 'approved', hold_id = NULL, used_at = NULL
        WHERE a.tenant_id = g.tenant_id AND a.id = g.approval_id AND a.state = 'used' AND a.hold_id = g.for_hold AND a.expires_at > v_now;
    END IF;
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $$;
