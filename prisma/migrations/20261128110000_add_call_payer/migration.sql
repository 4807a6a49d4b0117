-- A call keeps the provider record it was made with, and whether the platform pays for it: a name can mean another record later. NULL: booked by a
-- process that did not say.
ALTER TABLE calls ADD COLUMN provider_id uuid, ADD COLUMN lent boolean;

-- As before, but the call says its provider record and its payer, and holds are locked in the order of their ids.
CREATE OR REPLACE FUNCTION settle_batch(p_ids uuid[], p_outcomes json) RETURNS TABLE (resolved_id uuid) LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_periods bigint[]; v_counters bigint[];
BEGIN
  PERFORM assert_every_tenant();
  SELECT array_agg(DISTINCT p.id), array_agg(DISTINCT c.id) FILTER (WHERE c.id IS NOT NULL) INTO v_periods, v_counters
    FROM holds h LEFT JOIN LATERAL unnest(h.period_ids) AS p (id) ON true LEFT JOIN LATERAL unnest(h.counter_ids) AS c (id) ON true
    WHERE h.id = ANY (p_ids) AND h.state NOT IN ('settled', 'voided', 'refused');
  PERFORM 1 FROM budget_periods WHERE id = ANY (v_periods) ORDER BY id FOR UPDATE;
  IF v_counters IS NOT NULL THEN PERFORM 1 FROM limit_counters WHERE id = ANY (v_counters) ORDER BY id FOR UPDATE; END IF;
  PERFORM 1 FROM holds WHERE id = ANY (p_ids) ORDER BY id FOR UPDATE;

  RETURN QUERY
  WITH o AS (
    SELECT * FROM json_populate_recordset(NULL::outcome, p_outcomes)
  ), resolved AS (
    UPDATE holds h SET state = CASE WHEN o.if_expired AND o.state = 'settled' THEN 'expired' ELSE o.state END, resolved_at = v_now
    FROM o WHERE h.id = ANY (p_ids) AND h.id = o.id AND h.state NOT IN ('settled', 'voided', 'expired', 'refused') AND (o.if_expired IS NOT TRUE OR h.lease_until < v_now)
    RETURNING h.id, h.tenant_id, h.amount AS held, h.tokens, h.period_ids, h.counter_ids, h.context, h.created_at, o.state AS outcome, o.amount, o.status,
      o.http_status, o.error_code, o.finish_reason, o.estimated, o.served_model, o.attempts, o.first_byte_ms, o.duration_ms, o.usage_raw, o.rates, o.input,
      o.cache_read, o.cache_write_5m, o.cache_write_1h, o.output, o.reasoning
  ), told AS MATERIALIZED (
    SELECT r.*, x.* FROM resolved r CROSS JOIN LATERAL jsonb_to_record(r.context) AS x (project uuid, key uuid, surface text, stream boolean,
      requested_model text, provider text, model text, credential uuid, price uuid, end_user text, session text, tags text[], scopes text[],
      provider_id uuid, lent boolean)
  ), sums AS (
    SELECT p.period_id, sum(coalesce(r.held, 0))::bigint AS held,
      sum(CASE WHEN r.outcome = 'settled' THEN coalesce(r.amount, 0) ELSE 0 END)::bigint AS spent
    FROM resolved r CROSS JOIN unnest(r.period_ids) AS p (period_id) GROUP BY p.period_id
  ), moved AS (
    UPDATE budget_periods b SET held = b.held - s.held, spent = b.spent + s.spent FROM sums s WHERE b.id = s.period_id
  ), remembered AS (
    INSERT INTO budget_slices (tenant_id, period_id, starts_at, amount)
    SELECT p.tenant_id, p.id, date_bin(p.slice, v_now, timestamptz '2001-01-01 00:00Z'), s.spent
    FROM sums s JOIN budget_periods p ON p.id = s.period_id WHERE p.slice IS NOT NULL AND s.spent <> 0
    ON CONFLICT (tenant_id, period_id, starts_at) DO UPDATE SET amount = budget_slices.amount + excluded.amount
  ), counted AS (
    UPDATE limit_counters n SET open = n.open - x.closed, tokens = ring_add(n.tokens, n.second, x.seconds, x.unused)
    FROM (
      SELECT c.id, count(*)::integer AS closed, array_agg(floor(extract(epoch FROM r.created_at))::bigint) AS seconds,
        array_agg(r.input + r.cache_read + r.cache_write_5m + r.cache_write_1h + r.output - r.tokens) AS unused
      FROM resolved r CROSS JOIN unnest(r.counter_ids) AS c (id) GROUP BY c.id
    ) x WHERE n.id = x.id
  ), booked_calls AS (
    INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, served_model, provider,
      credential_id, status, http_status, error_code, finish_reason, estimated, attempts, first_byte_ms, duration_ms, usage_raw, held, end_user, session, tags, scopes,
      provider_id, lent)
    SELECT r.tenant_id, r.id, r.created_at, v_now, r.project, r.key, r.surface, r.stream, r.requested_model, r.served_model, r.provider, r.credential,
      r.status, r.http_status, r.error_code, r.finish_reason, r.estimated, r.attempts, r.first_byte_ms, r.duration_ms, r.usage_raw, r.held,
      r.end_user, r.session, r.tags, r.scopes, r.provider_id, r.lent
    FROM told r
  ), booked_entries AS (
    -- What exceeds the hold is booked apart, so that spent + held <= limit + grants + booked overruns can be proved.
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, input_tokens,
      cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, price_id, rates, amount, estimated, period_ids)
    SELECT r.tenant_id, r.id, 1, e.kind, r.created_at, v_now, r.project, r.key, r.provider, r.model, e.factor * r.input, e.factor * r.cache_read,
      e.factor * r.cache_write_5m, e.factor * r.cache_write_1h, e.factor * r.output, e.factor * r.reasoning, r.price, r.rates, e.amount, r.estimated,
      r.period_ids
    FROM told r CROSS JOIN LATERAL (
      VALUES ('usage', 1, least(r.amount, r.held)), ('overrun', 0, r.amount - r.held)
    ) AS e (kind, factor, amount)
    WHERE r.outcome = 'settled' AND (e.kind = 'usage' OR e.amount > 0)
  )
  SELECT r.id FROM resolved r;

  -- Looked for under the locks: the reaper may have been there while they were waited for.
  IF EXISTS (SELECT 1 FROM holds WHERE id = ANY (p_ids) AND state = 'expired' AND late_at IS NULL) THEN
    RETURN QUERY SELECT settle_late(p_ids, p_outcomes, v_now);
  END IF;
  IF EXISTS (SELECT 1 FROM budget_periods WHERE id = ANY (v_periods) AND spent - aged >= next_threshold) THEN PERFORM raise_alerts(v_periods, v_now); END IF;
