-- As before, but the period is found first and then looked at: in one statement with ensure_period, one that it makes is not seen yet, and it runs
-- for every period there is.
CREATE OR REPLACE FUNCTION reset_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_actor text, p_reason text, p_entry_id uuid)
RETURNS SETOF budget_periods LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_period bigint := ensure_period(p_tenant_id, p_budget_id, p_scope_value, v_now); p budget_periods%ROWTYPE;
BEGIN
  SELECT * INTO p FROM budget_periods WHERE id = v_period FOR UPDATE;
  INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids, actor, reason)
    VALUES (p_tenant_id, p_entry_id, 0, 'manual', v_now, v_now, -p.spent, ARRAY[p.id], p_actor, p_reason);
  DELETE FROM budget_slices s WHERE s.tenant_id = p_tenant_id AND s.period_id = p.id;
  PERFORM emit_event(p_tenant_id, 'budget.period_reset', 'budget.period_reset:' || p_entry_id,
    jsonb_build_object('budget_id', p_budget_id, 'scope_value', p_scope_value, 'spent_nano', (p.spent - p.aged)::text, 'actor', p_actor, 'reason', p_reason));
  RETURN QUERY UPDATE budget_periods q SET spent = 0, aged = 0, warned = 0,
      next_threshold = (SELECT next_threshold(q.limit_nano + q.granted, b.thresholds, 0) FROM budgets b WHERE b.tenant_id = q.tenant_id AND b.id = q.budget_id)
    WHERE q.id = p.id RETURNING *;
END $$;
