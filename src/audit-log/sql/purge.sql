-- The oldest lines, where they are older than p_months: at least 13, whoever asks. Answers how many of p_limit were removed.
CREATE FUNCTION purge_audit_log(p_months integer, p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_count integer;
BEGIN
  DELETE FROM audit_log WHERE id = ANY (ARRAY(
    SELECT o.id FROM (SELECT l.id, l.at FROM audit_log l ORDER BY l.id LIMIT p_limit) o
    WHERE o.at < weir_now() - make_interval(months => greatest(p_months, 13))));
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;
