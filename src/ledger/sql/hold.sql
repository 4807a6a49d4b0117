-- Admits many calls in one statement, in the order given: each is counted by all its limits and held on all its budgets, or by none.
--   p_amounts[i] NULL: no price is known.   p_tokens[i]: the most tokens the call may use.   p_scope_*: the distinct scopes of the batch.
--   p_wanted[i]: the headroom that every hard budget must have for the call to be held; NULL: its amount.
--   p_link_calls[k], p_link_scopes[k]: call number and scope number (from 1) of the k-th pair, by rising call number.
--   p_most_rows: a batch of several calls that touches more periods and counters than this is not admitted; NULL: any number.
--   p_calls[i], p_attempts[i]: the call that a later attempt belongs to, and its number; NULL: it begins a call. NULL for both: they all do.
--   p_lock_ms: how long a row that is locked is waited for; then the statement fails with lock_not_available.
-- Answers one row per call, in order. verdict: held · exceeded (the budget is spent) · too_large (this call alone is more than what is left)
-- · busy (it would fit but for open holds) · tight (it would fit, but a budget has less than is wanted; denied is the one with the least) · unpriced
-- · requests, tokens, concurrency (a limit) · split (nothing was done: ask with fewer calls).
-- remaining: least headroom over the call's hard budgets after the hold, NULL without any. warned: the highest threshold reached, in percent.
-- rates: the tightest limits on requests and tokens after the call, NULL without any. touched: its periods and counters.
-- A period or counter without a row is negative in the arrays below: the number of its pair. It is made once a call is held on it.
--
-- The statements of every call see all tenants by their nature: tenant isolation has nothing to decide in them, and would cost each a tenth of
-- its time. They run as the owner, whom row-level security lets pass, for sessions that work for every tenant; for others they do nothing. They take their batch
-- as arrays. Postgres guesses that a plan for the arrays at hand is better than one for any, and would plan them anew each time: half of what a single
-- call costs. What is planned once must serve tables that have grown since: they are found by their indexes, also while they are small.
CREATE FUNCTION hold_batch(
  p_most_rows integer, p_lock_ms integer, p_gateway_id uuid, p_lease interval, p_ids uuid[], p_tenants uuid[], p_amounts bigint[], p_tokens bigint[],
  p_contexts json, p_scope_tenants uuid[], p_scope_kinds text[], p_scope_values text[], p_link_calls integer[], p_link_scopes integer[],
  p_wanted bigint[], p_calls uuid[], p_attempts smallint[]
) RETURNS TABLE (verdict text, remaining bigint, warned integer, rates jsonb, denial jsonb, touched integer) LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  v_now timestamptz := weir_now();
  v_second bigint := floor(extract(epoch FROM v_now));
  -- pairs of scope number and period, with what the period is of
  v_scopes integer[]; v_scope_periods bigint[]; v_pair_tenants uuid[]; v_pair_budgets uuid[]; v_pair_values text[]; v_rolling boolean;
  v_missing integer := 0;                                                   -- pairs without a row
  v_periods bigint[]; v_headroom bigint[]; v_held bigint[]; v_added bigint[]; v_warned integer[]; v_used boolean[];
  v_call_of integer[]; v_position_of integer[];                             -- pairs: call number, position in v_periods
  -- pairs of scope number and counter, with what the counter is of
  v_limit_scopes integer[]; v_scope_counters bigint[]; v_limit_tenants uuid[]; v_limit_ids uuid[]; v_limit_values text[];
  v_missing_counters integer := 0;
  v_counters bigint[]; v_requests_left bigint[]; v_tokens_left bigint[]; v_open_left bigint[];
  v_requests_added bigint[]; v_tokens_added bigint[];
  v_counter_call_of integer[]; v_counter_position_of integer[];             -- pairs: call number, position in v_counters
  v_known uuid[];
  v_calls uuid[]; v_admitted timestamptz[];                                 -- of later attempts
  v_verdicts text[] := '{}'; v_remaining bigint[] := '{}'; v_denied_at integer[] := '{}'; v_warnings integer[] := '{}'; v_touched integer[] := '{}';
  v_tight_requests integer[] := '{}'; v_tight_tokens integer[] := '{}'; v_rest_requests bigint[] := '{}'; v_rest_tokens bigint[] := '{}';
  k integer := 1; first_pair integer; last_pair integer; pairs integer; position integer;
  c integer := 1; first_counter integer; last_counter integer; counter_pairs integer;
  v_amount bigint; v_worst text; v_worst_at integer; v_least bigint; v_warning integer; v_fresh boolean;
  v_counted integer := 0; v_inserted integer;
