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
