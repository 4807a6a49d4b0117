-- Resolves holds, each exactly once: money held goes back, money spent goes on, counters follow, the call and its ledger entries go in. An estimate of
-- a call whose gateway may still live keeps held what the call may cost above it.
-- Each outcome: id, state (settled, voided), amount (nano-USD, NULL when unpriced), provider_cost (what the provider takes, NULL when unknown) and what
-- became of the call. if_expired: only if the hold is overdue.
-- What is used by a later attempt of a call is booked for that call; its row, which the first attempt made, is changed to how the call ended. moved: the
-- call goes on to another attempt, whose hold counts it again, so that its request is given back to its limits.
-- Answers the ids this statement resolved, each with the least headroom that is left of its hard budgets (NULL: it has none, or was booked late); an
-- id that is missing was resolved before.
-- p_ids: the ids of p_outcomes. State is compared so that the index on open holds does not serve: finding a few ids by it would read every open hold.
-- How it runs: see hold_batch.
CREATE FUNCTION settle_calls(p_ids uuid[], p_outcomes json) RETURNS TABLE (resolved_id uuid, remaining bigint) LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE v_now timestamptz := weir_now(); v_periods bigint[]; v_counters bigint[]; v_later uuid[]; v_is_late boolean;
BEGIN
  PERFORM assert_every_tenant();
  SELECT array_agg(DISTINCT p.id), array_agg(DISTINCT c.id) FILTER (WHERE c.id IS NOT NULL) INTO v_periods, v_counters
    FROM holds h LEFT JOIN LATERAL unnest(h.period_ids) AS p (id) ON true LEFT JOIN LATERAL unnest(h.counter_ids) AS c (id) ON true
    WHERE h.id = ANY (p_ids) AND h.state NOT IN ('settled', 'voided', 'refused');
  PERFORM 1 FROM budget_periods WHERE id = ANY (v_periods) ORDER BY id FOR UPDATE;
  IF v_counters IS NOT NULL THEN PERFORM 1 FROM limit_counters WHERE id = ANY (v_counters) ORDER BY id FOR UPDATE; END IF;
  -- Looked at under the locks: the reaper may have been there while they were waited for.
  SELECT array_agg(q.id) FILTER (WHERE q.call_id IS NOT NULL AND q.state = 'open'), bool_or(q.state = 'expired' AND q.late_at IS NULL)
    INTO v_later, v_is_late
    FROM (SELECT h.id, h.state, h.late_at, h.call_id FROM holds h WHERE h.id = ANY (p_ids) ORDER BY h.id FOR UPDATE) q;

  RETURN QUERY
  WITH o AS (
    SELECT * FROM json_populate_recordset(NULL::outcome, p_outcomes)
  ), resolved AS (
    UPDATE holds h SET state = CASE WHEN o.if_expired AND o.state = 'settled' THEN 'expired' ELSE o.state END, resolved_at = v_now
    FROM o WHERE h.id = ANY (p_ids) AND h.id = o.id AND h.state NOT IN ('settled', 'voided', 'expired', 'refused') AND (o.if_expired IS NOT TRUE OR is_overdue(h.lease_until, h.created_at, h.context, v_now))
    RETURNING h.id, h.tenant_id, h.amount AS held, h.tokens, h.period_ids, h.counter_ids, h.context, h.created_at, o.state AS outcome, o.amount, o.provider_cost, o.status,
      o.http_status, o.error_code, o.finish_reason, o.estimated, o.served_model, o.attempts, o.first_byte_ms, o.duration_ms, o.usage_raw, o.plan, o.rates,
      o.units, o.quantities, o.used_tokens, o.moved, o.credential_used, h.gateway_id, h.call_id, h.attempt, h.admitted_at,
      -- An estimate of a call whose gateway may still live: what the call may cost above it is not free yet.
      CASE WHEN o.if_expired AND o.state = 'settled' AND NOT is_gone(h.gateway_id, h.lease_until, h.created_at)
        THEN greatest(h.amount - coalesce(o.amount, 0), 0) ELSE 0 END AS apart
  ), told AS MATERIALIZED (
    SELECT r.*, x.* FROM resolved r CROSS JOIN LATERAL jsonb_to_record(r.context) AS x (project uuid, key uuid, surface text, stream boolean,
      requested_model text, provider text, model text, credential uuid, price uuid, end_user text, session text, tags text[], scopes text[],
      provider_id uuid, lent boolean)
  ), sums AS (
    SELECT p.period_id, sum(coalesce(r.held, 0) - coalesce(r.apart, 0))::bigint AS held,
      sum(CASE WHEN r.outcome = 'settled' THEN coalesce(r.amount, 0) ELSE 0 END)::bigint AS spent,
      sum(CASE WHEN r.outcome = 'settled' THEN coalesce(r.provider_cost, 0) ELSE 0 END)::bigint AS provider_cost
    FROM resolved r CROSS JOIN unnest(r.period_ids) AS p (period_id) GROUP BY p.period_id
  ), moved AS (
    UPDATE budget_periods b SET held = b.held - s.held, spent = b.spent + s.spent, provider_cost = b.provider_cost + s.provider_cost
    FROM sums s WHERE b.id = s.period_id
    RETURNING b.id, CASE WHEN b.hard THEN b.limit_nano + b.granted + b.aged - b.spent - b.held END AS headroom
  ), kept AS (
    INSERT INTO held_apart (hold_id, tenant_id, gateway_id, amount, period_ids, since)
    SELECT r.id, r.tenant_id, r.gateway_id, r.apart, r.period_ids, v_now FROM resolved r WHERE r.apart > 0
  ), remembered AS (
    INSERT INTO budget_slices (tenant_id, period_id, starts_at, amount)
    SELECT p.tenant_id, p.id, date_bin(p.slice, v_now, timestamptz '2001-01-01 00:00Z'), s.spent
    FROM sums s JOIN budget_periods p ON p.id = s.period_id WHERE p.slice IS NOT NULL AND s.spent <> 0
    ON CONFLICT (tenant_id, period_id, starts_at) DO UPDATE SET amount = budget_slices.amount + excluded.amount
  ), counted AS (
    UPDATE limit_counters n SET open = n.open - x.closed, tokens = ring_add(n.tokens, n.second, x.seconds, x.unused),
      requests = CASE WHEN x.moved THEN ring_add(n.requests, n.second, x.seconds, x.given_back) ELSE n.requests END
    FROM (
      SELECT c.id, count(*)::integer AS closed, array_agg(floor(extract(epoch FROM r.created_at))::bigint) AS seconds,
        array_agg(r.used_tokens - r.tokens) AS unused, bool_or(r.moved) AS moved, array_agg(CASE WHEN r.moved THEN -1::bigint ELSE 0 END) AS given_back
      FROM resolved r CROSS JOIN unnest(r.counter_ids) AS c (id) GROUP BY c.id
    ) x WHERE n.id = x.id
  ), booked_calls AS (
    INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, served_model, provider,
      credential_id, status, http_status, error_code, finish_reason, estimated, attempts, first_byte_ms, duration_ms, usage_raw, held, end_user, session, tags, scopes,
      provider_id, lent, plan)
    SELECT r.tenant_id, r.id, r.created_at, v_now, r.project, r.key, r.surface, r.stream, r.requested_model, r.served_model, r.provider,
      credential_of(r.credential, r.credential_used), r.status, r.http_status, r.error_code, r.finish_reason, r.estimated, r.attempts, r.first_byte_ms, r.duration_ms, r.usage_raw, r.held,
      r.end_user, r.session, r.tags, r.scopes, r.provider_id, r.lent, r.plan
    FROM told r WHERE r.call_id IS NULL
  ), booked_entries AS (
    -- What exceeds the hold is booked apart, so that spent + held <= limit + grants + booked overruns can be proved.
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, units,
      quantities, price_id, rates, amount, provider_cost, lent, estimated, period_ids)
    SELECT r.tenant_id, coalesce(r.call_id, r.id), coalesce(r.attempt, 1), e.kind, coalesce(r.admitted_at, r.created_at), v_now, r.project, r.key, r.provider, r.model, e.units,
      e.quantities, r.price, r.rates, e.amount, e.provider_cost, r.lent, r.estimated, r.period_ids
    FROM told r CROSS JOIN LATERAL (
      VALUES ('usage', r.units, r.quantities, least(r.amount, r.held), r.provider_cost), ('overrun', '{}', '{}', r.amount - r.held, NULL)
    ) AS e (kind, units, quantities, amount, provider_cost)
    WHERE r.outcome = 'settled' AND (e.kind = 'usage' OR e.amount > 0)
  )
  SELECT r.id, n.remaining FROM resolved r LEFT JOIN (
    SELECT q.id, min(m.headroom) AS remaining FROM resolved q CROSS JOIN LATERAL unnest(q.period_ids) AS u (period_id) JOIN moved m ON m.id = u.period_id
    GROUP BY q.id
  ) n ON n.id = r.id;

  IF v_later IS NOT NULL THEN PERFORM update_calls(v_later, p_outcomes, v_now); END IF;
  IF v_is_late THEN
    RETURN QUERY SELECT s.id, NULL::bigint FROM settle_late(p_ids, p_outcomes, v_now) AS s (id);
  END IF;
  IF EXISTS (SELECT 1 FROM budget_periods WHERE id = ANY (v_periods)
      AND (spent - aged >= next_threshold OR (NOT exceeded AND spent - aged >= limit_nano + granted))) THEN
    PERFORM raise_alerts(v_periods, v_now);
  END IF;
