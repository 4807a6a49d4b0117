-- Tenants take turns when periods roll, and a budget that nobody uses writes nothing: it has no row until a call is held on it.

CREATE INDEX budget_periods_due_idx ON budget_periods (tenant_id, ends_at, id) WHERE closed_at IS NULL;
CREATE INDEX budget_periods_statement_due_idx ON budget_periods (tenant_id, closed_at) WHERE closed_at IS NOT NULL AND NOT stated;
DROP INDEX budget_periods_unstated_idx;

-- Tenants with a period that is over or not yet opened, who waits longest first.
CREATE FUNCTION tenants_to_roll(p_limit integer) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
  SELECT d.tenant_id FROM (
    SELECT t.id AS tenant_id, p.ends_at AS since FROM tenants t
    CROSS JOIN LATERAL (
      SELECT q.ends_at FROM budget_periods q WHERE q.tenant_id = t.id AND q.closed_at IS NULL AND q.ends_at <= weir_now() ORDER BY q.ends_at LIMIT 1
    ) p
    WHERE EXISTS (SELECT FROM budget_periods q WHERE q.closed_at IS NULL AND q.ends_at <= weir_now())
    UNION ALL
    SELECT o.tenant_id, o.starts_at FROM (
      SELECT q.tenant_id, q.starts_at FROM budget_periods q WHERE q.opened_at IS NULL AND q.starts_at <= weir_now() ORDER BY q.starts_at, q.id LIMIT p_limit
    ) o
  ) d GROUP BY d.tenant_id ORDER BY min(d.since), d.tenant_id LIMIT p_limit
$$;

-- Closes the period of a tenant that has been over for longest and says so. Where it was used, the current period of its budget is opened, so
-- that the reset is told on time; a budget that nobody uses stays without a row. One period per transaction, so that its locks (budget, then periods)
-- never wait for a hold that waits for them. Answers what it did; the answer is empty when nothing is left, or another worker is at it.
CREATE FUNCTION roll_period(p_tenant_id uuid) RETURNS TABLE (event text, period_id bigint) LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); p budget_periods%ROWTYPE; v_id bigint; v_made boolean;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('weir.roll_period')) THEN RETURN; END IF;
  SELECT q.* INTO p FROM budget_periods q WHERE q.tenant_id = p_tenant_id AND q.closed_at IS NULL AND q.ends_at <= v_now ORDER BY q.ends_at, q.id LIMIT 1;
  IF NOT FOUND THEN
    SELECT q.id INTO v_id FROM budget_periods q
      WHERE q.tenant_id = p_tenant_id AND q.opened_at IS NULL AND q.starts_at <= v_now ORDER BY q.starts_at, q.id LIMIT 1;
    IF FOUND AND open_period(v_id, v_now) THEN event := 'budget.period_opened'; period_id := v_id; RETURN NEXT; END IF;
    RETURN;
  END IF;
  PERFORM 1 FROM budgets b WHERE b.tenant_id = p.tenant_id AND b.id = p.budget_id FOR NO KEY UPDATE;
  PERFORM open_period(p.id, v_now);
  UPDATE budget_periods SET closed_at = v_now WHERE id = p.id RETURNING * INTO p;
  PERFORM emit_event(p.tenant_id, 'budget.period_closed', 'budget.period_closed:' || p.id, jsonb_build_object('budget_id', p.budget_id,
    'scope_value', p.scope_value, 'starts_at', p.starts_at, 'ends_at', p.ends_at, 'limit_nano', p.limit_nano::text, 'spent_nano', p.spent::text,
    'held_nano', p.held::text, 'granted_nano', p.granted::text));
  event := 'budget.period_closed'; period_id := p.id; RETURN NEXT;
  IF p.spent <> 0 OR p.held <> 0 OR p.granted <> 0 THEN
    SELECT m.period_id, m.made INTO v_id, v_made FROM budgets b CROSS JOIN LATERAL make_period(b.tenant_id, b.id, p.scope_value, v_now) m
      WHERE b.tenant_id = p.tenant_id AND b.id = p.budget_id AND b.deleted_at IS NULL AND b.scope_value <> '*';
    IF v_made OR (v_id IS NOT NULL AND open_period(v_id, v_now)) THEN
      event := 'budget.period_opened'; period_id := v_id; RETURN NEXT;
    END IF;
  END IF;
END $$;

-- For workers of the version before.
CREATE OR REPLACE FUNCTION roll_period() RETURNS TABLE (event text, period_id bigint) LANGUAGE sql AS $$
  SELECT r.event, r.period_id FROM tenants_to_roll(1) AS t (id) CROSS JOIN LATERAL roll_period(t.id) r
$$;

