-- Periods of up to an hour that were closed 35 days ago and longer ones that were closed 400 days ago, with their statements and grants. Their
-- entries stay. Answers how many.
CREATE FUNCTION purge_periods(p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_now timestamptz := weir_now(); v_ids bigint[];
BEGIN
  v_ids := ARRAY(
    SELECT p.id FROM budget_periods p WHERE p.id = ANY (ARRAY(
      SELECT id FROM ((
        SELECT q.id FROM budget_periods q WHERE q.stated AND q.ends_at - q.starts_at <= interval '1 hour' AND q.closed_at < v_now - interval '35 days' ORDER BY q.closed_at LIMIT p_limit
      ) UNION ALL (
        SELECT q.id FROM budget_periods q WHERE q.stated AND q.ends_at - q.starts_at > interval '1 hour' AND q.closed_at < v_now - interval '400 days' ORDER BY q.closed_at LIMIT p_limit
      )) o LIMIT p_limit)) AND p.held = 0 ORDER BY p.id FOR UPDATE SKIP LOCKED);
  PERFORM remove_periods(v_ids);
  RETURN cardinality(v_ids);
END $$;

-- The periods are locked.
CREATE FUNCTION remove_periods(p_ids bigint[]) RETURNS void LANGUAGE sql AS $$
  DELETE FROM budget_slices WHERE period_id = ANY (p_ids);
  DELETE FROM grants WHERE period_id = ANY (p_ids);
  DELETE FROM budget_statements s USING budget_periods p WHERE p.id = ANY (p_ids) AND s.tenant_id = p.tenant_id AND s.period_id = p.id;
  DELETE FROM budget_periods WHERE id = ANY (p_ids);
$$;

-- Looks at p_limit periods by id, from p_after on, and removes what templates opened a day ago or earlier and nothing was spent in: the next call of the
-- value makes it again. Answers where to go on, from the beginning after the last, and how many it removed.
CREATE FUNCTION purge_idle_periods(p_after bigint, p_limit integer, OUT last bigint, OUT removed integer) LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_now timestamptz := weir_now(); v_ids bigint[]; v_seen integer;
BEGIN
  SELECT max(s.id), count(*), array_agg(s.id) FILTER (WHERE s.is_idle) INTO last, v_seen, v_ids FROM (
    SELECT p.id, p.closed_at IS NULL AND p.spent = 0 AND p.held = 0 AND p.granted = 0 AND p.archived = 0 AND p.opened_at < v_now - interval '1 day' AS is_idle
    FROM budget_periods p WHERE p.id > p_after ORDER BY p.id LIMIT p_limit
  ) s;
  IF v_ids IS NOT NULL THEN
    -- A call of unknown price holds nothing, and its period is needed all the same.
    v_ids := ARRAY(
      SELECT p.id FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id AND b.scope_value = '*'
      WHERE p.id = ANY (v_ids) AND p.spent = 0 AND p.held = 0 AND p.granted = 0
        AND p.id <> ALL (ARRAY(SELECT u.id FROM holds h CROSS JOIN LATERAL unnest(h.period_ids) AS u (id) WHERE h.state = 'open'))
      ORDER BY p.id FOR UPDATE OF p SKIP LOCKED);
    PERFORM remove_periods(v_ids);
  END IF;
  removed := coalesce(cardinality(v_ids), 0);
  IF v_seen < p_limit THEN last := 0; END IF;
END $$;

-- Budgets and limits that were deleted eight days ago and of which no period and no counter is left; a period that never ends goes with its budget.
-- Within a week a call that was admitted under one may still be booked. Answers how many.
CREATE FUNCTION purge_deleted(p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_before timestamptz := weir_now() - interval '8 days'; v_budgets integer; v_limits integer;
BEGIN
  PERFORM remove_periods(ARRAY(
    SELECT p.id FROM budgets d JOIN budget_periods p ON p.tenant_id = d.tenant_id AND p.budget_id = d.id
    WHERE d.deleted_at < v_before AND p.ends_at = 'infinity' AND p.held = 0 LIMIT p_limit FOR UPDATE OF p SKIP LOCKED));
  DELETE FROM budgets b USING (
    SELECT d.tenant_id, d.id FROM budgets d WHERE d.deleted_at < v_before
      AND NOT EXISTS (SELECT FROM budget_periods p WHERE p.tenant_id = d.tenant_id AND p.budget_id = d.id) ORDER BY d.deleted_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  ) o WHERE b.tenant_id = o.tenant_id AND b.id = o.id;
  GET DIAGNOSTICS v_budgets = ROW_COUNT;
  DELETE FROM limits l USING (
    SELECT d.tenant_id, d.id FROM limits d WHERE d.deleted_at < v_before
      AND NOT EXISTS (SELECT FROM limit_counters n WHERE n.tenant_id = d.tenant_id AND n.limit_id = d.id) ORDER BY d.deleted_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  ) o WHERE l.tenant_id = o.tenant_id AND l.id = o.id;
  GET DIAGNOSTICS v_limits = ROW_COUNT;
  RETURN v_budgets + v_limits;
END $$;
