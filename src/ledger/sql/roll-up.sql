-- What a tenant's entries of a span of time come to, per quarter of an hour, key, provider and model: rows as usage_rollups keeps them. Reports read what is
-- not rolled up yet with it, and the audit compares.
CREATE FUNCTION usage_between(p_tenant uuid, p_from timestamptz, p_to timestamptz) RETURNS TABLE (tenant_id uuid, starts_at timestamptz, project_id uuid,
  api_key_id uuid, provider text, model text, calls bigint, provider_calls bigint, model_calls bigint, units smallint[], quantities bigint[], amount bigint,
  adjusted bigint, provider_cost bigint, own_provider_cost bigint) LANGUAGE sql STABLE AS $$
  WITH entry AS MATERIALIZED (
    SELECT l.*, date_bin('15 minutes', l.admitted_at, 'epoch') AS quarter, e.is_first, e.is_first_of_provider, e.is_first_of_model
    FROM ledger_entries l CROSS JOIN LATERAL (
      -- Looked up for later attempts only, which are few.
      SELECT count(f.*) = 0 AS is_first, count(f.*) FILTER (WHERE f.provider = l.provider) = 0 AS is_first_of_provider,
        count(f.*) FILTER (WHERE (f.provider, f.model) = (l.provider, l.model)) = 0 AS is_first_of_model
      FROM ledger_entries f WHERE l.kind = 'usage' AND l.attempt > 1 AND f.tenant_id = l.tenant_id AND f.admitted_at = l.admitted_at AND f.call_id = l.call_id
        AND f.kind = 'usage' AND f.attempt < l.attempt
    ) e
    WHERE l.tenant_id = p_tenant AND l.admitted_at >= p_from AND l.admitted_at < p_to AND l.kind <> 'manual'
  ), summed AS (
    SELECT e.quarter, e.project_id, e.api_key_id, e.provider, e.model, NULL::smallint AS unit, NULL::bigint AS quantity,
      count(*) FILTER (WHERE e.kind = 'usage' AND e.is_first) AS calls, count(*) FILTER (WHERE e.kind = 'usage' AND e.is_first_of_provider) AS provider_calls,
      count(*) FILTER (WHERE e.kind = 'usage' AND e.is_first_of_model) AS model_calls,
      coalesce(sum(e.amount), 0)::bigint AS amount, coalesce(sum(e.amount) FILTER (WHERE e.kind = 'adjustment'), 0)::bigint AS adjusted,
      sum(e.provider_cost)::bigint AS provider_cost, (sum(e.provider_cost) FILTER (WHERE e.lent IS FALSE))::bigint AS own_provider_cost
    FROM entry e GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT e.quarter, e.project_id, e.api_key_id, e.provider, e.model, q.unit, sum(q.quantity)::bigint, 0, 0, 0, 0, 0, NULL, NULL
    FROM entry e CROSS JOIN LATERAL unnest(e.units, e.quantities) AS q (unit, quantity) GROUP BY 1, 2, 3, 4, 5, 6
  )
  SELECT p_tenant, s.quarter, s.project_id, s.api_key_id, s.provider, s.model, sum(s.calls)::bigint, sum(s.provider_calls)::bigint, sum(s.model_calls)::bigint,
    coalesce(array_agg(s.unit ORDER BY s.unit) FILTER (WHERE s.unit IS NOT NULL), '{}'),
    coalesce(array_agg(s.quantity ORDER BY s.unit) FILTER (WHERE s.unit IS NOT NULL), '{}'),
    sum(s.amount)::bigint, sum(s.adjusted)::bigint, sum(s.provider_cost)::bigint, sum(s.own_provider_cost)::bigint
  FROM summed s GROUP BY 2, 3, 4, 5, 6
$$;

-- Rolls up anew each quarter of an hour for which something was booked since the last time, within p_window of booking. Answers whether there is more.
-- A transaction books for the time of its start and commits later: what was booked is taken when all transactions of its time are over. One that had written
-- nothing by then is waited for by the minute, which no statement of a process may take.
CREATE FUNCTION roll_up_usage(p_window interval) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE r usage_rolled%ROWTYPE; v_to timestamptz; v_tenants uuid[]; v_quarters timestamptz[];
BEGIN
  PERFORM assert_every_tenant();
  SELECT * INTO r FROM usage_rolled FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN false; END IF;
  IF r.seen_xid <= pg_snapshot_xmin(pg_current_snapshot()) THEN
    r.safe_until := greatest(r.safe_until, r.seen_at - interval '1 minute');
    UPDATE usage_rolled SET safe_until = r.safe_until, seen_at = weir_now(), seen_xid = pg_snapshot_xmax(pg_current_snapshot());
  END IF;
  IF r.until = '-infinity' THEN SELECT coalesce(min(booked_at), r.safe_until) INTO r.until FROM ledger_entries; END IF;
  v_to := least(r.until + p_window, r.safe_until);
  IF v_to <= r.until THEN RETURN false; END IF;
  SELECT array_agg(d.tenant_id), array_agg(d.quarter) INTO v_tenants, v_quarters FROM (
    SELECT DISTINCT tenant_id, date_bin('15 minutes', admitted_at, 'epoch') AS quarter FROM ledger_entries
    WHERE booked_at >= r.until AND booked_at < v_to AND kind <> 'manual'
  ) d;
  DELETE FROM usage_rollups u USING unnest(v_tenants, v_quarters) AS d (tenant_id, quarter) WHERE u.tenant_id = d.tenant_id AND u.starts_at = d.quarter;
  INSERT INTO usage_rollups (tenant_id, starts_at, project_id, api_key_id, provider, model, calls, provider_calls, model_calls, units, quantities, amount,
    adjusted, provider_cost, own_provider_cost)
  SELECT u.* FROM unnest(v_tenants, v_quarters) AS d (tenant_id, quarter)
    CROSS JOIN LATERAL usage_between(d.tenant_id, d.quarter, d.quarter + interval '15 minutes') u;
  UPDATE usage_rolled SET until = v_to;
  RETURN v_to < r.safe_until;
END $$;

-- Begins the roll-up anew, from the first entry on. For the owner of the database, where the audit found it wrong.
CREATE FUNCTION rebuild_usage() RETURNS void LANGUAGE sql AS $$
  DELETE FROM usage_rollups;
  UPDATE usage_rolled SET until = '-infinity'
$$;
