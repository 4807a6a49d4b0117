-- The statements of the money path. Lock order everywhere: budget_periods by id, then holds. Each is safe to repeat with the same ids.

-- Postgres time decides; tests replace this function to move the clock.
CREATE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';

-- Local midnight, first of the month, and so on. A unit that starts in an hour which occurs twice may map after p_at: then the unit before.
CREATE FUNCTION local_unit_start(p_unit text, p_timezone text, p_at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN date_trunc(p_unit, p_at AT TIME ZONE p_timezone) AT TIME ZONE p_timezone <= p_at
    THEN date_trunc(p_unit, p_at AT TIME ZONE p_timezone) AT TIME ZONE p_timezone
    ELSE (date_trunc(p_unit, p_at AT TIME ZONE p_timezone) - ('1 ' || p_unit)::interval) AT TIME ZONE p_timezone
  END
$$;

-- The period of a budget that contains p_at. Hours and minutes are absolute, counted from local midnight; longer ones follow the calendar.
CREATE FUNCTION period_bounds(p_kind text, p_timezone text, p_created_at timestamptz, p_at timestamptz, OUT starts_at timestamptz, OUT ends_at timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE day_start timestamptz; day_end timestamptz; step interval := CASE WHEN p_kind <> 'lifetime' THEN ('1 ' || p_kind)::interval END;
BEGIN
  CASE p_kind
  WHEN 'lifetime' THEN
    starts_at := p_created_at; ends_at := 'infinity';
  WHEN 'minute', 'hour' THEN
    SELECT b.starts_at, b.ends_at INTO day_start, day_end FROM period_bounds('day', p_timezone, p_created_at, p_at) b;
    starts_at := date_bin(step, p_at, day_start);
    ends_at := least(starts_at + step, day_end);
  ELSE
    starts_at := local_unit_start(p_kind, p_timezone, p_at);
    ends_at := date_trunc(p_kind, (starts_at AT TIME ZONE p_timezone) + step) AT TIME ZONE p_timezone;
  END CASE;
END $$;

-- Finds the period of a budget that contains p_at, or creates it. Locks the budget row: creators come one by one, and a limit that is being
-- changed is waited for.
CREATE FUNCTION ensure_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE budget budgets%ROWTYPE; latest record; bounds record; period_id bigint;
BEGIN
  SELECT * INTO budget FROM budgets WHERE tenant_id = p_tenant_id AND id = p_budget_id FOR NO KEY UPDATE;
  SELECT id, ends_at INTO latest FROM budget_periods
    WHERE tenant_id = p_tenant_id AND budget_id = p_budget_id AND scope_value = p_scope_value AND starts_at <= p_at
    ORDER BY starts_at DESC LIMIT 1;
  IF latest.ends_at > p_at THEN RETURN latest.id; END IF;
  SELECT * INTO bounds FROM period_bounds(budget.period_kind, budget.timezone, budget.created_at, p_at);
  -- After a change of time zone the calendar may reach back into the period before: periods never overlap.
  INSERT INTO budget_periods (tenant_id, budget_id, scope_value, starts_at, ends_at, limit_nano)
    VALUES (p_tenant_id, p_budget_id, p_scope_value, greatest(bounds.starts_at, latest.ends_at), bounds.ends_at, budget.limit_nano)
    RETURNING id INTO period_id;
  RETURN period_id;
END $$;

-- Holds money for many calls in one statement: each call on all its budgets or on none, in the order given.
--   p_amounts[i] NULL: no price is known.   p_scope_*: the distinct scopes of the batch.
--   p_link_calls[k], p_link_scopes[k]: call number and scope number (from 1) of the k-th pair.
-- Answers one row per call, in order. verdict: held · exceeded (the budget is spent) · too_large (this call alone is more than what is left)
-- · busy (it would fit but for open holds) · unpriced. remaining: least headroom over the call's budgets after the hold, NULL without budgets.
CREATE FUNCTION hold_batch(
  p_gateway_id uuid, p_lease interval, p_ids uuid[], p_tenants uuid[], p_amounts bigint[], p_contexts json,
  p_scope_tenants uuid[], p_scope_kinds text[], p_scope_values text[], p_link_calls integer[], p_link_scopes integer[]
) RETURNS TABLE (verdict text, remaining bigint, denial jsonb) LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := weir_now();
  v_scopes integer[]; v_scope_periods bigint[];          -- pairs: scope number, period
  v_periods bigint[]; v_headroom bigint[]; v_held bigint[]; v_added bigint[];
  v_call_of integer[]; v_position_of integer[];          -- pairs: call number, position in v_periods
  v_known uuid[];
  v_verdicts text[] := '{}'; v_remaining bigint[] := '{}'; v_denied_at integer[] := '{}';
  k integer := 1; first_pair integer; last_pair integer; pairs integer; position integer;
  v_amount bigint; v_worst text; v_worst_at integer; v_least bigint;
BEGIN
  SELECT array_agg(m.number), array_agg(coalesce(m.period_id, ensure_period(m.tenant_id, m.budget_id, m.value, v_now)))
    INTO v_scopes, v_scope_periods
    FROM (
      SELECT s.number::integer, s.value, b.tenant_id, b.id AS budget_id, p.id AS period_id
      FROM unnest(p_scope_tenants, p_scope_kinds, p_scope_values) WITH ORDINALITY AS s (tenant_id, kind, value, number)
      JOIN budgets b ON b.tenant_id = s.tenant_id AND b.scope_kind = s.kind AND b.scope_value = s.value AND b.deleted_at IS NULL
      LEFT JOIN LATERAL (
        SELECT q.id, q.ends_at FROM budget_periods q
        WHERE q.tenant_id = b.tenant_id AND q.budget_id = b.id AND q.scope_value = s.value AND q.starts_at <= v_now
        ORDER BY q.starts_at DESC LIMIT 1
      ) p ON p.ends_at > v_now
      ORDER BY b.tenant_id, b.id
    ) m;

  IF v_scopes IS NOT NULL THEN
    SELECT array_agg(q.id), array_agg(q.limit_nano + q.granted - q.spent - q.held), array_agg(q.held), array_agg(0::bigint)
      INTO v_periods, v_headroom, v_held, v_added
      FROM (SELECT * FROM budget_periods WHERE id = ANY (v_scope_periods) ORDER BY id FOR UPDATE) q;
    SELECT array_agg(l.call ORDER BY l.call, n.position), array_agg(n.position ORDER BY l.call, n.position)
      INTO v_call_of, v_position_of
      FROM unnest(p_link_calls, p_link_scopes) AS l (call, scope)
      JOIN unnest(v_scopes, v_scope_periods) AS s (scope, period_id) ON s.scope = l.scope
      JOIN unnest(v_periods) WITH ORDINALITY AS n (period_id, position) ON n.period_id = s.period_id;
  END IF;
  pairs := coalesce(array_length(v_call_of, 1), 0);

  -- Under the locks: an id that is known was held by an earlier try of this very statement.
  SELECT array_agg(id) INTO v_known FROM holds WHERE id = ANY (p_ids);

  FOR i IN 1 .. array_length(p_ids, 1) LOOP
    first_pair := k;
    WHILE k <= pairs AND v_call_of[k] = i LOOP k := k + 1; END LOOP;
    last_pair := k - 1;
    v_amount := p_amounts[i]; v_worst := 'held'; v_worst_at := NULL; v_least := NULL;
    IF v_known IS NULL OR p_ids[i] <> ALL (v_known) THEN
      FOR j IN first_pair .. last_pair LOOP
        position := v_position_of[j];
        IF v_amount IS NULL THEN
          v_worst := 'unpriced'; v_worst_at := position; EXIT;
        ELSIF v_headroom[position] + v_held[position] <= 0 AND (v_amount > 0 OR v_headroom[position] + v_held[position] < 0) THEN
          v_worst := 'exceeded'; v_worst_at := position; EXIT;
        ELSIF v_amount > v_headroom[position] + v_held[position] AND v_worst <> 'too_large' THEN
          v_worst := 'too_large'; v_worst_at := position;
        ELSIF v_amount > v_headroom[position] AND v_worst = 'held' THEN
          v_worst := 'busy'; v_worst_at := position;
        END IF;
      END LOOP;
    END IF;
    FOR j IN first_pair .. last_pair LOOP
      position := v_position_of[j];
      IF v_worst = 'held' AND v_amount IS NOT NULL AND (v_known IS NULL OR p_ids[i] <> ALL (v_known)) THEN
        v_headroom[position] := v_headroom[position] - v_amount;
        v_held[position] := v_held[position] + v_amount;
        v_added[position] := v_added[position] + v_amount;
      END IF;
      v_least := least(v_least, v_headroom[position]);
    END LOOP;
    v_verdicts[i] := v_worst; v_denied_at[i] := v_worst_at; v_remaining[i] := v_least;
  END LOOP;

  UPDATE budget_periods p SET held = p.held + a.added
    FROM unnest(v_periods, v_added) AS a (id, added) WHERE p.id = a.id AND a.added > 0;

  INSERT INTO holds (id, tenant_id, gateway_id, amount, period_ids, context, created_at, lease_until)
    SELECT c.id, c.tenant_id, p_gateway_id, c.amount, coalesce(p.period_ids, '{}'), x.context::jsonb, v_now, v_now + p_lease
    FROM unnest(p_ids, p_tenants, p_amounts, v_verdicts) WITH ORDINALITY AS c (id, tenant_id, amount, verdict, number)
    JOIN json_array_elements_text(p_contexts) WITH ORDINALITY AS x (context, number) USING (number)
    LEFT JOIN (
      SELECT l.call, array_agg(v_periods[l.position] ORDER BY l.position) AS period_ids
      FROM unnest(v_call_of, v_position_of) AS l (call, position) GROUP BY l.call
    ) p ON p.call = c.number
    WHERE c.verdict = 'held'
    ON CONFLICT (id) DO NOTHING;

  RETURN QUERY
    SELECT c.verdict, c.remaining,
      CASE WHEN c.denied_at IS NOT NULL THEN (
        SELECT jsonb_build_object('budget_id', b.id, 'scope_kind', b.scope_kind, 'scope_value', p.scope_value, 'amount', c.amount::text,
          'limit', (p.limit_nano + p.granted)::text, 'spent', p.spent::text, 'held', p.held::text, 'headroom', v_headroom[c.denied_at]::text,
          'resets_at', CASE WHEN isfinite(p.ends_at) THEN extract(epoch FROM p.ends_at)::bigint END)
        FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id WHERE p.id = v_periods[c.denied_at])
      END
    FROM unnest(v_verdicts, v_remaining, v_denied_at, p_amounts) WITH ORDINALITY AS c (verdict, remaining, denied_at, amount, number)
    ORDER BY c.number;
END $$;

-- Resolves holds, each exactly once: money held goes back, money spent goes on, the call and its ledger entries go in.
-- Each outcome: id, state (settled, voided), amount (nano-USD, NULL when unpriced) and what became of the call. if_expired: only if the lease is over.
-- Answers the ids this statement resolved; an id that is missing was resolved before.
-- p_ids: the ids of p_outcomes. State is compared so that the index on open holds does not serve: finding a few ids by it would read every open hold.
CREATE FUNCTION settle_batch(p_ids uuid[], p_outcomes json) RETURNS TABLE (resolved_id uuid) LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now();
BEGIN
  PERFORM 1 FROM budget_periods WHERE id IN (
      SELECT unnest(h.period_ids) FROM holds h WHERE h.id = ANY (p_ids) AND h.state NOT IN ('settled', 'voided', 'expired'))
    ORDER BY id FOR UPDATE;
  RETURN QUERY
  WITH o AS (
    SELECT * FROM json_to_recordset(p_outcomes) AS o (
      id uuid, state text, if_expired boolean, amount bigint, status text, http_status integer, error_code text, finish_reason text, estimated boolean,
      served_model text, attempts jsonb, first_byte_ms double precision, duration_ms double precision, usage_raw jsonb, rates jsonb,
      input bigint, cache_read bigint, cache_write_5m bigint, cache_write_1h bigint, output bigint, reasoning bigint)
  ), resolved AS (
    UPDATE holds h SET state = CASE WHEN o.if_expired AND o.state = 'settled' THEN 'expired' ELSE o.state END, resolved_at = v_now
    FROM o WHERE h.id = ANY (p_ids) AND h.id = o.id AND h.state NOT IN ('settled', 'voided', 'expired') AND (o.if_expired IS NOT TRUE OR h.lease_until < v_now)
    RETURNING h.id, h.tenant_id, h.amount AS held, h.period_ids, h.context, h.created_at, o.state AS outcome, o.amount, o.status, o.http_status, o.error_code,
      o.finish_reason, o.estimated, o.served_model, o.attempts, o.first_byte_ms, o.duration_ms, o.usage_raw, o.rates, o.input, o.cache_read,
      o.cache_write_5m, o.cache_write_1h, o.output, o.reasoning
  ), sums AS (
    SELECT p.period_id, sum(coalesce(r.held, 0))::bigint AS held,
      sum(CASE WHEN r.outcome = 'settled' THEN coalesce(r.amount, 0) ELSE 0 END)::bigint AS spent
    FROM resolved r CROSS JOIN unnest(r.period_ids) AS p (period_id) GROUP BY p.period_id
  ), moved AS (
    UPDATE budget_periods b SET held = b.held - s.held, spent = b.spent + s.spent FROM sums s WHERE b.id = s.period_id
  ), booked_calls AS (
    INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, served_model, provider,
      credential_id, status, http_status, error_code, finish_reason, estimated, attempts, first_byte_ms, duration_ms, usage_raw, held)
    SELECT r.tenant_id, r.id, r.created_at, v_now, (r.context ->> 'project')::uuid, (r.context ->> 'key')::uuid, r.context ->> 'surface',
      (r.context ->> 'stream')::boolean, r.context ->> 'requested_model', r.served_model, r.context ->> 'provider', (r.context ->> 'credential')::uuid,
      r.status, r.http_status, r.error_code, r.finish_reason, r.estimated, r.attempts, r.first_byte_ms, r.duration_ms, r.usage_raw, r.held
    FROM resolved r
  ), booked_entries AS (
    -- What exceeds the hold is booked apart, so that spent + held <= limit + grants + booked overruns can be proved.
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, input_tokens,
      cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, price_id, rates, amount, estimated, period_ids)
    SELECT r.tenant_id, r.id, 1, e.kind, r.created_at, v_now, (r.context ->> 'project')::uuid, (r.context ->> 'key')::uuid, r.context ->> 'provider',
      r.context ->> 'model', e.factor * r.input, e.factor * r.cache_read, e.factor * r.cache_write_5m, e.factor * r.cache_write_1h, e.factor * r.output,
      e.factor * r.reasoning, (r.context ->> 'price')::uuid, r.rates, e.amount, r.estimated, r.period_ids
    FROM resolved r CROSS JOIN LATERAL (
      VALUES ('usage', 1, least(r.amount, r.held)), ('overrun', 0, r.amount - r.held)
    ) AS e (kind, factor, amount)
    WHERE r.outcome = 'settled' AND (e.kind = 'usage' OR e.amount > 0)
  )
  SELECT r.id FROM resolved r;
