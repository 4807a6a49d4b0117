-- The second wall between tenants: Postgres itself shows a session the rows of one tenant, whatever its queries forget to ask.
--
-- The setting weir.tenant says whose: a tenant's id, or '*' for what works for the platform as a whole (gateways, workers, operators).
-- Unset or empty: nothing is seen. A row without a tenant is the platform's, and seen by '*' only.

CREATE FUNCTION weir_every_tenant() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(current_setting('weir.tenant', true) = '*', false)
$$;

CREATE FUNCTION weir_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN current_setting('weir.tenant', true) NOT IN ('', '*') THEN current_setting('weir.tenant', true)::uuid END
$$;

-- Puts a table behind the wall. A migration that makes a table with a tenant calls this, and a test fails when it does not.
-- The functions are asked once per statement, not per row. The owner, who applies migrations and drops partitions, keeps seeing everything.
CREATE FUNCTION wall_off(p_table regclass, p_column text DEFAULT 'tenant_id') RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_condition text := format('(SELECT weir_every_tenant()) OR %I = (SELECT weir_tenant())', p_column);
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', p_table);
  EXECUTE format('CREATE POLICY tenant_wall ON %s USING (%s) WITH CHECK (%2$s)', p_table, v_condition);
  EXECUTE format('CREATE POLICY owner_passes ON %s TO %I USING (true) WITH CHECK (true)', p_table, current_user);
END $$;
REVOKE EXECUTE ON FUNCTION wall_off(regclass, text) FROM PUBLIC;

SELECT wall_off('tenants', 'id');
SELECT wall_off(c.oid::regclass) FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  ORDER BY c.relname;
