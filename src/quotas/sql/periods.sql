-- The period of a budget for one scope value at p_at. period_id NULL: there is no row of it; then the bounds are those it would be made with.
-- After a change of time zone the calendar may reach into a neighbor: periods never overlap.
CREATE FUNCTION period_at(p_budget budgets, p_scope_value text, p_at timestamptz, OUT period_id bigint, OUT starts_at timestamptz, OUT ends_at timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE latest record; bounds record;
BEGIN
  SELECT q.id, q.starts_at, q.ends_at INTO latest FROM budget_periods q
    WHERE q.tenant_id = p_budget.tenant_id AND q.budget_id = p_budget.id AND q.scope_value = p_scope_value AND q.starts_at <= p_at
    ORDER BY q.starts_at DESC LIMIT 1;
  IF latest.ends_at > p_at THEN
    period_id := latest.id; starts_at := latest.starts_at; ends_at := latest.ends_at;
    RETURN;
  END IF;
  SELECT * INTO bounds FROM period_bounds(p_budget.period_kind, p_budget.timezone, p_budget.anchor, p_budget.created_at, p_at);
  starts_at := greatest(bounds.starts_at, latest.ends_at);
  ends_at := least(bounds.ends_at, (
    SELECT min(q.starts_at) FROM budget_periods q
    WHERE q.tenant_id = p_budget.tenant_id AND q.budget_id = p_budget.id AND q.scope_value = p_scope_value AND q.starts_at > p_at
  ));
END $$;

-- The periods that budgets of a tenant are in now, each for its value, in this order. One that has no row is computed; its id is NULL.
CREATE FUNCTION periods_now(p_tenant_id uuid, p_budgets uuid[], p_values text[]) RETURNS SETOF budget_periods LANGUAGE sql STABLE AS $$
  SELECT (coalesce(p, jsonb_populate_record(NULL::budget_periods, jsonb_build_object('tenant_id', b.tenant_id, 'budget_id', b.id, 'scope_value', c.value,
    'starts_at', t.starts_at, 'ends_at', t.ends_at, 'limit_nano', b.limit_nano, 'granted', 0, 'spent', 0, 'held', 0, 'aged', 0, 'hard', b.mode <> 'observe',
    'warned', 0, 'stated', false, 'archived', 0, 'archived_above', 0)))).*
  FROM unnest(p_budgets, p_values) WITH ORDINALITY AS c (budget_id, value, number)
  JOIN budgets b ON b.tenant_id = p_tenant_id AND b.id = c.budget_id
  CROSS JOIN LATERAL period_at(b, c.value, weir_now()) t
  LEFT JOIN budget_periods p ON p.tenant_id = b.tenant_id AND p.id = t.period_id
  ORDER BY c.number
$$;

-- Finds the period of a budget that contains p_at, or makes it and says that it is open. Locks the budget row: whoever makes a period does, so they
-- come one by one, and a limit that is being changed is waited for.
CREATE FUNCTION make_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_at timestamptz, OUT period_id bigint, OUT made boolean) LANGUAGE plpgsql AS $$
DECLARE b budgets%ROWTYPE; t record;
BEGIN
  SELECT * INTO b FROM budgets WHERE tenant_id = p_tenant_id AND id = p_budget_id FOR NO KEY UPDATE;
  SELECT * INTO t FROM period_at(b, p_scope_value, p_at);
  period_id := t.period_id; made := t.period_id IS NULL;
  IF NOT made THEN RETURN; END IF;
  INSERT INTO budget_periods (tenant_id, budget_id, scope_value, starts_at, ends_at, limit_nano, hard, slice, next_threshold)
    VALUES (p_tenant_id, p_budget_id, p_scope_value, t.starts_at, t.ends_at, b.limit_nano, b.mode <> 'observe', slice_of(b.window_seconds),
      next_threshold(b.limit_nano, b.thresholds, 0))
    RETURNING id INTO period_id;
  PERFORM open_period(period_id, weir_now());
END $$;

-- Finds the period of a budget that contains p_at, or makes it.
CREATE FUNCTION ensure_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_at timestamptz) RETURNS bigint LANGUAGE sql AS $$
  SELECT period_id FROM make_period(p_tenant_id, p_budget_id, p_scope_value, p_at)
$$;

-- A budget was changed: its periods under way follow.
CREATE FUNCTION follow_budget(p_tenant_id uuid, p_budget_id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM budget_periods WHERE tenant_id = p_tenant_id AND budget_id = p_budget_id AND ends_at > weir_now() ORDER BY id FOR UPDATE;
  UPDATE budget_periods p SET limit_nano = b.limit_nano, hard = b.mode <> 'observe',
    next_threshold = next_threshold(b.limit_nano + p.granted, b.thresholds, p.spent - p.aged)
  FROM budgets b WHERE b.tenant_id = p_tenant_id AND b.id = p_budget_id AND p.tenant_id = b.tenant_id AND p.budget_id = b.id AND p.ends_at > weir_now();
END $$;

-- Marks a period opened and says so, once. True when this call did it.
CREATE FUNCTION open_period(p_id bigint, p_at timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE p budget_periods%ROWTYPE;
BEGIN
  UPDATE budget_periods SET opened_at = p_at WHERE id = p_id AND opened_at IS NULL RETURNING * INTO p;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM emit_event(p.tenant_id, 'budget.period_opened', 'budget.period_opened:' || p.id,
    opened_payload(p.budget_id, p.scope_value, p.starts_at, p.ends_at, p.limit_nano));
  RETURN true;
END $$;

-- What an event says of a period that was opened.
CREATE FUNCTION opened_payload(p_budget_id uuid, p_scope_value text, p_starts_at timestamptz, p_ends_at timestamptz, p_limit bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('budget_id', p_budget_id, 'scope_value', p_scope_value, 'starts_at', p_starts_at,
    'ends_at', CASE WHEN isfinite(p_ends_at) THEN p_ends_at END, 'limit_nano', p_limit::text)
$$;
