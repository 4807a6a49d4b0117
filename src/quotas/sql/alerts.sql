-- The least spending above p_spent at which an alert is due; NULL: none.
CREATE FUNCTION next_threshold(p_limit bigint, p_thresholds integer[], p_spent bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT min(due)::bigint FROM (SELECT ceil(p_limit::numeric * percent / 100) AS due FROM unnest(p_thresholds) AS t (percent)) AS d WHERE due > p_spent
$$;

-- Says once per period, for a rolling budget once per window, which thresholds have been reached and that the limit is spent. The periods are locked.
CREATE FUNCTION raise_alerts(p_periods bigint[], p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE p record; v_percent integer; v_facts jsonb; v_once text;
BEGIN
  FOR p IN
    SELECT q.*, b.thresholds, b.scope_kind, b.window_seconds FROM budget_periods q JOIN budgets b ON b.tenant_id = q.tenant_id AND b.id = q.budget_id
    WHERE q.id = ANY (p_periods) AND (q.spent - q.aged >= q.next_threshold OR (NOT q.exceeded AND q.spent - q.aged >= q.limit_nano + q.granted))
    ORDER BY q.id
  LOOP
    v_once := coalesce(':' || floor(extract(epoch FROM p_now) / p.window_seconds), '');
    v_facts := jsonb_build_object('budget_id', p.budget_id, 'scope_kind', p.scope_kind, 'scope_value', p.scope_value,
      'limit_nano', p.limit_nano::text, 'granted_nano', p.granted::text, 'spent_nano', (p.spent - p.aged)::text, 'starts_at', p.starts_at,
      'ends_at', CASE WHEN isfinite(p.ends_at) THEN p.ends_at END);
    FOREACH v_percent IN ARRAY p.thresholds LOOP
      CONTINUE WHEN (p.spent - p.aged) * 100::numeric < (p.limit_nano + p.granted)::numeric * v_percent;
      PERFORM emit_event(p.tenant_id, 'budget.threshold_reached', 'budget.threshold_reached:' || p.id || ':' || v_percent || v_once,
        v_facts || jsonb_build_object('threshold_percent', v_percent));
    END LOOP;
    IF NOT p.exceeded AND p.spent - p.aged >= p.limit_nano + p.granted THEN
      PERFORM emit_event(p.tenant_id, 'budget.exceeded', 'budget.exceeded:' || p.id || v_once, v_facts);
    END IF;
    UPDATE budget_periods SET exceeded = exceeded OR spent - aged >= limit_nano + granted, next_threshold = next_threshold(limit_nano + granted, p.thresholds, spent - aged),
      warned = (SELECT coalesce(max(percent), 0) FROM unnest(p.thresholds) AS t (percent) WHERE (spent - aged) * 100::numeric >= (limit_nano + granted)::numeric * percent)
      WHERE id = p.id;
  END LOOP;
END $$;