END $$;

-- Extends the leases of calls in flight and remembers how much output each has seen.
CREATE FUNCTION heartbeat_batch(p_ids uuid[], p_output_tokens bigint[], p_lease interval) RETURNS void LANGUAGE sql AS $$
  UPDATE holds h SET lease_until = weir_now() + p_lease, sent = true, checkpoint_output_tokens = b.output_tokens
  FROM unnest(p_ids, p_output_tokens) AS b (id, output_tokens)
  WHERE h.id = ANY (p_ids) AND h.id = b.id AND h.state NOT IN ('settled', 'voided', 'expired')
$$;

-- A gateway is known to be dead, and which of its calls it had sent: their leases end now.
CREATE FUNCTION expire_gateway(p_gateway_id uuid, p_sent uuid[]) RETURNS bigint LANGUAGE sql AS $$
  WITH expired AS (
    UPDATE holds SET lease_until = '-infinity', sent = (sent IS TRUE OR id = ANY (p_sent)) WHERE gateway_id = p_gateway_id AND state = 'open' RETURNING 1
  ) SELECT count(*) FROM expired
$$;

-- Resolves holds whose lease is over. Known not to have been sent: voided. Else what is known was used is booked, as an estimate.
CREATE FUNCTION reap_holds(p_limit integer) RETURNS TABLE (reaped_id uuid) LANGUAGE plpgsql AS $$
DECLARE v_ids uuid[]; v_outcomes json;
BEGIN
  SELECT array_agg(h.id ORDER BY h.id), json_agg(json_build_object('id', h.id, 'if_expired', true, 'attempts', '[]'::json, 'http_status', 0, 'error_code', 'gateway_lost',
      'status', CASE WHEN h.sent IS FALSE THEN 'failed' ELSE 'cut' END, 'state', CASE WHEN h.sent IS FALSE THEN 'voided' ELSE 'settled' END,
      'estimated', h.sent IS NOT FALSE, 'rates', h.context -> 'rates', 'input', (h.context ->> 'input_tokens')::bigint, 'cache_read', 0,
      'cache_write_5m', 0, 'cache_write_1h', 0, 'output', h.checkpoint_output_tokens,
      'amount', div((h.context ->> 'input_tokens')::numeric * (h.context -> 'rates' ->> 'input')::numeric
        + h.checkpoint_output_tokens::numeric * (h.context -> 'rates' ->> 'output')::numeric + 999999, 1000000)) ORDER BY h.id)
    INTO v_ids, v_outcomes
    FROM (SELECT * FROM holds WHERE state = 'open' AND lease_until < weir_now() ORDER BY lease_until LIMIT p_limit) h;
  IF v_outcomes IS NOT NULL THEN
    RETURN QUERY SELECT resolved_id FROM settle_batch(v_ids, v_outcomes);
  END IF;
