-- The same for counters of limits: one that has no call in flight and forgot its last minute counts as one that is not there.
CREATE FUNCTION purge_counters(p_after bigint, p_limit integer, OUT last bigint, OUT removed integer) LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_second bigint := floor(extract(epoch FROM weir_now())) - 120; v_ids bigint[]; v_seen integer;
BEGIN
  SELECT max(s.id), count(*), array_agg(s.id) FILTER (WHERE s.open = 0 AND s.second < v_second) INTO last, v_seen, v_ids
    FROM (SELECT n.id, n.open, n.second FROM limit_counters n WHERE n.id > p_after ORDER BY n.id LIMIT p_limit) s;
  v_ids := ARRAY(SELECT n.id FROM limit_counters n WHERE n.id = ANY (v_ids) AND n.open = 0 AND n.second < v_second ORDER BY n.id FOR UPDATE SKIP LOCKED);
  DELETE FROM limit_counters WHERE id = ANY (v_ids);
  removed := cardinality(v_ids);
  IF v_seen < p_limit THEN last := 0; END IF;
END $$;