END $$;

-- As before, but the call says its provider record and its payer.
CREATE OR REPLACE FUNCTION book_unheld(p_gateway_id uuid, p_outcomes json) RETURNS TABLE (unheld_id uuid, became text) LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := weir_now();
  -- An hour less than a hold is kept for: a purge may be under way.
  v_first uuid := (lpad(to_hex((extract(epoch FROM v_now - interval '6 days 23 hours') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
  v_ids uuid[]; v_known uuid[]; v_lost uuid[]; v_call_of uuid[]; v_period_of bigint[]; v_booked uuid[]; v_periods bigint[]; v_amounts bigint[];
BEGIN
  PERFORM assert_every_tenant();
  SELECT array_agg(o.id) INTO v_ids FROM json_to_recordset(p_outcomes) AS o (id uuid);
  v_known := ARRAY(SELECT h.id FROM holds h WHERE h.id = ANY (v_ids));
  -- An entry has a call, always. LIMIT: looked up one by one, whatever the planner believes of a month that it knows nothing of yet.
  SELECT array_agg(o.id) INTO v_lost FROM json_to_recordset(p_outcomes) AS o (id uuid, held json)
    WHERE o.held IS NOT NULL AND o.id >= v_first AND o.id <> ALL (v_known)
      AND (SELECT true FROM calls c WHERE c.tenant_id = (o.held ->> 'tenant')::uuid AND c.id = o.id LIMIT 1) IS NULL;

  IF v_lost IS NOT NULL THEN
    SELECT array_agg(m.id), array_agg(ensure_period(m.tenant_id, m.budget_id, m.value, m.at)) INTO v_call_of, v_period_of
      FROM (
        SELECT DISTINCT b.tenant_id, b.id AS budget_id, s.value, o.id, t.at
        FROM json_to_recordset(p_outcomes) AS o (id uuid, held json)
        CROSS JOIN LATERAL least(greatest(to_timestamp((o.held ->> 'at')::float8 / 1000), v_now - interval '7 days'), v_now) AS t (at)
        CROSS JOIN LATERAL json_to_recordset(o.held -> 'scopes') AS s (kind text, value text)
        JOIN budgets b ON b.tenant_id = (o.held ->> 'tenant')::uuid AND b.scope_kind = s.kind AND b.scope_value IN (s.value, '*')
          AND b.created_at <= t.at AND (b.deleted_at IS NULL OR b.deleted_at > t.at)
        WHERE o.id = ANY (v_lost)
        ORDER BY b.tenant_id, b.id, s.value, o.id
      ) m;
    PERFORM 1 FROM budget_periods WHERE id = ANY (v_period_of) ORDER BY id FOR UPDATE;

    WITH lost AS MATERIALIZED (
      SELECT o.*, (x.held ->> 'tenant')::uuid AS tenant_id, (x.held ->> 'amount')::bigint AS held, (x.held ->> 'context')::jsonb AS context,
        least(greatest(to_timestamp((x.held ->> 'at')::float8 / 1000), v_now - interval '7 days'), v_now) AS at
      FROM json_populate_recordset(NULL::outcome, p_outcomes) o JOIN json_to_recordset(p_outcomes) AS x (id uuid, held json) ON x.id = o.id
      WHERE o.id = ANY (v_lost)
    ), claimed AS (
      INSERT INTO holds (id, tenant_id, gateway_id, amount, state, period_ids, context, sent, created_at, lease_until, resolved_at)
      SELECT l.id, l.tenant_id, p_gateway_id, 0, l.state, coalesce(p.period_ids, '{}'), l.context, true, l.at, l.at, v_now
      FROM lost l LEFT JOIN (
        SELECT u.call, array_agg(u.period_id ORDER BY u.period_id) AS period_ids FROM unnest(v_call_of, v_period_of) AS u (call, period_id) GROUP BY u.call
      ) p ON p.call = l.id
      ORDER BY l.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, period_ids
    ), told AS MATERIALIZED (
      SELECT l.*, k.period_ids, x.* FROM claimed k JOIN lost l ON l.id = k.id CROSS JOIN LATERAL jsonb_to_record(l.context) AS x (project uuid, key uuid,
        surface text, stream boolean, requested_model text, provider text, model text, credential uuid, price uuid, end_user text, session text,
        tags text[], scopes text[], provider_id uuid, lent boolean)
    ), sums AS (
      SELECT p.period_id, sum(t.amount)::bigint AS amount FROM told t CROSS JOIN unnest(t.period_ids) AS p (period_id)
      WHERE t.state = 'settled' AND t.amount <> 0 GROUP BY p.period_id
    ), booked_calls AS (
      INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, served_model, provider,
        credential_id, status, http_status, error_code, finish_reason, estimated, attempts, first_byte_ms, duration_ms, usage_raw, held, end_user, session, tags, scopes,
        provider_id, lent)
      SELECT t.tenant_id, t.id, t.at, v_now, t.project, t.key, t.surface, t.stream, t.requested_model, t.served_model, t.provider, t.credential,
        t.status, t.http_status, t.error_code, t.finish_reason, t.estimated, t.attempts, t.first_byte_ms, t.duration_ms, t.usage_raw, t.held,
        t.end_user, t.session, t.tags, t.scopes, t.provider_id, t.lent
      FROM told t
    ), booked_entries AS (
      INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, input_tokens,
        cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, price_id, rates, amount, estimated, period_ids)
      SELECT t.tenant_id, t.id, 1, e.kind, t.at, v_now, t.project, t.key, t.provider, t.model, e.factor * t.input, e.factor * t.cache_read,
        e.factor * t.cache_write_5m, e.factor * t.cache_write_1h, e.factor * t.output, e.factor * t.reasoning, t.price, t.rates, e.amount, t.estimated,
        t.period_ids
      FROM told t CROSS JOIN LATERAL (
        VALUES ('usage', 1, CASE WHEN t.amount IS NOT NULL THEN 0 END), ('overrun', 0, t.amount)
      ) AS e (kind, factor, amount)
      WHERE t.state = 'settled' AND (e.kind = 'usage' OR e.amount > 0)
    )
    SELECT (SELECT array_agg(t.id) FROM told t), array_agg(s.period_id), array_agg(s.amount) INTO v_booked, v_periods, v_amounts FROM sums s;
    UPDATE budget_periods p SET spent = p.spent + s.amount FROM unnest(v_periods, v_amounts) AS s (id, amount) WHERE p.id = s.id;
    PERFORM remember_spending(v_periods, v_amounts, v_now);
    PERFORM raise_alerts(v_periods, v_now);
  END IF;

  RETURN QUERY SELECT u.id, 'booked' FROM unnest(v_booked) AS u (id);
  RETURN QUERY
    SELECT o.id, CASE WHEN h.id IS NULL THEN 'unknown' ELSE 'held' END
    FROM json_to_recordset(p_outcomes) AS o (id uuid, held json)
    LEFT JOIN (SELECT q.id, q.state, q.late_at FROM holds q WHERE q.id = ANY (v_ids)) h ON h.id = o.id
    WHERE o.id <> ALL (coalesce(v_booked, '{}')) AND CASE
      WHEN h.id IS NULL THEN (SELECT true FROM calls c WHERE c.tenant_id = (o.held ->> 'tenant')::uuid AND c.id = o.id LIMIT 1) IS NULL
      ELSE h.state NOT IN ('settled', 'voided', 'refused') AND h.late_at IS NULL
    END;
END $$;

-- Rows of holds are locked in the order of their ids everywhere. FOR NO KEY UPDATE is what an update takes.
CREATE OR REPLACE FUNCTION heartbeat_batch(p_ids uuid[], p_output_tokens bigint[], p_lease interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM holds WHERE id = ANY (p_ids) ORDER BY id FOR NO KEY UPDATE;
  UPDATE holds h SET lease_until = greatest(h.lease_until, weir_now() + p_lease), sent = true, checkpoint_output_tokens = b.output_tokens
  FROM unnest(p_ids, p_output_tokens) AS b (id, output_tokens)
  WHERE h.id = ANY (p_ids) AND h.id = b.id AND h.state NOT IN ('settled', 'voided', 'expired', 'refused');
END $$;

CREATE OR REPLACE FUNCTION expire_gateway(p_gateway_id uuid, p_sent uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_count bigint;
BEGIN
  PERFORM 1 FROM holds WHERE gateway_id = p_gateway_id AND state = 'open' ORDER BY id FOR NO KEY UPDATE;
  UPDATE holds SET lease_until = '-infinity', sent = (sent IS TRUE OR id = ANY (p_sent)) WHERE gateway_id = p_gateway_id AND state = 'open';
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;

-- A function that is replaced loses its settings.
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION settle_batch(uuid[], json) SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $$;
ALTER FUNCTION settle_batch(uuid[], json) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION settle_batch(uuid[], json) SET enable_seqscan = off;