END $$;

-- Writes an event once, whoever gets there first.
CREATE FUNCTION emit_event(p_tenant_id uuid, p_kind text, p_dedupe_key text, p_payload jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (tenant_id, kind, dedupe_key, payload) VALUES (p_tenant_id, p_kind, p_dedupe_key, p_payload) ON CONFLICT (dedupe_key) DO NOTHING
$$;

-- Closes the budget period that has been over for longest and opens its successor; where none is over, marks one opened that a hold has made.
-- One period per transaction, so that its locks (budget, then periods) never wait for a hold that waits for them. Period by period, so that a
-- long downtime leaves no gap. Answers what it did; nothing is left to do, or another worker is at it, when the answer is empty.
CREATE FUNCTION roll_period() RETURNS TABLE (event text, period_id bigint) LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); p record; next_id bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('weir.roll_period')) THEN RETURN; END IF;
  SELECT q.* INTO p FROM budget_periods q WHERE q.closed_at IS NULL AND q.ends_at <= v_now ORDER BY q.ends_at, q.id LIMIT 1;
  IF NOT FOUND THEN
    SELECT q.id INTO next_id FROM budget_periods q WHERE q.opened_at IS NULL AND q.starts_at <= v_now ORDER BY q.starts_at, q.id LIMIT 1;
    IF FOUND AND open_period(next_id, v_now) THEN event := 'budget.period_opened'; period_id := next_id; RETURN NEXT; END IF;
    RETURN;
  END IF;
  -- The successor exists before its predecessor closes: there is no moment without a row to find.
  SELECT CASE WHEN b.deleted_at IS NULL THEN ensure_period(p.tenant_id, p.budget_id, p.scope_value, p.ends_at) END
    INTO next_id FROM budgets b WHERE b.tenant_id = p.tenant_id AND b.id = p.budget_id;
  PERFORM open_period(p.id, v_now);
  UPDATE budget_periods SET closed_at = v_now WHERE id = p.id RETURNING * INTO p;
  PERFORM emit_event(p.tenant_id, 'budget.period_closed', 'budget.period_closed:' || p.id, jsonb_build_object('budget_id', p.budget_id,
    'scope_value', p.scope_value, 'starts_at', p.starts_at, 'ends_at', p.ends_at, 'limit_nano', p.limit_nano::text, 'spent_nano', p.spent::text,
    'held_nano', p.held::text, 'granted_nano', p.granted::text));
  event := 'budget.period_closed'; period_id := p.id; RETURN NEXT;
  IF next_id IS NOT NULL AND open_period(next_id, v_now) THEN
    event := 'budget.period_opened'; period_id := next_id; RETURN NEXT;
  END IF;
