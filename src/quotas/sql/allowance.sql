-- Brings what a period has spent back to zero by a ledger entry of its own; history stays. The period is found first and then looked at: in one
-- statement with ensure_period, one that it makes would not be seen yet, and it would run for every period there is.
CREATE FUNCTION reset_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_actor text, p_reason text, p_entry_id uuid) RETURNS SETOF budget_periods LANGUAGE plpgsql AS $$
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

-- More headroom for one period. p_approval, p_hold, p_until: the approval it comes of, and the call and the time that it is for; NULL: it stays. What it comes to stays far below what can be added up: else every statement with a call of this budget would fail.
CREATE FUNCTION grant_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_grant_id uuid, p_amount bigint, p_actor text, p_reason text,
  p_approval uuid DEFAULT NULL, p_hold uuid DEFAULT NULL, p_until timestamptz DEFAULT NULL) RETURNS SETOF budget_periods LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_period bigint := ensure_period(p_tenant_id, p_budget_id, p_scope_value, weir_now());
BEGIN
  PERFORM 1 FROM budget_periods q WHERE q.id = v_period AND q.granted + p_amount::numeric <= 1000000000000000000 FOR UPDATE;
  IF NOT FOUND THEN RAISE numeric_value_out_of_range USING MESSAGE = 'the grants of a period come to too much'; END IF;
  INSERT INTO grants (tenant_id, id, period_id, amount, actor, reason, created_at, approval_id, for_hold, expires_at, is_open)
    VALUES (p_tenant_id, p_grant_id, v_period, p_amount, p_actor, p_reason, v_now, p_approval, p_hold, p_until, p_hold IS NOT NULL OR p_until IS NOT NULL);
  PERFORM emit_event(p_tenant_id, 'budget.granted', 'budget.granted:' || p_grant_id, jsonb_build_object('budget_id', p_budget_id,
    'scope_value', p_scope_value, 'amount_nano', p_amount::text, 'actor', p_actor, 'reason', p_reason));
  RETURN QUERY UPDATE budget_periods q SET granted = q.granted + p_amount,
      next_threshold = (SELECT next_threshold(q.limit_nano + q.granted + p_amount, b.thresholds, q.spent - q.aged) FROM budgets b WHERE b.tenant_id = q.tenant_id AND b.id = q.budget_id)
    WHERE q.id = v_period RETURNING *;
END $$;

-- The most a hard period was allowed before it was allowed less: what the auditor proves I3 by.
CREATE OR REPLACE FUNCTION remember_allowance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.most_allowed := greatest(OLD.most_allowed, OLD.limit_nano + OLD.granted, CASE WHEN NOT OLD.hard THEN OLD.spent + OLD.held - OLD.aged END);
  RETURN NEW;
END $$;

-- What a budget allows in the period under way.
CREATE OR REPLACE FUNCTION guard_allowance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM budgets b WHERE b.tenant_id = NEW.tenant_id AND b.id = NEW.budget_id AND b.set_by = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set this budget. Only an operator may let it spend more: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
