-- The statements of the money path for budgets on any scope, limits, rolling windows, alerts and late truths.
-- Lock order everywhere: budgets, budget_periods by id, limit_counters by id, holds. Each statement is safe to repeat with the same ids.

-- ── periods ──────────────────────────────────────────────────────────────────────────────────────────────────────────

-- The k-th period of a calendar kind: the anchor plus k units on the wall clock of the time zone, so that the 31st comes back after a
-- short month and a day can have 23 hours. Without an anchor the calendar's own: a Monday that was the first of a year, at midnight.
CREATE FUNCTION period_start(p_kind text, p_timezone text, p_anchor timestamptz, p_k integer) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT (coalesce(p_anchor AT TIME ZONE p_timezone, timestamp '2001-01-01') + p_k * ('1 ' || p_kind)::interval) AT TIME ZONE p_timezone
$$;

DROP FUNCTION ensure_period(uuid, uuid, text, timestamptz);
DROP FUNCTION period_bounds(text, text, timestamptz, timestamptz);
DROP FUNCTION local_unit_start(text, text, timestamptz);

-- The period of a budget that contains p_at. Hours and minutes are absolute, counted from the anchor or else from local midnight; longer
-- ones follow the calendar.
CREATE FUNCTION period_bounds(
  p_kind text, p_timezone text, p_anchor timestamptz, p_created_at timestamptz, p_at timestamptz, OUT starts_at timestamptz, OUT ends_at timestamptz
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  local_at timestamp := p_at AT TIME ZONE p_timezone;
  origin timestamp := coalesce(p_anchor AT TIME ZONE p_timezone, timestamp '2001-01-01');
  day_start timestamptz; day_end timestamptz; step interval; k integer; months integer;
BEGIN
  CASE p_kind
  WHEN 'lifetime', 'rolling' THEN
    starts_at := least(p_created_at, p_at); ends_at := 'infinity';
    RETURN;
  WHEN 'minute', 'hour' THEN
    step := ('1 ' || p_kind)::interval;
    IF p_anchor IS NOT NULL THEN
      starts_at := date_bin(step, p_at, p_anchor); ends_at := starts_at + step;
    ELSE
      SELECT b.starts_at, b.ends_at INTO day_start, day_end FROM period_bounds('day', p_timezone, NULL, p_created_at, p_at) b;
      starts_at := date_bin(step, p_at, day_start); ends_at := least(starts_at + step, day_end);
    END IF;
    RETURN;
  WHEN 'day' THEN k := floor(extract(epoch FROM local_at - origin) / 86400);
  WHEN 'week' THEN k := floor(extract(epoch FROM local_at - origin) / 604800);
  ELSE
    months := (extract(year FROM local_at) - extract(year FROM origin)) * 12 + extract(month FROM local_at) - extract(month FROM origin);
    k := CASE p_kind WHEN 'month' THEN months ELSE floor(months / 12.0) END;
  END CASE;
  -- The estimate may be one off around the anchor's day, a change of clocks, or a date that a zone left out.
  WHILE period_start(p_kind, p_timezone, p_anchor, k) > p_at LOOP k := k - 1; END LOOP;
  WHILE period_start(p_kind, p_timezone, p_anchor, k + 1) <= p_at LOOP k := k + 1; END LOOP;
  starts_at := period_start(p_kind, p_timezone, p_anchor, k);
  ends_at := period_start(p_kind, p_timezone, p_anchor, k + 1);
END $$;

-- The least spending above p_spent at which an alert is due; NULL: none.
CREATE FUNCTION next_threshold(p_limit bigint, p_thresholds integer[], p_spent bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT min(due)::bigint FROM (SELECT ceil(p_limit::numeric * percent / 100) AS due FROM unnest(p_thresholds) AS t (percent)) AS d WHERE due > p_spent
$$;

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
  SELECT * INTO bounds FROM period_bounds(budget.period_kind, budget.timezone, budget.anchor, budget.created_at, p_at);
  -- After a change of time zone the calendar may reach back into the period before: periods never overlap.
  INSERT INTO budget_periods (tenant_id, budget_id, scope_value, starts_at, ends_at, limit_nano, hard, slice, next_threshold)
    VALUES (p_tenant_id, p_budget_id, p_scope_value, greatest(bounds.starts_at, latest.ends_at), bounds.ends_at, budget.limit_nano,
      budget.mode = 'deny', CASE WHEN budget.window_seconds IS NOT NULL THEN budget.window_seconds / 60 * interval '1 second' END, next_threshold(budget.limit_nano, budget.thresholds, 0))
    RETURNING id INTO period_id;
  RETURN period_id;
END $$;

-- A budget was changed: its periods under way follow.
CREATE FUNCTION follow_budget(p_tenant_id uuid, p_budget_id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM budget_periods WHERE tenant_id = p_tenant_id AND budget_id = p_budget_id AND ends_at > weir_now() ORDER BY id FOR UPDATE;
  UPDATE budget_periods p SET limit_nano = b.limit_nano, hard = b.mode = 'deny',
    next_threshold = next_threshold(b.limit_nano + p.granted, b.thresholds, p.spent - p.aged)
  FROM budgets b WHERE b.tenant_id = p_tenant_id AND b.id = p_budget_id AND p.tenant_id = b.tenant_id AND p.budget_id = b.id AND p.ends_at > weir_now();
END $$;

-- Rolling windows forget what is older than they are: it becomes headroom again. The periods are locked.
CREATE FUNCTION age_periods(p_periods bigint[], p_now timestamptz) RETURNS void LANGUAGE sql AS $$
  WITH old AS (
    DELETE FROM budget_slices s USING budget_periods p, budgets b
    WHERE s.period_id = ANY (p_periods) AND p.id = s.period_id AND b.tenant_id = p.tenant_id AND b.id = p.budget_id
      AND s.starts_at + p.slice + b.window_seconds * interval '1 second' <= p_now
    RETURNING s.period_id, s.amount
  ), sums AS (SELECT period_id, sum(amount)::bigint AS amount FROM old GROUP BY period_id)
  UPDATE budget_periods p SET aged = p.aged + s.amount,
    next_threshold = (SELECT next_threshold(p.limit_nano + p.granted, b.thresholds, p.spent - p.aged - s.amount) FROM budgets b WHERE b.tenant_id = p.tenant_id AND b.id = p.budget_id)
  FROM sums s WHERE p.id = s.period_id
$$;

-- Says once per period, for a rolling budget once per window, which thresholds have been reached. The periods are locked.
CREATE FUNCTION raise_alerts(p_periods bigint[], p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE p record; v_percent integer;
BEGIN
  FOR p IN
    SELECT q.*, b.thresholds, b.scope_kind, b.window_seconds FROM budget_periods q JOIN budgets b ON b.tenant_id = q.tenant_id AND b.id = q.budget_id
    WHERE q.id = ANY (p_periods) AND q.spent - q.aged >= q.next_threshold ORDER BY q.id
  LOOP
    FOREACH v_percent IN ARRAY p.thresholds LOOP
      CONTINUE WHEN (p.spent - p.aged) * 100::numeric < (p.limit_nano + p.granted)::numeric * v_percent;
      PERFORM emit_event(p.tenant_id, 'budget.threshold_reached',
        'budget.threshold_reached:' || p.id || ':' || v_percent || coalesce(':' || floor(extract(epoch FROM p_now) / p.window_seconds), ''),
        jsonb_build_object('budget_id', p.budget_id, 'scope_kind', p.scope_kind, 'scope_value', p.scope_value, 'threshold_percent', v_percent,
          'limit_nano', p.limit_nano::text, 'granted_nano', p.granted::text, 'spent_nano', (p.spent - p.aged)::text, 'starts_at', p.starts_at,
          'ends_at', CASE WHEN isfinite(p.ends_at) THEN p.ends_at END));
    END LOOP;
    UPDATE budget_periods SET next_threshold = next_threshold(limit_nano + granted, p.thresholds, spent - aged),
      warned = (SELECT max(percent) FROM unnest(p.thresholds) AS t (percent) WHERE (spent - aged) * 100::numeric >= (limit_nano + granted)::numeric * percent)
      WHERE id = p.id;
  END LOOP;
END $$;

-- What gateways and workers do for all tenants is not for a session that is bound to one.
CREATE FUNCTION assert_every_tenant() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF coalesce(current_setting('weir.tenant', true), '') <> '*' THEN
    RAISE insufficient_privilege USING MESSAGE = 'row-level security: this statement works for every tenant, and the session for one';
  END IF;
END $$;

-- ── admission ────────────────────────────────────────────────────────────────────────────────────────────────────────

-- The counter of a limit for one scope value.
CREATE FUNCTION ensure_counter(p_tenant_id uuid, p_limit_id uuid, p_scope_value text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE counter_id bigint;
BEGIN
  INSERT INTO limit_counters (tenant_id, limit_id, scope_value) VALUES (p_tenant_id, p_limit_id, p_scope_value)
    ON CONFLICT (tenant_id, limit_id, scope_value) DO NOTHING RETURNING id INTO counter_id;
  IF counter_id IS NULL THEN
    SELECT c.id INTO counter_id FROM limit_counters c WHERE c.tenant_id = p_tenant_id AND c.limit_id = p_limit_id AND c.scope_value = p_scope_value;
  END IF;
  RETURN counter_id;
END $$;

DROP FUNCTION hold_batch(uuid, interval, uuid[], uuid[], bigint[], json, uuid[], text[], text[], integer[], integer[]);

-- Admits many calls in one statement, in the order given: each is counted by all its limits and held on all its budgets, or by none.
--   p_amounts[i] NULL: no price is known.   p_tokens[i]: the most tokens the call may use.   p_scope_*: the distinct scopes of the batch.
--   p_link_calls[k], p_link_scopes[k]: call number and scope number (from 1) of the k-th pair, by rising call number.
-- Answers one row per call, in order. verdict: held · exceeded (the budget is spent) · too_large (this call alone is more than what is left)
-- · busy (it would fit but for open holds) · unpriced · requests, tokens, concurrency (a limit).
-- remaining: least headroom over the call's hard budgets after the hold, NULL without any. warned: the highest threshold reached, in percent.
-- rates: the tightest limits on requests and tokens after the call, NULL without any.
CREATE FUNCTION admit_batch(
  p_gateway_id uuid, p_lease interval, p_ids uuid[], p_tenants uuid[], p_amounts bigint[], p_tokens bigint[], p_contexts json,
  p_scope_tenants uuid[], p_scope_kinds text[], p_scope_values text[], p_link_calls integer[], p_link_scopes integer[]
) RETURNS TABLE (verdict text, remaining bigint, warned integer, rates jsonb, denial jsonb) LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := weir_now();
  v_second bigint := floor(extract(epoch FROM v_now));
  v_scopes integer[]; v_scope_periods bigint[]; v_rolling boolean;          -- pairs: scope number, period
  v_periods bigint[]; v_headroom bigint[]; v_held bigint[]; v_added bigint[]; v_warned integer[];
  v_call_of integer[]; v_position_of integer[];                             -- pairs: call number, position in v_periods
  v_limit_scopes integer[]; v_scope_counters bigint[];                      -- pairs: scope number, counter
  v_counters bigint[]; v_requests_left bigint[]; v_tokens_left bigint[]; v_open_left bigint[];
  v_requests_added bigint[]; v_tokens_added bigint[];
  v_counter_call_of integer[]; v_counter_position_of integer[];             -- pairs: call number, position in v_counters
  v_known uuid[];
  v_verdicts text[] := '{}'; v_remaining bigint[] := '{}'; v_denied_at integer[] := '{}'; v_warnings integer[] := '{}';
  v_tight_requests integer[] := '{}'; v_tight_tokens integer[] := '{}'; v_rest_requests bigint[] := '{}'; v_rest_tokens bigint[] := '{}';
  k integer := 1; first_pair integer; last_pair integer; pairs integer; position integer;
  c integer := 1; first_counter integer; last_counter integer; counter_pairs integer;
  v_amount bigint; v_worst text; v_worst_at integer; v_least bigint; v_warning integer; v_fresh boolean;
  v_counted integer := 0; v_inserted integer;
BEGIN
  PERFORM assert_every_tenant();
  SELECT array_agg(m.number), array_agg(coalesce(m.period_id, ensure_period(m.tenant_id, m.budget_id, m.value, v_now))), bool_or(m.rolling)
    INTO v_scopes, v_scope_periods, v_rolling
    FROM (
      SELECT s.number::integer, s.value, b.tenant_id, b.id AS budget_id, b.period_kind = 'rolling' AS rolling, p.id AS period_id
      FROM unnest(p_scope_tenants, p_scope_kinds, p_scope_values) WITH ORDINALITY AS s (tenant_id, kind, value, number)
      JOIN budgets b ON b.tenant_id = s.tenant_id AND b.scope_kind = s.kind AND b.scope_value IN (s.value, '*') AND b.deleted_at IS NULL
      LEFT JOIN LATERAL (
        SELECT q.id, q.ends_at FROM budget_periods q
        WHERE q.tenant_id = b.tenant_id AND q.budget_id = b.id AND q.scope_value = s.value AND q.starts_at <= v_now
        ORDER BY q.starts_at DESC LIMIT 1
      ) p ON p.ends_at > v_now
      ORDER BY b.tenant_id, b.id, s.value
    ) m;
  SELECT array_agg(m.number), array_agg(coalesce(m.counter_id, ensure_counter(m.tenant_id, m.limit_id, m.value)))
    INTO v_limit_scopes, v_scope_counters
    FROM (
      SELECT s.number::integer, s.value, l.tenant_id, l.id AS limit_id, n.id AS counter_id
      FROM unnest(p_scope_tenants, p_scope_kinds, p_scope_values) WITH ORDINALITY AS s (tenant_id, kind, value, number)
      JOIN limits l ON l.tenant_id = s.tenant_id AND l.scope_kind = s.kind AND l.scope_value IN (s.value, '*') AND l.deleted_at IS NULL
      LEFT JOIN limit_counters n ON n.tenant_id = l.tenant_id AND n.limit_id = l.id AND n.scope_value = s.value
      ORDER BY l.tenant_id, l.id, s.value
    ) m;

  IF v_scopes IS NOT NULL THEN
    IF v_rolling THEN
      PERFORM 1 FROM budget_periods WHERE id = ANY (v_scope_periods) ORDER BY id FOR UPDATE;
      PERFORM age_periods(v_scope_periods, v_now);
    END IF;
    -- A budget that only observes has no headroom that could end: NULL, which no comparison below finds too small.
    SELECT array_agg(q.id), array_agg(CASE WHEN q.hard THEN q.limit_nano + q.granted + q.aged - q.spent - q.held END), array_agg(q.held),
        array_agg(0::bigint), array_agg(q.warned)
      INTO v_periods, v_headroom, v_held, v_added, v_warned
      FROM (SELECT * FROM budget_periods WHERE id = ANY (v_scope_periods) ORDER BY id FOR UPDATE) q;
    SELECT array_agg(l.call ORDER BY l.call, n.position), array_agg(n.position ORDER BY l.call, n.position)
      INTO v_call_of, v_position_of
      FROM unnest(p_link_calls, p_link_scopes) AS l (call, scope)
      JOIN unnest(v_scopes, v_scope_periods) AS s (scope, period_id) ON s.scope = l.scope
      JOIN unnest(v_periods) WITH ORDINALITY AS n (period_id, position) ON n.period_id = s.period_id;
  END IF;
  pairs := coalesce(array_length(v_call_of, 1), 0);

  IF v_limit_scopes IS NOT NULL THEN
    -- What is left of each limit; NULL: it sets none of this kind.
    SELECT array_agg(q.id ORDER BY q.id),
        array_agg(l.requests_per_minute - (SELECT sum(v)::bigint FROM unnest(ring_at(q.requests, q.second, v_second)) AS r (v)) ORDER BY q.id),
        array_agg(l.tokens_per_minute - (SELECT sum(v)::bigint FROM unnest(ring_at(q.tokens, q.second, v_second)) AS r (v)) ORDER BY q.id),
        array_agg((l.concurrency - q.open)::bigint ORDER BY q.id), array_agg(0::bigint), array_agg(0::bigint)
      INTO v_counters, v_requests_left, v_tokens_left, v_open_left, v_requests_added, v_tokens_added
      FROM (SELECT * FROM limit_counters WHERE id = ANY (v_scope_counters) ORDER BY id FOR UPDATE) q
      JOIN limits l ON l.tenant_id = q.tenant_id AND l.id = q.limit_id;
    SELECT array_agg(l.call ORDER BY l.call, n.position), array_agg(n.position ORDER BY l.call, n.position)
      INTO v_counter_call_of, v_counter_position_of
      FROM unnest(p_link_calls, p_link_scopes) AS l (call, scope)
      JOIN unnest(v_limit_scopes, v_scope_counters) AS s (scope, counter_id) ON s.scope = l.scope
      JOIN unnest(v_counters) WITH ORDINALITY AS n (counter_id, position) ON n.counter_id = s.counter_id;
  END IF;
  counter_pairs := coalesce(array_length(v_counter_call_of, 1), 0);

  -- Under the locks: an id that is known was held by an earlier try of this very statement.
  SELECT array_agg(id) INTO v_known FROM holds WHERE id = ANY (p_ids);

  FOR i IN 1 .. coalesce(array_length(p_ids, 1), 0) LOOP
    first_pair := k;
    WHILE k <= pairs AND v_call_of[k] = i LOOP k := k + 1; END LOOP;
    last_pair := k - 1;
    first_counter := c;
    WHILE c <= counter_pairs AND v_counter_call_of[c] = i LOOP c := c + 1; END LOOP;
    last_counter := c - 1;
    v_amount := p_amounts[i]; v_worst := 'held'; v_worst_at := NULL; v_least := NULL; v_warning := NULL;
    v_fresh := v_known IS NULL OR p_ids[i] <> ALL (v_known);
    IF v_fresh THEN
      FOR j IN first_pair .. last_pair LOOP
        position := v_position_of[j];
        IF v_amount IS NULL THEN
          IF v_headroom[position] IS NOT NULL THEN v_worst := 'unpriced'; v_worst_at := position; EXIT; END IF;
        ELSIF v_headroom[position] + v_held[position] <= 0 AND (v_amount > 0 OR v_headroom[position] + v_held[position] < 0) THEN
          v_worst := 'exceeded'; v_worst_at := position; EXIT;
        ELSIF v_amount > v_headroom[position] + v_held[position] AND v_worst <> 'too_large' THEN
          v_worst := 'too_large'; v_worst_at := position;
        ELSIF v_amount > v_headroom[position] AND v_worst = 'held' THEN
          v_worst := 'busy'; v_worst_at := position;
        END IF;
      END LOOP;
      IF v_worst = 'held' THEN
        FOR j IN first_counter .. last_counter LOOP
          position := v_counter_position_of[j];
          IF v_requests_left[position] < 1 THEN
            v_worst := 'requests'; v_worst_at := position; EXIT;
          ELSIF v_tokens_left[position] < p_tokens[i] THEN
            v_worst := 'tokens'; v_worst_at := position; EXIT;
          ELSIF v_open_left[position] < 1 THEN
            v_worst := 'concurrency'; v_worst_at := position; EXIT;
          END IF;
        END LOOP;
      END IF;
    END IF;
    FOR j IN first_pair .. last_pair LOOP
      position := v_position_of[j];
      IF v_worst = 'held' AND v_amount IS NOT NULL AND v_fresh THEN
        v_headroom[position] := v_headroom[position] - v_amount;
        v_held[position] := v_held[position] + v_amount;
        v_added[position] := v_added[position] + v_amount;
      END IF;
      v_least := least(v_least, v_headroom[position]);
      v_warning := greatest(v_warning, v_warned[position]);
    END LOOP;
    IF counter_pairs > 0 THEN
      v_tight_requests[i] := NULL; v_tight_tokens[i] := NULL; v_rest_requests[i] := NULL; v_rest_tokens[i] := NULL;
      FOR j IN first_counter .. last_counter LOOP
        position := v_counter_position_of[j];
        IF v_worst = 'held' AND v_fresh THEN
          v_requests_left[position] := v_requests_left[position] - 1;
          v_tokens_left[position] := v_tokens_left[position] - p_tokens[i];
          v_open_left[position] := v_open_left[position] - 1;
          v_requests_added[position] := v_requests_added[position] + 1;
          v_tokens_added[position] := v_tokens_added[position] + p_tokens[i];
        END IF;
        IF v_requests_left[position] < coalesce(v_rest_requests[i], 'infinity'::float8) THEN
          v_tight_requests[i] := position; v_rest_requests[i] := v_requests_left[position];
        END IF;
        IF v_tokens_left[position] < coalesce(v_rest_tokens[i], 'infinity'::float8) THEN
          v_tight_tokens[i] := position; v_rest_tokens[i] := v_tokens_left[position];
        END IF;
      END LOOP;
    END IF;
    IF v_worst = 'held' AND v_fresh THEN v_counted := v_counted + 1; END IF;
    v_verdicts[i] := v_worst; v_denied_at[i] := v_worst_at; v_remaining[i] := v_least; v_warnings[i] := v_warning;
  END LOOP;

  UPDATE budget_periods p SET held = p.held + a.added
    FROM unnest(v_periods, v_added) AS a (id, added) WHERE p.id = a.id AND a.added > 0;
  IF counter_pairs > 0 THEN
    UPDATE limit_counters n SET second = greatest(n.second, v_second), open = n.open + a.requests,
        requests = ring_add(ring_at(n.requests, n.second, greatest(n.second, v_second)), greatest(n.second, v_second), ARRAY[greatest(n.second, v_second)], ARRAY[a.requests]),
        tokens = ring_add(ring_at(n.tokens, n.second, greatest(n.second, v_second)), greatest(n.second, v_second), ARRAY[greatest(n.second, v_second)], ARRAY[a.tokens])
      FROM unnest(v_counters, v_requests_added, v_tokens_added) AS a (id, requests, tokens) WHERE n.id = a.id AND a.requests > 0;
  END IF;

  INSERT INTO holds (id, tenant_id, gateway_id, amount, tokens, period_ids, counter_ids, context, created_at, lease_until)
    SELECT q.id, q.tenant_id, p_gateway_id, q.amount, q.tokens, coalesce(p.period_ids, '{}'), coalesce(n.counter_ids, '{}'), x.context::jsonb, v_now, v_now + p_lease
    FROM unnest(p_ids, p_tenants, p_amounts, p_tokens, v_verdicts) WITH ORDINALITY AS q (id, tenant_id, amount, tokens, verdict, number)
    JOIN json_array_elements_text(p_contexts) WITH ORDINALITY AS x (context, number) USING (number)
    LEFT JOIN (
      SELECT l.call, array_agg(v_periods[l.position] ORDER BY l.position) AS period_ids
      FROM unnest(v_call_of, v_position_of) AS l (call, position) GROUP BY l.call
    ) p ON p.call = q.number
    LEFT JOIN (
      SELECT l.call, array_agg(v_counters[l.position] ORDER BY l.position) AS counter_ids
      FROM unnest(v_counter_call_of, v_counter_position_of) AS l (call, position) GROUP BY l.call
    ) n ON n.call = q.number
    WHERE q.verdict = 'held'
    ORDER BY q.id
    ON CONFLICT (id) DO NOTHING;
  GET DIAGNOSTICS v_inserted = ROW_COUNT;
  -- Given up by its gateway in this very moment: nothing of the batch may count, for nobody waits for it any more.
  IF v_inserted <> v_counted THEN RAISE EXCEPTION 'a hold of the batch was given up' USING ERRCODE = 'serialization_failure'; END IF;

  RETURN QUERY
    SELECT q.verdict, q.remaining, q.warned,
      CASE WHEN q.tight_requests IS NOT NULL OR q.tight_tokens IS NOT NULL THEN (
        SELECT jsonb_strip_nulls(jsonb_build_object(
          'limit_requests', max(l.requests_per_minute) FILTER (WHERE n.id = v_counters[q.tight_requests]), 'remaining_requests', CASE WHEN q.rest_requests IS NOT NULL THEN greatest(0, q.rest_requests) END,
          'reset_requests', max(ring_wait(ring_at(n.requests, n.second, v_second), v_second, 1)) FILTER (WHERE n.id = v_counters[q.tight_requests]),
          'limit_tokens', max(l.tokens_per_minute) FILTER (WHERE n.id = v_counters[q.tight_tokens]), 'remaining_tokens', CASE WHEN q.rest_tokens IS NOT NULL THEN greatest(0, q.rest_tokens) END,
          'reset_tokens', max(ring_wait(ring_at(n.tokens, n.second, v_second), v_second, 1)) FILTER (WHERE n.id = v_counters[q.tight_tokens])))
        FROM limit_counters n JOIN limits l ON l.tenant_id = n.tenant_id AND l.id = n.limit_id
        WHERE n.id IN (v_counters[q.tight_requests], v_counters[q.tight_tokens]))
      END,
      CASE
      WHEN q.denied_at IS NULL THEN NULL
      WHEN q.verdict IN ('requests', 'tokens', 'concurrency') THEN (
        SELECT jsonb_build_object('limit_id', l.id, 'scope_kind', l.scope_kind, 'scope_value', n.scope_value, 'tokens', q.tokens,
          'limit', CASE q.verdict WHEN 'requests' THEN l.requests_per_minute WHEN 'tokens' THEN l.tokens_per_minute ELSE l.concurrency END,
          'open', n.open, 'wait', CASE q.verdict WHEN 'requests' THEN ring_wait(ring_at(n.requests, n.second, v_second), v_second, 1 - v_requests_left[q.denied_at])
            WHEN 'tokens' THEN ring_wait(ring_at(n.tokens, n.second, v_second), v_second, q.tokens - v_tokens_left[q.denied_at]) ELSE 1 END)
        FROM limit_counters n JOIN limits l ON l.tenant_id = n.tenant_id AND l.id = n.limit_id WHERE n.id = v_counters[q.denied_at])
      ELSE (
        SELECT jsonb_build_object('budget_id', b.id, 'scope_kind', b.scope_kind, 'scope_value', p.scope_value, 'amount', q.amount::text,
          'limit', (p.limit_nano + p.granted)::text, 'spent', (p.spent - p.aged)::text, 'held', p.held::text, 'headroom', v_headroom[q.denied_at]::text,
          'resets_at', CASE
            WHEN isfinite(p.ends_at) THEN extract(epoch FROM p.ends_at)::bigint
            WHEN p.slice IS NOT NULL THEN (SELECT ceil(extract(epoch FROM min(s.starts_at) + p.slice) + b.window_seconds)::bigint FROM budget_slices s WHERE s.period_id = p.id)
          END)
        FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id WHERE p.id = v_periods[q.denied_at])
      END
    FROM unnest(v_verdicts, v_remaining, v_warnings, v_denied_at, p_amounts, p_tokens, v_tight_requests, v_tight_tokens, v_rest_requests, v_rest_tokens)
      WITH ORDINALITY AS q (verdict, remaining, warned, denied_at, amount, tokens, tight_requests, tight_tokens, rest_requests, rest_tokens, number)
    WHERE q.number <= array_length(p_ids, 1)
    ORDER BY q.number;
END $$;

-- Holds that were given up before Postgres confirmed them: what has not landed by now never will. They were never held, so no call row
-- belongs to them.
CREATE FUNCTION abandon_holds(p_gateway_id uuid, p_ids uuid[], p_tenants uuid[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO holds (id, tenant_id, gateway_id, amount, state, period_ids, context, created_at, lease_until, resolved_at)
    SELECT a.id, a.tenant_id, p_gateway_id, 0, 'refused', '{}', '{}', weir_now(), weir_now(), weir_now()
    FROM unnest(p_ids, p_tenants) AS a (id, tenant_id) ORDER BY a.id
  ON CONFLICT (id) DO NOTHING
$$;

-- Extends the leases of calls in flight and remembers how much output each has seen.
CREATE OR REPLACE FUNCTION heartbeat_batch(p_ids uuid[], p_output_tokens bigint[], p_lease interval) RETURNS void LANGUAGE sql AS $$
  UPDATE holds h SET lease_until = weir_now() + p_lease, sent = true, checkpoint_output_tokens = b.output_tokens
  FROM unnest(p_ids, p_output_tokens) AS b (id, output_tokens)
  WHERE h.id = ANY (p_ids) AND h.id = b.id AND h.state NOT IN ('settled', 'voided', 'expired', 'refused')
$$;

-- ── settlement ───────────────────────────────────────────────────────────────────────────────────────────────────────

-- What settlements say, as rows.
CREATE TYPE outcome AS (
  id uuid, state text, if_expired boolean, amount bigint, status text, http_status integer, error_code text, finish_reason text, estimated boolean,
  served_model text, attempts jsonb, first_byte_ms double precision, duration_ms double precision, usage_raw jsonb, rates jsonb,
  input bigint, cache_read bigint, cache_write_5m bigint, cache_write_1h bigint, output bigint, reasoning bigint
);

-- Rolling windows remember when it was spent. The periods are locked.
CREATE FUNCTION remember_spending(p_periods bigint[], p_amounts bigint[], p_now timestamptz) RETURNS void LANGUAGE sql AS $$
  INSERT INTO budget_slices (tenant_id, period_id, starts_at, amount)
    SELECT p.tenant_id, p.id, date_bin(p.slice, p_now, timestamptz '2001-01-01 00:00Z'), a.amount
    FROM unnest(p_periods, p_amounts) AS a (id, amount) JOIN budget_periods p ON p.id = a.id WHERE p.slice IS NOT NULL AND a.amount <> 0
  ON CONFLICT (tenant_id, period_id, starts_at) DO UPDATE SET amount = budget_slices.amount + excluded.amount
$$;

-- The truth about calls that were booked as an estimate because their lease was over: the difference goes in as an entry `late`, once.
-- The periods are locked. Answers the ids it booked.
CREATE FUNCTION settle_late(p_ids uuid[], p_outcomes json, p_now timestamptz) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE v_ids uuid[]; v_periods bigint[]; v_amounts bigint[];
BEGIN
  WITH o AS (
    SELECT * FROM json_populate_recordset(NULL::outcome, p_outcomes)
  ), late AS (
    UPDATE holds h SET late_at = p_now FROM o
    WHERE h.id = ANY (p_ids) AND h.id = o.id AND h.state = 'expired' AND h.late_at IS NULL AND o.if_expired IS NOT TRUE
    RETURNING h.id, h.tenant_id, h.created_at, h.period_ids, h.context, o.rates, o.estimated,
      CASE WHEN o.state = 'settled' THEN o.amount ELSE 0 END AS amount, o.input, o.cache_read, o.cache_write_5m, o.cache_write_1h, o.output, o.reasoning
  ), entries AS (
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, input_tokens,
      cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, price_id, rates, amount, estimated, period_ids)
    SELECT l.tenant_id, l.id, 1, 'late', l.created_at, p_now, (l.context ->> 'project')::uuid, (l.context ->> 'key')::uuid, l.context ->> 'provider',
      l.context ->> 'model', l.input - b.input, l.cache_read - b.cache_read, l.cache_write_5m - b.cache_write_5m, l.cache_write_1h - b.cache_write_1h,
      l.output - b.output, l.reasoning - b.reasoning, (l.context ->> 'price')::uuid, l.rates, l.amount - b.amount, l.estimated, l.period_ids
    FROM late l CROSS JOIN LATERAL (
      SELECT sum(e.amount)::bigint AS amount, sum(e.input_tokens)::bigint AS input, sum(e.cache_read_tokens)::bigint AS cache_read,
        sum(e.cache_write_5m_tokens)::bigint AS cache_write_5m, sum(e.cache_write_1h_tokens)::bigint AS cache_write_1h, sum(e.output_tokens)::bigint AS output,
        sum(coalesce(e.reasoning_tokens, 0))::bigint AS reasoning
      FROM ledger_entries e WHERE e.tenant_id = l.tenant_id AND e.admitted_at = l.created_at AND e.call_id = l.id
    ) b
    RETURNING call_id, amount, period_ids
  ), sums AS (
    SELECT p.period_id, sum(coalesce(e.amount, 0))::bigint AS amount FROM entries e CROSS JOIN unnest(e.period_ids) AS p (period_id) GROUP BY p.period_id
  )
  SELECT (SELECT array_agg(id) FROM late), array_agg(s.period_id), array_agg(s.amount) INTO v_ids, v_periods, v_amounts FROM sums s;
  UPDATE budget_periods p SET spent = p.spent + s.amount FROM unnest(v_periods, v_amounts) AS s (id, amount) WHERE p.id = s.id;
  PERFORM remember_spending(v_periods, v_amounts, p_now);
  RETURN QUERY SELECT unnest(v_ids);
END $$;

DROP FUNCTION settle_batch(uuid[], json);

-- Resolves holds, each exactly once: money held goes back, money spent goes on, counters follow, the call and its ledger entries go in.
-- Each outcome: id, state (settled, voided), amount (nano-USD, NULL when unpriced) and what became of the call. if_expired: only if the lease is over.
-- Answers the ids this statement resolved; an id that is missing was resolved before.
-- p_ids: the ids of p_outcomes. State is compared so that the index on open holds does not serve: finding a few ids by it would read every open hold.
CREATE FUNCTION settle_batch(p_ids uuid[], p_outcomes json) RETURNS TABLE (resolved_id uuid) LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_periods bigint[]; v_counters bigint[];
BEGIN
  PERFORM assert_every_tenant();
  SELECT array_agg(DISTINCT p.id), array_agg(DISTINCT c.id) FILTER (WHERE c.id IS NOT NULL) INTO v_periods, v_counters
    FROM holds h LEFT JOIN LATERAL unnest(h.period_ids) AS p (id) ON true LEFT JOIN LATERAL unnest(h.counter_ids) AS c (id) ON true
    WHERE h.id = ANY (p_ids) AND h.state NOT IN ('settled', 'voided', 'refused');
  PERFORM 1 FROM budget_periods WHERE id = ANY (v_periods) ORDER BY id FOR UPDATE;
  IF v_counters IS NOT NULL THEN PERFORM 1 FROM limit_counters WHERE id = ANY (v_counters) ORDER BY id FOR UPDATE; END IF;

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
      requested_model text, provider text, model text, credential uuid, price uuid, end_user text, session text, tags text[], scopes text[])
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
      credential_id, status, http_status, error_code, finish_reason, estimated, attempts, first_byte_ms, duration_ms, usage_raw, held, end_user, session, tags, scopes)
    SELECT r.tenant_id, r.id, r.created_at, v_now, r.project, r.key, r.surface, r.stream, r.requested_model, r.served_model, r.provider, r.credential,
      r.status, r.http_status, r.error_code, r.finish_reason, r.estimated, r.attempts, r.first_byte_ms, r.duration_ms, r.usage_raw, r.held,
      r.end_user, r.session, r.tags, r.scopes
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

-- ── what closes and changes periods ──────────────────────────────────────────────────────────────────────────────────

-- As before, but a template's successor is made by the first hold that needs it: most values of a template never come back.
CREATE OR REPLACE FUNCTION roll_period() RETURNS TABLE (event text, period_id bigint) LANGUAGE plpgsql AS $$
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
  SELECT CASE WHEN b.deleted_at IS NULL AND b.scope_value <> '*' THEN ensure_period(p.tenant_id, p.budget_id, p.scope_value, p.ends_at) END
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

-- Writes the statements of closed periods of which nothing is in flight, up to p_limit. Answers how many.
CREATE FUNCTION write_statements(p_limit integer) RETURNS integer LANGUAGE sql AS $$
  WITH due AS (
    SELECT p.* FROM budget_periods p
    WHERE p.closed_at IS NOT NULL AND NOT p.stated AND p.held = 0 ORDER BY p.closed_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), written AS (
    INSERT INTO budget_statements (tenant_id, period_id, budget_id, spent, granted, limit_nano, calls, top_models, created_at)
    SELECT d.tenant_id, d.id, d.budget_id, d.spent, d.granted, d.limit_nano, t.calls, t.models, weir_now()
    FROM due d CROSS JOIN LATERAL (
      SELECT coalesce(sum(m.calls), 0)::bigint AS calls, coalesce(jsonb_agg(jsonb_build_object('provider', m.provider, 'model', m.model, 'calls', m.calls,
        'amount_nano', m.amount::text) ORDER BY m.amount DESC, m.provider, m.model) FILTER (WHERE m.rank <= 10), '[]') AS models
      FROM (
        SELECT e.provider, e.model, count(DISTINCT e.call_id) AS calls, coalesce(sum(e.amount), 0) AS amount,
          row_number() OVER (ORDER BY coalesce(sum(e.amount), 0) DESC) AS rank
        FROM ledger_entries e WHERE e.tenant_id = d.tenant_id AND e.admitted_at >= d.starts_at AND e.admitted_at < d.ends_at AND d.id = ANY (e.period_ids)
          AND e.kind <> 'manual'
        GROUP BY e.provider, e.model
      ) m
    ) t
    RETURNING period_id
  ), marked AS (
    UPDATE budget_periods p SET stated = true FROM written w WHERE p.id = w.period_id RETURNING 1
  )
  SELECT count(*)::integer FROM marked
$$;

-- Brings what a period has spent back to zero by a ledger entry of its own; history stays.
CREATE OR REPLACE FUNCTION reset_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_actor text, p_reason text, p_entry_id uuid)
RETURNS SETOF budget_periods LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); p budget_periods%ROWTYPE;
BEGIN
  SELECT * INTO p FROM budget_periods WHERE id = ensure_period(p_tenant_id, p_budget_id, p_scope_value, v_now) FOR UPDATE;
  INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids, actor, reason)
    VALUES (p_tenant_id, p_entry_id, 0, 'manual', v_now, v_now, -p.spent, ARRAY[p.id], p_actor, p_reason);
  DELETE FROM budget_slices s WHERE s.tenant_id = p_tenant_id AND s.period_id = p.id;
  PERFORM emit_event(p_tenant_id, 'budget.period_reset', 'budget.period_reset:' || p_entry_id,
    jsonb_build_object('budget_id', p_budget_id, 'scope_value', p_scope_value, 'spent_nano', (p.spent - p.aged)::text, 'actor', p_actor, 'reason', p_reason));
  RETURN QUERY UPDATE budget_periods q SET spent = 0, aged = 0, warned = 0,
      next_threshold = (SELECT next_threshold(q.limit_nano + q.granted, b.thresholds, 0) FROM budgets b WHERE b.tenant_id = q.tenant_id AND b.id = q.budget_id)
    WHERE q.id = p.id RETURNING *;
END $$;

-- Raises what the current period of a budget may spend, by exactly this much.
CREATE FUNCTION grant_period(p_tenant_id uuid, p_budget_id uuid, p_scope_value text, p_grant_id uuid, p_amount bigint, p_actor text, p_reason text)
RETURNS SETOF budget_periods LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_period bigint := ensure_period(p_tenant_id, p_budget_id, p_scope_value, weir_now());
BEGIN
  INSERT INTO grants (tenant_id, id, period_id, amount, actor, reason, created_at) VALUES (p_tenant_id, p_grant_id, v_period, p_amount, p_actor, p_reason, v_now);
  PERFORM emit_event(p_tenant_id, 'budget.granted', 'budget.granted:' || p_grant_id, jsonb_build_object('budget_id', p_budget_id,
    'scope_value', p_scope_value, 'amount_nano', p_amount::text, 'actor', p_actor, 'reason', p_reason));
  RETURN QUERY UPDATE budget_periods q SET granted = q.granted + p_amount,
      next_threshold = (SELECT next_threshold(q.limit_nano + q.granted + p_amount, b.thresholds, q.spent - q.aged) FROM budgets b WHERE b.tenant_id = q.tenant_id AND b.id = q.budget_id)
    WHERE q.id = v_period RETURNING *;
END $$;

-- Corrects what a call was booked for: an entry `adjustment` per correction, numbered by attempt, and its periods follow.
-- p_amounts[i]: the difference. A correction that has been made (its call has that many already) is not repeated. Answers the calls it corrected.
CREATE FUNCTION adjust_calls(p_tenant_id uuid, p_calls uuid[], p_admitted_at timestamptz[], p_numbers integer[], p_amounts bigint[], p_prices uuid[],
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
