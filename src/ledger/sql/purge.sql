-- Removes up to p_limit holds that were resolved more than seven days ago, the oldest first: their calls and entries say what became of them.
-- An id begins with its time, which bounds the search. Answers how many.
-- A hold of which something is held apart is kept.
CREATE FUNCTION purge_holds(p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
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
