-- The second layer of tenant isolation: Postgres itself shows a session the rows of one tenant, whatever its queries forget to ask.
--
-- The setting weir.tenant says whose: a tenant's id, or '*' for what works for the platform as a whole (gateways, workers, operators).
-- Unset or empty: nothing is seen. A row without a tenant is the platform's, and seen by '*' only.
CREATE OR REPLACE FUNCTION weir_every_tenant() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(current_setting('weir.tenant', true) = '*', false)
$$;

CREATE OR REPLACE FUNCTION weir_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN current_setting('weir.tenant', true) NOT IN ('', '*') THEN current_setting('weir.tenant', true)::uuid END
$$;

-- Isolates the tenants of a table. A migration that makes a table with a tenant calls this, and a test fails when it does not.
-- The functions are asked once per statement, not per row.
CREATE OR REPLACE FUNCTION isolate_tenants(p_table regclass, p_column text DEFAULT 'tenant_id') RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_condition text := format('(SELECT weir_every_tenant()) OR %I = (SELECT weir_tenant())', p_column);
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
  EXECUTE format('CREATE POLICY tenant_isolation ON %s USING (%s) WITH CHECK (%2$s)', p_table, v_condition);
END $$;

-- What gateways and workers do for all tenants is not for a session that is bound to one.
CREATE FUNCTION assert_every_tenant() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF coalesce(current_setting('weir.tenant', true), '') <> '*' THEN
    RAISE insufficient_privilege USING MESSAGE = 'row-level security: this statement works for every tenant, and the session for one';
  END IF;
END $$;
