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
    -- A call may have attempts at several models: the total is a row of its own.
    SELECT u.period_id, e.provider, e.model, grouping(e.provider) = 1 AS is_total, count(DISTINCT e.call_id) AS calls, coalesce(sum(e.amount), 0) AS amount
    FROM span s
    -- OFFSET: once per span, whatever the planner believes of a month that it knows nothing of yet.
    CROSS JOIN LATERAL (
      SELECT l.* FROM ledger_entries l
      WHERE l.tenant_id = s.tenant_id AND l.admitted_at >= s.starts_at AND l.admitted_at < s.ends_at AND l.kind <> 'manual' OFFSET 0
    ) e
    CROSS JOIN LATERAL unnest(e.period_ids) AS u (period_id)
    WHERE u.period_id = ANY (ARRAY(SELECT id FROM due))
    GROUP BY GROUPING SETS ((u.period_id, e.provider, e.model), (u.period_id))
  ), ranked AS (
    SELECT b.*, row_number() OVER (PARTITION BY b.period_id, b.is_total ORDER BY b.amount DESC) AS rank FROM booked b
  ), told AS (
    SELECT m.period_id, max(m.calls) FILTER (WHERE m.is_total) AS calls, jsonb_agg(jsonb_build_object('provider', m.provider, 'model', m.model, 'calls', m.calls,
      'amount_nano', m.amount::text) ORDER BY m.amount DESC, m.provider, m.model) FILTER (WHERE NOT m.is_total AND m.rank <= 10) AS models
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
