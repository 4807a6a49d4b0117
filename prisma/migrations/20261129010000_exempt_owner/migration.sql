-- The owner of the tables is outside of the wall: pg_dump works as it, and so do migrations and the functions that run as their owner. No process
-- does: each transaction of one works as the run-time role.
DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relforcerowsecurity ORDER BY c.relname LOOP
    EXECUTE format('DROP POLICY IF EXISTS owner_passes ON %s', t);
    EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', t);
  END LOOP;
END $$;

-- Puts a table behind the wall. A migration that makes a table with a tenant calls this, and a test fails when it does not.
-- The functions are asked once per statement, not per row.
CREATE OR REPLACE FUNCTION wall_off(p_table regclass, p_column text DEFAULT 'tenant_id') RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_condition text := format('(SELECT weir_every_tenant()) OR %I = (SELECT weir_tenant())', p_column);
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
  EXECUTE format('CREATE POLICY tenant_wall ON %s USING (%s) WITH CHECK (%2$s)', p_table, v_condition);
END $$;
