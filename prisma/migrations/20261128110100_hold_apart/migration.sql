-- A lease that is over frees nothing that a provider may still bill: its gateway may be stopped, or cut off from Postgres, and book the call later.
-- A hold stays open until the call can no longer run. Then an estimate is booked, and what the call may cost above it stays held apart, until
-- its gateway books it or is known to be gone.

-- Processes that serve calls: where they run, and since when they are known to be gone. NULL host: it was started by an older version.
CREATE TABLE gateways (
  id uuid PRIMARY KEY,
  host text,
  process_id integer,
  started_at timestamptz NOT NULL,
  gone_at timestamptz,
  gone_by text,
  gone_reason text
);
GRANT SELECT, INSERT ON gateways TO weir_app;

-- What is held for calls that are booked as an estimate and may turn out dearer. It is part of `held` of its periods.
CREATE TABLE held_apart (
  hold_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  gateway_id uuid NOT NULL,
  amount bigint NOT NULL,
  period_ids bigint[] NOT NULL,
  since timestamptz NOT NULL
);
CREATE INDEX held_apart_gateway_idx ON held_apart (gateway_id);
GRANT SELECT ON held_apart TO weir_app;
SELECT wall_off('held_apart');

-- Whether a gateway is known to be gone, so that it books nothing more. A lease without an end in time is how its open holds are marked; a hold
-- that landed after that was made before it.
CREATE FUNCTION is_gone(p_gateway_id uuid, p_lease_until timestamptz, p_created_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT p_lease_until = '-infinity' OR coalesce((SELECT g.gone_at >= p_created_at FROM gateways g WHERE g.id = p_gateway_id), false)
$$;

-- When the call of a hold can no longer run: its own time-outs, and ten seconds to book it. Older processes do not say; theirs are the defaults.
CREATE FUNCTION call_ends(p_created_at timestamptz, p_context jsonb) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT p_created_at + (coalesce((p_context ->> 'deadline_ms')::bigint, 1925000) + 10000) * interval '1 millisecond'
$$;

-- Whether the reaper may book a hold: its lease is over, and its call too, unless its gateway is marked as gone.
CREATE FUNCTION is_overdue(p_lease_until timestamptz, p_created_at timestamptz, p_context jsonb, p_now timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_lease_until < p_now AND (p_lease_until = '-infinity' OR call_ends(p_created_at, p_context) < p_now)
$$;

-- Lock order everywhere: budgets, budget_periods by id, limit_counters by id, holds by id, then held_apart.

-- The truth about calls that were booked as an estimate, once: the difference goes in as an entry `late`. It comes out of what is held apart of the
-- call; what the call cost above its hold is an entry `overrun`, as for any call. The periods are locked. Answers the ids it booked.
CREATE OR REPLACE FUNCTION settle_late(p_ids uuid[], p_outcomes json, p_now timestamptz) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE v_ids uuid[]; v_periods bigint[]; v_amounts bigint[]; v_released bigint[];
BEGIN
  WITH o AS (
    SELECT * FROM json_populate_recordset(NULL::outcome, p_outcomes)
  ), late AS (
    UPDATE holds h SET late_at = p_now FROM o
    WHERE h.id = ANY (p_ids) AND h.id = o.id AND h.state = 'expired' AND h.late_at IS NULL AND o.if_expired IS NOT TRUE
    RETURNING h.id, h.tenant_id, h.created_at, h.amount AS held, h.period_ids, h.context, o.rates, o.estimated,
      CASE WHEN o.state = 'settled' THEN o.amount ELSE 0 END AS amount, o.input, o.cache_read, o.cache_write_5m, o.cache_write_1h, o.output, o.reasoning
  ), apart AS (
    DELETE FROM held_apart a USING late l WHERE a.hold_id = l.id RETURNING a.hold_id, a.amount, a.period_ids
  ), told AS MATERIALIZED (
    SELECT l.*, l.amount - b.amount AS difference, b.has_overrun, coalesce(a.amount, greatest(l.held - b.amount, 0)) AS room,
      l.input - b.input AS more_input, l.cache_read - b.cache_read AS more_cache_read, l.cache_write_5m - b.cache_write_5m AS more_cache_write_5m,
      l.cache_write_1h - b.cache_write_1h AS more_cache_write_1h, l.output - b.output AS more_output, l.reasoning - b.reasoning AS more_reasoning
    FROM late l LEFT JOIN apart a ON a.hold_id = l.id CROSS JOIN LATERAL (
      SELECT sum(e.amount)::bigint AS amount, sum(e.input_tokens)::bigint AS input, sum(e.cache_read_tokens)::bigint AS cache_read,
        sum(e.cache_write_5m_tokens)::bigint AS cache_write_5m, sum(e.cache_write_1h_tokens)::bigint AS cache_write_1h, sum(e.output_tokens)::bigint AS output,
        sum(coalesce(e.reasoning_tokens, 0))::bigint AS reasoning, bool_or(e.kind = 'overrun') AS has_overrun
      FROM ledger_entries e WHERE e.tenant_id = l.tenant_id AND e.admitted_at = l.created_at AND e.call_id = l.id
    ) b
  ), entries AS (
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, input_tokens,
      cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, price_id, rates, amount, estimated, period_ids)
    SELECT t.tenant_id, t.id, 1, e.kind, t.created_at, p_now, (t.context ->> 'project')::uuid, (t.context ->> 'key')::uuid, t.context ->> 'provider',
      t.context ->> 'model', e.factor * t.more_input, e.factor * t.more_cache_read, e.factor * t.more_cache_write_5m, e.factor * t.more_cache_write_1h,
      e.factor * t.more_output, e.factor * t.more_reasoning, (t.context ->> 'price')::uuid, t.rates, e.amount, t.estimated, t.period_ids
    FROM told t CROSS JOIN LATERAL (
      VALUES ('late', 1, CASE WHEN t.has_overrun THEN t.difference ELSE t.difference - greatest(t.difference - t.room, 0) END),
        ('overrun', 0, CASE WHEN t.has_overrun THEN 0 ELSE t.difference - t.room END)
    ) AS e (kind, factor, amount)
    WHERE e.kind = 'late' OR e.amount > 0
    RETURNING call_id, amount, period_ids
  ), sums AS (
    SELECT m.period_id, sum(m.amount)::bigint AS amount, sum(m.released)::bigint AS released FROM (
      SELECT p.period_id, coalesce(e.amount, 0) AS amount, 0 AS released FROM entries e CROSS JOIN unnest(e.period_ids) AS p (period_id)
      UNION ALL
      SELECT p.period_id, 0, a.amount FROM apart a CROSS JOIN unnest(a.period_ids) AS p (period_id)
    ) m GROUP BY m.period_id
  )
  SELECT (SELECT array_agg(id) FROM late), array_agg(s.period_id), array_agg(s.amount), array_agg(s.released)
    INTO v_ids, v_periods, v_amounts, v_released FROM sums s;
  UPDATE budget_periods p SET spent = p.spent + s.amount, held = p.held - s.released
    FROM unnest(v_periods, v_amounts, v_released) AS s (id, amount, released) WHERE p.id = s.id;
  PERFORM remember_spending(v_periods, v_amounts, p_now);
  RETURN QUERY SELECT unnest(v_ids);
END $$;

-- As settle_batch before, but an estimate keeps held what the call may still cost, and each call is answered with the least headroom that is left of
-- its hard budgets; NULL: it has none, or was booked late.
CREATE FUNCTION settle_calls(p_ids uuid[], p_outcomes json) RETURNS TABLE (resolved_id uuid, remaining bigint) LANGUAGE plpgsql AS $$
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
    FROM o WHERE h.id = ANY (p_ids) AND h.id = o.id AND h.state NOT IN ('settled', 'voided', 'expired', 'refused') AND (o.if_expired IS NOT TRUE OR is_overdue(h.lease_until, h.created_at, h.context, v_now))
    RETURNING h.id, h.tenant_id, h.amount AS held, h.tokens, h.period_ids, h.counter_ids, h.context, h.created_at, o.state AS outcome, o.amount, o.status,
      o.http_status, o.error_code, o.finish_reason, o.estimated, o.served_model, o.attempts, o.first_byte_ms, o.duration_ms, o.usage_raw, o.rates, o.input,
      o.cache_read, o.cache_write_5m, o.cache_write_1h, o.output, o.reasoning, h.gateway_id,
      -- An estimate of a call whose gateway may still live: what the call may cost above it is not free yet.
      CASE WHEN o.if_expired AND o.state = 'settled' AND NOT is_gone(h.gateway_id, h.lease_until, h.created_at)
        THEN greatest(h.amount - coalesce(o.amount, 0), 0) ELSE 0 END AS apart
  ), told AS MATERIALIZED (
    SELECT r.*, x.* FROM resolved r CROSS JOIN LATERAL jsonb_to_record(r.context) AS x (project uuid, key uuid, surface text, stream boolean,
      requested_model text, provider text, model text, credential uuid, price uuid, end_user text, session text, tags text[], scopes text[],
      provider_id uuid, lent boolean)
  ), sums AS (
    SELECT p.period_id, sum(coalesce(r.held, 0) - coalesce(r.apart, 0))::bigint AS held,
      sum(CASE WHEN r.outcome = 'settled' THEN coalesce(r.amount, 0) ELSE 0 END)::bigint AS spent
    FROM resolved r CROSS JOIN unnest(r.period_ids) AS p (period_id) GROUP BY p.period_id
  ), moved AS (
    UPDATE budget_periods b SET held = b.held - s.held, spent = b.spent + s.spent FROM sums s WHERE b.id = s.period_id
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
  SELECT r.id, n.remaining FROM resolved r LEFT JOIN (
    SELECT q.id, min(m.headroom) AS remaining FROM resolved q CROSS JOIN LATERAL unnest(q.period_ids) AS u (period_id) JOIN moved m ON m.id = u.period_id
    GROUP BY q.id
  ) n ON n.id = r.id;

  -- Looked for under the locks: the reaper may have been there while they were waited for.
  IF EXISTS (SELECT 1 FROM holds WHERE id = ANY (p_ids) AND state = 'expired' AND late_at IS NULL) THEN
    RETURN QUERY SELECT s.id, NULL::bigint FROM settle_late(p_ids, p_outcomes, v_now) AS s (id);
  END IF;
  IF EXISTS (SELECT 1 FROM budget_periods WHERE id = ANY (v_periods) AND spent - aged >= next_threshold) THEN PERFORM raise_alerts(v_periods, v_now); END IF;
END $$;

-- For processes of older versions.
CREATE OR REPLACE FUNCTION settle_batch(p_ids uuid[], p_outcomes json) RETURNS TABLE (resolved_id uuid) LANGUAGE sql AS $$
  SELECT s.resolved_id FROM settle_calls(p_ids, p_outcomes) s
$$;

-- As before, but a hold is left until its call can no longer run, and an estimate is never above the hold.
CREATE OR REPLACE FUNCTION reap_holds(p_limit integer) RETURNS TABLE (reaped_id uuid) LANGUAGE plpgsql AS $$
DECLARE v_ids uuid[]; v_outcomes json;
BEGIN
  SELECT array_agg(h.id ORDER BY h.id), json_agg(json_build_object('id', h.id, 'if_expired', true, 'attempts', '[]'::json, 'http_status', 0, 'error_code', 'gateway_lost',
      'status', CASE WHEN h.sent IS FALSE THEN 'failed' ELSE 'cut' END, 'state', CASE WHEN h.sent IS FALSE THEN 'voided' ELSE 'settled' END,
      'estimated', h.sent IS NOT FALSE, 'rates', h.context -> 'rates', 'input', (h.context ->> 'input_tokens')::bigint, 'cache_read', 0,
      'cache_write_5m', 0, 'cache_write_1h', 0, 'output', h.checkpoint_output_tokens,
      'amount', least(h.amount, div((h.context ->> 'input_tokens')::numeric * (h.context -> 'rates' ->> 'input')::numeric
        + h.checkpoint_output_tokens::numeric * (h.context -> 'rates' ->> 'output')::numeric + 999999, 1000000))) ORDER BY h.id)
    INTO v_ids, v_outcomes
    FROM (SELECT * FROM holds WHERE state = 'open' AND is_overdue(lease_until, created_at, context, weir_now()) ORDER BY lease_until LIMIT p_limit) h;
  IF v_outcomes IS NOT NULL THEN
    RETURN QUERY SELECT s.resolved_id FROM settle_calls(v_ids, v_outcomes) s;
  END IF;
END $$;

-- A gateway is gone, as its successor found out: its open holds are due at once. What it had not sent is known.
CREATE OR REPLACE FUNCTION expire_gateway(p_gateway_id uuid, p_sent uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_count bigint;
BEGIN
  PERFORM assert_every_tenant();
  PERFORM mark_gone(p_gateway_id, 'successor', NULL);
  PERFORM 1 FROM holds WHERE gateway_id = p_gateway_id AND state = 'open' ORDER BY id FOR NO KEY UPDATE;
  UPDATE holds SET lease_until = '-infinity', sent = (sent IS TRUE OR id = ANY (p_sent)) WHERE gateway_id = p_gateway_id AND state = 'open';
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;

CREATE FUNCTION mark_gone(p_gateway_id uuid, p_by text, p_reason text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO gateways (id, started_at, gone_at, gone_by, gone_reason) VALUES (p_gateway_id, weir_now(), weir_now(), p_by, p_reason)
  ON CONFLICT (id) DO UPDATE SET gone_at = excluded.gone_at, gone_by = excluded.gone_by, gone_reason = excluded.gone_reason
$$;

-- A gateway is gone, by its own word or an operator's: its open holds are due at once. What it had sent is not known. Answers how many.
CREATE FUNCTION forget_gateway(p_gateway_id uuid, p_by text, p_reason text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_count bigint;
BEGIN
  PERFORM assert_every_tenant();
  PERFORM mark_gone(p_gateway_id, p_by, p_reason);
  PERFORM 1 FROM holds WHERE gateway_id = p_gateway_id AND state = 'open' ORDER BY id FOR NO KEY UPDATE;
  UPDATE holds SET lease_until = '-infinity' WHERE gateway_id = p_gateway_id AND state = 'open';
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;

-- Frees what is held apart for calls of gateways that are known to be gone, of up to p_limit calls. Answers how many.
CREATE FUNCTION free_held_apart(p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE v_ids uuid[]; v_periods bigint[]; v_freed uuid[]; v_amounts bigint[]; v_of bigint[];
BEGIN
  PERFORM assert_every_tenant();
  v_ids := ARRAY(SELECT a.hold_id FROM held_apart a JOIN gateways g ON g.id = a.gateway_id
    WHERE g.gone_at >= (SELECT h.created_at FROM holds h WHERE h.id = a.hold_id) ORDER BY a.hold_id LIMIT p_limit);
  IF v_ids = '{}' THEN RETURN 0; END IF;
  v_periods := ARRAY(SELECT DISTINCT u.id FROM held_apart a CROSS JOIN LATERAL unnest(a.period_ids) AS u (id) WHERE a.hold_id = ANY (v_ids));
  PERFORM 1 FROM budget_periods WHERE id = ANY (v_periods) ORDER BY id FOR UPDATE;
  PERFORM 1 FROM holds WHERE id = ANY (v_ids) ORDER BY id FOR NO KEY UPDATE;
  WITH freed AS (
    DELETE FROM held_apart WHERE hold_id = ANY (v_ids) RETURNING hold_id, amount, period_ids
  ), sums AS (
    SELECT u.id, sum(f.amount)::bigint AS amount FROM freed f CROSS JOIN LATERAL unnest(f.period_ids) AS u (id) GROUP BY u.id
  )
  SELECT (SELECT array_agg(hold_id) FROM freed), array_agg(s.id), array_agg(s.amount) INTO v_freed, v_of, v_amounts FROM sums s;
  UPDATE budget_periods p SET held = p.held - s.amount FROM unnest(v_of, v_amounts) AS s (id, amount) WHERE p.id = s.id;
  RETURN coalesce(array_length(v_freed, 1), 0);
END $$;

-- As before, but a hold of which something is held apart is kept.
CREATE OR REPLACE FUNCTION purge_holds(p_limit integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_before timestamptz := weir_now() - interval '7 days'; v_count integer;
BEGIN
  DELETE FROM holds WHERE id = ANY (ARRAY(
    SELECT h.id FROM holds h
    WHERE h.id < (lpad(to_hex((extract(epoch FROM v_before) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
      AND h.state <> 'open' AND h.resolved_at < v_before
        AND NOT EXISTS (SELECT FROM held_apart a WHERE a.hold_id = h.id) ORDER BY h.id LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_count = ROW_COUNT;
  DELETE FROM gateways WHERE gone_at < v_before;
  RETURN v_count;
END $$;

-- As before, but two corrections of the same calls insert in the same order.
CREATE OR REPLACE FUNCTION adjust_calls(p_tenant_id uuid, p_calls uuid[], p_admitted_at timestamptz[], p_numbers integer[], p_amounts bigint[], p_prices uuid[],
  p_rates jsonb[], p_actor text, p_reason text) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_ids uuid[]; v_periods bigint[]; v_amounts bigint[]; v_locks bigint[];
BEGIN
  SELECT array_agg(DISTINCT p.id) INTO v_locks FROM unnest(p_calls, p_admitted_at) AS c (id, admitted_at)
    JOIN ledger_entries e ON e.tenant_id = p_tenant_id AND e.admitted_at = c.admitted_at AND e.call_id = c.id CROSS JOIN unnest(e.period_ids) AS p (id);
  PERFORM 1 FROM budget_periods WHERE id = ANY (v_locks) ORDER BY id FOR UPDATE;
  WITH entries AS (
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, price_id, rates, amount,
      estimated, period_ids, actor, reason)
    SELECT p_tenant_id, c.id, c.number, 'adjustment', c.admitted_at, v_now, e.project_id, e.api_key_id, e.provider, e.model, c.price_id, c.rates, c.amount,
      e.estimated, e.period_ids, p_actor, p_reason
    FROM unnest(p_calls, p_admitted_at, p_numbers, p_amounts, p_prices, p_rates) AS c (id, admitted_at, number, amount, price_id, rates)
    JOIN ledger_entries e ON e.tenant_id = p_tenant_id AND e.admitted_at = c.admitted_at AND e.call_id = c.id AND e.kind = 'usage'
    ORDER BY c.admitted_at, c.id, c.number
    ON CONFLICT DO NOTHING
    RETURNING call_id, amount, period_ids
  ), sums AS (
    SELECT p.id, sum(e.amount)::bigint AS amount FROM entries e CROSS JOIN unnest(e.period_ids) AS p (id) GROUP BY p.id
  )
  SELECT (SELECT array_agg(call_id) FROM entries), array_agg(s.id), array_agg(s.amount) INTO v_ids, v_periods, v_amounts FROM sums s;
  UPDATE budget_periods p SET spent = p.spent + s.amount FROM unnest(v_periods, v_amounts) AS s (id, amount) WHERE p.id = s.id;
  PERFORM remember_spending(v_periods, v_amounts, v_now);
  PERFORM raise_alerts(v_periods, v_now);
  RETURN QUERY SELECT unnest(v_ids);
END $$;

-- They work as the owner, for sessions that work for every tenant. What is planned once must serve tables that have grown since.
DO $$
DECLARE f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
    AND p.proname IN ('settle_calls', 'settle_batch', 'expire_gateway', 'forget_gateway', 'free_held_apart', 'purge_holds') LOOP
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', f, current_schema());
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO weir_app', f);
  END LOOP;
END $$;
ALTER FUNCTION settle_calls(uuid[], json) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION settle_calls(uuid[], json) SET enable_seqscan = off;
REVOKE EXECUTE ON FUNCTION mark_gone(uuid, text, text) FROM PUBLIC;