END $$;

-- Marks a period opened and says so, once. True when this call did it.
CREATE FUNCTION open_period(p_id bigint, p_at timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE p budget_periods%ROWTYPE;
BEGIN
  UPDATE budget_periods SET opened_at = p_at WHERE id = p_id AND opened_at IS NULL RETURNING * INTO p;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM emit_event(p.tenant_id, 'budget.period_opened', 'budget.period_opened:' || p.id, jsonb_build_object('budget_id', p.budget_id,
    'scope_value', p.scope_value, 'starts_at', p.starts_at, 'ends_at', CASE WHEN isfinite(p.ends_at) THEN p.ends_at END, 'limit_nano', p.limit_nano::text));
  RETURN true;
END $$;

-- Brings what a period has spent back to zero by a ledger entry of its own; history stays.
CREATE FUNCTION reset_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_actor text, p_reason text, p_entry_id uuid)
RETURNS SETOF budget_periods LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); p budget_periods%ROWTYPE;
BEGIN
  SELECT * INTO p FROM budget_periods WHERE id = ensure_period(p_tenant_id, p_budget_id, p_scope_value, v_now) FOR UPDATE;
  INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids, actor, reason)
    VALUES (p_tenant_id, p_entry_id, 0, 'manual', v_now, v_now, -p.spent, ARRAY[p.id], p_actor, p_reason);
  PERFORM emit_event(p_tenant_id, 'budget.period_reset', 'budget.period_reset:' || p_entry_id,
    jsonb_build_object('budget_id', p_budget_id, 'scope_value', p_scope_value, 'spent_nano', p.spent::text, 'actor', p_actor, 'reason', p_reason));
  RETURN QUERY UPDATE budget_periods SET spent = 0 WHERE id = p.id RETURNING *;
END $$;

-- Monthly partitions of calls and ledger_entries, from last month to three ahead. A default partition catches what nobody foresaw.
CREATE FUNCTION ensure_partitions() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE t text; month timestamptz; name text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('weir.ensure_partitions'));
  FOREACH t IN ARRAY ARRAY['calls', 'ledger_entries'] LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I DEFAULT', t || '_default', t);
    FOR month IN SELECT generate_series(date_trunc('month', weir_now(), 'UTC') - interval '1 month', date_trunc('month', weir_now(), 'UTC') + interval '3 months', '1 month') LOOP
      name := t || to_char(month AT TIME ZONE 'UTC', '"_"YYYY_MM');
      IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name, t, month, month + interval '1 month');
      END IF;
    END LOOP;
  END LOOP;
END $$;