-- Tenants with closed periods of which nothing is in flight and no statement is written.
CREATE FUNCTION tenants_to_state(p_limit integer) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
  SELECT t.id FROM tenants t
  CROSS JOIN LATERAL (
    SELECT q.closed_at FROM budget_periods q WHERE q.tenant_id = t.id AND q.closed_at IS NOT NULL AND NOT q.stated AND q.held = 0 ORDER BY q.closed_at LIMIT 1
  ) p
  WHERE EXISTS (SELECT FROM budget_periods q WHERE q.closed_at IS NOT NULL AND NOT q.stated AND q.held = 0)
  ORDER BY p.closed_at, t.id LIMIT p_limit
$$;

-- Writes the statements of a tenant's closed periods of which nothing is in flight, up to p_limit. Answers how many. What the tenant has booked is
-- read once for all of them.
CREATE FUNCTION write_statements(p_tenant_id uuid, p_limit integer) RETURNS integer LANGUAGE sql AS $$
  WITH due AS MATERIALIZED (
    SELECT p.* FROM budget_periods p
    WHERE p.tenant_id = p_tenant_id AND p.closed_at IS NOT NULL AND NOT p.stated AND p.held = 0 ORDER BY p.closed_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), span AS MATERIALIZED (
    SELECT tenant_id, min(starts_at) AS starts_at, max(ends_at) AS ends_at FROM due GROUP BY tenant_id
  ), booked AS (
    SELECT u.period_id, e.provider, e.model, count(DISTINCT e.call_id) AS calls, coalesce(sum(e.amount), 0) AS amount
    FROM span s
    -- OFFSET: once per span, whatever the planner believes of a month that it knows nothing of yet.
    CROSS JOIN LATERAL (
      SELECT l.* FROM ledger_entries l
      WHERE l.tenant_id = s.tenant_id AND l.admitted_at >= s.starts_at AND l.admitted_at < s.ends_at AND l.kind <> 'manual' OFFSET 0
    ) e
    CROSS JOIN LATERAL unnest(e.period_ids) AS u (period_id)
    WHERE u.period_id = ANY (ARRAY(SELECT id FROM due))
    GROUP BY u.period_id, e.provider, e.model
  ), ranked AS (
    SELECT b.*, row_number() OVER (PARTITION BY b.period_id ORDER BY b.amount DESC) AS rank FROM booked b
  ), told AS (
    SELECT m.period_id, sum(m.calls)::bigint AS calls, jsonb_agg(jsonb_build_object('provider', m.provider, 'model', m.model, 'calls', m.calls,
      'amount_nano', m.amount::text) ORDER BY m.amount DESC, m.provider, m.model) FILTER (WHERE m.rank <= 10) AS models
    FROM ranked m GROUP BY m.period_id
  ), written AS (
    INSERT INTO budget_statements (tenant_id, period_id, budget_id, spent, granted, limit_nano, calls, top_models, created_at)
    SELECT d.tenant_id, d.id, d.budget_id, d.spent, d.granted, d.limit_nano, coalesce(t.calls, 0), coalesce(t.models, '[]'), weir_now()
    FROM due d LEFT JOIN told t ON t.period_id = d.id
    RETURNING period_id
  ), marked AS (
    UPDATE budget_periods p SET stated = true FROM written w WHERE p.id = w.period_id RETURNING 1
  )
  SELECT count(*)::integer FROM marked
$$;

-- For workers of the version before.
CREATE OR REPLACE FUNCTION write_statements(p_limit integer) RETURNS integer LANGUAGE sql AS $$
  SELECT coalesce(sum(write_statements(t.id, p_limit)), 0)::integer FROM tenants_to_state(1) AS t (id)
$$;

-- More headroom for one period. What it comes to stays far below what can be added up: else every statement with a call of this budget would fail.
CREATE OR REPLACE FUNCTION grant_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_grant_id uuid, p_amount bigint, p_actor text, p_reason text)
RETURNS SETOF budget_periods LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_period bigint := ensure_period(p_tenant_id, p_budget_id, p_scope_value, weir_now());
BEGIN
  PERFORM 1 FROM budget_periods q WHERE q.id = v_period AND q.granted + p_amount::numeric <= 1000000000000000000 FOR UPDATE;
  IF NOT FOUND THEN RAISE numeric_value_out_of_range USING MESSAGE = 'the grants of a period come to too much'; END IF;
  INSERT INTO grants (tenant_id, id, period_id, amount, actor, reason, created_at) VALUES (p_tenant_id, p_grant_id, v_period, p_amount, p_actor, p_reason, v_now);
  PERFORM emit_event(p_tenant_id, 'budget.granted', 'budget.granted:' || p_grant_id, jsonb_build_object('budget_id', p_budget_id,
    'scope_value', p_scope_value, 'amount_nano', p_amount::text, 'actor', p_actor, 'reason', p_reason));
  RETURN QUERY UPDATE budget_periods q SET granted = q.granted + p_amount,
      next_threshold = (SELECT next_threshold(q.limit_nano + q.granted + p_amount, b.thresholds, q.spent - q.aged) FROM budgets b WHERE b.tenant_id = q.tenant_id AND b.id = q.budget_id)
    WHERE q.id = v_period RETURNING *;
END $$;