END $$;

-- Changes the rows of calls to how they ended with these later attempts, where this transaction resolved them: their holds, which are locked, were open.
-- Nobody else changes the row meanwhile: a call has one attempt at a time. Those that were reaped follow the ones of earlier holds.
CREATE FUNCTION update_calls(p_ids uuid[], p_outcomes json, p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE calls c SET finished_at = p_now, served_model = e.served_model, provider = e.provider, provider_id = e.provider_id, lent = e.lent,
    credential_id = credential_of(e.credential, e.credential_used), status = e.status,
    http_status = e.http_status, error_code = e.error_code, finish_reason = e.finish_reason, estimated = c.estimated OR e.estimated,
    attempts = CASE WHEN e.if_expired THEN c.attempts || e.attempts WHEN e.attempts = '[]' THEN c.attempts ELSE e.attempts END, first_byte_ms = e.first_byte_ms, duration_ms = e.duration_ms,
    usage_raw = e.usage_raw, held = e.amount_held, plan = coalesce(e.plan, c.plan)
  FROM (
    SELECT h.tenant_id, h.call_id, h.admitted_at, h.amount AS amount_held, o.*, x.*
    FROM holds h JOIN json_populate_recordset(NULL::outcome, p_outcomes) o ON o.id = h.id
    CROSS JOIN LATERAL jsonb_to_record(h.context) AS x (provider text, credential uuid, provider_id uuid, lent boolean)
    WHERE h.id = ANY (p_ids) AND h.state <> 'open'
  ) e
  WHERE c.tenant_id = e.tenant_id AND c.id = e.call_id AND c.admitted_at = e.admitted_at;
END $$;

-- Which credential served a call that was held for with another, perhaps.
CREATE FUNCTION credential_of(p_held uuid, p_used text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_used IS NULL THEN p_held ELSE nullif(p_used, '')::uuid END
$$;

-- Whether a hold is that of a call by itself.
CREATE FUNCTION is_own_call(p_tenant_id uuid, p_id uuid, p_created_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM calls c WHERE c.tenant_id = p_tenant_id AND c.id = p_id AND c.admitted_at = p_created_at)
$$;

-- The truth about calls that were booked as an estimate, once: the difference goes in as an entry `late`. It comes out of what is held apart of the
-- call; what the call cost above its hold is an entry `overrun`, as for any call. The periods are locked. Answers the ids it booked.
CREATE FUNCTION settle_late(p_ids uuid[], p_outcomes json, p_now timestamptz) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE v_ids uuid[]; v_periods bigint[]; v_amounts bigint[]; v_costs bigint[]; v_released bigint[];
BEGIN
  -- A process of an older version has reaped a later attempt as a call by itself. So it is one.
  UPDATE holds h SET call_id = NULL, attempt = NULL, admitted_at = NULL
    WHERE h.id = ANY (p_ids) AND h.call_id IS NOT NULL AND h.state = 'expired' AND is_own_call(h.tenant_id, h.id, h.created_at);
  WITH o AS (
    SELECT * FROM json_populate_recordset(NULL::outcome, p_outcomes)
  ), late AS (
    UPDATE holds h SET late_at = p_now FROM o
    WHERE h.id = ANY (p_ids) AND h.id = o.id AND h.state = 'expired' AND h.late_at IS NULL AND o.if_expired IS NOT TRUE
    RETURNING h.id, coalesce(h.call_id, h.id) AS call_id, coalesce(h.attempt, 1) AS attempt, h.tenant_id,
      coalesce(h.admitted_at, h.created_at) AS admitted_at, h.amount AS held, h.period_ids, h.context, o.rates, o.estimated,
      CASE WHEN o.state = 'settled' THEN o.amount ELSE 0 END AS amount, o.units, o.quantities,
      CASE WHEN o.state = 'settled' THEN o.provider_cost ELSE 0 END AS provider_cost
  ), apart AS (
    DELETE FROM held_apart a USING late l WHERE a.hold_id = l.id RETURNING a.hold_id, a.amount, a.period_ids
  ), told AS MATERIALIZED (
    SELECT l.*, l.amount - b.amount AS difference, l.provider_cost - coalesce(b.provider_cost, 0) AS cost_difference, b.has_overrun, coalesce(a.amount, greatest(l.held - b.amount, 0)) AS room,
      m.units AS more_units, m.quantities AS more_quantities
    FROM late l LEFT JOIN apart a ON a.hold_id = l.id CROSS JOIN LATERAL (
      SELECT sum(e.amount)::bigint AS amount, sum(e.provider_cost)::bigint AS provider_cost, bool_or(e.kind = 'overrun') AS has_overrun
      FROM ledger_entries e WHERE e.tenant_id = l.tenant_id AND e.admitted_at = l.admitted_at AND e.call_id = l.call_id AND attempt_of(e.kind, e.attempt) = l.attempt
    ) b CROSS JOIN LATERAL (
      SELECT coalesce(array_agg(d.unit ORDER BY d.unit), '{}') AS units, coalesce(array_agg(d.quantity ORDER BY d.unit), '{}') AS quantities FROM (
        SELECT q.unit, sum(q.quantity)::bigint AS quantity FROM (
          SELECT n.unit, n.quantity FROM unnest(l.units, l.quantities) AS n (unit, quantity)
          UNION ALL
          SELECT n.unit, -n.quantity FROM ledger_entries e CROSS JOIN LATERAL unnest(e.units, e.quantities) AS n (unit, quantity)
            WHERE e.tenant_id = l.tenant_id AND e.admitted_at = l.admitted_at AND e.call_id = l.call_id AND attempt_of(e.kind, e.attempt) = l.attempt
        ) q GROUP BY q.unit
      ) d
    ) m
  ), entries AS (
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, units,
      quantities, price_id, rates, amount, provider_cost, lent, estimated, period_ids)
    SELECT t.tenant_id, t.call_id, t.attempt, e.kind, t.admitted_at, p_now, (t.context ->> 'project')::uuid, (t.context ->> 'key')::uuid, t.context ->> 'provider',
      t.context ->> 'model', e.units, e.quantities, (t.context ->> 'price')::uuid, t.rates, e.amount, e.provider_cost,
      (t.context ->> 'lent')::boolean, t.estimated, t.period_ids
    FROM told t CROSS JOIN LATERAL (
      VALUES ('late', t.more_units, t.more_quantities, CASE WHEN t.has_overrun THEN t.difference ELSE t.difference - greatest(t.difference - t.room, 0) END,
          t.cost_difference),
        ('overrun', '{}', '{}', CASE WHEN t.has_overrun THEN 0 ELSE t.difference - t.room END, NULL)
    ) AS e (kind, units, quantities, amount, provider_cost)
    WHERE e.kind = 'late' OR e.amount > 0
    RETURNING call_id, amount, provider_cost, period_ids
  ), sums AS (
    SELECT m.period_id, sum(m.amount)::bigint AS amount, sum(m.provider_cost)::bigint AS provider_cost, sum(m.released)::bigint AS released FROM (
      SELECT p.period_id, coalesce(e.amount, 0) AS amount, coalesce(e.provider_cost, 0) AS provider_cost, 0 AS released FROM entries e CROSS JOIN unnest(e.period_ids) AS p (period_id)
      UNION ALL
      SELECT p.period_id, 0, 0, a.amount FROM apart a CROSS JOIN unnest(a.period_ids) AS p (period_id)
    ) m GROUP BY m.period_id
  )
  SELECT (SELECT array_agg(id) FROM late), array_agg(s.period_id), array_agg(s.amount), array_agg(s.provider_cost), array_agg(s.released)
    INTO v_ids, v_periods, v_amounts, v_costs, v_released FROM sums s;
  UPDATE budget_periods p SET spent = p.spent + s.amount, provider_cost = p.provider_cost + s.provider_cost, held = p.held - s.released
    FROM unnest(v_periods, v_amounts, v_costs, v_released) AS s (id, amount, provider_cost, released) WHERE p.id = s.id;
  PERFORM remember_spending(v_periods, v_amounts, p_now);
  RETURN QUERY SELECT unnest(v_ids);
END $$;
