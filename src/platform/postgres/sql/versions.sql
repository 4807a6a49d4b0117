-- Notes that a process uses the functions of a version, and drops those of versions that no process has used for a week. Runs as the owner, who alone
-- may. It goes by the clock of the server: how long a process was away has nothing to do with the ledger's time.
CREATE FUNCTION keep_functions(p_version text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_function regprocedure;
BEGIN
  UPDATE function_versions SET used_at = now() WHERE version = p_version;
  FOR v_function IN
    WITH unused AS (
      DELETE FROM function_versions WHERE used_at < now() - interval '7 days' RETURNING version
    )
    SELECT p.oid FROM unused u JOIN pg_proc p ON p.proname LIKE '%\_' || u.version WHERE p.pronamespace = current_schema()::regnamespace
  LOOP
    EXECUTE format('DROP FUNCTION %s', v_function);
  END LOOP;
END $$;