BEGIN
  PERFORM assert_every_tenant();
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  SELECT array_agg(m.number), array_agg(m.period_id), array_agg(m.tenant_id), array_agg(m.budget_id), array_agg(m.value), bool_or(m.rolling),
      count(*) FILTER (WHERE m.period_id IS NULL)
    INTO v_scopes, v_scope_periods, v_pair_tenants, v_pair_budgets, v_pair_values, v_rolling, v_missing
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
  SELECT array_agg(m.number), array_agg(m.counter_id), array_agg(m.tenant_id), array_agg(m.limit_id), array_agg(m.value),
      count(*) FILTER (WHERE m.counter_id IS NULL)
    INTO v_limit_scopes, v_scope_counters, v_limit_tenants, v_limit_ids, v_limit_values, v_missing_counters
    FROM (
      SELECT s.number::integer, s.value, l.tenant_id, l.id AS limit_id, n.id AS counter_id
      FROM unnest(p_scope_tenants, p_scope_kinds, p_scope_values) WITH ORDINALITY AS s (tenant_id, kind, value, number)
      JOIN limits l ON l.tenant_id = s.tenant_id AND l.scope_kind = s.kind AND l.scope_value IN (s.value, '*') AND l.deleted_at IS NULL
      LEFT JOIN limit_counters n ON n.tenant_id = l.tenant_id AND n.limit_id = l.id AND n.scope_value = s.value
      ORDER BY l.tenant_id, l.id, s.value
    ) m;

  IF array_length(p_ids, 1) > 1 AND coalesce(cardinality(v_scopes), 0) + coalesce(cardinality(v_limit_scopes), 0) > p_most_rows THEN
    RETURN QUERY
      SELECT 'split', NULL::bigint, NULL::integer, NULL::jsonb, NULL::jsonb, (
        SELECT count(*)::integer FROM unnest(p_link_calls, p_link_scopes) AS l (call, scope) JOIN unnest(v_scopes || v_limit_scopes) AS s (scope) USING (scope)
        WHERE l.call = q.number)
      FROM unnest(p_ids) WITH ORDINALITY AS q (id, number) ORDER BY q.number;
    RETURN;
  END IF;

  -- Whoever makes a row holds the lock of its budget or limit: what is still missing under the lock stays missing until this statement ends.
  IF v_missing > 0 THEN
    PERFORM 1 FROM (SELECT DISTINCT m.tenant_id, m.id FROM unnest(v_pair_tenants, v_pair_budgets, v_scope_periods) AS m (tenant_id, id, period_id) WHERE m.period_id IS NULL) d
      JOIN budgets b ON b.tenant_id = d.tenant_id AND b.id = d.id ORDER BY b.tenant_id, b.id FOR NO KEY UPDATE OF b;
    SELECT array_agg(coalesce(m.period_id, p.id, -m.number) ORDER BY m.number), count(*) FILTER (WHERE m.period_id IS NULL AND p.id IS NULL)
      INTO v_scope_periods, v_missing
      FROM unnest(v_pair_tenants, v_pair_budgets, v_pair_values, v_scope_periods) WITH ORDINALITY AS m (tenant_id, budget_id, value, period_id, number)
      LEFT JOIN LATERAL (
        SELECT q.id, q.ends_at FROM budget_periods q
        WHERE m.period_id IS NULL AND q.tenant_id = m.tenant_id AND q.budget_id = m.budget_id AND q.scope_value = m.value AND q.starts_at <= v_now
        ORDER BY q.starts_at DESC LIMIT 1
      ) p ON p.ends_at > v_now;
  END IF;
  IF v_missing_counters > 0 THEN
    PERFORM 1 FROM (SELECT DISTINCT m.tenant_id, m.id FROM unnest(v_limit_tenants, v_limit_ids, v_scope_counters) AS m (tenant_id, id, counter_id) WHERE m.counter_id IS NULL) d
      JOIN limits l ON l.tenant_id = d.tenant_id AND l.id = d.id ORDER BY l.tenant_id, l.id FOR NO KEY UPDATE OF l;
    SELECT array_agg(coalesce(m.counter_id, n.id, -m.number) ORDER BY m.number), count(*) FILTER (WHERE m.counter_id IS NULL AND n.id IS NULL)
      INTO v_scope_counters, v_missing_counters
      FROM unnest(v_limit_tenants, v_limit_ids, v_limit_values, v_scope_counters) WITH ORDINALITY AS m (tenant_id, limit_id, value, counter_id, number)
      LEFT JOIN limit_counters n ON m.counter_id IS NULL AND n.tenant_id = m.tenant_id AND n.limit_id = m.limit_id AND n.scope_value = m.value;
  END IF;

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
    IF coalesce(cardinality(v_periods), 0) + v_missing <> cardinality(v_scope_periods) THEN
      RAISE serialization_failure USING MESSAGE = 'a period was removed while it was looked for';
    END IF;
    IF v_missing > 0 THEN
      SELECT v_periods || array_agg(m.period_id ORDER BY m.period_id), v_headroom || array_agg(CASE WHEN b.mode <> 'observe' THEN b.limit_nano END ORDER BY m.period_id),
          v_held || array_agg(0::bigint), v_added || array_agg(0::bigint), v_warned || array_agg(0)
        INTO v_periods, v_headroom, v_held, v_added, v_warned
        FROM unnest(v_pair_tenants, v_pair_budgets, v_scope_periods) AS m (tenant_id, budget_id, period_id)
        JOIN budgets b ON b.tenant_id = m.tenant_id AND b.id = m.budget_id WHERE m.period_id < 0;
      v_used := array_fill(false, ARRAY[cardinality(v_periods)]);
    END IF;
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
    IF coalesce(cardinality(v_counters), 0) + v_missing_counters <> cardinality(v_scope_counters) THEN
      RAISE serialization_failure USING MESSAGE = 'a counter was removed while it was looked for';
    END IF;
    IF v_missing_counters > 0 THEN
      SELECT v_counters || array_agg(m.counter_id ORDER BY m.counter_id), v_requests_left || array_agg(l.requests_per_minute::bigint ORDER BY m.counter_id),
          v_tokens_left || array_agg(l.tokens_per_minute ORDER BY m.counter_id), v_open_left || array_agg(l.concurrency::bigint ORDER BY m.counter_id),
          v_requests_added || array_agg(0::bigint), v_tokens_added || array_agg(0::bigint)
        INTO v_counters, v_requests_left, v_tokens_left, v_open_left, v_requests_added, v_tokens_added
        FROM unnest(v_limit_tenants, v_limit_ids, v_scope_counters) AS m (tenant_id, limit_id, counter_id)
        JOIN limits l ON l.tenant_id = m.tenant_id AND l.id = m.limit_id WHERE m.counter_id < 0;
    END IF;
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
      -- A call without cost takes nothing from anybody: no budget stands in its way, whatever is spent of it.
      IF v_amount IS DISTINCT FROM 0 THEN
        FOR j IN first_pair .. last_pair LOOP
          position := v_position_of[j];
          IF v_amount IS NULL THEN
            IF v_headroom[position] IS NOT NULL THEN v_worst := 'unpriced'; v_worst_at := position; EXIT; END IF;
          ELSIF v_headroom[position] + v_held[position] <= 0 THEN
            v_worst := 'exceeded'; v_worst_at := position; EXIT;
          ELSIF v_amount > v_headroom[position] + v_held[position] AND v_worst <> 'too_large' THEN
            v_worst := 'too_large'; v_worst_at := position;
          ELSIF v_amount > v_headroom[position] AND v_worst IN ('held', 'tight') THEN
            v_worst := 'busy'; v_worst_at := position;
          ELSIF p_wanted[i] > v_headroom[position] AND (v_worst = 'held' OR v_worst = 'tight' AND v_headroom[position] < v_headroom[v_worst_at]) THEN
            v_worst := 'tight'; v_worst_at := position;
          END IF;
        END LOOP;
      END IF;
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
      IF v_worst = 'held' AND v_fresh THEN
        IF v_amount IS NOT NULL THEN
          v_headroom[position] := v_headroom[position] - v_amount;
          v_held[position] := v_held[position] + v_amount;
          v_added[position] := v_added[position] + v_amount;
        END IF;
        IF v_missing > 0 THEN v_used[position] := true; END IF;
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
    v_touched[i] := last_pair - first_pair + 1 + last_counter - first_counter + 1;
  END LOOP;

  UPDATE budget_periods p SET held = p.held + a.added
    FROM unnest(v_periods, v_added) AS a (id, added) WHERE p.id = a.id AND a.added > 0;
  IF v_missing > 0 AND true = ANY (v_used) THEN
    WITH made AS (
      INSERT INTO budget_periods (tenant_id, budget_id, scope_value, starts_at, ends_at, limit_nano, hard, slice, next_threshold, held, opened_at)
      SELECT b.tenant_id, b.id, v_pair_values[-n.id], t.starts_at, t.ends_at, b.limit_nano, b.mode <> 'observe', slice_of(b.window_seconds),
        next_threshold(b.limit_nano, b.thresholds, 0), n.added, v_now
      FROM unnest(v_periods, v_added, v_used) AS n (id, added, used)
      JOIN budgets b ON b.tenant_id = v_pair_tenants[-n.id] AND b.id = v_pair_budgets[-n.id]
      CROSS JOIN LATERAL period_at(b, v_pair_values[-n.id], v_now) t
      WHERE n.id < 0 AND n.used
      RETURNING id, tenant_id, budget_id, scope_value, starts_at, ends_at, limit_nano
    ), told AS (
      INSERT INTO outbox (tenant_id, kind, dedupe_key, payload)
      SELECT m.tenant_id, 'budget.period_opened', 'budget.period_opened:' || m.id, opened_payload(m.budget_id, m.scope_value, m.starts_at, m.ends_at, m.limit_nano)
      FROM made m ON CONFLICT (dedupe_key) DO NOTHING
    )
    SELECT array_agg(coalesce(m.id, n.id) ORDER BY n.position) INTO v_periods
      FROM unnest(v_periods) WITH ORDINALITY AS n (id, position)
      LEFT JOIN made m ON n.id < 0 AND m.tenant_id = v_pair_tenants[-n.id] AND m.budget_id = v_pair_budgets[-n.id] AND m.scope_value = v_pair_values[-n.id];
  END IF;
  IF counter_pairs > 0 THEN
    IF v_missing_counters > 0 THEN
      WITH made AS (
        INSERT INTO limit_counters (tenant_id, limit_id, scope_value)
        SELECT v_limit_tenants[-n.id], v_limit_ids[-n.id], v_limit_values[-n.id] FROM unnest(v_counters, v_requests_added) AS n (id, requests)
        WHERE n.id < 0 AND n.requests > 0
        RETURNING id, tenant_id, limit_id, scope_value
      )
      SELECT array_agg(coalesce(m.id, n.id) ORDER BY n.position) INTO v_counters
        FROM unnest(v_counters) WITH ORDINALITY AS n (id, position)
        LEFT JOIN made m ON n.id < 0 AND m.tenant_id = v_limit_tenants[-n.id] AND m.limit_id = v_limit_ids[-n.id] AND m.scope_value = v_limit_values[-n.id];
    END IF;
    UPDATE limit_counters n SET second = greatest(n.second, v_second), open = n.open + a.requests,
        requests = ring_add(ring_at(n.requests, n.second, greatest(n.second, v_second)), greatest(n.second, v_second), ARRAY[greatest(n.second, v_second)], ARRAY[a.requests]),
        tokens = ring_add(ring_at(n.tokens, n.second, greatest(n.second, v_second)), greatest(n.second, v_second), ARRAY[greatest(n.second, v_second)], ARRAY[a.tokens])
      FROM unnest(v_counters, v_requests_added, v_tokens_added) AS a (id, requests, tokens) WHERE n.id = a.id AND a.requests > 0;
  END IF;

  -- A later attempt changes the row of its call. Where there is none, as after a failover, it is a call by itself.
  IF p_calls IS NOT NULL THEN
    SELECT array_agg(f.id ORDER BY q.number), array_agg(f.created_at ORDER BY q.number) INTO v_calls, v_admitted
      FROM unnest(p_calls, p_tenants) WITH ORDINALITY AS q (call, tenant_id, number)
      LEFT JOIN LATERAL (
        SELECT h.id, h.created_at FROM holds h
        WHERE h.id = q.call AND h.tenant_id = q.tenant_id AND h.call_id IS NULL AND h.state NOT IN ('open', 'refused') OFFSET 0
      ) f ON true;
  END IF;

  -- What the call was made for is in its row: it is not kept of a later attempt.
  INSERT INTO holds (id, tenant_id, gateway_id, amount, tokens, period_ids, counter_ids, context, created_at, lease_until, call_id, attempt, admitted_at)
    SELECT q.id, q.tenant_id, p_gateway_id, q.amount, q.tokens, coalesce(p.period_ids, '{}'), coalesce(n.counter_ids, '{}'),
      CASE WHEN v_calls[q.number] IS NULL THEN x.context::jsonb ELSE x.context::jsonb - '{end_user,session,tags,scopes}'::text[] END, v_now, v_now + p_lease,
      v_calls[q.number], CASE WHEN v_calls[q.number] IS NOT NULL THEN p_attempts[q.number] END, v_admitted[q.number]
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
          'limit_requests', max(l.requests_per_minute) FILTER (WHERE u.id = v_counters[q.tight_requests]), 'remaining_requests', CASE WHEN q.rest_requests IS NOT NULL THEN greatest(0, q.rest_requests) END,
          'reset_requests', max(ring_wait(ring_at(coalesce(n.requests, no_ring()), coalesce(n.second, 0), v_second), v_second, 1)) FILTER (WHERE u.id = v_counters[q.tight_requests]),
          'limit_tokens', max(l.tokens_per_minute) FILTER (WHERE u.id = v_counters[q.tight_tokens]), 'remaining_tokens', CASE WHEN q.rest_tokens IS NOT NULL THEN greatest(0, q.rest_tokens) END,
          'reset_tokens', max(ring_wait(ring_at(coalesce(n.tokens, no_ring()), coalesce(n.second, 0), v_second), v_second, 1)) FILTER (WHERE u.id = v_counters[q.tight_tokens])))
        FROM unnest(ARRAY[v_counters[q.tight_requests], v_counters[q.tight_tokens]]) AS u (id) LEFT JOIN limit_counters n ON n.id = u.id
        JOIN limits l ON l.tenant_id = coalesce(n.tenant_id, v_limit_tenants[-u.id]) AND l.id = coalesce(n.limit_id, v_limit_ids[-u.id]))
      END,
      CASE
      WHEN q.denied_at IS NULL THEN NULL
      WHEN q.verdict IN ('requests', 'tokens', 'concurrency') THEN (
        SELECT jsonb_build_object('limit_id', l.id, 'scope_kind', l.scope_kind, 'scope_value', coalesce(n.scope_value, v_limit_values[-u.id]), 'tokens', q.tokens,
          'limit', CASE q.verdict WHEN 'requests' THEN l.requests_per_minute WHEN 'tokens' THEN l.tokens_per_minute ELSE l.concurrency END,
          'open', coalesce(n.open, 0), 'wait', CASE q.verdict
            WHEN 'requests' THEN ring_wait(ring_at(coalesce(n.requests, no_ring()), coalesce(n.second, 0), v_second), v_second, 1 - v_requests_left[q.denied_at])
            WHEN 'tokens' THEN ring_wait(ring_at(coalesce(n.tokens, no_ring()), coalesce(n.second, 0), v_second), v_second, q.tokens - v_tokens_left[q.denied_at]) ELSE 1 END)
        FROM unnest(ARRAY[v_counters[q.denied_at]]) AS u (id) LEFT JOIN limit_counters n ON n.id = u.id
        JOIN limits l ON l.tenant_id = coalesce(n.tenant_id, v_limit_tenants[-u.id]) AND l.id = coalesce(n.limit_id, v_limit_ids[-u.id]))
      ELSE (
        SELECT jsonb_build_object('budget_id', b.id, 'mode', b.mode, 'scope_kind', b.scope_kind, 'scope_value', coalesce(p.scope_value, v_pair_values[-u.id]), 'amount', q.amount::text,
          'limit', coalesce(p.limit_nano + p.granted, b.limit_nano)::text, 'spent', coalesce(p.spent - p.aged, 0)::text, 'held', coalesce(p.held, 0)::text,
          'headroom', v_headroom[q.denied_at]::text,
          'resets_at', CASE
            WHEN isfinite(coalesce(p.ends_at, t.ends_at)) THEN extract(epoch FROM coalesce(p.ends_at, t.ends_at))::bigint
            WHEN p.slice IS NOT NULL THEN (SELECT ceil(extract(epoch FROM min(s.starts_at) + p.slice) + b.window_seconds)::bigint FROM budget_slices s WHERE s.period_id = p.id)
          END)
        FROM unnest(ARRAY[v_periods[q.denied_at]]) AS u (id) LEFT JOIN budget_periods p ON p.id = u.id
        JOIN budgets b ON b.tenant_id = coalesce(p.tenant_id, v_pair_tenants[-u.id]) AND b.id = coalesce(p.budget_id, v_pair_budgets[-u.id])
        LEFT JOIN LATERAL period_at(b, v_pair_values[-u.id], v_now) t ON u.id < 0)
      END,
      q.touched
    FROM unnest(v_verdicts, v_remaining, v_warnings, v_denied_at, p_amounts, p_tokens, v_tight_requests, v_tight_tokens, v_rest_requests, v_rest_tokens, v_touched)
      WITH ORDINALITY AS q (verdict, remaining, warned, denied_at, amount, tokens, tight_requests, tight_tokens, rest_requests, rest_tokens, touched, number)
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
