-- Frees what is held apart for calls of gateways that are known to be gone, of up to p_limit calls. Answers how many.
CREATE FUNCTION free_held_apart(p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
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
